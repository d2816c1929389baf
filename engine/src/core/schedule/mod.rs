//! Schedules: machines of their own beside runs, one for each trigger of a runbook that is enrolled.
//!
//! A schedule is named by its runbook and the id of its trigger ([`ScheduleName`]), and by nothing else: an edit keeps the
//! schedule and its *watermark*, the instant up to which every tick was dealt with. The watermark never falls, so a tick
//! is dealt with once: across edits, restarts, and a wall clock that is set back. One that was withdrawn is kept for its
//! watermark. What became of each tick stands in the ledger ([`Row`]); that of a tick which starts a run is journaled in
//! the frame of the run.
//!
//! Schedules are *armed* by who serves the folder. Until then an engine decides nothing about them, as it leaves alone the
//! runs of a former one.
//!
//! Never reads a clock, and never remembers whether one of its runs is open: that is asked of the runs.

mod due;
mod ledger;
mod name;
mod record;
mod state;
mod tick;

pub use due::Step;
pub(crate) use ledger::dropped_for;
pub use ledger::{Ledger, Row, TickEnd};
pub use name::{NotASchedule, ScheduleName};
pub use record::{ClockJump, Enrollment, ScheduleChange};
pub use state::{Edition, Schedule, SchedulePause, Schedules};
pub use tick::Tick;
