//! The embedded log: segments of frames in one folder, one `fdatasync` a frame.
//!
//! The bytes are described in `docs/journal-format.md`. What the code keeps to:
//! * An append writes into zeros that are there already and syncs once; it neither creates nor renames a file unless no
//!   spare segment could be made in time.
//! * A failed write or sync finishes the handle for ever: it is never retried, since the kernel may call pages clean
//!   that never reached the disk.
//! * Segments that are full are sealed: compressed in place, by a thread of their own. They are the history.
//! * Nothing is guessed at opening: a frame is torn or damaged by the rule in `walk.rs`, and damage stops the opening.

pub mod frame;
pub mod head;
mod index;
pub mod manifest;
pub mod pack;
mod reader;
mod recovery;
mod rewrite;
mod salvage;
mod sealer;
pub mod segment;
mod settled;
mod spares;
mod walk;

#[cfg(test)]
mod format_tests;

use std::ops::RangeInclusive;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

pub(crate) use self::index::name_runs;
pub use self::reader::Reader;
pub(in crate::store) use self::recovery::{create, is_unused};
pub(crate) use self::rewrite::Rewrite;
pub(crate) use self::salvage::{End as SalvageEnd, Gap, Holds, Hole, Piece, Salvage};

use self::frame::{Hash, MAX_FRAME_BYTES};
use self::head::{HeadFile, HeadState};
use self::manifest::Dropped;
use self::reader::Part;
use self::sealer::Sealer;
use self::segment::{Maker, SEGMENT_HEADER_BYTES, Segment};
use self::spares::Spares;
use super::lock::Held;
use super::{AppendError, Frame, Frames, Growth, Head, OpenError, ShardLog, files};
use crate::clock::Stamp;
use crate::core::run::Subject;
use crate::fault::{self, Bug, Point};
use crate::id::{Epoch, Lsn, ShardId};

/// The embedded [`ShardLog`], opened through [`Folder::log`](super::folder::Folder::log).
#[derive(Debug)]
pub struct Journal {
    folder: PathBuf,
    shard: ShardId,
    epoch: Epoch,
    head: HeadFile,
    current: Segment,
    offset: u64,
    last: Lsn,
    hash: Hash,
    /// The segment in which the last frame lies.
    last_segment: u64,
    /// Where in that segment it begins, if this handle wrote it or it stands for all before it.
    last_offset: Option<u64>,
    /// The last frame stands for all before it.
    is_settled: bool,
    /// The frame of which that was so when the log was opened.
    settled: Option<Frame>,
    stamp: Option<Stamp>,
    sealer: Sealer,
    spares: Spares,
    finished: Option<Finished>,
    stats: JournalStats,
    /// Bytes of the segments that this handle has begun.
    begun: u64,
    buffer: Vec<u8>,
    /// Keeps the folder locked; given up last.
    held: Arc<Held>,
}

/// Appends of a run of a step or two.
const FEW_APPENDS: u64 = 8;

/// What a handle has done on the commit path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JournalStats {
    /// Frames that were appended.
    pub appends: u64,
    /// Syncs of segments for them.
    pub syncs: u64,
    /// Bytes written for them.
    pub bytes: u64,
}

/// A segment that holds frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentInfo {
    /// Its number.
    pub number: u64,
    /// The position of its first record.
    pub first: Lsn,
    /// How long its file is.
    pub bytes: u64,
    /// Whether it is sealed.
    pub sealed: bool,
}

/// Why a handle takes no more frames.
#[derive(Clone, Debug)]
enum Finished {
    Fenced(Epoch),
    Failed(String),
}

impl From<Finished> for AppendError {
    fn from(finished: Finished) -> Self {
        match finished {
            Finished::Fenced(epoch) => Self::Fenced(epoch),
            Finished::Failed(why) => Self::Failed(why),
        }
    }
}

impl Journal {
    /// Opens the log in a folder that is locked, and fences every handle that was opened before.
    pub(super) fn open(folder: PathBuf, shard: ShardId, held: Arc<Held>) -> Result<Self, OpenError> {
        let mut newest = held.newest_epoch();
        let recovered = recovery::recover(&folder, shard)?;
        *newest = recovered.epoch;
        drop(newest);
        let end = recovered.end;
        let maker = Maker::new(&folder, shard, recovered.epoch);
        Ok(Self {
            sealer: Sealer::new(&folder, shard, recovered.epoch, recovered.head.state().oldest),
            spares: Spares::new(maker, recovered.current.number, recovered.spares),
            folder,
            shard,
            epoch: recovered.epoch,
            head: recovered.head,
            last_segment: end.segment,
            last_offset: recovered.settled.as_ref().map(|(offset, _)| *offset),
            is_settled: false,
            settled: recovered.settled.map(|(_, frame)| frame),
            current: recovered.current,
            offset: end.offset,
            last: end.last,
            hash: end.hash,
            stamp: end.stamp,
            finished: None,
            stats: JournalStats::default(),
            begun: 0,
            buffer: Vec::new(),
            held,
        })
    }

    /// What was done on the commit path so far.
    pub const fn stats(&self) -> JournalStats {
        self.stats
    }

    /// Seals all segments that are full, now; otherwise it is done in the background.
    pub fn seal(&mut self) {
        if self.is_newest() {
            self.sealer.finish(self.last_segment);
        }
    }

    /// The segments that hold frames, oldest first.
    pub fn segments(&self) -> Result<Vec<SegmentInfo>, OpenError> {
        let oldest = self.head.state();
        let mut first = Lsn(oldest.base.0 + 1);
        (oldest.oldest..=self.last_segment)
            .map(|number| {
                if let Some((begins, _)) = segment::first_frame(&self.folder, number)? {
                    first = begins;
                }
                let path = segment::path(&self.folder, number);
                let bytes = std::fs::metadata(&path).map_err(files::cannot("cannot read", &path))?.len();
                Ok(SegmentInfo { number, first, bytes, sealed: segment::is_sealed(&self.folder, number)? })
            })
            .collect()
    }

    /// The segments that were dropped, oldest first.
    pub fn dropped(&self) -> Result<Vec<Dropped>, OpenError> {
        manifest::read(&self.folder, &self.head.state())
    }

    /// Reads one segment and checks every byte of it that was written: frames, chain, and index where it is sealed.
    pub fn verify_segment(&self, number: u64) -> Result<(), OpenError> {
        self.part().verify_segment(number)
    }

    /// Makes anew what follows from the frames and `HEAD` alone, where it is damaged: indexes of sealed segments, and the
    /// note of what was dropped, which then says only where the journal begins.
    ///
    /// # Errors
    /// It cannot be written, or frames are damaged too.
    pub fn mend(&mut self) -> Result<(), OpenError> {
        let head = self.head.state();
        if self.dropped().is_err() {
            manifest::write(&self.folder, &manifest::without_file(&head))
                .map_err(files::cannot("cannot write", &manifest::path(&self.folder)))?;
        }
        for number in head.oldest..self.last_segment {
            if segment::is_sealed(&self.folder, number)? && self.verify_segment(number).is_err() {
                self.sealer.seal_again(number)?;
            }
        }
        Ok(())
    }

    fn is_newest(&self) -> bool {
        self.finished.is_none() && *self.held.newest_epoch() == self.epoch
    }

    /// What is durable of the log, for this handle.
    fn part(&self) -> Part<'_> {
        Part {
            folder: &self.folder,
            shard: self.shard,
            head: self.head.state(),
            newest: self.last_segment,
            last: self.last,
            hash: self.hash,
        }
    }

    fn try_append(&mut self, frame: &Frame) -> Result<(), AppendError> {
        let len = frame::encoded_len(frame);
        if len > MAX_FRAME_BYTES {
            let why = format!("a frame of {len} bytes is longer than {MAX_FRAME_BYTES}");
            return Err(self.finish(Finished::Failed(why)));
        }
        if self.current.size - self.offset < len as u64 {
            self.next_segment(len as u64)?;
        }
        let hash = frame::encode(frame, self.epoch, self.hash, &mut self.buffer);
        self.write_buffer()?;
        self.last_offset = Some(self.offset);
        self.is_settled = false;
        self.offset += len as u64;
        self.last = frame.last();
        self.hash = hash;
        self.stamp = Some(frame.stamp);
        self.last_segment = self.current.number;
        self.stats.appends += 1;
        self.stats.bytes += len as u64;
        // A log in its first quarter keeps no spares, nor does a handle that hardly writes: it would only begin one.
        let in_use = self.current.number > 1 || self.offset > self.current.size / 4;
        if in_use && self.stats.appends > FEW_APPENDS {
            self.spares.keep_ready();
        }
        self.sealer.keep_up(self.last_segment);
        Ok(())
    }

    fn next_segment(&mut self, len: u64) -> Result<(), AppendError> {
        match self.spares.take(SEGMENT_HEADER_BYTES as u64 + len) {
            Ok(segment) => {
                self.begun += segment.size;
                self.current = segment;
                self.offset = SEGMENT_HEADER_BYTES as u64;
                Ok(())
            }
            // Nothing of the frame has been written, so the same append may come again.
            Err(error) if files::is_no_space(&error) => Err(AppendError::NoSpace(error.to_string())),
            Err(error) => Err(self.finish(Finished::Failed(format!("cannot make a segment: {error}")))),
        }
    }

    fn write_buffer(&mut self) -> Result<(), AppendError> {
        // On a file system that copies on write even zeros may need room. Where that is missing from the start nothing
        // has been written, and the same append may come again.
        let mut untouched = true;
        let written = fault::at(Point::JournalAppend, || {
            let first = match self.current.file.write_at(&self.buffer, self.offset) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => 0,
                first => first?,
            };
            untouched = false;
            self.current.file.write_all_at(&self.buffer[first..], self.offset + first as u64)
        });
        match written {
            Ok(()) => {}
            Err(error) if untouched && files::is_no_space(&error) => {
                return Err(AppendError::NoSpace(error.to_string()));
            }
            Err(error) => return Err(self.finish(Finished::Failed(format!("cannot write a frame: {error}")))),
        }
        self.stats.syncs += 1;
        let mut synced = self.sync();
        if synced.is_err() && fault::planted(Bug::RetriedSync) {
            synced = self.sync();
        }
        synced.map_err(|error| self.finish(Finished::Failed(format!("cannot sync a frame: {error}"))))
    }

    fn sync(&self) -> std::io::Result<()> {
        if fault::planted(Bug::NoSync) {
            return Ok(());
        }
        fault::at(Point::JournalSync, || self.current.file.sync_data())
    }

    fn finish(&mut self, finished: Finished) -> AppendError {
        self.finished = Some(finished.clone());
        finished.into()
    }

    /// Writes into `HEAD` what has been acknowledged.
    fn write_head(&mut self, closed: bool) {
        let held = Arc::clone(&self.held);
        let newest = held.newest_epoch();
        if self.finished.is_some() || *newest != self.epoch {
            return;
        }
        let state = HeadState {
            closed,
            epoch: self.epoch,
            last: self.last,
            last_hash: self.hash,
            segment: self.last_segment,
            settled: self.last_offset.filter(|_| self.is_settled).unwrap_or_default(),
            ..self.head.state()
        };
        if let Err(error) = self.head.write(state) {
            tracing::error!(%error, "the journal's HEAD cannot be written");
            self.finished = Some(Finished::Failed(format!("cannot write HEAD: {error}")));
        }
    }
}

impl ShardLog for Journal {
    fn shard(&self) -> ShardId {
        self.shard
    }

    fn epoch(&self) -> Epoch {
        self.epoch
    }

    fn head(&self) -> Head {
        Head { last: self.last, stamp: self.stamp }
    }

    fn append(&mut self, after: Lsn, frame: &Frame) -> Result<(), AppendError> {
        if let Some(finished) = &self.finished {
            return Err(finished.clone().into());
        }
        // Held until the frame is durable, so that nobody who opens the log meanwhile reads half of it.
        let held = Arc::clone(&self.held);
        let newest = held.newest_epoch();
        if *newest != self.epoch && !fault::planted(Bug::FenceNotChecked) {
            return Err(self.finish(Finished::Fenced(self.epoch)));
        }
        assert_eq!((after, frame.first), (self.last, Lsn(self.last.0 + 1)), "a frame continues the log");
        assert!(!frame.records.is_empty(), "a frame has records");
        self.try_append(frame)
    }

    fn trim(&mut self, below: Lsn) -> Result<(), OpenError> {
        let held = Arc::clone(&self.held);
        let newest = held.newest_epoch();
        if *newest != self.epoch || self.finished.is_some() {
            return Ok(());
        }
        let mut state = self.head.state();
        let oldest = state.oldest;
        let mut dropped = manifest::read(&self.folder, &state)?;
        while state.oldest < self.last_segment {
            let Some((first, prev)) = segment::first_frame(&self.folder, state.oldest + 1)? else { break };
            if first > below {
                break;
            }
            let path = segment::path(&self.folder, state.oldest);
            let bytes = std::fs::metadata(&path).map_err(files::cannot("cannot read", &path))?.len();
            let (segment, begins, last) = (state.oldest, Lsn(state.base.0 + 1), Lsn(first.0 - 1));
            dropped.push(Dropped { segment, first: begins, last, hash: prev, bytes });
            state = HeadState { oldest: state.oldest + 1, base: last, base_hash: prev, ..state };
        }
        if state.oldest == oldest {
            return Ok(());
        }
        manifest::write(&self.folder, &dropped)
            .map_err(files::cannot("cannot write", &manifest::path(&self.folder)))?;
        // HEAD first: a segment that it counts must be there.
        state = HeadState { last: self.last, last_hash: self.hash, segment: self.last_segment, ..state };
        self.head.write(state).map_err(|error| {
            self.finished = Some(Finished::Failed(format!("cannot write HEAD: {error}")));
            files::cannot("cannot write", &head::path(&self.folder))(error)
        })?;
        for number in oldest..state.oldest {
            segment::remove(&self.folder, number)?;
        }
        Ok(())
    }

    fn freeing(&self, bytes: u64) -> Option<Lsn> {
        let segments = self.segments().ok()?;
        let (mut freed, mut below) = (0, None);
        for pair in segments.windows(2) {
            if freed >= bytes {
                break;
            }
            freed += pair[0].bytes;
            below = Some(pair[1].first);
        }
        below
    }

    fn growth(&self) -> Growth {
        let Segment { number, size, .. } = self.current;
        let ahead = segment::usual_size(number + 1 + spares::SPARES as u64);
        Growth { begun: self.begun, left: size - self.offset, next: ahead + size }
    }

    fn rest(&mut self) {
        self.write_head(false);
    }

    fn settle(&mut self) {
        self.is_settled = true;
    }

    fn settled(&mut self) -> Option<Frame> {
        self.settled.take()
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.write_head(true);
        self.sealer.close(if self.is_newest() { self.last_segment } else { 0 });
    }
}

impl Frames for Journal {
    fn oldest(&self) -> Lsn {
        Lsn(self.head.state().base.0 + 1)
    }

    fn read(&self, from: Lsn, each: &mut dyn FnMut(Frame) -> bool) -> Result<(), OpenError> {
        self.part().read(from, each)
    }

    fn read_of(
        &self,
        subject: &Subject,
        positions: RangeInclusive<Lsn>,
        each: &mut dyn FnMut(Frame) -> bool,
    ) -> Result<(), OpenError> {
        self.part().read_of(subject, positions, each)
    }
}
