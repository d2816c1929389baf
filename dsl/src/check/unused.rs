//! Rule: what is declared is used. A parameter or variable that nothing reads is most likely misspelt where it is meant.

use std::collections::BTreeSet;

use crate::compile::report::Report;
use crate::diagnostic::Code;
use crate::graph::Kind;

use super::Case;

/// Warns of parameters and variables that nothing reads.
pub fn check(case: &Case, report: &mut Report) {
    // What is wrong elsewhere may be what uses them.
    if report.has_errors() {
        return;
    }
    let accesses =
        case.book.exprs.iter().filter_map(|expr| expr.analysis.as_ref()).flat_map(|analysis| &analysis.accesses);
    // A namespace that is used as a whole uses all that is in it.
    let read: BTreeSet<(&str, Option<&str>)> = accesses
        .map(|access| (access.root.as_str(), access.path.first().map(|segment| segment.name.as_str())))
        .collect();
    let is_read = |root: &str, name: &str| read.contains(&(root, Some(name))) || read.contains(&(root, None));
    for param in &case.book.params {
        if !is_read("params", &param.value.name) {
            let message = format!("nothing reads the parameter `{}`", param.value.name);
            let help = format!("read it as `params.{}`, or leave it out", param.value.name);
            report.push(report.at(Code::UNUSED_PARAM, param.span, message).help(help));
        }
    }
    for step in &case.book.steps {
        let Some(Kind::Set(variables)) = &step.kind else { continue };
        for (name, _) in variables {
            if !is_read("vars", name) {
                let message = format!("nothing reads the variable `{name}`");
                let help = format!("read it as `vars.{name}`, or leave it out");
                report.push(report.at(Code::UNUSED_VARIABLE, step.span, message).help(help));
            }
        }
    }
}
