//! Follows what becomes durable, and tells what of the run it is.

use std::collections::BTreeMap;

use lockstep_dsl::graph::{Kind, NodeId};

use super::story::{Begun, Called, Reached};
use crate::core::run::{Change, Record, Run, Skip, StepStatus};
use crate::encode::decode;
use crate::id::{RunId, StepNo};
use crate::store::Frame;
use crate::store::memory::MemoryDisk;

/// What was seen so far.
#[derive(Debug, Default)]
pub(super) struct Observer {
    /// Frames that were looked at.
    frames: usize,
    nodes: BTreeMap<(RunId, StepNo), NodeId>,
    /// Steps of the run that is rehearsed.
    pub begun: Vec<Begun>,
    pub called: Vec<Called>,
    pub reached: BTreeMap<String, Reached>,
    /// Steps whose probe found out that the last attempt took no effect, since they were asked for.
    pub untouched: Vec<(RunId, StepNo)>,
}

impl Observer {
    /// What frames that are new on the disk change, each with its run.
    pub fn news(&mut self, disk: &MemoryDisk) -> Vec<(RunId, Change)> {
        let frames = disk.frames_behind(self.frames);
        self.frames += frames.len();
        frames.iter().flat_map(changes).collect()
    }

    /// Takes note of a change of a run, as the run is after it. `prefix` stands before the paths of its steps; nothing does
    /// where it is the run that is rehearsed.
    pub fn look(&mut self, change: &Change, run: &Run, prefix: &str, elapsed: u64) {
        if let Change::Activated { block, .. } = change {
            self.reached(run).blocks.insert(*block);
        }
        if let Change::Begun { step } = change {
            let node = self.node(*step, run);
            self.reached(run).ran.extend(node);
            if run.caller.is_none() && run.has(*step) {
                self.begun.push(begun(run, *step, elapsed));
            }
        }
        if let Change::Probed { step, done: None } = change {
            self.untouched.push((run.id, *step));
        }
        if let Change::Skipped { step, why: Skip::When } = change {
            let node = self.node(*step, run);
            self.reached(run).passed_over.extend(node);
        }
        if let Change::Ended { step, status: StepStatus::Failed, .. } = change {
            let node = self.node(*step, run);
            self.reached(run).failed.extend(node);
        }
        if let Change::Called { step, params, again: false, .. } = change
            && let Some(Kind::Call(call)) = self.node(*step, run).map(|node| &run.graph.node(node).kind)
        {
            let path = if run.has(*step) { run.path(*step) } else { String::new() };
            let runbook = run.graph.called_by(call).graph.runbook.clone();
            self.called.push(Called { path: format!("{prefix}{path}"), runbook, params: params.clone() });
        }
    }

    fn reached(&mut self, run: &Run) -> &mut Reached {
        self.reached.entry(run.graph.file.clone()).or_default()
    }

    /// The step of the graph; of an item that was let go of since, as long as it was seen before.
    fn node(&mut self, no: StepNo, run: &Run) -> Option<NodeId> {
        if let Some(step) = run.steps.get(no.0) {
            self.nodes.insert((run.id, no), step.node);
        }
        self.nodes.get(&(run.id, no)).copied()
    }
}

fn changes(frame: &Frame) -> Vec<(RunId, Change)> {
    let record = |bytes: &Vec<u8>| match decode(bytes) {
        Ok(Record::Changed { run, change }) => Some((run, change)),
        Ok(
            Record::Created { .. }
            | Record::Defined { .. }
            | Record::Checkpointed { .. }
            | Record::Scheduled { .. }
            | Record::SchedulesHeld { .. }
            | Record::Rested { .. }
            | Record::Removed { .. }
            | Record::Lost { .. },
        )
        | Err(_) => None,
    };
    frame.records.iter().filter_map(record).collect()
}

fn begun(run: &Run, no: StepNo, at: u64) -> Begun {
    let (mut place, mut laps) = (Vec::new(), 0);
    let mut step = Some(no);
    while let Some(no) = step {
        let activation = &run.activations[run.step(no).activation];
        laps += u64::from(activation.visit.saturating_sub(1));
        // From the inside out; turned round below.
        place.push(u64::from(activation.visit));
        place.push(u64::from(run.step(no).node.0));
        place.push(activation.item.as_ref().map_or(0, |item| item.index));
        step = activation.owner;
    }
    place.reverse();
    Begun { path: run.path(no), at, is_block: !run.node_of(no).kind.blocks().is_empty(), place, laps }
}
