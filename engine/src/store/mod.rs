//! The store: a fenced log, an image of the open state, and blobs.
//!
//! # The promise
//! 1. `append` returns `Ok` only when the frame is durable: it survives a crash of the process, the machine and the
//!    power, unless the disk lies about `fdatasync`.
//! 2. A frame is there whole or not at all.
//! 3. What `append` did not answer `Ok` for may be there or not after the next `open`, but never half, and never
//!    without all frames before it.
//! 4. After `Unknown` or `Failed` the handle appends nothing more: every later call is `Failed` until the log is opened
//!    again.
//! 5. `open` fences every handle opened before: their appends are `Fenced`.
//! 6. `read` gives exactly what is durable, in order, from the position asked for; or says what is damaged.
//! 7. The image is a cache of a prefix of the log. Losing it loses time, nothing else.
//!
//! One suite (`conformance.rs`) holds every implementation to these words.

pub mod blobs;
mod digest;
pub(crate) mod files;
pub mod folder;
pub mod image;
pub mod journal;
pub mod lock;
pub mod memory;

#[cfg(test)]
mod conformance;

pub use self::digest::{Digest, digest};
pub use self::folder::{Folder, Layout, ReadOnly, open_read_only};
pub use self::journal::Journal;

use serde::{Deserialize, Serialize};

use crate::clock::Stamp;
use crate::id::{Epoch, Lsn, ShardId};

/// The version of all that lies in a data folder, counted up when older programs could not read it any more.
pub const FORMAT_VERSION: u32 = 1;

/// A batch of records that become durable together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame {
    /// The position of its first record.
    pub first: Lsn,
    /// When it was decided.
    pub stamp: Stamp,
    /// The encoded records; never empty.
    pub records: Vec<Vec<u8>>,
}

impl Frame {
    /// The position of its last record.
    pub const fn last(&self) -> Lsn {
        Lsn(self.first.0 + self.records.len() as u64 - 1)
    }
}

/// The end of a log as `open` found it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The last durable record; 0 in an empty log.
    pub last: Lsn,
    /// The stamp of the last frame.
    pub stamp: Option<Stamp>,
}

/// Why a frame is not known to be durable.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// Somebody opened the log after this handle did.
    #[error("the log was opened by somebody else (epoch {0:?} is over)")]
    Fenced(Epoch),
    /// It may be durable or not; open again and read the head.
    #[error("it is not known whether the write took place: {0}")]
    Unknown(String),
    /// Certainly not written; the same append may be tried again when there is room.
    #[error("no space is left on the device: {0}")]
    NoSpace(String),
    /// Certainly not acknowledged, and this handle is finished.
    #[error("the log cannot be written: {0}")]
    Failed(String),
}

/// Why a store cannot be opened or read.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process holds it.
    #[error("`{path}` is in use by another process")]
    Locked {
        /// The data folder.
        path: String,
    },
    /// Written by a newer program.
    #[error("`{path}` has format {found}, this program reads up to {known}: use a newer lockstep")]
    Newer {
        /// The file.
        path: String,
        /// Its format.
        found: u32,
        /// The newest this program knows.
        known: u32,
    },
    /// Bytes that were acknowledged are not there any more.
    #[error("`{path}` is damaged at byte {offset}: {what}")]
    Damaged {
        /// The file.
        path: String,
        /// Offset of the first bad byte's frame.
        offset: u64,
        /// What does not hold.
        what: String,
    },
    /// The operating system refused.
    #[error("{action} `{path}`: {source}")]
    Io {
        /// What was being done: `cannot open`.
        action: &'static str,
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
}

/// A shard's log, opened and not yet fenced.
pub trait ShardLog: Send {
    /// The shard.
    fn shard(&self) -> ShardId;

    /// The epoch this opening began.
    fn epoch(&self) -> Epoch;

    /// The end of what is durable.
    fn head(&self) -> Head;

    /// Makes a frame durable behind `after`, which must be the head.
    fn append(&mut self, after: Lsn, frame: &Frame) -> Result<(), AppendError>;

    /// Calls `each` with every durable frame whose last record is at or behind `from`, in order, until it says `false`.
    fn read(&self, from: Lsn, each: &mut dyn FnMut(Frame) -> bool) -> Result<(), OpenError>;

    /// Allows the store to forget frames whose last record lies before `below`.
    fn trim(&mut self, below: Lsn) -> Result<(), OpenError>;

    /// Says that nothing will be appended for a while, or ever: the store may write its bookkeeping now.
    fn rest(&mut self);

    /// Says that the last frame stands for all before it. If the log is closed behind it, the next opening may read that
    /// frame alone. What lies before it can be read all the same, and what is damaged there shows only then.
    fn settle(&mut self);

    /// The frame that stood for all before it when the log was opened, if there was one; at most once.
    fn settled(&mut self) -> Option<Frame>;
}

/// A checkpoint of the open state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checkpoint {
    /// The state is that after this record.
    pub lsn: Lsn,
    /// Counts checkpoints.
    pub generation: u64,
    /// What the journal's `checkpoint` record says of the entries: see [`digest`].
    pub digest: [u8; 32],
    /// Entries by key, sorted.
    pub entries: Vec<(Vec<u8>, Vec<u8>)>,
}

/// A change of an image since its last checkpoint.
#[derive(Clone, Debug, Default)]
pub struct Dirty {
    /// Entries to put (`Some`) or to remove (`None`), by key.
    pub entries: std::collections::BTreeMap<Vec<u8>, Option<Vec<u8>>>,
}

/// The checkpointed open state. May fail at any time without any harm but time.
pub trait Image: Send {
    /// The last checkpoint, or `None` where there is none that can be trusted.
    fn load(&mut self) -> Option<Checkpoint>;

    /// One entry of the last checkpoint, read without loading the others.
    fn get(&mut self, key: &[u8]) -> Option<Vec<u8>>;

    /// Keys and values of the last checkpoint that begin with `prefix`, in order of the keys.
    fn scan(&mut self, prefix: &[u8], each: &mut dyn FnMut(&[u8], &[u8]) -> bool);

    /// Makes `dirty` and `lsn` durable together; gives the new generation and the digest over all entries.
    fn checkpoint(&mut self, lsn: Lsn, dirty: &Dirty) -> Result<(u64, [u8; 32]), ImageError>;

    /// Empties it, to be filled anew.
    fn reset(&mut self) -> Result<(), ImageError>;
}

/// An image that could not be written.
#[derive(Debug, thiserror::Error)]
#[error("the checkpoint could not be written: {0}")]
pub struct ImageError(pub String);

/// Large values by content.
pub trait Blobs: Send {
    /// Makes bytes durable and gives their BLAKE3 hash, in hexadecimal. The same bytes again cost nothing.
    fn put(&mut self, bytes: &[u8]) -> Result<String, AppendError>;

    /// The bytes with this hash; `None` where there are none or they do not match it.
    fn get(&self, hash: &str) -> Option<Vec<u8>>;
}
