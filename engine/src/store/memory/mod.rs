//! A store in memory that can be made to fail, for tests and simulation.
//!
//! A [`MemoryDisk`] is what survives a crash; logs, images and blobs opened on it are what does not. Faults are scripted
//! one by one, and syncing can be turned off: appends then answer `Ok` for frames that a crash loses, which is how a
//! test shows that it would notice.

mod image;
mod log;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use self::image::{MemoryBases, MemoryBlobs, MemoryImage};
pub use self::log::MemoryLog;

use super::{Checkpoint, Entry, Frame, Head, ImageError, StoredBase, digest};
use crate::id::{Epoch, Lsn};
use crate::random::SplitMix64;

/// What the next append meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The write fails; nothing of the frame is on the disk.
    Fail,
    /// The write fails in the middle; the torn frame is found and dropped when the log is opened again.
    Torn,
    /// The sync fails, but the frame has reached the disk.
    FailWritten,
    /// The sync fails, and the frame is in the page cache alone: the next opening finds it, a loss of power before that
    /// does not.
    FailCached,
    /// There is no room; the same append may be tried again.
    NoSpace,
    /// The answer is lost; the frame is durable.
    UnknownWritten,
    /// The answer is lost, and so is the frame.
    UnknownLost,
    /// Somebody else has opened the log.
    Fenced,
}

impl Fault {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::Fail,
        Self::Torn,
        Self::FailWritten,
        Self::FailCached,
        Self::NoSpace,
        Self::UnknownWritten,
        Self::UnknownLost,
        Self::Fenced,
    ];

    /// As reports spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fail => "append fails",
            Self::Torn => "append torn",
            Self::FailWritten => "append fails, written",
            Self::FailCached => "append fails, cached",
            Self::NoSpace => "no space",
            Self::UnknownWritten => "append unknown, written",
            Self::UnknownLost => "append unknown, lost",
            Self::Fenced => "fenced",
        }
    }
}

/// What survives a crash. Clones are the same disk.
#[derive(Clone, Debug, Default)]
pub struct MemoryDisk(Arc<Mutex<Disk>>);

#[derive(Debug)]
struct Disk {
    epoch: Epoch,
    durable: Vec<Frame>,
    /// In the page cache and not synced: what was answered `Ok` while syncing is turned off, or a frame whose sync failed.
    cached: Vec<Frame>,
    sync: bool,
    torn: bool,
    torn_found: u64,
    /// Frames whose last record lies before this were dropped.
    trimmed: Lsn,
    /// The end of a frame that stands for all before it.
    settled: Option<Lsn>,
    faults: VecDeque<Option<Fault>>,
    random: SplitMix64,
    /// How rare a random fault is: one in so many appends; none for 0.
    rare: u64,
    image: Option<Stored>,
    image_before: Option<Stored>,
    /// So many questions the image answers yet; none ends it while this is `None`.
    image_answers: Option<u64>,
    image_patience: u64,
    bases: BTreeMap<Lsn, Dump>,
    /// So many openings of the log fail.
    open_fails: u64,
    hits: BTreeMap<Fault, u64>,
    blobs: BTreeMap<String, Vec<u8>>,
    appends: u64,
}

/// What a checkpoint is, and its entries.
type Stored = (Checkpoint, BTreeMap<Vec<u8>, Vec<u8>>);

/// A base.
#[derive(Clone, Debug)]
struct Dump {
    generation: u64,
    needs: Lsn,
    entries: Vec<Entry>,
}

impl Dump {
    fn as_stored(&self, lsn: Lsn) -> StoredBase {
        let bytes = self.entries.iter().map(|(key, value)| (key.len() + value.len()) as u64).sum();
        StoredBase { lsn, needs: self.needs, bytes }
    }
}

impl Default for Disk {
    fn default() -> Self {
        Self {
            epoch: Epoch(0),
            durable: Vec::new(),
            cached: Vec::new(),
            sync: true,
            torn: false,
            torn_found: 0,
            trimmed: Lsn(0),
            settled: None,
            faults: VecDeque::new(),
            random: SplitMix64(0),
            rare: 0,
            image: None,
            image_before: None,
            image_answers: None,
            image_patience: 0,
            bases: BTreeMap::new(),
            open_fails: 0,
            hits: BTreeMap::new(),
            blobs: BTreeMap::new(),
            appends: 0,
        }
    }
}

impl MemoryDisk {
    /// An empty disk.
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens the log, fencing every handle opened before. What is found in the page cache is made durable first: the
    /// page cache is not the disk.
    pub fn log(&self) -> MemoryLog {
        let mut disk = self.disk();
        disk.epoch.0 += 1;
        disk.torn_found += u64::from(std::mem::take(&mut disk.torn));
        if disk.sync {
            disk.sync_cached();
        }
        MemoryLog { disk: self.clone(), epoch: disk.epoch, head: disk.head(), finished: None }
    }

    /// The checkpoint.
    pub fn image(&self) -> MemoryImage {
        MemoryImage { disk: self.clone(), begun: None }
    }

    /// What the checkpoint is made anew from.
    pub fn bases(&self) -> MemoryBases {
        MemoryBases { disk: self.clone(), made: None }
    }

    /// Spoils a base: it cannot be read as what it was any more.
    pub fn spoil_base(&self, lsn: Lsn) {
        if let Some(dump) = self.disk().bases.get_mut(&lsn) {
            dump.entries.pop();
        }
    }

    /// Large values.
    pub fn blobs(&self) -> MemoryBlobs {
        MemoryBlobs { disk: self.clone() }
    }

    /// Ends every handle and loses what was not synced.
    pub fn crash(&self) {
        let mut disk = self.disk();
        disk.epoch.0 += 1;
        disk.cached.clear();
    }

    /// Ends every handle, as the end of a process does; the page cache stays.
    pub fn kill(&self) {
        self.disk().epoch.0 += 1;
    }

    /// Another disk with the same on it, and no faults.
    #[must_use]
    pub fn copy(&self) -> Self {
        let disk = self.disk();
        let copy = Disk {
            epoch: disk.epoch,
            durable: disk.durable.clone(),
            cached: disk.cached.clone(),
            trimmed: disk.trimmed,
            image: disk.image.clone(),
            blobs: disk.blobs.clone(),
            ..Disk::default()
        };
        Self(Arc::new(Mutex::new(copy)))
    }

    /// Every durable frame.
    pub fn frames(&self) -> Vec<Frame> {
        self.frames_behind(0)
    }

    /// Every durable frame but the first so many.
    pub fn frames_behind(&self, count: usize) -> Vec<Frame> {
        self.disk().durable.get(count..).unwrap_or_default().to_vec()
    }

    /// The last durable record.
    pub fn durable(&self) -> Lsn {
        self.disk().durable.last().map_or(Lsn(0), Frame::last)
    }

    /// The last record, and when it was written; what is in the page cache alone counts.
    pub fn head(&self) -> Head {
        self.disk().head()
    }

    /// Turns syncing on or off. With it off, what `append` answered `Ok` for is lost in a crash.
    pub fn set_sync(&self, sync: bool) {
        let mut disk = self.disk();
        disk.sync = sync;
        if sync {
            disk.sync_cached();
        }
    }

    /// The append after those that faults are scripted for already meets this one.
    pub fn inject(&self, fault: Fault) {
        self.disk().faults.push_back(Some(fault));
    }

    /// Lets so many appends pass before the next fault that is scripted.
    pub fn pass(&self, appends: usize) {
        self.disk().faults.extend(std::iter::repeat_n(None, appends));
    }

    /// Lets one in `one_in` appends that no fault is scripted for meet a random one: the same for the same seed. 0 ends it.
    pub fn inject_randomly(&self, seed: u64, one_in: u64) {
        let mut disk = self.disk();
        (disk.random, disk.rare) = (SplitMix64(seed), one_in);
    }

    /// Makes the image fail whatever is asked of it, or work again.
    pub fn fail_image(&self, fails: bool) {
        self.disk().image_answers = fails.then_some(0);
    }

    /// Makes the image fail once it was asked so many things more.
    pub fn fail_image_after(&self, questions: u64) {
        self.disk().image_answers = Some(questions);
    }

    /// Lets a checkpoint that was begun be asked for up to so many times, less one, before it is told how it ended: it is
    /// on the disk meanwhile, and the log goes on.
    pub fn slow_image(&self, times: u64) {
        self.disk().image_patience = times;
    }

    /// Loses the checkpoint, which costs time and nothing else. Says whether there was one.
    pub fn lose_image(&self) -> bool {
        self.disk().image.take().is_some()
    }

    /// Loses every base, which costs time where the journal reaches back to its beginning.
    pub fn lose_bases(&self) {
        self.disk().bases.clear();
    }

    /// Damages an entry of the checkpoint as a bit that flips in sled's file does, which then opens as if nothing were
    /// wrong: the entry is gone, is as it was before, or is another. `luck` chooses. Says whether there was anything to
    /// damage.
    pub fn damage_image(&self, luck: u64) -> bool {
        let mut disk = self.disk();
        let former = disk.image_before.clone().unwrap_or_default().1;
        let Some((checkpoint, entries)) = &mut disk.image else { return false };
        if entries.is_empty() {
            return false;
        }
        let mut random = SplitMix64(luck);
        let place = random.below(entries.len() as u64);
        let Some(key) = usize::try_from(place).ok().and_then(|place| entries.keys().nth(place)).cloned() else {
            return false;
        };
        let before = former.get(&key).filter(|before| entries.get(&key) != Some(before));
        match (random.below(3), before) {
            (0, Some(before)) => drop(entries.insert(key, before.clone())),
            (0 | 1, _) => drop(entries.remove(&key)),
            (_, _) => {
                let Some(value) = entries.get_mut(&key).filter(|value| !value.is_empty()) else { return false };
                let bit = random.below(8 * value.len() as u64);
                value[usize::try_from(bit / 8).unwrap_or(0)] ^= 1 << (bit % 8);
            }
        }
        // An image is loaded with the digest over what it holds.
        checkpoint.digest = digest(entries.iter().map(|(key, value)| (key.as_slice(), value.as_slice())));
        true
    }

    /// Puts the checkpoint before the last one in its place. Says whether there was one.
    pub fn regress_image(&self) -> bool {
        let mut disk = self.disk();
        let before = disk.image_before.take();
        let there = before.is_some();
        if there {
            disk.image = before;
        }
        there
    }

    /// Makes so many openings of the log fail.
    pub fn fail_open(&self, times: u64) {
        self.disk().open_fails = times;
    }

    /// Takes note of an opening. Says whether it fails.
    pub fn open_fails(&self) -> bool {
        let mut disk = self.disk();
        let fails = disk.open_fails > 0;
        disk.open_fails = disk.open_fails.saturating_sub(1);
        fails
    }

    /// Ends every fault that has not hit yet.
    pub fn heal(&self) {
        let mut disk = self.disk();
        disk.faults.clear();
        disk.rare = 0;
        disk.image_answers = None;
        disk.open_fails = 0;
    }

    /// How often each fault has hit.
    pub fn hits(&self) -> BTreeMap<Fault, u64> {
        self.disk().hits.clone()
    }

    /// How many torn frames were found and dropped at opening.
    pub fn torn_found(&self) -> u64 {
        self.disk().torn_found
    }

    /// How many appends were answered `Ok`.
    pub fn appends(&self) -> u64 {
        self.disk().appends
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Disk {
    fn head(&self) -> Head {
        let last = self.cached.last().or(self.durable.last());
        Head { last: last.map_or(Lsn(0), Frame::last), stamp: last.map(|frame| frame.stamp) }
    }

    /// Counts a question that is asked of the image.
    fn ask_image(&mut self) -> Result<(), ImageError> {
        match &mut self.image_answers {
            None => Ok(()),
            Some(0) => Err(ImageError("an injected fault".to_owned())),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
        }
    }

    /// What the next append meets.
    fn next_fault(&mut self) -> Option<Fault> {
        if let Some(scripted) = self.faults.pop_front() {
            return scripted;
        }
        if self.rare == 0 || self.random.below(self.rare) != 0 {
            return None;
        }
        let number = self.random.below(Fault::ALL.len() as u64);
        usize::try_from(number).ok().map(|number| Fault::ALL[number])
    }

    fn write(&mut self, frame: &Frame) {
        self.cached.push(frame.clone());
        if self.sync {
            self.sync_cached();
        }
    }

    fn sync_cached(&mut self) {
        let mut cached = std::mem::take(&mut self.cached);
        self.durable.append(&mut cached);
    }
}
