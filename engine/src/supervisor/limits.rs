//! The limits of supervisors, each with its unit and the reason for its size.

use std::time::Duration;

/// How long a supervisor waits to be told that the end it has written down is durable elsewhere, before it syncs the
/// record itself: a commit takes milliseconds, and the engine may be gone.
pub const ACKNOWLEDGE: Duration = Duration::from_secs(1);

/// The first look for the acknowledgement; each further one comes after twice the time.
pub const FIRST_LOOK: Duration = Duration::from_millis(2);

/// How often the record of an end is tried to be written while the disk has no room for it.
pub const WRITE_AGAIN: Duration = Duration::from_millis(500);

/// How long an engine may take to hear, from its supervisor, of an end that there was no room to write down.
pub const HEAR: Duration = Duration::from_secs(5);

/// Bytes of the record of an end: all outputs of a command at their greatest, several times over.
pub const EXIT_BYTES: usize = 16 * 1024 * 1024;

/// How often an engine looks at a supervisor that it has not started itself: the log, the record of the end, the lock.
pub const ATTACHED_POLL: Duration = Duration::from_millis(50);

/// A grace beyond this one never ends; clocks cannot count much further.
pub const LONGEST_GRACE: Duration = Duration::from_hours(365 * 24);
