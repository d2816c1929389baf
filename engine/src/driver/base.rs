//! When bases are made: once enough was journaled since the last one, from a checkpoint that the journal vouches for.
//!
//! The work is done elsewhere, on what the image holds. Until it is done no other checkpoint is made, so that what is
//! dumped is one state; commits go on. With bases comes what is dropped: segments that neither of the two newest bases
//! needs any more.

use std::collections::BTreeSet;

use super::Driver;
use super::backing::Backing;
use super::checkpoint::SUMMARY_PREFIX;
use super::effect::Turn;
use super::past::{Summary, definition};
use crate::core::run::{Kept, Record};
use crate::encode::decode;
use crate::id::Lsn;
use crate::limits::{BASE_BYTES, BASE_RETRY_MS, CLOSING_BASE_BYTES};
use crate::store::base::KEPT_BASES;
use crate::store::{Bases, Checkpoint, Image, MadeBase, OpenError, Order, ShardLog, StoredBase, StoredBases};

/// A record takes at least about so much of the journal.
const RECORD_BYTES: u64 = 64;
/// So many times what a base takes is journaled before the next one: what bases cost stays a part of what commits cost,
/// however much there is to dump.
const BASE_FACTOR: u64 = 6;

/// Why a checkpoint is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Occasion {
    /// It is due.
    Due,
    /// The engine closes.
    Closing,
    /// A base of it is asked for.
    WithBase,
}

/// What is known of the last base.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LastBase {
    base: StoredBase,
    /// Bytes that this engine journaled since.
    journaled: u64,
    /// Bytes that this engine journaled in all.
    in_all: u64,
    /// So many bases are to be made as soon as may be, so that history which was let go of can be dropped.
    wanted: usize,
    /// Engine time before which none is tried, after one that failed.
    pause_until: u64,
}

impl LastBase {
    /// The newest one that is stored.
    pub fn of(bases: &dyn StoredBases) -> Result<Self, OpenError> {
        Ok(Self { base: bases.list()?.first().copied().unwrap_or_default(), ..Self::default() })
    }

    /// Takes in that a frame became durable.
    pub const fn journaled(&mut self, bytes: usize) {
        self.journaled += bytes as u64;
        self.in_all += bytes as u64;
    }

    /// Whether one is to be made as soon as may be.
    pub const fn is_wanted(&self) -> bool {
        self.wanted > 0
    }

    /// Bytes of it.
    pub const fn bytes(&self) -> u64 {
        self.base.bytes
    }

    /// Whether enough was journaled up to `end` for another one.
    fn is_due(&self, end: Lsn, least: u64) -> bool {
        let journaled = self.journaled.max(end.0.saturating_sub(self.base.lsn.0) * RECORD_BYTES);
        journaled >= least.max(BASE_FACTOR * self.base.bytes)
    }
}

impl<B: Backing> Driver<B> {
    /// Begins a base of the checkpoint that was just made and journaled, if one is due.
    ///
    /// `needs` is the oldest position that anything in the checkpoint may come to need.
    pub(super) fn begin_base_of(&mut self, checkpoint: Checkpoint, needs: Lsn, occasion: Occasion) {
        let due = match occasion {
            Occasion::Due => {
                let due = self.base.is_wanted() || self.base.is_due(checkpoint.lsn, BASE_BYTES);
                due && self.now.time >= self.base.pause_until
            }
            Occasion::Closing => self.base.is_due(checkpoint.lsn, CLOSING_BASE_BYTES),
            Occasion::WithBase => true,
        };
        if !due {
            return;
        }
        match self.image.pages() {
            Ok(pages) => {
                self.base.journaled = 0;
                self.bases.begin(checkpoint, needs, pages);
                if self.base.is_wanted() {
                    // It is looked after also where nothing else changes.
                    self.dirty.since.get_or_insert(self.now.time);
                }
            }
            Err(error) => self.pause_bases(&error),
        }
        match occasion {
            Occasion::Due => {}
            Occasion::Closing | Occasion::WithBase => self.finish_base(),
        }
    }

    /// Makes a checkpoint and a base of it now, and waits for both. Gives the newest base, this one or an older one.
    pub fn make_base(&mut self) -> (Turn, StoredBase) {
        self.finish_base();
        let turn = self.checkpoint(Occasion::WithBase);
        (turn, self.base.base)
    }

    /// Bytes that this engine has journaled.
    pub const fn bytes_journaled(&self) -> u64 {
        self.base.in_all
    }

    /// Whether history that was let go of is still to be dropped.
    pub const fn is_dropping_history(&self) -> bool {
        self.base.is_wanted()
    }

    /// Lets go of the oldest history, so that at least so many bytes are given back, or all that can be: as soon as the
    /// bases are made that this takes, which goes on beside everything else. `None` if there is nothing to let go of.
    ///
    /// # Errors
    /// It is not known what is still needed; nothing is let go of.
    pub fn drop_history(&mut self, bytes: u64) -> Result<Option<Turn>, String> {
        let Some(below) = self.log.freeing(bytes) else { return Ok(None) };
        self.drop_before(below).map(Some)
    }

    /// Has the history before a position dropped: see [`Self::drop_history`].
    pub(super) fn drop_before(&mut self, below: Lsn) -> Result<Turn, String> {
        let turn = self.forget_before(below)?;
        // What is being made, or written to make one of, does not know of it yet.
        let unaware = self.bases.is_busy() || self.writing.is_some();
        self.base.wanted = KEPT_BASES + usize::from(unaware);
        self.dirty.since.get_or_insert(self.now.time);
        Ok(turn)
    }

    /// Makes the bases that are still wanted, now.
    pub fn finish_dropping(&mut self) {
        for _ in 0..self.base.wanted {
            self.make_base();
        }
    }

    /// Lets go of the history before a position: nothing that is kept needs it from now on. Its segments are dropped once
    /// two bases that were made since then are past it. A run that is open then keeps its state, and tells only what
    /// it did since; of one that has ended only the row in the lists is left.
    ///
    /// # Errors
    /// It is not known what is still needed; nothing is let go of.
    pub fn forget_before(&mut self, below: Lsn) -> Result<Turn, String> {
        let mut turn = Turn::default();
        self.read_all().map_err(|error| error.to_string())?;
        let below = below.min(Lsn(self.last.0 + 1));
        if below <= self.positions.needs || self.held.is_some() || self.halted.is_some() {
            return Ok(turn);
        }
        let needed = self.definitions_needed_from(below)?;
        let old: Vec<(String, Lsn)> =
            self.positions.definitions.clone().into_iter().filter(|(_, at)| *at < below).collect();
        let mut again = Vec::new();
        for (hash, at) in old {
            if needed.contains(&hash) {
                let graph = match self.state.definition(&hash) {
                    Some(graph) => Some(graph.as_ref().clone()),
                    None => definition(&self.log, &hash, at).map_err(|error| error.to_string())?,
                };
                let graph = graph.ok_or_else(|| format!("record {} is not the definition {hash}", at.0))?;
                again.push(Record::Defined { hash, graph: Box::new(graph) });
            } else {
                self.positions.definitions.remove(&hash);
                self.positions.touched.insert(hash);
            }
        }
        // One a frame: a definition may be as large as a frame takes.
        for record in again {
            self.append_records(vec![record], &mut turn);
            if self.held.is_some() || self.halted.is_some() {
                return Ok(turn);
            }
        }
        self.positions.forget(below, self.now.wall);
        self.dirty.since.get_or_insert(self.now.time);
        Ok(turn)
    }

    /// The definitions of open runs, and of those that have ended and reach to this position.
    fn definitions_needed_from(&mut self, below: Lsn) -> Result<BTreeSet<String>, String> {
        let mut needed: BTreeSet<String> = self.positions.uses.keys().cloned().collect();
        for run in self.state.runs().chain(self.interrupted.values().map(Kept::look)) {
            needed.insert(run.definition.clone());
            if self.positions.runs.get(&run.id).is_some_and(|span| span.first >= below) {
                needed.extend(run.edits.iter().map(|edit| edit.from.clone()));
            }
        }
        let scanned = self.image.scan(SUMMARY_PREFIX, Order::Up, &mut |_, bytes| {
            if let Ok(summary) = decode::<Summary>(bytes)
                && summary.span.last >= below
            {
                if summary.tells_all_from(below) {
                    needed.extend(summary.earlier);
                }
                needed.insert(summary.definition);
            }
            true
        });
        scanned.map_err(|error| error.to_string())?;
        Ok(needed)
    }

    /// Takes in the base that was begun, once it is made. Says whether no checkpoint may be made now.
    pub(super) fn is_making_base(&mut self) -> bool {
        if self.bases.is_busy() {
            return true;
        }
        self.finish_base();
        false
    }

    fn finish_base(&mut self) {
        match self.bases.finish() {
            None => {}
            Some(Ok(MadeBase { base, frees })) => {
                self.base.base = base;
                self.base.wanted = self.base.wanted.saturating_sub(1);
                if self.base.is_wanted() {
                    self.dirty.since.get_or_insert(self.now.time);
                }
                if let Err(error) = self.log.trim(frees) {
                    tracing::warn!(%error, "old segments cannot be dropped");
                }
            }
            Some(Err(error)) => self.pause_bases(&error),
        }
    }

    fn pause_bases(&mut self, error: &dyn std::fmt::Display) {
        tracing::warn!(%error, "a base cannot be made; it is tried again, and nothing is lost");
        self.base.pause_until = self.now.time + BASE_RETRY_MS;
    }
}
