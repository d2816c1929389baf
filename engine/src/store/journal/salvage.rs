//! Reads what is whole of a journal that is damaged: every frame that can be trusted, in order, and the gaps between them.
//!
//! Where opening stops at the first thing that does not hold, this goes on behind it. A frame is trusted by its own hash,
//! and by the chain where the frame before it is there too; what lies between two trusted frames is a gap. Of a gap it is
//! said which files and bytes it comes from, and what is known all the same of the records that were there. Never writes,
//! and decides nothing.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::frame::{self, FRAME_ALIGN, FRAME_MAGIC, FRAME_VERSION, Hash, Parsed, Raw};
use super::head::{self, HeadState};
use super::manifest::{self, Dropped};
use super::pack::{BLOCK_OF_FRAMES, PACK_HEADER_BYTES, Pack};
use super::segment::{self, SEALED_MAGIC, SEGMENT_HEADER_BYTES};
use crate::core::run::About;
use crate::id::{Epoch, Lsn, RunId, ShardId};
use crate::store::OpenError;
use crate::store::files::cannot;

/// More positions than these lie in no gap: a journal that seems to have one holds frames of somebody else.
const MAX_GAP: u64 = 1 << 32;

/// A damaged journal, as far as its bookkeeping can be read.
#[derive(Debug)]
pub struct Salvage {
    folder: PathBuf,
    shard: ShardId,
    /// What `HEAD` says; `None` where neither slot can be read.
    pub head: Option<HeadState>,
    /// The segments that are there, from the oldest that counts.
    numbers: Vec<u64>,
    /// The last record before the first segment, and the hash of its frame, where that is known.
    before: Option<(Lsn, Hash)>,
}

/// What comes next in a journal.
#[derive(Debug)]
pub enum Piece<'a> {
    /// A whole frame.
    Frame(&'a Raw<'a>),
    /// Positions without one.
    Gap(Gap),
}

/// Positions whose records cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The first of them.
    pub first: Lsn,
    /// The last of them.
    pub last: Lsn,
    /// Where they were, as far as that can be said; never empty.
    pub holes: Vec<Hole>,
}

/// A place of a file where no whole frame is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hole {
    /// The file.
    pub path: PathBuf,
    /// Where in it, in bytes.
    pub offset: u64,
    /// What is wrong there.
    pub what: String,
    /// The positions of the records that were there, where that is known.
    pub extent: Option<(Lsn, Lsn)>,
    /// What is known of these records.
    pub holds: Holds,
}

/// What is known of records that cannot be trusted any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holds {
    /// Nothing.
    Unknown,
    /// The runs that they were about, from an index with a hash of its own.
    Indexed(Vec<RunId>),
    /// What each of them seems to be about. The frame does not match its hash, so a changed bit may lie here too.
    Seen(Vec<About>),
}

/// The end of what is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// The last record of the last whole frame; that before the journal where there is none.
    pub last: Lsn,
    /// The greatest epoch that was seen.
    pub epoch: Epoch,
}

impl Salvage {
    /// Looks at the journal in a folder.
    ///
    /// # Errors
    /// The folder cannot be listed, or a newer program wrote there.
    pub fn of(folder: &Path, shard: ShardId) -> Result<Self, OpenError> {
        let head = match head::read(folder, shard) {
            Ok(head) => Some(head),
            Err(OpenError::Damaged { .. }) => None,
            Err(error @ (OpenError::Io { .. } | OpenError::Newer { .. } | OpenError::Locked { .. })) => {
                return Err(error);
            }
        };
        let oldest = head.map_or(0, |head| head.oldest);
        let numbers: Vec<u64> = segment::list(folder)?.into_iter().filter(|number| *number >= oldest).collect();
        let before = match &head {
            Some(head) => Some((head.base, head.base_hash)),
            None => last_dropped(folder, numbers.first().copied()),
        };
        Ok(Self { folder: folder.to_owned(), shard, head, numbers, before })
    }

    /// The number of the oldest segment, and what lies before it.
    pub fn beginning(&self) -> (u64, Option<(Lsn, Hash)>) {
        let oldest = self.head.map(|head| head.oldest).or(self.numbers.first().copied()).unwrap_or(1);
        (oldest, self.before)
    }

    /// Calls `each` with every piece in order. Records up to `known` were there, whatever the files say.
    ///
    /// # Errors
    /// Those of `each`; a file may not be read, or a newer program wrote it.
    pub fn walk(&self, known: Lsn, each: &mut dyn FnMut(Piece<'_>) -> Result<(), OpenError>) -> Result<End, OpenError> {
        let start = self.before.map(|(last, _)| last);
        let mut walk = Walk {
            last: start,
            hash: self.before.map(|(_, hash)| hash),
            epoch: Epoch(0),
            holes: Vec::new(),
            place: (head::path(&self.folder), 0),
            each,
        };
        let newest = self.numbers.last().copied().max(self.head.map(|head| head.segment)).unwrap_or(0);
        let (oldest, _) = self.beginning();
        for number in oldest..=newest {
            self.segment(number, &mut walk)?;
        }
        walk.finish(known.max(self.head.map_or(Lsn(0), |head| head.last)), self.head.is_none())
    }

    fn segment(&self, number: u64, walk: &mut Walk<'_>) -> Result<(), OpenError> {
        let path = segment::path(&self.folder, number);
        let why = match segment::load(&self.folder, self.shard, number) {
            Ok(loaded) => return scan(&path, &loaded.bytes, SEGMENT_HEADER_BYTES, walk),
            Err(OpenError::Damaged { offset, what, .. }) => (offset, what),
            Err(error @ (OpenError::Io { .. } | OpenError::Newer { .. } | OpenError::Locked { .. })) => {
                return Err(error);
            }
        };
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                walk.holes.push(Hole::at(&path, 0, why.1));
                return Ok(());
            }
            bytes => bytes.map_err(cannot("cannot read", &path))?,
        };
        if !bytes.starts_with(&SEALED_MAGIC) {
            walk.holes.push(Hole::at(&path, why.0, why.1));
            return scan(&path, &bytes, SEGMENT_HEADER_BYTES, walk);
        }
        sealed(&path, walk)
    }
}

impl Hole {
    fn at(path: &Path, offset: u64, what: impl Into<String>) -> Self {
        Self { path: path.to_owned(), offset, what: what.into(), extent: None, holds: Holds::Unknown }
    }
}

/// What `MANIFEST` says of the segment before the oldest one that is there.
fn last_dropped(folder: &Path, oldest: Option<u64>) -> Option<(Lsn, Hash)> {
    if oldest.is_none_or(|oldest| oldest == 1) {
        return Some((Lsn(0), Hash::default()));
    }
    let dropped = manifest::read_all(folder).ok()?;
    let Dropped { last, hash, .. } = *dropped.iter().rfind(|dropped| Some(dropped.segment + 1) == oldest)?;
    Some((last, hash))
}

struct Walk<'a> {
    /// The last position that was given; `None` while nothing is known.
    last: Option<Lsn>,
    /// The hash of the frame that ends there, where it is whole.
    hash: Option<Hash>,
    epoch: Epoch,
    /// What was found since the last whole frame.
    holes: Vec<Hole>,
    /// Where that frame ends.
    place: (PathBuf, u64),
    each: &'a mut dyn FnMut(Piece<'_>) -> Result<(), OpenError>,
}

impl Walk<'_> {
    /// Takes a whole frame, if it goes on from what was there; says why not otherwise.
    fn take(&mut self, raw: &Raw<'_>) -> Result<Result<(), &'static str>, OpenError> {
        if let Some(last) = self.last {
            if raw.first <= last {
                return Ok(Err("the frame lies before the one before it"));
            }
            if raw.first.0 - last.0 > MAX_GAP {
                return Ok(Err("the frame is of another journal: too many records would be missing"));
            }
            let next = raw.first.0 == last.0 + 1;
            if next && self.hash.is_some_and(|hash| hash != raw.prev) {
                return Ok(Err("the frame does not continue the one before it"));
            }
            if raw.epoch < self.epoch {
                return Ok(Err("the frame is of an epoch that was over"));
            }
            if !next {
                self.gap(Lsn(last.0 + 1), Lsn(raw.first.0 - 1))?;
            }
        }
        self.holes.clear();
        (self.last, self.hash, self.epoch) = (Some(raw.last), Some(raw.hash), raw.epoch);
        (self.each)(Piece::Frame(raw)).map(Ok)
    }

    fn gap(&mut self, first: Lsn, last: Lsn) -> Result<(), OpenError> {
        let mut holes = std::mem::take(&mut self.holes);
        if holes.is_empty() {
            let (path, offset) = &self.place;
            holes.push(Hole::at(path, *offset, "nothing is here, though frames were"));
        }
        (self.each)(Piece::Gap(Gap { first, last, holes }))
    }

    /// What is known to have been there behind the last whole frame is a gap too.
    fn finish(mut self, known: Lsn, headless: bool) -> Result<End, OpenError> {
        let last = self.last.unwrap_or_default();
        // Without `HEAD` a frame that can still be made out may have been acknowledged.
        let seen = self.holes.iter().filter_map(|hole| hole.extent.filter(|_| headless)).map(|(_, last)| last);
        let known = seen.filter(|seen| seen.0.saturating_sub(last.0) <= MAX_GAP).fold(known, Lsn::max);
        if known > last {
            self.gap(Lsn(last.0 + 1), known)?;
        }
        Ok(End { last, epoch: self.epoch })
    }
}

/// Every block that can be read: all that the index names, or one after another.
fn sealed(path: &Path, walk: &mut Walk<'_>) -> Result<(), OpenError> {
    let pack = Pack::of_damaged(path).map_err(cannot("cannot read", path))?;
    if let Ok(index) = pack.index() {
        for (number, (offset, _)) in index.blocks.iter().enumerate() {
            match pack.block(*offset) {
                Ok(block) => scan(path, &block.bytes, 0, walk)?,
                Err(what) => walk.holes.push(Hole {
                    extent: index.positions_of(number),
                    holds: Holds::Indexed(index.runs_of(number)),
                    ..Hole::at(path, *offset, what)
                }),
            }
        }
        return Ok(());
    }
    let mut offset = PACK_HEADER_BYTES as u64;
    loop {
        match pack.block(offset) {
            Ok(block) if block.kind == BLOCK_OF_FRAMES => {
                scan(path, &block.bytes, 0, walk)?;
                offset = block.end;
            }
            Ok(_) => return Ok(()),
            Err(what) => {
                walk.holes.push(Hole::at(path, offset, what));
                // Where the block is only changed, its length still says where the next one begins.
                match pack.end_of_block(offset) {
                    Some(end) => offset = end,
                    None => return Ok(()),
                }
            }
        }
    }
}

/// Gives every whole frame in these bytes, and notes where there should be one.
fn scan(path: &Path, bytes: &[u8], from: usize, walk: &mut Walk<'_>) -> Result<(), OpenError> {
    let mut offset = from.min(bytes.len());
    loop {
        let hole = match frame::parse(&bytes[offset..]) {
            Parsed::Whole(raw) => match walk.take(&raw)? {
                Ok(()) => {
                    offset += raw.bytes.len();
                    walk.place = (path.to_owned(), offset as u64);
                    continue;
                }
                Err(why) => Some(Hole::at(path, offset as u64, why)),
            },
            Parsed::Newer(found) => {
                let path = path.display().to_string();
                return Err(OpenError::Newer { path, found: found.into(), known: FRAME_VERSION.into() });
            }
            Parsed::Bad(why) => Some(torn(path, bytes, offset, why)),
            Parsed::Empty => None,
        };
        let next = next_frame(bytes, offset);
        match hole {
            Some(hole) => walk.holes.push(hole),
            None if next.is_some() => walk.holes.push(Hole::at(path, offset as u64, "a frame is missing")),
            None => {}
        }
        match next {
            Some(next) => offset = next,
            None => return Ok(()),
        }
    }
}

/// What can be made out of a frame that does not match its hash.
fn torn(path: &Path, bytes: &[u8], offset: usize, why: &str) -> Hole {
    let mut hole = Hole::at(path, offset as u64, why);
    if let Some(seen) = frame::make_out(&bytes[offset..]) {
        hole.extent = Some((seen.first, seen.last));
        let about: Option<Vec<About>> = seen.records.iter().map(|record| About::of(record)).collect();
        if let Some(about) = about.filter(|about| !about.is_empty()) {
            hole.holds = Holds::Seen(about);
        }
    }
    hole
}

/// The next place behind `offset` where a whole frame begins.
fn next_frame(bytes: &[u8], offset: usize) -> Option<usize> {
    let from = (offset + 1).next_multiple_of(FRAME_ALIGN);
    (from..bytes.len()).step_by(FRAME_ALIGN).find(|place| {
        bytes[*place..].starts_with(&FRAME_MAGIC)
            && matches!(frame::parse(&bytes[*place..]), Parsed::Whole(_) | Parsed::Newer(_))
    })
}
