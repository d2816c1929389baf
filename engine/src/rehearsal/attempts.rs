//! Attempts in a rehearsal: what is known of each by the world, not by the engine.

use std::collections::{BTreeMap, BTreeSet};

use super::command::{is_command, stopped};
use crate::id::{RunId, StepNo, Token};
use crate::worker::{Attempt, Outcome};

/// A run's token: what names an attempt.
pub(super) type Key = (RunId, Token);

/// How an attempt ends, and when.
#[derive(Clone, Debug)]
pub(super) struct Ending {
    pub at: u64,
    /// Orders those of one moment: by when they were planned first.
    pub place: u64,
    pub outcome: Outcome,
}

/// An attempt.
#[derive(Debug)]
pub(super) struct Entry {
    /// The step, to be named in the report.
    pub step: StepNo,
    pub attempt: Attempt,
    pub ending: Ending,
    /// It has ended; the outcome is written down.
    pub ended: bool,
    /// Asked to stop.
    stopping: bool,
}

/// What an engine finds of an attempt of a former one.
pub(super) enum Found {
    /// It ended so.
    Ended(Outcome),
    /// It runs, and is waited for.
    Lives,
    /// It certainly has not begun.
    NotBegun,
    /// Nobody knows.
    Unknown(&'static str),
}

/// All attempts.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    entries: BTreeMap<Key, Entry>,
    /// Attempts that ever began.
    begun: BTreeSet<Key>,
    /// What attempts would have done that were lost with an engine, by the path of their step: the next one does it.
    lost: BTreeMap<String, Ending>,
    /// Keys of attempts that must not be repeated, of whose end no engine has heard.
    open: BTreeSet<String>,
}

impl Attempts {
    /// What a lost attempt of the step would have done.
    pub fn take_lost(&mut self, path: &str) -> Option<Ending> {
        self.lost.remove(path)
    }

    /// What a lost attempt of the step would have done, left where it is.
    pub fn lost(&self, path: &str) -> Option<&Ending> {
        self.lost.get(path)
    }

    /// The next attempt of the step does what one would have done that never began.
    pub fn put_off(&mut self, path: &str, ending: Ending) {
        self.lost.insert(path.to_owned(), ending);
    }

    /// An attempt begins. Says whether it may: one that must not be repeated has begun before, and nobody knows how that
    /// ended.
    pub fn begin(&mut self, step: StepNo, attempt: Attempt, ending: Ending) -> bool {
        let key = (attempt.run, attempt.token);
        let fresh = self.begun.insert(key);
        let may = !attempt.once || (fresh && self.open.insert(attempt.key.clone()));
        self.entries.insert(key, Entry { step, attempt, ending, ended: false, stopping: false });
        may
    }

    /// A person says what became of an attempt: if it is repeated now, it is on their word.
    pub fn may_be_repeated(&mut self, run: RunId, path: &str) {
        self.open.retain(|key| !names(key, run, path));
    }

    /// When the next attempt ends.
    pub fn next_end(&self) -> Option<u64> {
        self.going_on().map(|entry| entry.ending.at).min()
    }

    /// The next attempt that has ended by now, with what is to be reported of it.
    pub fn end_one(&mut self, now: u64) -> Option<(RunId, StepNo, Token, Outcome)> {
        let ended = |(_, entry): &(&Key, &Entry)| !entry.ended && entry.ending.at <= now;
        let next = self.entries.iter().filter(ended).min_by_key(|(_, entry)| (entry.ending.at, entry.ending.place));
        let key = *next?.0;
        let entry = self.entries.get_mut(&key)?;
        entry.ended = true;
        let report = (key.0, entry.step, key.1, entry.ending.outcome.clone());
        if !matches!(report.3, Outcome::Unknown { .. }) {
            self.open.remove(&entry.attempt.key);
        }
        Some(report)
    }

    /// The engine asks an attempt to stop.
    pub fn stop(&mut self, key: Key, now: u64) {
        if let Some(entry) = self.entries.get_mut(&key).filter(|entry| !entry.ended && !entry.stopping) {
            entry.stopping = true;
            entry.ending = Ending { at: now, place: entry.ending.place, outcome: stopped(&entry.attempt) };
        }
    }

    /// The outcome is durable.
    pub fn forget(&mut self, key: Key) {
        self.entries.remove(&key);
    }

    /// The engine is killed: requests end unheard, commands go on under their supervisors.
    pub fn lose_engine(&mut self) {
        self.lose(|entry| !is_command(&entry.attempt));
    }

    /// The host goes down: everything ends, and what was written down of ends is lost too.
    pub fn lose_host(&mut self) {
        self.lose(|_| true);
    }

    fn lose(&mut self, lost: impl Fn(&Entry) -> bool) {
        let keys: Vec<Key> = self.entries.iter().filter(|(_, entry)| lost(entry)).map(|(key, _)| *key).collect();
        for key in keys {
            // The engine took the report of one that has ended with a durable write.
            if let Some(entry) = self.entries.remove(&key).filter(|entry| !entry.ended) {
                self.lost.insert(entry.attempt.step.clone(), entry.ending);
            }
        }
    }

    /// An engine finds out what became of an attempt of a former one.
    pub fn recover(&mut self, step: StepNo, attempt: &Attempt, this_boot: bool) -> Found {
        let key = (attempt.run, attempt.token);
        if let Some(entry) = self.entries.get_mut(&key) {
            entry.step = step;
            return if entry.ended { Found::Ended(entry.ending.outcome.clone()) } else { Found::Lives };
        }
        if !is_command(attempt) {
            return Found::Unknown("the engine stopped while the step ran");
        }
        if this_boot && !self.begun.contains(&key) {
            return Found::NotBegun;
        }
        Found::Unknown("the machine was started anew while the command ran")
    }

    fn going_on(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values().filter(|entry| !entry.ended)
    }
}

/// Whether `LOCKSTEP_KEY` is of the step with this path: `RUN/path`, with `@2` behind it for a later round.
fn names(key: &str, run: RunId, path: &str) -> bool {
    let of_run = key.strip_prefix(run.to_string().as_str()).and_then(|rest| rest.strip_prefix('/'));
    of_run.and_then(|rest| rest.strip_prefix(path)).is_some_and(|rest| rest.is_empty() || rest.starts_with('@'))
}
