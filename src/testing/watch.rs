//! `lockstep test --watch`: waits until a file changes.
//!
//! Files are looked at again and again, by size and time of change. What the system could tell (inotify) is not told on
//! network file systems and in many containers, and misses files that an editor replaces; a look at a folder of runbooks
//! costs next to nothing.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime};

/// Between two looks: short to who saves a file, and little work.
const BETWEEN_LOOKS: Duration = Duration::from_millis(200);

/// Files that are looked at; in a folder of more, those that come first.
const MAX_FILES: usize = 20_000;

/// How the files were when they were looked at.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Files(BTreeMap<PathBuf, (u64, Option<SystemTime>)>);

impl Files {
    /// Looks at all files below folders, and beside files: a runbook, its cases, its modules and what travels with it.
    pub fn look(paths: &[PathBuf]) -> Self {
        let mut files = Self::default();
        for path in paths {
            let folder = if path.is_dir() { Some(path.as_path()) } else { path.parent() };
            let folder = folder.filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            files.add(folder);
        }
        files
    }

    /// Comes back when something is another than it was, and stays so for a moment: an editor may write twice.
    #[expect(clippy::disallowed_methods, reason = "there is no event to wait for, on every file system")]
    pub fn wait_for_change(&self, paths: &[PathBuf]) {
        let mut last = Self::look(paths);
        loop {
            thread::sleep(BETWEEN_LOOKS);
            let now = Self::look(paths);
            if now != *self && now == last {
                return;
            }
            last = now;
        }
    }

    fn add(&mut self, folder: &Path) {
        let Ok(entries) = fs::read_dir(folder) else { return };
        for entry in entries.flatten() {
            let is_hidden = entry.file_name().to_string_lossy().starts_with('.');
            let Ok(data) = entry.metadata() else { continue };
            if is_hidden || self.0.len() >= MAX_FILES {
                continue;
            }
            if data.is_dir() {
                self.add(&entry.path());
            } else {
                self.0.insert(entry.path(), (data.len(), data.modified().ok()));
            }
        }
    }
}
