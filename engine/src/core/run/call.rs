//! `call`: a step that lets another runbook run.
//!
//! The run that is called is one of its own: with an id, steps and a history. Caller and called know of each other by what
//! stands in their own records, and say to each other what a [`Message`] holds; both ends of one are in the same frame, so
//! that no crash leaves a run that nobody called, or a step that waits for a run that is not there.

use lockstep_dsl::graph::{Call, Kind};
use lockstep_dsl::value::{Map, Value};
use serde::{Deserialize, Serialize};

use super::decide::{Input, Refused};
use super::error::RunError;
use super::pause::Hold;
use super::record::{Change, Question, RunOutcome, Settlement, StopCause};
use super::state::{Phase, Run, Timer};
use super::turn::Turn;
use crate::clock::Stamp;
use crate::id::{RunId, StepNo};

/// In a step's answer and outputs: the id of the run that it called.
pub const RUN: &str = "run";

/// In a step's answer: the parameters of the run that it is to call.
pub const PARAMS: &str = "params";

/// The step that called a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    /// Its run.
    pub run: RunId,
    /// The step.
    pub step: StepNo,
    /// Whether it waits for the end of the run that it called.
    pub waits: bool,
}

/// How a run ended that a step called.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Returned {
    /// The run.
    pub run: RunId,
    /// How.
    pub outcome: RunOutcome,
    /// Its outputs.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub outputs: Map,
    /// Why it did not end well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Box<RunError>>,
}

/// What one run says to another because of something that happened to it.
#[derive(Clone, Debug)]
pub enum Message {
    /// This run is to be.
    Begin {
        /// Its id.
        run: RunId,
        /// The step that calls it.
        caller: Caller,
        /// Its parameters, resolved.
        params: Map,
    },
    /// This happens to this run.
    Tell(RunId, Input),
}

impl Turn<'_> {
    /// The run that the step calls has an id and parameters: it begins.
    pub fn call(&mut self, step: StepNo, call: &Call, answer: &Map) {
        let params = match answer.get(PARAMS) {
            Some(Value::Map(params)) => params.clone(),
            Some(_) | None => Map::new(),
        };
        let run = answer.get(RUN).and_then(|run| run.to_text().ok()).and_then(|run| run.parse::<RunId>().ok());
        let Some(run) = run else { return self.refuse_answer(step, Question::Input, None) };
        if self.is_halted(step) {
            self.stopped(step, StopCause::Failure);
            return;
        }
        if self.run.holds(step) {
            self.emit(Change::Held { step, what: Hold::Retry, input: None });
            return;
        }
        self.emit(Change::Called { step, run, params, again: false });
        if !call.wait {
            self.done(step, Map::from([(RUN.to_owned(), Value::String(run.to_string()))]));
        }
    }

    /// A `retry` of the run came to a step that has called before: the run that it called last goes on. Says whether
    /// there is one.
    pub fn call_again(&mut self, step: StepNo) -> bool {
        let Some(run) = self.run.step(step).recall else { return false };
        self.emit(Change::Called { step, run, params: Map::new(), again: true });
        true
    }

    /// The run that a step called has ended.
    pub fn returned(&mut self, step: StepNo, returned: Returned) -> Result<(), Refused> {
        let Some(Phase::Calling { run, stopping, .. }) = self.run.steps.get(step.0).map(|step| step.phase.clone())
        else {
            return Err(Refused::Superseded);
        };
        if run != returned.run {
            return Err(Refused::Superseded);
        }
        let outcome = returned.outcome;
        self.emit(Change::Returned { step, returned });
        match (stopping, outcome) {
            (Some(cause), _) => self.stopped(step, cause),
            (None, RunOutcome::Succeeded) => self.succeeded(step),
            (None, RunOutcome::Failed) => self.failed(step),
            // Who cancelled it wanted it to end: that is neither repeated nor handled.
            (None, RunOutcome::Cancelled) => self.finish(step),
        }
        Ok(())
    }

    /// A step that waits for a run that it called is to stop: that run is cancelled, and its end is waited for.
    pub fn stop_call(&mut self, step: StepNo, cause: StopCause) {
        let cut_short = self.run.cancel.as_ref().is_some_and(|(_, times)| *times > 1);
        if let Phase::Calling { stopping, .. } = self.phase(step)
            && (stopping.is_none() || cut_short)
        {
            self.emit(Change::Stopping { step, cause });
        }
    }
}

impl Run {
    /// The runs that steps of this one called and wait for, with the steps.
    pub fn calling(&self) -> impl Iterator<Item = (StepNo, RunId)> + '_ {
        let steps = if self.tally.calling == 0 { None } else { Some(self.steps.numbered()) };
        steps.into_iter().flatten().filter_map(|(no, step)| match step.phase {
            Phase::Calling { run, .. } => Some((StepNo(no), run)),
            _ => None,
        })
    }

    /// How it ended, for the step that called it; `None` while it is open.
    pub fn outcome_for_caller(&self) -> Option<Returned> {
        let outcome = self.outcome.filter(|_| self.is_ended())?;
        Some(Returned { run: self.id, outcome, outputs: self.outputs.clone(), error: self.error.clone() })
    }

    /// What other runs are to be told of a change of this one, which has been applied.
    pub fn messages(&self, change: &Change) -> Vec<Message> {
        let to_called = |input: Input| self.calling().map(|(_, run)| Message::Tell(run, input.clone())).collect();
        if let Change::Called { step, run, params, again } = change {
            if *again {
                return vec![Message::Tell(*run, Input::Retry { by: self.as_somebody() })];
            }
            let waits = matches!(&self.node_of(*step).kind, Kind::Call(call) if call.wait);
            let caller = Caller { run: self.id, step: *step, waits };
            return vec![Message::Begin { run: *run, caller, params: params.clone() }];
        }
        if let Change::Stopping { step, cause } = change {
            return self.cancel_called(*step, *cause).into_iter().collect();
        }
        if let Change::Paused { by, reason } = change {
            return to_called(Input::Pause { by: by.clone(), reason: reason.clone() });
        }
        if let Change::Unpaused { by } = change {
            return to_called(Input::Unpause { by: by.clone() });
        }
        if let (Change::Finished { .. }, Some(caller), Some(returned)) =
            (change, self.caller.filter(|caller| caller.waits), self.outcome_for_caller())
        {
            return vec![Message::Tell(caller.run, Input::Returned { step: caller.step, returned })];
        }
        Vec::new()
    }

    /// Who this run is to one that it called.
    fn as_somebody(&self) -> String {
        format!("run:{}", self.id)
    }

    /// A step was asked to stop: where it waits for a run that it called, that one is cancelled.
    fn cancel_called(&self, step: StepNo, cause: StopCause) -> Option<Message> {
        let Phase::Calling { run, stopping, .. } = self.step(step).phase else { return None };
        // It was told before, unless a person asks for `finally` to be cut short.
        let again = cause == StopCause::Cancel && self.cancel.as_ref().is_some_and(|(_, times)| *times > 1);
        if stopping != Some(cause) && !again {
            return None;
        }
        let (by, undo) = match (cause, &self.cancel) {
            (StopCause::Cancel, Some((who, _))) => (who.clone(), self.cancel_undoes),
            // What took too long is undone, as it is where a run reaches its own limit.
            (StopCause::Timeout | StopCause::Total | StopCause::Enclosing | StopCause::RunTimeout, _) => {
                (self.as_somebody(), true)
            }
            (StopCause::Cancel | StopCause::Failure | StopCause::Won | StopCause::Finish | StopCause::Break, _) => {
                (self.as_somebody(), false)
            }
        };
        Some(Message::Tell(run, Input::Cancel { by, undo }))
    }

    pub(super) fn begin_call(&mut self, no: StepNo, run: RunId, again: bool, at: Stamp) {
        self.set_phase(no, Phase::Calling { run, since: at.wall, stopping: None });
        let limit = self.node_of(no).timeout.attempt;
        let step = self.step_mut(no);
        step.result = None;
        step.recall = None;
        if !again {
            step.calls.push(run);
        }
        if let Some(limit) = limit {
            self.limit(Timer::Attempt(no), limit, at);
        }
        self.note_effect(no);
    }

    pub(super) fn end_call(&mut self, no: StepNo, returned: &Returned) {
        self.disarm(Timer::Attempt(no));
        self.set_phase(no, Phase::Deciding);
        let error = self.error_of_call(no, returned).map(Box::new);
        let step = self.step_mut(no);
        step.attempts += 1;
        step.outputs.clone_from(&returned.outputs);
        step.outputs.insert(RUN.to_owned(), Value::String(returned.run.to_string()));
        step.result = Some(match &error {
            None => Settlement::Done { outputs: Map::new() },
            Some(error) => Settlement::Failed { error: error.clone() },
        });
        step.error = error;
    }

    /// What a step fails with because the run that it called did not end well: it names that run and the step that failed
    /// there, and has its error as the cause.
    fn error_of_call(&self, no: StepNo, returned: &Returned) -> Option<RunError> {
        let Returned { run, outcome, error: cause, .. } = returned;
        let Kind::Call(call) = &self.node_of(no).kind else { return None };
        let runbook = &self.graph.called_by(call).graph.runbook;
        let why = cause.as_ref().map_or_else(String::new, |cause| format!(": {}", cause.message));
        let place = cause.as_ref().map(|cause| cause.step.clone()).filter(|step| !step.is_empty());
        let (kind, message) = match outcome {
            RunOutcome::Succeeded => return None,
            RunOutcome::Cancelled => ("cancelled".to_owned(), format!("run {run} of `{runbook}` was cancelled{why}")),
            RunOutcome::Failed => {
                let at = place.as_ref().map_or_else(String::new, |step| format!(" in step `{step}`"));
                let kind = cause.as_ref().map_or("failed", |cause| cause.kind.as_str());
                (kind.to_owned(), format!("run {run} of `{runbook}` failed{at}{why}"))
            }
        };
        let data = Map::from([
            (RUN.to_owned(), Value::String(run.to_string())),
            ("runbook".to_owned(), Value::String(runbook.clone())),
            ("status".to_owned(), Value::from(outcome.name())),
            ("step".to_owned(), place.map_or(Value::Null, Value::String)),
        ]);
        Some(RunError {
            attempt: self.step(no).attempts + 1,
            data: Value::Map(data),
            cause: cause.clone(),
            ..RunError::new(&kind, message, self.path(no))
        })
    }
}
