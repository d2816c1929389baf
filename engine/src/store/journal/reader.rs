//! Reads a journal without its lock and without writing, also while another process appends to it.

use std::fs::File;
use std::ops::{ControlFlow, RangeInclusive};
use std::path::{Path, PathBuf};

use super::frame::{Hash, Raw};
use super::head::{self, HeadState};
use super::manifest::{self, Dropped};
use super::recovery;
use super::segment;
use super::walk::{End, Plan, walk};
use crate::core::run::Subject;
use crate::fault::{self, Point};
use crate::id::{Lsn, ShardId};
use crate::store::files::{cannot, damaged};
use crate::store::{Frame, Frames, Head, OpenError};

/// The durable frames of a journal at the moment it was opened.
///
/// What it shows has been synced, by itself if need be: a frame that was seen does not vanish in a power cut. The one
/// exception is a frame whose sync failed in a process that is gone; only opening for writing can mend that.
#[derive(Debug)]
pub struct Reader {
    folder: PathBuf,
    shard: ShardId,
    head: head::HeadState,
    end: Option<End>,
}

/// How often a writer may drop segments under the reader before it gives up.
const TRIES: usize = 5;

impl Reader {
    /// Finds the end of the journal in a folder.
    pub(in crate::store) fn open(folder: &Path, shard: ShardId) -> Result<Self, OpenError> {
        let mut tries = 0;
        loop {
            let before = head::read(folder, shard)?;
            match find_end(folder, shard, &before) {
                Ok(end) => return Ok(Self { folder: folder.to_owned(), shard, head: before, end }),
                Err(error) => {
                    tries += 1;
                    if tries == TRIES || head::read(folder, shard)?.oldest == before.oldest {
                        return Err(error);
                    }
                }
            }
        }
    }

    /// The end of what is durable.
    pub fn head(&self) -> Head {
        self.end.as_ref().map_or(Head { last: Lsn(0), stamp: None }, |end| Head { last: end.last, stamp: end.stamp })
    }

    /// What was dropped, oldest first.
    ///
    /// # Errors
    /// The file that says so is not what was written.
    pub fn dropped(&self) -> Result<Vec<Dropped>, OpenError> {
        manifest::read(&self.folder, &self.head)
    }

    /// Checks every segment that is sealed, its index too. Gives what is wrong.
    pub fn verify_sealed(&self) -> Vec<OpenError> {
        let Some(part) = self.part() else { return Vec::new() };
        let sealed = (self.head.oldest..part.newest).filter_map(|number| {
            let verified = segment::is_sealed(&self.folder, number)
                .and_then(|sealed| if sealed { part.verify_segment(number) } else { Ok(()) });
            verified.err()
        });
        sealed.collect()
    }

    fn part(&self) -> Option<Part<'_>> {
        let end = self.end.as_ref().filter(|end| end.last > Lsn(0))?;
        Some(Part {
            folder: &self.folder,
            shard: self.shard,
            head: self.head,
            newest: end.segment,
            last: end.last,
            hash: end.hash,
        })
    }
}

impl Frames for Reader {
    fn oldest(&self) -> Lsn {
        Lsn(self.head.base.0 + 1)
    }

    fn read(&self, from: Lsn, each: &mut dyn FnMut(Frame) -> bool) -> Result<(), OpenError> {
        self.part().map_or(Ok(()), |part| part.read(from, each))
    }

    fn read_of(
        &self,
        subject: &Subject,
        positions: RangeInclusive<Lsn>,
        each: &mut dyn FnMut(Frame) -> bool,
    ) -> Result<(), OpenError> {
        self.part().map_or(Ok(()), |part| part.read_of(subject, positions, each))
    }
}

/// The durable frames of a journal whose end is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part<'a> {
    pub folder: &'a Path,
    pub shard: ShardId,
    pub head: HeadState,
    /// The segment of the last frame.
    pub newest: u64,
    /// The last record; 0 in an empty log.
    pub last: Lsn,
    /// The hash of the last frame.
    pub hash: Hash,
}

impl Part<'_> {
    /// Every frame that reaches to `from` or lies behind it.
    pub fn read(&self, from: Lsn, each: &mut dyn FnMut(Frame) -> bool) -> Result<(), OpenError> {
        if from > self.last || self.last == Lsn(0) {
            return Ok(());
        }
        let (first, before) = segment::holding(self.folder, &self.head, self.newest, from)?;
        self.walk(first, before, &mut |raw| {
            if raw.last >= from && !each(raw.frame()) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
    }

    /// Every frame in these positions that is about a subject: sealed segments by their index, the others by reading
    /// them.
    pub fn read_of(
        &self,
        subject: &Subject,
        positions: RangeInclusive<Lsn>,
        each: &mut dyn FnMut(Frame) -> bool,
    ) -> Result<(), OpenError> {
        let positions = *positions.start()..=self.last.min(*positions.end());
        if positions.is_empty() {
            return Ok(());
        }
        let mut give =
            |raw: &Raw<'_>| if each(raw.frame()) { ControlFlow::Continue(()) } else { ControlFlow::Break(()) };
        let (mut number, _) = segment::holding(self.folder, &self.head, self.newest, *positions.start())?;
        while number < self.newest && segment::is_sealed(self.folder, number)? {
            let pack = segment::open_sealed(&segment::path(self.folder, number), self.shard, number)?;
            if pack.header.first > *positions.end() || pack.frames_of(subject, &positions, &mut give)?.is_break() {
                return Ok(());
            }
            number += 1;
        }
        self.walk(number, None, &mut |raw| {
            if raw.first > *positions.end() {
                return ControlFlow::Break(());
            }
            let asked = raw.last >= *positions.start() && raw.concerns(subject);
            if asked { give(raw) } else { ControlFlow::Continue(()) }
        })
    }

    /// Checks one segment: all that was written of it.
    pub fn verify_segment(&self, number: u64) -> Result<(), OpenError> {
        let path = segment::path(self.folder, number);
        if segment::is_sealed(self.folder, number)? {
            let index = segment::open_sealed(&path, self.shard, number)?.verify(true)?;
            let next = segment::first_frame(self.folder, number + 1)?;
            if next != Some((Lsn(index.last.0 + 1), index.hash)) {
                return Err(damaged(&path, 0, "the next segment does not continue this one"));
            }
            return Ok(());
        }
        let end = match segment::first_frame(self.folder, number + 1) {
            Ok(Some((first, _))) if number < self.newest => Lsn(first.0.saturating_sub(1)),
            _ => self.last,
        };
        self.walk(number, None, &mut |raw| {
            if raw.last >= end { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
    }

    /// Goes through the frames from a segment on, to the end of this part.
    fn walk(
        &self,
        first: u64,
        before: Option<(Lsn, Hash)>,
        each: &mut dyn FnMut(&Raw<'_>) -> ControlFlow<()>,
    ) -> Result<(), OpenError> {
        let plan = Plan {
            folder: self.folder,
            shard: self.shard,
            first,
            newest: self.newest,
            before,
            acknowledged: (self.last, self.hash),
            closed: false,
        };
        walk(&plan, &mut |raw| {
            if raw.last > self.last {
                return ControlFlow::Break(());
            }
            each(raw)?;
            if raw.last == self.last { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        Ok(())
    }
}

fn find_end(folder: &Path, shard: ShardId, head: &head::HeadState) -> Result<Option<End>, OpenError> {
    let numbers = segment::list(folder)?;
    if numbers.is_empty() && head.last == Lsn(0) {
        return Ok(None);
    }
    let kept: Vec<u64> = numbers.into_iter().filter(|number| *number >= head.oldest).collect();
    let end = walk(&recovery::plan(folder, shard, &kept, head)?, &mut |_| ControlFlow::Continue(()))?;
    let path = segment::path(folder, end.segment);
    let synced = fault::at(Point::ReaderSync, || File::open(&path)?.sync_data());
    synced.map_err(cannot("cannot sync", &path))?;
    Ok(Some(end))
}
