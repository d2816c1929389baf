//! Who holds what a run waits for.

use lockstep_dsl::value::Timestamp;

use crate::api::{AwaitView, Awaited, HolderView, RunView};
use crate::core::lock::{Locks, Whose};
use crate::core::run::{Look, Run};
use crate::id::RunId;
use crate::limits::MAX_NAMED_HOLDERS;

/// Puts into the view of a run who holds the keys that it and its steps wait for. `find` looks at another run, and says
/// whether nobody carries it.
pub fn name_holders<'a>(
    view: &mut RunView,
    run: &Run,
    locks: &Locks,
    find: impl Fn(RunId) -> Option<(Look<'a>, bool)>,
) {
    if !run.waits_for_key() {
        return;
    }
    let waiting: Vec<Whose> = run.claims.iter().map(|(step, _)| (run.id, step)).collect();
    for whose in waiting {
        let awaits = match whose.1 {
            None => view.queue.as_deref_mut(),
            Some(step) => {
                let path = run.path(step);
                view.steps.iter_mut().find(|view| view.path == path).and_then(|view| view.awaits.as_deref_mut())
            }
        };
        if let Some(AwaitView { what: Awaited::Lock { holders, ahead, .. } }) = awaits {
            let named = locks.holders(whose).into_iter().take(MAX_NAMED_HOLDERS);
            *holders = named.filter_map(|holder| describe(holder, locks, &find)).collect();
            *ahead = locks.ahead(whose);
        }
    }
}

fn describe<'a>(holder: Whose, locks: &Locks, find: &impl Fn(RunId) -> Option<(Look<'a>, bool)>) -> Option<HolderView> {
    let (run, interrupted) = find(holder.0)?;
    Some(HolderView {
        run: run.id,
        runbook: run.graph.runbook.clone(),
        step: holder.1.map(|step| run.path(step)),
        since: locks.claim(holder).map(|claim| Timestamp::to_string(&claim.since)).unwrap_or_default(),
        interrupted,
    })
}
