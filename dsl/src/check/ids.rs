//! Rule: an id is `[a-z][a-z0-9_]*`, unique in its block, and none of the words that mean something else where ids stand.

use crate::compile::keys::{is_name, shorten};
use crate::compile::report::Report;
use crate::compile::resolve::outputs::FIELDS;
use crate::diagnostic::Code;
use crate::graph::{Kind, NodeId, Role};
use crate::source::Spanned;

use super::Case;

/// Names of blocks in the paths of steps.
const PATH_WORDS: &[&str] = &["catch", "finally", "on_failure"];

/// Checks every id.
pub fn check(case: &Case, report: &mut Report) {
    for (id, step) in case.book.steps() {
        let Some(own) = &step.id else { continue };
        if form(own, report) {
            reserved(case, id, own, report);
            unique(case, id, own, report);
        }
    }
}

fn form(own: &Spanned<String>, report: &mut Report) -> bool {
    if is_name(&own.value) {
        return true;
    }
    let diagnostic = report.at(Code::ID, own.span, format!("`{}` cannot be an id", shorten(&own.value)));
    let mended = mended(&own.value);
    report.push(if is_name(&mended) {
        diagnostic.help(format!("write `{mended}`"))
    } else {
        diagnostic.help("an id begins with a lower case letter; lower case letters, digits and `_` follow")
    });
    false
}

/// The id that was probably meant: `Deploy-App` is `deploy_app`.
fn mended(id: &str) -> String {
    shorten(id).chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect()
}

fn reserved(case: &Case, id: NodeId, own: &Spanned<String>, report: &mut Report) {
    let name = own.value.as_str();
    let reason = if PATH_WORDS.contains(&name) {
        "it names a block in the paths of steps"
    } else if FIELDS.contains(&name) && case.book.holder(case.book.step(id).block).is_some() {
        "every step has a field of this name, and the block around this step too"
    } else if name == "rounds" && matches!(case.book.block(case.book.step(id).block).role, Role::Round) {
        "the `repeat` around this step has an output of this name"
    } else if case.sandbox.analyse(&format!("x.{name}"), false).is_err() {
        "it is a word of the language of expressions"
    } else {
        return;
    };
    report.push(report.at(Code::RESERVED_NAME, own.span, format!("`{name}` cannot be an id")).help(reason));
}

fn unique(case: &Case, id: NodeId, own: &Spanned<String>, report: &mut Report) {
    let block = case.book.step(id).block;
    let Some(first) = case.book.find(block, &own.value).filter(|first| *first != id) else { return };
    let first = case.book.step(first);
    let diagnostic = report
        .at(Code::DUPLICATE_ID, own.span, format!("a second step of this block has the id `{}`", own.value))
        .also(first.id.as_ref().map_or(first.span, |id| id.span), "the first");
    report.push(diagnostic);
}

/// Rule: no declared output and no branch takes the name of a field that every step has.
pub fn check_outputs(case: &Case, report: &mut Report) {
    for (_, step) in case.book.steps() {
        for (name, _) in &step.outputs {
            output(case, name, report);
        }
        let is_declared = |name: &str| step.outputs.iter().any(|(declared, _)| declared.value == name);
        for name in step.secret_outputs.iter().filter(|name| !is_declared(&name.value)) {
            output(case, name, report);
        }
        if let Some(Kind::Parallel(parallel)) = &step.kind {
            for (branch, _) in &parallel.branches {
                if FIELDS.contains(&branch.as_str()) || PATH_WORDS.contains(&branch.as_str()) {
                    let message = format!("`{branch}` cannot be the name of a branch");
                    report.push(
                        report.at(Code::RESERVED_NAME, step.span, message).help("it means something else in `steps`"),
                    );
                }
            }
        }
    }
    for (name, _) in &case.book.outputs {
        name_form(case, name, report);
    }
}

fn output(case: &Case, name: &Spanned<String>, report: &mut Report) {
    if FIELDS.contains(&name.value.as_str()) {
        let message = format!("`{}` cannot be the name of an output", name.value);
        report.push(report.at(Code::RESERVED_NAME, name.span, message).help("every step has a field of this name"));
    } else {
        name_form(case, name, report);
    }
}

fn name_form(case: &Case, name: &Spanned<String>, report: &mut Report) {
    let shown = shorten(&name.value);
    if !is_name(&name.value) {
        let diagnostic = report
            .at(Code::NAME, name.span, format!("`{shown}` cannot be the name of an output"))
            .help("names begin with a lower case letter; lower case letters, digits and `_` follow");
        report.push(diagnostic);
    } else if case.sandbox.analyse(&format!("x.{}", name.value), false).is_err() {
        let diagnostic = report
            .at(Code::RESERVED_NAME, name.span, format!("`{shown}` cannot be the name of an output"))
            .help("it is a word of the language of expressions");
        report.push(diagnostic);
    }
}
