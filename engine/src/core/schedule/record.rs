//! How a schedule changes.

use lockstep_dsl::graph::Trigger;
use serde::{Deserialize, Serialize};

/// How a schedule changed. Where it matters, the comment says what a crash right after it leaves behind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ScheduleChange {
    /// It came to be, or goes on under another definition. What was due before it is not due any more; its watermark
    /// rises to the moment of the record.
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
}

/// What a schedule is enrolled with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Enrollment {
    /// The hash of the runbook's definition; its runs use it.
    pub definition: String,
    /// The trigger.
    pub trigger: Trigger,
    /// Who, or what, enrolled it; its runs are theirs.
    pub by: String,
    /// The folder in which commands of its runs run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// The definition that it had until now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instead: Option<String>,
}
