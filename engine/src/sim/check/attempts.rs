//! Grants, tokens and reports in the journal.

use std::collections::{BTreeMap, BTreeSet};

use super::model::{Run, Status, Step};
use super::{Case, Findings};
use crate::sim::evidence::{Record, tagged};

/// Tokens of a run strictly grow, across crashes too.
pub fn tokens_grow(case: &Case<'_>, findings: &mut Findings) {
    let mut last: BTreeMap<&str, u64> = BTreeMap::new();
    for record in case.evidence.journal.iter().filter(|record| record.what == "go") {
        let token = record.number("token").unwrap_or(0);
        let before = last.insert(&record.run, token).unwrap_or(0);
        findings.unless(token > before, || format!("record {} grants token {token} after {before}", record.lsn));
    }
}

/// A report that is taken is of the step's current token, and a definite one is taken once.
pub fn reports_are_of_the_current_token(case: &Case<'_>, findings: &mut Findings) {
    let mut definite = BTreeSet::new();
    case.replay(|run, record| {
        if record.what != "end" {
            return;
        }
        let token = record.number("token");
        let step = run.step_of(record);
        let current = step.and_then(|step| step.token);
        findings.unless(token.is_some() && token == current, || {
            format!("record {} takes a report of token {token:?}, the current one is {current:?}", record.lsn)
        });
        let runs = step.is_some_and(|step| matches!(step.status, Status::Running | Status::InDoubt));
        findings.unless(runs, || format!("record {} takes a report of a step that does not run", record.lsn));
        let said = record.body.get("outcome").cloned().and_then(tagged).map(|(name, _)| name);
        if said.as_deref() != Some("Unknown") {
            findings.unless(definite.insert((record.run.clone(), token)), || {
                format!("record {} ends token {token:?} again", record.lsn)
            });
        }
    });
}

/// An attempt that begins has the number of those that definitely ended, and one.
pub fn attempts_are_counted(case: &Case<'_>, findings: &mut Findings) {
    let mut numbers: BTreeMap<(String, u64), u64> = BTreeMap::new();
    case.replay(|run, record| {
        if let ("go", Some(step), Some(token)) = (record.what.as_str(), run.step_of(record), record.number("token")) {
            numbers.insert((record.run.clone(), token), step.ends + 1);
        }
    });
    for seen in &case.evidence.witness {
        let number = numbers.get(&seen.attempt).copied();
        findings.unless(number.is_none_or(|number| number == seen.number), || {
            format!("{} ran as attempt {}, it was number {number:?}", seen.path, seen.number)
        });
    }
}

/// A step is tried again because the try before came to an end, and never while it runs.
pub fn a_new_attempt_has_a_reason(case: &Case<'_>, findings: &mut Findings) {
    let mut lost: BTreeMap<(String, u64), u64> = BTreeMap::new();
    case.replay(|run, record| {
        if record.what == "retry" {
            lost.retain(|(id, _), _| *id != record.run);
        }
        let Some(step) = run.step_of(record) else { return };
        let name = (record.run.clone(), record.step().unwrap_or(0));
        match record.what.as_str() {
            "go" => grant(run, record, step, findings),
            "end" => {
                let said = record.body.get("outcome").cloned().and_then(tagged).map(|(name, _)| name);
                let count = lost.entry(name).or_default();
                *count = if said.as_deref() == Some("Unknown") { *count + 1 } else { 0 };
                // Three repeats are allowed: the first try and these make four.
                findings.unless(*count <= 4, || format!("record {}: {count} unknown outcomes in a row", record.lsn));
            }
            "solve" | "wait" => drop(lost.remove(&name)),
            _ => {}
        }
    });
}

fn grant(run: &Run, record: &Record, step: &Step, findings: &mut Findings) {
    let over = step.token.is_none() || step.outcome.is_some() || step.resolved.is_some() || step.reopened;
    let path = &run.node(step).path;
    findings.unless(over, || format!("record {} grants {path} again while it runs", record.lsn));
    let well = step.outcome.as_deref() == Some("succeeded") && !step.reopened;
    let another_round = step.until.is_some();
    findings.unless(!well || another_round, || format!("record {} tries {path} again, which succeeded", record.lsn));
}
