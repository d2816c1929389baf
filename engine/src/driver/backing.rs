//! What a driver stands on.

use crate::store::base::FileBases;
use crate::store::folder::Folder;
use crate::store::image::SledImage;
use crate::store::journal::Journal;
use crate::store::memory::{MemoryBases, MemoryDisk, MemoryImage, MemoryLog};
use crate::store::{Bases, Image, OpenError, ShardLog};

/// A store that a driver may open, and open again when it is not known whether a write took place.
pub trait Backing: Send {
    /// Its log.
    type Log: ShardLog;
    /// Its image.
    type Image: Image;
    /// Its bases.
    type Bases: Bases;

    /// Opens the log, fencing every handle opened before.
    fn open_log(&self) -> Result<Self::Log, OpenError>;

    /// The image.
    fn open_image(&self) -> Self::Image;

    /// The bases.
    fn open_bases(&self) -> Self::Bases;
}

impl Backing for Folder {
    type Log = Journal;
    type Image = SledImage;
    type Bases = FileBases;

    fn open_log(&self) -> Result<Journal, OpenError> {
        self.log()
    }

    fn open_image(&self) -> SledImage {
        self.image()
    }

    fn open_bases(&self) -> FileBases {
        self.bases()
    }
}

impl Backing for MemoryDisk {
    type Log = MemoryLog;
    type Image = MemoryImage;
    type Bases = MemoryBases;

    fn open_log(&self) -> Result<MemoryLog, OpenError> {
        if self.open_fails() {
            let source = std::io::Error::other("an injected fault");
            return Err(OpenError::Io { action: "cannot open", path: "memory".to_owned(), source });
        }
        Ok(self.log())
    }

    fn open_image(&self) -> MemoryImage {
        self.image()
    }

    fn open_bases(&self) -> MemoryBases {
        self.bases()
    }
}
