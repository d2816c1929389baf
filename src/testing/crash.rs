//! A case again and again, with the engine killed at every durable write, each before and behind what follows from it.
//!
//! In the first pass the supervisors of commands survive, and somebody looks up what became of a request that the engine
//! waited for, or its report comes late where it reached nobody: the run must go the same way as without a crash, to the same end. In the second the host is lost with all
//! that runs on it: the run must come to an end or leave a step in doubt. In both no step that must run once may begin
//! again while nobody knows how its first attempt ended.

use lockstep_engine::eval::Evaluator;
use lockstep_engine::rehearsal::{Loss, Story, Trouble};

use super::judge::broke_off;
use super::play::Prepared;

/// Durable writes, and steps that begin, of all rehearsals of one pass of a case together: a case of up to 100 writes and as
/// many steps is crashed at each of them, of a longer one so many crashes are tried as come to this, spread evenly.
const MAX_WORK: u64 = 40_000;

/// What came of the crashes of a case.
#[derive(Debug, Default)]
pub struct Crashes {
    /// How many were tried.
    pub tried: usize,
    /// How many there could have been.
    pub possible: usize,
    /// What must not be, and is.
    pub wrong: Vec<String>,
}

/// Plays both passes.
pub fn everywhere(prepared: &Prepared<'_>, evaluator: &Evaluator, whole: &Story) -> Crashes {
    let mut crashes = Crashes::default();
    // Many steps that only compute may ride along with one write.
    let work = whole.writes + whole.begun.len() as u64;
    let step = (2 * whole.writes * work).div_ceil(MAX_WORK).max(1);
    for loss in [Loss::Engine, Loss::Host] {
        for number in 0..2 * whole.writes {
            crashes.possible += 1;
            if number % step != 0 {
                continue;
            }
            let trouble = Trouble { write: number / 2 + 1, after_effects: number % 2 == 1, loss };
            let story = prepared.play(evaluator, Some(trouble));
            crashes.tried += 1;
            let wrong = match loss {
                Loss::Engine => same(whole, &story),
                Loss::Host => at_rest(&story),
            };
            crashes.wrong.extend(wrong.map(|wrong| format!("{}: {wrong}", place(trouble, whole))));
        }
    }
    crashes
}

/// Where the crash was.
fn place(trouble: Trouble, whole: &Story) -> String {
    let what = match trouble.loss {
        Loss::Engine => "the engine is killed",
        Loss::Host => "the host is lost",
    };
    let when = if trouble.after_effects { "behind what followed from it" } else { "before what followed from it" };
    format!("{what} with durable write {} of {}, {when}", trouble.write, whole.writes)
}

/// What is not as it was without a crash.
fn same(whole: &Story, story: &Story) -> Option<String> {
    if let Some(broken) = story.broken.first() {
        return Some(broken.clone());
    }
    if whole.end != story.end {
        let accepted = || "the run is not refused, as it is without a crash".to_owned();
        return Some(broke_off(&story.end).unwrap_or_else(accepted));
    }
    if whole.path() != story.path() {
        let (whole, found) = (whole.path().join(", "), story.path().join(", "));
        return Some(format!("another path\n  without [{whole}]\n  with    [{found}]"));
    }
    let (Some(before), Some(after)) = (&whole.run, &story.run) else { return None };
    if before.status != after.status {
        return Some(format!("the run is {}, not {}", after.status, before.status));
    }
    if before.outputs != after.outputs {
        let json = |outputs| serde_json::to_string(outputs).unwrap_or_default();
        return Some(format!("other outputs: {}, not {}", json(&after.outputs), json(&before.outputs)));
    }
    let statuses = |run: &lockstep_engine::api::RunView| {
        run.steps.iter().map(|step| (step.path.clone(), step.status)).collect::<Vec<_>>()
    };
    let (before, after) = (statuses(before), statuses(after));
    let differs = before.iter().zip(&after).find(|(before, after)| before != after);
    differs.map(|((path, before), (_, after))| format!("`{path}` is {}, not {}", after.name(), before.name()))
}

/// What keeps a run from being over, or in doubt.
fn at_rest(story: &Story) -> Option<String> {
    if let Some(broken) = story.broken.first() {
        return Some(broken.clone());
    }
    broke_off(&story.end)
}
