//! Rule: `parallel` is for steps that run at the same time, so it has more than one branch.

use crate::compile::report::Report;
use crate::diagnostic::Code;
use crate::graph::Kind;

use super::Case;

/// Warns of branches that are alone.
pub fn check(case: &Case, report: &mut Report) {
    for step in &case.book.steps {
        if let Some(Kind::Parallel(parallel)) = &step.kind
            && let [(branch, _)] = parallel.branches.as_slice()
        {
            let message = format!("branch `{branch}` is the only one, so nothing runs at the same time");
            report.push(report.at(Code::ONE_BRANCH, step.span, message).help("a list of steps in order is `do`"));
        }
    }
}
