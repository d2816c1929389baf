//! What is said of a step in its state: the same words in the live tree, in plain lines and in `show`.

use std::fmt::Write as _;

use jiff::Timestamp;
use lockstep_engine::api::{AwaitView, Awaited, EditView, ErrorView, Gone, HolderView, StepView};
use lockstep_engine::core::run::StepStatus;
use lockstep_engine::id::RunId;

use super::plain::seconds;
use super::style::Tone;
use super::text::{duration, harmless_line};
use crate::context::shell_word;

/// The colour of a state.
pub fn tone(step: &StepView) -> Tone {
    match step.status {
        StepStatus::Pending | StepStatus::Ready | StepStatus::Skipped => Tone::Faint,
        StepStatus::Running => Tone::Busy,
        StepStatus::Waiting | StepStatus::InDoubt | StepStatus::Cancelled | StepStatus::Undone => Tone::Waiting,
        StepStatus::Succeeded => Tone::Good,
        StepStatus::Failed if step.handled => Tone::Waiting,
        StepStatus::Failed => Tone::Bad,
    }
}

/// The colour of a run's state.
pub fn run_tone(status: &str) -> Tone {
    match status {
        "succeeded" => Tone::Good,
        "failed" => Tone::Bad,
        "running" => Tone::Busy,
        "queued" => Tone::Faint,
        _ => Tone::Waiting,
    }
}

/// What there is to say of a step beyond its state, on one line; empty where there is nothing. `tries` is how often it
/// is tried at most.
pub fn detail(step: &StepView, tries: u32, now: Timestamp) -> String {
    match step.status {
        StepStatus::Succeeded if step.attempts > 1 => format!("on attempt {}", step.attempts),
        StepStatus::Running if step.attempts > 0 => attempt(step.attempts + 1, tries),
        StepStatus::Pending if step.skip.is_some() => format!("will be {}", skipped(step)),
        StepStatus::Pending | StepStatus::Ready | StepStatus::Skipped => reason(step),
        StepStatus::Succeeded | StepStatus::Running => String::new(),
        StepStatus::Waiting => waiting(step, tries, now),
        StepStatus::InDoubt => step.reason.as_deref().map(harmless_line).unwrap_or_default(),
        StepStatus::Undone => "undone".to_owned(),
        StepStatus::Failed | StepStatus::Cancelled => {
            let why = step.error.as_ref().map_or_else(|| reason(step), error);
            let last = if step.attempts > 1 { format!(" (attempt {})", step.attempts) } else { String::new() };
            let handled = if step.handled { ", handled" } else { "" };
            format!("{why}{last}{handled}")
        }
    }
}

/// `failed: exited with code 1`; the kind is left out where the message begins with it.
pub fn error(error: &ErrorView) -> String {
    let message = harmless_line(&error.message);
    let kind = harmless_line(&error.kind);
    if message.starts_with(&kind) || kind == "failed" { message } else { format!("{kind}: {message}") }
}

fn waiting(step: &StepView, tries: u32, now: Timestamp) -> String {
    let left = step
        .until
        .as_deref()
        .and_then(|until| until.parse::<Timestamp>().ok())
        .map(|until| u64::try_from(until.as_millisecond() - now.as_millisecond()).unwrap_or(0));
    let left = left.map(duration);
    if let Some(awaits) = &step.awaits {
        let left = left.map_or_else(String::new, |left| format!(", {left} left"));
        return format!("for {}{left}", awaited(awaits));
    }
    if step.reason.as_deref() == Some("held") {
        let last = step.error.as_ref().map(|last| format!(", after: {}", error(last))).unwrap_or_default();
        return format!("{}{last}", reason(step));
    }
    match (&step.error, left) {
        (Some(last), Some(left)) => format!("{} in {left}, after: {}", attempt(step.attempts + 1, tries), error(last)),
        (Some(last), None) => format!("{}, after: {}", attempt(step.attempts + 1, tries), error(last)),
        (None, Some(left)) => format!("{left} left"),
        (None, None) => reason(step),
    }
}

/// Whether the step goes no further until a person says something: a run that it called goes on by itself.
pub fn needs_somebody(step: &StepView) -> bool {
    let goes_on = |awaits: &AwaitView| matches!(awaits.what, Awaited::Call { .. } | Awaited::Lock { .. });
    let awaits = step.awaits.as_deref().is_some_and(|awaits| !goes_on(awaits));
    awaits || step.status == StepStatus::InDoubt
}

/// What somebody outside the run must say, as a part of a sentence.
pub fn awaited(awaits: &AwaitView) -> String {
    match &awaits.what {
        Awaited::Signal { name } => format!("the signal `{}`", harmless_line(name)),
        Awaited::Approval { message, by, quorum, approved, .. } => {
            let count = if *quorum > 1 { format!(", {} of {quorum} given", approved.len()) } else { String::new() };
            format!("an approval{}: {}{count}", from(by), harmless_line(message))
        }
        Awaited::Call { run, runbook } => format!("run {run} of `{}`", harmless_line(runbook)),
        Awaited::Lock { key, holders, ahead } => format!("the lock `{}`{}", harmless_line(key), held(holders, *ahead)),
        Awaited::Answer { message, by, .. } => format!("an answer{}: {}", from(by), harmless_line(message)),
    }
}

/// Who holds a key, and who comes first: `, which step `a` of run 06bq of `x` holds`.
pub fn held(holders: &[HolderView], ahead: usize) -> String {
    let mut out = String::new();
    if let Some(holder) = holders.first() {
        let step =
            holder.step.as_deref().map_or_else(String::new, |step| format!("step `{}` of ", harmless_line(step)));
        let more = if holders.len() > 1 { format!(" with {} more", holders.len() - 1) } else { String::new() };
        let left = if holder.interrupted { "; no process carries that run" } else { "" };
        let runbook = harmless_line(&holder.runbook);
        let _ = write!(out, ", which {step}run {} of `{runbook}` holds{more}{left}", holder.run);
    }
    if ahead > 0 {
        let _ = write!(out, ", and {ahead} {} first", if ahead == 1 { "comes" } else { "come" });
    }
    out
}

/// ` from user:ana or group:sre`; nothing where everybody may answer.
fn from(by: &[String]) -> String {
    if by.is_empty() { String::new() } else { format!(" from {}", harmless_line(&by.join(" or "))) }
}

/// The commands that let a step go on that waits for somebody, and what each does.
pub fn commands(run: RunId, step: &StepView) -> Vec<(String, &'static str)> {
    let Some(awaits) = step.awaits.as_deref() else { return Vec::new() };
    let path = shell_word(&step.path);
    match &awaits.what {
        Awaited::Signal { name } => vec![(format!("signal {run} {}", shell_word(name)), "send it")],
        Awaited::Approval { .. } => {
            vec![(format!("approve {run} {path}"), "say yes"), (format!("reject {run} {path}"), "say no: it fails")]
        }
        Awaited::Call { run: called, .. } => {
            vec![(format!("why {called}"), "what that one waits for"), (format!("cancel {run}"), "stop both")]
        }
        Awaited::Lock { holders, .. } => match holders.first() {
            Some(holder) => holder_commands(run, holder),
            None => vec![(format!("why {run}"), "who holds it")],
        },
        Awaited::Answer { fields, .. } => {
            let fields: Vec<_> = fields.iter().map(|field| format!(" -p {}=<{}>", field.name, field.kind)).collect();
            vec![(format!("answer {run} {path}{}", fields.concat()), "answer it")]
        }
    }
}

/// That a run went on under a corrected runbook.
pub fn edited(edit: &EditView) -> String {
    format!("edited by {} on {}", harmless_line(&edit.by), harmless_line(&seconds(&edit.at)))
}

/// The commands that help where another run holds what this one waits for.
pub fn holder_commands(run: RunId, holder: &HolderView) -> Vec<(String, &'static str)> {
    let other = holder.run;
    let mut commands = Vec::new();
    if other != run {
        commands.push((format!("why {other}"), "what that one waits for"));
        if holder.interrupted {
            commands.push((format!("resume {other}"), "carry that one on"));
        }
    }
    commands.push((format!("cancel {run}"), "do not wait"));
    commands
}

/// Why what a run did cannot be told any more.
pub fn gone(gone: &Gone) -> String {
    match gone {
        Gone::Retention { at: Some(at) } => {
            format!(
                "the history of this run was removed by retention on {}; how it ended is all that is kept",
                harmless_line(at)
            )
        }
        Gone::Retention { at: None } => {
            "the history of this run was removed by retention; how it ended is all that is kept".to_owned()
        }
        Gone::Loss { at, by, file, first, last } => format!(
            "{} of `{}` were lost, which {} accepted on {}: what is known of this run is how it ended",
            if first == last { format!("record {first}") } else { format!("the records {first} to {last}") },
            harmless_line(file),
            harmless_line(by),
            harmless_line(at)
        ),
    }
}

fn attempt(number: u32, tries: u32) -> String {
    if tries > 1 { format!("attempt {number} of {tries}") } else { format!("attempt {number}") }
}

/// Who skipped it, and why.
fn skipped(step: &StepView) -> String {
    let said = step.skip.as_deref().map(|skip| format!(" by {}: {}", skip.by, skip.reason)).unwrap_or_default();
    harmless_line(&format!("skipped{said}"))
}

fn reason(step: &StepView) -> String {
    match step.reason.as_deref() {
        Some("when") => "its `when` does not hold".to_owned(),
        Some("disabled") => "disabled".to_owned(),
        Some("unreached") => "not reached".to_owned(),
        Some("passed") => "passed over".to_owned(),
        Some("person") => skipped(step),
        Some("held") => "held back while the run is paused".to_owned(),
        Some(other) => harmless_line(other),
        None => String::new(),
    }
}
