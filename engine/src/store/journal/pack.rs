//! Packs: files of frames, compressed in blocks, with an index behind them.
//!
//! A sealed segment is one, and so is a base. Frames keep their bytes, so what holds for frames in a segment holds here
//! too. Every byte is covered: the header by its checksum and the file's length, each block (the index is one) by its
//! hash, the trailer by its checksum. The blocks can be read one after another without the index; with it, one run's
//! frames are read without the others'. A pack is never changed after it was made.

use std::fs::File;
use std::io;
use std::ops::{ControlFlow, Range, RangeInclusive};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::frame::{self, Hash, Parsed, Raw, array};
use super::index::{Builder, Index, Place};
use crate::core::run::Subject;
use crate::encode::{decode, encode};
use crate::fault::{self, Point};
use crate::id::{Lsn, ShardId};
use crate::store::files::{self, cannot, damaged};
use crate::store::{FORMAT_VERSION, OpenError};

/// Length of a pack's header.
pub const PACK_HEADER_BYTES: usize = 64;
/// Length of the header of each block.
pub const BLOCK_HEADER_BYTES: usize = 32;
/// Length of the trailer, the end of the file.
pub const PACK_TRAILER_BYTES: usize = 16;
/// Frames are gathered up to this many bytes before they are compressed together: so much is decoded to read one.
pub const BLOCK_BYTES: usize = 128 * 1024;
/// The kind of a block of frames.
pub const BLOCK_OF_FRAMES: u32 = 1;
/// The kind of the index, the last block.
pub const BLOCK_OF_INDEX: u32 = 2;
/// A block decodes to no more: a frame and what was gathered before it.
const MAX_BLOCK_BYTES: usize = frame::MAX_FRAME_BYTES + BLOCK_BYTES;

/// Where the fields lie.
pub(super) mod at {
    use super::Range;

    pub const MAGIC: Range<usize> = 0..8;
    pub const VERSION: Range<usize> = 8..12;
    pub const SHARD: Range<usize> = 12..16;
    pub const NUMBER: Range<usize> = 16..24;
    pub const SIZE: Range<usize> = 24..32;
    pub const FIRST: Range<usize> = 32..40;
    pub const BEFORE: Range<usize> = 40..56;
    pub const CRC: Range<usize> = 56..60;

    pub const KIND: Range<usize> = 0..4;
    pub const LEN: Range<usize> = 4..8;
    pub const RAW: Range<usize> = 8..12;
    pub const HASH: Range<usize> = 16..32;

    pub const INDEX: Range<usize> = 0..8;
    pub const TRAILER_CRC: Range<usize> = 12..16;
}

/// What the header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Whose it is: a segment's or a base's.
    pub magic: [u8; 8],
    /// The shard.
    pub shard: ShardId,
    /// The number of the segment, or of the base.
    pub number: u64,
    /// The position of the first record; of a base, the last record that it holds the state after.
    pub first: Lsn,
    /// The hash of the frame before the first one; in a base, something else.
    pub before: Hash,
}

impl Header {
    fn encode(&self, size: u64) -> [u8; PACK_HEADER_BYTES] {
        let mut bytes = [0; PACK_HEADER_BYTES];
        bytes[at::MAGIC].copy_from_slice(&self.magic);
        bytes[at::VERSION].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
        bytes[at::SHARD].copy_from_slice(&self.shard.0.to_le_bytes());
        bytes[at::NUMBER].copy_from_slice(&self.number.to_le_bytes());
        bytes[at::SIZE].copy_from_slice(&size.to_le_bytes());
        bytes[at::FIRST].copy_from_slice(&self.first.0.to_le_bytes());
        bytes[at::BEFORE].copy_from_slice(&self.before);
        let crc = crc32fast::hash(&bytes[..at::CRC.start]);
        bytes[at::CRC].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// What a header says, and how long the file is; `None` if it does not match its checksum.
    pub fn decode(bytes: &[u8; PACK_HEADER_BYTES]) -> Option<(Self, u64)> {
        let header = Self {
            magic: array(bytes, at::MAGIC),
            shard: ShardId(u32::from_le_bytes(array(bytes, at::SHARD))),
            number: u64::from_le_bytes(array(bytes, at::NUMBER)),
            first: Lsn(u64::from_le_bytes(array(bytes, at::FIRST))),
            before: array(bytes, at::BEFORE),
        };
        let size = u64::from_le_bytes(array(bytes, at::SIZE));
        let crc = crc32fast::hash(&bytes[..at::CRC.start]);
        // What lies behind the checksum is zero.
        let sound = bytes[at::CRC.start..] == [crc.to_le_bytes(), [0; 4]].concat();
        sound.then_some((header, size))
    }
}

/// Writes a pack under a name that is not its own yet.
#[derive(Debug)]
pub struct Writer {
    file: File,
    header: Header,
    offset: u64,
    gathered: Vec<u8>,
    index: Builder,
    indexed: bool,
}

impl Writer {
    /// Begins a file. With `indexed` it is noted which frames concern which run.
    pub fn create(path: &Path, header: Header, indexed: bool) -> io::Result<Self> {
        let file = files::create_file(path)?;
        let offset = PACK_HEADER_BYTES as u64;
        Ok(Self { file, header, offset, gathered: Vec::new(), index: Builder::default(), indexed })
    }

    /// Adds a frame.
    pub fn push(&mut self, raw: &Raw<'_>) -> io::Result<()> {
        if self.gathered.is_empty() {
            self.index.block(self.offset);
        }
        self.index.frame(raw, self.indexed);
        self.gathered.extend_from_slice(raw.bytes);
        if self.gathered.len() >= BLOCK_BYTES {
            self.flush()?;
        }
        Ok(())
    }

    /// Writes index, trailer and header, and syncs. Gives the length of the file.
    pub fn finish(mut self) -> io::Result<u64> {
        self.flush()?;
        let index_at = self.offset;
        let index = encode(&std::mem::take(&mut self.index).finish());
        self.block(BLOCK_OF_INDEX, &index)?;
        let mut trailer = [0; PACK_TRAILER_BYTES];
        trailer[at::INDEX].copy_from_slice(&index_at.to_le_bytes());
        let crc = crc32fast::hash(&trailer[..at::TRAILER_CRC.start]);
        trailer[at::TRAILER_CRC].copy_from_slice(&crc.to_le_bytes());
        let size = self.offset + PACK_TRAILER_BYTES as u64;
        fault::at(Point::PackFinish, || {
            self.file.write_all_at(&trailer, self.offset)?;
            self.file.write_all_at(&self.header.encode(size), 0)?;
            self.file.sync_all()
        })?;
        Ok(size)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.gathered.is_empty() {
            return Ok(());
        }
        let gathered = std::mem::take(&mut self.gathered);
        self.block(BLOCK_OF_FRAMES, &gathered)?;
        self.gathered = gathered;
        self.gathered.clear();
        Ok(())
    }

    fn block(&mut self, kind: u32, raw: &[u8]) -> io::Result<()> {
        let stored = lz4_flex::block::compress(raw);
        let header = block_header(kind, &stored, raw.len());
        fault::at(Point::PackBlock, || {
            self.file.write_all_at(&header, self.offset)?;
            self.file.write_all_at(&stored, self.offset + header.len() as u64)
        })?;
        self.offset += (header.len() + stored.len()) as u64;
        Ok(())
    }
}

fn block_header(kind: u32, stored: &[u8], raw: usize) -> [u8; BLOCK_HEADER_BYTES] {
    let small = |len: usize| u32::try_from(len).expect("a block is far below 4 GiB").to_le_bytes();
    let mut header = [0; BLOCK_HEADER_BYTES];
    header[at::KIND].copy_from_slice(&kind.to_le_bytes());
    header[at::LEN].copy_from_slice(&small(stored.len()));
    header[at::RAW].copy_from_slice(&small(raw));
    let hash = block_hash(&header, stored);
    header[at::HASH].copy_from_slice(&hash);
    header
}

fn block_hash(header: &[u8; BLOCK_HEADER_BYTES], stored: &[u8]) -> Hash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&header[..at::HASH.start]).update(stored);
    array(hasher.finalize().as_bytes(), 0..size_of::<Hash>())
}

/// A pack that is open for reading.
#[derive(Debug)]
pub struct Pack {
    path: PathBuf,
    file: File,
    /// What its header says.
    pub header: Header,
    size: u64,
}

/// A decoded block.
pub(super) struct Block {
    pub kind: u32,
    pub bytes: Vec<u8>,
    /// Where the next one begins.
    pub end: u64,
}

impl Pack {
    /// Opens a pack and checks its header and its length.
    pub fn open(path: &Path, magic: [u8; 8], shard: ShardId) -> Result<Self, OpenError> {
        let file = File::open(path).map_err(cannot("cannot open", path))?;
        let len = file.metadata().map_err(cannot("cannot open", path))?.len();
        let mut bytes = [0; PACK_HEADER_BYTES];
        file.read_exact_at(&mut bytes, 0).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => damaged(path, len, "the file is shorter than its header"),
            _ => cannot("cannot read", path)(error),
        })?;
        let (header, size) =
            Header::decode(&bytes).ok_or_else(|| damaged(path, 0, "the header does not match its checksum"))?;
        let version = u32::from_le_bytes(array(&bytes, at::VERSION));
        if version > FORMAT_VERSION {
            return Err(OpenError::Newer { path: path.display().to_string(), found: version, known: FORMAT_VERSION });
        }
        if (header.magic, header.shard) != (magic, shard) {
            return Err(damaged(path, 0, "the file belongs somewhere else: its kind or shard is another"));
        }
        if size != len {
            return Err(damaged(path, size.min(len), format!("the file has {len} bytes instead of {size}")));
        }
        Ok(Self { path: path.to_owned(), file, header, size })
    }

    /// Opens what is left of a pack whose header or length is not what it was.
    pub(super) fn of_damaged(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let size = file.metadata()?.len();
        let header = Header { magic: [0; 8], shard: ShardId(0), number: 0, first: Lsn(0), before: Hash::default() };
        Ok(Self { path: path.to_owned(), file, header, size })
    }

    /// Where the block that begins here would end, as its header says; `None` where that cannot be.
    pub(super) fn end_of_block(&self, offset: u64) -> Option<u64> {
        let mut header = [0; BLOCK_HEADER_BYTES];
        self.file.read_exact_at(&mut header, offset).ok()?;
        let len = u32::from_le_bytes(array(&header, at::LEN));
        let end = offset + BLOCK_HEADER_BYTES as u64 + u64::from(len);
        (len > 0 && end < self.size).then_some(end)
    }

    /// Calls `each` with the decoded bytes of every block of frames, in order, until it breaks.
    pub fn blocks(&self, each: &mut dyn FnMut(Vec<u8>) -> ControlFlow<()>) -> Result<(), OpenError> {
        let mut offset = PACK_HEADER_BYTES as u64;
        loop {
            let block = match self.block(offset) {
                Ok(block) => block,
                // The index is damaged, and behind the last frame: all of them were there.
                Err(_) if self.index_place().is_ok_and(|(index, _)| index == offset) => return Ok(()),
                Err(what) => return Err(self.damage(offset, &what)),
            };
            if block.kind != BLOCK_OF_FRAMES || each(block.bytes).is_break() {
                return Ok(());
            }
            offset = block.end;
        }
    }

    /// Calls `each` with every frame, in order, until it breaks.
    pub fn frames(&self, each: &mut dyn FnMut(&Raw<'_>) -> ControlFlow<()>) -> Result<(), OpenError> {
        let mut wrong = None;
        self.blocks(&mut |bytes| {
            let mut rest = bytes.as_slice();
            while !rest.is_empty() {
                let Parsed::Whole(raw) = frame::parse(rest) else {
                    wrong = Some(self.damage(0, "a block holds something else than whole frames"));
                    return ControlFlow::Break(());
                };
                rest = &rest[raw.bytes.len()..];
                each(&raw)?;
            }
            ControlFlow::Continue(())
        })?;
        wrong.map_or(Ok(()), Err)
    }

    /// Where the index begins and the trailer does.
    fn index_place(&self) -> Result<(u64, u64), OpenError> {
        let mut trailer = [0; PACK_TRAILER_BYTES];
        let place = self.size.saturating_sub(PACK_TRAILER_BYTES as u64);
        self.file.read_exact_at(&mut trailer, place).map_err(cannot("cannot read", &self.path))?;
        let crc = crc32fast::hash(&trailer[..at::TRAILER_CRC.start]);
        if trailer[at::TRAILER_CRC] != crc.to_le_bytes() {
            return Err(damaged(&self.path, place, "the trailer does not match its checksum"));
        }
        Ok((u64::from_le_bytes(array(&trailer, at::INDEX)), place))
    }

    /// The index.
    pub fn index(&self) -> Result<Index, OpenError> {
        let (offset, place) = self.index_place()?;
        let block = self.block(offset).map_err(|what| damaged(&self.path, offset, what))?;
        let index = (block.kind == BLOCK_OF_INDEX && block.end == place).then(|| decode::<Index>(&block.bytes).ok());
        index.flatten().ok_or_else(|| damaged(&self.path, offset, "the index is not where the trailer says"))
    }

    /// Calls `each` with every frame that is about a subject and reaches into these positions, in order, until it breaks.
    pub fn frames_of(
        &self,
        subject: &Subject,
        positions: &RangeInclusive<Lsn>,
        each: &mut dyn FnMut(&Raw<'_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, OpenError> {
        let index = match self.index() {
            Ok(index) => index,
            // The frames are there all the same.
            Err(error @ OpenError::Damaged { .. }) => {
                tracing::warn!(%error, "an index is damaged; the segment is read without it");
                return self.search(subject, positions, each);
            }
            Err(error) => return Err(error),
        };
        let mut decoded: Option<(usize, Vec<u8>)> = None;
        for place in index.places_of(subject, positions) {
            let bytes = match &mut decoded {
                Some((block, bytes)) if *block == place.block => bytes,
                other => {
                    let offset = index.blocks[place.block].0;
                    let block = self.block(offset).map_err(|what| self.damage(offset, &what))?;
                    &mut other.insert((place.block, block.bytes)).1
                }
            };
            let frame = bytes.get(place.offset..place.offset + place.len).map(frame::parse);
            let raw = match frame {
                Some(Parsed::Whole(raw)) if raw.first == place.first => raw,
                _ => return Err(self.damage(index.blocks[place.block].0, &misplaced(&place))),
            };
            if raw.concerns(subject) && each(&raw).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Reads all of it and compares it with itself: blocks, index, trailer, and the chain of the frames.
    pub fn verify(&self, indexed: bool) -> Result<Index, OpenError> {
        let index = self.index()?;
        let mut builder = Builder::default();
        let mut offset = PACK_HEADER_BYTES as u64;
        let mut known: Option<(Lsn, Hash)> = None;
        for _ in &index.blocks {
            let block = self.block(offset).map_err(|what| self.damage(offset, &what))?;
            builder.block(offset);
            let mut rest = block.bytes.as_slice();
            while let Parsed::Whole(raw) = frame::parse(rest) {
                if known.is_some_and(|(last, hash)| raw.prev != hash || raw.first.0 != last.0 + 1) {
                    return Err(self.damage(offset, "a frame does not continue the one before it"));
                }
                known = Some((raw.last, raw.hash));
                builder.frame(&raw, indexed);
                rest = &rest[raw.bytes.len()..];
            }
            if block.kind != BLOCK_OF_FRAMES || !rest.is_empty() {
                return Err(self.damage(offset, "a block holds something else than whole frames"));
            }
            offset = block.end;
        }
        if builder.finish() != index {
            return Err(damaged(&self.path, offset, "the index is not that of the frames"));
        }
        Ok(index)
    }

    fn search(
        &self,
        subject: &Subject,
        positions: &RangeInclusive<Lsn>,
        each: &mut dyn FnMut(&Raw<'_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, OpenError> {
        let mut stopped = ControlFlow::Continue(());
        self.frames(&mut |raw| {
            if raw.last >= *positions.start() && raw.first <= *positions.end() && raw.concerns(subject) {
                stopped = each(raw);
            }
            stopped
        })?;
        Ok(stopped)
    }

    /// Reads a block and checks it against its hash.
    pub(super) fn block(&self, offset: u64) -> Result<Block, String> {
        let read = |error: io::Error| format!("the block cannot be read: {error}");
        let mut header = [0; BLOCK_HEADER_BYTES];
        self.file.read_exact_at(&mut header, offset).map_err(read)?;
        let number = |at| u32::from_le_bytes(array(&header, at));
        let (len, raw) = (number(at::LEN) as usize, number(at::RAW) as usize);
        let end = offset + (BLOCK_HEADER_BYTES + len) as u64;
        if end > self.size || raw > MAX_BLOCK_BYTES {
            return Err("no block begins here".to_owned());
        }
        let mut stored = vec![0; len];
        self.file.read_exact_at(&mut stored, offset + BLOCK_HEADER_BYTES as u64).map_err(read)?;
        if header[at::HASH] != block_hash(&header, &stored) {
            return Err("the block does not match its hash".to_owned());
        }
        let bytes = lz4_flex::block::decompress(&stored, raw)
            .ok()
            .filter(|bytes| bytes.len() == raw)
            .ok_or("the block cannot be decompressed")?;
        Ok(Block { kind: number(at::KIND), bytes, end })
    }

    /// Names the place, and whose records are concerned as far as the index tells.
    fn damage(&self, offset: u64, what: &str) -> OpenError {
        let concerned = self.index().ok().and_then(|index| {
            let block = index.blocks.iter().position(|(begins, _)| *begins == offset)?;
            Some(index.describe_block(block))
        });
        let what = concerned.map_or_else(|| what.to_owned(), |concerned| format!("{what}; {concerned}"));
        damaged(&self.path, offset, what)
    }
}

fn misplaced(place: &Place) -> String {
    format!("the frame of record {} is not where the index says", place.first.0)
}
