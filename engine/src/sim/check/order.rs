//! What may start, and when.

use super::model::{Role, Run, Status, Step};
use super::{Case, Findings};
use crate::sim::evidence::Record;
use crate::sim::runbook::{Kind, Next};

/// Whether a record starts something new.
fn starts(record: &Record) -> bool {
    matches!(record.what.as_str(), "begin" | "go")
}

/// A step begins only after what it needs has ended well.
pub fn needs_are_met(case: &Case<'_>, findings: &mut Findings) {
    case.replay(|run, record| {
        let asks_when = record.what == "ask" && record.text("question") == Some("when");
        if record.what != "begin" && !asks_when {
            return;
        }
        let Some(step) = run.step_of(record) else { return };
        let siblings = run.steps_of(step.activation);
        for need in &run.node(step).needs {
            let needed = siblings.iter().map(|number| &run.steps[*number]).find(|other| other.node as u64 == *need);
            findings.unless(needed.is_some_and(|needed| ended_well(run, needed)), || {
                let needed = needed.map(|needed| (run.node(needed).path.as_str(), needed.status.name()));
                format!("record {} begins {}, which needs {needed:?}", record.lsn, run.node(step).path)
            });
        }
    });
}

fn ended_well(run: &Run, step: &Step) -> bool {
    match step.status {
        Status::Succeeded | Status::Skipped(_) => true,
        Status::Failed => step.handled || run.node(step).late,
        Status::Pending
        | Status::Ready
        | Status::Running
        | Status::Waiting
        | Status::InDoubt
        | Status::Cancelled
        | Status::Undone => false,
    }
}

/// Nothing begins in a block that starts nothing more.
pub fn halted_starts_nothing(case: &Case<'_>, findings: &mut Findings) {
    case.replay(|run, record| {
        let Some(step) = run.step_of(record).filter(|_| record.what == "begin") else { return };
        let halted = run.activations[step.activation].halted.as_deref();
        findings.unless(halted.is_none(), || {
            format!("record {} begins {} in a block halted for {halted:?}", record.lsn, run.node(step).path)
        });
    });
}

/// After a cancel nothing new starts but what comes last; after a second one not even that of the run.
pub fn nothing_new_after_cancel(case: &Case<'_>, findings: &mut Findings) {
    case.replay(|run, record| {
        let Some(step) = run.step_of(record).filter(|_| run.cancels > 0 && starts(record)) else { return };
        let around = run.around(step.activation);
        let comes_last = around.iter().any(|activation| match run.block(*activation).role {
            // What became of an attempt is found out all the same.
            Role::Finally | Role::StepFinally | Role::Probe => true,
            Role::Undo => run.undo_cancels > 0,
            Role::Main | Role::OnFailure | Role::Body(_) | Role::Item | Role::Round | Role::Catch => false,
        });
        findings.unless(comes_last, || {
            format!("record {} starts {} after the run was cancelled", record.lsn, run.node(step).path)
        });
    });
}

/// Nothing begins, and nothing is tried again, while the run is paused.
pub fn paused_begins_nothing(case: &Case<'_>, findings: &mut Findings) {
    case.replay(|run, record| {
        let (Some(since), Some(step)) = (run.paused.filter(|_| starts(record)), run.step_of(record)) else { return };
        let path = &run.node(step).path;
        findings.add(format!("record {} starts {path} in a run that is paused since record {since}", record.lsn));
    });
}

/// A step is skipped for a person only when one has said so of it.
pub fn skips_were_asked_for(case: &Case<'_>, findings: &mut Findings) {
    case.replay(|run, record| {
        let is_skip = record.what == "skip" && record.text("why") == Some("person");
        let Some(step) = run.step_of(record).filter(|_| is_skip) else { return };
        findings.unless(step.waived, || {
            format!("record {} skips {}, and nobody asked for it", record.lsn, run.node(step).path)
        });
    });
}

/// A step whose condition does not hold, or that is disabled, never begins.
pub fn conditions_are_obeyed(case: &Case<'_>, findings: &mut Findings) {
    case.replay(|run, record| {
        let Some(plan) = case.planned_of(run, record) else { return };
        if record.what == "begin" {
            let path = run.step_of(record).map(|step| run.node(step).path.as_str()).unwrap_or_default();
            findings.unless(case.is_reachable(&record.run, path), || {
                format!("record {} begins {path}, in a case that does not match", record.lsn)
            });
            findings.unless(plan.when != Some(false) && !plan.disabled, || {
                format!("record {} begins `{}`, which is not to run", record.lsn, plan.id)
            });
        }
        if record.what == "skip" && record.text("why") == Some("when") {
            findings.unless(plan.when == Some(false) || matches!(plan.kind, Kind::Count), || {
                format!("record {} skips `{}`, whose condition holds", record.lsn, plan.id)
            });
        }
    });
}

/// Steps are passed over, and come to again, only where a step that ended well leads past them or back to them.
pub fn next_is_as_written(case: &Case<'_>, findings: &mut Findings) {
    case.replay(|run, record| {
        let is_passed = record.what == "skip" && record.text("why") == Some("passed");
        let Some(step) = run.step_of(record).filter(|_| is_passed || record.what == "back") else { return };
        let id = run.node(step).name.as_str();
        let siblings = run.steps_of(step.activation).into_iter().map(|number| &run.steps[number]);
        let well = siblings.filter(|other| other.status == Status::Succeeded || other.handled);
        let mut next = well.filter_map(|other| case.planned(&record.run, &run.node(other).path)?.next.as_ref());
        let leads = next.any(|next| is_passed || *next == Next::To(id.to_owned()));
        findings.unless(leads, || format!("record {} ({}): nothing leads past or to `{id}`", record.lsn, record.what));
    });
}
