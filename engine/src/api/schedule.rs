//! What is said of schedules.

use std::sync::Arc;

use lockstep_dsl::graph::Graph;
use lockstep_dsl::value::Timestamp;
use serde::{Deserialize, Serialize};

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
}

/// Whether a schedule starts runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleStatus {
    /// It does.
    Enabled,
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
            Self::Disabled => "disabled",
            Self::Over => "over",
            Self::Broken => "broken",
        }
    }
}
