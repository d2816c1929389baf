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
//! 6. `read` gives exactly what is durable, in order, from the position asked for; or says what is damaged. `read_of`
//!    gives the same frames, without those that are about something else.
//! 7. The image is a cache of a prefix of the log. Losing it loses time, nothing else.
//!
//! One suite (`conformance.rs`) holds every implementation to these words.

pub mod base;
pub mod blobs;
mod digest;
pub(crate) mod files;
pub mod folder;
pub mod image;
pub mod journal;
pub mod lock;
pub mod memory;
mod room;

#[cfg(test)]
mod conformance;

pub use self::digest::{Digest, digest};
pub use self::folder::{Folder, Layout, ReadOnly, open_read_only};
pub use self::journal::Journal;
pub use self::room::Room;

use std::ops::RangeInclusive;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::clock::Stamp;
use crate::core::run::Subject;
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

/// The durable frames of a log, to be read.
pub trait Frames {
    /// The position of the oldest record that is kept, or of the first one to come.
    fn oldest(&self) -> Lsn;

    /// Calls `each` with every durable frame whose last record is at or behind `from`, in order, until it says `false`.
    fn read(&self, from: Lsn, each: &mut dyn FnMut(Frame) -> bool) -> Result<(), OpenError>;

    /// Calls `each` with every durable frame that holds a record about `subject` and reaches into `positions`, in order,
    /// until it says `false`. Costs what is read, not what the log holds.
    fn read_of(
        &self,
        subject: &Subject,
        positions: RangeInclusive<Lsn>,
        each: &mut dyn FnMut(Frame) -> bool,
    ) -> Result<(), OpenError>;
}

/// A shard's log, opened and not yet fenced.
pub trait ShardLog: Frames + Send {
    /// The shard.
    fn shard(&self) -> ShardId;

    /// The epoch this opening began.
    fn epoch(&self) -> Epoch;

    /// The end of what is durable.
    fn head(&self) -> Head;

    /// Makes a frame durable behind `after`, which must be the head.
    fn append(&mut self, after: Lsn, frame: &Frame) -> Result<(), AppendError>;

    /// Allows the store to forget frames whose last record lies before `below`.
    fn trim(&mut self, below: Lsn) -> Result<(), OpenError>;

    /// The position before which at least so many bytes lie that [`Self::trim`] can give back, or all that it can;
    /// `None` where it can give back nothing.
    fn freeing(&self, bytes: u64) -> Option<Lsn>;

    /// How it takes room.
    fn growth(&self) -> Growth;

    /// Says that nothing will be appended for a while, or ever: the store may write its bookkeeping now.
    fn rest(&mut self);

    /// Says that the last frame stands for all before it. If the log is closed behind it, the next opening may read that
    /// frame alone. What lies before it can be read all the same, and what is damaged there shows only then.
    fn settle(&mut self);

    /// The frame that stood for all before it when the log was opened, if there was one; at most once.
    fn settled(&mut self) -> Option<Frame>;
}

/// How a log takes room: by and by, or a segment at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Growth {
    /// Bytes of all segments that this handle has begun.
    pub begun: u64,
    /// Bytes that can still be appended before it begins another.
    pub left: u64,
    /// Bytes that it takes when it does: those of one that is made ahead, and of a copy that is sealed.
    pub next: u64,
}

/// Which state an image holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checkpoint {
    /// The state is that after this record.
    pub lsn: Lsn,
    /// Counts checkpoints.
    pub generation: u64,
    /// What the journal's `checkpoint` record says of the entries: see [`digest`].
    pub digest: [u8; 32],
}

/// An entry that changed since the last checkpoint of an image: the key, and its value (`Some`) or that it is gone
/// (`None`).
pub type EntryChange = (Vec<u8>, Option<Vec<u8>>);

/// What came of a checkpoint: its generation, and the digest over all its entries.
pub type Stored = Result<(u64, [u8; 32]), ImageError>;

/// The checkpointed open state. May fail at any time without any harm but time.
pub trait Image: Send {
    /// The last checkpoint, all of whose entries were checked; `None` where there is none that can be trusted.
    fn load(&mut self) -> Option<Checkpoint>;

    /// One entry of the last checkpoint.
    ///
    /// # Errors
    /// It is not known whether there is one.
    fn get(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>, ImageError>;

    /// Keys and values of the last checkpoint that begin with `prefix`, in the order of the keys or the other way round,
    /// until `each` says `false`.
    ///
    /// # Errors
    /// They could not all be read.
    fn scan(
        &mut self,
        prefix: &[u8],
        order: Order,
        each: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), ImageError> {
        self.scan_behind(prefix, None, order, each)
    }

    /// The same, of those that come behind a key in that order.
    ///
    /// # Errors
    /// They could not all be read.
    fn scan_behind(
        &mut self,
        prefix: &[u8],
        behind: Option<&[u8]>,
        order: Order,
        each: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), ImageError>;

    /// Makes what changed and `lsn` durable together; gives the new generation and the digest over all entries. Each key
    /// comes once. The changes are taken some at a time, so that however many there are, few of them are in memory: of
    /// very many, a crash in the middle leaves no checkpoint.
    fn checkpoint(&mut self, lsn: Lsn, changes: &mut dyn Iterator<Item = EntryChange>) -> Stored;

    /// Begins to make what changed and `lsn` durable, and goes on with it beside the caller, who asks how it ended
    /// ([`Image::finish`]) before anything else is begun. What is read meanwhile waits for it.
    fn begin(&mut self, lsn: Lsn, changes: Vec<EntryChange>);

    /// What came of the checkpoint that was begun, as [`Image::checkpoint`] gives it; `None` where none was, and while it
    /// goes on. With `wait` it is waited for, as long as any operation may take.
    fn finish(&mut self, wait: bool) -> Option<Stored>;

    /// All entries of the last checkpoint, to be read elsewhere. They are those only as long as no other is made.
    fn pages(&mut self) -> Result<Box<dyn Pages>, ImageError>;

    /// Empties it, to be filled anew.
    fn reset(&mut self) -> Result<(), ImageError>;
}

/// A key and its value.
pub type Entry = (Vec<u8>, Vec<u8>);

/// All entries of a checkpoint, some at a time.
pub trait Pages: Send {
    /// The next ones in the order of their keys; none at the end.
    fn next(&mut self) -> Result<Vec<Entry>, ImageError>;
}

/// A base that is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoredBase {
    /// It holds the state after this record.
    pub lsn: Lsn,
    /// The oldest record that whoever begins with it may come to need.
    pub needs: Lsn,
    /// How long its file is, in bytes.
    pub bytes: u64,
}

impl StoredBase {
    /// What lies before this position is not needed by whoever begins with this base.
    pub fn frees(&self) -> Lsn {
        self.needs.min(Lsn(self.lsn.0 + 1))
    }
}

/// A base that was made and checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MadeBase {
    /// The base.
    pub base: StoredBase,
    /// What lies before this position is needed neither by it nor by the one before it, which was checked again; 0 while
    /// there is none before it.
    pub frees: Lsn,
}

/// Dumps of whole checkpoints, to be read.
pub trait StoredBases {
    /// Where they lie, for messages.
    fn place(&self) -> PathBuf;

    /// All bases, newest first.
    fn list(&self) -> Result<Vec<StoredBase>, OpenError>;

    /// Calls `each` with every entry of a base in the order of the keys, and gives the checkpoint that they are. Whoever
    /// asks compares it with what the journal says of that checkpoint.
    fn read(&self, lsn: Lsn, each: &mut dyn FnMut(&[u8], &[u8])) -> Result<Checkpoint, OpenError>;
}

/// Dumps of whole checkpoints, from which an image is made anew.
pub trait Bases: StoredBases + Send {
    /// Begins to make one, which may come to need the records from `needs` on; those that are too old then go.
    fn begin(&mut self, of: Checkpoint, needs: Lsn, pages: Box<dyn Pages>);

    /// Whether one is being made.
    fn is_busy(&self) -> bool;

    /// How the one that was begun came out; waits for it. `None` if none was begun.
    fn finish(&mut self) -> Option<Result<MadeBase, OpenError>>;
}

/// In which order entries are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// From the smallest key on.
    Up,
    /// From the largest key on.
    Down,
}

impl Order {
    /// Whether a key comes behind another one.
    pub fn is_behind(self, key: &[u8], other: &[u8]) -> bool {
        match self {
            Self::Up => key > other,
            Self::Down => key < other,
        }
    }
}

/// An image that could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("the checkpoint cannot be used: {0}")]
pub struct ImageError(pub String);

/// Large values by content.
pub trait Blobs: Send {
    /// Makes bytes durable and gives their BLAKE3 hash, in hexadecimal. The same bytes again cost nothing.
    fn put(&mut self, bytes: &[u8]) -> Result<String, AppendError>;

    /// The bytes with this hash; `None` where there are none or they do not match it.
    fn get(&self, hash: &str) -> Option<Vec<u8>>;
}
