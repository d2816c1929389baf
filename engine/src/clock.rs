//! Time, as the engine takes it in.
//!
//! *Engine time* is what timers count in: milliseconds that never go back. It starts as the wall clock of the first
//! start, goes on by `CLOCK_BOOTTIME` while the machine is up, and over a reboot by what the wall clock says has passed,
//! but never by less than nothing. So a wall clock that is set back or forward while the engine runs moves no timer.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lockstep_dsl::value::Timestamp;
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

use crate::fault::{self, Bug};

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

/// What a machine's clocks say at one moment.
#[derive(Clone, Copy, Debug)]
struct Reading {
    wall: Timestamp,
    boottime: u64,
    boot: u64,
}

impl Reading {
    /// The stamp that follows `last`.
    fn stamp(self, last: Option<&Stamp>) -> Stamp {
        let Self { wall, boottime, boot } = self;
        let time = match last {
            Some(_) if fault::planted(Bug::TimerByWallClock) => u64::try_from(wall.0).unwrap_or(0),
            None => u64::try_from(wall.0).unwrap_or(0),
            Some(last) => {
                // How long this boot has lasted says nothing where it is another: the folder may come from a machine that
                // was up later than this one was started.
                let passed = match boottime.checked_sub(last.boottime) {
                    Some(passed) if boot == last.boot => passed,
                    _ => u64::try_from(wall.0.saturating_sub(last.wall.0)).unwrap_or(0),
                };
                last.time.saturating_add(passed)
            }
        };
        Stamp { wall, time, boottime, boot }
    }
}

/// The clocks of this machine.
#[derive(Debug)]
pub struct SystemClock {
    boot: u64,
}

impl SystemClock {
    /// Reads which boot of the machine this is. Where the kernel does not say, every boot counts as the same one, and
    /// only a boot time that goes back tells them apart.
    pub fn new() -> Self {
        let id = std::fs::read("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let hash = blake3::hash(&id);
        let mut boot = [0; 8];
        boot.copy_from_slice(&hash.as_bytes()[..8]);
        Self { boot: u64::from_le_bytes(boot) }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&mut self, last: Option<&Stamp>) -> Stamp {
        let wall = Timestamp(millis(ClockId::Realtime));
        let boottime = u64::try_from(millis(ClockId::Boottime)).unwrap_or(0);
        Reading { wall, boottime, boot: self.boot }.stamp(last)
    }
}

fn millis(clock: ClockId) -> i64 {
    let time = clock_gettime(clock);
    time.tv_sec.saturating_mul(1_000).saturating_add(time.tv_nsec / 1_000_000)
}

/// A clock that stands still until it is moved. Clones are the same clock.
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<Mutex<Reading>>);

impl ManualClock {
    /// A clock that shows this wall time on a machine that has just booted.
    pub fn new(wall: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(Reading { wall, boottime: 0, boot: 1 })))
    }

    /// Lets time pass.
    pub fn advance(&self, millis: u64) {
        let mut reading = self.reading();
        reading.boottime += millis;
        reading.wall.0 = reading.wall.0.saturating_add_unsigned(millis);
    }

    /// Sets the wall clock, as an operator does.
    pub fn set_wall(&self, wall: Timestamp) {
        self.reading().wall = wall;
    }

    /// Boots the machine again after so long.
    pub fn reboot(&self, millis: u64) {
        let mut reading = self.reading();
        reading.boot += 1;
        reading.boottime = 0;
        reading.wall.0 = reading.wall.0.saturating_add_unsigned(millis);
    }

    fn reading(&self) -> MutexGuard<'_, Reading> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for ManualClock {
    fn now(&mut self, last: Option<&Stamp>) -> Stamp {
        self.reading().stamp(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Timestamp = Timestamp(1_700_000_000_000);

    #[test]
    fn a_wall_clock_that_is_set_moves_no_timer() {
        let mut clock = ManualClock::new(NOON);
        let first = clock.now(None);
        assert_eq!(first.time, 1_700_000_000_000);
        clock.advance(10);
        clock.set_wall(Timestamp(0));
        let second = clock.now(Some(&first));
        assert_eq!((second.time, second.wall), (first.time + 10, Timestamp(0)));
    }

    #[test]
    fn over_a_reboot_the_wall_clock_says_how_long_it_took_but_never_less_than_nothing() {
        let mut clock = ManualClock::new(NOON);
        clock.advance(1_000);
        let before = clock.now(None);
        clock.reboot(5_000);
        let after = clock.now(Some(&before));
        assert_eq!(after.time, before.time + 5_000);
        clock.reboot(0);
        clock.set_wall(Timestamp(5));
        assert_eq!(clock.now(Some(&after)).time, after.time);
    }

    #[test]
    fn the_machines_clock_goes_on() {
        let mut clock = SystemClock::new();
        let first = clock.now(None);
        let second = clock.now(Some(&first));
        assert!(second.time >= first.time && second.boot == first.boot && first.wall > NOON);
    }

    #[cfg(feature = "proof")]
    #[test]
    fn timers_by_the_wall_clock_are_caught() {
        use crate::fault::Bug;
        assert!(
            crate::fault::is_caught(Bug::TimerByWallClock, a_wall_clock_that_is_set_moves_no_timer),
            "{:?}",
            Bug::TimerByWallClock
        );
    }
}
