//! Runs that have ended and are not kept any longer. A record says so, and with it they are gone: from lists, from the
//! checkpoint that comes next, and from whatever is made anew from the journal.
//!
//! Which they are is for the caller to say. What is needed is never removed: a run in memory, and one that a run in memory
//! has called.

use std::collections::BTreeSet;

use super::Driver;
use super::backing::Backing;
use super::checkpoint::{SUMMARY_PREFIX, summary_key};
use super::effect::Turn;
use super::past::{PastError, Summary};
use crate::api::{Refusal, RefusalKind, RunRow};
use crate::core::run::Record;
use crate::encode::decode;
use crate::id::{Lsn, RunId};
use crate::store::{Image, Order, ShardLog};

/// Some rows of runs that have ended, in the order of their ids.
#[derive(Debug, Default)]
pub struct PastRows {
    /// Those that may be removed.
    pub rows: Vec<RunRow>,
    /// The last one that was looked at; `None` where there was none.
    pub last: Option<RunId>,
}

impl<B: Backing> Driver<B> {
    /// Whether all is read that was left unread at opening.
    pub const fn has_read_all(&self) -> bool {
        self.unread.is_none()
    }

    /// Rows of runs that have ended, behind this one; so many are looked at. Reads what was left unread at opening.
    ///
    /// # Errors
    /// The journal or the checkpoint cannot be read.
    pub fn past_rows(&mut self, behind: Option<RunId>, limit: usize) -> Result<PastRows, String> {
        self.read_all().map_err(|error| error.to_string())?;
        let behind = behind.map(|id| summary_key(&id.to_string()));
        let mut read: Vec<RunRow> = Vec::new();
        let scanned = self.image.scan_behind(SUMMARY_PREFIX, behind.as_deref(), Order::Up, &mut |_, bytes| {
            read.extend(decode::<Summary>(bytes).map(|summary| summary.row));
            read.len() < limit
        });
        scanned.map_err(|error| error.to_string())?;
        let last = read.last().map(|row| row.id);
        let is_needed = |id: RunId| self.has(id);
        read.retain(|row| !is_needed(row.id) && !row.caller.is_some_and(is_needed) && !self.is_removed(row.id));
        Ok(PastRows { rows: read, last })
    }

    /// Removes runs that [`Self::past_rows`] gave. Says what the turn leads to, and whether they are gone for good: not
    /// while nothing can be stored.
    pub fn remove_runs(&mut self, runs: Vec<RunId>) -> (Turn, bool) {
        let mut turn = Turn::default();
        if runs.is_empty() || self.held.is_some() || self.halted.is_some() {
            return (turn, false);
        }
        self.append_records(vec![Record::Removed { runs }], &mut turn);
        (turn, self.held.is_none() && self.halted.is_none())
    }

    /// Lets go of the history that only tells of runs which were removed, where a segment goes with it. Looks at every row.
    /// `None` where there is none, or history is being dropped already.
    ///
    /// # Errors
    /// It is not known what is still needed; nothing is let go of.
    pub fn drop_removed_history(&mut self) -> Result<Option<Turn>, String> {
        let Some(second) = self.log.freeing(1).filter(|_| !self.is_dropping_history()) else { return Ok(None) };
        let below = self.oldest_listed()?;
        if below < second {
            return Ok(None);
        }
        self.drop_before(below).map(Some)
    }

    /// The first record of any run that is there.
    fn oldest_listed(&mut self) -> Result<Lsn, String> {
        self.read_all().map_err(|error| error.to_string())?;
        let mut oldest = Lsn(self.last.0 + 1);
        oldest = self.positions.runs.values().map(|span| span.first).min().map_or(oldest, |first| first.min(oldest));
        let removed: BTreeSet<RunId> = self.removed_lately().flatten().copied().collect();
        let scanned = self.image.scan(SUMMARY_PREFIX, Order::Up, &mut |_, bytes| {
            if let Ok(Summary { row, span, .. }) = decode(bytes)
                && !removed.contains(&row.id)
            {
                oldest = oldest.min(span.first);
            }
            true
        });
        scanned.map_err(|error| error.to_string())?;
        Ok(oldest)
    }

    /// The highest id of a run that was removed.
    pub const fn removed_up_to(&self) -> Option<RunId> {
        self.positions.removed
    }

    /// Whether a run is not there that is as old as others which were removed.
    pub fn was_removed(&mut self, id: RunId) -> bool {
        Some(id) <= self.positions.removed
            && !self.has(id)
            && self.read_all().is_ok()
            && matches!(self.stored_summary(id), Err(PastError::Missing { .. }))
    }

    /// Whether a run was removed that the image holds still.
    pub(super) fn is_removed(&self, id: RunId) -> bool {
        self.removed_lately().any(|removed| removed.contains(&id))
    }

    /// The runs that were removed and that the image may hold still.
    pub(super) fn removed_lately(&self) -> impl Iterator<Item = &BTreeSet<RunId>> {
        let writing = self.writing.as_ref().map(|writing| &writing.dirty.removed);
        std::iter::once(&self.dirty.removed).chain(writing)
    }
}

/// Why a run is not started that is as old as others which were removed: it may have been one of them, and run already.
pub(super) fn too_old(id: RunId) -> Refusal {
    Refusal {
        kind: RefusalKind::Store,
        message: format!(
            "run {id} is not started: runs that old were removed by retention, and nobody can say whether it ran already"
        ),
        help: vec!["look whether the clock of this machine is right, and ask for a new run".to_owned()],
    }
}

/// A run that is not there, and was perhaps removed.
pub(crate) fn or_removed(refusal: Refusal, name: &str, removed: Option<RunId>) -> Refusal {
    match name.parse::<RunId>() {
        Ok(id) if Some(id) <= removed => Refusal {
            message: format!("there is no run `{name}` any more: runs that old were removed by retention"),
            help: vec!["`storage.keep` in the data folder's `config.yaml` says how long runs are kept".to_owned()],
            ..refusal
        },
        Ok(_) | Err(_) => refusal,
    }
}
