//! Rule: an environment variable has a name that shells can write, and none of those that the engine sets.

use crate::compile::keys::shorten;
use crate::compile::report::Report;
use crate::diagnostic::Code;
use crate::limits;
use crate::source::Spanned;

use super::Case;

const OWN: &str = "LOCKSTEP_";

/// Checks every name in an `env`, and how many there are at all steps together.
pub fn check(case: &Case, report: &mut Report) {
    amount(case, report);
    let steps = case.book.steps.iter().flat_map(|step| &step.env);
    for (name, _) in case.book.env.iter().chain(steps) {
        check_name(name, report);
    }
}

/// Rule: what a block sets holds at every step inside, so many variables at many steps take more than anybody means.
fn amount(case: &Case, report: &mut Report) {
    let mut totals: Vec<usize> = Vec::with_capacity(case.book.steps.len());
    let mut all = 0;
    for (_, step) in case.book.steps() {
        let around = case.book.holder(step.block).map_or(0, |holder| totals[holder.0 as usize]);
        let own = around + step.env.len();
        totals.push(own);
        all += own;
    }
    let largest = case.book.steps.iter().max_by_key(|step| step.env.len()).and_then(|step| step.env.first());
    if let Some((name, _)) = largest.filter(|_| all > limits::ENVIRONMENT) {
        let message = format!("the steps together have {all} environment variables, more than {}", limits::ENVIRONMENT);
        let diagnostic = report
            .at(Code::TOO_MANY_VARIABLES, name.span, message)
            .help("set variables at the steps that read them, or write them to a file");
        report.push(diagnostic);
    }
}

fn check_name(name: &Spanned<String>, report: &mut Report) {
    let text = name.value.as_str();
    let is_name = !text.starts_with(|c: char| c.is_ascii_digit())
        && !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let diagnostic = if !is_name {
        let message = format!("`{}` cannot be the name of an environment variable", shorten(text));
        report
            .at(Code::ENV_NAME, name.span, message)
            .help("it is made of letters, digits and `_`, and begins with no digit")
    } else if text.starts_with(OWN) {
        let message = format!("`{}` is set by the engine", shorten(text));
        report.at(Code::ENV_RESERVED, name.span, message).help(format!("names that begin with `{OWN}` are its own"))
    } else {
        return;
    };
    report.push(diagnostic);
}
