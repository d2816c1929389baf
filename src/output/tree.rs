//! The live tree: one line a step, as many as fit, those that matter most first.
//!
//! Draws nothing itself: gives lines for a story, a size and a moment, so that it can be tested without a terminal.

use std::collections::BTreeSet;

use jiff::Timestamp;
use lockstep_engine::api::{PlanRow, StepView};
use lockstep_engine::core::run::StepStatus;

use super::line::Line;
use super::story::{Story, elapsed};
use super::style::{Style, Tone};
use super::text::{count, duration, harmless_line};
use super::words;

/// What the tree is drawn on.
#[derive(Clone, Copy, Debug)]
pub struct Canvas {
    /// Columns of the terminal.
    pub columns: usize,
    /// Lines that may be used; `None` for as many as there are steps.
    pub rows: Option<usize>,
    /// How to paint.
    pub style: Style,
    /// Whether the terminal can show more than ASCII.
    pub unicode: bool,
    /// The moment that is drawn.
    pub now: Timestamp,
    /// Counts the drawings, so that what runs turns.
    pub frame: usize,
}

/// A step of the plan with its last visit, where there is one.
#[derive(Clone, Copy)]
struct Row<'a> {
    plan: &'a PlanRow,
    step: Option<&'a StepView>,
}

/// The lines of a story, the run's own first.
pub fn lines(story: &Story, canvas: &Canvas) -> Vec<String> {
    let all = rows(story);
    let room = canvas.rows.map_or(usize::MAX, |rows| rows.saturating_sub(1).max(1));
    let (shown, hidden) = if all.len() <= room {
        ((0..all.len()).collect(), None)
    } else {
        let shown = choose(&all, room.saturating_sub(1));
        let hidden = hidden_line(&all, &shown);
        (shown, Some(hidden))
    };
    std::iter::once(head(story, canvas))
        .chain(shown.into_iter().map(|index| step_line(story, all[index], canvas)))
        .chain(hidden)
        // The last column stays free: some terminals wrap when it is written to.
        .map(|line| line.fit(canvas.columns.saturating_sub(1), canvas.style))
        .collect()
}

/// The steps that are worth a line: handlers only when something happens in them.
fn rows(story: &Story) -> Vec<Row<'_>> {
    let all = story.plan.iter().map(|plan| Row { plan, step: story.visit(&plan.path) });
    all.filter(|row| row.step.is_some_and(|step| step.status != StepStatus::Pending) || !is_handler(&row.plan.path))
        .collect()
}

fn is_handler(path: &str) -> bool {
    path.split('/').rev().skip(1).any(|part| matches!(part, "catch" | "finally" | "on_failure" | "undo" | "probe"))
}

/// The steps to show where not all fit: what is going on with the blocks around it, then failures, then what comes
/// next, then what was done last.
fn choose(all: &[Row<'_>], room: usize) -> BTreeSet<usize> {
    let is = |row: &Row<'_>, statuses: &[StepStatus]| row.step.is_some_and(|step| statuses.contains(&step.status));
    let active =
        |row: &Row<'_>| is(row, &[StepStatus::InDoubt, StepStatus::Running, StepStatus::Waiting, StepStatus::Ready]);
    let (around, leaves): (Vec<_>, Vec<_>) = (0..all.len()).filter(|index| active(&all[*index])).partition(|index| {
        let inside = format!("{}/", all[*index].plan.path);
        all.iter().any(|other| active(other) && other.plan.path.starts_with(&inside))
    });
    let is_over = |row: &Row<'_>| row.step.is_some_and(|step| step.status.is_end());
    let first_open = all.iter().position(|row| !is_over(row)).unwrap_or(all.len());
    let failed = (0..all.len()).filter(|index| is(&all[*index], &[StepStatus::Failed]));
    let next = (first_open..all.len()).filter(|index| !is(&all[*index], &[StepStatus::Skipped]));
    let last = (0..first_open).rev();
    let mut chosen = BTreeSet::new();
    for index in leaves.iter().copied().chain(around).chain(failed).chain(next).chain(last) {
        if chosen.len() == room {
            break;
        }
        chosen.insert(index);
    }
    chosen
}

fn hidden_line(all: &[Row<'_>], shown: &BTreeSet<usize>) -> Line {
    let hidden: Vec<_> = (0..all.len()).filter(|index| !shown.contains(index)).collect();
    let ended = hidden.iter().filter(|index| all[**index].step.is_some_and(|step| step.status.is_end())).count();
    let text = format!("  … {} not shown, {ended} of them ended", count(hidden.len(), "step"));
    Line::new().toned(Tone::Faint, text)
}

fn head(story: &Story, canvas: &Canvas) -> Line {
    let began = story.began.map_or(canvas.now, |began| began);
    let age = u64::try_from(canvas.now.as_millisecond() - began.as_millisecond()).unwrap_or(0);
    let line = Line::new()
        .toned(Tone::Strong, harmless_line(&story.runbook))
        .toned(Tone::Faint, format!("  {}  {}", story.id, duration(age)));
    match &story.reason {
        Some(reason) => line.toned(Tone::Waiting, format!("  {}", harmless_line(reason))),
        None => line,
    }
}

fn step_line(story: &Story, row: Row<'_>, canvas: &Canvas) -> Line {
    let indent = "  ".repeat(row.plan.depth + 1);
    let name = harmless_line(row.plan.path.rsplit('/').next().unwrap_or(&row.plan.path));
    let Some(step) = row.step else {
        let sign = if canvas.unicode { "·" } else { "." };
        return Line::new().toned(Tone::Faint, format!("{indent}{sign} {name}"));
    };
    let tone = words::tone(step);
    let name = match step.path.rsplit('/').next().and_then(|last| last.split_once('~')) {
        Some((_, visit)) => format!("{name}~{visit}"),
        None => name,
    };
    let mut line = Line::new().plain(indent).toned(tone, sign(step, canvas)).plain(" ").toned(
        if step.status.is_end() && !matches!(step.status, StepStatus::Failed) { Tone::Faint } else { Tone::Strong },
        name,
    );
    if let Some(title) = step.title.as_ref().or(row.plan.title.as_ref()) {
        line = line.toned(Tone::Faint, format!("  {}", harmless_line(title)));
    }
    if step.status != StepStatus::Skipped
        && let Some(millis) = elapsed(step.started.as_deref(), step.ended.as_deref(), canvas.now)
    {
        line = line.toned(Tone::Faint, format!("  {}", duration(millis)));
    }
    let detail = words::detail(step, row.plan.tries, canvas.now);
    if !detail.is_empty() {
        line = line.toned(tone, format!("  {detail}"));
    }
    if step.status == StepStatus::Running
        && let Some(output) = story.last_line(&step.path)
    {
        let bar = if canvas.unicode { "│" } else { "|" };
        line = line.toned(Tone::Faint, format!("  {bar} {output}"));
    }
    line
}

fn sign(step: &StepView, canvas: &Canvas) -> &'static str {
    const TURNING: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
    const TURNING_ASCII: [&str; 4] = ["|", "/", "-", "\\"];
    let pick = |unicode, ascii| if canvas.unicode { unicode } else { ascii };
    match step.status {
        StepStatus::Pending | StepStatus::Ready => pick("·", "."),
        StepStatus::Running => pick(TURNING[canvas.frame % 10], TURNING_ASCII[canvas.frame % 4]),
        StepStatus::Waiting => pick("◷", "~"),
        StepStatus::InDoubt => "?",
        StepStatus::Succeeded => pick("✓", "+"),
        StepStatus::Failed if step.handled => "!",
        StepStatus::Failed => pick("✗", "x"),
        StepStatus::Skipped => pick("–", "-"),
        StepStatus::Cancelled => pick("⊘", "o"),
        StepStatus::Undone => pick("↩", "<"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use lockstep_engine::api::Event;
    use lockstep_engine::id::RunId;
    use lockstep_engine::worker::Stream;
    use serde_json::Value as Json;

    use super::*;
    use crate::output::text::width;

    const AT: &str = "2026-03-01T09:00:00Z";

    /// A story whose steps (path, state) are told in this order.
    fn story(plan: &[&str], told: &[(&str, StepStatus)]) -> Story {
        let id = RunId::new(1_800_000_000_000, 7);
        let row = |path: &&str| PlanRow {
            path: (*path).to_owned(),
            kind: "shell".to_owned(),
            title: None,
            depth: path.matches('/').count(),
            tries: 3,
        };
        let mut story = Story::new(id);
        let plan = plan.iter().map(row).collect();
        story.apply(&Event::Started { id, runbook: "demo".to_owned(), at: AT.to_owned(), since: AT.to_owned(), plan });
        for (path, status) in told {
            let step = Box::new(step(path, *status));
            story.apply(&Event::Step { id, at: AT.to_owned(), step });
        }
        story
    }

    fn step(path: &str, status: StepStatus) -> StepView {
        StepView {
            path: path.to_owned(),
            kind: "shell".to_owned(),
            title: None,
            status,
            reason: None,
            attempts: 0,
            handled: false,
            outputs: BTreeMap::<String, Json>::new(),
            error: None,
            started: Some(AT.to_owned()),
            ended: status.is_end().then(|| "2026-03-01T09:00:01Z".to_owned()),
            until: None,
            since: None,
            needs: Vec::new(),
            awaits: None,
            skip: None,
            logs: Vec::new(),
        }
    }

    fn drawn(story: &Story, columns: usize, rows: Option<usize>) -> Vec<String> {
        let now = "2026-03-01T09:00:02Z".parse().unwrap();
        lines(story, &Canvas { columns, rows, style: Style { color: false }, unicode: true, now, frame: 0 })
    }

    #[test]
    fn steps_stand_below_their_blocks_with_what_they_do() {
        let mut story = story(
            &["a", "b", "b/c", "b/catch/d", "e"],
            &[("a", StepStatus::Succeeded), ("b", StepStatus::Running), ("b/c", StepStatus::Running)],
        );
        let (id, stream) = (story.id, Stream::Stdout);
        let line = "50%\r\x1b[31m60%".to_owned();
        story.apply(&Event::Output { id, path: "b/c".to_owned(), stream, line });
        let head = format!("demo  {id}  2.0s");
        assert_eq!(
            drawn(&story, 80, None),
            [&head, "  ✓ a  1.0s", "  ⠋ b  2.0s", "    ⠋ c  2.0s  │ 60%", "  · e"],
            "a handler that does nothing has no line"
        );
    }

    #[test]
    fn the_clock_of_a_run_that_is_watched_anew_goes_on() {
        let mut story = story(&["a"], &[("a", StepStatus::Running)]);
        let (id, at) = (story.id, AT.to_owned());
        let since = "2026-03-01T08:00:00Z".to_owned();
        story.apply(&Event::Started { id, runbook: "demo".to_owned(), at, since, plan: Vec::new() });
        assert_eq!(drawn(&story, 80, None)[0], format!("demo  {id}  1h00m"));
    }

    #[test]
    fn a_later_visit_takes_the_place_of_an_earlier_one() {
        let story = story(&["b", "b/c"], &[("b/c", StepStatus::Failed), ("b/c~2", StepStatus::Running)]);
        assert_eq!(drawn(&story, 80, None)[2], "    ⠋ c~2  2.0s");
    }

    #[test]
    fn retries_and_waits_say_how_long() {
        let mut waiting = step("a", StepStatus::Waiting);
        (waiting.attempts, waiting.until) = (1, Some("2026-03-01T09:00:06Z".to_owned()));
        waiting.error = Some(lockstep_engine::api::ErrorView {
            kind: "failed".to_owned(),
            message: "exited with code 1".to_owned(),
            step: "a".to_owned(),
            attempt: 1,
            data: Json::Null,
            cause: None,
        });
        let mut story = story(&["a"], &[]);
        story.apply(&Event::Step { id: story.id, at: AT.to_owned(), step: Box::new(waiting) });
        assert_eq!(drawn(&story, 80, None)[1], "  ◷ a  2.0s  attempt 2 of 3 in 4.0s, after: exited with code 1");
    }

    #[test]
    fn where_not_all_fit_what_goes_on_is_shown() {
        let plan: Vec<String> = (0..50).map(|number| format!("s{number}")).collect();
        let plan: Vec<&str> = plan.iter().map(String::as_str).collect();
        let mut told: Vec<_> = plan[..30].iter().map(|path| (*path, StepStatus::Succeeded)).collect();
        told[3].1 = StepStatus::Failed;
        told.extend([("s30", StepStatus::Running), ("s40", StepStatus::InDoubt)]);
        let lines = drawn(&story(&plan, &told), 80, Some(7));
        assert_eq!(lines.len(), 7);
        let names: Vec<_> = lines[1..6].iter().filter_map(|line| line.split_whitespace().nth(1)).collect();
        assert_eq!(names, ["s3", "s30", "s31", "s32", "s40"]);
        assert_eq!(lines[6], "  … 45 steps not shown, 29 of them ended");
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        let story = story(&["a-very-long-name-of-a-step-that-never-ends"], &[]);
        for columns in 1..60 {
            assert!(drawn(&story, columns, Some(2)).iter().all(|line| width(line) < columns.max(1)), "{columns}");
        }
    }
}
