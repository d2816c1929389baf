//! The end of a run: outputs, `on_failure`, `finally`.

use lockstep_dsl::value::{Map, Value};

use super::block::block_error;
use super::decide::{Answer, Refused};
use super::error::RunError;
use super::record::{Change, Question, RunOutcome, StopCause};
use super::state::{ActivationNo, Finishing, RunStatus};
use super::turn::Turn;
use crate::fault::{self, Bug};

impl Turn<'_> {
    /// The runbook's own steps have ended.
    pub fn main_over(&mut self, no: ActivationNo) {
        if self.run.status != RunStatus::Running {
            return;
        }
        let cause = self.run.activations[no].halt.filter(|halt| halt.cancel).map(|halt| halt.cause);
        if let Some((by, _)) = self.run.cancel.clone() {
            let error = self.first_error(no).unwrap_or_else(|| cancelled(&by));
            self.conclude(RunOutcome::Cancelled, Some(error), Map::new());
        } else if cause == Some(StopCause::RunTimeout) {
            let error = self.run_timeout();
            self.fail_run(error);
        } else if let Some(error) = self.first_error(no) {
            self.fail_run(error);
        } else if let Some(Finishing { outputs: Some(outputs) }) = self.run.finishing.clone() {
            self.conclude(RunOutcome::Succeeded, None, outputs);
        } else if self.run.graph.outputs.is_empty() {
            self.conclude(RunOutcome::Succeeded, None, Map::new());
        } else {
            self.emit(Change::Asked { step: None, question: Question::RunOutputs });
        }
    }

    /// The error of the runbook's own steps: the only one as it is, of several the first with all in its data.
    fn first_error(&self, no: ActivationNo) -> Option<RunError> {
        let mut errors = self.errors(&[no]);
        if errors.len() == 1 { errors.pop() } else { block_error(errors) }
    }

    /// The evaluator answers about the run itself.
    pub fn run_answered(&mut self, question: Question, answer: Answer) {
        if !self.run.questions.contains(&(None, question)) || self.run.status != RunStatus::Outputs {
            return;
        }
        match answer {
            Ok(Value::Map(outputs)) => self.conclude(RunOutcome::Succeeded, None, outputs),
            Ok(_) => self.fail_run(RunError::new("invalid", "the outputs are not a map", "")),
            Err(failure) => self.fail_run(RunError::of(&failure, "", 0)),
        }
    }

    fn fail_run(&mut self, error: RunError) {
        self.conclude(RunOutcome::Failed, Some(error), Map::new());
    }

    /// How the run ends is known; what still comes is `on_failure` and `finally`.
    fn conclude(&mut self, outcome: RunOutcome, error: Option<RunError>, outputs: Map) {
        self.emit(Change::Concluded { outcome, error: error.map(Box::new), outputs });
        let undoes = match outcome {
            RunOutcome::Failed => true,
            RunOutcome::Cancelled => self.run.cancel_undoes,
            RunOutcome::Succeeded => false,
        };
        if undoes {
            self.undo_run();
        } else {
            self.after_undo();
        }
    }

    /// What was to be undone has been, or will not be. After a cancel nothing new starts but what comes last.
    pub fn after_undo(&mut self) {
        let failed = self.run.outcome == Some(RunOutcome::Failed) && self.run.cancel.is_none();
        match self.run.graph.on_failure {
            Some(block) if failed => self.activate(block, None),
            _ => self.finally(),
        }
    }

    /// `on_failure` is over. Its own errors are seen on its steps; they do not hide the first one.
    pub fn on_failure_over(&mut self) {
        if self.run.status == RunStatus::OnFailure {
            self.finally();
        }
    }

    fn finally(&mut self) {
        match self.run.graph.finally {
            Some(block) => self.activate(block, None),
            None => self.end_run(self.run.error.clone()),
        }
    }

    /// `finally` is over. Its error makes a success a failure.
    pub fn finally_over(&mut self, no: ActivationNo) {
        if self.run.status != RunStatus::Finally {
            return;
        }
        let own = self.first_error(no);
        match (self.run.outcome, own) {
            (Some(RunOutcome::Succeeded), Some(error)) => {
                self.emit(Change::Finished { outcome: RunOutcome::Failed, error: Some(Box::new(error)) });
            }
            _ => self.end_run(self.run.error.clone()),
        }
    }

    /// The run ends as was concluded; failed where nothing was.
    pub fn end_run(&mut self, error: Option<Box<RunError>>) {
        let outcome = self.run.outcome.unwrap_or(RunOutcome::Failed);
        self.emit(Change::Finished { outcome, error });
    }

    /// The run's own limit of time is reached.
    pub fn run_limit_reached(&mut self) {
        let main = self.run.latest.get(&(None, self.run.graph.main)).copied();
        if let (RunStatus::Running, Some(main)) = (self.run.status, main) {
            self.stop_activation(main, true, StopCause::RunTimeout);
        } else {
            let error = self.run_timeout();
            self.fail_run(error);
        }
    }

    fn run_timeout(&self) -> RunError {
        let limit = self.run.graph.timeout.map_or_else(String::new, |limit| limit.to_string());
        RunError::new("timeout", format!("the run took longer than its timeout of {limit}"), "")
    }

    /// `on_failure` and `finally` together took longer than they may.
    pub fn tail_limit_reached(&mut self) {
        if self.run.status == RunStatus::Undoing {
            self.emit(Change::UndoHalted);
        }
        if let Some(no) = self.tail_activation() {
            self.emit(Change::Halted { activation: no, cancel: true, cause: StopCause::Timeout });
            self.stop_steps(no, true, StopCause::RunTimeout);
        }
    }

    fn tail_activation(&self) -> Option<ActivationNo> {
        let block = match self.run.status {
            RunStatus::Undoing => return self.run.undo_of_run(),
            RunStatus::OnFailure => self.run.graph.on_failure,
            RunStatus::Finally => self.run.graph.finally,
            RunStatus::Queued | RunStatus::Running | RunStatus::Outputs | RunStatus::Ended => None,
        };
        self.run.latest.get(&(None, block?)).copied()
    }

    /// Somebody asks for the run to be cancelled. The first time stops its steps (or its `on_failure`) and lets
    /// `finally` run; the second time cuts that short.
    pub fn cancel(&mut self, by: String, undo: bool) -> Result<(), Refused> {
        let id = self.run.id;
        if self.run.is_ended() {
            return Err(Refused::NotNow(format!("run {id} has ended, it {}", self.run.status_name())));
        }
        if undo && matches!(self.run.status, RunStatus::OnFailure | RunStatus::Finally) {
            return Err(Refused::NotNow(format!("run {id} is past the point where it is undone: its last steps run")));
        }
        let error = cancelled(&by);
        let was_paused = self.run.is_paused();
        self.emit(Change::CancelRequested { by, undo });
        let again = self.run.cancel.as_ref().is_some_and(|(_, times)| *times > 1);
        match self.run.status {
            RunStatus::Queued => self.leave_queue(error),
            RunStatus::Running => {
                if let Some(main) = self.run.latest.get(&(None, self.run.graph.main)).copied()
                    && !fault::planted(Bug::CancelStopsNothing)
                {
                    self.stop_activation(main, true, StopCause::Cancel);
                }
            }
            RunStatus::Outputs => self.conclude(RunOutcome::Cancelled, Some(error), Map::new()),
            RunStatus::Undoing if again || !self.run.cancel_undoes => {
                self.emit(Change::UndoHalted);
                if let Some(no) = self.tail_activation() {
                    self.stop_activation(no, true, StopCause::Cancel);
                }
            }
            RunStatus::OnFailure | RunStatus::Finally => {
                if let Some(no) = self.tail_activation()
                    && (again || self.run.status == RunStatus::OnFailure)
                {
                    self.stop_activation(no, true, StopCause::Cancel);
                }
            }
            RunStatus::Undoing | RunStatus::Ended => {}
        }
        if was_paused {
            self.release();
        }
        Ok(())
    }
}

fn cancelled(by: &str) -> RunError {
    RunError::new("cancelled", format!("cancelled by {by}"), "")
}
