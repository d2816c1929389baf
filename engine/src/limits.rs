//! Every limit of the engine, with its unit and its reason.

use lockstep_dsl::value::Millis;

/// Events that a watcher may leave unread before older states of a step give way to newer ones.
pub const MAX_UNREAD_EVENTS: usize = 1_024;

/// Requests that wait for the engine's next turn; callers beyond it wait in line.
pub const MAX_WAITING_CALLS: usize = 1_024;

/// For `on_failure` and `finally` of a run together: time of their own, since the run's timeout may be why they run.
pub const TAIL: Millis = Millis(10 * 60 * 1000);

/// Repeats of an attempt whose outcome is unknown, where its effect allows repeats: a host that dies again and again must
/// not be fed for ever.
pub const LOST_ATTEMPTS: u32 = 3;
