//! Rule: a common key that means nothing on a kind of step is refused there, since it would be ignored.

use crate::compile::report::Report;
use crate::diagnostic::Code;
use crate::graph::Kind;
use crate::runbook::Step;
use crate::source::Span;

use super::Case;

/// Checks the common keys of every step against its kind.
pub fn check(case: &Case, report: &mut Report) {
    for (_, step) in case.book.steps() {
        let Some(kind) = &step.kind else { continue };
        for (key, span, is_given) in given(step) {
            if let Some(reason) = reason(kind, key).filter(|_| is_given) {
                let message = format!("`{key}` means nothing on a `{}` step", kind.name());
                report.push(report.at(Code::NOT_ON_THIS_KIND, span, message).help(reason));
            }
        }
    }
}

/// Keys with a place to point at, and whether the step has them.
fn given(step: &Step) -> [(&'static str, Span, bool); 6] {
    let env = step.env.first().map(|(name, _)| name.span);
    let timeout = step.timeout.attempt.as_ref().or(step.timeout.total.as_ref()).or(step.timeout.grace.as_ref());
    let timeout = timeout.map(|part| part.span);
    let outputs = step.outputs.first().map(|(name, _)| name.span);
    let part = |key, span: Option<Span>| (key, span.unwrap_or(step.span), span.is_some());
    [
        part("finally", step.finally.as_ref().map(|block| block.span)),
        part("retry", step.retry.as_ref().map(|retry| retry.span)),
        part("until", step.until.as_ref().map(|until| until.span)),
        part("timeout", timeout),
        part("env", env),
        part("outputs", outputs),
    ]
}

/// Why a key means nothing on a kind, with what to do instead.
fn reason(kind: &Kind, key: &str) -> Option<&'static str> {
    match (kind, key) {
        (Kind::Repeat(_), "until") => {
            Some("the condition of a `repeat` stands inside it: `repeat: { until: …, do: […] }`")
        }
        (Kind::Do(_) | Kind::Parallel(_) | Kind::Switch(_) | Kind::Foreach(_) | Kind::Repeat(_), _) => None,
        (_, "finally") => Some("only a block has a `finally`: put the step into a `do`"),
        (Kind::Finish { .. } | Kind::Fail { .. }, "retry" | "until" | "timeout") => {
            Some("it ends at once, and always the same way")
        }
        (Kind::Finish { .. }, "outputs") => Some("the outputs of the run stand inside: `finish: { outputs: { … } }`"),
        (Kind::Fail { .. }, "outputs") => Some("what it knows stands inside: `fail: { message: …, data: { … } }`"),
        (Kind::Set(_), "retry" | "until") => Some("it would compute the same again"),
        (Kind::WaitFor(_) | Kind::WaitUntil(_), "retry" | "until") => {
            Some("a time that has passed does not come again")
        }
        (Kind::AwaitSignal(_), "retry" | "until") => Some("it waits until it is told; say with `timeout` for how long"),
        (Kind::Approve(_) | Kind::Ask(_), "retry" | "until") => {
            Some("people are asked once; say with `timeout` for how long")
        }
        (
            Kind::Script(_)
            | Kind::Set(_)
            | Kind::Assert { .. }
            | Kind::WaitFor(_)
            | Kind::WaitUntil(_)
            | Kind::AwaitSignal(_)
            | Kind::Approve(_)
            | Kind::Ask(_)
            | Kind::Call(_)
            | Kind::Fail { .. }
            | Kind::Finish { .. }
            | Kind::Http(_),
            "env",
        ) => Some("it starts no command that would have an environment"),
        _ => None,
    }
}
