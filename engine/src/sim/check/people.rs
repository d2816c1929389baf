//! What people say: who waits goes on when somebody has said so, and not otherwise.

use std::collections::{BTreeMap, BTreeSet};

use super::{Case, Findings};
use crate::sim::runbook::Kind;

/// What was said to a step since it began to wait.
#[derive(Default)]
struct Said {
    yes: BTreeSet<String>,
    no: bool,
    taken: bool,
    filled: bool,
}

/// A step that waits for people ends well only after so many of them have approved and none refused, one that waits for a
/// signal after it took one, one that asks after it was answered.
pub fn who_waits_is_told(case: &Case<'_>, findings: &mut Findings) {
    let mut said: BTreeMap<(String, u64), Said> = BTreeMap::new();
    case.replay(|run, record| {
        let Some(number) = record.step() else { return };
        let said = said.entry((record.run.clone(), number)).or_default();
        match record.what.as_str() {
            "await" => *said = Said::default(),
            "vote" if record.body.get("yes").and_then(serde_json::Value::as_bool) == Some(true) => {
                let by = record.text("by").unwrap_or_default().to_owned();
                findings.unless(said.yes.insert(by.clone()), || format!("record {}: {by} approves again", record.lsn));
            }
            "vote" => said.no = true,
            "take" => said.taken = true,
            "fill" => said.filled = true,
            "done" if record.text("status") == Some("succeeded") => {
                let Some(plan) = case.planned_of(run, record) else { return };
                let approved = said.yes.len() as u64;
                let holds = match plan.kind {
                    Kind::Approve(quorum) => approved >= quorum && !said.no,
                    Kind::Await => said.taken,
                    Kind::Ask => said.filled,
                    _ => true,
                };
                findings.unless(holds, || {
                    format!("record {} ends `{}` well, {approved} approved, refused: {}", record.lsn, plan.id, said.no)
                });
            }
            _ => {}
        }
    });
}

/// A signal is taken by one step, and none is taken that nobody sent.
pub fn signals_are_taken_once(case: &Case<'_>, findings: &mut Findings) {
    for records in case.runs.values() {
        let mut kept = 0_u64;
        for record in records {
            match record.what.as_str() {
                "signal" => kept += 1,
                "take" if kept == 0 => findings.add(format!("record {} takes a signal that nobody sent", record.lsn)),
                "take" => kept -= 1,
                _ => {}
            }
        }
    }
}
