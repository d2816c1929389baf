//! What an examination says.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::floor::Floor;
use super::loss::Losses;
use crate::store::Room;

/// How bad a finding is, from the least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// To know; nothing need be done.
    Note,
    /// Out of order, and mended without loss, by [`repair`](super::repair()) or by the next opening.
    Mendable,
    /// Something that was stored is not there any more, or not what it was.
    Damage,
}

/// What of a data folder a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The folder itself: its format, its rights, its disk.
    Folder,
    /// The truth.
    Journal,
    /// The checkpoint.
    State,
    /// What the checkpoint is made anew from.
    Bases,
    /// Large values.
    Blobs,
    /// Folders of attempts.
    Spool,
    /// Output of attempts.
    Logs,
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub grade: Grade,
    /// What it is about.
    pub part: Part,
    /// The file or folder.
    pub path: PathBuf,
    /// Where in it, in bytes.
    pub offset: Option<u64>,
    /// What is found, and what it means.
    pub what: String,
    /// What to do.
    pub advice: String,
}

/// How much of a part was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// Frames of the journal.
    pub frames: u64,
    /// Records in them.
    pub records: u64,
    /// Runs that the journal knows.
    pub runs: u64,
    /// Of these, open ones.
    pub open: u64,
    /// Entries of the checkpoint; 0 where it could not be read.
    pub entries: u64,
    /// Bases, entry by entry.
    pub bases: u64,
    /// Large values.
    pub blobs: u64,
    /// Folders in the spool.
    pub spooled: u64,
    /// Logs of attempts.
    pub logs: u64,
}

/// What an examination found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// The data folder.
    pub data: PathBuf,
    /// The last record of the journal, as far as it can be read.
    pub last: u64,
    /// Whether a process holds the folder, and which one took it last where that is known.
    pub holder: Option<Option<u32>>,
    /// What is found, by part.
    pub findings: Vec<Finding>,
    /// What was read.
    pub checked: Checked,
    /// What would be lost if a person accepted it; `None` where the journal is whole, or is held.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub losses: Option<Losses>,
    /// The room on the disk; `None` where the system does not say.
    pub room: Option<Room>,
    /// What a durable write costs there; `None` where it could not be measured.
    pub floor: Option<Floor>,
}

impl Report {
    /// Of a folder of which nothing is known yet.
    pub(super) fn new(data: &Path) -> Self {
        Self {
            data: data.to_owned(),
            last: 0,
            holder: None,
            findings: Vec::new(),
            checked: Checked::default(),
            losses: None,
            room: None,
            floor: None,
        }
    }

    /// The worst that was found.
    pub fn worst(&self) -> Option<Grade> {
        self.findings.iter().map(|finding| finding.grade).max()
    }

    pub(super) fn note(&mut self, part: Part, path: &Path, what: impl Into<String>, advice: &str) {
        self.add(Grade::Note, part, path, None, what, advice);
    }

    pub(super) fn mendable(&mut self, part: Part, path: &Path, what: impl Into<String>, advice: &str) {
        self.add(Grade::Mendable, part, path, None, what, advice);
    }

    pub(super) fn damage(&mut self, part: Part, path: &Path, offset: u64, what: impl Into<String>, advice: &str) {
        self.add(Grade::Damage, part, path, Some(offset), what, advice);
    }

    fn add(
        &mut self,
        grade: Grade,
        part: Part,
        path: &Path,
        offset: Option<u64>,
        what: impl Into<String>,
        advice: &str,
    ) {
        let (path, what, advice) = (path.to_owned(), what.into(), advice.to_owned());
        self.findings.push(Finding { grade, part, path, offset, what, advice });
    }
}
