//! How a schedule changes.

use lockstep_dsl::graph::Trigger;
use lockstep_dsl::value::Timestamp;
use serde::{Deserialize, Serialize};

use super::ledger::Row;

/// How a schedule changed. Where it matters, the comment says what a crash right after it leaves behind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ScheduleChange {
    /// It came to be, or goes on under another definition. What was due before was dealt with by records before this one,
    /// under the trigger that it had; from here on it follows this one.
    #[serde(rename = "enroll")]
    Enrolled(Box<Enrollment>),
    /// Its trigger, or its runbook, is not there any more: nothing is due until it is enrolled again.
    #[serde(rename = "withdraw")]
    Withdrawn {
        /// Who, or what, asked for it.
        by: String,
        /// The definition that it had.
        definition: String,
    },
    /// A person has paused it: its ticks start nothing.
    #[serde(rename = "pause")]
    Paused {
        /// Who.
        by: String,
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// A person lets it go on.
    #[serde(rename = "resume")]
    Resumed {
        /// Who.
        by: String,
    },
    /// A tick, or several in a row, came to an end or waits. Where it started a run, the run came to be in the same frame:
    /// a crash leaves both or none.
    #[serde(rename = "tick")]
    Ticked(Row),
}

/// What a schedule is enrolled with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Enrollment {
    /// The hash of the runbook's definition; its runs use it.
    pub definition: String,
    /// The trigger.
    pub trigger: Trigger,
    /// Nothing is due up to this instant that is not dealt with already.
    pub from: Timestamp,
    /// Who, or what, enrolled it; its runs are theirs.
    pub by: String,
    /// The folder in which commands of its runs run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// The definition that it had until now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instead: Option<String>,
}

/// The wall clock was set by so much that what it says is not believed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockJump {
    /// What it should have shown.
    pub expected: Timestamp,
    /// What it showed.
    pub found: Timestamp,
    /// Engine time of that.
    pub time: u64,
}
