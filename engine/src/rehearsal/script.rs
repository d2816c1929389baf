//! What attempts do in a rehearsal.

use lockstep_dsl::value::Millis;

use super::act::Act;
use crate::core::run::Answer;
use crate::worker::pages::PageRead;
use crate::worker::{Attempt, Outcome};

/// Says what attempts do, in place of workers.
pub trait Script {
    /// What an attempt does; asked once for each that begins. `None` where nothing is said of it, which ends the rehearsal.
    fn play(&mut self, attempt: &Attempt) -> Option<Play>;

    /// What is said to a step that has begun to wait for somebody, each `after` counted from then. Asked once for each wait.
    /// `signal` is the name of the signal that it waits for, where it waits for one.
    fn words(&mut self, path: &str, signal: Option<&str>) -> Vec<Act>;

    /// A page of the file that a step runs over. `None` where nothing is said of that file, which ends the rehearsal.
    fn page(&mut self, path: &str, read: &PageRead) -> Option<Answer>;
}

/// What one attempt does.
#[derive(Clone, Debug, PartialEq)]
pub struct Play {
    /// How long it takes.
    pub takes: Millis,
    /// How it ends, unless it is stopped before.
    pub outcome: Outcome,
}
