//! `probe`: after an unknown outcome of a step that must run once, a command or request finds out whether its effect took
//! place.

use lockstep_dsl::value::{Map, Value};

use super::decide::Answer;
use super::record::{Change, Question, Settlement, StepStatus};
use super::state::{ActivationNo, Phase, Run};
use super::turn::Turn;
use crate::fault::{self, Bug};
use crate::id::StepNo;
use crate::limits::LOST_ATTEMPTS;

impl Turn<'_> {
    /// Nobody knows whether the effect of an attempt took place: its probe may find out, else a person is asked.
    pub fn probe_or_doubt(&mut self, step: StepNo, why: String) {
        let probe = self.run.node_of(step).probe.as_ref().map(|probe| probe.block);
        match probe {
            Some(block) if self.run.step(step).lost <= LOST_ATTEMPTS => self.activate(block, Some(step)),
            Some(_) | None => self.emit(Change::Doubted { step, why }),
        }
    }

    /// The probe is over; what it found out is asked next, if it found anything.
    pub fn probe_over(&mut self, owner: StepNo, no: ActivationNo) {
        if !matches!(self.phase(owner), Phase::Inside) || self.run.step(owner).result.is_some() {
            return;
        }
        let halt = self.run.activations[no].halt.filter(|halt| halt.cancel).map(|halt| halt.cause);
        let succeeded = self.run.steps_of(no).all(|step| self.run.step(step).status() == StepStatus::Succeeded);
        if let Some(cause) = halt {
            self.stopped(owner, cause);
        } else if succeeded {
            self.ask(owner, Question::Probe);
        } else if fault::planted(Bug::ProbeNotAsked) {
            self.grant(owner, None);
        } else {
            let errors = self.errors(&[no]);
            let why = errors.first().map_or("it came to no end", |error| error.message.as_str());
            let why = format!("its probe could not say whether it took effect: {why}");
            self.emit(Change::Doubted { step: owner, why });
        }
    }

    /// What the probe found out is known, or cannot be worked out.
    pub fn probe_answered(&mut self, step: StepNo, answer: Answer) {
        let found = match answer {
            Ok(Value::Map(found)) => found,
            Ok(_) => Map::new(),
            Err(failure) => {
                let why = format!("what its probe found could not be worked out: {}", failure.message);
                self.emit(Change::Doubted { step, why });
                return;
            }
        };
        match (found.get("done"), found.get("outputs")) {
            (Some(Value::Bool(true)), outputs) => {
                let outputs = match outputs {
                    Some(Value::Map(outputs)) => outputs.clone(),
                    Some(_) | None => Map::new(),
                };
                self.emit(Change::Probed { step, done: Some(outputs) });
                self.finish(step);
            }
            (Some(Value::Bool(false)), _) => {
                self.emit(Change::Probed { step, done: None });
                if self.is_halted(step) {
                    let error = self.error(step, "lost", "the attempt took no effect, and nothing new starts any more");
                    self.settle_error(step, error);
                    self.catch_from(step, 0);
                } else {
                    self.grant(step, None);
                }
            }
            (Some(_) | None, _) => {
                let why = "its probe says neither that it took effect nor that it did not".to_owned();
                self.emit(Change::Doubted { step, why });
            }
        }
    }
}

impl Run {
    /// A probe found out whether the effect took place; with outputs where it did.
    pub(super) fn probed(&mut self, no: StepNo, done: Option<&Map>) {
        self.set_phase(no, Phase::Deciding);
        let step = self.step_mut(no);
        if let Some(outputs) = done {
            step.attempts += 1;
            step.lost = 0;
            step.outputs.clone_from(outputs);
            step.error = None;
            step.result = Some(Settlement::Done { outputs: Map::new() });
        }
    }
}
