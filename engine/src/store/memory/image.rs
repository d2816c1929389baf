//! The checkpoint, the bases and the large values of a disk in memory.

use std::collections::BTreeMap;

use super::{Dump, MemoryDisk};
use crate::id::Lsn;
use crate::store::base::KEPT_BASES;
use crate::store::files::damaged;
use crate::store::{
    AppendError, Bases, Blobs, Checkpoint, Entry, EntryChange, Image, ImageError, MadeBase, OpenError, Order, Pages,
    Stored, StoredBase, StoredBases, digest,
};

/// An [`Image`] on a [`MemoryDisk`].
#[derive(Debug)]
pub struct MemoryImage {
    pub(super) disk: MemoryDisk,
    /// What came of the checkpoint that was begun, and how often it is asked for before it is told.
    pub(super) begun: Option<(u64, Stored)>,
}

impl MemoryImage {
    fn entries(&self) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, ImageError> {
        let mut disk = self.disk.disk();
        disk.ask_image()?;
        Ok(disk.image.as_ref().map(|(_, entries)| entries.clone()).unwrap_or_default())
    }
}

impl Image for MemoryImage {
    fn load(&mut self) -> Option<Checkpoint> {
        let mut disk = self.disk.disk();
        disk.ask_image().ok()?;
        disk.image.as_ref().map(|(checkpoint, _)| *checkpoint)
    }

    fn get(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>, ImageError> {
        Ok(self.entries()?.get(key).cloned())
    }

    fn scan_behind(
        &mut self,
        prefix: &[u8],
        behind: Option<&[u8]>,
        order: Order,
        each: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), ImageError> {
        // Copied first: `each` may come back to this disk.
        let entries = self.entries()?;
        let mut asked: Vec<_> = entries.iter().filter(|(key, _)| key.starts_with(prefix)).collect();
        asked.retain(|(key, _)| behind.is_none_or(|behind| order.is_behind(key, behind)));
        if order == Order::Down {
            asked.reverse();
        }
        asked.into_iter().all(|(key, value)| each(key, value));
        Ok(())
    }

    fn checkpoint(&mut self, lsn: Lsn, changes: &mut dyn Iterator<Item = EntryChange>) -> Stored {
        let mut disk = self.disk.disk();
        disk.ask_image()?;
        disk.image_before = disk.image.take();
        let (last, mut entries) = disk.image_before.clone().unwrap_or_default();
        for (key, value) in changes {
            match value {
                Some(value) => drop(entries.insert(key, value)),
                None => drop(entries.remove(&key)),
            }
        }
        let digest = digest(entries.iter().map(|(key, value)| (key.as_slice(), value.as_slice())));
        let generation = last.generation + 1;
        disk.image = Some((Checkpoint { lsn, generation, digest }, entries));
        Ok((generation, digest))
    }

    fn begin(&mut self, lsn: Lsn, changes: Vec<EntryChange>) {
        let stored = self.checkpoint(lsn, &mut changes.into_iter());
        let patience = self.disk.disk().image_patience;
        // Now one, now another, and the same every time.
        let asked = if patience == 0 { 0 } else { lsn.0 % patience };
        self.begun = Some((asked, stored));
    }

    fn finish(&mut self, wait: bool) -> Option<Stored> {
        let (left, _) = self.begun.as_mut()?;
        if *left > 0 && !wait {
            *left -= 1;
            return None;
        }
        self.begun.take().map(|(_, stored)| stored)
    }

    fn pages(&mut self) -> Result<Box<dyn Pages>, ImageError> {
        let entries = self.entries()?;
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
    pub(super) disk: MemoryDisk,
    pub(super) made: Option<MadeBase>,
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
    pub(super) disk: MemoryDisk,
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
