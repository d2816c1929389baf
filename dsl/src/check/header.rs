//! Rule: a runbook's name is made of folders and a last part, each `[a-z0-9-]+`; labels are what selectors can ask for.

use crate::compile::keys::shorten;
use crate::compile::report::Report;
use crate::diagnostic::Code;

use super::Case;

/// Whether a text can be the name of a runbook.
pub fn is_runbook_name(text: &str) -> bool {
    text.split('/').all(is_part)
}

fn is_part(part: &str) -> bool {
    !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// Checks the name and the labels.
pub fn check(case: &Case, report: &mut Report) {
    let Some(name) = &case.book.name else { return };
    if !is_runbook_name(&name.value) {
        let diagnostic = report.at(
            Code::RUNBOOK_NAME,
            name.span,
            format!("`{}` cannot be the name of a runbook", shorten(&name.value)),
        );
        let mended: String = name
            .value
            .trim_matches('/')
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || c == '/' { c.to_ascii_lowercase() } else { '-' })
            .collect();
        report.push(if is_runbook_name(&mended) {
            diagnostic.help(format!("write `{}`", shorten(&mended)))
        } else {
            diagnostic.help("it is made of lower case letters, digits and `-`, with `/` between folders")
        });
    }
    for label in &case.book.label_spans {
        let is_label = |text: &str, may_be_empty: bool| {
            (may_be_empty || !text.is_empty())
                && text.len() <= LABEL_BYTES
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte))
        };
        let value = case.book.labels.get(&label.value).map_or("", String::as_str);
        if !is_label(&label.value, false) || !is_label(value, true) {
            let message = format!("label `{}` cannot be asked for by a selector", shorten(&label.value));
            report.push(
                report
                    .at(Code::LABEL, label.span, message)
                    .help("names and values are made of letters, digits, `-`, `_`, `.` and `/`"),
            );
        }
    }
}

/// Bytes of a label's name or value.
const LABEL_BYTES: usize = 63;
