//! Rule: needs never run in a circle, or none of the steps in it could ever start.

use std::collections::{BTreeMap, BTreeSet};

use crate::compile::report::Report;
use crate::diagnostic::Code;
use crate::graph::{BlockId, NodeId};

use super::Case;

/// Reports one circle of every block that has any.
pub fn check(case: &Case, report: &mut Report) {
    for (block, id) in case.book.blocks.iter().zip((0u32..).map(BlockId)) {
        if case.order.has_cycle(id)
            && let Some(cycle) = find_cycle(case, &block.steps)
        {
            tell(case, &cycle, report);
        }
    }
}

fn tell(case: &Case, cycle: &[NodeId], report: &mut Report) {
    let names: Vec<String> = cycle.iter().chain(cycle.first()).map(|id| case.book.label(*id)).collect();
    let first = case.book.step(cycle[0]);
    let place = |id: NodeId| {
        let step = case.book.step(id);
        step.id.as_ref().map_or(step.span, |id| id.span)
    };
    let mut diagnostic = report
        .at(Code::NEEDS_CYCLE, place(cycle[0]), "these steps need each other, so none of them can start")
        .help(format!("the circle is {}", shown(&names)));
    for (id, needed) in cycle.iter().zip(names.iter().skip(1)).take(SHOWN).skip(1) {
        diagnostic = diagnostic.also(place(*id), format!("needs `{needed}`"));
    }
    diagnostic = diagnostic.label(format!("needs `{}`", names[1]));
    if first.needs.is_none() || cycle.iter().any(|id| case.book.step(*id).needs.is_none()) {
        diagnostic =
            diagnostic.help("a step without `needs` needs the step before it; `needs: []` starts with its block");
    }
    report.push(diagnostic);
}

/// Steps of a circle that are shown; a longer one is cut in the middle.
const SHOWN: usize = 10;

fn shown(names: &[String]) -> String {
    match names {
        [first @ .., last] if names.len() > SHOWN => format!("{} → … → {last}", first[..SHOWN].join(" → ")),
        _ => names.join(" → "),
    }
}

/// The steps of a circle, each followed by one that it needs, beginning with the one that stands first in the file.
fn find_cycle(case: &Case, steps: &[NodeId]) -> Option<Vec<NodeId>> {
    let needs = |id: NodeId| case.resolved.needs[id.0 as usize].as_slice();
    let left = on_or_behind_cycles(steps, needs);
    // Every step that is left needs another that is left, so following them comes round.
    let mut walked = vec![*left.first()?];
    let mut places: BTreeMap<NodeId, usize> = walked.iter().map(|id| (*id, 0)).collect();
    loop {
        let next = *needs(*walked.last()?).iter().find(|need| left.contains(need))?;
        if let Some(at) = places.insert(next, walked.len()) {
            let mut cycle = walked.split_off(at);
            let first = cycle.iter().enumerate().min_by_key(|(_, id)| **id).map_or(0, |(at, _)| at);
            cycle.rotate_left(first);
            return Some(cycle);
        }
        walked.push(next);
    }
}

/// The steps that can never start. What needs nothing is none of them, nor is what needs only steps that can start.
fn on_or_behind_cycles<'a>(steps: &[NodeId], needs: impl Fn(NodeId) -> &'a [NodeId]) -> BTreeSet<NodeId> {
    let mut missing: BTreeMap<NodeId, usize> = steps.iter().map(|id| (*id, needs(*id).len())).collect();
    let mut followers: BTreeMap<NodeId, Vec<NodeId>> = BTreeMap::new();
    for id in steps {
        for need in needs(*id) {
            followers.entry(*need).or_default().push(*id);
        }
    }
    let mut can_start: Vec<NodeId> = steps.iter().copied().filter(|id| needs(*id).is_empty()).collect();
    while let Some(id) = can_start.pop() {
        missing.remove(&id);
        for follower in followers.get(&id).into_iter().flatten() {
            if let Some(count) = missing.get_mut(follower) {
                *count -= 1;
                if *count == 0 {
                    can_start.push(*follower);
                }
            }
        }
    }
    missing.into_keys().collect()
}
