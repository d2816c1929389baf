//! What became of every tick: the rows that `why-not` answers from.
//!
//! Rows are kept in pages. The last page of a schedule is part of its state; those that are full go to the image, a fixed
//! number of them, and nobody has to look for the oldest one to drop it.

use lockstep_dsl::value::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::RunId;
use crate::limits::{LEDGER_PAGES, LEDGER_ROWS_A_PAGE};

/// What became of a tick, or of several in a row that it holds for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// The tick, or the first instant of the stretch in which every tick had this end.
    pub from: Timestamp,
    /// The last instant of that stretch; `None` for one tick.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
    /// What became of it.
    pub end: TickEnd,
    /// When that was decided, by the wall clock.
    pub at: Timestamp,
    /// How long after it was due that was, in milliseconds, of a tick that started a run or was not allowed to. What
    /// the jitter adds is no part of it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub late: u64,
    /// The version of the zone data that said so.
    pub zones: String,
}

/// What became of a tick.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TickEnd {
    /// It started a run.
    Fired {
        /// The run.
        run: RunId,
    },
    /// It waits for the end of runs that were started before it; what becomes of it then is another row.
    Queued,
    /// A run of an earlier tick was open.
    Overlapped {
        /// That run; `None` where an earlier tick was waiting.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<RunId>,
    },
    /// It waited, and a later tick took its place.
    Replaced,
    /// As many as may be were waiting already.
    Full,
    /// Nobody was there when it was due, and it is not caught up: the trigger says `catchup: none`.
    NotCaughtUp,
    /// Nobody was there when it was due, and a later tick stood for it.
    Superseded,
    /// Nobody was there when it was due, and it was too old to be caught up.
    TooOld,
    /// The schedule was paused.
    Paused,
    /// Its runbook says `enabled: false`.
    Disabled,
    /// It was withdrawn while the tick waited.
    Withdrawn,
    /// What its run is to be given could not be worked out, or does not fit.
    Invalid {
        /// Why.
        message: String,
    },
}

impl TickEnd {
    /// A word for machines.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Fired { .. } => "fired",
            Self::Queued => "queued",
            Self::Overlapped { .. } => "overlapped",
            Self::Replaced => "replaced",
            Self::Full => "full",
            Self::NotCaughtUp => "not_caught_up",
            Self::Superseded => "superseded",
            Self::TooOld => "too_old",
            Self::Paused => "paused",
            Self::Disabled => "disabled",
            Self::Withdrawn => "withdrawn",
            Self::Invalid { .. } => "invalid",
        }
    }

    /// The run that it is about: the one that was started, or that was open.
    pub const fn run(&self) -> Option<RunId> {
        match self {
            Self::Fired { run } => Some(*run),
            Self::Overlapped { by } => *by,
            Self::Queued
            | Self::Replaced
            | Self::Full
            | Self::NotCaughtUp
            | Self::Superseded
            | Self::TooOld
            | Self::Paused
            | Self::Disabled
            | Self::Withdrawn
            | Self::Invalid { .. } => None,
        }
    }

    /// Whether rows of it that follow each other are told as one.
    const fn is_plain(&self) -> bool {
        match self {
            Self::Overlapped { .. }
            | Self::Full
            | Self::NotCaughtUp
            | Self::Superseded
            | Self::TooOld
            | Self::Paused
            | Self::Disabled => true,
            Self::Fired { .. } | Self::Queued | Self::Replaced | Self::Withdrawn | Self::Invalid { .. } => false,
        }
    }
}

impl Row {
    /// The last instant that it tells of.
    pub fn last(&self) -> Timestamp {
        self.to.unwrap_or(self.from)
    }

    /// Whether it tells of a tick at this instant.
    pub fn tells_of(&self, instant: Timestamp) -> bool {
        self.from <= instant && instant <= self.last()
    }
}

/// The rows of a schedule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// The number of the last page.
    number: u64,
    /// The last page.
    rows: Vec<Row>,
    /// Pages that are full and not in the image yet.
    #[serde(skip)]
    full: Vec<(u64, Vec<Row>)>,
}

impl Ledger {
    /// Adds a row.
    pub(super) fn push(&mut self, row: &Row) {
        if let Some(last) = self.rows.last_mut()
            && last.end == row.end
            && last.end.is_plain()
            && last.zones == row.zones
            && last.last() < row.from
        {
            last.to = Some(row.last());
            last.late = last.late.max(row.late);
            return;
        }
        if self.rows.len() == LEDGER_ROWS_A_PAGE {
            self.full.push((self.number, std::mem::take(&mut self.rows)));
            self.number += 1;
        }
        self.rows.push(row.clone());
    }

    /// The rows that are in memory, newest first.
    pub fn rows(&self) -> impl Iterator<Item = &Row> {
        let full = self.full.iter().rev().flat_map(|(_, rows)| rows.iter().rev());
        self.rows.iter().rev().chain(full)
    }

    /// The numbers of the pages that only the image holds, newest first.
    pub fn stored(&self) -> impl Iterator<Item = u64> + use<> {
        let first = self.full.first().map_or(self.number, |(number, _)| *number);
        (self.number.saturating_sub(LEDGER_PAGES)..first).rev()
    }

    /// The pages that the image is to hold from now on.
    pub(crate) fn full(&self) -> &[(u64, Vec<Row>)] {
        &self.full
    }

    /// The image holds the pages up to this number.
    pub(crate) fn forget_up_to(&mut self, number: u64) {
        self.full.retain(|(page, _)| *page > number);
    }
}

/// The page that is not kept any more once this one is.
pub(crate) const fn dropped_for(number: u64) -> Option<u64> {
    number.checked_sub(LEDGER_PAGES)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}
