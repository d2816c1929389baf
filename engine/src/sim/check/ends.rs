//! How steps and runs end.

use super::model::Status;
use super::{Case, Findings};

/// After its end nothing changes a step but a retry of the run.
pub fn a_step_ends_once(case: &Case<'_>, findings: &mut Findings) {
    case.replay(|run, record| {
        // That a failed step is to be skipped is said of it when the run is retried; what has ended is undone, or come to
        // again.
        let is_change = !matches!(record.what.as_str(), "waive" | "undone" | "back");
        let Some(step) = run.step_of(record).filter(|_| is_change) else { return };
        findings.unless(!step.status.is_end(), || {
            format!("record {} ({}) changes {}, which has ended", record.lsn, record.what, run.node(step).path)
        });
    });
}

/// A block ends when all that is in it has ended, its handlers and its `finally` too.
pub fn a_block_ends_last(case: &Case<'_>, findings: &mut Findings) {
    case.replay(|run, record| {
        let Some(number) = record.step().filter(|_| record.what == "done").and_then(|step| usize::try_from(step).ok())
        else {
            return;
        };
        for inner in run.inside(number).into_iter().flat_map(|activation| run.steps_of(activation)) {
            findings.unless(run.steps[inner].status.is_end(), || {
                let (path, status) = (run.path(inner), run.steps[inner].status.name());
                format!("record {} ends {} while {path} is {status}", record.lsn, run.path(number))
            });
        }
    });
}

/// After its end nothing changes a run but a retry.
pub fn a_run_ends_once(case: &Case<'_>, findings: &mut Findings) {
    case.replay(|run, record| {
        findings.unless(run.ended.is_none() || matches!(record.what.as_str(), "retry" | "waive"), || {
            format!("record {} ({}) changes run {}, which has ended", record.lsn, record.what, record.run)
        });
        findings.unless(record.what != "retry" || run.ended.is_some(), || {
            format!("record {} retries run {}, which is open", record.lsn, record.run)
        });
    });
}

/// A run that succeeded has no failure that nobody handled; one that was cancelled was asked to be; and when a run ends
/// nothing in it runs.
pub fn outcomes_fit_the_steps(case: &Case<'_>, findings: &mut Findings) {
    case.replay(|run, record| {
        if record.what != "over" || run.broken {
            return;
        }
        let outcome = record.text("outcome").unwrap_or_default();
        let own = run.main().map(|main| run.steps_of(main)).unwrap_or_default();
        let failed = own.iter().any(|&number| {
            let step = &run.steps[number];
            step.status == Status::Failed && !step.handled
        });
        let all_well = own.iter().all(|&number| {
            let step = &run.steps[number];
            matches!(step.status, Status::Succeeded | Status::Skipped(false)) || step.handled
        });
        match outcome {
            "succeeded" => findings.unless(!failed && (all_well || run.finishing), || {
                format!("run {} succeeded, though not all its steps did", record.run)
            }),
            "cancelled" => {
                findings.unless(run.cancels > 0, || format!("run {} was cancelled, and nobody asked", record.run));
            }
            "failed" => findings
                .unless(!run.cancelled_in_time, || format!("run {} failed, though it was cancelled", record.run)),
            other => findings.add(format!("run {} ended as {other}", record.run)),
        }
        for number in 0..run.steps.len() {
            findings.unless(run.steps[number].status.is_end() || is_history(run, number), || {
                format!("run {} ended while {} was {}", record.run, run.path(number), run.steps[number].status.name())
            });
        }
    });
}

/// Whether a step belongs to a visit that is over.
fn is_history(run: &super::model::Run, number: usize) -> bool {
    let activation = run.steps[number].activation;
    !run.steps_of(activation).contains(&number)
        || !run.is_latest(activation)
        || run.activations[activation].owner.is_some_and(|owner| is_history(run, owner))
}

/// When nothing goes wrong any more every run comes to its end.
pub fn every_run_ends(case: &Case<'_>, findings: &mut Findings) {
    for (run, status) in &case.evidence.left_open {
        findings.add(format!("run {run} never ended: {status}"));
    }
}
