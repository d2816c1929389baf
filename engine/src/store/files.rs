//! Files and folders that survive a power cut: made under another name, synced, renamed, their folder synced.
//!
//! Everything is private to the owner: folders 0700, files 0600.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use super::OpenError;
use crate::fault::{self, Point};

/// Begins the names of files that are not finished; any of them may be removed by whoever holds the lock.
pub(crate) const UNFINISHED: &str = "tmp-";

/// Makes a folder and those above it, durably; one that is there already is left as it is.
pub fn create_folder(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let above = path.parent().filter(|above| !above.as_os_str().is_empty());
    if let Some(above) = above {
        create_folder(above)?;
    }
    if make_folder(path)? { sync_folder(above.unwrap_or(Path::new("."))) } else { Ok(()) }
}

/// Makes a folder whose name is not durable yet; says whether it was not there.
pub(crate) fn make_folder(path: &Path) -> io::Result<bool> {
    match fault::at(Point::FolderCreate, || DirBuilder::new().mode(0o700).create(path)) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(false),
        made => made.map(|()| true),
    }
}

/// Makes durable which names a folder holds.
pub fn sync_folder(path: &Path) -> io::Result<()> {
    fault::at(Point::FolderSync, || File::open(path)?.sync_all())
}

/// Creates a file, or empties the one of that name.
pub(crate) fn create_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(true).mode(0o600).open(path)
}

/// Puts `bytes` into `folder/name`, whole or not at all, and durably.
pub fn put_file(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let unfinished = folder.join(format!("{UNFINISHED}{name}"));
    let written = fault::at(Point::FileWrite, || {
        let mut file = create_file(&unfinished)?;
        file.write_all(bytes)?;
        file.sync_all()
    });
    let written = written
        .and_then(|()| fault::at(Point::FileRename, || fs::rename(&unfinished, folder.join(name))))
        .and_then(|()| sync_folder(folder));
    if written.is_err() {
        // What is left of it is removed at the next opening if it cannot be removed now.
        let _ = fs::remove_file(&unfinished);
    }
    written
}

/// Removes what an interrupted [`put_file`] left behind.
pub(crate) fn remove_unfinished(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Says what could not be done to which file.
pub(crate) fn cannot<'a>(action: &'static str, path: &'a Path) -> impl Fn(io::Error) -> OpenError + use<'a> {
    move |source| OpenError::Io { action, path: path.display().to_string(), source }
}

/// Says which bytes of which file are not what they were.
pub(crate) fn damaged(path: &Path, offset: u64, what: impl Into<String>) -> OpenError {
    OpenError::Damaged { path: path.display().to_string(), offset, what: what.into() }
}

/// Whether an error says that there is no room, now.
pub(crate) fn is_no_space(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
