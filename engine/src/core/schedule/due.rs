//! What is to become of the ticks of one schedule that are due: one step at a time, from the clock and what is known.
//!
//! A tick is worked out from the trigger and the watermark, never from the tick before. Each step leaves the state in
//! which the next one is asked for, and all of them are part of the turn that asks.

use lockstep_dsl::graph::{Catchup, Overlap};
use lockstep_dsl::schedule::Rule;
use lockstep_dsl::value::Timestamp;

use super::ledger::TickEnd;
use super::name::ScheduleName;
use super::state::Schedule;
use crate::id::RunId;
use crate::limits::{LATE_MS, MAX_QUEUED_TICKS};

/// What is next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing is due.
    Nothing,
    /// These ticks have come to their end, or wait.
    Row {
        /// The first of them.
        from: Timestamp,
        /// The last instant of the stretch that they are in; `None` for one.
        to: Option<Timestamp>,
        /// What became of them.
        end: TickEnd,
    },
    /// The runs of earlier ticks are to be cancelled; then the tick waits for their end.
    CancelPrevious(Timestamp),
    /// The tick starts a run.
    Fire(Timestamp),
}

/// What a schedule is asked over.
pub(super) struct Asked<'a> {
    pub name: &'a ScheduleName,
    pub schedule: &'a Schedule,
    pub rule: &'a Rule,
    /// A run of an earlier tick that is open.
    pub open: Option<RunId>,
    pub now: Timestamp,
}

impl Asked<'_> {
    /// What is next.
    pub fn step(&self) -> Step {
        let schedule = self.schedule;
        if schedule.withdrawn {
            return Step::Nothing;
        }
        if let Some(first) = schedule.queue.front().copied() {
            if !schedule.trigger.enabled {
                return Step::Row { from: first, to: None, end: TickEnd::Disabled };
            }
            if self.open.is_none() && schedule.paused.is_none() && self.due(first) <= self.now {
                return Step::Fire(first);
            }
        }
        let Some(tick) = self.rule.after(schedule.watermark) else { return Step::Nothing };
        if !schedule.trigger.enabled {
            return self.all_up_to_now(tick, TickEnd::Disabled);
        }
        if schedule.paused.is_some() {
            return self.all_up_to_now(tick, TickEnd::Paused);
        }
        if self.due(tick) > self.now {
            return Step::Nothing;
        }
        if since(self.due(tick), self.now) > LATE_MS { self.missed(tick) } else { self.on_time(tick) }
    }

    fn all_up_to_now(&self, tick: Timestamp, end: TickEnd) -> Step {
        if tick > self.now {
            return Step::Nothing;
        }
        Step::Row { from: tick, to: (tick < self.now).then_some(self.now), end }
    }

    /// A tick at whose time nobody was there.
    fn missed(&self, tick: Timestamp) -> Step {
        let trigger = &self.schedule.trigger;
        let (age, within) = (since(tick, self.now), trigger.within.0);
        match trigger.catchup {
            Catchup::None => self.stretch(tick, back(self.now, LATE_MS), TickEnd::NotCaughtUp),
            Catchup::Last => match self.last_due(tick) {
                Some(last) => Step::Row { from: tick, to: stretch_end(tick, last), end: TickEnd::Superseded },
                None if age > within => Step::Row { from: tick, to: None, end: TickEnd::TooOld },
                None => self.catch_up(tick),
            },
            Catchup::All if age > within => self.stretch(tick, back(self.now, within), TickEnd::TooOld),
            Catchup::All => self.catch_up(tick),
        }
    }

    /// Ticks that are caught up run one after another, the oldest first.
    fn catch_up(&self, tick: Timestamp) -> Step {
        if self.open.is_none() && self.schedule.queue.is_empty() { Step::Fire(tick) } else { self.queue(tick) }
    }

    fn on_time(&self, tick: Timestamp) -> Step {
        let waits = !self.schedule.queue.is_empty();
        if self.open.is_none() && !waits {
            return Step::Fire(tick);
        }
        match self.schedule.trigger.overlap {
            Overlap::Allow => Step::Fire(tick),
            Overlap::Skip => Step::Row { from: tick, to: None, end: TickEnd::Overlapped { by: self.open } },
            Overlap::Queue => self.queue(tick),
            Overlap::CancelPrevious => match self.schedule.queue.front() {
                Some(first) => Step::Row { from: *first, to: None, end: TickEnd::Replaced },
                None => Step::CancelPrevious(tick),
            },
        }
    }

    fn queue(&self, tick: Timestamp) -> Step {
        let end = if self.schedule.queue.len() < MAX_QUEUED_TICKS { TickEnd::Queued } else { TickEnd::Full };
        Step::Row { from: tick, to: None, end }
    }

    /// The last tick that is due by now, if it is another one.
    fn last_due(&self, tick: Timestamp) -> Option<Timestamp> {
        let mut before = Timestamp(self.now.0.saturating_add(1));
        loop {
            let last = self.rule.before(before, tick).filter(|last| *last > tick)?;
            if self.due(last) <= self.now {
                return Some(last);
            }
            before = last;
        }
    }

    /// All ticks from this one up to before `end`; what jitter may still hold back is left to the next step.
    fn stretch(&self, tick: Timestamp, end: Timestamp, of: TickEnd) -> Step {
        let jitter = self.schedule.trigger.jitter.map_or(0, |jitter| jitter.0);
        Step::Row { from: tick, to: stretch_end(tick, back(end, jitter)), end: of }
    }

    /// When a tick is due: late by its jitter.
    pub fn due(&self, tick: Timestamp) -> Timestamp {
        due(self.name, self.schedule, tick)
    }
}

/// When a tick of a schedule is due: late by a part of the jitter that is the same whenever it is worked out.
pub fn due(name: &ScheduleName, schedule: &Schedule, tick: Timestamp) -> Timestamp {
    let Some(jitter) = schedule.trigger.jitter.filter(|jitter| jitter.0 > 0) else { return tick };
    let hash = blake3::hash(format!("{name}/{}", tick.0).as_bytes());
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&hash.as_bytes()[..8]);
    let part = u64::from_le_bytes(bytes) % (jitter.0 + 1);
    Timestamp(tick.0.saturating_add_unsigned(part))
}

/// The last instant before `end`, where that is behind the tick.
fn stretch_end(tick: Timestamp, end: Timestamp) -> Option<Timestamp> {
    Some(Timestamp(end.0 - 1)).filter(|last| *last > tick)
}

fn since(earlier: Timestamp, later: Timestamp) -> u64 {
    u64::try_from(later.0.saturating_sub(earlier.0)).unwrap_or(0)
}

const fn back(from: Timestamp, by: u64) -> Timestamp {
    Timestamp(from.0.saturating_sub_unsigned(by))
}
