//! What attempts do in a rehearsal.

use lockstep_dsl::value::Millis;

use crate::core::run::Answer;
use crate::worker::pages::PageRead;
use crate::worker::{Attempt, Outcome};

/// Says what attempts do, in place of workers.
pub trait Script {
    /// What an attempt does; asked once for each that begins. `None` where nothing is said of it, which ends the rehearsal.
    fn play(&mut self, attempt: &Attempt) -> Option<Play>;

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
