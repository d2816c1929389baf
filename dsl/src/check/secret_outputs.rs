//! Rule: what a step learns that is secret is taken from its result where its attempt ran, before anything of it is written
//! down. No expression is evaluated there, so its outputs are plain paths, and the rest of the result is withheld.

use crate::compile::keys::{is_name, quoted, shorten};
use crate::compile::report::Report;
use crate::diagnostic::Code;
use crate::graph::Kind;
use crate::runbook::Step;
use crate::source::Spanned;

use super::Case;

/// Parts of the result of a command that are no text to be kept.
const OF_COMMAND: &[&str] = &["stderr", "lines", "json", "exit_code", "truncated"];

/// Checks every `secret_outputs`.
pub fn check(case: &Case, report: &mut Report) {
    for (_, step) in case.book.steps() {
        let (Some(first), Some(kind)) = (step.secret_outputs.first(), &step.kind) else { continue };
        if !kind.is_acting() {
            let message = format!("`{}` learns nothing that could be kept secret", kind.name());
            let diagnostic = report
                .at(Code::SECRET_OUTPUT, first.span, message)
                .help("name the secret outputs of the `shell`, `exec` or `http` step that learns them");
            report.push(diagnostic);
            continue;
        }
        for (number, secret) in step.secret_outputs.iter().enumerate() {
            if step.secret_outputs[..number].iter().any(|other| other.value == secret.value) {
                let message = format!("`{}` is named twice", shorten(&secret.value));
                report.push(report.at(Code::SECRET_OUTPUT, secret.span, message).help("leave one of them out"));
            } else if !step.outputs.iter().any(|(name, _)| name.value == secret.value) {
                undeclared(step, kind, secret, report);
            }
        }
        declared(case, step, report);
        probed(step, report);
    }
}

/// A secret output that is no declared one: a command writes it under its name, or it is all that is printed or answered.
fn undeclared(step: &Step, kind: &Kind, secret: &Spanned<String>, report: &mut Report) {
    let name = shorten(&secret.value);
    let is_known = match kind {
        Kind::Http(_) => secret.value == "body",
        _ => is_name(&secret.value) && !OF_COMMAND.contains(&secret.value.as_str()),
    };
    if is_known {
        return;
    }
    let message = match kind {
        Kind::Http(_) => format!("there is no output `{name}`, and an answer gives none of this name"),
        _ => format!("there is no output `{name}`, and a command cannot give one of this name as a secret"),
    };
    let names: Vec<&str> = step.outputs.iter().map(|(name, _)| name.value.as_str()).collect();
    let diagnostic = report.at(Code::SECRET_OUTPUT, secret.span, message);
    report.push(if names.is_empty() || !is_name(&secret.value) {
        diagnostic.help("declare it: `outputs: { token: json.access_token }` and `secret_outputs: [token]`")
    } else {
        diagnostic.help(format!("declared are {}", quoted(&names)))
    });
}

/// Every declared output is taken with the secret ones.
fn declared(case: &Case, step: &Step, report: &mut Report) {
    for (name, expr) in &step.outputs {
        let expr = case.book.expr(*expr);
        if expr.analysis.is_none() || expr.plain_path().is_some() {
            continue;
        }
        let message = format!("`{}` is more than a plain path into the result", shorten(&name.value));
        let diagnostic = report
            .at(Code::SECRET_OUTPUT, expr.span(), message)
            .label("it is taken where the step runs, and nothing is computed there")
            .help("write a path such as `json.access_token`, or have the command write it to `$LOCKSTEP_OUTPUT`");
        report.push(diagnostic);
    }
}

/// What a probe finds out is not withheld.
fn probed(step: &Step, report: &mut Report) {
    let Some(probe) = &step.probe else { return };
    let is_secret = |name: &str| step.secret_outputs.iter().find(|secret| secret.value == name);
    for secret in probe.value.outputs.iter().filter_map(|(name, _)| is_secret(name)) {
        let message = format!("the probe's `outputs` give `{}`, which is a secret", secret.value);
        let diagnostic = report
            .at(Code::SECRET_OUTPUT, probe.span, message)
            .help("leave it out there, and have a later step learn it anew");
        report.push(diagnostic);
    }
}
