//! Where a step is in its life, and how a run ended.

use serde::{Deserialize, Serialize};

/// Where a step is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepStatus {
    /// What it needs has not ended yet.
    Pending,
    /// Nothing stands in its way.
    Ready,
    /// It runs.
    Running,
    /// It waits for time.
    Waiting,
    /// Its outcome is unknown and a person is asked.
    InDoubt,
    /// It ended well.
    Succeeded,
    /// It failed; perhaps that was handled.
    Failed,
    /// It did not run.
    Skipped,
    /// It was stopped.
    Cancelled,
    /// What it did was taken back.
    Undone,
}

/// Why a step did not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Skip {
    /// Its `when` was false.
    #[serde(rename = "when")]
    When,
    /// It is disabled.
    #[serde(rename = "disabled")]
    Disabled,
    /// Its block ended before it could start.
    #[serde(rename = "unreached")]
    Unreached,
    /// A `next` passed it over.
    #[serde(rename = "passed")]
    Passed,
    /// A person said that it is not to run.
    #[serde(rename = "person")]
    Person,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunOutcome {
    /// Well.
    Succeeded,
    /// Not well.
    Failed,
    /// Somebody cancelled it.
    Cancelled,
}

impl StepStatus {
    /// As people and JSON read it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Ready => "ready",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::InDoubt => "in_doubt",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Cancelled => "cancelled",
            Self::Undone => "undone",
        }
    }

    /// Whether nothing more happens to a step in this status.
    pub const fn is_end(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Skipped | Self::Cancelled | Self::Undone)
    }
}

impl RunOutcome {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Succeeded, Self::Failed, Self::Cancelled];

    /// As people and JSON read it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}
