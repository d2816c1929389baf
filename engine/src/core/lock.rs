//! The locks of a shard: who holds which key, and who waits for it.
//!
//! They are told what runs want and hold, and say who is next. Nothing of them is stored: a run's own records say what it
//! claims, and all of this follows from that, so that opening a store needs no second rule and nothing can be held by a
//! run that has ended. Keys of steps (`lock`) and keys of runs (`concurrency`) are of two worlds, and never meet.
//!
//! Who waits is served in the order in which it came, and nobody overtakes. Those that could not go on with a key (their
//! run is paused, or nobody carries it) keep their place and are passed over. How many may hold a key at a time is the
//! smallest of the numbers that those say who hold it and who asks.
//!
//! Invariant: [`Locks::is_free_for`] is the only reason to give a key.

use std::collections::{BTreeMap, BTreeSet};

use super::run::{Claim, Standing};
use crate::id::{RunId, StepNo};

/// Who claims a key: a step of a run, or the run itself.
pub type Whose = (RunId, Option<StepNo>);

/// A key, in the world of those who claim it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Name {
    of_runs: bool,
    key: String,
}

/// Where in the row somebody stands.
type Place = (u64, Whose);

/// One key.
#[derive(Debug, Default)]
struct Lock {
    /// Who holds it, each with how many may at a time.
    holders: BTreeMap<Whose, u32>,
    /// Who waits and could go on with it.
    waiting: BTreeSet<Place>,
    /// Who waits and could not.
    aside: BTreeSet<Place>,
}

/// Every key that somebody wants or holds.
#[derive(Debug, Default)]
pub struct Locks {
    keys: BTreeMap<Name, Lock>,
    runs: BTreeMap<RunId, BTreeMap<Option<StepNo>, Claim>>,
    /// Who came, or came back, since they were looked at.
    fresh: BTreeSet<Whose>,
    /// Keys that may have become free.
    stirred: BTreeSet<Name>,
    /// Where the next one stands in the row.
    next_place: u64,
}

impl Name {
    fn of(whose: Whose, claim: &Claim) -> Self {
        Self { of_runs: whose.1.is_none(), key: claim.key.clone() }
    }
}

impl Locks {
    /// Whether nobody wants or holds anything.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Where the next one stands in the row.
    pub const fn next_place(&self) -> u64 {
        self.next_place
    }

    /// Whether a run wants or holds anything.
    pub fn knows(&self, run: RunId) -> bool {
        self.runs.contains_key(&run)
    }

    /// Takes in what somebody claims now, `None` for nothing any more, and whether it could go on with what it waits for.
    pub fn note(&mut self, whose: Whose, claim: Option<&Claim>, able: bool) {
        self.forget(whose);
        let Some(claim) = claim else { return };
        self.next_place = self.next_place.max(claim.place + 1);
        let lock = self.keys.entry(Name::of(whose, claim)).or_default();
        match claim.standing {
            Standing::Waits if !able => {
                lock.aside.insert((claim.place, whose));
            }
            Standing::Waits => {
                lock.waiting.insert((claim.place, whose));
                self.fresh.insert(whose);
            }
            Standing::Holds => {
                lock.holders.insert(whose, claim.limit);
            }
            Standing::Passes => {}
        }
        self.runs.entry(whose.0).or_default().insert(whose.1, claim.clone());
    }

    /// Takes a claim out; whoever waits for its key may be next.
    fn forget(&mut self, whose: Whose) {
        let Some(claims) = self.runs.get_mut(&whose.0) else { return };
        let Some(claim) = claims.remove(&whose.1) else { return };
        if claims.is_empty() {
            self.runs.remove(&whose.0);
        }
        self.fresh.remove(&whose);
        let name = Name::of(whose, &claim);
        if let Some(lock) = self.keys.get_mut(&name) {
            lock.holders.remove(&whose);
            lock.waiting.remove(&(claim.place, whose));
            lock.aside.remove(&(claim.place, whose));
            if lock.holders.is_empty() && lock.waiting.is_empty() && lock.aside.is_empty() {
                self.keys.remove(&name);
            } else if !lock.waiting.is_empty() {
                self.stirred.insert(name);
            }
        }
    }

    /// Takes out all claims of a run.
    pub fn forget_run(&mut self, run: RunId) {
        let claims: Vec<_> = self.runs.get(&run).into_iter().flat_map(|claims| claims.keys().copied()).collect();
        for step in claims {
            self.forget((run, step));
        }
    }

    /// Nobody carries this run for now: it holds what it holds, and cannot go on with more.
    pub fn set_aside(&mut self, run: RunId) {
        let claims: Vec<_> = self.of_run(run).map(|(step, claim)| (step, claim.clone())).collect();
        for (step, claim) in claims {
            self.note((run, step), Some(&claim), false);
        }
    }

    /// What a run wants or holds.
    pub fn of_run(&self, run: RunId) -> impl Iterator<Item = (Option<StepNo>, &Claim)> + '_ {
        self.runs.get(&run).into_iter().flatten().map(|(step, claim)| (*step, claim))
    }

    /// What somebody claims.
    pub fn claim(&self, whose: Whose) -> Option<&Claim> {
        self.runs.get(&whose.0)?.get(&whose.1)
    }

    /// The runs that want or hold anything.
    pub fn runs(&self) -> impl Iterator<Item = RunId> + '_ {
        self.runs.keys().copied()
    }

    /// Who holds the key that somebody claims, those first that have held it longest.
    pub fn holders(&self, whose: Whose) -> Vec<Whose> {
        let Some(lock) = self.lock_of(whose) else { return Vec::new() };
        let mut holders: Vec<Whose> = lock.holders.keys().copied().collect();
        holders.sort_by_key(|holder| (self.claim(*holder).map(|claim| claim.since), *holder));
        holders
    }

    /// How many wait for the key that somebody waits for and come before it, those that are passed over included.
    pub fn ahead(&self, whose: Whose) -> usize {
        let (Some(lock), Some(claim)) = (self.lock_of(whose), self.claim(whose)) else { return 0 };
        let place = (claim.place, whose);
        lock.waiting.range(..place).count() + lock.aside.range(..place).count()
    }

    /// Everybody who holds the key that somebody waits for, or waits for it before them, in the order in which they came.
    pub fn others(&self, whose: Whose) -> Vec<Whose> {
        let (Some(lock), Some(claim)) = (self.lock_of(whose), self.claim(whose)) else { return Vec::new() };
        let place = (claim.place, whose);
        let came = |holder: &Whose| (self.claim(*holder).map_or(0, |claim| claim.place), *holder);
        let waiting = lock.waiting.range(..place).chain(lock.aside.range(..place)).copied();
        let mut others: Vec<Place> = lock.holders.keys().map(came).chain(waiting).collect();
        others.sort_unstable();
        others.into_iter().map(|(_, whose)| whose).collect()
    }

    /// Whether somebody who waits can have the key now: there is room beside those who hold it, and nobody waits longer
    /// who could go on with it.
    pub fn is_free_for(&self, whose: Whose) -> bool {
        let (Some(lock), Some(claim)) = (self.lock_of(whose), self.claim(whose)) else { return false };
        let is_first = lock.waiting.first().is_some_and(|(_, first)| *first == whose);
        is_first && lock.holders.len() < lock.most(claim.limit, &BTreeSet::new())
    }

    /// Whether somebody who waits could ever have the key if these of its holders never gave it back.
    pub fn could_be_free_for(&self, whose: Whose, stuck: &BTreeSet<Whose>) -> bool {
        let (Some(lock), Some(claim)) = (self.lock_of(whose), self.claim(whose)) else { return false };
        let gone: BTreeSet<Whose> = lock.holders.keys().filter(|holder| !stuck.contains(holder)).copied().collect();
        lock.holders.len() - gone.len() < lock.most(claim.limit, &gone)
    }

    /// Somebody who came since this was asked last.
    pub fn next_fresh(&mut self) -> Option<Whose> {
        self.fresh.pop_first()
    }

    /// Somebody who waits for a key that became free.
    pub fn next_free(&mut self) -> Option<Whose> {
        while let Some(name) = self.stirred.pop_first() {
            let first = self.keys.get(&name).and_then(|lock| lock.waiting.first()).map(|(_, whose)| *whose);
            if let Some(whose) = first.filter(|whose| self.is_free_for(*whose)) {
                // Perhaps there is room for one more.
                self.stirred.insert(name);
                return Some(whose);
            }
        }
        None
    }

    /// Whether somebody is to be looked at.
    pub fn has_news(&self) -> bool {
        !self.fresh.is_empty() || !self.stirred.is_empty()
    }

    fn lock_of(&self, whose: Whose) -> Option<&Lock> {
        self.keys.get(&Name::of(whose, self.claim(whose)?))
    }
}

impl Lock {
    /// How many may hold it at a time when one comes who says `limit`, and these are gone.
    fn most(&self, limit: u32, gone: &BTreeSet<Whose>) -> usize {
        let limits = self.holders.iter().filter(|(holder, _)| !gone.contains(holder)).map(|(_, limit)| *limit);
        limits.fold(limit, u32::min) as usize
    }
}
