//! Rule: nothing goes on as if a person had said yes. What an approval guards does not start after a no, or after no
//! answer, whatever the runbook makes of the error.

use crate::compile::report::Report;
use crate::diagnostic::Code;
use crate::graph::{BlockId, Kind, Next, NodeId, OnError};
use crate::runbook::{Jump, JumpOrigin};

use super::Case;

/// Checks every `approve`.
pub fn check(case: &Case, report: &mut Report) {
    for (id, step) in case.book.steps() {
        let Some(Kind::Approve(_)) = step.kind else { continue };
        let goes_elsewhere = has_next(case, id, JumpOrigin::OnError);
        let on_error = step.on_error.as_ref().filter(|on_error| on_error.value != OnError::Fail && !goes_elsewhere);
        if let Some(on_error) = on_error {
            let message = "the steps behind this would run although nobody approved";
            let diagnostic = report
                .at(Code::APPROVAL_PASSED_OVER, on_error.span, message)
                .help("leave it out: a refusal fails the block, and `catch` of the block around it can handle that");
            report.push(diagnostic);
        }
        for (entry, handler) in step.catch.iter().enumerate() {
            if !has_next(case, id, JumpOrigin::Catch(entry)) && !ends(case, handler.block) {
                let message = "behind this handler the run goes on as if somebody had approved";
                let diagnostic = report
                    .at(Code::APPROVAL_CAUGHT, handler.span, message)
                    .help("end its steps with `fail: { message: … }`, or with `finish` where that is how it ends well");
                report.push(diagnostic);
            }
        }
        leads_behind(case, id, report);
    }
}

/// Whether a step goes on elsewhere by a `next` of this origin.
fn has_next(case: &Case, step: NodeId, origin: JumpOrigin) -> bool {
    case.book.jumps.iter().any(|jump| jump.step == step && jump.origin == origin)
}

/// After a no, `next` leads anywhere but to where a yes leads.
fn leads_behind(case: &Case, approval: NodeId, report: &mut Report) {
    let step = case.book.step(approval);
    let mut behind = case.book.block(step.block).steps.iter().skip_while(|id| **id != approval).skip(1);
    let Some(behind) = behind.next() else { return };
    for (jump, to) in case.book.jumps.iter().zip(&case.resolved.jumps) {
        let is_led = to.as_ref().is_some_and(|(to, _)| *to == Next::Step(*behind));
        if is_led && is_after_no(case, approval, jump) {
            let message = "with this step the run goes on as if somebody had approved";
            let diagnostic = report
                .at(Code::APPROVAL_CAUGHT, jump.to.span, message)
                .help("go on with a step that the approval does not guard, or leave out the approval");
            report.push(diagnostic);
        }
    }
}

/// Whether a `next` is followed only where an approval failed.
fn is_after_no(case: &Case, approval: NodeId, jump: &Jump) -> bool {
    if jump.step == approval {
        return matches!(jump.origin, JumpOrigin::Catch(_) | JumpOrigin::OnError);
    }
    let is_handler =
        |id| case.book.step(approval).catch.iter().any(|handler| handler.block == case.book.step(id).block);
    case.book.around(jump.step).any(is_handler)
}

/// Whether the last step of a handler always ends it.
fn ends(case: &Case, block: BlockId) -> bool {
    let Some(last) = case.book.block(block).steps.last() else { return false };
    if case.order.is_passed_over(case.book, *last) {
        return false;
    }
    let last = case.book.step(*last);
    let always = last.when.is_none() && last.disabled.is_none();
    match last.kind {
        Some(Kind::Finish { .. }) | None => always,
        Some(Kind::Fail { .. }) => always && last.on_error.is_none() && last.catch.is_empty(),
        Some(_) => false,
    }
}
