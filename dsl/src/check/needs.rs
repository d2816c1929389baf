//! Rule: needs never run in a circle, or none of the steps in it could ever start.

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
        .help(format!("the circle is {}", names.join(" → ")));
    for (id, needed) in cycle.iter().zip(names.iter().skip(1)).skip(1) {
        diagnostic = diagnostic.also(place(*id), format!("needs `{needed}`"));
    }
    diagnostic = diagnostic.label(format!("needs `{}`", names[1]));
    if first.needs.is_none() || cycle.iter().any(|id| case.book.step(*id).needs.is_none()) {
        diagnostic =
            diagnostic.help("a step without `needs` needs the step before it; `needs: []` starts with its block");
    }
    report.push(diagnostic);
}

/// The steps of a circle, each followed by one that it needs, beginning with the one that stands first in the file.
fn find_cycle(case: &Case, steps: &[NodeId]) -> Option<Vec<NodeId>> {
    let needs = |id: NodeId| case.resolved.needs[id.0 as usize].as_slice();
    // What has no needs is on no circle, and neither is what needs only such steps.
    let mut left: Vec<NodeId> = steps.to_vec();
    loop {
        let before = left.len();
        let current = left.clone();
        left.retain(|id| needs(*id).iter().any(|need| current.contains(need)));
        if left.len() == before {
            break;
        }
    }
    // Every step that is left needs another that is left, so following them comes round.
    let mut walked = vec![*left.first()?];
    loop {
        let next = *needs(*walked.last()?).iter().find(|need| left.contains(need))?;
        if let Some(at) = walked.iter().position(|id| *id == next) {
            let mut cycle = walked.split_off(at);
            let first = cycle.iter().enumerate().min_by_key(|(_, id)| **id).map_or(0, |(at, _)| at);
            cycle.rotate_left(first);
            return Some(cycle);
        }
        walked.push(next);
    }
}
