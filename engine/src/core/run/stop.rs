//! Stopping: what a failure, a limit of time, a `finish` or a person's cancel does to what runs.

use lockstep_dsl::graph::{Kind, Role};

use super::pause::Hold;
use super::record::{Change, Delay, Question, Skip, StopCause};
use super::state::{ActivationNo, Phase};
use super::turn::Turn;
use crate::id::StepNo;

impl Turn<'_> {
    /// Nothing new starts in the activation and in the blocks inside it; with `cancel`, what runs there is stopped too.
    pub fn stop_activation(&mut self, no: ActivationNo, cancel: bool, cause: StopCause) {
        let activation = &self.run.activations[no];
        if activation.open == 0 {
            return;
        }
        let is_news = activation.halt.is_none_or(|halt| cancel && !halt.cancel);
        // A limit of time is noted also where something else stopped the block before: its timer has fired.
        let is_limit = matches!(cause, StopCause::Timeout | StopCause::Total | StopCause::RunTimeout);
        if is_news || is_limit {
            self.emit(Change::Halted { activation: no, cancel, cause });
        }
        self.stop_steps(no, cancel, cause.inward());
    }

    /// The same for the steps of an activation that is halted already.
    pub fn stop_steps(&mut self, no: ActivationNo, cancel: bool, cause: StopCause) {
        for step in self.run.steps_of(no) {
            self.stop_step(step, cancel, cause);
        }
    }

    fn stop_step(&mut self, step: StepNo, cancel: bool, cause: StopCause) {
        match self.phase(step).clone() {
            Phase::Pending
            | Phase::Asking(Question::When | Question::Lock)
            | Phase::Held { what: Hold::Begin, .. }
            | Phase::Locking { .. } => self.not_reached(step, cause),
            Phase::Held { what: Hold::Attempt, .. } | Phase::Asking(Question::Input) if !self.has_begun(step) => {
                self.skip(step, Skip::Unreached);
            }
            Phase::Running { stopping: None, .. } if cancel => self.emit(Change::Stopping { step, cause }),
            Phase::Calling { .. } if cancel => self.stop_call(step, cause),
            Phase::Asking(_) | Phase::InDoubt { .. } if cancel => self.stopped(step, cause),
            Phase::Delayed { why: Delay::Retry, .. } | Phase::Held { what: Hold::Attempt | Hold::Retry, .. }
                if !cancel =>
            {
                self.give_up_retry(step);
            }
            Phase::Delayed { .. } | Phase::Awaiting { .. } | Phase::Held { .. } => self.stopped(step, cause),
            Phase::Inside => self.stop_inside(step, cancel, cause),
            Phase::Running { .. }
            | Phase::Calling { .. }
            | Phase::Asking(_)
            | Phase::InDoubt { .. }
            | Phase::Deciding
            | Phase::Ended { .. } => {}
        }
    }

    /// A step that waits for its next try when nothing new may start ends with the error it has.
    fn give_up_retry(&mut self, step: StepNo) {
        match self.run.step(step).error.as_deref().cloned() {
            Some(error) => {
                self.settle_error(step, error);
                self.catch_from(step, 0);
            }
            None => self.stopped(step, StopCause::Failure),
        }
    }

    /// A block stops by stopping what is inside. Its own `finally` runs on; so does a handler, unless it is cancelled.
    fn stop_inside(&mut self, step: StepNo, cancel: bool, cause: StopCause) {
        let cut_short = self.run.cancel.as_ref().is_some_and(|(_, times)| *times > 1);
        if cancel && (cut_short || !self.run.cancel_undoes) {
            self.stop_undo(step, cause);
        }
        self.stop_items(step, cancel, cause);
        for no in self.inside(step) {
            let stops = match &self.run.graph.block(self.run.activations[no].block).role {
                Role::Do | Role::Branch(_) | Role::Case(_) | Role::Round | Role::Item => true,
                Role::Catch(_) | Role::Probe => cancel,
                Role::StepFinally => cancel && cut_short,
                Role::Main | Role::OnFailure | Role::Finally | Role::Undo => false,
            };
            if stops {
                self.stop_activation(no, cancel, cause);
            }
        }
    }

    /// The current activations of a step's own blocks.
    pub fn inside(&self, step: StepNo) -> Vec<ActivationNo> {
        let node = self.run.node_of(step);
        let blocks = node.kind.blocks();
        blocks
            .into_iter()
            .chain(node.handlers())
            .filter_map(|block| self.run.latest.get(&(Some(step), block)).copied())
            .filter(|no| self.run.activations[*no].open > 0)
            .collect()
    }

    /// A limit of time of the step is reached.
    pub fn limit_reached(&mut self, step: StepNo, cause: StopCause) {
        match self.phase(step) {
            Phase::Running { .. } | Phase::Calling { .. } => self.emit(Change::Stopping { step, cause }),
            Phase::Inside => {
                self.stop_undo(step, cause);
                self.stop_items(step, true, cause);
                for no in self.inside(step) {
                    if self.run.graph.block(self.run.activations[no].block).role != Role::Undo {
                        self.stop_activation(no, true, cause);
                    }
                }
            }
            Phase::Pending
            | Phase::Asking(_)
            | Phase::Deciding
            | Phase::Delayed { .. }
            | Phase::Awaiting { .. }
            | Phase::Locking { .. }
            | Phase::Held { .. }
            | Phase::InDoubt { .. }
            | Phase::Ended { .. } => self.stopped(step, cause),
        }
    }

    /// Whether something of the step was started. What only computes has begun when it is asked about.
    fn has_begun(&self, step: StepNo) -> bool {
        let kind = &self.run.node_of(step).kind;
        match kind {
            Kind::Call(_) => !self.run.step(step).calls.is_empty(),
            kind if kind.is_acting() => !self.run.step(step).grants.is_empty(),
            _ => !self.starts_what_it_chooses(step),
        }
    }

    /// Whether the step is a block that is asked first, and of which nothing has run.
    fn starts_what_it_chooses(&self, step: StepNo) -> bool {
        matches!(self.run.node_of(step).kind, Kind::Switch(_) | Kind::Foreach(_))
            && self.run.step(step).inner.is_empty()
    }
}

impl StopCause {
    /// What stops the steps inside a block that is stopped for this cause.
    #[must_use]
    pub const fn inward(self) -> Self {
        match self {
            Self::Timeout | Self::Total => Self::Enclosing,
            Self::Cancel
            | Self::Enclosing
            | Self::RunTimeout
            | Self::Failure
            | Self::Won
            | Self::Finish
            | Self::Break => self,
        }
    }
}
