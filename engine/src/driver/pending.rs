//! An image together with what it does not hold yet.
//!
//! When an image is made anew, the rows of runs that have ended come from a base and from the journal and are in no other
//! memory. They wait here until the image takes them: a disk that is full, or a sled that does not open, costs memory
//! then, and neither a row nor the opening. An image that fails while it is used holds nothing to rely on any more: it
//! must be filled again before anything is put into it.

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::id::Lsn;
use crate::store::{Checkpoint, Entry, EntryChange, Image, ImageError, Order, Pages, Stored};

/// Stands among the waiting entries as long as any may wait; never stored.
const FILLED_KEY: &[u8] = b"";

/// An image, and entries that go into it with its next checkpoint.
#[derive(Debug)]
pub(super) struct Pending<I> {
    image: I,
    entries: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Why the image must be filled again.
    failed: Option<String>,
    /// What came of a checkpoint that was begun and could not go on elsewhere.
    done: Option<Stored>,
}

impl<I: Image> Pending<I> {
    /// Nothing waits.
    pub const fn new(image: I) -> Self {
        Self { image, entries: BTreeMap::new(), failed: None, done: None }
    }

    /// Empties the image and lets entries wait for it: they, and what the next checkpoint brings, are all that it is to
    /// hold.
    pub fn fill(&mut self, entries: Vec<Entry>) {
        if let Err(error) = self.image.reset() {
            tracing::warn!(%error, "the checkpoint cannot be emptied");
        }
        self.entries = entries.into_iter().collect();
        // So that it is never taken for one that holds everything.
        self.entries.entry(FILLED_KEY.to_vec()).or_default();
        self.failed = None;
    }

    /// Why the image must be filled again before it is used.
    pub fn failure(&self) -> Option<&str> {
        self.failed.as_deref()
    }

    /// Asks the image while nothing waits for it.
    fn ask<R>(&mut self, question: impl FnOnce(&mut I) -> Result<R, ImageError>) -> Result<R, ImageError> {
        if let Some(why) = &self.failed {
            return Err(ImageError(why.clone()));
        }
        question(&mut self.image).inspect_err(|error| self.failed = Some(error.0.clone()))
    }
}

impl<I: Image> Image for Pending<I> {
    fn load(&mut self) -> Option<Checkpoint> {
        self.image.load()
    }

    fn get(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>, ImageError> {
        match self.entries.get(key) {
            Some(value) => Ok(Some(value.clone())),
            // While entries wait the image is empty.
            None if !self.entries.is_empty() => Ok(None),
            None => self.ask(|image| image.get(key)),
        }
    }

    fn scan_behind(
        &mut self,
        prefix: &[u8],
        behind: Option<&[u8]>,
        order: Order,
        each: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), ImageError> {
        if self.entries.is_empty() {
            return self.ask(|image| image.scan_behind(prefix, behind, order, each));
        }
        let asked = self.entries.range(prefix.to_vec()..).take_while(|(key, _)| key.starts_with(prefix));
        let asked = asked.filter(|(key, _)| behind.is_none_or(|behind| order.is_behind(key, behind)));
        match order {
            Order::Up => asked.into_iter().all(|(key, value)| each(key, value)),
            Order::Down => asked.collect::<Vec<_>>().into_iter().rev().all(|(key, value)| each(key, value)),
        };
        Ok(())
    }

    fn checkpoint(&mut self, lsn: Lsn, changes: &mut dyn Iterator<Item = EntryChange>) -> Stored {
        if self.entries.is_empty() {
            return self.ask(|image| image.checkpoint(lsn, changes));
        }
        let mut filling = Filling { changes, entries: &mut self.entries, after: FILLED_KEY.to_vec() };
        let stored = match self.image.checkpoint(lsn, &mut filling) {
            Ok(stored) => stored,
            Err(error) => {
                // What it took of it, if anything, must not stay.
                let _ = self.image.reset();
                return Err(error);
            }
        };
        self.entries.clear();
        Ok(stored)
    }

    fn begin(&mut self, lsn: Lsn, changes: Vec<EntryChange>) {
        if self.entries.is_empty() && self.failed.is_none() {
            self.image.begin(lsn, changes);
        } else {
            self.done = Some(self.checkpoint(lsn, &mut changes.into_iter()));
        }
    }

    fn finish(&mut self, wait: bool) -> Option<Stored> {
        if self.done.is_some() {
            return self.done.take();
        }
        let stored = self.image.finish(wait)?;
        Some(stored.inspect_err(|error| self.failed = Some(error.0.clone())))
    }

    fn pages(&mut self) -> Result<Box<dyn Pages>, ImageError> {
        if self.entries.is_empty() {
            self.ask(Image::pages)
        } else {
            Err(ImageError("it is not filled yet".to_owned()))
        }
    }

    fn reset(&mut self) -> Result<(), ImageError> {
        self.entries.clear();
        self.failed = None;
        self.image.reset()
    }
}

/// What changed, and behind it the entries that waited and that nothing changed. These stay until the image has them
/// all; of those that changed, whoever brings the changes has the newer ones.
struct Filling<'a> {
    changes: &'a mut dyn Iterator<Item = EntryChange>,
    entries: &'a mut BTreeMap<Vec<u8>, Vec<u8>>,
    /// The last one that was given.
    after: Vec<u8>,
}

impl Iterator for Filling<'_> {
    type Item = EntryChange;

    fn next(&mut self) -> Option<EntryChange> {
        if let Some((key, value)) = self.changes.next() {
            self.entries.remove(&key);
            return Some((key, value));
        }
        let behind = (Bound::Excluded(&self.after), Bound::Unbounded);
        let (key, value) = self.entries.range::<Vec<u8>, _>(behind).next()?;
        let given = (key.clone(), Some(value.clone()));
        self.after.clone_from(key);
        Some(given)
    }
}
