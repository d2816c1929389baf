//! What an engine has done since it was opened, to be read at any time without asking its thread.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::store::journal::JournalStats;

/// The upper bounds of the buckets that turns are counted in, in microseconds; longer ones are in the last bucket, which
/// has none.
pub const TURN_BUCKETS_US: [u64; 10] = [50, 100, 250, 500, 1_000, 2_500, 10_000, 50_000, 250_000, 1_000_000];

/// Counts as they grow. One thread writes, any reads.
#[derive(Debug, Default)]
pub(super) struct Meter {
    runs_started: AtomicU64,
    runs_succeeded: AtomicU64,
    runs_failed: AtomicU64,
    runs_cancelled: AtomicU64,
    steps_ended: AtomicU64,
    attempts_started: AtomicU64,
    frames: AtomicU64,
    syncs: AtomicU64,
    journal_bytes: AtomicU64,
    requests_waiting: AtomicU64,
    attempts_running: AtomicU64,
    attempts_waiting: AtomicU64,
    is_full: AtomicBool,
    turn_buckets: [AtomicU64; TURN_BUCKETS_US.len() + 1],
    turn_us: AtomicU64,
}

/// What an engine has done since it was opened, and what waits now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Runs that came to be.
    pub runs_started: u64,
    /// Runs that succeeded.
    pub runs_succeeded: u64,
    /// Runs that failed.
    pub runs_failed: u64,
    /// Runs that were cancelled.
    pub runs_cancelled: u64,
    /// Steps that ended, however.
    pub steps_ended: u64,
    /// Attempts that were given to a worker.
    pub attempts_started: u64,
    /// What the journal has done.
    pub journal: JournalStats,
    /// Requests that wait for the next turn.
    pub requests_waiting: u64,
    /// Attempts with the workers.
    pub attempts_running: u64,
    /// Attempts that wait for a worker to have room.
    pub attempts_waiting: u64,
    /// Whether nothing can be stored, and runs stand still until there is room.
    pub is_full: bool,
    /// Turns by how long they took: one count for each of [`TURN_BUCKETS_US`], not added up, and one for all longer ones.
    pub turns: [u64; TURN_BUCKETS_US.len() + 1],
    /// How long all turns took.
    pub turn_time: Duration,
}

impl Meter {
    /// A run came to be.
    pub fn run_started(&self) {
        add(&self.runs_started, 1);
    }

    /// A run ended in this state, as lists show it.
    pub fn run_ended(&self, status: &str) {
        match status {
            "succeeded" => add(&self.runs_succeeded, 1),
            "cancelled" => add(&self.runs_cancelled, 1),
            _ => add(&self.runs_failed, 1),
        }
    }

    /// So many steps ended.
    pub fn steps_ended(&self, steps: u64) {
        add(&self.steps_ended, steps);
    }

    /// An attempt was given to the workers.
    pub fn attempt_started(&self) {
        add(&self.attempts_started, 1);
    }

    /// A turn took so long; the journal has done this by now.
    pub fn turn(&self, took: Duration, journal: JournalStats) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = TURN_BUCKETS_US.partition_point(|bound| *bound < us);
        add(&self.turn_buckets[bucket], 1);
        add(&self.turn_us, us);
        self.frames.store(journal.appends, Ordering::Relaxed);
        self.syncs.store(journal.syncs, Ordering::Relaxed);
        self.journal_bytes.store(journal.bytes, Ordering::Relaxed);
    }

    /// So many requests, and attempts, wait or run now.
    pub fn queues(&self, requests: usize, running: usize, waiting: usize) {
        self.requests_waiting.store(requests as u64, Ordering::Relaxed);
        self.attempts_running.store(running as u64, Ordering::Relaxed);
        self.attempts_waiting.store(waiting as u64, Ordering::Relaxed);
    }

    /// Whether nothing can be stored now.
    pub fn full(&self, is_full: bool) {
        self.is_full.store(is_full, Ordering::Relaxed);
    }

    /// All of it.
    pub fn read(&self) -> Figures {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Figures {
            runs_started: of(&self.runs_started),
            runs_succeeded: of(&self.runs_succeeded),
            runs_failed: of(&self.runs_failed),
            runs_cancelled: of(&self.runs_cancelled),
            steps_ended: of(&self.steps_ended),
            attempts_started: of(&self.attempts_started),
            journal: JournalStats { appends: of(&self.frames), syncs: of(&self.syncs), bytes: of(&self.journal_bytes) },
            requests_waiting: of(&self.requests_waiting),
            attempts_running: of(&self.attempts_running),
            attempts_waiting: of(&self.attempts_waiting),
            is_full: self.is_full.load(Ordering::Relaxed),
            turns: std::array::from_fn(|bucket| of(&self.turn_buckets[bucket])),
            turn_time: Duration::from_micros(of(&self.turn_us)),
        }
    }
}

fn add(count: &AtomicU64, more: u64) {
    count.fetch_add(more, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_is_counted_in_the_bucket_whose_bound_it_does_not_pass() {
        let meter = Meter::default();
        for us in [0, 50, 51, 1_000_000, 1_000_001] {
            meter.turn(Duration::from_micros(us), JournalStats::default());
        }
        let figures = meter.read();
        assert_eq!(figures.turns, [2, 1, 0, 0, 0, 0, 0, 0, 0, 1, 1]);
        assert_eq!(figures.turn_time, Duration::from_micros(2_000_102));
    }
}
