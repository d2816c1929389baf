//! How a run ended, why, and what to do next: the last thing that a person reads.

use std::fmt::Write as _;

use jiff::Timestamp;
use lockstep_engine::api::{AwaitView, ErrorView, StepView};
use lockstep_engine::core::run::StepStatus;
use lockstep_engine::id::RunId;
use serde_json::Value as Json;

use super::story::{End, Story, elapsed};
use super::style::{Style, Tone};
use super::text::{count, duration, harmless_line};
use super::words;
use crate::context::{Context, shell_word};

/// Lines of standard error that are repeated; the log has all.
const ERROR_LINES: usize = 5;

/// Characters of one output that are shown; `show --json` has all.
const OUTPUT_CHARS: usize = 200;

/// How to write the commands that are suggested.
#[derive(Clone, Debug)]
pub struct Hints {
    data_option: String,
}

impl Hints {
    /// Commands for the data folder of this command.
    pub fn new(context: &Context) -> Self {
        Self { data_option: context.data_option.clone() }
    }

    /// `  lockstep retry 06bq3v8zk7dm   go on from there`.
    pub fn line(&self, command: &str, what: &str) -> String {
        format!("  {:<52} {what}\n", format!("lockstep {command}{}", self.data_option))
    }
}

/// The summary of a run that has ended or goes no further; empty for one that was left before that.
pub fn summary(story: &Story, hints: &Hints, style: Style) -> String {
    let Some(end) = &story.end else { return String::new() };
    let mut out = headline(story, end, style);
    for (name, value) in &end.outputs {
        let _ = writeln!(out, "  {} = {}", style.paint(Tone::Strong, &harmless_line(name)), output_value(value));
    }
    if let Some(error) = &end.error {
        out.push_str(&explain_error(error, |path| story.tries(path), style));
    }
    for step in story.needs_a_word() {
        let said = match &step.awaits {
            None => doubt(step, style),
            Some(awaits) => awaited(step, awaits, style),
        };
        out.push_str(&said);
    }
    let failed = end.error.as_ref().and_then(|error| story.step(&error.step));
    out.push_str(&next_steps(story.id, &end.status, &story.needs_a_word(), failed, hints));
    out
}

fn headline(story: &Story, end: &End, style: Style) -> String {
    let steps = story.steps();
    let counted = |status| steps.iter().filter(|step| step.status == status).count();
    let began = story.began.map(|began| began.to_string());
    let ended = steps.iter().filter_map(|step| step.ended.as_deref()).max();
    let took = elapsed(began.as_deref(), ended, Timestamp::now()).map(|millis| format!(" after {}", duration(millis)));
    let what = if end.status == "waiting" { "waits for somebody" } else { &end.status };
    let parts: Vec<_> = [
        (StepStatus::Succeeded, "succeeded"),
        (StepStatus::Failed, "failed"),
        (StepStatus::InDoubt, "in doubt"),
        (StepStatus::Waiting, "waiting"),
        (StepStatus::Cancelled, "cancelled"),
        (StepStatus::Undone, "undone"),
        (StepStatus::Skipped, "skipped"),
    ]
    .into_iter()
    .map(|(status, name)| (counted(status), name))
    .filter(|(number, _)| *number > 0)
    .map(|(number, name)| format!("{number} {name}"))
    .collect();
    let parts = if parts.is_empty() {
        String::new()
    } else {
        format!(" ({}: {})", count(steps.len(), "step"), parts.join(", "))
    };
    format!(
        "\nrun {} {}{}{}\n",
        story.id,
        style.paint(words::run_tone(&end.status), what),
        took.unwrap_or_default(),
        style.paint(Tone::Faint, &parts)
    )
}

/// Which step failed, how, and what it said last. `tries` knows how often a step is tried at most.
pub fn explain_error(error: &ErrorView, tries: impl Fn(&str) -> u32, style: Style) -> String {
    let mut out = String::new();
    let mut cause = Some(error);
    let mut word = "";
    while let Some(error) = cause {
        let at = if error.step.is_empty() {
            String::new()
        } else {
            let tries = tries(&error.step);
            let attempt = if tries > 1 { format!(", attempt {} of {tries}", error.attempt) } else { String::new() };
            format!("step `{}`{attempt}: ", style.paint(Tone::Strong, &harmless_line(&error.step)))
        };
        let _ = writeln!(out, "  {word}{at}{}", style.paint(Tone::Bad, &words::error(error)));
        for line in last_error_lines(error) {
            let _ = writeln!(out, "    {} {line}", style.paint(Tone::Faint, "|"));
        }
        word = "caused by ";
        cause = error.cause.as_deref();
    }
    out
}

fn last_error_lines(error: &ErrorView) -> Vec<String> {
    let Some(text) = error.data.get("stderr").and_then(Json::as_str) else { return Vec::new() };
    let lines: Vec<_> = text.lines().map(harmless_line).filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(ERROR_LINES)..].to_vec()
}

fn doubt(step: &StepView, style: Style) -> String {
    format!(
        "  step `{}` is in doubt: {}\n    nobody knows whether it took effect, and it must not be repeated by itself\n",
        style.paint(Tone::Strong, &harmless_line(&step.path)),
        step.reason.as_deref().map(harmless_line).unwrap_or_default()
    )
}

fn awaited(step: &StepView, awaits: &AwaitView, style: Style) -> String {
    let path = harmless_line(&step.path);
    format!("  step `{}` waits for {}\n", style.paint(Tone::Strong, &path), words::awaited(awaits))
}

/// What a person can do next, as commands.
pub fn next_steps(id: RunId, status: &str, stuck: &[&StepView], failed: Option<&StepView>, hints: &Hints) -> String {
    let mut out = String::new();
    for step in stuck {
        for (command, what) in words::commands(id, step) {
            out.push_str(&hints.line(&command, what));
        }
        if step.status != StepStatus::InDoubt {
            continue;
        }
        let path = shell_word(&step.path);
        out.push_str(&hints.line(&format!("logs {id} {path}"), "what it printed"));
        out.push_str(&hints.line(&format!("resolve {id} {path} done"), "it took effect: go on behind it"));
        out.push_str(&hints.line(&format!("resolve {id} {path} failed"), "it did not: it counts as failed"));
        out.push_str(&hints.line(&format!("resolve {id} {path} rerun"), "run it once more"));
    }
    match status {
        "failed" => {
            if let Some(step) = failed.filter(|step| !step.logs.is_empty()) {
                let path = shell_word(&step.path);
                out.push_str(&hints.line(&format!("logs {id} {path}"), "all that it printed"));
            }
            if let Some(called) = failed.filter(|step| step.kind == "call").and_then(|step| step.outputs.get("run"))
                && let Some(called) = called.as_str()
            {
                out.push_str(&hints.line(&format!("show {called}"), "every step of the run that it called"));
            }
            out.push_str(&hints.line(&format!("show {id}"), "every step"));
            out.push_str(&hints.line(&format!("retry {id}"), "go on with what failed, keeping what succeeded"));
        }
        "cancelled" => out.push_str(&hints.line(&format!("retry {id}"), "go on where it was cancelled")),
        "paused" => {
            out.push_str(&hints.line(&format!("resume {id}"), "go on"));
            out.push_str(&hints.line(&format!("why {id}"), "what comes then"));
        }
        _ => {}
    }
    out
}

/// A value on one line; long ones are cut.
pub fn output_value(value: &Json) -> String {
    let text = match value {
        Json::String(text) => text.replace('\n', "⏎"),
        other => other.to_string(),
    };
    super::text::cut(&harmless_line(&text), OUTPUT_CHARS)
}
