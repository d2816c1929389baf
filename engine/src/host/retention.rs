//! Keeps a data folder within its storage budget: the logs of ended runs go, the oldest first; where that is not enough
//! the oldest history goes, segment by segment.
//!
//! How much there is, is found out by a thread of its own; what is removed is decided here, a few runs a turn. Logs of runs
//! that are open are never touched, and no run loses its state: of what it did before, a run that is open may tell no
//! more, and one that has ended only how.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use lockstep_dsl::value::{Millis, Timestamp};

use super::budget::{Admission, Budget, reserve};
use super::rows::Rows;
use crate::driver::{Backing, Driver};
use crate::id::RunId;
use crate::limits::{
    FULL_RETRY_MS, RETENTION_AT_END, RETENTION_HEADROOM, RETENTION_MS, RETENTION_PART, RETENTION_RUNS_A_TURN,
};
use crate::worker::retired;

/// What a data folder may hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Storage {
    /// Bytes of all of it.
    pub max: Option<u64>,
    /// Bytes of all logs.
    pub logs: Option<u64>,
    /// How long runs that have ended are kept: their logs, and after them their rows in lists.
    pub keep: Keep,
}

/// How long something is kept after a run has ended so; without end where nothing is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keep {
    /// Of runs that succeeded.
    pub succeeded: Option<Millis>,
    /// Of runs that failed.
    pub failed: Option<Millis>,
    /// Of runs that were cancelled.
    pub cancelled: Option<Millis>,
}

impl Keep {
    /// Of runs that ended so.
    pub(super) fn of(&self, status: &str) -> Option<Millis> {
        match status {
            "succeeded" => self.succeeded,
            "failed" => self.failed,
            "cancelled" => self.cancelled,
            _ => None,
        }
    }

    /// Whether a run began so lately that its logs are kept whatever became of it.
    pub(super) fn is_too_young(&self, run: RunId, now: Timestamp) -> bool {
        let shortest = [self.succeeded, self.failed, self.cancelled].into_iter().flatten().min();
        shortest.is_none_or(|keep| {
            let keep = i64::try_from(keep.0).unwrap_or(i64::MAX);
            RunId::new(now.0.saturating_sub(keep).saturating_add(1), 0) <= run
        })
    }
}

/// What a data folder takes.
#[derive(Debug)]
struct Survey {
    /// Runs with logs, oldest first, and their bytes.
    runs: Vec<(RunId, u64)>,
    /// Bytes of all; 0 where it has no budget.
    bytes: u64,
    /// Bytes of segments that the journal had begun when this was begun.
    begun: u64,
}

/// What is to be removed of it.
#[derive(Debug, Default)]
struct Excess {
    /// Runs with logs that were not looked at, oldest first, and their bytes.
    runs: VecDeque<(RunId, u64)>,
    /// Bytes of logs that are over the budget, that of logs or that of all.
    logs: u64,
    /// Bytes that all is over its budget.
    over: u64,
}

/// Removes what is over.
#[derive(Debug)]
pub(super) struct Retention {
    storage: Storage,
    data: PathBuf,
    logs: PathBuf,
    /// Engine time of the next survey.
    next: u64,
    /// What the engine may have journaled by then.
    next_at: u64,
    coming: Option<JoinHandle<io::Result<Survey>>>,
    found: Excess,
    budget: Budget,
    rows: Rows,
}

impl Retention {
    /// For a data folder and the logs in it.
    pub fn new(storage: Storage, data: PathBuf, logs: PathBuf) -> Self {
        let budget = Budget::new(storage.max);
        let rows = Rows::new(storage.keep, logs.clone());
        Self { storage, data, logs, next: 0, next_at: 0, coming: None, found: Excess::default(), budget, rows }
    }

    /// Removes a little of what is over, and looks again now and then; never waits.
    pub fn tend<B: Backing>(&mut self, driver: &mut Driver<B>) {
        if self.storage == Storage::default() {
            return;
        }
        let now = driver.now();
        let waited_for = self.budget.is_short() && !self.budget.is_stuck();
        let has_grown = self.storage.max.is_some() && driver.bytes_journaled() >= self.next_at;
        if (now.time >= self.next || has_grown || waited_for)
            && self.coming.is_none()
            && self.found.runs.is_empty()
            && !driver.is_dropping_history()
        {
            self.next = now.time + RETENTION_MS;
            self.next_at = driver.bytes_journaled() + self.part();
            self.begin(driver);
        }
        if self.coming.as_ref().is_some_and(JoinHandle::is_finished) {
            self.take_in(driver);
        }
        self.remove(driver, RETENTION_RUNS_A_TURN);
        self.drop_history(driver);
        self.rows.tend(driver);
    }

    /// Whether new runs are started now. They wait while what is removed makes room for them.
    pub fn admit<B: Backing>(&mut self, driver: &Driver<B>) -> Admission {
        self.budget.admit(driver)
    }

    /// Removes what is over before the engine ends: one that lives for a single run would never come to it.
    pub fn finish<B: Backing>(&mut self, driver: &mut Driver<B>) {
        if self.storage == Storage::default() || driver.halted().is_some() {
            return;
        }
        // What was found earlier does not know the run that has just ended.
        self.take_in(driver);
        self.begin(driver);
        self.take_in(driver);
        let mut removed = 0;
        while removed < RETENTION_AT_END && !self.found.runs.is_empty() {
            removed += self.remove(driver, 1);
        }
        self.drop_history(driver);
        let removed = self.rows.finish(driver);
        if driver.is_dropping_history() {
            driver.finish_dropping();
            driver.close([]);
        } else if removed {
            driver.close([]);
        }
    }

    /// Lets go of the oldest history, once there are no logs left to remove and the folder is over its budget still.
    fn drop_history<B: Backing>(&mut self, driver: &mut Driver<B>) {
        if self.found.over == 0 || !self.found.runs.is_empty() {
            return;
        }
        let bytes = std::mem::take(&mut self.found.over) + self.part();
        match driver.drop_history(bytes) {
            Ok(Some(_)) => tracing::info!(bytes, "the oldest history is dropped, to keep within the storage budget"),
            Ok(None) => {
                tracing::warn!(bytes, "the folder is over its storage budget, and no history is left to drop");
                self.give_up(driver.now().time);
            }
            Err(error) => {
                tracing::warn!(error, "the folder is over its storage budget, and no history can be dropped");
                self.give_up(driver.now().time);
            }
        }
    }

    /// Nothing can be removed now. Where new runs wait for it, it is looked at again soon.
    fn give_up(&mut self, now: u64) {
        self.budget.give_up();
        if self.budget.is_short() {
            self.next = self.next.min(now + FULL_RETRY_MS);
        }
    }

    /// The part of the budget that matters at all.
    fn part(&self) -> u64 {
        self.storage.max.unwrap_or_default() / RETENTION_PART
    }

    /// Bytes that a folder which takes so many is over its budget. Room is made before it is needed: the journal takes it
    /// a segment at a time.
    fn over(&self, bytes: u64, reserve: u64) -> u64 {
        let Some(max) = self.storage.max else { return 0 };
        let wanted = max - RETENTION_HEADROOM.max(reserve).min(max / 2);
        bytes.saturating_sub(wanted).max(self.budget.over(bytes, reserve))
    }

    fn begin<B: Backing>(&mut self, driver: &Driver<B>) {
        let (storage, data, logs) = (self.storage, self.data.clone(), self.logs.clone());
        let begun = driver.growth().begun;
        let survey = move || survey(storage, &data, &logs, begun);
        self.coming = std::thread::Builder::new().name("retention".to_owned()).spawn(survey).ok();
    }

    /// Waits for the survey that is being made, if any.
    fn take_in<B: Backing>(&mut self, driver: &Driver<B>) {
        let Some(coming) = self.coming.take() else { return };
        match coming.join() {
            Ok(Ok(Survey { runs, bytes, begun })) => {
                let of_logs: u64 = runs.iter().map(|(_, bytes)| bytes).sum();
                let excess = self.storage.logs.map_or(0, |limit| of_logs.saturating_sub(limit));
                let over = self.over(bytes, reserve(driver));
                self.found = Excess { runs: runs.into(), logs: excess.max(over), over };
                self.budget.take_in(bytes, begun);
            }
            Ok(Err(error)) => tracing::warn!(%error, "the size of the logs cannot be found out"),
            Err(_) => tracing::error!("a bug of lockstep: finding out the size of the logs failed"),
        }
    }

    /// Looks at so many runs, and removes the logs of those that are over. Gives the number of these.
    fn remove<B: Backing>(&mut self, driver: &mut Driver<B>, runs: usize) -> usize {
        let mut removed = 0;
        for _ in 0..runs {
            let Some((run, bytes)) = self.found.runs.pop_front() else { break };
            let now = driver.now().wall;
            if self.found.logs == 0 && self.storage.keep.is_too_young(run, now) {
                // And so is all that follows. Nothing need be read to know that.
                self.found.runs.clear();
                break;
            }
            let (status, ended) = match driver.ended(run) {
                Ok(Some(ended)) => ended,
                Ok(None) => continue,
                Err(error) => {
                    tracing::warn!(%error, "which runs have ended cannot be found out, and no logs are removed");
                    self.found = Excess::default();
                    break;
                }
            };
            if self.found.logs == 0 && !is_over(self.storage.keep.of(&status), ended, now) {
                continue;
            }
            match retired::retire(&self.logs.join(run.to_string()), now) {
                Ok(()) => {
                    tracing::info!(%run, bytes, "the logs of a run are removed, to keep within the storage budget");
                    self.found.logs = self.found.logs.saturating_sub(bytes);
                    self.found.over = self.found.over.saturating_sub(bytes);
                    super::attempts::remove(&driver.places().secrets(run));
                    removed += 1;
                }
                Err(error) => tracing::warn!(%run, %error, "the logs of a run cannot be removed"),
            }
        }
        removed
    }
}

fn is_over(keep: Option<Millis>, ended: Timestamp, now: Timestamp) -> bool {
    let age = u64::try_from(now.0.saturating_sub(ended.0)).unwrap_or(0);
    keep.is_some_and(|keep| age >= keep.0)
}

fn survey(storage: Storage, data: &Path, logs: &Path, begun: u64) -> io::Result<Survey> {
    let mut runs: Vec<(RunId, u64)> = Vec::new();
    for entry in fs::read_dir(logs)? {
        let entry = entry?;
        let Some(run) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let bytes = retired::bytes(&entry.path())?;
        if bytes > 0 {
            runs.push((run, bytes));
        }
    }
    runs.sort_unstable();
    let bytes = if storage.max.is_some() { size(data)? } else { 0 };
    Ok(Survey { runs, bytes, begun })
}

/// Bytes of all files below a folder. What goes meanwhile does not count.
fn size(folder: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten() {
            let entry = entry?;
            match entry.metadata() {
                Ok(metadata) if metadata.is_dir() => folders.push(entry.path()),
                Ok(metadata) => bytes += metadata.len(),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(bytes)
}
