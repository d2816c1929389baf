//! A store in memory that can be made to fail, for tests and simulation.
//!
//! A [`MemoryDisk`] is what survives a crash; logs, images and blobs opened on it are what does not. Faults are scripted
//! one by one, and syncing can be turned off: appends then answer `Ok` for frames that a crash loses, which is how a
//! test shows that it would notice.

use std::collections::{BTreeMap, VecDeque};
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::base::KEPT_BASES;
use super::files::damaged;
use super::{
    AppendError, Bases, Blobs, Checkpoint, Dirty, Entry, Frame, Frames, Head, Image, ImageError, MadeBase, OpenError,
    Order, Pages, ShardLog, StoredBase, StoredBases, digest,
};
use crate::core::run::Subject;
use crate::id::{Epoch, Lsn, ShardId};
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
    image_fails: bool,
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
            image_fails: false,
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
        MemoryImage { disk: self.clone() }
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

    /// Makes checkpoints fail, or work again.
    pub fn fail_image(&self, fails: bool) {
        self.disk().image_fails = fails;
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
        disk.image_fails = false;
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

/// A [`ShardLog`] on a [`MemoryDisk`].
#[derive(Debug)]
pub struct MemoryLog {
    disk: MemoryDisk,
    epoch: Epoch,
    head: Head,
    finished: Option<String>,
}

impl MemoryLog {
    fn read_if(&self, asked: impl Fn(&Frame) -> bool, each: &mut dyn FnMut(Frame) -> bool) {
        // Copied first: `each` may come back to this disk.
        let frames: Vec<Frame> = {
            let disk = self.disk.disk();
            let frames = disk.durable.iter().chain(&disk.cached).filter(|frame| frame.last() <= self.head.last);
            frames.filter(|frame| asked(frame)).cloned().collect()
        };
        frames.into_iter().all(each);
    }

    fn fail(&mut self, why: &str) -> AppendError {
        self.finished = Some(why.to_owned());
        AppendError::Failed(why.to_owned())
    }

    fn unknown(&mut self, why: &str) -> AppendError {
        self.finished = Some(why.to_owned());
        AppendError::Unknown(why.to_owned())
    }
}

impl ShardLog for MemoryLog {
    fn shard(&self) -> ShardId {
        ShardId(0)
    }

    fn epoch(&self) -> Epoch {
        self.epoch
    }

    fn head(&self) -> Head {
        self.head
    }

    fn append(&mut self, after: Lsn, frame: &Frame) -> Result<(), AppendError> {
        if let Some(why) = &self.finished {
            return Err(AppendError::Failed(why.clone()));
        }
        let shared = self.disk.clone();
        let mut disk = shared.disk();
        if disk.epoch != self.epoch {
            return Err(AppendError::Fenced(self.epoch));
        }
        assert_eq!((after, frame.first), (self.head.last, Lsn(self.head.last.0 + 1)), "a frame continues the log");
        assert!(!frame.records.is_empty(), "a frame has records");
        let fault = disk.next_fault();
        if let Some(fault) = fault {
            *disk.hits.entry(fault).or_default() += 1;
        }
        match fault {
            None => {
                disk.write(frame);
                disk.appends += 1;
                self.head = disk.head();
                Ok(())
            }
            Some(Fault::Fail) => Err(self.fail("an injected fault: the write failed")),
            Some(Fault::Torn) => {
                disk.torn = true;
                Err(self.fail("an injected fault: the write was torn"))
            }
            Some(Fault::FailWritten) => {
                disk.write(frame);
                Err(self.fail("an injected fault: the sync failed"))
            }
            Some(Fault::FailCached) => {
                disk.cached.push(frame.clone());
                Err(self.fail("an injected fault: the sync failed, the page cache has it"))
            }
            Some(Fault::NoSpace) => Err(AppendError::NoSpace("an injected fault".to_owned())),
            Some(Fault::UnknownWritten) => {
                disk.write(frame);
                Err(self.unknown("an injected fault: no answer, written"))
            }
            Some(Fault::UnknownLost) => Err(self.unknown("an injected fault: no answer, not written")),
            Some(Fault::Fenced) => {
                disk.epoch.0 += 1;
                Err(AppendError::Fenced(self.epoch))
            }
        }
    }

    fn trim(&mut self, below: Lsn) -> Result<(), OpenError> {
        let mut disk = self.disk.disk();
        disk.trimmed = disk.trimmed.max(below);
        let (keep, last) = (disk.trimmed, self.head.last);
        disk.durable.retain(|frame| frame.last() >= keep || frame.last() >= last);
        Ok(())
    }

    fn freeing(&self, bytes: u64) -> Option<Lsn> {
        let disk = self.disk.disk();
        let (mut freed, mut below) = (0, None);
        for frame in disk.durable.iter().filter(|frame| frame.last() < self.head.last) {
            if freed >= bytes {
                break;
            }
            freed += frame.records.iter().map(|record| record.len() as u64).sum::<u64>();
            below = Some(Lsn(frame.last().0 + 1));
        }
        below
    }

    fn rest(&mut self) {}

    fn settle(&mut self) {
        self.disk.disk().settled = Some(self.head.last);
    }

    fn settled(&mut self) -> Option<Frame> {
        let disk = self.disk.disk();
        let frame = disk.cached.last().or(disk.durable.last())?;
        (disk.settled == Some(frame.last()) && frame.last() == self.head.last).then(|| frame.clone())
    }
}

impl Frames for MemoryLog {
    fn oldest(&self) -> Lsn {
        let disk = self.disk.disk();
        let first = disk.durable.iter().chain(&disk.cached).next();
        first.map_or(Lsn(self.head.last.0 + 1), |frame| frame.first)
    }

    fn read(&self, from: Lsn, each: &mut dyn FnMut(Frame) -> bool) -> Result<(), OpenError> {
        self.read_if(|frame| frame.last() >= from, each);
        Ok(())
    }

    fn read_of(
        &self,
        subject: &Subject,
        positions: RangeInclusive<Lsn>,
        each: &mut dyn FnMut(Frame) -> bool,
    ) -> Result<(), OpenError> {
        let concerns = |frame: &Frame| frame.records.iter().any(|record| Subject::of(record).as_ref() == Some(subject));
        let asked = |frame: &Frame| frame.last() >= *positions.start() && frame.first <= *positions.end();
        self.read_if(|frame| asked(frame) && concerns(frame), each);
        Ok(())
    }
}

/// An [`Image`] on a [`MemoryDisk`].
#[derive(Debug)]
pub struct MemoryImage {
    disk: MemoryDisk,
}

impl Image for MemoryImage {
    fn load(&mut self) -> Option<Checkpoint> {
        self.disk.disk().image.as_ref().map(|(checkpoint, _)| *checkpoint)
    }

    fn get(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>, ImageError> {
        Ok(self.disk.disk().image.as_ref().and_then(|(_, entries)| entries.get(key).cloned()))
    }

    fn scan(
        &mut self,
        prefix: &[u8],
        order: Order,
        each: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), ImageError> {
        // Copied first: `each` may come back to this disk.
        let entries = self.disk.disk().image.clone().unwrap_or_default().1;
        let mut asked: Vec<_> = entries.iter().filter(|(key, _)| key.starts_with(prefix)).collect();
        if order == Order::Down {
            asked.reverse();
        }
        asked.into_iter().all(|(key, value)| each(key, value));
        Ok(())
    }

    fn checkpoint(&mut self, lsn: Lsn, dirty: &Dirty) -> Result<(u64, [u8; 32]), ImageError> {
        let mut disk = self.disk.disk();
        if disk.image_fails {
            return Err(ImageError("an injected fault".to_owned()));
        }
        disk.image_before = disk.image.take();
        let (last, mut entries) = disk.image_before.clone().unwrap_or_default();
        for (key, value) in &dirty.entries {
            match value {
                Some(value) => drop(entries.insert(key.clone(), value.clone())),
                None => drop(entries.remove(key)),
            }
        }
        let digest = digest(entries.iter().map(|(key, value)| (key.as_slice(), value.as_slice())));
        let generation = last.generation + 1;
        disk.image = Some((Checkpoint { lsn, generation, digest }, entries));
        Ok((generation, digest))
    }

    fn pages(&mut self) -> Result<Box<dyn Pages>, ImageError> {
        let entries = self.disk.disk().image.clone().unwrap_or_default().1;
        Ok(Box::new(MemoryPages(Some(entries.into_iter().collect()))))
    }

    fn reset(&mut self) -> Result<(), ImageError> {
        self.disk.lose_image();
        Ok(())
    }
}

struct MemoryPages(Option<Vec<Entry>>);

impl Pages for MemoryPages {
    fn next(&mut self) -> Result<Vec<Entry>, ImageError> {
        Ok(self.0.take().unwrap_or_default())
    }
}

/// [`Bases`] on a [`MemoryDisk`]: made at once, so that a simulation is the same every time.
#[derive(Debug)]
pub struct MemoryBases {
    disk: MemoryDisk,
    made: Option<MadeBase>,
}

impl StoredBases for MemoryBases {
    fn place(&self) -> std::path::PathBuf {
        "bases".into()
    }

    fn list(&self) -> Result<Vec<StoredBase>, OpenError> {
        Ok(self.disk.disk().bases.iter().rev().map(|(lsn, dump)| dump.as_stored(*lsn)).collect())
    }

    fn read(&self, lsn: Lsn, each: &mut dyn FnMut(&[u8], &[u8])) -> Result<Checkpoint, OpenError> {
        let dump = self.disk.disk().bases.get(&lsn).cloned();
        let Dump { generation, entries, .. } =
            dump.ok_or_else(|| damaged("base".as_ref(), 0, "the base is missing"))?;
        for (key, value) in &entries {
            each(key, value);
        }
        let digest = digest(entries.iter().map(|(key, value)| (key.as_slice(), value.as_slice())));
        Ok(Checkpoint { lsn, generation, digest })
    }
}

impl Bases for MemoryBases {
    fn begin(&mut self, of: Checkpoint, needs: Lsn, mut pages: Box<dyn Pages>) {
        let mut entries = Vec::new();
        while let Ok(page) = pages.next()
            && !page.is_empty()
        {
            entries.extend(page);
        }
        let dump = Dump { generation: of.generation, needs, entries };
        let base = dump.as_stored(of.lsn);
        let mut disk = self.disk.disk();
        disk.bases.insert(of.lsn, dump);
        while disk.bases.len() > KEPT_BASES {
            disk.bases.pop_first();
        }
        let frees = disk.bases.iter().map(|(lsn, dump)| dump.as_stored(*lsn).frees()).min();
        let frees = frees.filter(|_| disk.bases.len() == KEPT_BASES).unwrap_or_default();
        self.made = Some(MadeBase { base, frees });
    }

    fn is_busy(&self) -> bool {
        false
    }

    fn finish(&mut self) -> Option<Result<MadeBase, OpenError>> {
        self.made.take().map(Ok)
    }
}

/// [`Blobs`] on a [`MemoryDisk`].
#[derive(Debug)]
pub struct MemoryBlobs {
    disk: MemoryDisk,
}

impl Blobs for MemoryBlobs {
    fn put(&mut self, bytes: &[u8]) -> Result<String, AppendError> {
        let hash = blake3::hash(bytes).to_hex().to_string();
        self.disk.disk().blobs.insert(hash.clone(), bytes.to_vec());
        Ok(hash)
    }

    fn get(&self, hash: &str) -> Option<Vec<u8>> {
        self.disk.disk().blobs.get(hash).cloned()
    }
}
