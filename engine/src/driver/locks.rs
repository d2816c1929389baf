//! Keys that runs hold against each other: handing them out within a turn, and what a run that waits for one stands still
//! for.

use std::collections::BTreeSet;

use super::Driver;
use super::backing::Backing;
use super::batch::Batch;
use crate::core::lock::Whose;
use crate::core::run::{Input, Run, Standing};
use crate::core::{Command, Notice};
use crate::id::RunId;
use crate::limits::{MAX_CLAIMS_LOOKED_AT, SOFT_FRAME_BYTES};

impl<B: Backing> Driver<B> {
    /// Gives keys to those whose turn it is, and says to others that they will not get theirs. All of it is decided in the
    /// turn, and so stands in the frame, in which it came about.
    pub(super) fn hand_out_keys(&mut self, batch: &mut Batch) {
        while self.state.has_notices() {
            if batch.bytes >= SOFT_FRAME_BYTES {
                batch.more = true;
                return;
            }
            match self.state.next_notice() {
                Some(Notice::Tell(run, input)) => {
                    if let Err(why) = self.decide(Command::Run(run, input), batch) {
                        tracing::error!(%run, %why, "a run cannot be told of a key");
                        self.state.pass_over(run);
                    }
                }
                Some(Notice::MakeRoom { runs, for_run }) => self.make_room(&runs, for_run, batch),
                None => {}
            }
        }
    }

    /// Cancels runs so that another one may go on in their place.
    fn make_room(&mut self, runs: &[RunId], for_run: RunId, batch: &mut Batch) {
        batch.bound.insert(for_run);
        for run in runs {
            self.take_up(*run, batch);
            let cancel = Input::Cancel { by: format!("run:{for_run}"), undo: false };
            if let Err(why) = self.decide(Command::Run(*run, cancel), batch) {
                tracing::warn!(%run, %for_run, %why, "a run that is in the way cannot be cancelled");
            }
        }
    }

    /// Whether any run waits for a key that another step or run holds.
    pub fn waits_for_key(&self, id: RunId) -> bool {
        self.state.locks().of_run(id).any(|(_, claim)| claim.standing == Standing::Waits)
    }

    /// Who holds the key that somebody waits for, those first that have held it longest.
    pub fn holders_of(&self, whose: Whose) -> Vec<Whose> {
        self.state.locks().holders(whose)
    }

    /// How many wait for the same key and come first.
    pub fn ahead_of(&self, whose: Whose) -> usize {
        self.state.locks().ahead(whose)
    }

    /// Whether the run, with all that it called and waits for, cannot go on until somebody outside says something: of who
    /// holds a key that it waits for the same is true, or nobody carries that run.
    pub fn needs_a_word(&self, run: &Run) -> bool {
        self.is_stuck(run, &mut BTreeSet::new())
    }

    /// Whether all that it, with what it called and what it waits for, cannot go on without is what somebody was expected
    /// to say.
    pub fn only_awaits(&self, run: &Run) -> bool {
        self.needs_a_word(run) && self.only_expects(run, &mut BTreeSet::new())
    }

    fn is_stuck(&self, run: &Run, seen: &mut BTreeSet<RunId>) -> bool {
        if !seen.insert(run.id) {
            return true;
        }
        if seen.len() > MAX_CLAIMS_LOOKED_AT || !run.needs_a_word() {
            return run.quarantined.is_some() && !run.is_ended();
        }
        run.quarantined.is_some()
            || (run.calling().all(|(_, called)| self.run(called).is_none_or(|run| self.is_stuck(&run, seen)))
                && self.in_the_way_of(run).into_iter().all(|holder| {
                    self.is_interrupted(holder) || self.run(holder).is_none_or(|run| self.is_stuck(&run, seen))
                }))
    }

    fn only_expects(&self, run: &Run, seen: &mut BTreeSet<RunId>) -> bool {
        !seen.insert(run.id)
            || (run.only_awaits()
                && run.calling().all(|(_, called)| self.run(called).is_some_and(|run| self.only_expects(&run, seen)))
                && self.in_the_way_of(run).into_iter().all(|holder| {
                    !self.is_interrupted(holder) && self.run(holder).is_some_and(|run| self.only_expects(&run, seen))
                }))
    }

    /// The runs that hold keys which this one waits for and could go on with.
    fn in_the_way_of(&self, run: &Run) -> BTreeSet<RunId> {
        let waits = run.claims.iter().filter(|(_, claim)| claim.standing == Standing::Waits).map(|(step, _)| step);
        let able = waits.filter(|step| run.may_be_given(*step));
        able.flat_map(|step| self.holders_of((run.id, step))).map(|(holder, _)| holder).collect()
    }
}
