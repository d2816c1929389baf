//! A run rehearsed: the driver of the program over a disk in memory, a clock that jumps to whatever is next, and attempts
//! that are played from a [`Script`] in place of workers. A wait of three days takes no time, and nothing outside of this
//! process is touched.
//!
//! Everything that a process does around the driver (`host/service.rs`) is done here in the same order: turn, carry out,
//! tend, carry out. What is decided about the run is decided by the core alone, so that what holds in a rehearsal holds
//! in the program.
//!
//! A rehearsal may have [`Trouble`]: the engine is killed with a durable write, with the host or without, and recovers. The
//! same setting with the same script gives the same [`Story`] each time: nothing here reads a clock, a file or chance.
//!
//! It is part of the program, for `lockstep test`. It decides nothing about a run, and knows nothing of test files.

mod act;
mod attempts;
mod command;
mod observer;
mod script;
mod story;
mod world;

#[cfg(test)]
mod tests;

pub use act::{Act, What};
pub use command::{Said, ended};
pub use script::{Play, Script};
pub use story::{Attempted, Begun, Called, End, Missing, Reached, Story};
pub use world::{Loss, Setting, Trouble, rehearse};
