//! Every limit of the engine, with its unit and its reason.

/// Events that a watcher may leave unread before older states of a step give way to newer ones.
pub const MAX_UNREAD_EVENTS: usize = 1_024;

/// Requests that wait for the engine's next turn; callers beyond it wait in line.
pub const MAX_WAITING_CALLS: usize = 1_024;
