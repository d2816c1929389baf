//! Blocks: how their steps come to be, and what the end of the last one means for the step they belong to.

use lockstep_dsl::graph::{BlockId, Kind, OnFail, Role};
use lockstep_dsl::value::{Map, Value};

use super::error::RunError;
use super::record::{Change, Settlement, Skip, StopCause};
use super::state::{ActivationNo, Phase};
use super::turn::{Turn, Work};
use crate::fault::{self, Bug};
use crate::id::StepNo;

impl Turn<'_> {
    /// Brings a block's steps into being and notes those that need nothing.
    pub fn activate(&mut self, block: BlockId, owner: Option<StepNo>) {
        let no = self.run.activations.next();
        self.emit(Change::Activated { block, owner });
        self.enter(no);
    }

    /// Notes what can go on in an activation, and in the blocks inside it that were opened again with it.
    pub fn enter(&mut self, no: ActivationNo) {
        if self.run.activations[no].open == 0 {
            self.push(Work::Over(no));
            return;
        }
        let steps: Vec<_> = self.run.steps_of(no).collect();
        for step in steps.into_iter().rev() {
            match self.phase(step) {
                Phase::Pending if self.run.step(step).missing == 0 => self.push(Work::Ready(step)),
                Phase::Inside if self.run.step(step).missing == 0 => self.enter_again(step),
                Phase::Pending
                | Phase::Asking(_)
                | Phase::Deciding
                | Phase::Running { .. }
                | Phase::Delayed { .. }
                | Phase::Awaiting { .. }
                | Phase::Held { .. }
                | Phase::Calling { .. }
                | Phase::Locking { .. }
                | Phase::InDoubt { .. }
                | Phase::Inside
                | Phase::Ended { .. } => {}
            }
        }
    }

    /// A step that was opened again goes on inside.
    pub fn enter_again(&mut self, step: StepNo) {
        if matches!(self.run.node_of(step).kind, Kind::Foreach(_)) {
            self.push(Work::Items(step));
        } else {
            self.run.bodies(step).into_iter().for_each(|inner| self.enter(inner));
        }
    }

    /// All steps of an activation have ended.
    pub fn over(&mut self, no: ActivationNo) {
        let activation = &self.run.activations[no];
        let (block, owner) = (activation.block, activation.owner);
        let role = self.run.graph.block(block).role.clone();
        if role != Role::Item && self.run.latest.get(&(owner, block)) != Some(&no) {
            return;
        }
        match (role, owner) {
            (Role::Main, _) => self.main_over(no),
            (Role::OnFailure, _) => self.on_failure_over(),
            (Role::Finally, _) => self.finally_over(no),
            (Role::Do | Role::Branch(_) | Role::Case(_), Some(owner)) => self.block_over(owner, no),
            (Role::Round, Some(owner)) => self.round_over(owner, no),
            (Role::Item, Some(owner)) => self.item_over(owner, no),
            (Role::Catch(_), Some(owner)) => self.handler_over(owner, no),
            (Role::StepFinally, Some(owner)) => self.step_finally_over(owner, no),
            (Role::Undo, Some(owner)) => self.undo_over(owner, no),
            (Role::Probe, Some(owner)) => self.probe_over(owner, no),
            (
                Role::Do
                | Role::Branch(_)
                | Role::Case(_)
                | Role::Round
                | Role::Item
                | Role::Catch(_)
                | Role::StepFinally
                | Role::Undo
                | Role::Probe,
                None,
            ) => {
                unreachable!("only the runbook's own blocks have no owner")
            }
        }
    }

    /// A body or branch of a step is over: perhaps the step is, or its other branches must stop.
    fn block_over(&mut self, owner: StepNo, no: ActivationNo) {
        // With a result it is inside its handler or its `finally`: two blocks inside that end at once, one because of the
        // other, each come here.
        let has_result = self.run.step(owner).result.is_some() && !fault::planted(Bug::BlockEndsTwice);
        if !matches!(self.phase(owner), Phase::Inside) || has_result {
            return;
        }
        let parallel = match &self.run.node_of(owner).kind {
            Kind::Parallel(parallel) => Some((parallel.on_fail, parallel.wins)),
            _ => None,
        };
        let all = self.run.bodies(owner);
        if let Some((on_fail, wins)) = parallel {
            let won = self.count_well(&all);
            let lost = all.iter().filter(|no| self.is_over(**no) && !self.is_well(**no)).count();
            let can_win = wins.is_none_or(|wins| all.len() - lost >= wins as usize);
            let others = || all.iter().copied().filter(|other| *other != no);
            if wins.is_some_and(|wins| won >= wins as usize) {
                others().for_each(|other| self.stop_activation(other, true, StopCause::Won));
            } else if !self.is_well(no) && (wins.is_none() || !can_win) {
                match on_fail {
                    OnFail::Stop => others().for_each(|other| self.stop_activation(other, false, StopCause::Failure)),
                    OnFail::Cancel => others().for_each(|other| self.stop_activation(other, true, StopCause::Failure)),
                    OnFail::Late => {}
                }
            }
        }
        if all.iter().all(|no| self.is_over(*no)) {
            self.block_result(owner, &all, parallel.and_then(|(_, wins)| wins));
        }
    }

    /// All that ran inside a step is over: what the step came to.
    pub fn block_result(&mut self, owner: StepNo, all: &[ActivationNo], wins: Option<u32>) {
        let halts: Vec<_> = all.iter().filter_map(|no| self.run.activations[*no].halt).collect();
        let cancelled_by = |causes: &[StopCause]| {
            halts.iter().find(|halt| halt.cancel && causes.contains(&halt.cause)).map(|halt| halt.cause)
        };
        let errors = self.errors(all);
        if wins.is_some_and(|wins| self.count_well(all) >= wins as usize) {
            self.done(owner, Map::new());
        } else if let Some(cause) = cancelled_by(&[StopCause::Timeout, StopCause::Total]) {
            self.stopped(owner, cause);
        } else if self.run.finishing.is_some() && cancelled_by(&[StopCause::Finish]).is_some() {
            self.done(owner, Map::new());
        } else if let Some(cause) = cancelled_by(&[StopCause::Cancel, StopCause::RunTimeout, StopCause::Enclosing]) {
            self.stopped(owner, cause);
        } else if let Some(cause) = self.called_off(owner) {
            self.stopped(owner, cause);
        } else if let Some(error) = block_error(errors) {
            self.settle_error(owner, error);
            self.failed(owner);
        } else if all.iter().all(|no| self.is_well(*no)) {
            self.done(owner, Map::new());
        } else {
            self.stopped(owner, halts.first().map_or(StopCause::Failure, |halt| halt.cause));
        }
    }

    /// Why a step is to stop that had failed or been stopped before for another reason: it neither handles its failure
    /// nor tries again.
    pub fn called_off(&self, step: StepNo) -> Option<StopCause> {
        let activation = self.run.step(step).activation;
        let mut around = self.run.enclosing(activation).map(|no| &self.run.activations[no]);
        let comes_last = around.any(|activation| {
            matches!(self.run.graph.block(activation.block).role, Role::Finally | Role::StepFinally | Role::Undo)
        });
        if self.run.cancel.is_some() && !comes_last {
            return Some(StopCause::Cancel);
        }
        let halt = self.run.activations[activation].halt.filter(|halt| halt.cancel)?;
        Some(halt.cause.inward())
            .filter(|cause| matches!(cause, StopCause::Cancel | StopCause::RunTimeout | StopCause::Enclosing))
    }

    /// A handler is over: the failure is handled, or has become the handler's own error on top of the first.
    fn handler_over(&mut self, owner: StepNo, no: ActivationNo) {
        if self.run.step(owner).handler != Some(no) {
            return;
        }
        let halt = self.run.activations[no].halt;
        let first = self.run.step(owner).error.clone();
        if let Some(mut error) = block_error(self.errors(&[no])) {
            error.cause = first;
            self.settle_error(owner, error);
            self.finish(owner);
        } else if let Some(halt) = halt {
            self.stopped(owner, halt.cause);
        } else {
            self.finish(owner);
        }
    }

    /// The step's own `finally` is over. Its error makes a success a failure; it does not hide a first one.
    fn step_finally_over(&mut self, owner: StepNo, no: ActivationNo) {
        let ended_well = matches!(self.run.step(owner).result, Some(Settlement::Done { .. }));
        match block_error(self.errors(&[no])) {
            Some(error) if ended_well => {
                self.settle_error(owner, error);
                self.finish(owner);
            }
            _ => self.finish(owner),
        }
    }

    /// The errors of activations, in order of time.
    pub fn errors(&self, all: &[ActivationNo]) -> Vec<RunError> {
        let mut errors: Vec<_> = all.iter().flat_map(|no| self.run.activations[*no].errors.iter().cloned()).collect();
        errors.sort_by_key(|(order, _)| *order);
        errors.into_iter().map(|(_, error)| error).collect()
    }

    fn count_well(&self, all: &[ActivationNo]) -> usize {
        all.iter().filter(|no| self.is_over(**no) && self.is_well(**no)).count()
    }

    fn is_over(&self, no: ActivationNo) -> bool {
        self.run.activations[no].open == 0
    }

    /// Whether an activation that is over ended well: without errors, and nothing in it was stopped or not reached.
    pub fn is_well(&self, no: ActivationNo) -> bool {
        let activation = &self.run.activations[no];
        activation.errors.is_empty()
            && (activation.halt.is_none()
                || self.run.steps_of(no).all(|step| {
                    let step = self.run.step(step);
                    !matches!(step.phase, Phase::Ended { skip: Some(Skip::Unreached), .. })
                        && step.status() != super::record::StepStatus::Cancelled
                }))
    }
}

/// The error of a block: the first in time, with all of them, each once, in its data as `errors`.
pub(super) fn block_error(errors: Vec<RunError>) -> Option<RunError> {
    let mut all = Vec::new();
    for error in &errors {
        match &error.data {
            Value::Map(data) if matches!(data.get("errors"), Some(Value::List(_))) => {
                if let Some(Value::List(inner)) = data.get("errors") {
                    all.extend(inner.clone());
                }
            }
            _ => all.push(error.to_value()),
        }
    }
    let mut first = errors.into_iter().next()?;
    let mut data = match first.data {
        Value::Map(data) => data,
        Value::Null => Map::new(),
        other => Map::from([("value".to_owned(), other)]),
    };
    data.insert("errors".to_owned(), Value::List(all));
    first.data = Value::Map(data);
    Some(first)
}
