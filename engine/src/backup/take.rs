//! Takes a backup.

use std::fs;
use std::io;
use std::path::Path;

use jiff::Timestamp;

use super::{BackupError, Label, copy};
use crate::doctor::{self, Part, Report};
use crate::store::files::{self, cannot};
use crate::store::folder::{CONFIG_FILE, FORMAT_FILE, check_format, format_text, open_read_only};
use crate::store::journal::head::HEAD_FILE;
use crate::store::{FORMAT_VERSION, Layout, OpenError};

/// How often a folder may change under the copy before it is given up.
const TRIES: usize = 5;

/// Copies the data folder at `data` into the new or empty folder `backup`, examines the copy, and labels it. Gives the
/// label, and what the examination found: what is damaged in the one is so in the other.
///
/// # Errors
/// The place is not free, the data folder cannot be read to its end, or the disk fails. What was written is left, without
/// a label.
pub fn take(data: &Path, backup: &Path) -> Result<(Label, Report), BackupError> {
    // What cannot be read here would be no backup.
    drop(open_read_only(data)?);
    if !copy::names(backup)?.is_empty() {
        return Err(BackupError::Occupied(backup.display().to_string()));
    }
    let (from, to) = (Layout::new(data), Layout::new(backup));
    let mut tries = 0;
    loop {
        tries += 1;
        let copied = copy_all(&from, &to).and_then(|bytes| Ok((bytes, examine(&to)?)));
        let (bytes, report) = match copied {
            Ok((bytes, report)) if tries == TRIES || !is_cut(&report) => (bytes, report),
            // A segment was dropped or sealed while it was copied.
            Ok(_) | Err(OpenError::Damaged { .. }) if tries < TRIES => continue,
            Ok((_, report)) => (0, report),
            Err(error) => return Err(error.into()),
        };
        if is_cut(&report) {
            let what = report.findings.into_iter().find(|finding| finding.part == Part::Journal);
            let what = what.map_or_else(String::new, |finding| finding.what);
            return Err(BackupError::NotWhole { path: backup.display().to_string(), what });
        }
        let label = Label {
            format: FORMAT_VERSION,
            last: report.last,
            runs: report.checked.runs,
            open: report.checked.open,
            taken: Timestamp::now().to_string(),
            bytes,
        };
        label.write(backup)?;
        return Ok((label, report));
    }
}

/// Whether the journal cannot be read to its end.
fn is_cut(report: &Report) -> bool {
    report.findings.iter().any(|finding| finding.part == Part::Journal && finding.grade == doctor::Grade::Damage)
}

fn copy_all(from: &Layout, to: &Layout) -> Result<u64, OpenError> {
    for part in [to.journal(), to.blobs(), to.logs()] {
        files::create_folder(&part).map_err(cannot("cannot create", &part))?;
    }
    let mut bytes = 0;
    if from.bases().exists() {
        bytes += copy::folder(&from.bases(), &to.bases())?;
    }
    for name in copy::names(from.path())?.into_iter().filter(|name| name == CONFIG_FILE) {
        bytes += copy::file(&from.path().join(&name), &to.path().join(&name))?.unwrap_or_default();
    }
    let (journal, copied) = (from.journal(), to.journal());
    let others = copy::names(&journal)?.into_iter().filter(|name| name != HEAD_FILE);
    for name in std::iter::once(HEAD_FILE.to_owned()).chain(others) {
        let target = copied.join(&name);
        match copy::file(&journal.join(&name), &target)? {
            Some(count) => bytes += count,
            // Of an earlier try.
            None => remove(&target)?,
        }
    }
    files::sync_folder(&copied).map_err(cannot("cannot sync", &copied))?;
    bytes += copy::folder(&from.blobs(), &to.blobs())?;
    bytes += copy::folder(&from.logs(), &to.logs())?;
    files::sync_folder(to.path()).map_err(cannot("cannot sync", to.path()))?;
    Ok(bytes)
}

/// Examines the copy as the data folder that it will be. Nothing but the examination ever sees it as one.
fn examine(copied: &Layout) -> Result<Report, OpenError> {
    let path = copied.path();
    let format = path.join(FORMAT_FILE);
    let examined = files::put_file(path, FORMAT_FILE, format_text().as_bytes())
        .map_err(cannot("cannot write", &format))
        .and_then(|()| check_format(path))
        .and_then(|_| doctor::examine(path));
    remove(&format)?;
    examined
}

fn remove(path: &Path) -> Result<(), OpenError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(cannot("cannot remove", path)(error)),
        _ => Ok(()),
    }
}
