//! The entries of a checkpoint in sled, and the one entry that says what they are.
//!
//! A value is cut into chunks, because sled syncs large ones badly. Keys are escaped, so that the chunks of an entry lie
//! together and entries keep their order.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, Instant};

use super::part::Part;
use crate::fault::{self, Bug, Point};
use crate::id::Lsn;
use crate::store::{Checkpoint, Digest, Entry, EntryChange, Order, files};

/// sled keeps values of more than a few pages in files that it never syncs; below this they stay in its log.
const CHUNK_BYTES: usize = 12 * 1024;
/// Keys are ids and short names; a long one is a fault of the engine.
const MAX_KEY_BYTES: usize = 1024;
const CACHE_BYTES: u64 = 16 * 1024 * 1024;
/// A database that was just closed in this process may be locked for a moment.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);
const LOCK_PAUSE: Duration = Duration::from_millis(10);

const META_KEY: &[u8] = b"m";
const ENTRY: u8 = b'e';

/// A database that has been checked.
pub struct Tree {
    db: sled::Db,
    /// What is behind sled's back: its `flush` writes, this handle syncs.
    file: File,
    meta: Meta,
    /// Bytes of all keys and values.
    live: u64,
}

/// What a checkpoint says of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Meta {
    lsn: Lsn,
    generation: u64,
    count: u64,
    digest: Digest,
}

/// A file this many times as long as what it holds is copied ...
const BLOAT_FACTOR: u64 = 4;
/// ... once it is longer than this.
const BLOAT_BYTES: u64 = 32 * 1024 * 1024;
/// Entries that are copied at once.
const COPIED_AT_ONCE: usize = 1024;

impl Tree {
    /// Opens the database and checks every entry against the digest.
    pub fn open(folder: &Path) -> Result<Self, String> {
        let new = !folder.exists();
        files::create_folder(folder).map_err(|error| format!("cannot create the folder: {error}"))?;
        remove_half_snapshots(folder).map_err(|error| format!("cannot clean the folder: {error}"))?;
        let db = fault::at(Point::ImageOpen, || open_patiently(folder)).map_err(|error| error.to_string())?;
        let file = File::open(folder.join("db")).map_err(|error| format!("cannot open sled's file: {error}"))?;
        if new {
            files::sync_folder(folder).map_err(|error| format!("cannot sync the folder: {error}"))?;
        }
        let mut tree = Self { db, file, meta: Meta::default(), live: 0 };
        (tree.meta, tree.live) = tree.check()?;
        Ok(tree)
    }

    /// The checkpoint that it holds; `None` before the first.
    pub fn checkpointed(&self) -> Option<Checkpoint> {
        let Meta { lsn, generation, digest, .. } = self.meta;
        (generation > 0).then_some(Checkpoint { lsn, generation, digest: digest.0 })
    }

    /// How many entries it has.
    pub const fn count(&self) -> u64 {
        self.meta.count
    }

    /// One entry.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, String> {
        let entry = Self::entries(self.db.scan_prefix(escape(key))).next().transpose()?;
        Ok(entry.map(|(_, value)| value))
    }

    /// Up to `limit` entries that begin with `prefix`, behind the key `after` in that order.
    pub fn page(&self, prefix: &[u8], after: Option<&[u8]>, order: Order, limit: usize) -> Result<Vec<Entry>, String> {
        match order {
            Order::Up => {
                let from = after.map_or_else(|| escape_prefix(prefix), behind);
                Self::entries(self.db.range(from..))
                    .take_while(|entry| entry.as_ref().map_or(true, |(key, _)| key.starts_with(prefix)))
                    .take(limit)
                    .collect()
            }
            Order::Down => {
                let chunks = match after {
                    Some(key) => self.db.range(..escape(key)),
                    None => self.db.range(..behind_prefix(prefix)),
                };
                let chunks = chunks.rev().map(|chunk| {
                    let (place, _) = chunk.map_err(|error| error.to_string())?;
                    Ok::<_, String>(unescape(&place))
                });
                // Each entry once, by its first chunk; what is no entry of that prefix ends it.
                let mut page = Vec::new();
                for chunk in chunks {
                    let Some((key, number)) = chunk?.filter(|(key, _)| key.starts_with(prefix)) else { break };
                    if number == 0 {
                        let value = self.get(&key)?.ok_or("an entry has no value")?;
                        page.push((key, value));
                    }
                    if page.len() == limit {
                        break;
                    }
                }
                Ok(page)
            }
        }
    }

    /// Takes a part of a checkpoint, which is made with the last one: then it says what it is.
    pub fn take(&mut self, lsn: Lsn, part: Part) -> Result<Option<(u64, [u8; 32])>, String> {
        match part {
            Part::More(changes) => self.put(changes).map(|()| None),
            Part::Last(changes) => self.checkpoint(lsn, changes).map(Some),
        }
    }

    /// Puts a part of what the next checkpoint will hold. Until that is made there is none.
    pub fn put(&mut self, changes: Vec<EntryChange>) -> Result<(), String> {
        let mut batch = self.batch_of(changes)?;
        batch.remove(META_KEY);
        self.apply(batch)
    }

    /// Makes the changed entries durable, and those that were put before.
    pub fn checkpoint(&mut self, lsn: Lsn, changes: Vec<EntryChange>) -> Result<(u64, [u8; 32]), String> {
        let mut batch = self.batch_of(changes)?;
        let meta = Meta { lsn, generation: self.meta.generation + 1, ..self.meta };
        batch.insert(META_KEY, meta.encode());
        self.apply(batch)?;
        let flush = || self.db.flush().map_err(std::io::Error::from);
        fault::at(Point::ImageFlush, flush).map_err(|error| error.to_string())?;
        let synced = fault::at(Point::ImageSync, || self.file.sync_data());
        synced.map_err(|error| format!("cannot sync sled's file: {error}"))?;
        self.meta = meta;
        Ok((meta.generation, meta.digest.0))
    }

    fn apply(&self, batch: sled::Batch) -> Result<(), String> {
        let apply = || self.db.apply_batch(batch).map_err(std::io::Error::from);
        fault::at(Point::ImageBatch, apply).map_err(|error| error.to_string())
    }

    /// What sled is to do, and with it what the tree will hold.
    fn batch_of(&mut self, changes: Vec<EntryChange>) -> Result<sled::Batch, String> {
        let mut batch = sled::Batch::default();
        for (key, value) in changes {
            if key.len() > MAX_KEY_BYTES {
                return Err(format!("a key of {} bytes is longer than {MAX_KEY_BYTES}", key.len()));
            }
            let place = escape(&key);
            let old = self.get(&key)?;
            if let Some(old) = &old {
                self.meta.digest.toggle(&key, old);
                self.meta.count -= 1;
                self.live -= (key.len() + old.len()) as u64;
            }
            if let Some(value) = &value {
                self.meta.digest.toggle(&key, value);
                self.meta.count += 1;
                self.live += (key.len() + value.len()) as u64;
            }
            let kept = value.as_ref().map_or(0, |value| put_chunks(&mut batch, &place, value));
            let had = old.map_or(0, |old| chunks_of(&old));
            (kept..had).for_each(|number| batch.remove(chunk_key(&place, number)));
        }
        Ok(batch)
    }

    /// Whether the file is much longer than what it holds.
    pub fn is_bloated(&self) -> Result<bool, String> {
        let len = self.file.metadata().map_err(|error| format!("cannot look at sled's file: {error}"))?.len();
        Ok(len > BLOAT_BYTES.max(BLOAT_FACTOR * self.live))
    }

    /// Makes a tree with the same checkpoint in a folder that is not there, durably.
    pub fn copy_to(&self, folder: &Path) -> Result<(), String> {
        let mut copy = Self::open(folder)?;
        let mut after: Option<Vec<u8>> = None;
        loop {
            let page = self.page(b"", after.as_deref(), Order::Up, COPIED_AT_ONCE)?;
            let Some((last, _)) = page.last() else { break };
            after = Some(last.clone());
            copy.put(page.into_iter().map(|(key, value)| (key, Some(value))).collect())?;
        }
        if (copy.meta.count, copy.meta.digest) != (self.meta.count, self.meta.digest) {
            return Err("the copy is not what was copied".to_owned());
        }
        // The same generation, so that the journal's record is of the copy too.
        copy.meta.generation = self.meta.generation - 1;
        copy.checkpoint(self.meta.lsn, Vec::new())?;
        Ok(())
    }

    /// Checks every entry; gives what they are and their bytes.
    fn check(&self) -> Result<(Meta, u64), String> {
        let bytes = self.db.get(META_KEY).map_err(|error| error.to_string())?;
        let meta = bytes.map_or(Some(Meta::default()), |bytes| Meta::decode(&bytes));
        let meta = meta.ok_or("the entry that describes it is damaged")?;
        let (mut count, mut digest, mut live) = (0, Digest::default(), 0);
        for entry in Self::entries(self.db.iter()) {
            let (key, value) = entry?;
            digest.toggle(&key, &value);
            count += 1;
            live += (key.len() + value.len()) as u64;
        }
        if (count, digest) != (meta.count, meta.digest) && !fault::planted(Bug::ImageWithoutDigest) {
            return Err(format!("its {count} entries are not the {} that were written", meta.count));
        }
        Ok((meta, live))
    }

    /// Puts chunks together again.
    fn entries(chunks: sled::Iter) -> impl Iterator<Item = Result<Entry, String>> {
        let chunks = chunks.take_while(|chunk| chunk.as_ref().map_or(true, |(key, _)| key.first() == Some(&ENTRY)));
        let mut chunks = chunks.map(|chunk| {
            let (place, bytes) = chunk.map_err(|error| error.to_string())?;
            let (key, number) = unescape(&place).ok_or("a key is damaged")?;
            Ok::<_, String>((key, number, bytes))
        });
        std::iter::from_fn(move || {
            let first = match chunks.next()? {
                Ok(first) => first,
                Err(error) => return Some(Err(error)),
            };
            Some(join_chunks(first, &mut chunks))
        })
    }
}

type Chunk = (Vec<u8>, u32, sled::IVec);

/// The first chunk begins with the number of chunks; the others follow it.
fn join_chunks(first: Chunk, more: &mut dyn Iterator<Item = Result<Chunk, String>>) -> Result<Entry, String> {
    let (key, number, bytes) = first;
    let (count, value) = bytes.split_first_chunk::<4>().filter(|_| number == 0).ok_or("a value has no beginning")?;
    let mut value = value.to_vec();
    for expected in 1..u32::from_be_bytes(*count) {
        let (of, number, bytes) = more.next().ok_or("a value has no end")??;
        if of != key || number != expected {
            return Err("a part of a value is missing".to_owned());
        }
        value.extend_from_slice(&bytes);
    }
    Ok((key, value))
}

/// Writes a value's chunks; gives their number.
fn put_chunks(batch: &mut sled::Batch, place: &[u8], value: &[u8]) -> u32 {
    let count = chunks_of(value);
    let (first, rest) = value.split_at(value.len().min(CHUNK_BYTES));
    batch.insert(chunk_key(place, 0), [&count.to_be_bytes(), first].concat());
    for (number, chunk) in (1..).zip(rest.chunks(CHUNK_BYTES)) {
        batch.insert(chunk_key(place, number), chunk);
    }
    count
}

fn chunks_of(value: &[u8]) -> u32 {
    u32::try_from(value.len().div_ceil(CHUNK_BYTES).max(1)).expect("a value fits into memory")
}

fn chunk_key(place: &[u8], number: u32) -> Vec<u8> {
    [place, &number.to_be_bytes()].concat()
}

/// Where the chunks of a key lie: `e`, the key with each 0 as 0 255, and 0 0.
fn escape(key: &[u8]) -> Vec<u8> {
    let mut place = escape_prefix(key);
    place.extend([0, 0]);
    place
}

/// Comes right behind all chunks of a key: its terminator is 0 0, and they follow.
fn behind(key: &[u8]) -> Vec<u8> {
    let mut behind = escape(key);
    behind.pop();
    behind.push(1);
    behind
}

/// The smallest place behind all chunks of the keys with a prefix.
fn behind_prefix(prefix: &[u8]) -> Vec<u8> {
    let mut behind = escape_prefix(prefix);
    // What every place begins with is no 255, so something is left.
    while behind.pop_if(|byte| *byte == 255).is_some() {}
    if let Some(last) = behind.last_mut() {
        *last += 1;
    }
    behind
}

fn escape_prefix(prefix: &[u8]) -> Vec<u8> {
    let escaped = prefix.iter().flat_map(|byte| [*byte, 255].into_iter().take(if *byte == 0 { 2 } else { 1 }));
    std::iter::once(ENTRY).chain(escaped).collect()
}

fn unescape(place: &[u8]) -> Option<(Vec<u8>, u32)> {
    let (place, number) = place.split_last_chunk::<4>()?;
    let mut escaped = place.strip_prefix(&[ENTRY])?.strip_suffix(&[0, 0])?.iter();
    let mut key = Vec::new();
    while let Some(byte) = escaped.next() {
        key.push(*byte);
        if *byte == 0 && escaped.next() != Some(&255) {
            return None;
        }
    }
    Some((key, u32::from_be_bytes(*number)))
}

impl Meta {
    fn encode(&self) -> Vec<u8> {
        let numbers = [self.lsn.0, self.generation, self.count].map(u64::to_be_bytes).concat();
        let mut bytes = [numbers.as_slice(), &self.digest.0].concat();
        bytes.extend_from_slice(&blake3::hash(&bytes).as_bytes()[..16]);
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (body, hash) = bytes.split_last_chunk::<16>()?;
        let digest: [u8; 32] = body.get(24..)?.try_into().ok()?;
        let number = |place: usize| Some(u64::from_be_bytes(body.get(place..place + 8)?.try_into().ok()?));
        let meta = Self { lsn: Lsn(number(0)?), generation: number(8)?, count: number(16)?, digest: Digest(digest) };
        (blake3::hash(body).as_bytes()[..16] == *hash).then_some(meta)
    }
}

/// A snapshot whose writing was cut off keeps sled from opening.
fn remove_half_snapshots(folder: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("snap.") && name.ends_with(".generating") {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "sled says when its lock is free in no other way")]
fn open_patiently(folder: &Path) -> std::io::Result<sled::Db> {
    let begun = Instant::now();
    loop {
        let config = sled::Config::new().path(folder).cache_capacity(CACHE_BYTES).flush_every_ms(None);
        match config.open() {
            Ok(db) => return Ok(db),
            // sled gives no other sign that it was the lock.
            Err(sled::Error::Io(error))
                if error.to_string().contains("could not acquire lock") && begun.elapsed() < LOCK_PATIENCE =>
            {
                std::thread::sleep(LOCK_PAUSE);
            }
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_that_sled_lost_without_a_word_are_missed() {
        let large = vec![3; 2 * CHUNK_BYTES];
        let entries = vec![(b"a".to_vec(), Some(b"1".to_vec())), (b"b".to_vec(), Some(large))];
        let lose: [fn(&Tree); 4] = [
            |tree| drop(tree.db.remove(chunk_key(&escape(b"a"), 0)).unwrap()),
            |tree| drop(tree.db.remove(chunk_key(&escape(b"b"), 1)).unwrap()),
            |tree| drop(tree.db.remove(META_KEY).unwrap()),
            |tree| drop(tree.db.insert(chunk_key(&escape(b"a"), 0), &[0, 0, 0, 1, b'2']).unwrap()),
        ];
        for lose in lose {
            let place = tempfile::tempdir().unwrap();
            let folder = place.path().join("state");
            let mut tree = Tree::open(&folder).unwrap();
            tree.checkpoint(Lsn(1), entries.clone()).unwrap();
            lose(&tree);
            tree.db.flush().unwrap();
            drop(tree);
            assert!(Tree::open(&folder).is_err());
        }
    }

    #[cfg(feature = "proof")]
    #[test]
    fn a_digest_that_is_not_compared_is_caught() {
        use crate::fault::Bug;
        assert!(
            crate::fault::is_caught(Bug::ImageWithoutDigest, entries_that_sled_lost_without_a_word_are_missed),
            "{:?}",
            Bug::ImageWithoutDigest
        );
    }

    #[test]
    fn what_was_put_is_no_checkpoint_before_it_is_made() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("state");
        let entries = |value: u8| (0..9_u8).map(|key| (vec![key], Some(vec![value]))).collect::<Vec<_>>();
        let mut tree = Tree::open(&folder).unwrap();
        tree.checkpoint(Lsn(1), entries(1)).unwrap();
        tree.put(entries(2)).unwrap();
        tree.db.flush().unwrap();
        drop(tree);
        assert!(Tree::open(&folder).is_err(), "it was cut off");
        fs::remove_dir_all(&folder).unwrap();
        let mut tree = Tree::open(&folder).unwrap();
        tree.put(entries(2)).unwrap();
        let (generation, digest) = tree.checkpoint(Lsn(2), entries(3)[..4].to_vec()).unwrap();
        drop(tree);
        let tree = Tree::open(&folder).unwrap();
        assert_eq!(tree.checkpointed(), Some(Checkpoint { lsn: Lsn(2), generation, digest }));
        assert_eq!(tree.count(), 9);
    }

    #[test]
    fn a_copy_is_the_same_checkpoint() {
        let place = tempfile::tempdir().unwrap();
        let mut tree = Tree::open(&place.path().join("state")).unwrap();
        for round in 0..4_u8 {
            let entries = (0..40_u8).map(|key| (vec![key], Some(vec![round; 30_000]))).collect();
            tree.checkpoint(Lsn(round.into()), entries).unwrap();
        }
        let copy = place.path().join("copy");
        tree.copy_to(&copy).unwrap();
        let copy = Tree::open(&copy).unwrap();
        assert_eq!(copy.checkpointed(), tree.checkpointed());
        assert_eq!(copy.page(b"", None, Order::Up, 100), tree.page(b"", None, Order::Up, 100));
        assert!(!copy.is_bloated().unwrap());
        let file = fs::OpenOptions::new().write(true).open(place.path().join("state/db")).unwrap();
        file.set_len(BLOAT_BYTES + 1).unwrap();
        assert!(tree.is_bloated().unwrap());
    }
}
