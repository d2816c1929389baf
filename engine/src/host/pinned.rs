//! The files that travel with a run, laid out read-only for its commands.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read as _, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Component, Path};

use lockstep_dsl::graph::PinnedFile;

use crate::fault::{self, Bug, Point};

/// Writes the files into a folder of their own, which takes its name only when all are there.
///
/// None of it is synced: the graph has it all. So a folder that is there already is looked at, and laid out anew where a
/// loss of power, or anybody, has left something else in it.
pub(super) fn lay_out(folder: &Path, files: &[PinnedFile]) -> io::Result<()> {
    if folder.is_dir() {
        if fault::planted(Bug::FilesBelieved) || files.iter().all(|file| is_whole(folder, file)) {
            return Ok(());
        }
        remove(folder)?;
    }
    let unfinished = folder.with_extension("unfinished");
    remove(&unfinished)?;
    make_folder(&unfinished)?;
    for file in files {
        let name = Path::new(&file.name);
        if name.components().any(|part| !matches!(part, Component::Normal(_) | Component::CurDir)) {
            let outside = format!("`{}` is no path below the runbook", file.name);
            return Err(io::Error::new(io::ErrorKind::InvalidInput, outside));
        }
        let path = unfinished.join(name);
        if let Some(above) = path.parent() {
            make_folder(above)?;
        }
        fault::at(Point::PinnedWrite, || {
            OpenOptions::new().write(true).create_new(true).mode(mode(file)).open(&path)?.write_all(&file.content)
        })?;
    }
    fault::at(Point::PinnedRename, || fs::rename(&unfinished, folder))
}

/// Whether the file lies in the folder with its bytes and its rights. One that cannot be read does not.
fn is_whole(folder: &Path, file: &PinnedFile) -> bool {
    let read = || -> io::Result<bool> {
        let mut laid_out = File::open(folder.join(&file.name))?;
        let metadata = laid_out.metadata()?;
        let length = u64::try_from(file.content.len()).ok();
        if Some(metadata.len()) != length || metadata.permissions().mode() & 0o777 != mode(file) {
            return Ok(false);
        }
        let mut bytes = Vec::with_capacity(file.content.len());
        laid_out.read_to_end(&mut bytes)?;
        Ok(bytes == file.content)
    };
    read().unwrap_or(false)
}

const fn mode(file: &PinnedFile) -> u32 {
    if file.executable { 0o500 } else { 0o400 }
}

/// Removes the folder with all that is in it, if it is there.
pub(super) fn remove(folder: &Path) -> io::Result<()> {
    match fault::at(Point::SpoolRemove, || fs::remove_dir_all(folder)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        // A command may have taken away the right to write into a folder of its own.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            open_up(folder)?;
            fs::remove_dir_all(folder)
        }
        removed => removed,
    }
}

fn open_up(folder: &Path) -> io::Result<()> {
    fs::set_permissions(folder, Permissions::from_mode(0o700))?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            open_up(&entry.path())?;
        }
    }
    Ok(())
}

fn make_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, executable: bool) -> PinnedFile {
        PinnedFile { name: name.to_owned(), hash: String::new(), executable, content: b"text".to_vec() }
    }

    #[test]
    fn files_are_read_only_and_keep_their_folders() {
        let spool = tempfile::tempdir().unwrap();
        let folder = spool.path().join("run-files");
        lay_out(&folder, &[file("fix.sh", true), file("lib/a.txt", false)]).unwrap();
        let mode = |name: &str| fs::metadata(folder.join(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode("fix.sh"), mode("lib/a.txt")), (0o500, 0o400));
        assert_eq!(fs::read(folder.join("lib/a.txt")).unwrap(), b"text");
        fs::set_permissions(folder.join("lib"), Permissions::from_mode(0o500)).unwrap();
        remove(&folder).unwrap();
        remove(&folder).unwrap();
        assert!(!folder.exists());
    }

    #[test]
    fn a_folder_that_is_whole_is_left_as_it_is() {
        let spool = tempfile::tempdir().unwrap();
        let folder = spool.path().join("run-files");
        lay_out(&folder, &[file("fix.sh", true)]).unwrap();
        // A command that runs now holds it.
        fs::write(folder.join("of-a-command"), "").unwrap();
        lay_out(&folder, &[file("fix.sh", true)]).unwrap();
        assert!(folder.join("of-a-command").exists());
    }

    #[test]
    fn what_is_torn_is_laid_out_anew() {
        let spool = tempfile::tempdir().unwrap();
        let folder = spool.path().join("run-files");
        let files = [file("fix.sh", true), file("lib/a.txt", false)];
        let path = folder.join("lib/a.txt");
        let harms: [&dyn Fn(); 4] = [
            &|| fs::write(&path, "").unwrap(),
            &|| fs::write(&path, "tex\0").unwrap(),
            &|| fs::remove_file(&path).unwrap(),
            &|| fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap(),
        ];
        for harm in harms {
            lay_out(&folder, &files).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
            harm();
            lay_out(&folder, &files).unwrap();
            assert_eq!(fs::read(&path).unwrap(), b"text");
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o400);
        }
    }

    #[test]
    fn nothing_is_written_outside_of_the_folder() {
        let spool = tempfile::tempdir().unwrap();
        let folder = spool.path().join("run-files");
        for name in ["../outside", "/tmp/outside"] {
            assert!(lay_out(&folder, &[file(name, false)]).is_err(), "{name}");
        }
        assert!(!spool.path().join("outside").exists() && !folder.exists());
    }
}
