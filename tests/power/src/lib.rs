//! A disk that knows what was really synced: for trying what a loss of power leaves. Only the tests use it.
//!
//! A [`Tree`] holds files and folders twice: as programs see them, and as they would be found after a loss of power. What
//! is written goes from the one to the other only by `fsync` or `fdatasync` of the file, and what is made, renamed or
//! removed only by `fsync` of the folder. [`mount`] serves it to programs as a file system, counts what they do to it, and
//! can cut the power in the middle. [`Tree::lose`] then drops, tears and reorders what was not synced.
//!
//! It is stricter than most file systems: syncing a file does not sync its name, and sectors of 512 bytes reach the disk
//! in any order; after a sync that failed, what it was for stays visible and is lost all the same. What it lets through: a rename is never half done, and bytes that were synced never change.

mod loss;
mod serve;
mod tree;

pub use fuser::BackgroundSession;

pub use self::loss::Losses;
pub use self::serve::{Power, mount};
pub use self::tree::Tree;
