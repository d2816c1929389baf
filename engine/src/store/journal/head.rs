//! `HEAD`: how far the journal was acknowledged when it was last at rest, and which epoch is current.
//!
//! Two slots, written in turn and each with its own hash: a write that is cut off spoils one, and the other still says
//! what was true before. It is synced when the journal is opened, at rest and closed, never on the commit path. A bad
//! frame at or below what it says was acknowledged is damage, whatever else it looks like.

use std::fs::{File, OpenOptions};
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::frame::{FRAME_HASH_BYTES, Hash, array};
use crate::fault::{self, Point};
use crate::id::{Epoch, Lsn, ShardId};
use crate::store::files::{self, cannot, damaged};
use crate::store::{FORMAT_VERSION, OpenError};

/// Its name in the journal's folder.
pub const HEAD_FILE: &str = "HEAD";
/// Begins each slot.
pub const HEAD_MAGIC: [u8; 4] = *b"LKSH";
/// Distance of the two slots, so that they share no sector.
pub const HEAD_SLOT_BYTES: usize = 4096;
/// The used part of a slot.
pub const HEAD_USED_BYTES: usize = 128;

/// Where the fields of a slot lie.
pub(super) mod at {
    use super::Range;

    pub const MAGIC: Range<usize> = 0..4;
    pub const VERSION: Range<usize> = 4..8;
    pub const SHARD: Range<usize> = 8..12;
    pub const CLOSED: Range<usize> = 12..16;
    pub const TURN: Range<usize> = 16..24;
    pub const EPOCH: Range<usize> = 24..32;
    pub const LAST: Range<usize> = 32..40;
    pub const LAST_HASH: Range<usize> = 40..56;
    pub const SEGMENT: Range<usize> = 56..64;
    pub const OLDEST: Range<usize> = 64..72;
    pub const BASE: Range<usize> = 72..80;
    pub const BASE_HASH: Range<usize> = 80..96;
    pub const SETTLED: Range<usize> = 96..104;
    pub const HASH: Range<usize> = 112..128;
}

/// What a slot says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadState {
    /// Nothing was appended after it was written.
    pub closed: bool,
    /// The epoch of the handle that wrote it.
    pub epoch: Epoch,
    /// The last record that was acknowledged; 0 when none was.
    pub last: Lsn,
    /// The hash of the frame which ends with that record.
    pub last_hash: Hash,
    /// The segment in which that frame lies.
    pub segment: u64,
    /// The oldest segment that was not dropped.
    pub oldest: u64,
    /// The last record before that segment; 0 for the first.
    pub base: Lsn,
    /// The hash of the frame which ends with it.
    pub base_hash: Hash,
    /// Where in `segment` the frame begins that ends with `last`, if that frame stands for all before it; else 0.
    pub settled: u64,
}

impl HeadState {
    /// Of a journal that nothing was written to.
    pub const NEW: Self = Self {
        closed: true,
        epoch: Epoch(0),
        last: Lsn(0),
        last_hash: [0; FRAME_HASH_BYTES],
        segment: 1,
        oldest: 1,
        base: Lsn(0),
        base_hash: [0; FRAME_HASH_BYTES],
        settled: 0,
    };
}

/// The file, open for writing.
#[derive(Debug)]
pub struct HeadFile {
    file: File,
    shard: ShardId,
    turn: u64,
    state: HeadState,
}

impl HeadFile {
    /// Makes the file, durably.
    pub fn create(folder: &Path, shard: ShardId) -> io::Result<()> {
        let mut bytes = vec![0; 2 * HEAD_SLOT_BYTES];
        bytes[..HEAD_USED_BYTES].copy_from_slice(&encode(shard, 0, &HeadState::NEW));
        fault::at(Point::HeadCreate, || files::put_file(folder, HEAD_FILE, &bytes))
    }

    /// Opens the file for writing.
    pub fn open(folder: &Path, shard: ShardId) -> Result<Self, OpenError> {
        let path = folder.join(HEAD_FILE);
        let (turn, state) = read_slots(&path, shard)?;
        let file = OpenOptions::new().write(true).open(&path).map_err(cannot("cannot open", &path))?;
        Ok(Self { file, shard, turn, state })
    }

    /// What it says.
    pub const fn state(&self) -> HeadState {
        self.state
    }

    /// Writes and syncs a new state, unless it says that already.
    pub fn write(&mut self, state: HeadState) -> io::Result<()> {
        if state == self.state {
            return Ok(());
        }
        let turn = self.turn + 1;
        let (slot, place) = (encode(self.shard, turn, &state), (turn % 2) * HEAD_SLOT_BYTES as u64);
        fault::at(Point::HeadWrite, || self.file.write_all_at(&slot, place))?;
        fault::at(Point::HeadSync, || self.file.sync_data())?;
        (self.turn, self.state) = (turn, state);
        Ok(())
    }
}

/// Reads what the file says, without writing.
pub fn read(folder: &Path, shard: ShardId) -> Result<HeadState, OpenError> {
    read_slots(&folder.join(HEAD_FILE), shard).map(|(_, state)| state)
}

/// The path of the file.
pub fn path(folder: &Path) -> PathBuf {
    folder.join(HEAD_FILE)
}

fn read_slots(path: &Path, shard: ShardId) -> Result<(u64, HeadState), OpenError> {
    let bytes = std::fs::read(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => damaged(path, 0, "the file is missing"),
        _ => cannot("cannot read", path)(error),
    })?;
    let mut newest: Option<(u64, HeadState)> = None;
    for slot in bytes.chunks(HEAD_SLOT_BYTES).take(2) {
        let found = decode(path, slot, shard)?;
        if found.map(|(turn, _)| turn) > newest.map(|(turn, _)| turn) {
            newest = found;
        }
    }
    newest.ok_or_else(|| damaged(path, 0, "neither slot matches its hash"))
}

fn encode(shard: ShardId, turn: u64, state: &HeadState) -> [u8; HEAD_USED_BYTES] {
    let mut slot = [0; HEAD_USED_BYTES];
    slot[at::MAGIC].copy_from_slice(&HEAD_MAGIC);
    slot[at::VERSION].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
    slot[at::SHARD].copy_from_slice(&shard.0.to_le_bytes());
    slot[at::CLOSED].copy_from_slice(&u32::from(state.closed).to_le_bytes());
    slot[at::TURN].copy_from_slice(&turn.to_le_bytes());
    slot[at::EPOCH].copy_from_slice(&state.epoch.0.to_le_bytes());
    slot[at::LAST].copy_from_slice(&state.last.0.to_le_bytes());
    slot[at::LAST_HASH].copy_from_slice(&state.last_hash);
    slot[at::SEGMENT].copy_from_slice(&state.segment.to_le_bytes());
    slot[at::OLDEST].copy_from_slice(&state.oldest.to_le_bytes());
    slot[at::BASE].copy_from_slice(&state.base.0.to_le_bytes());
    slot[at::BASE_HASH].copy_from_slice(&state.base_hash);
    slot[at::SETTLED].copy_from_slice(&state.settled.to_le_bytes());
    let hash = slot_hash(&slot);
    slot[at::HASH].copy_from_slice(&hash);
    slot
}

/// What a slot says; `None` if it is empty or spoilt.
fn decode(path: &Path, slot: &[u8], shard: ShardId) -> Result<Option<(u64, HeadState)>, OpenError> {
    let Some(slot) = slot.first_chunk::<HEAD_USED_BYTES>() else { return Ok(None) };
    if slot[at::MAGIC] != HEAD_MAGIC || slot_hash(slot) != slot[at::HASH] {
        return Ok(None);
    }
    let version = u32::from_le_bytes(array(slot, at::VERSION));
    if version > FORMAT_VERSION {
        return Err(OpenError::Newer { path: path.display().to_string(), found: version, known: FORMAT_VERSION });
    }
    if u32::from_le_bytes(array(slot, at::SHARD)) != shard.0 {
        return Err(damaged(path, 0, "the file belongs to another shard"));
    }
    let number = |at| u64::from_le_bytes(array(slot, at));
    let state = HeadState {
        closed: u32::from_le_bytes(array(slot, at::CLOSED)) != 0,
        epoch: Epoch(number(at::EPOCH)),
        last: Lsn(number(at::LAST)),
        last_hash: array(slot, at::LAST_HASH),
        segment: number(at::SEGMENT),
        oldest: number(at::OLDEST),
        base: Lsn(number(at::BASE)),
        base_hash: array(slot, at::BASE_HASH),
        settled: number(at::SETTLED),
    };
    Ok(Some((number(at::TURN), state)))
}

fn slot_hash(slot: &[u8; HEAD_USED_BYTES]) -> Hash {
    array(blake3::hash(&slot[..at::HASH.start]).as_bytes(), 0..FRAME_HASH_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spoilt_slot_leaves_the_one_before_it() {
        let folder = tempfile::tempdir().unwrap();
        HeadFile::create(folder.path(), ShardId(0)).unwrap();
        let mut head = HeadFile::open(folder.path(), ShardId(0)).unwrap();
        for last in 1..=2 {
            head.write(HeadState { last: Lsn(last), ..HeadState::NEW }).unwrap();
        }
        assert_eq!(read(folder.path(), ShardId(0)).unwrap().last, Lsn(2));

        let path = path(folder.path());
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[at::LAST.start] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(read(folder.path(), ShardId(0)).unwrap().last, Lsn(1));

        bytes[HEAD_SLOT_BYTES + at::LAST.start] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        assert!(matches!(read(folder.path(), ShardId(0)), Err(OpenError::Damaged { .. })));
    }
}
