//! Time: waits, delays, limits.

use super::model::{Role, Run, Status};
use super::{Case, Findings};
use crate::sim::evidence::Record;
use crate::sim::runbook::{Kind, Retry};

/// A step that waits goes on when its time has come and not before, unless it is stopped.
pub fn never_early(case: &Case<'_>, findings: &mut Findings) {
    case.replay(|run, record| {
        let Some(step) = run.step_of(record).filter(|step| step.status == Status::Waiting) else { return };
        let until = step.until.unwrap_or(0);
        let stopped = match record.what.as_str() {
            "res" => record.body.get("result").is_some_and(|result| result.get("ok").is_none()),
            "ask" => !matches!(record.text("question"), Some("input" | "while")),
            "done" | "skip" | "waive" => true,
            "act" => !matches!(run_role(run, record), Some(Role::Body(_) | Role::Round)),
            _ => false,
        };
        findings.unless(stopped || record.time >= until, || {
            format!("record {} ends a wait at {} that lasts until {until}", record.lsn, record.time)
        });
    });
}

fn run_role<'a>(run: &'a Run, record: &Record) -> Option<&'a Role> {
    let block = usize::try_from(record.number("block")?).ok()?;
    run.definition.blocks.get(block).map(|block| &block.role)
}

/// A `wait` lasts as long as is written, and so does the pause between two rounds of `until`.
pub fn waits_are_as_written(case: &Case<'_>, findings: &mut Findings) {
    case.replay(|run, record| {
        let Some(plan) = case.planned_of(run, record).filter(|_| record.what == "wait") else { return };
        let length = record.number("until").unwrap_or(0).saturating_sub(record.time);
        let written = match (record.text("why"), &plan.kind) {
            (Some("wait"), Kind::WaitFor(ms) | Kind::WaitUntil(ms)) => Some(*ms),
            (Some("until"), _) => plan.until,
            (Some("round"), Kind::Repeat { every, .. }) => *every,
            (Some("retry"), _) => return,
            _ => None,
        };
        findings.unless(written == Some(length), || {
            format!("record {} waits {length} ms, written is {written:?}", record.lsn)
        });
    });
}

/// A failed step is tried again as often as is written, after the delays that are written.
pub fn retries_are_as_written(case: &Case<'_>, findings: &mut Findings) {
    case.replay(|run, record| {
        if record.what != "wait" || record.text("why") != Some("retry") {
            return;
        }
        let (Some(step), Some(plan)) = (run.step_of(record), case.planned_of(run, record)) else { return };
        let Some(retry) = &plan.retry else {
            findings.add(format!("record {} tries `{}` again, which has no retry", record.lsn, plan.id));
            return;
        };
        let try_number = step.retries + 1;
        findings.unless(try_number < retry.attempts, || {
            format!("record {}: `{}` has {} tries", record.lsn, plan.id, retry.attempts)
        });
        let length = record.number("until").unwrap_or(0).saturating_sub(record.time);
        let longest = delay(retry, try_number);
        let fits = if retry.jitter { length <= longest } else { length == longest };
        findings.unless(fits, || format!("record {} waits {length} ms before a try, not {longest}", record.lsn));
    });
}

/// Milliseconds after so many failed tries.
fn delay(retry: &Retry, tries: u64) -> u64 {
    let mut delay = retry.delay;
    for _ in 1..tries {
        delay = delay.saturating_mul(retry.factor).min(retry.max_delay);
    }
    delay.min(retry.max_delay)
}

/// An attempt is stopped for its time only when that is over.
pub fn limits_of_time(case: &Case<'_>, findings: &mut Findings) {
    case.replay(|run, record| {
        if record.what != "stop" || record.text("cause") != Some("timeout") {
            return;
        }
        let (Some(step), Some(plan)) = (run.step_of(record), case.planned_of(run, record)) else { return };
        let limit = plan.attempt.unwrap_or(HOUR);
        findings.unless(record.time >= step.granted + limit, || {
            format!("record {} stops `{}` after {} ms", record.lsn, plan.id, record.time - step.granted)
        });
    });
}

/// An attempt that takes longer than it may is asked to stop, as soon as an engine is there to do so: what ends later
/// than its limit was asked to, or its run was not looked after then.
pub fn limits_are_kept(case: &Case<'_>, findings: &mut Findings) {
    case.replay(|run, record| {
        let (Some(step), Some(plan)) = (run.step_of(record), case.planned_of(run, record)) else { return };
        if record.what != "end" || step.stopping.is_some() || step.status != Status::Running || plan.is_block() {
            return;
        }
        let Some(limit) = plan.attempt else { return };
        let late = record.time.saturating_sub(step.granted) > limit + SLACK;
        let attended = case.evidence.openings.len() == 1 && case.evidence.troubles == 0;
        findings.unless(!late || !attended, || {
            format!("record {} ends an attempt of `{}` after more than {limit} ms", record.lsn, plan.id)
        });
    });
}

/// Milliseconds between the end of an attempt and its report at most, where nothing goes wrong.
const SLACK: u64 = 10;

/// For an attempt of a step that says nothing else.
const HOUR: u64 = 3_600_000;
