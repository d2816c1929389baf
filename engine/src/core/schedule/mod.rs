//! Schedules: machines of their own beside runs, one for each trigger of a runbook that is enrolled.
//!
//! A schedule is named by its runbook and the id of its trigger ([`ScheduleName`]), and by nothing else: an edit keeps the
//! schedule and its *watermark*, the instant up to which every tick was dealt with. The watermark never falls, so a tick
//! is dealt with once: across edits, restarts, and a wall clock that is set back. One that was withdrawn is kept for its
//! watermark.
//!
//! Never reads a clock, and never remembers whether one of its runs is open: that is asked of the runs.

mod name;
mod record;
mod state;

pub use name::{NotASchedule, ScheduleName};
pub use record::{Enrollment, ScheduleChange};
pub use state::{Schedule, Schedules};
