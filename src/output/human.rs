//! Lists and single runs as people read them.

use std::fmt::Write as _;
use std::path::Path;

use jiff::Timestamp;
use lockstep_engine::api::{HistoryRow, RunRow, RunView, StepView};
use lockstep_engine::core::run::StepStatus;
use lockstep_engine::id::RunId;
use lockstep_engine::worker::retired::retired;
use serde_json::Value as Json;

use super::story::elapsed;
use super::style::{Style, Tone};
use super::summary::{Hints, explain_error, next_steps, output_value};
use super::text::{duration, harmless_line, width};
use super::words;
use crate::context::Context;

/// A table of runs.
pub fn runs(rows: &[RunRow], style: Style) -> String {
    let now = Timestamp::now();
    let mut table =
        vec![["RUN", "STATUS", "RUNBOOK", "STARTED", "TOOK", "BY"].map(|title| (Tone::Faint, title.to_owned()))];
    table.extend(rows.iter().map(|row| {
        let status = match (row.interrupted, row.in_doubt) {
            (_, true) => format!("{} (in doubt)", row.status),
            (true, false) if !row.awaits => format!("{} (interrupted)", row.status),
            (true | false, false) => row.status.clone(),
        };
        let created = row.created.to_string();
        let ended = row.ended.map(|ended| ended.to_string());
        let took = elapsed(Some(&created), ended.as_deref(), now).map(duration).unwrap_or_default();
        [
            (Tone::Strong, row.id.to_string()),
            (words::run_tone(&row.status), status),
            (Tone::Strong, harmless_line(&row.runbook)),
            (Tone::Faint, super::plain::seconds(&created)),
            (Tone::Faint, took),
            (Tone::Faint, asked_by(&row.by, row.caller)),
        ]
    }));
    columns(&table, style)
}

/// Who asked for a run, and the run that called it.
fn asked_by(by: &str, caller: Option<RunId>) -> String {
    let by = harmless_line(by);
    caller.map_or_else(|| by.clone(), |caller| format!("{by}, called by {caller}"))
}

/// What was journaled of a run, one line a record.
pub fn history(rows: &[HistoryRow], style: Style) -> String {
    let table: Vec<_> = rows
        .iter()
        .map(|row| {
            let step = row.step.as_deref().map(harmless_line).unwrap_or_default();
            [
                (Tone::Faint, row.lsn.to_string()),
                (Tone::Faint, row.at.clone()),
                (Tone::Strong, row.what.clone()),
                (Tone::Strong, step),
                (Tone::Faint, detail(&row.detail)),
            ]
        })
        .collect();
    columns(&table, style)
}

/// `token=3 cause="cancel"`, what is empty left out.
fn detail(detail: &Json) -> String {
    let Json::Object(map) = detail else { return String::new() };
    let parts =
        map.iter().filter(|(_, value)| !is_empty(value)).map(|(key, value)| format!("{key}={}", output_value(value)));
    parts.collect::<Vec<_>>().join(" ")
}

fn is_empty(value: &Json) -> bool {
    match value {
        Json::Null => true,
        Json::Bool(value) => !value,
        Json::Object(map) => map.is_empty(),
        Json::Array(values) => values.is_empty(),
        Json::String(_) | Json::Number(_) => false,
    }
}

/// One run, whole.
pub fn run(view: &RunView, context: &Context) -> String {
    let style = context.stdout;
    let now = Timestamp::now();
    let status = if view.interrupted { format!("{} (interrupted)", view.status) } else { view.status.clone() };
    let mut out = format!(
        "run {} of {}  {}\n",
        view.id,
        style.paint(Tone::Strong, &harmless_line(&view.runbook)),
        style.paint(words::run_tone(&view.status), &status)
    );
    let took = elapsed(Some(&view.created), view.ended.as_deref(), now).map(duration).unwrap_or_default();
    let _ = writeln!(
        out,
        "  started {} by {}, {took}",
        super::plain::seconds(&view.created),
        asked_by(&view.by, view.caller)
    );
    for edit in &view.edits {
        let _ = writeln!(out, "  {}", words::edited(edit));
    }
    if let Some(by) = &view.cancelled_by {
        let _ = writeln!(out, "  cancelled by {}", harmless_line(by));
    }
    if let Some(pause) = &view.paused {
        let why = pause.reason.as_deref().map_or_else(String::new, |why| format!(": {}", harmless_line(why)));
        let since = super::plain::seconds(&pause.since);
        let _ = writeln!(out, "  paused by {} since {since}{why}", harmless_line(&pause.by));
    }
    let _ = writeln!(
        out,
        "  definition {}",
        style.paint(Tone::Faint, view.definition.get(..12).unwrap_or(&view.definition))
    );
    if let Some(gone) = &view.gone {
        let _ = writeln!(out, "  {}", words::gone(gone));
    }
    let first_log = view.steps.iter().flat_map(|step| &step.logs).next();
    if let Some(at) = first_log.and_then(|log| retired(Path::new(log).parent()?)) {
        let _ = writeln!(out, "  logs removed by retention on {}", harmless_line(&at));
    }
    for (title, values) in [("params", &view.params), ("outputs", &view.outputs)] {
        if !values.is_empty() {
            let _ = writeln!(out, "{title}");
        }
        for (name, value) in values {
            let _ = writeln!(out, "  {} = {}", style.paint(Tone::Strong, &harmless_line(name)), output_value(value));
        }
    }
    if !view.steps.is_empty() {
        let _ = writeln!(out, "steps");
        let table: Vec<_> = view.steps.iter().map(|step| step_row(step, now)).collect();
        out.push_str(&columns(&table, style));
    }
    if let Some(error) = &view.error {
        let _ = writeln!(out, "error");
        out.push_str(&explain_error(error, |_| 1, style));
    }
    let is_stuck = |step: &&StepView| words::needs_somebody(step) || (step.awaits.is_some() && !view.interrupted);
    let stuck: Vec<_> = view.steps.iter().filter(is_stuck).collect();
    let hints = Hints::new(context);
    let next = if view.interrupted && stuck.is_empty() {
        hints.line(&format!("resume {}", view.id), "go on where it was cut off")
    } else {
        let failed = view.error.as_ref().and_then(|error| view.steps.iter().find(|step| step.path == error.step));
        next_steps(view.id, &view.status, &stuck, failed, &hints)
    };
    if !next.is_empty() {
        let _ = write!(out, "next\n{next}");
    }
    out
}

fn step_row(step: &StepView, now: Timestamp) -> [(Tone, String); 5] {
    let took = match step.status {
        StepStatus::Skipped | StepStatus::Pending => None,
        _ => elapsed(step.started.as_deref(), step.ended.as_deref(), now),
    };
    let outputs = step.outputs.iter().filter(|(_, value)| !is_empty(value));
    let outputs: Vec<_> =
        outputs.map(|(name, value)| format!("{name}={}", super::text::cut(&output_value(value), 40))).collect();
    let mut detail = words::detail(step, 1, now);
    if detail.is_empty() {
        detail = outputs.join(" ");
    }
    [
        (Tone::Strong, format!("  {}", harmless_line(&step.path))),
        (Tone::Faint, step.kind.clone()),
        (words::tone(step), step.status.name().to_owned()),
        (Tone::Faint, took.map(duration).unwrap_or_default()),
        (Tone::Faint, harmless_line(&detail)),
    ]
}

/// Cells below each other; the last column is as wide as it is.
pub(super) fn columns<const N: usize>(table: &[[(Tone, String); N]], style: Style) -> String {
    let widths: Vec<_> =
        (0..N).map(|column| table.iter().map(|row| width(&row[column].1)).max().unwrap_or(0)).collect();
    let mut out = String::new();
    for row in table {
        let mut line = String::new();
        for (column, (tone, cell)) in row.iter().enumerate() {
            line.push_str(&style.paint(*tone, cell));
            if row[column + 1..].iter().any(|(_, later)| !later.is_empty()) {
                line.push_str(&" ".repeat(widths[column] - width(cell) + 2));
            }
        }
        out.push_str(&line);
        out.push('\n');
    }
    out
}
