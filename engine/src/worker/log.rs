//! The log of an attempt: what it printed, byte for byte, in the order in which it was read, and when.
//!
//! A log is a file of frames, and further *parts* beside it (`<name>.1`, `<name>.2`, ...) once the file has reached its
//! size. Only the newest parts are kept, so that a log shows the head and the tail of what was printed, and says how
//! much is missing between them. Neither the writer nor the reader holds more than a frame in memory.
//!
//! A part is `LSLOG002`, how many bytes of output came before it (8 bytes), and the CRC-32 of both. A frame is its kind
//! (one byte), the length of its payload (4 bytes), the wall clock in milliseconds (8 bytes), the CRC-32 of these and of
//! the payload (4 bytes), all little-endian, and the payload. A frame that is cut short by a crash, or changed since,
//! ends what can be read of a log: [`LogReader::rest`] says so.
//!
//! Logging never fails an attempt: what cannot be written, on a full disk say, is counted, and marked in the log as
//! soon as that is possible. Nor does a long log fill the disk: the last of its room is left to the journal.

use std::fs::{File, OpenOptions};
use std::io;
use std::io::Write as _;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use lockstep_dsl::value::Timestamp;

use super::Stream;
use super::limits::{LOG_HEAD_BYTES, LOG_LOOK_BYTES, LOG_PART_BYTES, LOG_PARTS, LOG_RESERVE_BYTES};
use crate::fault::{self, Point};
use crate::store::Room;

const MAGIC: &[u8; 8] = b"LSLOG002";
const PART_HEADER: usize = 20;
const FRAME_HEADER: usize = 17;
const CRC_BYTES: usize = 4;
const MAX_PAYLOAD: usize = 64 * 1024;

const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const LOST: u8 = 3;
const END: u8 = 4;

/// One thing that a log says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When it was written.
    pub time: Timestamp,
    /// What.
    pub event: Event,
}

/// What a log says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The attempt printed this. A line may be spread over several.
    Output {
        /// Where.
        stream: Stream,
        /// What, byte for byte but for masked secrets.
        bytes: Vec<u8>,
    },
    /// So many bytes of output are not kept, since the log has reached its size.
    Dropped(u64),
    /// So many bytes of output could not be written, since the disk was full or failed.
    Lost(u64),
    /// The attempt has ended: nothing follows.
    End,
}

/// What lies where a log can be read no further.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rest {
    /// Nothing more will come: the log says that the attempt has ended.
    Ended,
    /// Nothing yet. Of an attempt that is over, the end is missing: it was killed, or the file was cut.
    Nothing,
    /// Bytes that are no frame, at this offset of this file: being written just now, cut short by a crash, or damaged.
    Broken {
        /// The file of the part.
        path: PathBuf,
        /// Where in it.
        offset: u64,
    },
}

/// Writes a log. Dropped without [`LogWriter::finish`], it leaves a log without an end, as a crash does.
pub struct LogWriter {
    path: PathBuf,
    sizes: Sizes,
    /// `None` when the log cannot be written at all.
    file: Option<File>,
    /// 0 for the head.
    part: u64,
    /// Where the next frame of this part goes.
    length: u64,
    /// Bytes of output so far, lost ones too.
    printed: u64,
    /// Bytes of output that no frame accounts for yet.
    lost: u64,
    /// All bytes that could not be written.
    lost_in_all: u64,
    /// Where in this part it is next looked whether the disk has room to spare.
    look: u64,
}

#[derive(Clone, Copy)]
struct Sizes {
    head: u64,
    part: u64,
    parts: u64,
}

impl LogWriter {
    /// Begins the log of an attempt; what an earlier one left under the same path goes away.
    pub fn create(path: &Path) -> Self {
        Self::create_sized(path, Sizes { head: LOG_HEAD_BYTES, part: LOG_PART_BYTES, parts: LOG_PARTS })
    }

    fn create_sized(path: &Path, sizes: Sizes) -> Self {
        let path = path.to_owned();
        let mut log =
            Self { path, sizes, file: None, part: 0, length: 0, printed: 0, lost: 0, lost_in_all: 0, look: 0 };
        if let Err(error) = remove(&log.path).and_then(|()| log.open_part(0)) {
            tracing::warn!(path = %log.path.display(), %error, "cannot write the log of an attempt");
        }
        log
    }

    /// Takes what was printed.
    pub fn write(&mut self, stream: Stream, bytes: &[u8]) {
        let kind = match stream {
            Stream::Stdout => STDOUT,
            Stream::Stderr => STDERR,
        };
        for payload in bytes.chunks(MAX_PAYLOAD) {
            let written = self.mark_lost().and_then(|()| self.append(kind, payload));
            self.printed += payload.len() as u64;
            if written.is_err() {
                self.lost += payload.len() as u64;
                self.lost_in_all += payload.len() as u64;
            }
        }
    }

    /// Ends the log, and says how many bytes could not be written.
    pub fn finish(mut self) -> u64 {
        if let Err(error) = self.mark_lost().and_then(|()| self.append(END, &[])) {
            tracing::warn!(path = %self.path.display(), %error, lost = self.lost_in_all, "the log of an attempt is cut");
        }
        self.lost_in_all
    }

    fn mark_lost(&mut self) -> io::Result<()> {
        if self.lost > 0 {
            self.append(LOST, &self.lost.to_le_bytes())?;
            self.lost = 0;
        }
        Ok(())
    }

    fn append(&mut self, kind: u8, payload: &[u8]) -> io::Result<()> {
        let room = if self.part == 0 { self.sizes.head } else { self.sizes.part };
        let size = (FRAME_HEADER + payload.len()) as u64;
        if self.length + size > room && matches!(kind, STDOUT | STDERR) {
            self.open_part(self.part + 1)?;
        }
        let Some(file) = &self.file else {
            return Err(io::Error::other("the log could not be opened"));
        };
        if self.length + size > self.look + LOG_LOOK_BYTES && matches!(kind, STDOUT | STDERR) {
            if Room::beside(file)?.free < LOG_RESERVE_BYTES {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.look = self.length;
        }
        let mut frame = Vec::with_capacity(FRAME_HEADER + payload.len());
        frame.push(kind);
        frame.extend_from_slice(&u32::try_from(payload.len()).unwrap_or(u32::MAX).to_le_bytes());
        frame.extend_from_slice(&wall_ms().to_le_bytes());
        let crc = crc_of(&[&frame, payload]);
        frame.extend_from_slice(&crc.to_le_bytes());
        frame.extend_from_slice(payload);
        if let Err(error) = fault::at(Point::LogAppend, || file.write_all_at(&frame, self.length)) {
            // Half a frame would hide all that follows. Where it cannot be cut off, the next frame is written over it.
            let _ = file.set_len(self.length);
            return Err(error);
        }
        self.length += size;
        Ok(())
    }

    /// Goes on in a new part, and removes the oldest where there are too many.
    fn open_part(&mut self, part: u64) -> io::Result<()> {
        if let Some(folder) = self.path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let path = part_path(&self.path, part);
        let mut header = MAGIC.to_vec();
        header.extend_from_slice(&(self.printed - self.lost).to_le_bytes());
        header.extend_from_slice(&crc_of(&[&header]).to_le_bytes());
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
        if let Err(error) = fault::at(Point::LogPart, || (&file).write_all(&header)) {
            let _ = std::fs::remove_file(&path);
            return Err(error);
        }
        (self.file, self.part, self.length, self.look) = (Some(file), part, PART_HEADER as u64, 0);
        if part > self.sizes.parts {
            std::fs::remove_file(part_path(&self.path, part - self.sizes.parts))?;
        }
        Ok(())
    }
}

/// Reads a log, also while it is written.
pub struct LogReader {
    path: PathBuf,
    file: File,
    part: u64,
    at: u64,
    /// Bytes of output that the reader has seen or knows to be missing.
    seen: u64,
    ended: bool,
    /// At the place where the reader stands there are bytes, and they are no frame.
    broken: bool,
}

impl LogReader {
    /// Reads from the beginning.
    ///
    /// # Errors
    /// The file cannot be opened, or is no log (`InvalidData`).
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let mut reader = Self { path: path.to_owned(), file, part: 0, at: 0, seen: 0, ended: false, broken: false };
        reader.enter()?;
        Ok(reader)
    }

    /// The next entry, or `None` where the log ends for now: it may go on until [`Event::End`] was read.
    ///
    /// # Errors
    /// The disk cannot be read, or a part is no log (`InvalidData`). A frame that a crash has cut short is no error: the
    /// log ends before it.
    pub fn next_entry(&mut self) -> io::Result<Option<Entry>> {
        while !self.ended {
            self.broken = false;
            // Asked for before the frame: the writer has left this part for good when the next one is there.
            let next = self.next_part()?;
            if self.at == 0
                && let Some(missing) = self.enter()?
            {
                return Ok(Some(Entry { time: Timestamp(wall_ms()), event: Event::Dropped(missing) }));
            }
            if self.at > 0
                && let Some((kind, time, payload)) = self.frame()?
            {
                return Ok(Some(Entry { time, event: self.event(kind, payload) }));
            }
            // What lies behind a broken frame cannot be told from what was there before it.
            let Some(part) = next.filter(|_| !self.broken) else { break };
            match File::open(part_path(&self.path, part)) {
                Ok(file) => (self.file, self.part, self.at) = (file, part, 0),
                // Removed in between: there are newer ones.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// What lies where [`LogReader::next_entry`] found nothing more.
    pub fn rest(&self) -> Rest {
        if self.ended {
            return Rest::Ended;
        }
        if self.broken {
            return Rest::Broken { path: part_path(&self.path, self.part), offset: self.at };
        }
        Rest::Nothing
    }

    fn event(&mut self, kind: u8, bytes: Vec<u8>) -> Event {
        match kind {
            LOST => {
                let count = bytes.try_into().map_or(0, u64::from_le_bytes);
                self.seen += count;
                Event::Lost(count)
            }
            END => {
                self.ended = true;
                Event::End
            }
            _ => {
                self.seen += bytes.len() as u64;
                let stream = if kind == STDOUT { Stream::Stdout } else { Stream::Stderr };
                Event::Output { stream, bytes }
            }
        }
    }

    /// Reads the header of a part, and says how many bytes are missing before it.
    fn enter(&mut self) -> io::Result<Option<u64>> {
        let mut header = [0; PART_HEADER];
        if !read_whole(&self.file, &mut header, 0)? {
            self.broken = self.file.metadata()?.len() > 0;
            return Ok(None);
        }
        let (told, crc) = header.split_at(PART_HEADER - CRC_BYTES);
        let count = told.strip_prefix(MAGIC).filter(|_| crc == crc_of(&[told]).to_le_bytes());
        let Some(count) = count else {
            let path = part_path(&self.path, self.part);
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("{} is no log", path.display())));
        };
        let before = count.try_into().map_or(0, u64::from_le_bytes);
        let missing = before.saturating_sub(self.seen);
        (self.at, self.seen) = (PART_HEADER as u64, self.seen.max(before));
        Ok((missing > 0).then_some(missing))
    }

    /// The frame at the reader's place, if it is there whole.
    fn frame(&mut self) -> io::Result<Option<(u8, Timestamp, Vec<u8>)>> {
        let mut header = [0; FRAME_HEADER];
        if !read_whole(&self.file, &mut header, self.at)? {
            self.broken = self.file.metadata()?.len() > self.at;
            return Ok(None);
        }
        let (told, crc) = header.split_at(FRAME_HEADER - CRC_BYTES);
        let [kind, l0, l1, l2, l3, time @ ..] = told else { return Ok(None) };
        let length = u32::from_le_bytes([*l0, *l1, *l2, *l3]) as usize;
        self.broken = true;
        // What a file system has filled with zeros after a power cut is not even worth a sum.
        if !(STDOUT..=END).contains(kind) || length > MAX_PAYLOAD {
            return Ok(None);
        }
        let mut payload = vec![0; length];
        if !read_whole(&self.file, &mut payload, self.at + FRAME_HEADER as u64)? {
            return Ok(None);
        }
        if crc_of(&[told, &payload]).to_le_bytes() != crc {
            return Ok(None);
        }
        self.broken = false;
        self.at += (FRAME_HEADER + length) as u64;
        Ok(Some((*kind, Timestamp(time.try_into().map_or(0, i64::from_le_bytes)), payload)))
    }

    /// The oldest part after this one that is still there.
    fn next_part(&self) -> io::Result<Option<u64>> {
        if part_path(&self.path, self.part + 1).exists() {
            return Ok(Some(self.part + 1));
        }
        Ok(parts(&self.path)?.into_iter().filter(|part| *part > self.part).min())
    }
}

/// Removes a log with all its parts. What is not there is no error.
pub fn remove(path: &Path) -> io::Result<()> {
    for part in parts(path)?.into_iter().chain([0]) {
        match std::fs::remove_file(part_path(path, part)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

fn part_path(path: &Path, part: u64) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    if part > 0 {
        name.push(format!(".{part}"));
    }
    PathBuf::from(name)
}

fn parts(path: &Path) -> io::Result<Vec<u64>> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
        return Ok(Vec::new());
    };
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut parts = Vec::new();
    for entry in entries {
        let file = entry?.file_name();
        let number = file.to_str().and_then(|file| file.strip_prefix(name)?.strip_prefix('.'));
        parts.extend(number.and_then(|number| number.parse::<u64>().ok()));
    }
    Ok(parts)
}

fn crc_of(parts: &[&[u8]]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize()
}

/// Whether there were enough bytes.
fn read_whole(file: &File, buffer: &mut [u8], at: u64) -> io::Result<bool> {
    match file.read_exact_at(buffer, at) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

fn wall_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: Sizes = Sizes { head: 1_000, part: 300, parts: 2 };

    fn events(reader: &mut LogReader) -> Vec<Event> {
        std::iter::from_fn(|| reader.next_entry().unwrap()).map(|entry| entry.event).collect()
    }

    fn line(number: usize) -> Vec<u8> {
        format!("line {number:03} \u{fffd}\n").into_bytes()
    }

    fn output(bytes: &[u8]) -> Event {
        Event::Output { stream: Stream::Stdout, bytes: bytes.to_vec() }
    }

    #[test]
    fn bytes_are_kept_in_order_with_their_stream() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("logs/attempt");
        let mut log = LogWriter::create(&path);
        log.write(Stream::Stdout, b"a\xff\0\n");
        log.write(Stream::Stderr, b"b");
        assert_eq!(log.finish(), 0);
        let stderr = Event::Output { stream: Stream::Stderr, bytes: b"b".to_vec() };
        assert_eq!(events(&mut LogReader::open(&path).unwrap()), [output(b"a\xff\0\n"), stderr, Event::End]);
    }

    #[test]
    fn a_long_log_keeps_head_and_tail_and_counts_the_rest() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("attempt");
        let mut log = LogWriter::create_sized(&path, SMALL);
        for number in 0..200 {
            log.write(Stream::Stdout, &line(number));
        }
        log.finish();
        let events = events(&mut LogReader::open(&path).unwrap());
        let dropped: Vec<usize> =
            (0..events.len()).filter(|index| matches!(events[*index], Event::Dropped(_))).collect();
        let [gap] = dropped[..] else { panic!("one mark: {events:?}") };
        let kept = events.len() - 2;
        assert_eq!(events[gap], Event::Dropped((200 - kept as u64) * line(0).len() as u64));
        assert_eq!(events[..gap].to_vec(), (0..gap).map(|number| output(&line(number))).collect::<Vec<_>>());
        let tail = kept - gap;
        let last: Vec<_> = (200 - tail..200).map(|number| output(&line(number))).chain([Event::End]).collect();
        assert_eq!(events[gap + 1..].to_vec(), last);

        let bytes: u64 = folder.path().read_dir().unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum();
        assert!(bytes <= 1_000 + 2 * 300 + FRAME_HEADER as u64, "{bytes} bytes on disk");
        remove(&path).unwrap();
        assert_eq!(folder.path().read_dir().unwrap().count(), 0);
    }

    #[test]
    fn a_reader_that_follows_sees_everything_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("attempt");
        let mut log = LogWriter::create_sized(&path, SMALL);
        let mut reader = LogReader::open(&path).unwrap();
        for number in 0..200 {
            log.write(Stream::Stdout, &line(number));
            assert_eq!(events(&mut reader), [output(&line(number))]);
        }
        log.finish();
        assert_eq!(events(&mut reader), [Event::End]);
    }

    #[test]
    fn a_frame_cut_by_a_crash_ends_the_log() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("attempt");
        let mut log = LogWriter::create(&path);
        log.write(Stream::Stdout, b"whole");
        log.write(Stream::Stdout, b"torn");
        drop(log);
        let length = std::fs::metadata(&path).unwrap().len();
        let frame = (FRAME_HEADER + b"torn".len()) as u64;
        let broken = Rest::Broken { path: path.clone(), offset: length - frame };
        let reads_to = |rest: &Rest| {
            let mut reader = LogReader::open(&path).unwrap();
            assert_eq!((&events(&mut reader)[..], &reader.rest()), (&[output(b"whole")][..], rest));
        };
        for cut in 1..frame {
            OpenOptions::new().write(true).open(&path).unwrap().set_len(length - cut).unwrap();
            reads_to(&broken);
        }
        // A file system may also leave zeros.
        OpenOptions::new().write(true).open(&path).unwrap().set_len(length + 100).unwrap();
        reads_to(&broken);
        OpenOptions::new().write(true).open(&path).unwrap().set_len(length - frame).unwrap();
        reads_to(&Rest::Nothing);
    }

    #[test]
    fn no_byte_changes_without_notice() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("attempt");
        let mut log = LogWriter::create(&path);
        log.write(Stream::Stdout, b"one");
        log.write(Stream::Stderr, b"two");
        log.finish();
        let bytes = std::fs::read(&path).unwrap();
        let read = || {
            let mut reader = LogReader::open(&path).ok()?;
            let events: Vec<_> =
                std::iter::from_fn(|| reader.next_entry().transpose()).collect::<Result<_, _>>().ok()?;
            (reader.rest() == Rest::Ended).then_some(events)
        };
        assert_eq!(read().map(|events| events.len()), Some(3));
        for place in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[place] ^= 1 << (place % 8);
            std::fs::write(&path, &changed).unwrap();
            assert_eq!(read(), None, "byte {place}");
            std::fs::write(&path, &bytes[..place]).unwrap();
            assert_eq!(read(), None, "cut at {place}");
        }
    }

    #[test]
    fn what_is_no_log_is_said_to_be_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("attempt");
        std::fs::write(&path, "plain text of more than twenty bytes").unwrap();
        assert_eq!(LogReader::open(&path).err().unwrap().kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn what_a_full_disk_swallows_is_counted_and_marked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("attempt");
        let mut log = LogWriter::create(&path);
        log.write(Stream::Stdout, b"before");
        let disk = log.file.replace(OpenOptions::new().write(true).open("/dev/full").unwrap());
        log.write(Stream::Stdout, b"0123456789");
        log.write(Stream::Stderr, b"01234");
        log.file = disk;
        log.write(Stream::Stdout, b"after");
        assert_eq!(log.finish(), 15);
        let events = events(&mut LogReader::open(&path).unwrap());
        assert_eq!(events, [output(b"before"), Event::Lost(15), output(b"after"), Event::End]);
    }

    #[test]
    fn a_log_that_cannot_be_made_stops_nobody() {
        let mut log = LogWriter::create(Path::new("/dev/null/attempt"));
        log.write(Stream::Stdout, b"0123456789");
        assert_eq!(log.finish(), 10);
    }
}
