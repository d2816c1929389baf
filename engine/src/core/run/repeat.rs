//! `repeat`: whether there is another round.

use lockstep_dsl::graph::{Kind, Repeat};
use lockstep_dsl::value::Map;

use super::looping::is_wanted;
use super::record::{Change, Delay, Question, StopCause};
use super::state::{ActivationNo, Phase};
use super::turn::Turn;
use crate::id::StepNo;

impl Turn<'_> {
    /// Before a round: `while` is asked, where there is one.
    pub fn before_round(&mut self, step: StepNo) {
        let Some(plan) = self.repeat(step) else { return };
        match plan.goes_on {
            Some(_) => self.ask(step, Question::While),
            None => self.begin_round(step),
        }
    }

    /// A round begins, if there may be another one.
    pub fn begin_round(&mut self, step: StepNo) {
        let Some(plan) = self.repeat(step) else { return };
        if self.is_halted(step) {
            self.stopped(step, StopCause::Failure);
        } else if self.has_reached_max(step, &plan) {
            self.too_many_rounds(step, &plan);
        } else {
            self.activate(plan.body, Some(step));
        }
    }

    /// A round is over.
    pub fn round_over(&mut self, owner: StepNo, no: ActivationNo) {
        let Some(plan) = self.repeat(owner) else { return };
        if !matches!(self.phase(owner), Phase::Inside) {
            return;
        }
        let round = &self.run.activations[no];
        let (halt, has_failed) = (round.halt, !round.errors.is_empty());
        let is_broken_off = self.run.step(owner).looping.as_ref().and_then(|rounds| rounds.halt);
        let is_broken_off = is_broken_off.is_some_and(|halt| is_wanted(halt.cause));
        if has_failed {
            self.emit(Change::LoopOver { step: owner });
            self.block_result(owner, &[no], None);
        } else if is_broken_off && halt.is_none() {
            self.rounds_over(owner);
        } else if let Some(halt) = halt {
            self.emit(Change::LoopOver { step: owner });
            match halt.cause {
                StopCause::Finish => self.block_result(owner, &[no], None),
                // That this round came to its end does not say that it was the last.
                cause @ (StopCause::Cancel
                | StopCause::Timeout
                | StopCause::Total
                | StopCause::Enclosing
                | StopCause::RunTimeout
                | StopCause::Failure
                | StopCause::Won
                | StopCause::Break) => self.stopped(owner, cause),
            }
        } else if plan.until.is_some() {
            self.ask(owner, Question::Round);
        } else {
            self.after_round(owner);
        }
    }

    /// After a round that was not the last.
    pub fn after_round(&mut self, step: StepNo) {
        let Some(plan) = self.repeat(step) else { return };
        if self.is_halted(step) {
            self.stopped(step, StopCause::Failure);
        } else if plan.goes_on.is_none() && self.has_reached_max(step, &plan) {
            self.too_many_rounds(step, &plan);
        } else if let Some(every) = plan.every {
            let until = self.now.time.saturating_add(every.0);
            self.emit(Change::Delayed { step, until, why: Delay::Round, rule: None });
        } else {
            self.before_round(step);
        }
    }

    /// There is no further round, as it should be.
    pub fn rounds_over(&mut self, step: StepNo) {
        self.emit(Change::LoopOver { step });
        self.done(step, Map::new());
    }

    fn has_reached_max(&self, step: StepNo, plan: &Repeat) -> bool {
        let rounds = self.run.step(step).looping.as_ref().map_or(0, |rounds| rounds.next - rounds.forgiven);
        rounds >= u64::from(plan.max)
    }

    fn too_many_rounds(&mut self, step: StepNo, plan: &Repeat) {
        self.emit(Change::LoopOver { step });
        let message = format!("it has not come to its end after {} rounds", plan.max);
        let error = self.error(step, "limit", message);
        self.settle_error(step, error);
        self.failed(step);
    }

    fn repeat(&self, step: StepNo) -> Option<Repeat> {
        match &self.run.node_of(step).kind {
            Kind::Repeat(plan) => Some(plan.clone()),
            _ => None,
        }
    }
}
