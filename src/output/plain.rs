//! Runs in a pipe or a log file: one line for each thing that happens, with its time in UTC.
//!
//! ```text
//! 2026-03-01T09:00:00Z 06bq3v8zk7dm storage/disk-cleanup started
//! 2026-03-01T09:00:00Z before running
//! 2026-03-01T09:00:01Z before | 97%
//! 2026-03-01T09:00:01Z before succeeded
//! ```

use std::collections::BTreeMap;

use jiff::{Timestamp, Unit};
use lockstep_engine::api::{Event, StepView};
use lockstep_engine::core::run::StepStatus;
use lockstep_engine::id::RunId;

use super::story::{Story, elapsed};
use super::style::{Style, Tone};
use super::summary::{Hints, summary};
use super::text::{duration, harmless_line};
use super::{Watcher, event_run, print, say, words};
use crate::context::Context;
use crate::ending::Failure;

/// Prints lines.
#[derive(Debug)]
pub struct Plain {
    stories: BTreeMap<RunId, Story>,
    style: Style,
    hints: Hints,
}

impl Plain {
    /// Nothing is printed yet.
    pub fn new(context: &Context) -> Self {
        Self { stories: BTreeMap::new(), style: context.stdout, hints: Hints::new(context) }
    }

    fn line(&self, run: RunId, at: &str, text: &str) -> Result<(), Failure> {
        let run = if self.stories.len() > 1 { format!("{run} ") } else { String::new() };
        print(&format!("{} {run}{text}\n", self.style.paint(Tone::Faint, &seconds(at))))
    }

    fn step(&self, step: &StepView, tries: u32) -> String {
        let status = self.style.paint(words::tone(step), step.status.name());
        let mut line = format!("{} {status}", self.style.paint(Tone::Strong, &harmless_line(&step.path)));
        if step.status.is_end()
            && step.status != StepStatus::Skipped
            && let Some(millis) = elapsed(step.started.as_deref(), step.ended.as_deref(), Timestamp::now())
        {
            line.push_str(&self.style.paint(Tone::Faint, &format!(" in {}", duration(millis))));
        }
        let detail = words::detail(step, tries, Timestamp::now());
        if !detail.is_empty() {
            line.push_str(": ");
            line.push_str(&detail);
        }
        line
    }
}

impl Watcher for Plain {
    fn event(&mut self, event: &Event) -> Result<(), Failure> {
        let id = event_run(event);
        let story = self.stories.entry(id).or_insert_with(|| Story::new(id));
        let before = match event {
            Event::Step { step, .. } => story.step(&step.path).map(|step| step.status),
            _ => None,
        };
        story.apply(event);
        match event {
            Event::Started { runbook, at, .. } => {
                let runbook = self.style.paint(Tone::Strong, &harmless_line(runbook));
                print(&format!("{} {id} {runbook} started\n", self.style.paint(Tone::Faint, &seconds(at))))
            }
            // That a step is there and has not begun is no news.
            Event::Step { step, .. } if matches!(step.status, StepStatus::Pending | StepStatus::Ready) => Ok(()),
            Event::Step { step, .. } if before == Some(step.status) && step.status.is_end() => Ok(()),
            Event::Step { at, step, .. } => {
                let tries = story.tries(&step.path);
                self.line(id, at, &self.step(step, tries))
            }
            Event::Output { path, line, .. } => {
                let now = Timestamp::now().to_string();
                let bar = self.style.paint(Tone::Faint, "|");
                self.line(id, &now, &format!("{} {bar} {}", harmless_line(path), harmless_line(line)))
            }
            Event::Status { at, status, reason: Some(reason), .. } => {
                let status = self.style.paint(words::run_tone(status), status);
                self.line(id, at, &format!("{id} {status}: {}", harmless_line(reason)))
            }
            // That the run waits is seen on the step that waits, and how it ended in the summary.
            Event::Status { reason: None, .. } | Event::Run { .. } => Ok(()),
        }
    }

    fn note(&mut self, text: &str) {
        // Standard error may be gone; the run goes on all the same.
        let _ = say(text);
    }

    fn close(&mut self) -> Result<(), Failure> {
        let text: String = self.stories.values().map(|story| summary(story, &self.hints, self.style)).collect();
        print(&text)
    }
}

/// A moment without the fraction of its second.
pub fn seconds(at: &str) -> String {
    let moment = at.parse::<Timestamp>().ok().and_then(|moment| {
        let floor = jiff::TimestampRound::new().smallest(Unit::Second).mode(jiff::RoundMode::Trunc);
        moment.round(floor).ok()
    });
    moment.map_or_else(|| at.to_owned(), |moment| moment.to_string())
}
