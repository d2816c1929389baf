//! When a schedule is due: lines of a crontab, time zones, and the hours that a zone leaves out or repeats.
//!
//! A tick is worked out from the line and the zone alone, for any stretch of time, and never from the tick before it: a
//! machine that slept, a clock that was set and a restart cannot make it drift. Nothing here knows what time it is.
//!
//! [`Cron`] says at which local times a line is due, [`ticks`] which instants these are in a zone, and [`Rule`] when a
//! trigger of a runbook is due, whatever it is written as.

mod cron;
mod days;
mod field;
mod odd;
mod rule;
mod ticks;

pub use cron::{Cron, CronError};
pub use odd::{Oddity, odd};
pub use rule::{Rule, RuleError};
pub use ticks::{Dst, Fold, Gap, Tick, Ticks, Why, ticks, zone, zone_data, zones};
