//! What starts runs of a runbook by itself.

use serde::{Deserialize, Serialize};

use super::Field;
use crate::schedule::Dst;
use crate::value::{Millis, Timestamp};

/// One entry of `triggers`: a schedule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trigger {
    /// Its id, unique in its runbook. Together they name the schedule; an edit of anything else keeps it.
    pub id: String,
    /// When it is due.
    pub due: Due,
    /// The time zone of a cron, by its IANA name.
    #[serde(default = "utc", skip_serializing_if = "is_utc")]
    pub timezone: String,
    /// What becomes of times that the zone leaves out or repeats.
    #[serde(default, skip_serializing_if = "is_default")]
    pub dst: Dst,
    /// Which of the ticks that were missed are caught up.
    #[serde(default, skip_serializing_if = "is_default")]
    pub catchup: Catchup,
    /// How old a tick may be that is caught up.
    #[serde(default = "day", skip_serializing_if = "is_day")]
    pub within: Millis,
    /// What becomes of a tick while a run of an earlier one is open.
    #[serde(default, skip_serializing_if = "is_default")]
    pub overlap: Overlap,
    /// A tick is late by a part of this that is the same whenever it is worked out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jitter: Option<Millis>,
    /// Nothing is due before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts: Option<Timestamp>,
    /// Nothing is due from then on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends: Option<Timestamp>,
    /// What its runs are given; `event` is in scope.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub params: Vec<(String, Field)>,
    /// Whether it starts runs at all.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub enabled: bool,
}

/// When a schedule is due.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Due {
    /// `cron`: at the local times of a line.
    Cron(String),
    /// `every`: at the multiples of a length of time since 1970-01-01T00:00:00Z.
    Every(Millis),
    /// `at`: once.
    At(Timestamp),
}

impl Due {
    /// The key that a runbook writes it under.
    pub const fn key(&self) -> &'static str {
        match self {
            Self::Cron(_) => "cron",
            Self::Every(_) => "every",
            Self::At(_) => "at",
        }
    }
}

/// Which of the ticks that were missed are caught up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Catchup {
    /// None.
    None,
    /// The last one.
    #[default]
    Last,
    /// All, one after another, the oldest first.
    All,
}

/// What becomes of a tick while a run of an earlier one is open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    /// Its run begins all the same.
    Allow,
    /// It is passed over.
    #[default]
    Skip,
    /// It waits for the end of the others.
    Queue,
    /// The others are cancelled, and it waits for their end.
    CancelPrevious,
}

/// Time within which missed ticks are caught up where nothing else is said.
pub const WITHIN: Millis = Millis(24 * 3_600_000);

fn utc() -> String {
    "UTC".to_owned()
}

fn is_utc(zone: &str) -> bool {
    zone == "UTC"
}

const fn day() -> Millis {
    WITHIN
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_day(within: &Millis) -> bool {
    *within == WITHIN
}

const fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
const fn is_yes(enabled: &bool) -> bool {
    *enabled
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
