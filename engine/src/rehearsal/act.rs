//! What people do while a run is rehearsed.

use lockstep_dsl::value::{Millis, Value};

use crate::api::Request;
use crate::core::run::Resolution;
use crate::id::RunId;

/// Something that somebody does.
#[derive(Clone, Debug, PartialEq)]
pub struct Act {
    /// How long after the run's beginning.
    pub after: Millis,
    /// Who.
    pub by: String,
    /// What.
    pub what: What,
}

/// What somebody does.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// Asks for a cancel; a second time cuts `finally` short.
    Cancel,
    /// Sends the run a signal.
    Signal {
        /// Its name.
        name: String,
        /// What it carries.
        payload: Value,
    },
    /// Says how a step in doubt goes on.
    Resolve {
        /// The step's path.
        step: String,
        /// How.
        how: Resolution,
    },
    /// Has a run that failed or was cancelled go on.
    Retry,
}

impl Act {
    /// The request that it is.
    pub(super) fn request(&self, run: RunId) -> Request {
        let (run, by) = (run.to_string(), self.by.clone());
        match &self.what {
            What::Cancel => Request::Cancel { run, by, undo: false },
            What::Resolve { step, how } => Request::Resolve { run, step: step.clone(), how: how.clone(), by },
            What::Signal { name, payload } => Request::Signal { run, name: name.clone(), payload: payload.clone(), by },
            What::Retry => Request::Retry { run, by },
        }
    }
}
