//! Segments: files of a fixed size, filled with zeros before anything is written into them, and sealed once they are full.
//!
//! A segment is made under another name, synced and renamed, so one that has its name is whole: a wrong length or a bad
//! header is damage, never an interrupted creation. Appending changes no metadata, so that `fdatasync` has only the data
//! to write. Numbers begin at 1 and have no gaps.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::ops::{ControlFlow, Range};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{CWD, RenameFlags};

use super::frame::{self, FRAME_HEADER_BYTES, Hash, array};
use super::head::HeadState;
use super::pack::{self, Pack};
use crate::fault::{self, Bug, Point};
use crate::id::{Epoch, Lsn, ShardId};
use crate::store::files::{self, cannot, damaged};
use crate::store::{FORMAT_VERSION, OpenError};

/// Begins every segment.
pub const SEGMENT_MAGIC: [u8; 8] = *b"LKSTPSEG";
/// Length of a segment's header; the first frame lies behind it.
pub const SEGMENT_HEADER_BYTES: usize = 40;
/// Size of the first segment: small, so that a run of one step starts at once.
pub const FIRST_SEGMENT_BYTES: u64 = 256 * 1024;
/// Each segment is this many times as large as the one before it ...
pub const SEGMENT_GROWTH: u64 = 4;
/// ... up to this.
pub const MAX_SEGMENT_BYTES: u64 = 16 * 1024 * 1024;

/// Begins every sealed segment, which is a pack.
pub const SEALED_MAGIC: [u8; 8] = *b"LKSTPZIP";

/// Where the fields of the header lie.
pub(super) mod at {
    use super::Range;

    pub const MAGIC: Range<usize> = 0..8;
    pub const VERSION: Range<usize> = 8..12;
    pub const SHARD: Range<usize> = 12..16;
    pub const NUMBER: Range<usize> = 16..24;
    pub const SIZE: Range<usize> = 24..32;
    pub const CRC: Range<usize> = 32..36;
}

const EXTENSION: &str = ".segment";
static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];

/// A segment that is open for writing.
#[derive(Debug)]
pub struct Segment {
    /// Its number.
    pub number: u64,
    /// Its size in bytes, header included.
    pub size: u64,
    /// The file.
    pub file: File,
}

/// The size of the segment of that number, unless a long frame needs more.
pub fn usual_size(number: u64) -> u64 {
    let growth = u32::try_from(number.saturating_sub(1)).unwrap_or(u32::MAX);
    SEGMENT_GROWTH.saturating_pow(growth).saturating_mul(FIRST_SEGMENT_BYTES).min(MAX_SEGMENT_BYTES)
}

/// The file of a segment.
pub fn path(folder: &Path, number: u64) -> PathBuf {
    folder.join(name(number))
}

fn name(number: u64) -> String {
    format!("{number:010}{EXTENSION}")
}

/// The numbers of all segments in a folder, sorted.
pub fn list(folder: &Path) -> Result<Vec<u64>, OpenError> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(folder).map_err(cannot("cannot list", folder))? {
        let entry = entry.map_err(cannot("cannot list", folder))?;
        let file = entry.file_name();
        let digits = file.to_str().and_then(|file| file.strip_suffix(EXTENSION));
        let number: Option<u64> = digits.and_then(|digits| digits.parse().ok());
        numbers.extend(number.filter(|number| *name(*number) == file));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// Makes segments for one handle on a journal.
#[derive(Clone, Debug)]
pub struct Maker {
    /// The journal's folder.
    pub folder: PathBuf,
    /// The shard.
    pub shard: ShardId,
    /// The handle's epoch. It is part of the names of unfinished files, so that no two handles write into one.
    pub epoch: Epoch,
    /// Set when nothing is to be made any more.
    pub stop: Arc<AtomicBool>,
}

impl Maker {
    /// A maker for one handle.
    pub fn new(folder: &Path, shard: ShardId, epoch: Epoch) -> Self {
        Self { folder: folder.to_owned(), shard, epoch, stop: Arc::default() }
    }

    /// Makes a segment ahead, durably. Where one of that number is already, it is left alone: a handle that has been
    /// fenced meanwhile must not replace what the newer one wrote.
    pub fn make_ahead(&self, number: u64) -> io::Result<Segment> {
        self.make(number, usual_size(number), RenameFlags::NOREPLACE)
    }

    /// Makes a segment that is needed now, durably, in place of an empty one of that number if there is one.
    ///
    /// Only for a handle that certainly is the newest.
    pub fn make_now(&self, number: u64, size: u64) -> io::Result<Segment> {
        self.make(number, size, RenameFlags::empty())
    }

    fn make(&self, number: u64, size: u64, how: RenameFlags) -> io::Result<Segment> {
        let unfinished = self.folder.join(format!("{}{}-{}", files::UNFINISHED, self.epoch.0, name(number)));
        let finished = path(&self.folder, number);
        let filled = fault::at(Point::SegmentFill, || self.fill(&unfinished, number, size));
        let made = filled.and_then(|file| {
            fault::at(Point::SegmentRename, || Ok(rustix::fs::renameat_with(CWD, &unfinished, CWD, &finished, how)?))?;
            if !fault::planted(Bug::SegmentFolderNotSynced) {
                files::sync_folder(&self.folder)?;
            }
            Ok(Segment { number, size, file })
        });
        if made.is_err() {
            // What is left of it is removed at the next opening if it cannot be removed now.
            let _ = fs::remove_file(&unfinished);
        }
        made
    }

    /// Writes header and zeros, giving up between two blocks when told to stop.
    fn fill(&self, path: &Path, number: u64, size: u64) -> io::Result<File> {
        let mut file = files::create_file(path)?;
        file.write_all(&header(self.shard, number, size))?;
        let mut left = size - SEGMENT_HEADER_BYTES as u64;
        while left > 0 {
            if self.stop.load(Ordering::Relaxed) {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let block = usize::try_from(left).unwrap_or(usize::MAX).min(ZEROS.len());
            file.write_all(&ZEROS[..block])?;
            left -= block as u64;
        }
        file.sync_all()?;
        Ok(file)
    }
}

fn header(shard: ShardId, number: u64, size: u64) -> [u8; SEGMENT_HEADER_BYTES] {
    let mut header = [0; SEGMENT_HEADER_BYTES];
    header[at::MAGIC].copy_from_slice(&SEGMENT_MAGIC);
    header[at::VERSION].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
    header[at::SHARD].copy_from_slice(&shard.0.to_le_bytes());
    header[at::NUMBER].copy_from_slice(&number.to_le_bytes());
    header[at::SIZE].copy_from_slice(&size.to_le_bytes());
    let crc = crc32fast::hash(&header[..at::CRC.start]);
    header[at::CRC].copy_from_slice(&crc.to_le_bytes());
    header
}

/// Removes a segment that `HEAD` does not count any more.
pub fn remove(folder: &Path, number: u64) -> Result<(), OpenError> {
    let path = path(folder, number);
    fault::at(Point::SegmentRemove, || fs::remove_file(&path)).map_err(cannot("cannot remove", &path))
}

/// Opens a segment for appending.
pub fn open(folder: &Path, number: u64) -> Result<Segment, OpenError> {
    let path = path(folder, number);
    let file = OpenOptions::new().read(true).write(true).open(&path).map_err(cannot("cannot open", &path))?;
    let size = file.metadata().map_err(cannot("cannot open", &path))?.len();
    Ok(Segment { number, size, file })
}

/// Reads up to `len` bytes of a segment from `offset` on, and checks its header.
pub fn load_part(
    segment: &Segment,
    folder: &Path,
    shard: ShardId,
    offset: u64,
    len: u64,
) -> Result<Vec<u8>, OpenError> {
    let path = path(folder, segment.number);
    let read = |offset: u64, len: u64| {
        let mut bytes = vec![0; usize::try_from(len.min(segment.size.saturating_sub(offset))).unwrap_or_default()];
        segment.file.read_exact_at(&mut bytes, offset).map_err(cannot("cannot read", &path)).map(|()| bytes)
    };
    check_header(&path, &read(0, SEGMENT_HEADER_BYTES as u64)?, segment.size, shard, segment.number)?;
    read(offset, len)
}

/// The bytes of a segment.
#[derive(Debug)]
pub struct Loaded {
    /// Its header and all behind it; of a sealed one, its header and its frames as they were before.
    pub bytes: Vec<u8>,
    /// Whether it is sealed: then the log goes on behind it.
    pub sealed: bool,
}

/// Reads all bytes of a segment and checks its header.
pub fn load(folder: &Path, shard: ShardId, number: u64) -> Result<Loaded, OpenError> {
    let path = path(folder, number);
    let mut file = open_to_read(&path)?;
    if has_magic(&file, SEALED_MAGIC).map_err(cannot("cannot read", &path))? {
        let mut bytes = vec![0; SEGMENT_HEADER_BYTES];
        open_sealed(&path, shard, number)?.blocks(&mut |block| {
            bytes.extend_from_slice(&block);
            ControlFlow::Continue(())
        })?;
        return Ok(Loaded { bytes, sealed: true });
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(cannot("cannot read", &path))?;
    check_header(&path, &bytes, bytes.len() as u64, shard, number)?;
    Ok(Loaded { bytes, sealed: false })
}

/// Opens a sealed segment.
pub fn open_sealed(path: &Path, shard: ShardId, number: u64) -> Result<Pack, OpenError> {
    let pack = Pack::open(path, SEALED_MAGIC, shard)?;
    if pack.header.number == number { Ok(pack) } else { Err(damaged(path, 0, "the segment belongs somewhere else")) }
}

/// Whether a segment is sealed.
pub fn is_sealed(folder: &Path, number: u64) -> Result<bool, OpenError> {
    let path = path(folder, number);
    has_magic(&open_to_read(&path)?, SEALED_MAGIC).map_err(cannot("cannot read", &path))
}

fn open_to_read(path: &Path) -> Result<File, OpenError> {
    File::open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => damaged(path, 0, "the segment is missing"),
        _ => cannot("cannot open", path)(error),
    })
}

fn has_magic(file: &File, magic: [u8; 8]) -> io::Result<bool> {
    let mut start = [0; 8];
    match file.read_exact_at(&mut start, 0) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        read => read.map(|()| start == magic),
    }
}

/// The position of a segment's first record and the hash of the frame before it; `None` if it holds no whole header.
///
/// Tells where to begin only: whoever walks from there checks the frames.
pub fn first_frame(folder: &Path, number: u64) -> Result<Option<(Lsn, Hash)>, OpenError> {
    let path = path(folder, number);
    let mut start = [0; SEGMENT_HEADER_BYTES + FRAME_HEADER_BYTES];
    let file = File::open(&path).map_err(cannot("cannot open", &path))?;
    match file.read_exact_at(&mut start, 0) {
        Ok(()) if start[at::MAGIC] == SEALED_MAGIC => {
            let header = start.first_chunk().and_then(pack::Header::decode);
            Ok(header.map(|(header, _)| (header.first, header.before)))
        }
        Ok(()) => Ok(frame::peek(&start[SEGMENT_HEADER_BYTES..])),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(cannot("cannot read", &path)(error)),
    }
}

/// The newest segment that begins at or before the record `from`, and what lies before it if that is known. All segments
/// up to `newest` hold frames.
pub fn holding(
    folder: &Path,
    head: &HeadState,
    newest: u64,
    from: Lsn,
) -> Result<(u64, Option<(Lsn, Hash)>), OpenError> {
    let (mut low, mut high) = (head.oldest, newest);
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        // One whose beginning cannot be read is left to the walk that comes upon it.
        let behind = first_frame(folder, middle)?.is_none_or(|(first, _)| first > from);
        if behind { high = middle - 1 } else { low = middle }
    }
    Ok((low, (low == head.oldest).then_some((head.base, head.base_hash))))
}

/// Checks the header with which a file of this length begins.
fn check_header(path: &Path, start: &[u8], len: u64, shard: ShardId, number: u64) -> Result<(), OpenError> {
    let Some(found) = start.first_chunk::<SEGMENT_HEADER_BYTES>() else {
        return Err(damaged(path, len, "the segment is shorter than its header"));
    };
    let version = u32::from_le_bytes(array(found, at::VERSION));
    let crc = u32::from_le_bytes(array(found, at::CRC));
    if found[at::MAGIC] != SEGMENT_MAGIC || crc32fast::hash(&found[..at::CRC.start]) != crc {
        return Err(damaged(path, 0, "the segment's header does not match its checksum"));
    }
    if version > FORMAT_VERSION {
        return Err(OpenError::Newer { path: path.display().to_string(), found: version, known: FORMAT_VERSION });
    }
    let size = u64::from_le_bytes(array(found, at::SIZE));
    if size != len {
        let what = format!("the segment has {len} bytes instead of {size}");
        return Err(damaged(path, size.min(len), what));
    }
    if *found != header(shard, number, size) {
        return Err(damaged(path, 0, "the segment belongs somewhere else: its number or shard is another"));
    }
    Ok(())
}
