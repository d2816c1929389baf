//! What a backup says of itself.

use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::BackupError;
use crate::store::files::{self, cannot};
use crate::store::{FORMAT_VERSION, OpenError};

/// The file in a backup that makes it whole: what it holds, as JSON.
pub const LABEL: &str = "BACKUP";

/// What is in a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// The format of the data folder.
    pub format: u32,
    /// The last record.
    pub last: u64,
    /// Runs in it.
    pub runs: u64,
    /// Of these, open ones.
    pub open: u64,
    /// When it was taken, RFC 3339.
    pub taken: String,
    /// Bytes of all its files.
    pub bytes: u64,
}

impl Label {
    /// Reads that of a whole backup.
    pub fn read(backup: &Path) -> Result<Self, BackupError> {
        let not_whole = |what: String| BackupError::NotWhole { path: backup.display().to_string(), what };
        let path = backup.join(LABEL);
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(not_whole(format!("it holds no file `{LABEL}`")));
            }
            read => read.map_err(cannot("cannot read", &path))?,
        };
        let label: Self =
            serde_json::from_slice(&bytes).map_err(|error| not_whole(format!("its `{LABEL}` is damaged: {error}")))?;
        if label.format > FORMAT_VERSION {
            let newer =
                OpenError::Newer { path: path.display().to_string(), found: label.format, known: FORMAT_VERSION };
            return Err(newer.into());
        }
        Ok(label)
    }

    /// Writes it, durably.
    pub(super) fn write(&self, backup: &Path) -> Result<(), OpenError> {
        let text = serde_json::to_vec(self).expect("a label has text for keys");
        files::put_file(backup, LABEL, &text).map_err(cannot("cannot write", &backup.join(LABEL)))
    }
}
