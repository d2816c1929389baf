//! Rule: `until` repeats a step in its own way, every so often until it holds, and so stands without `retry`; `every` is
//! a part of it.

use crate::compile::report::Report;
use crate::diagnostic::Code;

use super::Case;

/// Checks every `until` and `every`.
pub fn check(case: &Case, report: &mut Report) {
    for (_, step) in case.book.steps() {
        if let (Some(until), Some(retry)) = (&step.until, &step.retry) {
            let diagnostic = report
                .at(Code::UNTIL_AND_RETRY, retry.span, "a step has either `until` or `retry`")
                .also(until.span, "this repeats it already, also after a failure")
                .help("leave `retry` out; the whole is limited by `timeout: { total: … }`");
            report.push(diagnostic);
        }
        if let (Some(every), None) = (&step.every, &step.until) {
            let diagnostic = report
                .at(Code::EVERY_WITHOUT_UNTIL, every.span, "`every` is the time between two rounds of `until`")
                .help("add `until: <condition>`; for the time between tries write `retry: { attempts: …, delay: … }`");
            report.push(diagnostic);
        }
    }
}
