//! Rule: a condition decides something. One that never changes, or that compares a bool with `true`, says it in a
//! roundabout way.

use crate::compile::report::Report;
use crate::diagnostic::Code;
use crate::runbook::{Expression, Place};

use super::Case;

/// Checks every condition.
pub fn check(case: &Case, report: &mut Report) {
    for expr in case.book.exprs.iter().filter(|expr| expr.place.is_condition()) {
        constant(expr, report);
        compared(expr, report);
    }
}

fn constant(expr: &Expression, report: &mut Report) {
    let value = expr.source.trim();
    if !matches!(value, "true" | "false") {
        return;
    }
    let help = match (expr.place, value) {
        (Place::When, "false") => "to leave a step out say why: `disabled: <reason>`",
        (Place::Until, "false") => "it repeats until its time is over",
        (Place::That, "false") => "to fail in any case write a `fail` step",
        _ => "leave it out",
    };
    let message = format!("{} is always {value}", expr.place.name());
    report.push(report.at(Code::CONSTANT_CONDITION, expr.span(), message).help(help));
}

fn compared(expr: &Expression, report: &mut Report) {
    let Some((start, end, help)) = find_comparison(&expr.source) else { return };
    let diagnostic = report
        .at(Code::COMPARED_WITH_BOOL, expr.locate(start, end), "a comparison with `true` or `false` changes nothing")
        .help(help);
    report.push(diagnostic);
}

/// The first comparison with a bool outside of quotes.
fn find_comparison(source: &str) -> Option<(usize, usize, &'static str)> {
    for (at, operator) in source.match_indices("==").chain(source.match_indices("!=")) {
        let before = &source[..at];
        if ['"', '\'', '`'].iter().any(|quote| before.matches(*quote).count() % 2 == 1) {
            continue;
        }
        let rest = source[at + 2..].trim_start();
        let skipped = source.len() - at - 2 - rest.len();
        for word in ["true", "false"] {
            let is_word = rest
                .strip_prefix(word)
                .is_some_and(|after| !after.starts_with(|c: char| c.is_alphanumeric() || c == '_'));
            if is_word {
                let keeps = (operator == "==") == (word == "true");
                let help = if keeps { "write the bool alone" } else { "write `!` before the bool" };
                return Some((at, at + 2 + skipped + word.len(), help));
            }
        }
    }
    None
}
