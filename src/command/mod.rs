//! The verbs, one a file. Each has its options and an `execute` that reads from top to bottom.

pub mod check;
pub mod completions;
pub mod graph;
