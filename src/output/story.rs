//! What has happened to a run so far, as told by its events: the one thing that trees and summaries are drawn from.

use std::collections::BTreeMap;

use jiff::Timestamp;
use lockstep_engine::api::{ErrorView, Event, PlanRow, StepView};
use lockstep_engine::core::run::StepStatus;
use lockstep_engine::id::RunId;
use serde_json::Value as Json;

use super::text::harmless_line;

/// A run, as far as its events have been heard.
#[derive(Debug)]
pub struct Story {
    /// The run.
    pub id: RunId,
    /// Its runbook.
    pub runbook: String,
    /// When it came to be.
    pub began: Option<Timestamp>,
    /// The steps of the file.
    pub plan: Vec<PlanRow>,
    /// Why it is as it is, where somebody said so: `cancel requested by user:ana`.
    pub reason: Option<String>,
    /// Its end, or why it goes no further.
    pub end: Option<End>,
    /// Every step that was heard of, by path, and since when it is heard of.
    steps: BTreeMap<String, (usize, StepView)>,
    /// The path of the last visit of a step of the plan.
    visits: BTreeMap<String, String>,
    /// The last line of output, by path.
    lines: BTreeMap<String, String>,
}

/// How a run ended, or why it goes no further.
#[derive(Clone, Debug)]
pub struct End {
    /// `succeeded`, `failed`, `cancelled`, or `waiting` for a person.
    pub status: String,
    /// Its outputs.
    pub outputs: BTreeMap<String, Json>,
    /// Why it did not end well.
    pub error: Option<ErrorView>,
}

impl Story {
    /// A run of which nothing was heard yet.
    pub fn new(id: RunId) -> Self {
        Self {
            id,
            runbook: String::new(),
            began: None,
            plan: Vec::new(),
            reason: None,
            end: None,
            steps: BTreeMap::new(),
            visits: BTreeMap::new(),
            lines: BTreeMap::new(),
        }
    }

    /// Takes in what happened.
    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::Started { runbook, since, plan, .. } => {
                self.runbook.clone_from(runbook);
                self.began = since.parse().ok();
                self.plan.clone_from(plan);
            }
            Event::Step { step, .. } => {
                self.visits.insert(planned_path(&step.path), step.path.clone());
                let place = self.steps.len();
                let entry = self.steps.entry(step.path.clone()).or_insert_with(|| (place, (**step).clone()));
                entry.1 = (**step).clone();
            }
            Event::Output { path, line, .. } => {
                let line = harmless_line(line);
                if !line.trim().is_empty() {
                    self.lines.insert(path.clone(), line);
                }
            }
            Event::Status { reason, .. } => self.reason.clone_from(reason),
            Event::Run { status, outputs, error, .. } => {
                self.end = Some(End { status: status.clone(), outputs: outputs.clone(), error: error.clone() });
            }
        }
    }

    /// The last visit of a step of the plan.
    pub fn visit(&self, planned: &str) -> Option<&StepView> {
        self.visits.get(planned).and_then(|path| self.step(path))
    }

    /// The step with this path.
    pub fn step(&self, path: &str) -> Option<&StepView> {
        self.steps.get(path).map(|(_, step)| step)
    }

    /// The last line that the step printed, harmless.
    pub fn last_line(&self, path: &str) -> Option<&str> {
        self.lines.get(path).map(String::as_str)
    }

    /// All steps in the order in which they were first heard of.
    pub fn steps(&self) -> Vec<&StepView> {
        let mut steps: Vec<_> = self.steps.values().collect();
        steps.sort_by_key(|(place, _)| *place);
        steps.into_iter().map(|(_, step)| step).collect()
    }

    /// The steps that wait for somebody to say something: what became of them, or what they await.
    pub fn needs_a_word(&self) -> Vec<&StepView> {
        let needs = |step: &&StepView| step.status == StepStatus::InDoubt || step.awaits.is_some();
        self.steps().into_iter().filter(needs).collect()
    }

    /// How often the step with this path is tried at most.
    pub fn tries(&self, path: &str) -> u32 {
        let planned = planned_path(path);
        self.plan.iter().find(|row| row.path == planned).map_or(1, |row| row.tries)
    }
}

/// The path in the file of a path in the run: without the numbers of visits, items and rounds.
pub fn planned_path(path: &str) -> String {
    let parts: Vec<_> = path.split('/').map(|part| part.split(['~', '[']).next().unwrap_or(part)).collect();
    parts.join("/")
}

/// Milliseconds between two moments, as they are written in views; up to now where the second is missing.
pub fn elapsed(started: Option<&str>, ended: Option<&str>, now: Timestamp) -> Option<u64> {
    let started: Timestamp = started?.parse().ok()?;
    let ended = match ended {
        Some(ended) => ended.parse().ok()?,
        None => now,
    };
    u64::try_from(ended.as_millisecond() - started.as_millisecond()).ok()
}
