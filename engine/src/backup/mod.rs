//! Backups: a copy of a data folder at one position of its journal, taken while it is used, and put back as a new folder.
//!
//! A backup is a folder: `journal/`, bases, `blobs/` and `logs/` as they lie in a data folder, and [`LABEL`], which is
//! written last and makes it whole. It has no `FORMAT`, so that nothing ever runs on it by mistake; it holds no
//! checkpoint, which follows from the journal, and no spool, which belongs to processes of one machine.
//!
//! What makes a copy under load consistent is the order: `HEAD` first, which only counts what is in the segments by
//! then; the segments from the newest to the oldest, so that each is complete up to where the newer one goes on; then
//! the blobs, which are durable before the frames that name them. At the end of the newest segment there may be half a
//! frame, as after a crash. A segment that goes meanwhile is met with another try, and the whole is examined when it is
//! written.

mod copy;
mod label;
mod restore;
mod take;

pub use self::label::{LABEL, Label};
pub use self::restore::restore;
pub use self::take::take;

use crate::store::OpenError;

/// Why there is no backup, or no folder from one.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The place is not free.
    #[error("`{0}` is not empty")]
    Occupied(String),
    /// What is named is no backup that was finished.
    #[error("`{path}` is no whole backup: {what}")]
    NotWhole {
        /// The place.
        path: String,
        /// What is missing, or wrong.
        what: String,
    },
    /// The folder, the copy or the disk.
    #[error(transparent)]
    Store(#[from] OpenError),
}
