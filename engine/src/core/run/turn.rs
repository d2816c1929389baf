//! One decision in the making.

use super::error::RunError;
use super::record::{Change, Question, Settlement, StopCause};
use super::state::{ActivationNo, Phase, Run};
use crate::clock::Stamp;
use crate::id::StepNo;
use crate::worker::Failure;

/// A run, and the changes decided so far; each is applied as it is decided.
pub(super) struct Turn<'a> {
    /// The run, with all changes applied.
    pub run: &'a mut Run,
    /// The stamp of the frame that will hold the changes.
    pub now: Stamp,
    /// The changes.
    changes: &'a mut Vec<Change>,
    /// What is still to be looked at: a list instead of recursion, since a chain of skipped steps can be long.
    work: Vec<Work>,
}

/// Something to look at.
#[derive(Clone, Copy, Debug)]
pub(super) enum Work {
    /// All that the step needs has ended.
    Ready(StepNo),
    /// All steps of the activation have ended.
    Over(ActivationNo),
    /// Items of the step may begin, or all are over.
    Items(StepNo),
}

impl<'a> Turn<'a> {
    pub fn new(run: &'a mut Run, now: Stamp, changes: &'a mut Vec<Change>) -> Self {
        Self { run, now, changes, work: Vec::new() }
    }

    /// Decides a change.
    pub fn emit(&mut self, change: Change) {
        self.run.apply(&change, self.now);
        self.changes.push(change);
    }

    /// Notes something to look at.
    pub fn push(&mut self, work: Work) {
        self.work.push(work);
    }

    /// Looks at everything noted, and at what that brings up, until nothing is left.
    pub fn drain(&mut self) {
        while let Some(work) = self.work.pop() {
            // What was noted may have been forgotten meanwhile, with the item it was a part of.
            match work {
                Work::Ready(step) if self.run.has(step) => self.ready(step),
                Work::Over(activation) if self.run.activations.get(activation).is_some() => self.over(activation),
                Work::Items(step) if self.run.has(step) => self.next_items(step),
                Work::Ready(_) | Work::Over(_) | Work::Items(_) => {}
            }
        }
    }

    /// Asks the evaluator about a step.
    pub fn ask(&mut self, step: StepNo, question: Question) {
        self.emit(Change::Asked { step: Some(step), question });
    }

    /// A step or block came to a result.
    pub fn settle(&mut self, step: StepNo, result: Settlement) {
        self.emit(Change::Settled { step, result });
    }

    /// A step failed with an error of its own.
    pub fn settle_error(&mut self, step: StepNo, error: RunError) {
        self.settle(step, Settlement::Failed { error: Box::new(error) });
    }

    /// The phase of a step.
    pub fn phase(&self, step: StepNo) -> &Phase {
        &self.run.step(step).phase
    }

    /// A failure as an error of a step.
    pub fn error_of(&self, step: StepNo, failure: &Failure) -> RunError {
        RunError::of(failure, self.run.path(step), self.run.step(step).attempts)
    }

    /// An error of a step.
    pub fn error(&self, step: StepNo, kind: &str, message: impl Into<String>) -> RunError {
        RunError { attempt: self.run.step(step).attempts, ..RunError::new(kind, message, self.run.path(step)) }
    }

    /// The error that a stopped step ends with.
    pub fn stop_error(&self, step: StepNo, cause: StopCause) -> RunError {
        let limit = self.run.node_of(step).timeout.clone();
        let text =
            |limit: Option<lockstep_dsl::value::Millis>| limit.map_or_else(String::new, |limit| limit.to_string());
        match cause {
            StopCause::Timeout => {
                self.error(step, "timeout", format!("took longer than its timeout of {}", text(limit.attempt)))
            }
            StopCause::Total => {
                self.error(step, "timeout", format!("took longer than {} over all attempts", text(limit.total)))
            }
            StopCause::Cancel => {
                let by = self.run.cancel.as_ref().map_or("somebody", |(by, _)| by.as_str());
                self.error(step, "cancelled", format!("cancelled by {by}"))
            }
            StopCause::Enclosing => self.error(step, "cancelled", "stopped at the timeout of a block around it"),
            StopCause::RunTimeout => self.error(step, "cancelled", "stopped at the timeout of the run"),
            StopCause::Failure => self.error(step, "cancelled", "stopped because another step failed"),
            StopCause::Won => self.error(step, "cancelled", "stopped because enough branches had ended well"),
            StopCause::Finish => self.error(step, "cancelled", "stopped because the run finished"),
            StopCause::Break => self.error(step, "cancelled", "stopped because the loop was ended"),
        }
    }
}
