//! What names a schedule.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A runbook and the id of one of its triggers: `storage/disk-cleanup:nightly`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct ScheduleName {
    /// The runbook's name.
    pub runbook: String,
    /// The trigger's id.
    pub trigger: String,
}

/// Text that names no schedule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the name of a schedule, such as `storage/disk-cleanup:nightly`")]
pub struct NotASchedule(pub String);

impl fmt::Display for ScheduleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.runbook, self.trigger)
    }
}

impl FromStr for ScheduleName {
    type Err = NotASchedule;

    fn from_str(text: &str) -> Result<Self, NotASchedule> {
        let (runbook, trigger) = text.rsplit_once(':').ok_or_else(|| NotASchedule(text.to_owned()))?;
        Ok(Self { runbook: runbook.to_owned(), trigger: trigger.to_owned() })
    }
}

impl From<ScheduleName> for String {
    fn from(name: ScheduleName) -> Self {
        name.to_string()
    }
}

impl TryFrom<String> for ScheduleName {
    type Error = NotASchedule;

    fn try_from(text: String) -> Result<Self, NotASchedule> {
        text.parse()
    }
}
