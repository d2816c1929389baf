//! What a person has accepted as lost.

use lockstep_dsl::value::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::{Lsn, RunId};

/// Records that could not be read any more, and that somebody gave up so that the rest can be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loss {
    /// The position of the first of them.
    pub first: Lsn,
    /// The position of the last of them; before `first` where only bookkeeping was damaged.
    pub last: Lsn,
    /// The file that held them, from the data folder on.
    pub file: String,
    /// Where in it the damage began, in bytes.
    pub offset: u64,
    /// What was wrong there.
    pub what: String,
    /// The runs that some of them were about, or may have been.
    pub runs: Vec<RunId>,
    /// The last record of the journal then: what it says of these runs up to there does not fit together.
    pub until: Lsn,
    /// Who accepted it: `user:ana`.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// The folder beside the journal in which what was damaged was kept.
    pub kept: String,
}

impl Loss {
    /// How many records are lost.
    pub const fn records(&self) -> u64 {
        (self.last.0 + 1).saturating_sub(self.first.0)
    }

    /// What was lost, for people.
    pub fn describe(&self) -> String {
        let which = match self.records() {
            0 => {
                let Self { file, by, at, .. } = self;
                return format!("`{file}` was damaged and nothing is known to be lost, which {by} accepted on {at}");
            }
            1 => format!("record {}", self.first.0),
            _ => format!("the records {} to {}", self.first.0, self.last.0),
        };
        format!("{which} of `{}` could not be read any more, which {} accepted on {}", self.file, self.by, self.at)
    }
}
