//! The bytes of a frame, as `docs/journal-format.md` describes them.
//!
//! A frame is a header with its own checksum, so that its length can be trusted; the records; and one BLAKE3 hash over
//! both. The header names the hash of the frame before it: the hash is checksum and chain in one. Numbers are
//! little-endian. This module knows bytes only, no files.

use std::ops::Range;

use lockstep_dsl::value::Timestamp;

use crate::clock::Stamp;
use crate::core::run::Subject;
use crate::fault::{self, Bug};
use crate::id::{Epoch, Lsn};
use crate::store::Frame;

/// Begins every frame.
pub const FRAME_MAGIC: [u8; 4] = *b"LKSF";
/// The newest version of a frame that this program reads, and the one it writes.
pub const FRAME_VERSION: u16 = 1;
/// Length of a frame's header.
pub const FRAME_HEADER_BYTES: usize = 84;
/// Length of the hash behind the records.
pub const FRAME_HASH_BYTES: usize = 16;
/// Frames begin at multiples of this; what lies between them is zero.
pub const FRAME_ALIGN: usize = 8;
/// Bytes before each record: its length.
pub const RECORD_PREFIX_BYTES: usize = 4;
/// The longest frame. Values over 64 KiB are blobs, so only a fault of the engine comes near it.
pub const MAX_FRAME_BYTES: usize = 64 * 1024 * 1024;

static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];

/// Where the fields of the header lie.
pub(super) mod at {
    use super::Range;

    pub const MAGIC: Range<usize> = 0..4;
    pub const VERSION: Range<usize> = 4..6;
    pub const LEN: Range<usize> = 8..12;
    pub const COUNT: Range<usize> = 12..16;
    pub const EPOCH: Range<usize> = 16..24;
    pub const FIRST: Range<usize> = 24..32;
    pub const WALL: Range<usize> = 32..40;
    pub const TIME: Range<usize> = 40..48;
    pub const BOOTTIME: Range<usize> = 48..56;
    pub const BOOT: Range<usize> = 56..64;
    pub const PREV: Range<usize> = 64..80;
    pub const CRC: Range<usize> = 80..84;
}

/// The hash of a frame: the first 16 bytes of BLAKE3 over header and records. All zero before the first frame.
pub type Hash = [u8; FRAME_HASH_BYTES];

/// What lies at a place where a frame may begin.
#[derive(Debug)]
pub enum Parsed<'a> {
    /// Zeros: nothing was written here yet.
    Empty,
    /// No whole frame, and why not.
    Bad(&'static str),
    /// A frame of a newer program.
    Newer(u16),
    /// A whole frame.
    Whole(Raw<'a>),
}

/// A whole frame, its records not copied yet.
#[derive(Debug)]
pub struct Raw<'a> {
    /// The epoch of the handle that wrote it.
    pub epoch: Epoch,
    /// The position of its first record.
    pub first: Lsn,
    /// The position of its last record.
    pub last: Lsn,
    /// When it was decided.
    pub stamp: Stamp,
    /// The hash of the frame before it.
    pub prev: Hash,
    /// Its own hash.
    pub hash: Hash,
    /// All its bytes, with the padding behind it.
    pub bytes: &'a [u8],
    records: &'a [u8],
}

impl Raw<'_> {
    /// The frame with its records.
    pub fn frame(&self) -> Frame {
        Frame { first: self.first, stamp: self.stamp, records: self.records().map(<[u8]>::to_vec).collect() }
    }

    /// Whether a record of it is about the subject.
    pub fn concerns(&self, subject: &Subject) -> bool {
        self.records().any(|record| Subject::of(record).is_some_and(|about| about.concerns(subject)))
    }

    /// The encoded records.
    pub fn records(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = self.records;
        std::iter::from_fn(move || {
            let (record, behind) = split_record(rest)?;
            rest = behind;
            Some(record)
        })
    }
}

/// The bytes that a frame takes in a segment, its padding included.
pub fn encoded_len(frame: &Frame) -> usize {
    let records: usize = frame.records.iter().map(|record| RECORD_PREFIX_BYTES + record.len()).sum();
    (FRAME_HEADER_BYTES + records + FRAME_HASH_BYTES).next_multiple_of(FRAME_ALIGN)
}

/// Replaces what is in `out` by the bytes of a frame, and gives its hash. The frame must keep to [`MAX_FRAME_BYTES`].
pub fn encode(frame: &Frame, epoch: Epoch, prev: Hash, out: &mut Vec<u8>) -> Hash {
    let whole = encoded_len(frame);
    assert!(whole <= MAX_FRAME_BYTES && !frame.records.is_empty(), "a frame has records, and no more than fit");
    out.clear();
    out.reserve(whole);
    out.resize(FRAME_HEADER_BYTES, 0);
    for record in &frame.records {
        out.extend_from_slice(&small(record.len()).to_le_bytes());
        out.extend_from_slice(record);
    }
    let len = small(out.len() - FRAME_HEADER_BYTES);
    let header = &mut out[..FRAME_HEADER_BYTES];
    header[at::MAGIC].copy_from_slice(&FRAME_MAGIC);
    header[at::VERSION].copy_from_slice(&FRAME_VERSION.to_le_bytes());
    header[at::LEN].copy_from_slice(&len.to_le_bytes());
    header[at::COUNT].copy_from_slice(&small(frame.records.len()).to_le_bytes());
    header[at::EPOCH].copy_from_slice(&epoch.0.to_le_bytes());
    header[at::FIRST].copy_from_slice(&frame.first.0.to_le_bytes());
    header[at::WALL].copy_from_slice(&frame.stamp.wall.0.to_le_bytes());
    header[at::TIME].copy_from_slice(&frame.stamp.time.to_le_bytes());
    header[at::BOOTTIME].copy_from_slice(&frame.stamp.boottime.to_le_bytes());
    header[at::BOOT].copy_from_slice(&frame.stamp.boot.to_le_bytes());
    header[at::PREV].copy_from_slice(&prev);
    let crc = crc32fast::hash(&header[..at::CRC.start]);
    header[at::CRC].copy_from_slice(&crc.to_le_bytes());
    let hash = hash_of(out);
    out.extend_from_slice(&hash);
    out.resize(whole, 0);
    hash
}

/// Reads what begins at the start of `bytes`, which reach to the end of the segment.
pub fn parse(bytes: &[u8]) -> Parsed<'_> {
    let Some((header, behind)) = bytes.split_at_checked(FRAME_HEADER_BYTES) else {
        return if is_zero(bytes) { Parsed::Empty } else { Parsed::Bad("no frame's header fits here") };
    };
    if is_zero(header) {
        return Parsed::Empty;
    }
    if header[at::MAGIC] != FRAME_MAGIC {
        return Parsed::Bad("no frame begins here");
    }
    if crc32fast::hash(&header[..at::CRC.start]) != u32::from_le_bytes(array(header, at::CRC)) {
        return Parsed::Bad("the header's checksum does not match");
    }
    let version = u16::from_le_bytes(array(header, at::VERSION));
    if version > FRAME_VERSION {
        return Parsed::Newer(version);
    }
    let len = u32::from_le_bytes(array(header, at::LEN)) as usize;
    let Some((records, hash)) = behind.split_at_checked(len) else {
        return Parsed::Bad("the frame is longer than the segment");
    };
    let Some(hash) = hash.first_chunk::<FRAME_HASH_BYTES>() else {
        return Parsed::Bad("the frame is longer than the segment");
    };
    if hash_of(&bytes[..FRAME_HEADER_BYTES + len]) != *hash && !fault::planted(Bug::TornFrameAccepted) {
        return Parsed::Bad("the frame's hash does not match");
    }
    let first = u64::from_le_bytes(array(header, at::FIRST));
    let count = u32::from_le_bytes(array(header, at::COUNT));
    let last = first.checked_add(u64::from(count).saturating_sub(1));
    let Some(last) = last.filter(|_| first > 0 && count > 0 && count_records(records) == Some(count)) else {
        return Parsed::Bad("the frame's records do not match its header");
    };
    let end = (FRAME_HEADER_BYTES + len + FRAME_HASH_BYTES).next_multiple_of(FRAME_ALIGN).min(bytes.len());
    Parsed::Whole(Raw {
        epoch: Epoch(u64::from_le_bytes(array(header, at::EPOCH))),
        first: Lsn(first),
        last: Lsn(last),
        stamp: Stamp {
            wall: Timestamp(i64::from_le_bytes(array(header, at::WALL))),
            time: u64::from_le_bytes(array(header, at::TIME)),
            boottime: u64::from_le_bytes(array(header, at::BOOTTIME)),
            boot: u64::from_le_bytes(array(header, at::BOOT)),
        },
        prev: array(header, at::PREV),
        hash: *hash,
        bytes: &bytes[..end],
        records,
    })
}

/// The first record and the hash of the frame before, as a header whose checksum matches says.
pub fn peek(header: &[u8]) -> Option<(Lsn, Hash)> {
    let crc = u32::from_le_bytes(array(header, at::CRC));
    let sound = header[at::MAGIC] == FRAME_MAGIC && crc32fast::hash(&header[..at::CRC.start]) == crc;
    sound.then(|| (Lsn(u64::from_le_bytes(array(header, at::FIRST))), array(header, at::PREV)))
}

/// What can be made out of a frame whose header matches its checksum, and which does not match its hash.
#[derive(Debug)]
pub struct MadeOut<'a> {
    /// The position of its first record.
    pub first: Lsn,
    /// The position of its last record.
    pub last: Lsn,
    /// Its records, where they lie as the header says; none otherwise.
    pub records: Vec<&'a [u8]>,
}

/// Makes out what begins at the start of `bytes`, which reach to the end of the segment.
pub fn make_out(bytes: &[u8]) -> Option<MadeOut<'_>> {
    let (header, behind) = bytes.split_at_checked(FRAME_HEADER_BYTES)?;
    let (first, _) = peek(header)?;
    let len = u32::from_le_bytes(array(header, at::LEN)) as usize;
    let count = u32::from_le_bytes(array(header, at::COUNT));
    let last = first.0.checked_add(u64::from(count).checked_sub(1)?)?;
    let mut rest = behind.get(..len).unwrap_or_default();
    let mut records = Vec::new();
    while let Some((record, behind)) = split_record(rest) {
        records.push(record);
        rest = behind;
    }
    let fits = rest.is_empty() && records.len() == count as usize;
    Some(MadeOut { first, last: Lsn(last), records: if fits { records } else { Vec::new() } })
}

/// Whether a whole frame (or one of a newer program) begins anywhere in `bytes` at or behind `from`.
pub fn follows(bytes: &[u8], from: usize) -> bool {
    let from = from.next_multiple_of(FRAME_ALIGN).min(bytes.len());
    bytes[from..].chunks(ZEROS.len()).enumerate().filter(|(_, block)| !is_zero(block)).any(|(number, block)| {
        let start = from + number * ZEROS.len();
        (start..start + block.len()).step_by(FRAME_ALIGN).any(|offset| {
            bytes[offset..].starts_with(&FRAME_MAGIC)
                && matches!(parse(&bytes[offset..]), Parsed::Whole(_) | Parsed::Newer(_))
        })
    })
}

/// Whether nothing was written here since the segment was made.
pub fn is_zero(bytes: &[u8]) -> bool {
    bytes.chunks(ZEROS.len()).all(|block| *block == ZEROS[..block.len()])
}

fn hash_of(bytes: &[u8]) -> Hash {
    array(blake3::hash(bytes).as_bytes(), 0..FRAME_HASH_BYTES)
}

fn count_records(mut bytes: &[u8]) -> Option<u32> {
    let mut count = 0;
    while !bytes.is_empty() {
        bytes = split_record(bytes)?.1;
        count += 1;
    }
    Some(count)
}

fn split_record(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, behind) = bytes.split_first_chunk::<RECORD_PREFIX_BYTES>()?;
    behind.split_at_checked(u32::from_le_bytes(*len) as usize)
}

/// A length within a frame, which [`MAX_FRAME_BYTES`] keeps below 4 GiB.
fn small(len: usize) -> u32 {
    u32::try_from(len).expect("a frame is no longer than MAX_FRAME_BYTES")
}

/// The bytes of a field whose place the format fixes.
pub(super) fn array<const N: usize>(bytes: &[u8], at: Range<usize>) -> [u8; N] {
    bytes[at].try_into().expect("a field is as long as its type")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_frame() -> impl Strategy<Value = Frame> {
        let records = prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 1..5);
        let stamp = (any::<i64>(), any::<u64>(), any::<u64>(), any::<u64>());
        (1..u64::MAX / 2, stamp, records).prop_map(|(first, (wall, time, boottime, boot), records)| Frame {
            first: Lsn(first),
            stamp: Stamp { wall: Timestamp(wall), time, boottime, boot },
            records,
        })
    }

    proptest! {
        #[test]
        fn what_was_encoded_is_parsed(frame in any_frame(), epoch: u64, prev: Hash, behind in 0..40_usize) {
            let mut bytes = Vec::new();
            let hash = encode(&frame, Epoch(epoch), prev, &mut bytes);
            prop_assert_eq!(bytes.len(), encoded_len(&frame));
            bytes.resize(bytes.len() + behind, 0);
            let Parsed::Whole(raw) = parse(&bytes) else { panic!("a whole frame") };
            prop_assert_eq!((raw.epoch, raw.prev, raw.hash, raw.last), (Epoch(epoch), prev, hash, frame.last()));
            prop_assert_eq!(raw.bytes.len(), encoded_len(&frame));
            prop_assert_eq!(raw.frame(), frame);
        }

        #[test]
        fn no_changed_bit_goes_unnoticed(frame in any_frame(), place: prop::sample::Index, bit in 0..8_u8) {
            let mut bytes = Vec::new();
            encode(&frame, Epoch(1), [7; 16], &mut bytes);
            let records: usize = frame.records.iter().map(|record| RECORD_PREFIX_BYTES + record.len()).sum();
            let covered = FRAME_HEADER_BYTES + records + FRAME_HASH_BYTES;
            bytes[place.index(covered)] ^= 1 << bit;
            prop_assert!(!matches!(parse(&bytes), Parsed::Whole(_)));
        }

        #[test]
        fn any_bytes_are_parsed_without_a_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..400), magic: bool) {
            if magic && bytes.len() >= FRAME_HEADER_BYTES {
                bytes[at::MAGIC].copy_from_slice(&FRAME_MAGIC);
                let crc = crc32fast::hash(&bytes[..at::CRC.start]).to_le_bytes();
                bytes[at::CRC].copy_from_slice(&crc);
            }
            let _ = follows(&bytes, 0);
            prop_assert!(!matches!(parse(&bytes), Parsed::Whole(_)));
        }
    }

    #[test]
    fn a_frame_of_a_newer_program_is_told_from_a_torn_one() {
        let frame = Frame { first: Lsn(1), stamp: Stamp::default(), records: vec![vec![1]] };
        let mut bytes = Vec::new();
        encode(&frame, Epoch(1), [0; 16], &mut bytes);
        bytes[at::VERSION].copy_from_slice(&(FRAME_VERSION + 1).to_le_bytes());
        let crc = crc32fast::hash(&bytes[..at::CRC.start]).to_le_bytes();
        bytes[at::CRC].copy_from_slice(&crc);
        assert!(matches!(parse(&bytes), Parsed::Newer(2)));
        assert!(follows(&bytes, 0));
    }
}
