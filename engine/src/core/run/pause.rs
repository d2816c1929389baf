//! Pausing: a person has a run begin nothing new until somebody lets it go on.
//!
//! What runs ends, and what follows from its end is decided as ever; only nothing begins, also not in runs that it
//! called. A step that is ready stays pending; what is further on is in [`Phase::Held`], which says what comes next. Delays
//! go on and are over when they are over, and so do the limits of attempts that run and of steps that wait for somebody.
//! The limits that count what is held back stand still: the run's, those of blocks and of calls, of all tries of a step,
//! and of what comes last.

use std::collections::BTreeSet;

use lockstep_dsl::graph::Kind;
use lockstep_dsl::value::{Map, Millis, Timestamp};
use serde::{Deserialize, Serialize};

use super::decide::Refused;
use super::record::{Change, Delay};
use super::state::{Phase, Run, Timer};
use super::turn::{Turn, Work};
use crate::clock::Stamp;
use crate::id::StepNo;

/// That a run is paused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Who asked for it.
    pub by: String,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When.
    pub since: Timestamp,
    /// What is left, in milliseconds, of the limits that stand still.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<(Timer, u64)>,
    /// Steps that may begin and be tried all the same.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub permitted: BTreeSet<StepNo>,
}

/// What comes next for a step that is held back after more than its needs was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Hold {
    /// It begins: its `when` holds.
    #[serde(rename = "begin")]
    Begin,
    /// An attempt is granted, with the input that is there.
    #[serde(rename = "attempt")]
    Attempt,
    /// The next try, after a failure.
    #[serde(rename = "retry")]
    Retry,
    /// The next try of `until`.
    #[serde(rename = "until")]
    Until,
    /// The next round of a `repeat`.
    #[serde(rename = "round")]
    Round,
}

impl Hold {
    /// What is held back when a delay is over; `None` where nothing begins then.
    pub const fn after(delay: Delay) -> Option<Self> {
        match delay {
            Delay::Wait => None,
            Delay::Retry => Some(Self::Retry),
            Delay::Until => Some(Self::Until),
            Delay::Round => Some(Self::Round),
        }
    }
}

impl Turn<'_> {
    /// A person asks for nothing new to begin.
    pub fn pause(&mut self, by: String, reason: Option<String>) -> Result<(), Refused> {
        let id = self.run.id;
        if self.run.is_ended() {
            let why = format!("run {id} has ended, it {}", self.run.status_name());
            return Err(Refused::Instead { why, instead: format!("`lockstep show {id}` says how it ended") });
        }
        if let Some(pause) = &self.run.paused {
            let why = format!("run {id} is paused already, by {}", pause.by);
            return Err(Refused::Instead { why, instead: format!("`lockstep resume {id}` lets it go on") });
        }
        if self.run.cancel.is_some() {
            let why = format!("run {id} is being cancelled, and what comes last is not held back");
            return Err(Refused::Instead { why, instead: format!("`lockstep why {id}` says what it waits for") });
        }
        self.emit(Change::Paused { by, reason });
        Ok(())
    }

    /// A person lets it go on.
    pub fn unpause(&mut self, by: String) -> Result<(), Refused> {
        if !self.run.is_paused() {
            let id = self.run.id;
            let why = format!("run {id} is not paused, it is {}", self.run.status_name());
            return Err(Refused::Instead { why, instead: format!("`lockstep why {id}` says what it waits for") });
        }
        self.emit(Change::Unpaused { by });
        self.release();
        Ok(())
    }

    /// A person lets one step begin.
    pub fn permit(&mut self, path: &str, by: String) -> Result<(), Refused> {
        let id = self.run.id;
        let refuse =
            |why: String| Err(Refused::Instead { why, instead: format!("`lockstep why {id}` says what it waits for") });
        let Some(step) = self.run.step_by_path(path) else {
            return refuse(format!("run {id} has no step `{path}`"));
        };
        if !self.run.holds(step) || !self.run.is_held_back(step) {
            let status = self.run.step(step).status().name();
            return refuse(format!("step `{path}` is not held back by a pause, it is {status}"));
        }
        self.emit(Change::Permitted { step, by });
        self.let_go(step);
        Ok(())
    }

    /// What was held back goes on.
    pub fn release(&mut self) {
        let held = self.run.held_back();
        // What is noted last is looked at first.
        held.iter().rev().for_each(|step| self.push(Work::Ready(*step)));
        for step in held {
            self.go_on(step);
        }
    }

    /// One step that was held back goes on.
    fn let_go(&mut self, step: StepNo) {
        self.push(Work::Ready(step));
        self.go_on(step);
    }

    fn go_on(&mut self, step: StepNo) {
        let Some(Phase::Held { what, .. }) = self.run.steps.get(step.0).map(|step| &step.phase) else { return };
        match what {
            Hold::Begin => self.begin(step),
            Hold::Attempt => self.grant(step, None),
            Hold::Retry => self.next_try(step, Delay::Retry),
            Hold::Until => self.next_try(step, Delay::Until),
            Hold::Round => self.next_try(step, Delay::Round),
        }
    }
}

impl Run {
    /// The steps that would go on at once if the run were not paused, in order.
    pub fn held_back(&self) -> Vec<StepNo> {
        self.step_numbers().filter(|no| self.is_held_back(*no)).collect()
    }

    /// Whether a pause keeps the step from beginning.
    pub fn holds(&self, no: StepNo) -> bool {
        self.paused.as_deref().is_some_and(|pause| !pause.permitted.contains(&no))
    }

    /// Whether nothing but a pause keeps the step from going on.
    pub fn is_held_back(&self, no: StepNo) -> bool {
        let step = self.step(no);
        match step.phase {
            Phase::Held { .. } => true,
            Phase::Pending => {
                // Where a `retry` of the run opened a block again it waits for what the block needs.
                let owners = self.enclosing(step.activation).filter_map(|around| self.activations[around].owner);
                step.missing == 0 && owners.into_iter().all(|owner| self.step(owner).missing == 0)
            }
            Phase::Asking(_)
            | Phase::Deciding
            | Phase::Running { .. }
            | Phase::Delayed { .. }
            | Phase::Awaiting { .. }
            | Phase::Calling { .. }
            | Phase::Locking { .. }
            | Phase::Inside
            | Phase::InDoubt { .. }
            | Phase::Ended { .. } => false,
        }
    }

    /// Sets a limit of time that begins now; one that stands still begins when the run goes on.
    pub(super) fn limit(&mut self, timer: Timer, length: Millis, at: Stamp) {
        if self.paused.is_some() && self.stands_still(timer) {
            self.disarm(timer);
            if let Some(pause) = &mut self.paused {
                pause.left.push((timer, length.0));
            }
        } else {
            self.arm(at.time.saturating_add(length.0), timer);
        }
    }

    /// Whether the limit is set, going on or standing still.
    pub(super) fn is_limited(&self, timer: Timer) -> bool {
        let stands = |pause: &Pause| pause.left.iter().any(|(left, _)| *left == timer);
        self.armed.contains_key(&timer) || self.paused.as_deref().is_some_and(stands)
    }

    pub(super) fn begin_pause(&mut self, by: &str, reason: Option<&str>, at: Stamp) {
        let still: Vec<(Timer, u64)> = self
            .armed
            .iter()
            .filter(|(timer, _)| self.stands_still(**timer))
            .map(|(timer, due)| (*timer, *due))
            .collect();
        let mut left = Vec::with_capacity(still.len());
        for (timer, due) in still {
            self.disarm(timer);
            left.push((timer, due.saturating_sub(at.time)));
        }
        let reason = reason.map(str::to_owned);
        self.claims.look_again();
        self.paused =
            Some(Box::new(Pause { by: by.to_owned(), reason, since: at.wall, left, permitted: BTreeSet::new() }));
    }

    pub(super) fn end_pause(&mut self, at: Stamp) {
        let Some(pause) = self.paused.take() else { return };
        self.claims.look_again();
        for (timer, left) in pause.left {
            self.arm(at.time.saturating_add(left), timer);
        }
    }

    pub(super) fn permit(&mut self, no: StepNo) {
        if let Some(pause) = &mut self.paused {
            pause.permitted.insert(no);
        }
    }

    pub(super) fn hold(&mut self, no: StepNo, what: Hold, input: Option<&Map>, at: Stamp) {
        if let Some(input) = input {
            self.step_mut(no).input.clone_from(input);
        }
        self.set_phase(no, Phase::Held { what, since: at.wall });
    }

    /// Whether a limit counts what is held back in a paused run.
    fn stands_still(&self, timer: Timer) -> bool {
        match timer {
            Timer::Run | Timer::Tail | Timer::Total(_) => true,
            Timer::Attempt(step) => {
                let kind = &self.node_of(step).kind;
                matches!(kind, Kind::Call(_)) || !kind.blocks().is_empty()
            }
            Timer::Delay(_) | Timer::Escalate(_) => false,
        }
    }
}
