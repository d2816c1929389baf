//! How much room a disk has.

use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::{StatVfs, fstatvfs, statvfs};
use serde::Serialize;

/// The room on a disk, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Room {
    /// What this user may still write.
    pub free: u64,
    /// The whole disk.
    pub size: u64,
}

impl Room {
    /// On the disk of this path.
    ///
    /// # Errors
    /// The system does not say.
    pub fn at(path: &Path) -> io::Result<Self> {
        Ok(Self::of(&statvfs(path)?))
    }

    /// On the disk of this file.
    ///
    /// # Errors
    /// The system does not say.
    pub fn beside(file: impl AsFd) -> io::Result<Self> {
        Ok(Self::of(&fstatvfs(file)?))
    }

    const fn of(disk: &StatVfs) -> Self {
        let block = disk.f_frsize;
        Self { free: disk.f_bavail.saturating_mul(block), size: disk.f_blocks.saturating_mul(block) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_the_room_of_its_disk() {
        let folder = tempfile::tempdir().unwrap();
        let file = std::fs::File::create(folder.path().join("file")).unwrap();
        let (at, beside) = (Room::at(folder.path()).unwrap(), Room::beside(&file).unwrap());
        assert_eq!(at.size, beside.size);
        assert!(at.size > 0 && at.free <= at.size && beside.free <= beside.size);
    }
}
