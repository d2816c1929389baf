//! Time, as the engine takes it in.
//!
//! *Engine time* is what timers count in: milliseconds that never go back. It starts as the wall clock of the first
//! start, goes on by `CLOCK_BOOTTIME` while the machine is up, and over a reboot by what the wall clock says has passed,
//! but never by less than nothing. So a wall clock that is set back or forward while the engine runs moves no timer.

use lockstep_dsl::value::Timestamp;
use serde::{Deserialize, Serialize};

/// A moment, taken once a frame; every record of the frame carries it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// The wall clock: what people are shown, and `now()`.
    pub wall: Timestamp,
    /// Engine time in milliseconds: what timers count in. Never goes back.
    pub time: u64,
    /// `CLOCK_BOOTTIME` in milliseconds.
    pub boottime: u64,
    /// Names the boot of the machine; two stamps of one boot may compare their `boottime`.
    pub boot: u64,
}

/// Where stamps come from.
pub trait Clock: Send {
    /// The stamp of this moment, given the last one in the journal (`None` for an empty journal): engine time goes on
    /// from there.
    fn now(&mut self, last: Option<&Stamp>) -> Stamp;
}
