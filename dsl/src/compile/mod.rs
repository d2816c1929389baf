//! From text to step graph, top to bottom: parse, resolve, check, lower.

/// Placeholder until the front end lands.
pub const fn compile() {}
