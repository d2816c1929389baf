//! Compensation: what began is undone when the run does not end well, newest first and one at a time.

use std::collections::{BTreeMap, BTreeSet};

use super::model::{Role, Run};
use super::{Case, Findings};
use crate::sim::evidence::{Record, tagged};

/// What is known of one run's undoing, beside the run.
#[derive(Default)]
struct Undoing {
    /// Steps that act and have an `undo`, in the order in which their effects began.
    began: Vec<usize>,
    /// How many attempts each step had.
    grants: BTreeMap<usize, u64>,
    /// Those whose `undo` has ended.
    over: BTreeSet<usize>,
    /// The step that is being undone.
    in_hand: Option<usize>,
    /// Blocks that undo before they are tried again.
    blocks: BTreeSet<usize>,
    /// How the run will end.
    concluded: Option<String>,
    /// Nothing more is undone.
    halted: bool,
}

/// An `undo` runs only for what began, in a run that does not end well or a block that is tried again; newest first, one at
/// a time; and when a run has failed nothing is left that should have been undone.
pub fn undone_as_promised(case: &Case<'_>, findings: &mut Findings) {
    let mut runs: BTreeMap<String, Undoing> = BTreeMap::new();
    case.replay(|run, record| {
        let known = runs.entry(record.run.clone()).or_default();
        let number = record.step().and_then(|step| usize::try_from(step).ok());
        match (record.what.as_str(), number) {
            ("go", Some(step)) => {
                let undoes = case.planned_of(run, record).is_some_and(|plan| !plan.undo.is_empty());
                *known.grants.entry(step).or_default() += 1;
                if undoes && !known.began.contains(&step) {
                    known.began.push(step);
                }
            }
            ("end", Some(step)) if never_began(record) && known.grants.get(&step) == Some(&1) => {
                known.began.retain(|began| *began != step);
            }
            ("undoing", Some(step)) => drop(known.blocks.insert(step)),
            ("wait" | "done", Some(step)) if known.blocks.remove(&step) => drop(known.over.remove(&step)),
            ("act", _) => begins(run, record, known, findings),
            ("undone", Some(step)) => {
                known.in_hand = None;
                if record.text("end") != Some("stopped") {
                    known.over.insert(step);
                }
            }
            ("undohalt", _) => known.halted = true,
            ("cancel", _) => known.halted |= known.concluded.is_some(),
            ("retry", _) => {
                let over = std::mem::take(&mut known.over);
                known.began.retain(|step| !over.contains(step));
                (known.halted, known.concluded, known.in_hand) = (false, None, None);
            }
            ("concl", _) => known.concluded = record.text("outcome").map(str::to_owned),
            ("over", _) if known.concluded.as_deref() == Some("failed") && !known.halted && !run.broken => {
                let left = known.began.iter().filter(|step| is_last(run, **step) && !known.is_over(run, **step));
                for step in left {
                    findings.add(format!("run {} failed, and {} was not undone", record.run, run.path(*step)));
                }
            }
            _ => {}
        }
    });
}

impl Undoing {
    /// Whether its own `undo` has ended, or that of a block around it, which replaces it.
    fn is_over(&self, run: &Run, step: usize) -> bool {
        self.over.contains(&step) || owners(run, step).any(|owner| has_undo(run, owner))
    }
}

fn begins(run: &Run, record: &Record, known: &mut Undoing, findings: &mut Findings) {
    let block = record.number("block").and_then(|block| usize::try_from(block).ok());
    let role = block.and_then(|block| run.definition.blocks.get(block)).map(|block| &block.role);
    let owner = record.number("owner").and_then(|owner| usize::try_from(owner).ok());
    let (Some(Role::Undo), Some(owner)) = (role, owner.filter(|owner| *owner < run.steps.len())) else { return };
    let path = run.path(owner);
    let for_block = owners(run, owner).chain([owner]).find(|step| known.blocks.contains(step));
    let may = for_block.is_some()
        || known.concluded.as_deref() == Some("failed")
        || (known.concluded.as_deref() == Some("cancelled") && run.undo_cancels > 0);
    findings.unless(may, || format!("record {} undoes {path}, and nothing asks for it", record.lsn));
    findings.unless(!known.over.contains(&owner), || format!("record {} undoes {path} again", record.lsn));
    if for_block.is_none() {
        let other = known.in_hand.replace(owner);
        findings.unless(other.is_none(), || format!("record {} undoes {path} beside another", record.lsn));
        let acts = known.began.iter().position(|step| *step == owner);
        let later = known.began.iter().skip(acts.map_or(usize::MAX, |place| place + 1));
        for later in later.filter(|step| is_last(run, **step) && !known.is_over(run, **step)) {
            findings.add(format!("record {} undoes {path} before {}, which is newer", record.lsn, run.path(*later)));
        }
    }
    let acted = known.began.contains(&owner) || !run.inside(owner).is_empty();
    findings.unless(acted, || format!("record {} undoes {path}, which never began", record.lsn));
}

/// The steps around a step, innermost first.
fn owners(run: &Run, step: usize) -> impl Iterator<Item = usize> + '_ {
    run.around(run.steps[step].activation).into_iter().filter_map(|activation| run.activations[activation].owner)
}

fn has_undo(run: &Run, step: usize) -> bool {
    let node = run.steps[step].node as u64;
    run.definition.blocks.iter().any(|block| block.owner == Some(node) && block.role == Role::Undo)
}

/// Whether a step is not of a visit that was followed by another.
fn is_last(run: &Run, step: usize) -> bool {
    run.around(run.steps[step].activation).into_iter().all(|activation| run.is_latest(activation))
}

/// Whether an attempt certainly never began.
fn never_began(record: &Record) -> bool {
    let outcome = record.body.get("outcome").cloned().and_then(tagged);
    outcome.is_some_and(|(said, detail)| {
        said == "Failed" && detail.pointer("/error/untouched").and_then(serde_json::Value::as_bool) == Some(true)
    })
}
