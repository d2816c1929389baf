//! Compensation: what steps did is undone when the run does not end well, or before a block begins again.
//!
//! A step with an `undo` is noted when its effect begins, and so is every block around it that has one. Newest first, one
//! at a time, each is undone in the place where it stands, so that it sees what it saw. A block's own `undo` replaces
//! those of the steps in it. An `undo` that fails does not stop the others; one that is stopped leaves its step noted.

use lockstep_dsl::graph::{BlockId, Role};
use serde::{Deserialize, Serialize};

use super::block::block_error;
use super::looping::Loop;
use super::record::{Change, StopCause};
use super::state::{ActivationNo, Phase, Run, RunStatus};
use super::turn::Turn;
use crate::clock::Stamp;
use crate::core::run::StepStatus;
use crate::fault::{self, Bug};
use crate::id::StepNo;

/// How an `undo` ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum UndoEnd {
    /// Well: the step is undone.
    #[serde(rename = "ok")]
    Undone,
    /// With an error: the step stays what it was, and is not undone again.
    #[serde(rename = "err")]
    Failed,
    /// It was stopped: the step is still to be undone, if anything is.
    #[serde(rename = "stopped")]
    Stopped,
}

impl Turn<'_> {
    /// Undoes the next step of the run; goes on to its end when none is left.
    pub fn undo_run(&mut self) {
        match self.run.next_to_undo(None) {
            Some(step) => self.undo(step),
            None => self.after_undo(),
        }
    }

    /// Begins to undo what was done in a block, if anything is to be, before it is tried again. Says whether it did.
    pub fn undo_before_retry(&mut self, step: StepNo, entry: u32) -> bool {
        let is_block = !self.run.node_of(step).kind.blocks().is_empty();
        let Some(next) = self.run.next_to_undo(Some(step)).filter(|_| is_block) else { return false };
        self.emit(Change::Undoing { step, entry });
        self.undo(next);
        true
    }

    fn undo(&mut self, step: StepNo) {
        if let Some(block) = self.run.node_of(step).undo {
            self.activate(block, Some(step));
        }
    }

    /// A step's `undo` is over.
    pub fn undo_over(&mut self, owner: StepNo, no: ActivationNo) {
        if self.run.undo_in_hand(owner) != Some(owner) {
            return;
        }
        let for_block = self.run.undone_for(owner);
        let halt = self.run.activations[no].halt.filter(|halt| halt.cancel).map(|halt| halt.cause);
        let end = if halt.is_some() {
            UndoEnd::Stopped
        } else if block_error(self.errors(&[no])).is_some() {
            UndoEnd::Failed
        } else {
            UndoEnd::Undone
        };
        self.emit(Change::Undone { step: owner, end });
        match (for_block, halt) {
            (None, _) => self.undo_run(),
            (Some(block), Some(cause)) => self.stopped(block, cause),
            (Some(block), None) => self.next_in_block(block),
        }
    }

    /// Undoes the next step in a block, or lets it begin again.
    fn next_in_block(&mut self, block: StepNo) {
        let Some(undoing) = self.run.step(block).undoing else { return };
        let retry = self.run.node_of(block).retry.get(undoing.entry as usize).cloned();
        match (self.run.next_to_undo(Some(block)), retry) {
            _ if self.run.cancel.is_some() && !self.comes_last(block) => self.stopped(block, StopCause::Cancel),
            (_, None) => self.catch_from(block, 0),
            _ if self.is_halted(block) => self.catch_from(block, 0),
            (Some(next), Some(_)) => self.undo(next),
            (None, Some(retry)) => self.delay_retry(block, undoing.entry, &retry),
        }
    }

    /// Whether a step stands in what also runs after a cancel.
    fn comes_last(&self, step: StepNo) -> bool {
        self.run.enclosing(self.run.step(step).activation).any(|no| {
            matches!(
                self.run.graph.block(self.run.activations[no].block).role,
                Role::Finally | Role::StepFinally | Role::Undo
            )
        })
    }

    /// What a block undoes before it is tried again is stopped, and nothing further of it is undone.
    pub fn stop_undo(&mut self, step: StepNo, cause: StopCause) {
        let in_hand = self.run.step(step).undoing.and_then(|undoing| undoing.step);
        if let Some(no) = in_hand.and_then(|undone| self.run.undo_of(undone)) {
            self.stop_activation(no, true, cause);
        }
    }
}

impl Run {
    /// The effect of a step began: it, and the blocks around it, can be undone from now on.
    pub(super) fn note_effect(&mut self, no: StepNo) {
        let node = self.node_of(no);
        if node.undo.is_none() && self.graph.block(node.block).owner.is_none() {
            return;
        }
        let around: Vec<StepNo> = self.self_and_around(no).filter(|step| self.node_of(*step).undo.is_some()).collect();
        if around.iter().any(|step| self.undo_in_hand(*step) == Some(*step)) {
            // It is itself what undoes.
            return;
        }
        // The outermost is the first whose effect began.
        for step in around.into_iter().rev() {
            if !self.step(step).noted {
                let saw = Some(Box::new(self.vars(Some(self.step(step).activation))));
                let noted = self.step_mut(step);
                noted.noted = true;
                noted.saw = saw;
                self.effects.push(step);
            }
        }
    }

    /// The effect of a step certainly did not begin after all, and with it perhaps none in the blocks around it.
    pub(super) fn take_back_effect(&mut self, no: StepNo) {
        let noted: Vec<StepNo> = self.self_and_around(no).filter(|step| self.step(*step).noted).collect();
        for step in noted {
            let has_acted = |other: StepNo| {
                let state = self.step(other);
                let has_blocks = !self.node_of(other).kind.blocks().is_empty();
                let did = !state.grants.is_empty() || (state.status() == StepStatus::Succeeded && !has_blocks);
                did && other != no && self.is_within(other, step)
            };
            if !self.step_numbers().any(has_acted) {
                self.forget_effect(step);
            }
        }
    }

    /// The step need not be undone any more.
    fn forget_effect(&mut self, no: StepNo) {
        if std::mem::take(&mut self.step_mut(no).noted) {
            // It is one of the newest.
            let place = self.effects.iter().rposition(|step| *step == no);
            place.map(|place| self.effects.remove(place));
        }
    }

    /// A step's `undo` begins.
    pub(super) fn begin_undo(&mut self, no: StepNo, at: Stamp) {
        if self.outcome.is_some() {
            self.undoing = Some(no);
            self.begin_tail(RunStatus::Undoing, at);
            return;
        }
        let block = self.self_and_around(no).find(|step| self.step(*step).undoing.is_some());
        if let Some(undoing) = block.and_then(|block| self.step_mut(block).undoing.as_mut()) {
            undoing.step = Some(no);
        }
    }

    /// A step's `undo` is over.
    pub(super) fn end_undo(&mut self, no: StepNo, end: UndoEnd) {
        match self.undone_for(no) {
            None => self.undoing = None,
            Some(block) => {
                let step = self.step_mut(block);
                match &mut step.undoing {
                    Some(undoing) if end != UndoEnd::Stopped => undoing.step = None,
                    undoing => *undoing = None,
                }
            }
        }
        match end {
            UndoEnd::Stopped => return,
            UndoEnd::Failed => {}
            UndoEnd::Undone => {
                if matches!(self.step(no).phase, Phase::Ended { .. }) {
                    self.set_phase(no, Phase::Ended { status: StepStatus::Undone, skip: None });
                }
            }
        }
        self.forget_effect(no);
        if self.links.has_undo_inside(self.step(no).node) {
            // What stands inside it was undone with it.
            let inside: Vec<StepNo> = self.effects.iter().copied().filter(|step| self.is_within(*step, no)).collect();
            for step in inside {
                self.forget_effect(step);
            }
        }
    }

    /// The step that is undone next: of the whole run, or of a block that is tried again.
    pub(super) fn next_to_undo(&self, block: Option<StepNo>) -> Option<StepNo> {
        if let Some(block) = block.filter(|block| self.node_of(*block).undo.is_some()) {
            return self.step(block).noted.then_some(block);
        }
        let is_replaced = |step: StepNo| {
            let around = self.self_and_around(step).skip(1).take_while(|around| Some(*around) != block);
            around.into_iter().any(|around| self.node_of(around).undo.is_some())
        };
        let is_inside = |step: StepNo| block.is_none_or(|block| self.is_within(step, block));
        if self.undo_halted && block.is_none() {
            return None;
        }
        let mut noted = self.effects.iter().copied().filter(|step| is_inside(*step) && !is_replaced(*step));
        if fault::planted(Bug::UndoOldestFirst) { noted.next() } else { noted.next_back() }
    }

    /// The activation in which a step is, or was last, undone.
    pub(super) fn undo_of(&self, no: StepNo) -> Option<ActivationNo> {
        self.latest.get(&(Some(no), self.node_of(no).undo?)).copied()
    }

    /// The activation in which a step is undone because the run does not end well.
    pub(super) fn undo_of_run(&self) -> Option<ActivationNo> {
        self.undo_of(self.undoing?)
    }

    /// The block for whose next try a step is being undone; `None` where the run is.
    pub(super) fn undone_for(&self, no: StepNo) -> Option<StepNo> {
        let is_for = |step: &StepNo| self.step(*step).undoing.is_some_and(|undoing| undoing.step == Some(no));
        self.self_and_around(no).find(is_for)
    }

    /// This step, where it is being undone at the moment.
    fn undo_in_hand(&self, no: StepNo) -> Option<StepNo> {
        (self.undoing == Some(no) || self.undone_for(no).is_some()).then_some(no)
    }

    /// A step and those in whose blocks it stands, innermost first.
    fn self_and_around(&self, no: StepNo) -> impl Iterator<Item = StepNo> + '_ {
        let around = self.enclosing(self.step(no).activation).filter_map(|no| self.activations[no].owner);
        std::iter::once(no).chain(around)
    }

    /// Whether a step is this one or stands inside it.
    fn is_within(&self, no: StepNo, outer: StepNo) -> bool {
        self.self_and_around(no).any(|step| step == outer)
    }

    /// Whether something that ran last inside a step was undone.
    pub(super) fn holds_undone(&self, no: StepNo) -> bool {
        let last = self.last_inside(no);
        last.into_iter().any(|activation| self.activation_holds_undone(activation))
    }

    /// Whether a step of an activation, or something in one, was undone.
    pub(super) fn activation_holds_undone(&self, no: ActivationNo) -> bool {
        self.steps_of(no).any(|step| self.step(step).status() == StepStatus::Undone || self.holds_undone(step))
    }

    /// The last activations of the blocks of a step, items of a `foreach` and rounds of a `repeat` one by one: those of its
    /// last try. A handler counts while its failure stands: a step that ended otherwise since has nothing to do with it.
    fn last_inside(&self, no: StepNo) -> Vec<ActivationNo> {
        let step = self.step(no);
        let counts = |block: &BlockId| step.handled || !matches!(self.graph.block(*block).role, Role::Catch(_));
        let items = step.looping.iter().flat_map(|items| {
            let all = items.kept.iter().chain(&items.unwell).chain(&items.running);
            all.filter(|item| self.is_of_last_try(items, **item))
        });
        let blocks = self.node_of(no).kind.blocks().into_iter().chain(self.node_of(no).handlers()).filter(counts);
        let last = blocks.filter_map(|block| self.latest.get(&(Some(no), block)).copied());
        items.copied().chain(last).collect()
    }

    /// Whether an item or a round belongs to the last try of its loop; what a former one did was undone before that.
    pub(super) fn is_of_last_try(&self, items: &Loop, item: ActivationNo) -> bool {
        self.activations[item].visit == items.visit
    }
}
