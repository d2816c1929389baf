//! Copies files of a data folder, durably.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use crate::fault::{self, Point};
use crate::store::OpenError;
use crate::store::files::{self, UNFINISHED, cannot};

/// Bytes that are copied at once; blocks of zeros stay holes.
const BLOCK_BYTES: usize = 64 * 1024;

/// The names in a folder but for unfinished ones, the greatest first; none where it is not there.
pub(super) fn names(folder: &Path) -> Result<Vec<String>, OpenError> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(cannot("cannot list", folder))?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(cannot("cannot list", folder))?.file_name().to_string_lossy().into_owned();
        if !name.starts_with(UNFINISHED) {
            names.push(name);
        }
    }
    names.sort_unstable();
    names.reverse();
    Ok(names)
}

/// Copies a folder with all that is below it; gives the number of bytes. What vanishes meanwhile is left out.
pub(super) fn folder(from: &Path, to: &Path) -> Result<u64, OpenError> {
    files::create_folder(to).map_err(cannot("cannot create", to))?;
    let mut bytes = 0;
    for name in names(from)? {
        let (from, to) = (from.join(&name), to.join(&name));
        let kind = match fs::symlink_metadata(&from) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            kind => kind.map_err(cannot("cannot read", &from))?.file_type(),
        };
        if kind.is_dir() {
            bytes += folder(&from, &to)?;
        } else if kind.is_file() {
            bytes += file(&from, &to)?.unwrap_or_default();
        }
    }
    files::sync_folder(to).map_err(cannot("cannot sync", to))?;
    Ok(bytes)
}

/// Copies a file; gives the number of its bytes, or `None` where it is not there any more.
pub(super) fn file(from: &Path, to: &Path) -> Result<Option<u64>, OpenError> {
    let mut source = match File::open(from) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(cannot("cannot open", from))?,
    };
    let mut target = files::create_file(to).map_err(cannot("cannot create", to))?;
    let copied = fault::at(Point::BackupCopy, || copy_bytes(&mut source, &mut target));
    let length = copied.map_err(cannot("cannot copy to", to))?;
    Ok(Some(length))
}

fn copy_bytes(source: &mut File, target: &mut File) -> io::Result<u64> {
    let mut block = vec![0; BLOCK_BYTES];
    let mut length = 0;
    loop {
        let count = source.read(&mut block)?;
        if count == 0 {
            break;
        }
        if block[..count].iter().any(|byte| *byte != 0) {
            target.write_all_at(&block[..count], length)?;
        }
        length += count as u64;
    }
    target.set_len(length)?;
    target.sync_all()?;
    Ok(length)
}
