//! A run: its state, the records that change it, and the decisions about it.
//!
//! [`Run::apply`] is the only way to change a run, and the same for live work and for replay.

mod apply;
mod decide;
mod path;
mod record;
mod state;

pub use decide::{Answer, Input, Refused, decide};
pub use record::{
    Change, Delay, Question, Record, Resolution, RunError, RunOutcome, Settlement, Skip, StepStatus, StopCause,
};
pub use state::{Activation, ActivationNo, Grant, Halt, Phase, Run, RunStatus, Step, Timer};
