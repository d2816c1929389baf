//! Rule: nothing goes on as if a person had said yes. What an approval guards does not start after a no, or after no
//! answer, whatever the runbook makes of the error.

use crate::compile::report::Report;
use crate::diagnostic::Code;
use crate::graph::{BlockId, Kind, OnError};

use super::Case;

/// Checks every `approve`.
pub fn check(case: &Case, report: &mut Report) {
    for (_, step) in case.book.steps() {
        let Some(Kind::Approve(_)) = step.kind else { continue };
        if let Some(on_error) = step.on_error.as_ref().filter(|on_error| on_error.value != OnError::Fail) {
            let message = "the steps behind this would run although nobody approved";
            let diagnostic = report
                .at(Code::APPROVAL_PASSED_OVER, on_error.span, message)
                .help("leave it out: a refusal fails the block, and `catch` of the block around it can handle that");
            report.push(diagnostic);
        }
        for handler in &step.catch {
            if !ends(case, handler.block) {
                let message = "behind this handler the run goes on as if somebody had approved";
                let diagnostic = report
                    .at(Code::APPROVAL_CAUGHT, handler.span, message)
                    .help("end its steps with `fail: { message: … }`, or with `finish` where that is how it ends well");
                report.push(diagnostic);
            }
        }
    }
}

/// Whether the last step of a handler always ends it.
fn ends(case: &Case, block: BlockId) -> bool {
    let Some(last) = case.book.block(block).steps.last() else { return false };
    let last = case.book.step(*last);
    let always = last.when.is_none() && last.disabled.is_none();
    match last.kind {
        Some(Kind::Finish { .. }) | None => always,
        Some(Kind::Fail { .. }) => always && last.on_error.is_none() && last.catch.is_empty(),
        Some(_) => false,
    }
}
