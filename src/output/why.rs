//! What a run waits for, since when, who or what can let it go on, and what comes then.

use std::fmt::Write as _;

use jiff::Timestamp;
use lockstep_engine::api::{AwaitView, Awaited, EditView, PauseView, RunView, StepView};
use lockstep_engine::core::run::StepStatus;
use serde::Serialize;

use super::story::elapsed;
use super::style::{Style, Tone};
use super::text::{count, duration, harmless_line};
use super::words;
use crate::context::{Context, shell_word};

/// Pending steps that are named; the rest is counted.
const NAMED: usize = 10;

/// Why a run is where it is.
#[derive(Debug, Serialize)]
pub struct Why {
    /// The run.
    pub id: String,
    /// Its runbook.
    pub runbook: String,
    /// As in `show`.
    pub status: String,
    /// When it went on under a corrected runbook, oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub edits: Vec<EditView>,
    /// What it waits for; nothing where it has ended.
    pub waits: Vec<Wait>,
    /// Steps that have not begun, and what each still needs.
    pub pending: Vec<Pending>,
}

/// One thing that a run waits for.
#[derive(Debug, Serialize)]
pub struct Wait {
    /// The path of the step that waits; `None` for the run itself.
    pub step: Option<String>,
    /// In a word: `interrupted`, `running`, `stopping`, `signal`, `approval`, `answer`, `in_doubt`, `wait`, `retry`, ...
    pub reason: String,
    /// As a sentence.
    pub what: String,
    /// Since when, RFC 3339.
    pub since: Option<String>,
    /// When the wait ends by itself.
    pub until: Option<String>,
    /// What happens then, or as soon as what it waits for is there.
    pub next: String,
    /// What lets it go on.
    pub unblock: Vec<Unblock>,
}

/// A command that lets a run go on.
#[derive(Debug, Serialize)]
pub struct Unblock {
    /// As it is typed.
    pub command: String,
    /// What it does.
    pub what: String,
}

/// A step that has not begun.
#[derive(Debug, Serialize)]
pub struct Pending {
    /// Its path.
    pub step: String,
    /// The paths of what it still needs.
    pub needs: Vec<String>,
}

/// Why a run is where it is.
pub fn why(view: &RunView, context: &Context) -> Why {
    let ended = view.ended.is_some();
    let steps = view.steps.iter().filter(|_| !ended);
    let pending: Vec<Pending> = steps
        .clone()
        .filter(|step| step.status == StepStatus::Pending && !step.needs.is_empty())
        .map(|step| Pending { step: step.path.clone(), needs: step.needs.clone() })
        .collect();
    let waits = steps.filter(|step| !has_inside(view, step)).filter_map(|step| of_step(view, step, &pending, context));
    let waits = of_run(view, context).into_iter().chain(waits).collect();
    Why {
        id: view.id.to_string(),
        runbook: view.runbook.clone(),
        status: view.status.clone(),
        edits: view.edits.clone(),
        waits,
        pending,
    }
}

/// What holds up the run as a whole.
fn of_run(view: &RunView, context: &Context) -> Option<Wait> {
    let id = view.id;
    let command =
        |verb: &str, what: &str| Unblock { command: context.command(&format!("{verb} {id}")), what: what.to_owned() };
    let wait = |reason: &str, what: String, next: &str, unblock: Unblock| Wait {
        step: None,
        reason: reason.to_owned(),
        what,
        since: None,
        until: None,
        next: next.to_owned(),
        unblock: vec![unblock],
    };
    let quarantined = view.error.as_ref().filter(|error| error.kind == "quarantined" && view.ended.is_none());
    if let Some(error) = quarantined {
        let unblock = command("cancel", "give it up");
        return Some(wait("quarantined", harmless_line(&error.message), "nothing more is decided about it", unblock));
    }
    if let Some(pause) = &view.paused {
        return Some(paused(view, pause, context));
    }
    if let Some(AwaitView { what: Awaited::Lock { key, holders, ahead } }) = view.queue.as_deref() {
        let key = harmless_line(key);
        let commands = holders.first().map(|holder| words::holder_commands(id, holder));
        let commands = commands.unwrap_or_else(|| vec![(format!("cancel {id}"), "do not wait")]);
        let unblock =
            |(command, what): (String, &str)| Unblock { command: context.command(&command), what: what.to_owned() };
        return Some(Wait {
            step: None,
            reason: "queued".to_owned(),
            what: format!("waits for its turn among the runs with key `{key}`{}", words::held(holders, *ahead)),
            since: view.queued.clone(),
            until: None,
            next: if view.started.is_some() { "it goes on" } else { "it begins" }.to_owned(),
            unblock: commands.into_iter().map(unblock).collect(),
        });
    }
    let goes_on = !view.steps.iter().any(words::needs_somebody);
    if view.interrupted && goes_on {
        let what = "no process carries it: it was cut off, or left";
        return Some(wait("interrupted", what.to_owned(), "it goes on where it was", command("resume", "carry it on")));
    }
    None
}

/// A person has it begin nothing new.
fn paused(view: &RunView, pause: &PauseView, context: &Context) -> Wait {
    let id = view.id;
    let reason = pause.reason.as_deref().map(|reason| format!(": {}", harmless_line(reason))).unwrap_or_default();
    let held: Vec<_> = view.steps.iter().filter(|step| step.reason.as_deref() == Some("held")).collect();
    let named: Vec<_> = held.iter().take(NAMED).map(|step| format!("`{}`", harmless_line(&step.path))).collect();
    let next = match held.len() {
        0 => "what follows from what runs begins".to_owned(),
        1 => format!("{} goes on", named[0]),
        number if number <= NAMED => format!("{} go on", named.join(", ")),
        number => format!("{} go on", count(number, "step")),
    };
    let commands = [("resume", "let it go on"), ("cancel", "end it")];
    let command = |(verb, what): (&str, &str)| Unblock {
        command: context.command(&format!("{verb} {id}")),
        what: what.to_owned(),
    };
    Wait {
        step: None,
        reason: "paused".to_owned(),
        what: format!("is paused by {}{reason}", harmless_line(&pause.by)),
        since: Some(pause.since.clone()),
        until: None,
        next,
        unblock: commands.into_iter().map(command).collect(),
    }
}

/// What one step waits for; `None` for one that has ended or not begun.
fn of_step(view: &RunView, step: &StepView, pending: &[Pending], context: &Context) -> Option<Wait> {
    let path = shell_word(&step.path);
    let id = view.id;
    let unblock = |command: String, what: &str| Unblock { command: context.command(&command), what: what.to_owned() };
    let known = step.reason.clone();
    let is = |reason: &str| known.as_deref() == Some(reason);
    if is("held") {
        // The run says so.
        return None;
    }
    let last = step.error.as_ref().map(|error| format!(", after: {}", words::error(error))).unwrap_or_default();
    let then = behind(step, pending);
    let (reason, what, next, commands) = match step.status {
        StepStatus::Waiting if step.awaits.is_some() => {
            let awaits = step.awaits.as_deref()?;
            let commands =
                words::commands(id, step).into_iter().map(|(command, what)| unblock(command, what)).collect();
            (known.unwrap_or_default(), format!("waits for {}", words::awaited(awaits)), then, commands)
        }
        StepStatus::Waiting => {
            let cancel = vec![unblock(format!("cancel {id}"), "do not wait")];
            let attempt = step.attempts + 1;
            let (what, next) = match known.as_deref() {
                Some("retry") => (format!("waits before attempt {attempt}{last}"), format!("attempt {attempt} starts")),
                Some("until") => (format!("waits before it is tried again{last}"), "it is tried again".to_owned()),
                Some("round") => ("waits before its next round".to_owned(), "the next round begins".to_owned()),
                Some(_) | None => ("waits for its time".to_owned(), then),
            };
            (known.unwrap_or_default(), what, next, cancel)
        }
        StepStatus::InDoubt => {
            let why = known.as_deref().map(harmless_line).unwrap_or_default();
            let commands = [("done", "it took effect"), ("failed", "it did not"), ("rerun", "run it once more")];
            let commands = commands.map(|(how, what)| unblock(format!("resolve {id} {path} {how}"), what));
            let what = format!("is in doubt: nobody knows whether it took effect ({why})");
            ("in_doubt".to_owned(), what, then, commands.into())
        }
        StepStatus::Running | StepStatus::Ready => {
            let stopping = is("stopping");
            let attempt = if step.attempts > 0 { format!(" (attempt {})", step.attempts + 1) } else { String::new() };
            let what = if stopping { "was asked to stop and has not ended" } else { "runs" };
            let mut commands = Vec::new();
            if !step.logs.is_empty() {
                commands.push(unblock(format!("logs {id} {path} --follow"), "what it prints"));
            }
            commands.push(unblock(format!("cancel {id}"), "stop it"));
            let reason = if stopping { "stopping" } else { "running" };
            let next = if stopping { "it is killed after its grace".to_owned() } else { then };
            (reason.to_owned(), format!("{what}{attempt}"), next, commands)
        }
        StepStatus::Pending
        | StepStatus::Succeeded
        | StepStatus::Failed
        | StepStatus::Skipped
        | StepStatus::Cancelled
        | StepStatus::Undone => return None,
    };
    Some(Wait {
        step: Some(step.path.clone()),
        reason,
        what,
        since: step.since.clone().or_else(|| step.started.clone()),
        until: step.until.clone(),
        next,
        unblock: commands,
    })
}

/// What comes when a step has ended well.
fn behind(step: &StepView, pending: &[Pending]) -> String {
    let next: Vec<_> = pending
        .iter()
        .filter(|other| other.needs == [step.path.as_str()])
        .map(|other| format!("`{}`", harmless_line(&other.step)))
        .collect();
    match next.len() {
        0 => "what it stands in goes on".to_owned(),
        1 => format!("{} starts", next[0]),
        number if number <= NAMED => format!("{} start", next.join(", ")),
        number => format!("{} start", count(number, "step")),
    }
}

/// Whether a step is a block in which something is open: what is inside says more.
fn has_inside(view: &RunView, step: &StepView) -> bool {
    let begins = |path: &str| {
        path.strip_prefix(step.path.as_str()).is_some_and(|rest| rest.starts_with('/') || rest.starts_with('['))
    };
    view.steps.iter().any(|other| !other.status.is_end() && begins(&other.path))
}

/// It all, for people.
pub fn text(why: &Why, view: &RunView, style: Style) -> String {
    let now = Timestamp::now();
    let runbook = style.paint(Tone::Strong, &harmless_line(&why.runbook));
    let status = style.paint(words::run_tone(&why.status), &why.status);
    let mut out = format!("run {} of {runbook}  {status}\n", why.id);
    for edit in &why.edits {
        let _ = writeln!(out, "  {}", words::edited(edit));
    }
    if why.waits.is_empty() {
        let said = view.error.as_ref().map_or_else(String::new, |error| format!(": {}", words::error(error)));
        let what = if view.ended.is_some() { "it has ended, and waits for nothing" } else { "it goes on by itself" };
        let _ = writeln!(out, "  {what}{said}");
    }
    for wait in &why.waits {
        let who = wait
            .step
            .as_deref()
            .map_or_else(String::new, |step| format!("step `{}` ", style.paint(Tone::Strong, &harmless_line(step))));
        let _ = writeln!(out, "\n  {who}{}", wait.what);
        if let Some(since) = &wait.since {
            let long = elapsed(Some(since), None, now).map(duration).unwrap_or_default();
            let _ = writeln!(out, "    since {}, for {long}", super::plain::seconds(since));
        }
        if let Some(until) = &wait.until {
            let left = elapsed(Some(&now.to_string()), Some(until), now).map(duration).unwrap_or_default();
            let fails = if is_limit(view, wait) { ": then it fails with `timeout`" } else { "" };
            let _ = writeln!(out, "    until {}, {left} left{fails}", super::plain::seconds(until));
        }
        let _ = writeln!(out, "    next  {}", wait.next);
        for Unblock { command, what } in &wait.unblock {
            let _ = writeln!(out, "    {command:<52} {what}");
        }
    }
    if !why.pending.is_empty() {
        let have = if why.pending.len() == 1 { "has" } else { "have" };
        let _ = writeln!(out, "\n{} {have} not begun", count(why.pending.len(), "step"));
    }
    for Pending { step, needs } in why.pending.iter().take(NAMED) {
        let needs: Vec<_> = needs.iter().map(|need| harmless_line(need)).collect();
        let _ = writeln!(out, "  {} needs {}", style.paint(Tone::Strong, &harmless_line(step)), needs.join(", "));
    }
    if why.pending.len() > NAMED {
        let _ = writeln!(out, "  and {} more", why.pending.len() - NAMED);
    }
    out
}

/// Whether the end of the wait is its limit, not what it waits for.
fn is_limit(view: &RunView, wait: &Wait) -> bool {
    let step = view.steps.iter().find(|step| Some(&step.path) == wait.step.as_ref());
    let awaits = step.and_then(|step| step.awaits.as_deref());
    awaits.is_some_and(|awaits| !matches!(awaits.what, Awaited::Lock { .. }))
}
