//! A run: its state, the records that change it, and the decisions about it.
//!
//! [`Run::apply`] is the only way to change a run, and the same for live work and for replay.

mod apply;
mod block;
mod conclude;
mod decide;
mod links;
mod path;
mod record;
mod reopen;
mod state;
mod step;
mod stop;
mod turn;

pub use decide::{Answer, Input, Refused, decide};
pub use links::Links;
pub use record::{
    Change, Delay, Question, Record, Resolution, RunError, RunOutcome, Settlement, Skip, StepStatus, StopCause,
};
pub use state::{Activation, ActivationNo, Grant, Halt, Phase, Run, RunStatus, Step, Timer};
