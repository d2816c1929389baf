//! Follows what becomes durable, and tells what of the run it is.

use std::collections::BTreeMap;

use lockstep_dsl::graph::NodeId;

use super::story::{Begun, Reached};
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
    nodes: BTreeMap<StepNo, NodeId>,
    pub begun: Vec<Begun>,
    pub reached: Reached,
    /// Steps whose probe found out that the last attempt took no effect, since they were asked for.
    pub untouched: Vec<StepNo>,
}

impl Observer {
    /// Looks at the frames that are new on the disk, with the run as it is after the last of them.
    pub fn look(&mut self, disk: &MemoryDisk, id: RunId, run: &Run, elapsed: u64) {
        let frames = disk.frames_behind(self.frames);
        self.frames += frames.len();
        for change in frames.iter().flat_map(|frame| changes(frame, id)) {
            self.change(&change, run, elapsed);
        }
    }

    fn change(&mut self, change: &Change, run: &Run, elapsed: u64) {
        if let Change::Activated { block, .. } = change {
            self.reached.blocks.insert(*block);
        }
        if let Change::Begun { step } = change {
            let node = self.node(*step, run);
            self.reached.ran.extend(node);
            if run.has(*step) {
                self.begun.push(begun(run, *step, elapsed));
            }
        }
        if let Change::Probed { step, done: None } = change {
            self.untouched.push(*step);
        }
        if let Change::Skipped { step, why: Skip::When } = change {
            let node = self.node(*step, run);
            self.reached.passed_over.extend(node);
        }
        if let Change::Ended { step, status: StepStatus::Failed, .. } = change {
            let node = self.node(*step, run);
            self.reached.failed.extend(node);
        }
    }

    /// The step of the graph; of an item that was let go of since, as long as it was seen before.
    fn node(&mut self, no: StepNo, run: &Run) -> Option<NodeId> {
        if let Some(step) = run.steps.get(no.0) {
            self.nodes.insert(no, step.node);
        }
        self.nodes.get(&no).copied()
    }
}

fn changes(frame: &Frame, of: RunId) -> Vec<Change> {
    let record = |bytes: &Vec<u8>| match decode(bytes) {
        Ok(Record::Changed { run, change }) if run == of => Some(change),
        Ok(
            Record::Changed { .. }
            | Record::Created { .. }
            | Record::Defined { .. }
            | Record::Checkpointed { .. }
            | Record::Rested { .. }
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
