//! Rule: of the handlers in `catch` the first that matches handles a failure, so none may stand behind one that always
//! matches.

use crate::compile::report::Report;
use crate::diagnostic::Code;

use super::Case;

/// Checks every `catch`.
pub fn check(case: &Case, report: &mut Report) {
    for (_, step) in case.book.steps() {
        let Some(at) = step.catch.iter().position(|handler| !handler.has_when) else { continue };
        if let Some(unreachable) = step.catch.get(at + 1) {
            let diagnostic = report
                .at(Code::CATCH_UNREACHABLE, first_line(report, unreachable.span), "this handler is never reached")
                .also(first_line(report, step.catch[at].span), "this one has no `when` and handles every failure")
                .help("put the one without `when` last");
            report.push(diagnostic);
        }
    }
}

/// A span up to the end of its first line.
fn first_line(report: &Report, span: crate::source::Span) -> crate::source::Span {
    let length = report.source.slice(span).find(['\n', '\r']).unwrap_or(span.end - span.start);
    crate::source::Span::new(span.start, span.start + length)
}
