//! What is happening to a step, and what is due at a point in time.

use lockstep_dsl::value::Timestamp;
use serde::{Deserialize, Serialize};

use super::pause::Hold;
use super::record::{Delay, Question, Skip, StepStatus, StopCause};
use crate::id::{RunId, StepNo, Token};

/// What is happening to a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Phase {
    /// It waits for what it needs.
    Pending,
    /// The evaluator owes an answer.
    Asking(Question),
    /// It has begun and the next thing is decided in the same frame.
    Deciding,
    /// An attempt is with a worker.
    Running {
        /// Its token.
        token: Token,
        /// Why it was asked to stop.
        stopping: Option<StopCause>,
    },
    /// It waits for time.
    Delayed {
        /// Engine time in milliseconds.
        until: u64,
        /// The same as wall clock, for people.
        wall: Timestamp,
        /// What for.
        why: Delay,
    },
    /// It waits for somebody outside the run to say something.
    Awaiting {
        /// Since when.
        since: Timestamp,
    },
    /// It waits for the key that it is to hold while it runs.
    Locking {
        /// Since when.
        since: Timestamp,
    },
    /// It would go on if the run were not paused.
    Held {
        /// What comes next.
        what: Hold,
        /// Since when.
        since: Timestamp,
    },
    /// It waits for the end of a run that it called.
    Calling {
        /// The run.
        run: RunId,
        /// Since when.
        since: Timestamp,
        /// Why that run was cancelled.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stopping: Option<StopCause>,
    },
    /// A block of its own runs: its steps, a handler, or its `finally`.
    Inside,
    /// The outcome of its last attempt is unknown.
    InDoubt {
        /// The attempt.
        token: Token,
        /// What is known.
        why: String,
        /// Since when.
        since: Timestamp,
    },
    /// It ended.
    Ended {
        /// How.
        status: StepStatus,
        /// Why it was skipped.
        skip: Option<Skip>,
    },
}

/// What is due at a point in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Timer {
    /// The step's [`Phase::Delayed`] is over.
    Delay(StepNo),
    /// The limit of the step's attempt, or of its block's activation.
    Attempt(StepNo),
    /// The limit over all the step's attempts.
    Total(StepNo),
    /// The run's limit.
    Run,
    /// The limit of `on_failure` and `finally` together.
    Tail,
    /// From here on others may answer the step, too.
    Escalate(StepNo),
}
