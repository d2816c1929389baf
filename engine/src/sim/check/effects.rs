//! What happened in the world, by the witness, against what the journal allowed.

use std::collections::{BTreeMap, BTreeSet};

use super::{Case, Findings};
use crate::sim::evidence::{AttemptId, Happened, Witnessed, tagged};
use crate::sim::runbook::Effect;

fn begins<'a>(case: &Case<'a>) -> impl Iterator<Item = &'a Witnessed> {
    case.evidence.witness.iter().filter(|seen| seen.what == Happened::Began)
}

/// The records that grant attempts, by run and token.
fn grants(case: &Case<'_>) -> BTreeMap<AttemptId, u64> {
    let grants = case.evidence.journal.iter().filter(|record| record.what == "go");
    grants.filter_map(|record| Some(((record.run.clone(), record.number("token")?), record.lsn))).collect()
}

/// What begins in the world was granted in a record that was durable before.
pub fn intent_before_effect(case: &Case<'_>, findings: &mut Findings) {
    let grants = grants(case);
    for seen in begins(case) {
        let granted = grants.get(&seen.attempt).is_some_and(|lsn| *lsn <= seen.durable);
        findings.unless(granted, || format!("{} began with token {}, not granted", seen.path, seen.attempt.1));
    }
}

/// A token begins once, and an engine is given an attempt once.
pub fn one_begin_for_a_token(case: &Case<'_>, findings: &mut Findings) {
    let mut begun = BTreeSet::new();
    for seen in begins(case) {
        findings.unless(begun.insert(&seen.attempt), || {
            format!("{} began twice with token {} of run {}", seen.path, seen.attempt.1, seen.attempt.0)
        });
    }
    for (run, token) in &case.evidence.granted_twice {
        findings.add(format!("an engine was given token {token} of run {run} twice"));
    }
}

/// An attempt begins only when the one before it is known to be over.
pub fn attempts_never_overlap(case: &Case<'_>, findings: &mut Findings) {
    let mut running: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for seen in &case.evidence.witness {
        let step = (seen.attempt.0.as_str(), seen.path.as_str());
        if seen.what == Happened::Began {
            if let Some(token) = running.insert(step, seen.attempt.1) {
                findings.add(format!("{} began with token {} while {token} ran", seen.path, seen.attempt.1));
            }
        } else if running.get(&step) == Some(&seen.attempt.1) {
            running.remove(&step);
        }
    }
}

/// A step that must run once begins again only when the attempt before certainly ended, its probe found that it took no
/// effect, or a person said so.
pub fn once_begins_once(case: &Case<'_>, findings: &mut Findings) {
    let mut allowed: BTreeMap<(String, u64), bool> = BTreeMap::new();
    case.replay(|run, record| {
        let Some(step) = run.step_of(record) else { return };
        if record.what != "go" || case.planned_of(run, record).is_none_or(|plan| plan.effective() != Effect::Once) {
            return;
        }
        let certain = matches!(step.outcome.as_deref(), Some("succeeded" | "failed"));
        let asked = step.resolved.as_deref() == Some("rerun") || step.reopened;
        let took_none = step.probed == Some(false);
        let may = step.token.is_none() || certain || asked || took_none;
        allowed.insert((record.run.clone(), record.number("token").unwrap_or(0)), may);
        findings.unless(may, || {
            format!("record {} runs {} again, whose outcome is unknown", record.lsn, run.node(step).path)
        });
    });
    for seen in begins(case) {
        if allowed.get(&seen.attempt) == Some(&false) {
            findings.add(format!("{} began again with token {}", seen.path, seen.attempt.1));
        }
    }
}

/// Attempts of one visit have one key, which no other step has.
pub fn keys_are_stable(case: &Case<'_>, findings: &mut Findings) {
    let mut owners: BTreeMap<&str, (&str, &str)> = BTreeMap::new();
    for seen in begins(case) {
        let owner = (seen.attempt.0.as_str(), seen.path.as_str());
        let first = *owners.entry(seen.key.as_str()).or_insert(owner);
        findings.unless(first == owner, || format!("key {} is of {first:?} and of {owner:?}", seen.key));
        // Nothing stands behind run and step but the number of a round of `until`.
        let behind = seen.key.strip_prefix(&format!("{}/{}", seen.attempt.0, seen.path));
        let names_it = behind.is_some_and(|behind| behind.is_empty() || behind.starts_with('@'));
        findings.unless(names_it, || format!("key {} does not name run and step {}", seen.key, seen.path));
        let rounds = seen.key.contains('@');
        let case_has_until =
            case.planned(&seen.attempt.0, &static_path(&seen.path)).is_none_or(|plan| plan.until.is_some());
        findings.unless(!rounds || case_has_until, || format!("key {} changes without a new round", seen.key));
    }
}

/// The path in the file of a path in a run.
fn static_path(path: &str) -> String {
    let parts = path.split('/').map(|part| part.split(['~', '[']).next().unwrap_or(part));
    parts.collect::<Vec<_>>().join("/")
}

/// An attempt is journaled as it ended in the world, and as unknown only when nobody could be told.
pub fn reports_say_what_happened(case: &Case<'_>, findings: &mut Findings) {
    let mut ends: BTreeMap<&AttemptId, Happened> = BTreeMap::new();
    for seen in case.evidence.witness.iter().filter(|seen| seen.what != Happened::Began) {
        ends.insert(&seen.attempt, seen.what);
    }
    let began: BTreeSet<&AttemptId> = begins(case).map(|seen| &seen.attempt).collect();
    for record in case.evidence.journal.iter().filter(|record| record.what == "end") {
        let attempt = (record.run.clone(), record.number("token").unwrap_or(0));
        let Some((said, detail)) = record.body.get("outcome").cloned().and_then(tagged) else {
            findings.add(format!("record {} has no outcome", record.lsn));
            continue;
        };
        let true_end = ends.get(&attempt).copied();
        let fits = match said.as_str() {
            "Succeeded" => true_end == Some(Happened::Succeeded),
            "Failed" => {
                let not_begun = detail.pointer("/error/kind").and_then(serde_json::Value::as_str) == Some("cancelled");
                true_end == Some(Happened::Failed) || (not_begun && !began.contains(&attempt))
            }
            // Also an end that was written down and lost with the power.
            _ => true,
        };
        findings
            .unless(fits, || format!("record {} says {said} of token {}, which {true_end:?}", record.lsn, attempt.1));
    }
}

/// When all is over, no command runs and none waits to.
pub fn nothing_is_left_running(case: &Case<'_>, findings: &mut Findings) {
    for (run, token) in &case.evidence.left_alive {
        findings.add(format!("token {token} of run {run} was left to itself"));
    }
}

/// The folder of an attempt is given up only when its end is durable, or it is not the current one.
pub fn folders_are_kept(case: &Case<'_>, findings: &mut Findings) {
    for ((run, token), durable) in &case.evidence.forgotten {
        let records = case.runs.get(run.as_str()).map(Vec::as_slice).unwrap_or_default();
        let known = records.iter().filter(|record| record.lsn <= *durable);
        let ended = known.clone().any(|record| record.what == "end" && record.number("token") == Some(*token));
        findings.unless(ended, || format!("the folder of token {token} of run {run} went before its end was durable"));
    }
}
