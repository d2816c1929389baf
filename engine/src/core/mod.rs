//! Decides what happens next. Never touches the disk, the clock or a task: callers pass inputs in and carry effects
//! out.
//!
//! [`State::decide`] takes one input and gives the records that follow from it, already applied; the same records
//! applied to the same state at replay give the same state. What is outstanding (questions to the evaluator, attempts
//! with workers, timers) is read from the state.

mod handout;
pub mod lock;
pub mod run;
pub mod schedule;
mod state;

pub use handout::Notice;
pub use state::{Command, State};
