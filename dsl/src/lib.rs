//! The runbook language: text in, a checked plan out.
//!
//! [`compile()`] takes a runbook's text and gives a [`graph::Graph`] or every diagnostic at once.
//!
//! This crate knows no clock, no task, no store, and reads no file but those it is given through
//! [`compile::Files`]. It depends on no other crate of the workspace.

pub mod compile;
pub mod diagnostic;
pub mod expr;
pub mod graph;
pub mod limits;
pub mod param;
pub mod scalar;
pub mod source;
pub mod value;
pub mod yaml;

pub use compile::compile;
