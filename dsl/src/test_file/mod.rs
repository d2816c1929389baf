//! `<name>.test.yaml`: cases that a runbook is tested with, read as strictly as a runbook.
//!
//! [`read`] gives what stands in the file; [`check`] holds it against the runbook that it is for. Nothing here runs a case.

mod calls;
mod check;
mod expect;
mod mock;
mod pattern;
mod read;
mod stand_in;
#[cfg(test)]
mod tests;
mod word;

pub use calls::{CallParams, CallsExpect};
pub use check::check;
pub use expect::{ErrorExpect, Expect, Lasts, RunStatus, StepExpect};
pub use mock::{Answer, Command, Mock, MockError, Mocks, Response, Truncated};
pub use pattern::PathPattern;
pub use read::read;
pub use stand_in::{STAND_IN, STAND_IN_OUTPUTS, with_stand_ins};
pub use word::Word;

use std::collections::BTreeMap;

use crate::param::Given;
use crate::source::{Span, Spanned};
use crate::value::{Map, Millis, Timestamp, Value};

/// One file of cases.
#[derive(Clone, Debug)]
pub struct TestFile {
    /// The runbook that is tested.
    pub runbook: Spanned<String>,
    /// The cases, in file order.
    pub cases: Vec<Case>,
}

/// One case, with what the file says for all of them filled in.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its name.
    pub name: Spanned<String>,
    /// Given parameters, by name.
    pub params: Vec<(Spanned<String>, Given)>,
    /// When the run begins; a fixed moment where the case does not say.
    pub begins: Option<Timestamp>,
    /// Who asks for the run.
    pub by: Option<String>,
    /// The people of each group.
    pub groups: BTreeMap<String, Vec<String>>,
    /// What steps do, a case's own before those of the file.
    pub mocks: Vec<Mocks>,
    /// What people do while the run goes on.
    pub acts: Vec<Act>,
    /// When the case ends, wherever the run then is; at the run's end where nothing is said.
    pub until: Option<Millis>,
    /// What must come of it.
    pub expect: Expect,
}

/// Something that a person does.
#[derive(Clone, Debug)]
pub struct Act {
    /// Where it stands.
    pub span: Span,
    /// How long after the run's beginning.
    pub after: Millis,
    /// Who.
    pub by: Option<String>,
    /// What.
    pub what: What,
}

/// What a person does.
#[derive(Clone, Debug)]
pub enum What {
    /// Cancels the run.
    Cancel,
    /// Has it go on.
    Retry,
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
        step: Spanned<String>,
        /// Whether they approve.
        yes: bool,
        /// What they say to it.
        comment: Option<String>,
    },
    /// Fills in what a step asks for.
    Answer {
        /// The step's path.
        step: Spanned<String>,
        /// The fields, as texts of the command line.
        fields: BTreeMap<String, String>,
    },
    /// Has it begin nothing new.
    Pause,
    /// Lets it go on after that.
    Resume,
    /// Has a step not run.
    Skip {
        /// The step's path.
        step: Spanned<String>,
        /// Why.
        reason: String,
    },
    /// Says of a step in doubt that it was done, with these outputs.
    Done {
        /// The step's path.
        step: Spanned<String>,
        /// What it gave.
        outputs: Map,
    },
    /// Says of a step in doubt that it was not done and has failed.
    Failed(Spanned<String>),
    /// Says of a step in doubt that it is to be run again.
    Rerun(Spanned<String>),
}
