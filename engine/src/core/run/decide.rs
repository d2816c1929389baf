//! What follows from an input.

use lockstep_dsl::value::Value;

use super::record::{Change, Question, Resolution};
use super::state::Run;
use crate::clock::Stamp;
use crate::id::{StepNo, Token};
use crate::worker::{Failure, Outcome};

/// What the evaluator says to a [`Question`].
pub type Answer = Result<Value, Failure>;

/// Something that happened to a run.
#[derive(Clone, Debug)]
pub enum Input {
    /// It may start.
    Start,
    /// The evaluator answers. An answer to a question that is not open any more changes nothing.
    Answered {
        /// The step; `None` for the run itself.
        step: Option<StepNo>,
        /// The question.
        question: Question,
        /// The answer.
        answer: Answer,
    },
    /// A worker says how an attempt ended. After a crash the driver says `Outcome::Unknown` for what no worker has.
    Reported {
        /// The step.
        step: StepNo,
        /// The attempt's token; a superseded one is refused.
        token: Token,
        /// How it ended.
        outcome: Outcome,
    },
    /// Time has passed: whatever is due by the stamp happens.
    Due,
    /// Somebody asks for the run to be cancelled.
    Cancel {
        /// Who.
        by: String,
    },
    /// A person says how a step in doubt goes on.
    Resolve {
        /// The step's path.
        step: String,
        /// How.
        how: Resolution,
        /// Who.
        by: String,
    },
    /// A person asks for a failed or cancelled run to go on.
    Retry {
        /// Who.
        by: String,
    },
    /// Deciding about the run panicked.
    Quarantine {
        /// The panic's message.
        why: String,
    },
}

/// Why an input changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There is no such run, or it ended and was let go of.
    #[error("there is no such open run")]
    NoSuchRun,
    /// The token is not that of the step's current attempt.
    #[error("the attempt was superseded")]
    Superseded,
    /// It cannot be done to the run as it is; the text says why.
    #[error("{0}")]
    NotNow(String),
}

/// Decides what follows from an input. Every change is applied to `run` as it is decided, and noted in `changes`.
///
/// # Errors
/// The input cannot be followed; then nothing has changed.
pub fn decide(run: &mut Run, input: Input, now: Stamp, changes: &mut Vec<Change>) -> Result<(), Refused> {
    let _ = (run, input, now, changes);
    Ok(())
}
