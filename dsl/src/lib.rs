//! The runbook language: text in, a checked plan out.
//!
//! [`compile()`] takes a runbook's text and gives a [`graph::Graph`] or every diagnostic at once.
//!
//! This crate knows no clock, no task, no store, and reads no file but those it is given through
//! [`compile::Files`]. It depends on no other crate of the workspace.

mod check;
pub mod compile;
pub mod diagnostic;
pub mod event;
pub mod expr;
pub mod graph;
pub mod limits;
pub mod param;
mod runbook;
pub mod scalar;
pub mod schedule;
pub mod source;
mod step;
pub mod test_file;
pub mod value;
pub mod yaml;

pub use compile::{Compiled, FileContent, FileError, Files, NoFiles, compile};
