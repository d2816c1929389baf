//! Attempts in the world: supervisors and their folders, commands, requests, and what became of each.
//!
//! Holds what the table at the top of `supervisor/mod.rs` says. Knows nothing of time: the world does.

use std::collections::BTreeMap;

use crate::id::{RunId, StepNo, Token};
use crate::worker::{Attempt, Outcome};

/// A run's token: what names an attempt.
pub type Key = (RunId, Token);

/// What is known of all attempts, by the world and not by the engine.
#[derive(Debug, Default)]
pub struct Spool {
    /// By name; those whose folder is gone are not there.
    pub attempts: BTreeMap<Key, Entry>,
    /// How many attempts each key has had.
    tries: BTreeMap<String, u64>,
}

/// An attempt, its supervisor, its command and its folder in one.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact about the world that may hold with or without the others"
)]
pub struct Entry {
    /// The step, to be named in the report.
    pub step: StepNo,
    /// Its step's path.
    pub path: String,
    /// Its key.
    pub key: String,
    /// Its number, as it is told.
    pub number: u32,
    /// Its place among all with this key.
    pub place: u64,
    /// Whether its outcome may be unknown to all.
    pub is_request: bool,
    /// A supervisor lives, or the request is on its way.
    pub supervised: bool,
    /// The command, or the request, runs.
    pub runs: bool,
    /// It has begun, and says so.
    pub begun: bool,
    /// It was asked to stop.
    pub stopping: bool,
    /// How it ended, written down.
    pub exit: Option<Outcome>,
    /// Whether that would survive a loss of power.
    pub exit_synced: bool,
    /// The engine that waits for it.
    pub engine: Option<u64>,
    /// The boot in which it was made.
    pub boot: u64,
    /// Counts what was planned for it, so that an end that was put off does not come twice.
    pub plan: u64,
    /// When it ends by itself.
    pub ends: Option<u64>,
    /// Milliseconds that it may take to stop.
    pub grace: u64,
}

impl Entry {
    /// An attempt that an engine has just been granted.
    pub fn new(step: StepNo, attempt: &Attempt, engine: u64, boot: u64) -> Self {
        Self {
            step,
            path: attempt.step.clone(),
            key: attempt.key.clone(),
            number: attempt.number,
            place: 0,
            is_request: attempt.action == "http",
            supervised: true,
            runs: false,
            begun: false,
            stopping: false,
            exit: None,
            exit_synced: false,
            engine: Some(engine),
            boot,
            plan: 0,
            ends: None,
            grace: attempt.grace.0,
        }
    }
}

/// What an engine finds out about an attempt of a former one.
#[derive(Debug)]
pub enum Found {
    /// It ended so.
    Ended(Outcome),
    /// It runs, and is waited for.
    Lives,
    /// It certainly has not begun: it is to be.
    NotBegun,
    /// Nobody knows; what was left of it has been ended.
    Unknown(&'static str),
}

impl Spool {
    /// Takes an attempt in.
    pub fn add(&mut self, key: Key, mut entry: Entry) {
        let tries = self.tries.entry(entry.key.clone()).or_default();
        *tries += 1;
        entry.place = *tries;
        self.attempts.insert(key, entry);
    }

    /// Looks at what became of an attempt, for the engine that is to wait for it.
    pub fn recover(&mut self, key: Key, step: StepNo, attempt: &Attempt, this_boot: bool, now: (u64, u64)) -> Found {
        let (engine, boot) = now;
        let Some(entry) = self.attempts.get_mut(&key) else {
            let is_request = attempt.action == "http";
            let mut entry = Entry::new(step, attempt, engine, boot);
            entry.supervised = !is_request && this_boot;
            if !this_boot {
                // It was granted before the machine was started anew, whoever looks.
                entry.boot = boot - 1;
            }
            self.add(key, entry);
            return match (is_request, this_boot) {
                (true, _) => Found::Unknown("the engine stopped while the step ran"),
                (false, true) => Found::NotBegun,
                (false, false) => Found::Unknown("the machine was started anew while the command ran"),
            };
        };
        entry.engine = Some(engine);
        if entry.is_request {
            return Found::Unknown("the engine stopped while the step ran");
        }
        if let Some(exit) = &entry.exit {
            return Found::Ended(exit.clone());
        }
        if entry.supervised {
            return Found::Lives;
        }
        if entry.boot != boot {
            return Found::Unknown("the machine was started anew while the command ran");
        }
        if entry.begun {
            return Found::Unknown("the supervisor of the command was killed");
        }
        entry.supervised = true;
        entry.stopping = false;
        Found::NotBegun
    }
}
