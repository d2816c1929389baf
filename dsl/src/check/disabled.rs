//! Rule: a disabled step is left out as if it were skipped, so what it would give is never there.

use crate::compile::report::Report;
use crate::compile::resolve::outputs::FIELDS;
use crate::diagnostic::Code;
use crate::graph::ExprId;

use super::Case;
use super::order::{disabled, instead_of};

/// Warns of every use of what a disabled step would give.
pub fn check(case: &Case, report: &mut Report) {
    for (_, id) in case.book.exprs.iter().zip((0u32..).map(ExprId)) {
        for read in &case.reads(id).steps {
            let Some(field) = read.field.as_deref().filter(|field| !FIELDS.contains(field)) else { continue };
            if read.guarded {
                continue;
            }
            let Some(step) = disabled(case, read.step).map(|id| case.book.step(id)) else { continue };
            let label = case.book.label(read.step);
            let message = format!("step `{label}` is disabled, so its output `{field}` is always `()`");
            let diagnostic = report
                .at(Code::DISABLED_NEEDED, read.span, message)
                .also(step.disabled.as_ref().map_or(step.span, |reason| reason.span), "the reason")
                .help(format!("say what holds meanwhile: `steps.{}.{field} ?? {}`", read.name, instead_of(field)));
            report.push(diagnostic);
        }
    }
}
