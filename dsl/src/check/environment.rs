//! Rule: an environment variable has a name that shells can write, and none of those that the engine sets.

use crate::compile::keys::shorten;
use crate::compile::report::Report;
use crate::diagnostic::Code;
use crate::source::Spanned;

use super::Case;

const OWN: &str = "LOCKSTEP_";

/// Checks every name in an `env`.
pub fn check(case: &Case, report: &mut Report) {
    let steps = case.book.steps.iter().flat_map(|step| &step.env);
    for (name, _) in case.book.env.iter().chain(steps) {
        check_name(name, report);
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
