//! Items of a `foreach`, rounds of a `repeat`.

use super::model::{Loop, Role};
use super::{Case, Findings};
use crate::sim::runbook::{Items, Kind};

/// No more items than there are, nor more at once than may; after too many failures none; and a step that ends well has
/// gone through all of them.
pub fn items_are_as_written(case: &Case<'_>, findings: &mut Findings) {
    case.replay(|run, record| {
        let (Some(step), Some(plan)) = (run.step_of(record), case.planned_of(run, record)) else { return };
        let Kind::Foreach { items, concurrency, tolerate, on_fail, .. } = &plan.kind else { return };
        let Loop { next, running, again, failed, halted, .. } = &step.looping;
        let count = items.count();
        match record.what.as_str() {
            "item" => {
                let at_once = running.len() as u64;
                findings.unless(at_once < *concurrency, || {
                    format!("record {}: an item of `{}` begins beside {at_once} others", record.lsn, plan.id)
                });
                findings.unless(*next < count || !again.is_empty(), || {
                    format!("record {}: `{}` has {count} items, and one more begins", record.lsn, plan.id)
                });
                let goes_on = !halted && (*on_fail == "late" || failed <= tolerate);
                findings.unless(goes_on, || {
                    format!("record {}: an item of `{}` begins after {failed} failed", record.lsn, plan.id)
                });
            }
            "page" => findings.unless(matches!(items, Items::File(_)), || {
                format!("record {}: `{}` runs over no file", record.lsn, plan.id)
            }),
            "done" if record.text("status") == Some("succeeded") && !run.finishing => {
                let through = *next == count && again.is_empty() && running.is_empty() && failed <= tolerate;
                findings.unless(through, || {
                    format!(
                        "record {}: `{}` ends well after {next} of {count} items, {failed} failed",
                        record.lsn, plan.id
                    )
                });
            }
            _ => {}
        }
    });
}

/// No more rounds than there may be, nor than are wanted; and a step that ends well has had all that are.
pub fn rounds_are_as_written(case: &Case<'_>, findings: &mut Findings) {
    case.replay(|run, record| {
        let owner = match record.what.as_str() {
            "act" => record.number("owner").and_then(|owner| usize::try_from(owner).ok()),
            "done" => record.step().and_then(|step| usize::try_from(step).ok()),
            _ => None,
        };
        let Some(step) = owner.and_then(|owner| run.steps.get(owner)) else { return };
        let Some(plan) = case.planned(&record.run, &run.node(step).path) else { return };
        let Kind::Repeat { rounds, max, .. } = &plan.kind else { return };
        let Loop { next, forgiven, .. } = step.looping;
        if record.what == "done" {
            let ends_well = record.text("status") == Some("succeeded") && !run.finishing;
            findings.unless(!ends_well || next == *rounds, || {
                format!("record {}: `{}` ends well after {next} of {rounds} rounds", record.lsn, plan.id)
            });
            return;
        }
        let block = record.number("block").and_then(|block| usize::try_from(block).ok());
        let role = block.and_then(|block| run.definition.blocks.get(block)).map(|block| &block.role);
        findings.unless(role != Some(&Role::Round) || (next < *rounds && next - forgiven < *max), || {
            format!("record {}: `{}` begins round {next} of {rounds}, at most {max}", record.lsn, plan.id)
        });
    });
}
