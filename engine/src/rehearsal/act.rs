//! What people do while a run is rehearsed.

use std::collections::BTreeMap;

use lockstep_dsl::value::{Millis, Value};

use crate::api::Request;
use crate::core::run::{Person, Resolution};
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
    /// Says yes or no to what a step asks.
    Vote {
        /// The step's path.
        step: String,
        /// Whether they approve.
        yes: bool,
        /// Who, with the groups they belong to.
        person: Person,
        /// What they say to it.
        comment: Option<String>,
    },
    /// Fills in what a step asks for.
    Answer {
        /// The step's path.
        step: String,
        /// The fields, as texts of a command line.
        fields: BTreeMap<String, String>,
        /// Who, with the groups they belong to.
        person: Person,
    },
    /// Has it begin nothing new.
    Pause,
    /// Lets it go on after that.
    Unpause,
    /// Has a step not run.
    Skip {
        /// The step's path.
        step: String,
        /// Why.
        reason: String,
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

impl What {
    /// The path of the step that it is about.
    pub(super) const fn step_mut(&mut self) -> Option<&mut String> {
        match self {
            Self::Vote { step, .. }
            | Self::Answer { step, .. }
            | Self::Skip { step, .. }
            | Self::Resolve { step, .. } => Some(step),
            Self::Cancel | Self::Signal { .. } | Self::Pause | Self::Unpause | Self::Retry => None,
        }
    }
}

impl Act {
    /// The request that it is.
    pub(super) fn request(&self, run: RunId) -> Request {
        let (run, by) = (run.to_string(), self.by.clone());
        match &self.what {
            What::Cancel => Request::Cancel { run, by, undo: false },
            What::Resolve { step, how } => Request::Resolve { run, step: step.clone(), how: how.clone(), by },
            What::Signal { name, payload } => Request::Signal { run, name: name.clone(), payload: payload.clone(), by },
            What::Vote { step, yes, person, comment } => {
                let (step, person, comment) = (step.clone(), person.clone(), comment.clone());
                Request::Vote { run, step, yes: *yes, person, comment }
            }
            What::Answer { step, fields, person } => {
                Request::Answer { run, step: step.clone(), fields: fields.clone(), person: person.clone() }
            }
            What::Pause => Request::Pause { run, by, reason: None },
            What::Unpause => Request::Unpause { run, by },
            What::Skip { step, reason } => Request::Skip { run, step: step.clone(), by, reason: reason.clone() },
            What::Retry => Request::Retry { run, by },
        }
    }
}
