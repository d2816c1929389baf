//! Spare segments, made ahead by a thread of their own so that no append waits for one.
//!
//! Two of them are kept once the log is in use: they are also the ballast that lets a run end well on a full disk.
//! A log that hardly anything was written to keeps none, so a run of one step does not pay for them.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;

use super::segment::{self, Maker, Segment};

/// How many segments are kept ready.
pub const SPARES: usize = 2;
/// After a failure, mostly a full disk, so many appends pass before the next try.
const CALLS_AFTER_FAILURE: u32 = 256;

/// The segments behind the current one, which hold no frame yet.
#[derive(Debug)]
pub struct Spares {
    maker: Maker,
    ready: VecDeque<Segment>,
    next: u64,
    pause: u32,
    coming: Option<JoinHandle<io::Result<Segment>>>,
}

impl Spares {
    /// Begins with the spares that were found behind the current segment.
    pub fn new(maker: Maker, current: u64, ready: VecDeque<Segment>) -> Self {
        let next = current + ready.len() as u64 + 1;
        Self { maker, ready, next, pause: 0, coming: None }
    }

    /// Takes in what was made meanwhile and starts making the next one; never waits.
    ///
    /// A failure is not reported here: it matters only when a segment is needed, and then it is tried again.
    pub fn keep_ready(&mut self) {
        if self.coming.as_ref().is_some_and(JoinHandle::is_finished) && self.collect().is_err() {
            self.pause = CALLS_AFTER_FAILURE;
        }
        self.pause = self.pause.saturating_sub(1);
        if self.pause > 0 {
            return;
        }
        if self.coming.is_none() && self.ready.len() < SPARES {
            let (maker, number) = (self.maker.clone(), self.next);
            let make = move || maker.make_ahead(number);
            self.coming = std::thread::Builder::new().name("journal-spare".to_owned()).spawn(make).ok();
        }
    }

    /// The next segment, with room for `needed` bytes: a spare if there is one, else made now.
    pub fn take(&mut self, needed: u64) -> io::Result<Segment> {
        if self.ready.is_empty() {
            // Whatever kept the thread from making one is met again below, and reported there.
            let _ = self.collect();
        }
        if let Some(spare) = self.ready.pop_front_if(|spare| spare.size >= needed) {
            return Ok(spare);
        }
        // A spare that is too small for a long frame is replaced, by renaming over it.
        let number = self.ready.front().map_or(self.next, |spare| spare.number);
        let size = segment::usual_size(number).max(needed);
        let made = self.maker.make_now(number, size)?;
        if self.ready.pop_front().is_none() {
            self.next += 1;
        }
        Ok(made)
    }

    /// Waits for the one that is being made, if any.
    fn collect(&mut self) -> io::Result<()> {
        let Some(coming) = self.coming.take() else { return Ok(()) };
        let made =
            coming.join().unwrap_or_else(|_| Err(io::Error::other("the thread that makes segments panicked")))?;
        self.next = made.number + 1;
        self.ready.push_back(made);
        Ok(())
    }
}

impl Drop for Spares {
    fn drop(&mut self) {
        // Nothing may be written into the folder once its lock is given up.
        self.maker.stop.store(true, Ordering::Relaxed);
        let _ = self.collect();
    }
}
