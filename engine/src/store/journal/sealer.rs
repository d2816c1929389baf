//! Seals segments: rewrites those that are full as packs, on a thread of its own.
//!
//! A segment is full once a frame behind it is durable; from then on nobody writes into it. The pack is made beside it,
//! synced, read back and compared, and only then takes its name, so that at every moment the name is of one whole file
//! or the other. Segments are sealed in order: the sealed ones come first.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use super::frame::{self, Parsed, Raw};
use super::pack::{Header, Writer};
use super::segment::{self, SEALED_MAGIC, SEGMENT_HEADER_BYTES};
use crate::fault::{self, Point};
use crate::id::{Epoch, ShardId};
use crate::store::OpenError;
use crate::store::files::{self, cannot, damaged};

/// Full segments that may wait when a handle is dropped: what lies behind them is sealed before it ends, so that
/// handles which never live long enough to seal one do not leave them all unsealed.
const MAX_LEFT_UNSEALED: u64 = 2;
/// After a failure, mostly a full disk, so many appends pass before the next try.
const CALLS_AFTER_FAILURE: u32 = 4096;

/// Keeps the full segments of one journal sealed.
#[derive(Debug)]
pub struct Sealer {
    seals: Seals,
    /// All segments before this one are known to be sealed.
    sealed_below: u64,
    pause: u32,
    running: Option<JoinHandle<Result<u64, OpenError>>>,
}

/// What the thread needs.
#[derive(Clone, Debug)]
struct Seals {
    folder: PathBuf,
    shard: ShardId,
    epoch: Epoch,
    stop: Arc<AtomicBool>,
}

impl Sealer {
    /// Nothing is known of the segments from `oldest` on.
    pub fn new(folder: &Path, shard: ShardId, epoch: Epoch, oldest: u64) -> Self {
        let seals = Seals { folder: folder.to_owned(), shard, epoch, stop: Arc::default() };
        Self { seals, sealed_below: oldest, pause: 0, running: None }
    }

    /// Starts sealing what lies before the segment `full_below`, unless it goes on already; never waits.
    pub fn keep_up(&mut self, full_below: u64) {
        if self.sealed_below >= full_below {
            return;
        }
        if self.running.as_ref().is_some_and(JoinHandle::is_finished) {
            self.collect();
        }
        self.pause = self.pause.saturating_sub(1);
        if self.pause > 0 || self.running.is_some() || self.sealed_below >= full_below {
            return;
        }
        let (seals, from) = (self.seals.clone(), self.sealed_below);
        let seal = move || seals.seal_all(from, full_below);
        self.running = std::thread::Builder::new().name("journal-seal".to_owned()).spawn(seal).ok();
    }

    /// Seals everything before the segment `full_below` now.
    pub fn finish(&mut self, full_below: u64) {
        self.collect();
        if self.sealed_below < full_below {
            match self.seals.seal_all(self.sealed_below, full_below) {
                Ok(below) => self.sealed_below = below,
                Err(error) => tracing::warn!(%error, "a segment cannot be sealed; it is left as it is"),
            }
        }
    }

    /// Makes a segment that is sealed anew from its frames.
    pub fn seal_again(&mut self, number: u64) -> Result<(), OpenError> {
        self.collect();
        let loaded = segment::load(&self.seals.folder, self.seals.shard, number)?;
        self.seals.replace(number, &loaded.bytes).map(drop)
    }

    /// Ends the thread. Waits for it where too much would be left unsealed.
    pub fn close(&mut self, full_below: u64) {
        let left = full_below.saturating_sub(self.sealed_below);
        if left <= MAX_LEFT_UNSEALED {
            self.seals.stop.store(true, Ordering::Relaxed);
        }
        self.collect();
    }

    /// Waits for the thread, if it runs.
    fn collect(&mut self) {
        let Some(running) = self.running.take() else { return };
        let sealed = running.join().unwrap_or_else(|_| {
            Err(cannot("cannot seal", &self.seals.folder)(io::Error::other("the thread that seals segments panicked")))
        });
        match sealed {
            Ok(below) => self.sealed_below = below,
            Err(error) => {
                tracing::warn!(%error, "a segment cannot be sealed; it is tried again");
                self.pause = CALLS_AFTER_FAILURE;
            }
        }
    }
}

impl Seals {
    /// Seals in order; gives the first segment that is not sealed.
    fn seal_all(&self, from: u64, below: u64) -> Result<u64, OpenError> {
        let mut number = self.first_unsealed(from, below)?;
        while number < below && !self.stop.load(Ordering::Relaxed) {
            if !self.seal(number)? {
                break;
            }
            number += 1;
        }
        Ok(number)
    }

    fn first_unsealed(&self, from: u64, below: u64) -> Result<u64, OpenError> {
        let (mut low, mut high) = (from, below);
        while low < high {
            let middle = low.midpoint(high);
            if segment::is_sealed(&self.folder, middle)? { low = middle + 1 } else { high = middle }
        }
        Ok(low)
    }

    /// Seals one segment; `false` when it was told to stop before that was done.
    fn seal(&self, number: u64) -> Result<bool, OpenError> {
        let loaded = segment::load(&self.folder, self.shard, number)?;
        if loaded.sealed { Ok(true) } else { self.replace(number, &loaded.bytes) }
    }

    /// Puts a pack of these frames in the place of a segment.
    fn replace(&self, number: u64, bytes: &[u8]) -> Result<bool, OpenError> {
        let path = segment::path(&self.folder, number);
        let next = segment::first_frame(&self.folder, number + 1)?;
        let name = format!("{}{}-sealing-{number}", files::UNFINISHED, self.epoch.0);
        let unfinished = self.folder.join(name);
        let sealed = self.write(&unfinished, &path, number, bytes, next);
        if !matches!(sealed, Ok(true)) {
            // What is left of it is removed at the next opening if it cannot be removed now.
            let _ = fs::remove_file(&unfinished);
            return sealed;
        }
        let renamed = fault::at(Point::SealRename, || fs::rename(&unfinished, &path));
        renamed.map_err(cannot("cannot rename", &unfinished))?;
        files::sync_folder(&self.folder).map_err(cannot("cannot sync", &self.folder))?;
        Ok(true)
    }

    fn write(
        &self,
        unfinished: &Path,
        path: &Path,
        number: u64,
        bytes: &[u8],
        next: Option<(crate::id::Lsn, frame::Hash)>,
    ) -> Result<bool, OpenError> {
        let cannot_write = cannot("cannot write", unfinished);
        let mut offset = SEGMENT_HEADER_BYTES;
        let (mut writer, mut end) = (None, None);
        while let Parsed::Whole(raw) = frame::parse(&bytes[offset..]) {
            if self.stop.load(Ordering::Relaxed) {
                return Ok(false);
            }
            let writer = match &mut writer {
                Some(writer) => writer,
                none => {
                    none.insert(Writer::create(unfinished, self.header(number, &raw), true).map_err(&cannot_write)?)
                }
            };
            writer.push(&raw).map_err(&cannot_write)?;
            offset += raw.bytes.len();
            end = Some((crate::id::Lsn(raw.last.0 + 1), raw.hash));
        }
        // Only what reaches to the next segment without a break is all that there was.
        let (Some(writer), true) = (writer, end.is_some() && end == next && frame::is_zero(&bytes[offset..])) else {
            return Err(damaged(path, offset as u64, "the segment's frames do not reach to the next segment"));
        };
        writer.finish().map_err(&cannot_write)?;
        self.compare(unfinished, number, &bytes[SEGMENT_HEADER_BYTES..offset])?;
        Ok(true)
    }

    fn header(&self, number: u64, first: &Raw<'_>) -> Header {
        Header { magic: SEALED_MAGIC, shard: self.shard, number, first: first.first, before: first.prev }
    }

    /// Reads back what was written.
    fn compare(&self, unfinished: &Path, number: u64, frames: &[u8]) -> Result<(), OpenError> {
        let pack = segment::open_sealed(unfinished, self.shard, number)?;
        pack.index()?;
        let mut rest = Some(frames);
        pack.blocks(&mut |block| {
            rest = rest.and_then(|rest| rest.strip_prefix(block.as_slice()));
            if rest.is_some() { std::ops::ControlFlow::Continue(()) } else { std::ops::ControlFlow::Break(()) }
        })?;
        if rest == Some(&[]) { Ok(()) } else { Err(damaged(unfinished, 0, "it is not what was written")) }
    }
}

impl Drop for Sealer {
    fn drop(&mut self) {
        // Nothing may be written into the folder once its lock is given up.
        self.seals.stop.store(true, Ordering::Relaxed);
        self.collect();
    }
}
