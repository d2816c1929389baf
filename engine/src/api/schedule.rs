//! What is said of schedules.

use std::sync::Arc;

use lockstep_dsl::graph::Graph;
use lockstep_dsl::schedule::Dst;
use lockstep_dsl::value::Timestamp;
use serde::{Deserialize, Serialize};

use super::PauseView;
use crate::id::RunId;

/// A runbook whose triggers are to be followed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Enroll {
    /// The runbook, compiled. One without triggers has all of its schedules withdrawn.
    #[serde(with = "super::shared")]
    pub graph: Arc<Graph>,
    /// The folder in which commands of its runs run unless they say otherwise; the engine's own where it is not given.
    #[serde(default)]
    pub cwd: Option<String>,
    /// Who, or what, enrolls it; the runs that are started say so.
    pub by: String,
}

/// What became of a trigger that was enrolled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrolledView {
    /// The trigger's id.
    pub trigger: String,
    /// What became of it.
    pub change: Enrolled,
}

/// What became of a trigger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Enrolled {
    /// It is new, or is there again.
    Enrolled,
    /// It is followed as it is now; its id and what is known of it stay.
    Changed,
    /// It is as it was.
    Unchanged,
    /// The runbook does not have it any more.
    Withdrawn,
}

/// A schedule in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduleView {
    /// `storage/disk-cleanup:nightly`.
    pub name: String,
    /// The runbook.
    pub runbook: String,
    /// The trigger's id.
    pub trigger: String,
    /// What it is due by: `cron`, `every` or `at`.
    pub kind: String,
    /// The line, the length of time or the instant, as a runbook has it.
    pub due: String,
    /// The zone of a line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// Whether it starts runs.
    pub status: ScheduleStatus,
    /// The next tick, jitter left out; `None` where none comes any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Timestamp>,
    /// Why it is not known when it is due: the program does not know its zone any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// When it was first enrolled.
    pub since: Timestamp,
    /// Who, or what, enrolled it.
    pub by: String,
    /// Content hash of the runbook's definition.
    pub definition: String,
    /// What happens with times that its zone leaves out or repeats.
    #[serde(default)]
    pub dst: Dst,
    /// Its runs that are open.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub open: Vec<RunId>,
    /// How many of its ticks wait for their end.
    #[serde(default)]
    pub queued: usize,
    /// That it is paused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<PauseView>,
}

/// What became of ticks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicksView {
    /// The schedule.
    pub schedule: ScheduleView,
    /// Its ticks, the oldest first; not more than [`MAX_TOLD_TICKS`](crate::limits::MAX_TOLD_TICKS).
    pub ticks: Vec<TickView>,
    /// The last tick before those that were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Timestamp>,
    /// The first tick after them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Timestamp>,
}

/// What became of one tick.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TickView {
    /// When it was due, jitter left out.
    pub at: Timestamp,
    /// A word for it: `fired`, `queued`, `overlapped`, ...; `before_enrolled`, `to_come`, `due` and `unknown` where the
    /// ledger has no row of it.
    pub end: String,
    /// The same in a sentence, lower case.
    pub why: String,
    /// The run that it started, or that was open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// When that was decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided: Option<Timestamp>,
    /// How late that was, in milliseconds; jitter is not counted.
    #[serde(default)]
    pub late: u64,
    /// The version of the zone data that said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zones: Option<String>,
}

/// Whether a schedule starts runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleStatus {
    /// It does.
    Enabled,
    /// A person has paused it.
    Paused,
    /// The wall clock was set by more than a day, and nobody has said since that it is right.
    Held,
    /// Its runbook says `enabled: false`.
    Disabled,
    /// Nothing is due any more.
    Over,
    /// It cannot be worked out when it is due.
    Broken,
}

impl ScheduleStatus {
    /// As lists show it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Paused => "paused",
            Self::Held => "held",
            Self::Disabled => "disabled",
            Self::Over => "over",
            Self::Broken => "broken",
        }
    }
}
