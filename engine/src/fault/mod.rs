//! Faults on purpose: what the suites that try to break the engine make happen, and nobody else can.
//!
//! * A [`Point`] stands at every durable write. With the feature `proof` the environment can make it crash the process
//!   before or after the write, fail it, delay it, panic or hang in it: see the module `plan`. Without the feature [`at`] is the write alone.
//! * A [`Bug`] is a mistake that somebody might make one day, planted at the line where it would be made. Each is off
//!   unless a suite turns it on, and each is there to be caught: a suite that cannot catch it proves nothing.
//!   Without the feature [`planted`] is the constant `false`.
//!
//! A binary that is shipped is built without the feature and holds nothing of this. Never decides anything by itself:
//! with nothing asked for, code with the feature does what code without it does.

mod bug;
#[cfg(feature = "proof")]
mod caught;
#[cfg(feature = "proof")]
pub mod plan;
mod point;

pub use self::bug::Bug;
#[cfg(feature = "proof")]
pub use self::bug::{Planted, plant};
#[cfg(feature = "proof")]
pub use self::caught::{is_caught, report_caught};
pub use self::point::Point;

use std::io;
use std::time::Duration;

/// The variables of the environment that ask for faults. Supervisors are told them too.
#[cfg(feature = "proof")]
pub const VARIABLES: [&str; 4] = [plan::FAULTS, plan::RELEASE, plan::TRACE, bug::PLANTED];

/// The variables of the environment that ask for faults: none in a binary that is shipped.
#[cfg(not(feature = "proof"))]
pub const VARIABLES: [&str; 0] = [];

/// Does a durable write, which may be made to fail here.
///
/// # Errors
/// Those of the write, and those that the plan asks for: one *before* the write has kept it from being done, one *after*
/// says so of a write that was done.
#[inline]
pub fn at<T>(point: Point, write: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    #[cfg(feature = "proof")]
    {
        plan::pass(point, plan::Side::Before)?;
        let written = write()?;
        plan::pass(point, plan::Side::After)?;
        Ok(written)
    }
    #[cfg(not(feature = "proof"))]
    {
        let _ = point;
        write()
    }
}

/// How long what may hang is waited for: a suite that makes it hang need not wait as long as people do.
#[cfg(feature = "proof")]
#[inline]
pub fn patience(usual: Duration) -> Duration {
    plan::patience(usual)
}

/// How long what may hang is waited for: as long as is usual, in a binary that is shipped.
#[cfg(not(feature = "proof"))]
#[inline]
pub const fn patience(usual: Duration) -> Duration {
    usual
}

/// Whether this mistake is to be made.
#[cfg(feature = "proof")]
#[inline]
pub fn planted(bug: Bug) -> bool {
    bug::is_planted(bug)
}

/// Whether this mistake is to be made: never, in a binary that is shipped.
#[cfg(not(feature = "proof"))]
#[inline]
pub const fn planted(_bug: Bug) -> bool {
    false
}
