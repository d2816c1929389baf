//! A short way to close and to open again when no run is open, so that neither grows with what was done before.
//!
//! At closing the driver writes one record that says so, and makes no checkpoint while little lies behind the last one.
//! A driver that opens on that record knows all that it needs to start runs: the image is not opened and the journal not
//! read until somebody asks for a run that has ended, or the next checkpoint is due. Then it *catches up*: what lies
//! behind the last checkpoint is read, and joins what changed since.
//!
//! Invariant: while something is unread, every run in memory is newer than all that is unread, or in no way concerned.

use super::Driver;
use super::backing::Backing;
use super::checkpoint::Dirty;
use super::effect::Turn;
use super::past::Positions;
use crate::api::{Refusal, RefusalKind};
use crate::core::State;
use crate::core::run::{Kept, Record};
use crate::encode::decode;
use crate::id::{Lsn, RunId};
use crate::limits::UNCHECKED_BYTES;
use crate::store::{OpenError, ShardLog};

impl<B: Backing> Driver<B> {
    /// Begins with what the last record says, if that is that no run was open. Says whether it was.
    pub(super) fn begin_rested(&mut self) -> bool {
        let last = self.log.settled().and_then(|frame| decode(frame.records.last()?).ok());
        let Some(Record::Rested { newest, unchecked }) = last else { return false };
        self.positions.newest = newest;
        self.dirty.bytes = usize::try_from(unchecked).unwrap_or(usize::MAX);
        self.unread = Some(self.last);
        true
    }

    /// Whether the driver may be closed without a checkpoint.
    pub(super) fn may_rest_unchecked(&self) -> bool {
        self.is_nothing_open() && self.dirty.bytes < UNCHECKED_BYTES
    }

    /// Writes that no run is open, if that is so.
    pub(super) fn rest(&mut self, turn: &mut Turn) {
        if !self.is_nothing_open() || self.held.is_some() || self.halted.is_some() || self.last == Lsn(0) {
            return;
        }
        // Nothing was appended since the record that says so already.
        if self.unread != Some(self.last) {
            let unchecked = u64::try_from(self.dirty.bytes).unwrap_or(u64::MAX);
            self.append_records(vec![Record::Rested { newest: self.positions.newest, unchecked }], turn);
        }
        if self.held.is_none() && self.halted.is_none() {
            self.log.settle();
        }
    }

    fn is_nothing_open(&self) -> bool {
        let is_scheduled = !self.state.schedules().is_empty();
        !is_scheduled && self.interrupted.is_empty() && self.state.runs().all(|run| run.is_ended())
    }

    /// Catches up, for a request that needs it.
    ///
    /// # Errors
    /// The journal cannot be read. Runs go on all the same, and it is tried again.
    pub(super) fn catch_up(&mut self) -> Result<(), Refusal> {
        let refusal =
            |error: OpenError| Refusal { kind: RefusalKind::Store, message: error.to_string(), help: Vec::new() };
        self.read_all().map_err(refusal)
    }

    /// Reads what was left unread at opening. Does nothing from the second time on.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn read_all(&mut self) -> Result<(), OpenError> {
        let Some(until) = self.unread.take() else { return Ok(()) };
        let since = Known {
            state: std::mem::take(&mut self.state),
            positions: std::mem::take(&mut self.positions),
            dirty: std::mem::take(&mut self.dirty),
        };
        let rebuilt = self.rebuild(until);
        let before = Known {
            state: std::mem::replace(&mut self.state, since.state),
            positions: std::mem::replace(&mut self.positions, since.positions),
            dirty: std::mem::replace(&mut self.dirty, since.dirty),
        };
        if let Err(error) = rebuilt {
            self.unread = Some(until);
            return Err(error);
        }
        self.join(before);
        Ok(())
    }

    fn join(&mut self, mut before: Known) {
        let ids: Vec<RunId> = before.state.runs().map(|run| run.id).collect();
        for run in ids.into_iter().filter_map(|id| before.state.withdraw(id)) {
            if self.state.definition(&run.definition).is_none() {
                self.state.define(run.definition.clone(), std::sync::Arc::clone(&run.graph));
            }
            if run.is_ended() {
                self.state.admit(run);
            } else {
                tracing::error!(run = %run.id, "a bug of lockstep: a run that had ended is open again; it is left alone");
                self.interrupted.insert(run.id, Kept::Open(Box::new(run)));
            }
        }
        self.positions.join(before.positions);
        if before.dirty.since.is_some() {
            self.dirty.runs.extend(before.dirty.runs);
            self.dirty.schedules.extend(before.dirty.schedules);
            self.dirty.clock |= before.dirty.clock;
            self.dirty.removed.extend(before.dirty.removed);
            self.dirty.since.get_or_insert(self.now.time);
            self.dirty.bytes = self.dirty.bytes.max(before.dirty.bytes);
        }
    }
}

/// What is known of a stretch of the journal.
struct Known {
    state: State,
    positions: Positions,
    dirty: Dirty,
}
