//! Keys that a run's steps hold, and the one that the run itself holds (`lock`, `concurrency`).
//!
//! A run says that it wants a key ([`Change::Wanted`]) and waits; the shard's [locks](crate::core::lock) say that it has it.
//! Nothing says that a key is given back: a claim is part of the step, or of the run, and goes when that ends, whichever way.
//! So what is held is always seen from the runs, and no way of ending forgets it.

use std::collections::{BTreeMap, BTreeSet};

use lockstep_dsl::graph::Field;
use lockstep_dsl::value::{Timestamp, Value};
use serde::{Deserialize, Serialize};

use super::error::RunError;
use super::opening::Opening;
use super::record::{Change, Question, RunOutcome};
use super::state::{Phase, Run, RunStatus};
use super::turn::Turn;
use crate::clock::Stamp;
use crate::id::{RunId, StepNo};

/// A key that a step, or the run itself, wants or has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The key.
    pub key: String,
    /// How many may hold it at a time, as who wants it says.
    pub limit: u32,
    /// Where it stands in the row: who came first has the lower number, whichever run it is. Steps of a run that came to it
    /// in one decision share theirs, and stand there in the order of their numbers.
    pub place: u64,
    /// Since when it is wanted, or held.
    pub since: Timestamp,
    /// Whether it has it.
    pub standing: Standing,
}

/// Whether a key is had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Standing {
    /// Not yet.
    #[serde(rename = "waits")]
    Waits,
    /// It is.
    #[serde(rename = "holds")]
    Holds,
    /// A step around it has it, or who called the run: it takes no place of its own.
    #[serde(rename = "passes")]
    Passes,
}

/// Why a key is not to be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denial {
    /// As many runs as may go on do, and one more is not wanted.
    Skipped {
        /// One of them.
        holder: RunId,
    },
    /// The same, and one more is a mistake.
    Refused {
        /// One of them.
        holder: RunId,
    },
    /// Who holds the key waits, in the end, for what the asker holds.
    Deadlock {
        /// The run that holds it.
        holder: RunId,
        /// The path of its step that does; `None` for the run itself.
        step: Option<String>,
        /// The key that is waited for there.
        other: String,
    },
}

/// What a run needs to begin when its turn comes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gate {
    /// The key that it shares with other runs.
    pub key: String,
    /// How it begins.
    #[serde(default, skip_serializing_if = "Opening::is_plain")]
    pub opening: Opening,
}

/// The claims of a run, by step; `None` is the run's own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Claims {
    #[serde(with = "super::state::pairs")]
    all: BTreeMap<Option<StepNo>, Claim>,
    /// Those that changed since the locks of the shard heard of them.
    #[serde(skip)]
    news: BTreeSet<Option<StepNo>>,
    /// Where those stand in the row that are wanted now.
    #[serde(skip)]
    place: u64,
}

impl Claims {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// That of a step, or of the run itself.
    pub fn get(&self, whose: Option<StepNo>) -> Option<&Claim> {
        self.all.get(&whose)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (Option<StepNo>, &Claim)> + '_ {
        self.all.iter().map(|(whose, claim)| (*whose, claim))
    }

    /// Whose claims changed since this was asked last.
    pub fn take_news(&mut self) -> BTreeSet<Option<StepNo>> {
        std::mem::take(&mut self.news)
    }

    /// Those that are wanted from now on stand here in the row.
    pub fn line_up(&mut self, place: u64) {
        self.place = place;
    }

    pub(super) fn put(&mut self, whose: Option<StepNo>, claim: Claim) {
        self.all.insert(whose, claim);
        self.news.insert(whose);
    }

    pub(super) fn drop(&mut self, whose: Option<StepNo>) {
        if self.all.remove(&whose).is_some() {
            self.news.insert(whose);
        }
    }

    pub(super) fn drop_all(&mut self) {
        self.news.extend(std::mem::take(&mut self.all).into_keys());
    }

    /// Whether they may be given what they wait for has changed.
    pub(super) fn look_again(&mut self) {
        let waiting = self.all.iter().filter(|(_, claim)| claim.standing == Standing::Waits);
        self.news.extend(waiting.map(|(whose, _)| *whose));
    }
}

impl Turn<'_> {
    /// The step begins: with the key that it is to hold, where it is to hold one.
    pub fn lock_first(&mut self, step: StepNo) {
        match self.run.node_of(step).lock.as_ref().map(|lock| &lock.key) {
            None => self.attempt(step),
            Some(Field::Const(Value::String(key))) => {
                let key = key.clone();
                self.want(step, key);
            }
            Some(Field::Const(_) | Field::Expr(_) | Field::Text(_) | Field::List(_) | Field::Map(_)) => {
                self.ask(step, Question::Lock);
            }
        }
    }

    /// The key that the step is to hold is known.
    pub fn want(&mut self, step: StepNo, key: String) {
        let limit = self.run.node_of(step).lock.as_ref().map_or(1, |lock| lock.limit);
        let place = self.run.claims.place;
        self.emit(Change::Wanted { step: Some(step), key, limit, place, opening: None });
    }

    /// The run is to begin, or to go on: when its turn comes among those that share its key.
    pub fn queue(&mut self, key: String, opening: Option<Opening>) {
        let limit = self.run.graph.concurrency.as_ref().map_or(1, |concurrency| concurrency.limit);
        let place = self.run.claims.place;
        self.emit(Change::Wanted { step: None, key, limit, place, opening: opening.map(Box::new) });
    }

    /// Who waits for a key has it.
    pub fn locked(&mut self, whose: Option<StepNo>, passes: bool) {
        if self.run.claims.get(whose).is_none_or(|claim| claim.standing != Standing::Waits) {
            return;
        }
        let goes_on_inside = whose.is_some_and(|step| self.run.has(step) && self.run.step(step).reopens);
        self.emit(Change::Locked { step: whose, passes });
        match whose {
            Some(step) if goes_on_inside => self.enter_again(step),
            Some(step) => self.attempt(step),
            None => self.admitted(),
        }
    }

    /// The run's turn has come: it begins, or goes on where a `retry` found it.
    fn admitted(&mut self) {
        self.emit(Change::Started);
        if let Some(main) = self.run.latest.get(&(None, self.run.graph.main)).copied() {
            self.enter(main);
        } else {
            let opening = self.run.gate.as_ref().map(|gate| gate.opening.clone()).unwrap_or_default();
            self.open(&opening);
        }
    }

    /// Who waits for a key will not get it.
    pub fn denied(&mut self, whose: Option<StepNo>, why: &Denial) {
        let Some(claim) = self.run.claims.get(whose).filter(|claim| claim.standing == Standing::Waits) else { return };
        let message = why.describe(&claim.key, whose.is_none());
        if let Some(step) = whose {
            let error = self.error(step, why.kind(), message);
            self.settle_error(step, error);
            // What it holds itself is a part of why: to try again would change nothing.
            self.catch_from(step, 0);
        } else {
            let error = Some(Box::new(RunError::new(why.kind(), message, "")));
            self.emit(Change::Finished { outcome: why.outcome(), error });
        }
    }

    /// A run that has not begun, or is to go on and has not, is cancelled: it ends at once.
    pub fn leave_queue(&mut self, error: RunError) {
        self.emit(Change::Finished { outcome: RunOutcome::Cancelled, error: Some(Box::new(error)) });
    }
}

impl Denial {
    const fn kind(&self) -> &'static str {
        match self {
            Self::Skipped { .. } => "cancelled",
            Self::Refused { .. } => "limit",
            Self::Deadlock { .. } => "failed",
        }
    }

    const fn outcome(&self) -> RunOutcome {
        match self {
            Self::Skipped { .. } => RunOutcome::Cancelled,
            Self::Refused { .. } | Self::Deadlock { .. } => RunOutcome::Failed,
        }
    }

    fn describe(&self, key: &str, is_run: bool) -> String {
        match self {
            Self::Skipped { holder } => {
                format!("skipped: run {holder} goes on with key `{key}`, and `excess: skip` wants no further one")
            }
            Self::Refused { holder } => {
                format!("run {holder} goes on with key `{key}`, and `excess: fail` lets no further one begin")
            }
            Self::Deadlock { holder, step, other } => {
                let what = if is_run { "key" } else { "lock" };
                let at = step.as_ref().map_or_else(String::new, |step| format!(" in step `{step}`"));
                format!(
                    "waiting for {what} `{key}` would never end: run {holder} holds it{at} and waits for `{other}`, \
                     which is held here; let both take the keys in the same order"
                )
            }
        }
    }
}

impl Run {
    /// The key that a step, or the run itself, waits for.
    pub fn wanted(&self, whose: Option<StepNo>) -> Option<&Claim> {
        self.claims.get(whose).filter(|claim| claim.standing == Standing::Waits)
    }

    /// Whether it, or a step of it, waits for a key.
    pub fn waits_for_key(&self) -> bool {
        self.claims.iter().any(|(_, claim)| claim.standing == Standing::Waits)
    }

    /// Whether who waits for a key in this run could go on with it.
    pub fn may_be_given(&self, whose: Option<StepNo>) -> bool {
        self.quarantined.is_none()
            && match whose {
                Some(step) => !self.holds(step),
                None => !self.is_paused(),
            }
    }

    /// The steps around a step, the nearest first.
    pub fn around(&self, step: StepNo) -> impl Iterator<Item = StepNo> + '_ {
        self.enclosing(self.step(step).activation).filter_map(|no| self.activations[no].owner)
    }

    pub(super) fn want(&mut self, whose: Option<StepNo>, claim: Claim, opening: Option<&Opening>) {
        let (key, since) = (claim.key.clone(), claim.since);
        self.claims.put(whose, claim);
        if let Some(step) = whose {
            self.set_phase(step, Phase::Locking { since });
        } else {
            let opening = opening.cloned().or_else(|| self.gate.take().map(|gate| gate.opening));
            self.gate = Some(Box::new(Gate { key, opening: opening.unwrap_or_default() }));
        }
    }

    pub(super) fn lock(&mut self, whose: Option<StepNo>, passes: bool, at: Stamp) {
        let Some(claim) = self.claims.get(whose).cloned() else { return };
        let standing = if passes { Standing::Passes } else { Standing::Holds };
        self.claims.put(whose, Claim { since: at.wall, standing, ..claim });
        if let Some(step) = whose {
            self.set_phase(step, Phase::Deciding);
            if self.step(step).reopens {
                self.reopen_inside(step, at);
            }
        }
    }

    /// A run that waits for its turn to go on is as it was when it ended, but for that.
    pub(super) fn requeue(&mut self) {
        self.status = RunStatus::Queued;
        self.ended = None;
        self.outcome = None;
        self.error = None;
        self.cancel = None;
        self.cancel_undoes = false;
    }
}
