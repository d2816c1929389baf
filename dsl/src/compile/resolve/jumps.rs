//! Where each `next` goes on: a step of the same block or of one around it, or what `end`, `continue` and `break` mean.

use crate::diagnostic::{Code, suggest};
use crate::graph::{BlockId, Next, NodeId, Role};
use crate::runbook::{Jump, Runbook};

use super::super::keys::shorten;
use super::super::report::Report;

/// Per `next` where it goes on, and the block in which that is; `None` where that is an error.
pub fn resolve(book: &Runbook, report: &mut Report) -> Vec<Option<(Next, BlockId)>> {
    book.jumps.iter().map(|jump| one(book, jump, report)).collect()
}

/// A block around a step: what must be left to go on in it.
struct Around {
    block: BlockId,
    /// What stands in the way, if anything does.
    barrier: Option<&'static str>,
    /// Whether a block up to here orders its steps by `needs`.
    has_needs: bool,
}

fn one(book: &Runbook, jump: &Jump, report: &mut Report) -> Option<(Next, BlockId)> {
    let around = around(book, jump.step);
    let name = jump.to.value.as_str();
    let (next, place) = match name {
        "end" => (Next::End, around.first()?),
        "continue" | "break" => {
            let is_loop = |around: &&Around| matches!(book.block(around.block).role, Role::Item | Role::Round);
            let Some(body) = around.iter().find(is_loop) else {
                let message = format!("`{name}` is for the body of a loop, and there is none around this step");
                let diagnostic = report.at(Code::NEXT_WITHOUT_LOOP, jump.to.span, message);
                report.push(diagnostic.help("to end the steps of this block write `next: end`"));
                return None;
            };
            (if name == "continue" { Next::Continue } else { Next::Break }, body)
        }
        _ => {
            let found = around.iter().find_map(|around| Some((book.find(around.block, name)?, around)));
            let Some((step, place)) = found else {
                unknown(book, jump, &around, report);
                return None;
            };
            (Next::Step(step), place)
        }
    };
    if let Some(barrier) = place.barrier {
        let message = format!("`next: {}` would leave {barrier}", shorten(name));
        let diagnostic = report.at(Code::NEXT_OUT_OF_REACH, jump.to.span, message);
        report.push(diagnostic.help("end the steps here with `next: end`, and go on behind what holds them"));
        return None;
    }
    if place.has_needs {
        let message = "`next` needs an order of steps, and a block here has one of its own by `needs`";
        let diagnostic = report.at(Code::NEXT_WITH_NEEDS, jump.to.span, message);
        report.push(diagnostic.help("leave steps out with `when`, or put those that need each other into a `do`"));
        return None;
    }
    Some((next, place.block))
}

/// The blocks around a step, innermost first.
fn around(book: &Runbook, step: NodeId) -> Vec<Around> {
    let (mut barrier, mut has_needs) = (None, false);
    let mut found = Vec::new();
    for id in book.around(step) {
        let block = book.step(id).block;
        has_needs |= book.block(block).steps.iter().any(|step| book.step(*step).needs.is_some());
        found.push(Around { block, barrier, has_needs });
        barrier = barrier.or(match &book.block(block).role {
            Role::Branch(_) => Some("a branch while others run"),
            Role::Item | Role::Round => Some("the body of a loop; `next: break` ends the loop"),
            Role::StepFinally => Some("a `finally`"),
            Role::Undo => Some("an `undo`"),
            Role::Probe => Some("a `probe`"),
            Role::Main | Role::OnFailure | Role::Finally | Role::Do | Role::Case(_) | Role::Catch(_) => None,
        });
    }
    found
}

fn unknown(book: &Runbook, jump: &Jump, around: &[Around], report: &mut Report) {
    let name = jump.to.value.as_str();
    let shown = shorten(name);
    let elsewhere = book.steps.iter().find_map(|step| step.id.as_ref().filter(|id| id.value == name));
    if let Some(id) = elsewhere {
        let message = format!("step `{shown}` stands in another block, into which nothing can go on");
        let diagnostic = report.at(Code::NEXT_OUT_OF_REACH, jump.to.span, message).also(id.span, "it stands here");
        report.push(diagnostic.help("`next` names a step of the same block, or of one around it"));
        return;
    }
    let ids = around.iter().flat_map(|around| &book.block(around.block).steps);
    let ids = ids.filter_map(|id| book.step(*id).id.as_ref()).map(|id| id.value.as_str());
    let near = suggest(name, ids.chain(["end", "continue", "break"]));
    let diagnostic = report.at(Code::NEXT_UNKNOWN, jump.to.span, format!("there is no step `{shown}` to go on with"));
    report.push(match near {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None => diagnostic.help("`next` names a step by its `id`, or is `end`"),
    });
}
