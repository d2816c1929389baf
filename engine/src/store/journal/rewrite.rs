//! Writes a journal anew from frames: for a salvage, in a folder beside the one that is damaged.
//!
//! All frames but the last go into sealed segments, which take one sync each, however many frames they hold; the last one
//! lies in a segment that can be appended to, as the last one of a log always does. The bookkeeping comes last: a folder
//! with a `HEAD` is a whole journal. Nobody but the caller knows of the folder until then.

use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use super::frame::{self, Hash, Parsed};
use super::head::{self, HeadFile, HeadState};
use super::manifest::{self, Dropped};
use super::pack::{Header, Writer};
use super::segment::{self, MAX_SEGMENT_BYTES, Maker, SEALED_MAGIC, SEGMENT_HEADER_BYTES};
use crate::fault::{self, Point};
use crate::id::{Epoch, Lsn, ShardId};
use crate::store::files::{self, cannot};
use crate::store::{Frame, OpenError};

/// A journal that is being written.
pub struct Rewrite {
    folder: PathBuf,
    shard: ShardId,
    /// The oldest segment, and what lies before it.
    begins: (u64, Lsn, Hash),
    /// The segment that is written.
    number: u64,
    pack: Option<(Writer, u64)>,
    /// The last frame that was given, and the epoch that it was written in.
    held: Option<(Frame, Epoch)>,
    /// The hash of the frame before that one.
    prev: Hash,
    buffer: Vec<u8>,
}

impl Rewrite {
    /// Begins a journal in an empty folder, with the number of its first segment and what lies before that.
    pub fn begin(folder: &Path, shard: ShardId, number: u64, before: (Lsn, Hash)) -> Self {
        let begins = (number, before.0, before.1);
        let (folder, prev) = (folder.to_owned(), before.1);
        Self { folder, shard, begins, number, pack: None, held: None, prev, buffer: Vec::new() }
    }

    /// The last record that was given.
    pub fn last(&self) -> Lsn {
        self.held.as_ref().map_or(self.begins.1, |(frame, _)| frame.last())
    }

    /// Adds a frame, which must go on where the last one ended.
    pub fn push(&mut self, frame: Frame, epoch: Epoch) -> Result<(), OpenError> {
        assert_eq!(frame.first.0, self.last().0 + 1, "a frame continues the log");
        let epoch = self.held.as_ref().map_or(epoch, |(_, before)| epoch.max(*before));
        let Some((before, written)) = self.held.replace((frame, epoch)) else { return Ok(()) };
        let path = segment::path(&self.folder, self.number);
        self.pack(&path, &before, written).map_err(cannot("cannot write", &path))
    }

    /// Puts a frame into the sealed segment that is written.
    fn pack(&mut self, path: &Path, frame: &Frame, epoch: Epoch) -> io::Result<()> {
        let open = self.pack.take();
        let (mut writer, bytes) = if let Some(open) = open {
            open
        } else {
            let header = Header {
                magic: SEALED_MAGIC,
                shard: self.shard,
                number: self.number,
                first: frame.first,
                before: self.prev,
            };
            (Writer::create(path, header, true)?, 0)
        };
        self.prev = frame::encode(frame, epoch, self.prev, &mut self.buffer);
        let Parsed::Whole(raw) = frame::parse(&self.buffer) else {
            return Err(io::Error::other("a frame that was just encoded is none"));
        };
        writer.push(&raw)?;
        let bytes = bytes + raw.bytes.len() as u64;
        if bytes >= MAX_SEGMENT_BYTES {
            writer.finish()?;
            self.number += 1;
        } else {
            self.pack = Some((writer, bytes));
        }
        Ok(())
    }

    /// Writes the last frame and the bookkeeping, all durably. The next handle has a higher epoch than `epoch`.
    pub fn finish(mut self, epoch: Epoch, dropped: &[Dropped]) -> Result<(), OpenError> {
        if let Some((writer, _)) = self.pack.take() {
            let path = segment::path(&self.folder, self.number);
            writer.finish().map_err(cannot("cannot write", &path))?;
            self.number += 1;
        }
        let (frame, written) = self.held.take().expect("a journal is written anew from frames");
        let hash = frame::encode(&frame, written, self.prev, &mut self.buffer);
        let path = segment::path(&self.folder, self.number);
        self.write_last().map_err(cannot("cannot write", &path))?;
        let (oldest, base, base_hash) = self.begins;
        if oldest > 1 {
            let path = manifest::path(&self.folder);
            manifest::write(&self.folder, dropped).map_err(cannot("cannot write", &path))?;
        }
        let head = HeadState {
            closed: true,
            epoch: epoch.max(written),
            last: frame.last(),
            last_hash: hash,
            segment: self.number,
            oldest,
            base,
            base_hash,
            settled: 0,
        };
        let path = head::path(&self.folder);
        HeadFile::create(&self.folder, self.shard).map_err(cannot("cannot write", &path))?;
        HeadFile::open(&self.folder, self.shard)?.write(head).map_err(cannot("cannot write", &path))?;
        files::sync_folder(&self.folder).map_err(cannot("cannot sync", &self.folder))
    }

    fn write_last(&self) -> io::Result<()> {
        let size = (SEGMENT_HEADER_BYTES + self.buffer.len()) as u64;
        let maker = Maker::new(&self.folder, self.shard, Epoch(0));
        let segment = maker.make_now(self.number, size.max(segment::usual_size(self.number)))?;
        fault::at(Point::SalvageAppend, || {
            segment.file.write_all_at(&self.buffer, SEGMENT_HEADER_BYTES as u64)?;
            segment.file.sync_data()
        })
    }
}
