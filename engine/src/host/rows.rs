//! Removes runs that ended longer ago than they are to be kept: their row in lists, and whatever is left of their logs.
//!
//! All rows are looked at now and then, some at a time, the oldest first; never by an engine that has not read them for another
//! reason. First the removal is durable, then the logs go: what a crash leaves of them goes with the next look.

use std::fs;
use std::io;
use std::path::PathBuf;

use lockstep_dsl::value::Timestamp;

use super::retention::Keep;
use crate::api::RunRow;
use crate::driver::{Backing, Driver, PastRows};
use crate::id::RunId;
use crate::limits::{LEAST_ROW_MS, ROWS_AT_END, ROWS_AT_ONCE, ROWS_MS, ROWS_PAUSE_MS};

/// Where the looking is.
#[derive(Debug)]
pub(super) struct Rows {
    keep: Keep,
    logs: PathBuf,
    /// Engine time of the next look.
    next: u64,
    /// The last row that was looked at; `None` before the first.
    behind: Option<RunId>,
    /// Whether any was removed since the history was looked at.
    removed: bool,
}

impl Rows {
    /// For the logs of a data folder.
    pub const fn new(keep: Keep, logs: PathBuf) -> Self {
        Self { keep, logs, next: 0, behind: None, removed: false }
    }

    /// Looks at some rows, if it is time to.
    pub fn tend<B: Backing>(&mut self, driver: &mut Driver<B>) {
        let now = driver.now().time;
        if now < self.next || !self.may_look(driver) {
            return;
        }
        self.look(driver);
        self.next = now + if self.behind.is_some() { ROWS_PAUSE_MS } else { ROWS_MS };
    }

    /// Looks at all rows, up to a limit, before the engine ends. Says whether any was removed.
    pub fn finish<B: Backing>(&mut self, driver: &mut Driver<B>) -> bool {
        let (mut left, mut removed) = (ROWS_AT_END, false);
        while left > 0 && self.may_look(driver) {
            removed |= self.look(driver) > 0;
            left = left.saturating_sub(ROWS_AT_ONCE);
            if self.behind.is_none() {
                break;
            }
        }
        removed
    }

    fn may_look<B: Backing>(&self, driver: &Driver<B>) -> bool {
        self.keep != Keep::default() && driver.has_read_all() && driver.full().is_none() && driver.halted().is_none()
    }

    /// Looks at the next rows, and removes those of runs that are not to be kept. Gives their number.
    fn look<B: Backing>(&mut self, driver: &mut Driver<B>) -> usize {
        if self.behind.is_none() {
            self.sweep(driver);
        }
        let found = match driver.past_rows(self.behind, ROWS_AT_ONCE) {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(error, "the rows of runs that have ended cannot be read, and none is removed");
                self.behind = None;
                return 0;
            }
        };
        let now = driver.now().wall;
        let removed = self.remove(driver, &found);
        self.behind = found.last.filter(|last| !self.keep.is_too_young(*last, now));
        if self.behind.is_none() && std::mem::take(&mut self.removed) {
            drop_history(driver);
        }
        removed
    }

    /// Removes those that are over. Gives their number.
    fn remove<B: Backing>(&mut self, driver: &mut Driver<B>, found: &PastRows) -> usize {
        let now = driver.now().wall;
        let runs: Vec<RunId> = found.rows.iter().filter(|row| self.is_over(row, now)).map(|row| row.id).collect();
        // What follows from it is nothing but that it is durable.
        let (_, is_done) = driver.remove_runs(runs.clone());
        if !is_done {
            return 0;
        }
        tracing::info!(runs = runs.len(), "runs that ended long ago are removed");
        self.removed = true;
        for run in &runs {
            self.remove_logs(*run);
        }
        runs.len()
    }

    fn is_over(&self, row: &RunRow, now: Timestamp) -> bool {
        let (Some(keep), Some(ended)) = (self.keep.of(&row.status), row.ended) else { return false };
        let age = u64::try_from(now.0.saturating_sub(ended.0)).unwrap_or(0);
        age >= keep.0.max(LEAST_ROW_MS)
    }

    /// Removes the logs of runs that were removed, where a crash came between.
    fn sweep<B: Backing>(&self, driver: &mut Driver<B>) {
        let Some(removed) = driver.removed_up_to() else { return };
        for entry in fs::read_dir(&self.logs).into_iter().flatten().flatten() {
            let run: Option<RunId> = entry.file_name().to_str().and_then(|name| name.parse().ok());
            if let Some(run) = run.filter(|run| *run <= removed && driver.was_removed(*run)) {
                self.remove_logs(run);
            }
        }
    }

    fn remove_logs(&self, run: RunId) {
        match fs::remove_dir_all(self.logs.join(run.to_string())) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(%run, %error, "the logs of a run that was removed cannot be removed");
            }
            Ok(()) | Err(_) => {}
        }
    }
}

/// Lets go of the history that nobody is left to ask for.
fn drop_history<B: Backing>(driver: &mut Driver<B>) {
    match driver.drop_removed_history() {
        Ok(Some(_)) => tracing::info!("history that only tells of runs which were removed is dropped"),
        Ok(None) => {}
        Err(error) => tracing::warn!(error, "it is not known what history is still needed, and none is dropped"),
    }
}
