//! Giving out keys: what the locks of the shard say to runs that wait.
//!
//! Asked again and again by who turns the crank, until nothing is left to be said. What is to be said is seen from the state
//! alone, so that a crash between a key that became free and the one who gets it loses neither.

use std::collections::{BTreeMap, BTreeSet};

use lockstep_dsl::graph::Excess;

use super::lock::{Locks, Whose};
use super::run::{Denial, Input, Run, Standing};
use super::state::State;
use crate::id::{RunId, StepNo};
use crate::limits::MAX_CLAIMS_LOOKED_AT;

/// What the locks say to a run.
#[derive(Debug)]
pub enum Notice {
    /// This happens to it.
    Tell(RunId, Input),
    /// These are cancelled, so that another one may go on.
    MakeRoom {
        /// They, the oldest first.
        runs: Vec<RunId>,
        /// For which one.
        for_run: RunId,
    },
}

impl State {
    /// The next thing that the locks say. Each is to be decided before the next is asked for.
    pub fn next_notice(&mut self) -> Option<Notice> {
        // Who has waited comes before who has just come.
        while let Some(whose) = self.locks.next_free().or_else(|| self.locks.next_fresh()) {
            if let Some(notice) = self.look_at(whose) {
                return Some(notice);
            }
        }
        None
    }

    /// A run could not be told something: it keeps its place, and is passed over from now on.
    pub fn pass_over(&mut self, run: RunId) {
        self.locks.set_aside(run);
    }

    /// Whether the locks have something to say.
    pub fn has_notices(&self) -> bool {
        self.locks.has_news()
    }

    /// What every run wants or holds.
    pub const fn locks(&self) -> &Locks {
        &self.locks
    }

    /// Somebody wants a key: whether it can have it, and what becomes of it where not.
    fn look_at(&mut self, whose: Whose) -> Option<Notice> {
        let (run, step) = whose;
        if self.passes(whose) {
            return Some(Notice::Tell(run, Input::Locked { step, passes: true }));
        }
        if self.locks.is_free_for(whose) {
            return Some(Notice::Tell(run, Input::Locked { step, passes: false }));
        }
        let excess = self.run(run).and_then(|run| run.graph.concurrency.as_ref().map(|plan| (plan.excess, plan.limit)));
        match excess.filter(|_| step.is_none()) {
            Some((Excess::Skip, _)) => self.turn_away(whose, |holder| Denial::Skipped { holder }),
            Some((Excess::Fail, _)) => self.turn_away(whose, |holder| Denial::Refused { holder }),
            Some((Excess::CancelOldest, limit)) => {
                let runs = self.oldest_in_the_way(whose, limit);
                if runs.is_empty() { self.deadlock(whose) } else { Some(Notice::MakeRoom { runs, for_run: run }) }
            }
            Some((Excess::Queue, _)) | None => self.deadlock(whose),
        }
    }

    fn turn_away(&self, whose: Whose, why: impl Fn(RunId) -> Denial) -> Option<Notice> {
        let (holder, _) = *self.locks.others(whose).first()?;
        Some(Notice::Tell(whose.0, Input::Denied { step: whose.1, why: why(holder) }))
    }

    /// The oldest of the runs that go on or wait with the key and are not being cancelled, as many as are too much with
    /// one more.
    fn oldest_in_the_way(&self, whose: Whose, limit: u32) -> Vec<RunId> {
        let others = self.locks.others(whose);
        let stays = |run: &RunId| self.run(*run).is_none_or(|run| run.cancel.is_none());
        let mut staying: Vec<RunId> = others.into_iter().map(|(run, _)| run).filter(stays).collect();
        let too_many = (staying.len() + 1).saturating_sub(limit as usize);
        staying.truncate(too_many);
        staying
    }

    /// Whether a step around this one has its key, or who called its run and waits for it.
    fn passes(&self, whose: Whose) -> bool {
        let Some(key) = self.locks.claim(whose).map(|claim| claim.key.clone()) else { return false };
        let has = |around: &Whose| {
            let of_one_world = around.1.is_none() == whose.1.is_none();
            let claim = self.locks.claim(*around).filter(|_| of_one_world);
            claim.is_some_and(|claim| claim.standing != Standing::Waits && claim.key == key)
        };
        self.around(whose).iter().any(has)
    }

    /// What stands around a step, or a run: steps around it, its run, the step that called that and waits, and so on.
    fn around(&self, (run, step): Whose) -> Vec<Whose> {
        let mut all = Vec::new();
        let (mut run, mut step) = (run, step);
        while let Some(there) = self.run(run) {
            if let Some(step) = step.filter(|step| there.has(*step)) {
                all.extend(there.around(step).map(|around| (run, Some(around))));
                all.push((run, None));
            }
            let Some(caller) = there.caller.filter(|caller| caller.waits) else { break };
            (run, step) = (caller.run, Some(caller.step));
            all.push((run, step));
        }
        all
    }

    /// Whether what somebody waits for waits in the end for what that one holds, and so never comes.
    fn deadlock(&self, whose: Whose) -> Option<Notice> {
        let waits = self.reachable(whose)?;
        let mut free: BTreeSet<Whose> = BTreeSet::new();
        loop {
            let is_stuck = |inside: &BTreeSet<Whose>| inside.iter().any(|claim| !free.contains(claim));
            let goes = |(claim, holders): (&Whose, &BTreeMap<Whose, BTreeSet<Whose>>)| {
                let stuck = holders.iter().filter(|(_, inside)| is_stuck(inside)).map(|(holder, _)| *holder).collect();
                (!free.contains(claim) && self.locks.could_be_free_for(*claim, &stuck)).then_some(*claim)
            };
            let more: Vec<Whose> = waits.iter().filter_map(goes).collect();
            if more.is_empty() {
                break;
            }
            free.extend(more);
        }
        if free.contains(&whose) {
            return None;
        }
        let (holder, inside) = waits.get(&whose)?.iter().find(|(_, inside)| !inside.is_subset(&free))?;
        let other = inside.iter().find(|claim| !free.contains(claim))?;
        let other = self.locks.claim(*other)?.key.clone();
        let step = holder.1.and_then(|step| self.run(holder.0).map(|run| run.path(step)));
        let why = Denial::Deadlock { holder: holder.0, step, other };
        Some(Notice::Tell(whose.0, Input::Denied { step: whose.1, why }))
    }

    /// For this claim, and for all that it comes to wait for: who holds its key, each with the claims inside that wait
    /// themselves. `None` where that is too much to look at: a limit of time ends it then.
    fn reachable(&self, whose: Whose) -> Option<BTreeMap<Whose, BTreeMap<Whose, BTreeSet<Whose>>>> {
        let mut all: BTreeMap<Whose, BTreeMap<Whose, BTreeSet<Whose>>> = BTreeMap::new();
        let mut left = vec![whose];
        let mut looked = 0;
        while let Some(claim) = left.pop() {
            if all.contains_key(&claim) {
                continue;
            }
            let mut holders = BTreeMap::new();
            for holder in self.locks.holders(claim) {
                let inside = self.waiting_inside(holder);
                looked += 1 + inside.len();
                if looked > MAX_CLAIMS_LOOKED_AT {
                    return None;
                }
                left.extend(inside.iter().copied());
                holders.insert(holder, inside);
            }
            all.insert(claim, holders);
        }
        Some(all)
    }

    /// The claims that wait inside a step, or a run, and in the runs that it called and waits for.
    fn waiting_inside(&self, (run, step): Whose) -> BTreeSet<Whose> {
        let mut inside = BTreeSet::new();
        let mut left = vec![(run, step)];
        while let Some((run, within)) = left.pop() {
            let Some(there) = self.run(run) else { continue };
            let is_within = |step: Option<StepNo>| match (within, step) {
                (None, _) => true,
                (Some(within), Some(step)) => step == within || is_around(&there, within, step),
                (Some(_), None) => false,
            };
            let waits = self.locks.of_run(run).filter(|(_, claim)| claim.standing == Standing::Waits);
            inside.extend(waits.map(|(step, _)| (run, step)).filter(|(_, step)| is_within(*step)));
            left.extend(there.calling().filter(|(step, _)| is_within(Some(*step))).map(|(_, called)| (called, None)));
        }
        inside
    }
}

fn is_around(run: &Run, outer: StepNo, inner: StepNo) -> bool {
    run.has(inner) && run.around(inner).any(|around| around == outer)
}
