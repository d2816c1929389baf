//! `retry RUN`: a run that failed or was cancelled goes on, keeping what succeeded.

use std::sync::Arc;

use lockstep_dsl::graph::{Kind, Node};
use lockstep_dsl::value::Map;

use super::decide::Refused;
use super::record::{RunOutcome, Skip, StepStatus};
use super::state::{ActivationNo, Phase, Run, RunStatus, Step, Timer};
use crate::clock::Stamp;
use crate::id::StepNo;

/// What a `retry` of the run does to a step.
pub(super) enum Fate {
    /// It ended well: it stays as it is.
    Kept,
    /// It has blocks of its own, which go on inside.
    Inside,
    /// The same, as soon as it has the key again that it is to hold meanwhile.
    Locked,
    /// It runs again, as the same visit: with the same key.
    Again,
    /// It was undone: it is visited anew.
    Anew,
}

impl Run {
    /// Whether a person may have it go on.
    pub(super) fn may_be_retried(&self) -> Result<(), Refused> {
        let id = self.id;
        match (self.is_ended(), self.outcome) {
            (false, _) => Err(Refused::NotNow(format!("run {id} has not ended, it is {}", self.status_name()))),
            (true, Some(RunOutcome::Succeeded)) => {
                Err(Refused::NotNow(format!("run {id} succeeded, there is nothing to retry")))
            }
            (true, _) => Ok(()),
        }
    }

    /// Opens the run's steps again where they did not end well.
    pub(super) fn reopen(&mut self, at: Stamp) {
        self.status = RunStatus::Running;
        self.ended = None;
        self.outcome = None;
        self.error = None;
        self.outputs = Map::new();
        self.cancel = None;
        self.cancel_undoes = false;
        self.undoing = None;
        self.undo_halted = false;
        self.finishing = None;
        if let Some(timeout) = self.graph.timeout {
            self.limit(Timer::Run, timeout, at);
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
                    self.limit_total(step, at);
                    self.reopen_inside(step, at);
                }
                Fate::Locked => {
                    self.set_phase(step, Phase::Pending);
                    let again = self.step_mut(step);
                    (again.reopens, again.ended) = (true, None);
                    self.limit_total(step, at);
                }
                Fate::Anew => {
                    let waiver = self.step_mut(step).waiver.take();
                    let new = self.visit_again(step);
                    self.step_mut(new).waiver = waiver;
                }
                Fate::Again => {
                    self.set_phase(step, Phase::Pending);
                    let again = self.step_mut(step);
                    again.rewind();
                    again.started = None;
                    again.outputs = Map::new();
                    again.recall = again.calls.last().copied();
                }
            }
            open += 1;
        }
        self.activations[no].open = open;
        self.recount_needs(no);
    }

    /// A block that did not end well goes on inside.
    pub(super) fn reopen_inside(&mut self, step: StepNo, at: Stamp) {
        self.set_phase(step, Phase::Inside);
        self.step_mut(step).rewind();
        self.arm_block(step, at);
        self.reopen_items(step);
        for inner in self.bodies(step) {
            self.reopen_activation(inner, at);
        }
    }

    fn limit_total(&mut self, step: StepNo, at: Stamp) {
        if let Some(total) = self.node_of(step).timeout.total {
            self.limit(Timer::Total(step), total, at);
        }
    }

    /// What a `retry` of the run does to this step.
    pub(super) fn fate(&self, no: StepNo, node: &Node) -> Fate {
        match self.fate_of_any(no, node) {
            Fate::Inside if node.lock.is_some() => Fate::Locked,
            fate => fate,
        }
    }

    fn fate_of_any(&self, no: StepNo, node: &Node) -> Fate {
        let step = self.step(no);
        let is_undone_inside = || self.links.has_undo_inside(step.node) && self.holds_undone(no);
        match &step.phase {
            Phase::Ended { status: StepStatus::Undone, .. } => Fate::Anew,
            // Rounds come one after another: to go on in one of them would be another loop.
            Phase::Ended { .. } if matches!(node.kind, Kind::Repeat(_)) && is_undone_inside() => Fate::Anew,
            Phase::Ended { status: StepStatus::Succeeded, .. } if is_undone_inside() => Fate::Inside,
            Phase::Ended { status: StepStatus::Failed, .. } if step.handled && is_undone_inside() => {
                if node.kind.blocks().is_empty() { Fate::Again } else { Fate::Inside }
            }
            Phase::Ended { status: StepStatus::Succeeded, .. }
            | Phase::Ended {
                status: StepStatus::Skipped,
                skip: Some(Skip::When | Skip::Disabled | Skip::Passed | Skip::Person),
            } => Fate::Kept,
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

    /// Whether a `retry` of the run comes to this step again.
    pub(super) fn is_opened_by_retry(&self, no: StepNo) -> bool {
        let fate = |no: StepNo| self.fate(no, self.node_of(no));
        let around: Vec<ActivationNo> = self.enclosing(self.step(no).activation).collect();
        let is_main = around.last().is_some_and(|last| self.activations[*last].block == self.graph.main);
        let mut owners = around.iter().filter_map(|around| self.activations[*around].owner);
        is_main
            && matches!(fate(no), Fate::Again | Fate::Anew)
            && owners.all(|owner| matches!(fate(owner), Fate::Inside | Fate::Locked))
    }

    /// The items of a `foreach` in which something failed, was stopped or was undone go on.
    fn reopen_items(&mut self, no: StepNo) {
        let Some(items) = self.step(no).looping.as_deref() else { return };
        let last = items.kept.iter().copied().filter(|item| self.is_of_last_try(items, *item));
        let undone: Vec<ActivationNo> = last.filter(|item| self.activation_holds_undone(*item)).collect();
        if let Some(items) = &mut self.step_mut(no).looping {
            for item in undone {
                items.take_back(item);
            }
            items.reopen();
        }
    }

    /// A step is visited again: as a new one in its place, with a key of its own.
    pub(super) fn visit_again(&mut self, no: StepNo) -> StepNo {
        let Step { node, activation, visit, .. } = *self.step(no);
        let visit = visit.max(self.activations[activation].visit) + 1;
        let new = self.steps.push(Step { visit, ..Step::pending(node, activation, 0) });
        let place = self.links.place(node);
        let activation = &mut self.activations[activation];
        activation.again.insert(place, StepNo(new));
        if let Some(owner) = activation.owner
            && let Some(items) = &mut self.step_mut(owner).looping
        {
            items.deepest = items.deepest.max(visit);
        }
        StepNo(new)
    }

    /// The number of the last visit of any step of an activation.
    pub(super) fn last_visit(&self, no: ActivationNo) -> u32 {
        let activation = &self.activations[no];
        activation.again.values().map(|step| self.step(*step).visit).fold(activation.visit, u32::max)
    }

    /// Whether a `foreach` knows what it runs over.
    fn has_items(&self, no: StepNo) -> bool {
        let is_begun = self.step(no).looping.as_ref().is_some_and(|items| items.has_begun());
        is_begun && matches!(self.node_of(no).kind, Kind::Foreach(_))
    }
}

impl Step {
    fn rewind(&mut self) {
        self.forgiven = self.attempts;
        self.by_rule.clear();
        self.lost = 0;
        self.rounds = 0;
        self.result = None;
        self.error = None;
        self.handled = false;
        self.finalised = false;
        self.handler = None;
        self.undoing = None;
        self.led = None;
        self.ended = None;
        self.reopens = false;
    }
}
