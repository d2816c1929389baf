//! `skip RUN STEP`: a person says that a step is not to run, and why.
//!
//! It counts as skipped: at once where it waits, is in doubt or could begin, else when its turn comes, so that nothing
//! behind it begins before what it needs has ended. A failed step of a run that has ended is skipped by a `retry` of the
//! run. What asks for an approval cannot be skipped: nobody would have approved what comes behind it.

use lockstep_dsl::graph::{Graph, Kind, NodeId};
use lockstep_dsl::value::Timestamp;
use serde::{Deserialize, Serialize};

use super::decide::Refused;
use super::opening::node_by_path;
use super::record::{Change, RunOutcome, Skip};
use super::state::{Phase, Run};
use super::turn::{Turn, Work};
use crate::clock::Stamp;
use crate::id::StepNo;

/// That a person said of a step that it is not to run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiver {
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

impl Turn<'_> {
    /// A person says that a step is not to run.
    pub fn waive(&mut self, path: &str, by: String, reason: String) -> Result<(), Refused> {
        let step = self.run.step_by_path(path);
        let known = step.map(|step| self.run.step(step).node);
        let Some(node) = known.or_else(|| node_by_path(&self.run.graph, path)) else {
            let id = self.run.id;
            let why = format!("run {id} has no step `{path}`");
            return Err(Refused::Instead { why, instead: format!("`lockstep show {id}` names its steps") });
        };
        self.refuse_gate(path, node)?;
        match step {
            Some(step) if self.run.is_ended() => self.waive_in_ended(step, path, by, reason),
            Some(step) => self.waive_step(step, path, by, reason),
            None if self.run.is_ended() => Err(self.has_ended(path)),
            // Its block has not begun: what is said holds for every visit of it.
            None => {
                self.emit(Change::Waived { step: None, node, by, reason });
                Ok(())
            }
        }
    }

    fn waive_step(&mut self, step: StepNo, path: &str, by: String, reason: String) -> Result<(), Refused> {
        let id = self.run.id;
        let node = self.run.step(step).node;
        let refuse = |why: String, instead: String| Err(Refused::Instead { why, instead });
        let is_begun_block = !self.run.bodies(step).is_empty() || self.run.step(step).looping.is_some();
        match *self.phase(step) {
            Phase::Pending => {
                let at_once = self.run.is_held_back(step);
                self.emit(Change::Waived { step: Some(step), node, by, reason });
                if at_once {
                    self.push(Work::Ready(step));
                }
                Ok(())
            }
            Phase::Inside | Phase::Held { .. } | Phase::Delayed { .. } if is_begun_block => refuse(
                format!("step `{path}` has begun, and has steps in it"),
                format!("name one of these; `lockstep show {id}` lists them"),
            ),
            Phase::Asking(super::record::Question::When)
            | Phase::Locking { .. }
            | Phase::Held { .. }
            | Phase::Delayed { .. }
            | Phase::Awaiting { .. }
            | Phase::InDoubt { .. } => {
                self.emit(Change::Waived { step: Some(step), node, by, reason });
                self.skip(step, Skip::Person);
                Ok(())
            }
            Phase::Calling { run, .. } => refuse(
                format!("step `{path}` waits for run {run}, which it called"),
                format!("`lockstep skip {run} STEP` skips a step there, `lockstep cancel {run}` ends it"),
            ),
            Phase::Asking(_) | Phase::Deciding | Phase::Running { .. } | Phase::Inside => refuse(
                format!("step `{path}` runs, and what runs is not skipped"),
                format!("`lockstep cancel {id}` stops it with the run; when it has failed it can be skipped"),
            ),
            Phase::Ended { .. } => Err(self.has_ended(path)),
        }
    }

    /// A step that did not end well is skipped in a run that goes on because of that.
    fn waive_in_ended(&mut self, step: StepNo, path: &str, by: String, reason: String) -> Result<(), Refused> {
        if self.run.outcome == Some(RunOutcome::Succeeded) || !self.run.is_opened_by_retry(step) {
            return Err(self.has_ended(path));
        }
        let node = self.run.step(step).node;
        self.emit(Change::Waived { step: Some(step), node, by: by.clone(), reason });
        self.retry(by)
    }

    /// Why a step that has ended, or one of a run that has, is not skipped.
    fn has_ended(&self, path: &str) -> Refused {
        let id = self.run.id;
        let step = self.run.step_by_path(path).map(|step| self.run.step(step).status().name());
        let why = match (step, self.run.is_ended()) {
            (Some(status), _) => format!("step `{path}` has ended, it is {status}"),
            (None, _) => format!("run {id} has ended, it {}", self.run.status_name()),
        };
        let instead = if self.run.is_ended() {
            "only a step that failed, or was stopped, is skipped in a run that has ended; of a block, the step in it"
        } else {
            "a step that failed is skipped when its run has ended, which then goes on"
        };
        Refused::Instead { why, instead: instead.to_owned() }
    }

    fn refuse_gate(&self, path: &str, node: NodeId) -> Result<(), Refused> {
        let id = self.run.id;
        let Some(gate) = gate_in(&self.run.graph, node) else { return Ok(()) };
        let why = if gate == self.run.graph.node(node).path {
            format!("step `{path}` asks for an approval, which is not skipped")
        } else {
            format!("step `{path}` holds `{gate}`, which asks for an approval and is not skipped")
        };
        let instead = format!("`lockstep approve {id} {gate}` says yes, `lockstep reject {id} {gate}` no");
        Err(Refused::Instead { why, instead })
    }
}

impl Run {
    /// What a person said of a step that is not to run.
    pub fn waiver(&self, no: StepNo) -> Option<&Waiver> {
        let step = self.step(no);
        step.waiver.as_deref().or_else(|| self.waivers.get(&step.node))
    }

    pub(super) fn waive(&mut self, step: Option<StepNo>, node: NodeId, by: &str, reason: &str, at: Stamp) {
        let waiver = Waiver { by: by.to_owned(), reason: reason.to_owned(), at: at.wall };
        match step {
            Some(step) => self.step_mut(step).waiver = Some(Box::new(waiver)),
            None => {
                self.waivers.insert(node, waiver);
            }
        }
    }
}

/// The path of a step that asks for an approval: this one, one in its blocks, or one of a runbook that is called there.
pub(super) fn gate_in(graph: &Graph, node: NodeId) -> Option<String> {
    let mut left = vec![node];
    while let Some(no) = left.pop() {
        let node = graph.node(no);
        if matches!(node.kind, Kind::Approve(_)) {
            return Some(node.path.clone());
        }
        if let Kind::Call(call) = &node.kind {
            let called = &graph.called_by(call).graph;
            let starts = [Some(called.main), called.on_failure, called.finally].into_iter().flatten();
            let mut steps = starts.flat_map(|block| called.block(block).steps.iter());
            if let Some(gate) = steps.find_map(|step| gate_in(called, *step)) {
                return Some(format!("{}/{gate}", node.path));
            }
        }
        let blocks = node.kind.blocks().into_iter().chain(node.handlers());
        left.extend(blocks.flat_map(|block| graph.block(block).steps.iter().copied()));
    }
    None
}
