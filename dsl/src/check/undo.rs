//! Rule: `undo` takes back what a step did when the run fails after it, or when a block around it begins again. Where
//! neither can happen any more it would never run.

use crate::compile::report::Report;
use crate::diagnostic::Code;
use crate::graph::Role;

use super::Case;

/// Checks every `undo`.
pub fn check(case: &Case, report: &mut Report) {
    let book = case.book;
    for (id, step) in book.steps() {
        let Some(undo) = &step.undo else { continue };
        let too_late = book.around(id).find_map(|around| match &book.block(book.step(around).block).role {
            Role::Undo => Some("an `undo`"),
            Role::OnFailure => Some("`on_failure`"),
            Role::Finally => Some("the runbook's `finally`"),
            Role::Main
            | Role::Do
            | Role::Branch(_)
            | Role::Case(_)
            | Role::Round
            | Role::Item
            | Role::Catch(_)
            | Role::StepFinally
            | Role::Probe => None,
        });
        if let Some(place) = too_late {
            let message = format!("in {place} nothing is undone any more, so this never runs");
            report.push(
                report
                    .at(Code::UNDO_TOO_LATE, undo.span, message)
                    .help("handle its failure in a `catch`, or leave it out"),
            );
        }
    }
}
