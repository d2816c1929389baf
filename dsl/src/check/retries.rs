//! Rule: of several `retry` rules the first that matches is for a failure, so none may stand behind one that always
//! matches.

use crate::compile::report::Report;
use crate::diagnostic::Code;

use super::Case;

/// Checks every list of rules.
pub fn check(case: &Case, report: &mut Report) {
    for retry in case.book.steps.iter().filter_map(|step| step.retry.as_ref()) {
        let open = retry.value.iter().position(|rule| rule.when.is_none());
        if open.is_some_and(|at| at + 1 < retry.value.len()) {
            let message = "a rule of this `retry` stands behind one without `when`, and is never looked at";
            report
                .push(report.at(Code::RETRY_UNREACHABLE, retry.span, message).help("put the one without `when` last"));
        }
    }
}
