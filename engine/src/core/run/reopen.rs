//! `retry RUN`: a run that failed or was cancelled goes on, keeping what succeeded.

use std::sync::Arc;

use lockstep_dsl::graph::{Kind, Node};
use lockstep_dsl::value::Map;

use super::record::{Skip, StepStatus};
use super::state::{ActivationNo, Phase, Run, RunStatus, Step, Timer};
use crate::clock::Stamp;
use crate::id::StepNo;

/// What a `retry` of the run does to a step.
enum Fate {
    /// It ended well: it stays as it is.
    Kept,
    /// It has blocks of its own, which go on inside.
    Inside,
    /// It runs again, as the same visit: with the same key.
    Again,
}

impl Run {
    /// Opens the run's steps again where they did not end well.
    pub(super) fn reopen(&mut self, at: Stamp) {
        self.status = RunStatus::Running;
        self.ended = None;
        self.outcome = None;
        self.error = None;
        self.outputs = Map::new();
        self.cancel = None;
        self.finishing = None;
        if let Some(timeout) = self.graph.timeout {
            self.arm(at.time.saturating_add(timeout.0), Timer::Run);
        }
        if let Some(main) = self.latest.get(&(None, self.graph.main)).copied() {
            self.reopen_activation(main, at);
        }
    }

    pub(super) fn reopen_activation(&mut self, no: ActivationNo, at: Stamp) {
        let graph = Arc::clone(&self.graph);
        let activation = &mut self.activations[no];
        activation.halt = None;
        activation.errors.clear();
        let mut open = 0;
        for step in self.steps_of(no) {
            let node = graph.node(self.step(step).node);
            match self.fate(step, node) {
                Fate::Kept => continue,
                Fate::Inside => {
                    self.set_phase(step, Phase::Inside);
                    self.step_mut(step).rewind();
                    self.arm_block(step, at);
                    if let Some(total) = node.timeout.total {
                        self.arm(at.time.saturating_add(total.0), Timer::Total(step));
                    }
                    if let Some(items) = &mut self.step_mut(step).looping {
                        items.reopen();
                    }
                    for inner in self.bodies(step) {
                        self.reopen_activation(inner, at);
                    }
                }
                Fate::Again => {
                    self.set_phase(step, Phase::Pending);
                    let again = self.step_mut(step);
                    again.rewind();
                    again.started = None;
                    again.outputs = Map::new();
                }
            }
            open += 1;
        }
        self.activations[no].open = open;
        self.recount_needs(no);
    }

    fn fate(&self, no: StepNo, node: &Node) -> Fate {
        let step = self.step(no);
        match &step.phase {
            Phase::Ended { status: StepStatus::Succeeded, .. }
            | Phase::Ended { status: StepStatus::Skipped, skip: Some(Skip::When | Skip::Disabled) } => Fate::Kept,
            Phase::Ended { status: StepStatus::Failed, .. } if step.handled => Fate::Kept,
            Phase::Ended { status: StepStatus::Failed | StepStatus::Cancelled, .. }
                if self.has_items(no)
                    || node.kind.blocks().iter().any(|block| self.latest.contains_key(&(Some(no), *block))) =>
            {
                Fate::Inside
            }
            _ => Fate::Again,
        }
    }

    /// Whether a `foreach` knows what it runs over.
    fn has_items(&self, no: StepNo) -> bool {
        let is_begun = self.step(no).looping.as_ref().is_some_and(|items| items.has_begun());
        is_begun && matches!(self.node_of(no).kind, Kind::Foreach(_))
    }

    fn recount_needs(&mut self, no: ActivationNo) {
        let graph = Arc::clone(&self.graph);
        let links = Arc::clone(&self.links);
        let first = self.activations[no].first.0;
        for step in self.steps_of(no) {
            let needs = &graph.node(self.step(step).node).needs;
            let missing =
                needs.iter().filter(|need| !self.step(StepNo(first + links.place(**need))).status().is_end()).count();
            self.step_mut(step).missing = u32::try_from(missing).expect("a step has fewer than 2^32 needs");
        }
    }
}

impl Step {
    fn rewind(&mut self) {
        self.forgiven = self.attempts;
        self.lost = 0;
        self.rounds = 0;
        self.result = None;
        self.error = None;
        self.handled = false;
        self.finalised = false;
        self.handler = None;
        self.ended = None;
    }
}
