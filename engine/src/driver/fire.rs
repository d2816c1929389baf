//! Deals with the ticks that are due: each leaves a row in the ledger, and its run, where it starts one, comes to be in
//! the same frame.

use std::sync::Arc;

use lockstep_dsl::value::Timestamp;

use super::Driver;
use super::backing::Backing;
use super::batch::Batch;
use super::effect::Turn;
use super::request::check_start;
use crate::clock::Stamp;
use crate::core::Command;
use crate::core::run::{Input, Opening};
use crate::core::schedule::{ClockJump, ScheduleChange, ScheduleName, Step, Tick, TickEnd};
use crate::fault::{self, Bug};
use crate::id::RunId;
use crate::limits::{LOOK_AT_CLOCK_MS, MAX_CLOCK_JUMP_MS, MAX_QUEUED_TICKS, MAX_TICKS_A_TURN, SOFT_FRAME_BYTES};

impl<B: Backing> Driver<B> {
    /// Engine time at which a tick is due, or the clock is to be looked at: it may be set at any time, and says so to
    /// nobody.
    pub(super) fn tick_due(&self) -> Option<u64> {
        if self.starts_held {
            return None;
        }
        let (due, _) = self.state.schedules().next_due()?;
        let ahead = u64::try_from(due.0.saturating_sub(self.now.wall.0)).unwrap_or(0);
        let ahead = if self.state.schedules().held().is_some() { LOOK_AT_CLOCK_MS } else { ahead };
        Some(self.now.time.saturating_add(ahead.min(LOOK_AT_CLOCK_MS)))
    }

    /// Deals with what is due; `before` is the stamp of the turn before.
    pub(super) fn fire_schedules(&mut self, before: &Stamp, batch: &mut Batch, turn: &mut Turn) {
        if !self.state.schedules().is_armed() {
            return;
        }
        self.look_at_clock(before, batch);
        if self.starts_held || self.state.schedules().held().is_some() {
            return;
        }
        let mut taken = 0;
        while let Some((due, name)) = self.state.schedules().next_due() {
            if due > self.now.wall {
                return;
            }
            if batch.bytes >= SOFT_FRAME_BYTES || taken >= MAX_TICKS_A_TURN {
                batch.more = true;
                return;
            }
            taken += 1;
            let name = name.clone();
            if !self.take_step(&name, batch, turn) {
                tracing::error!(schedule = %name, "a bug of lockstep: nothing follows from a tick that is due");
                self.state.schedules_mut().set_aside(&name);
            }
        }
    }

    /// Does what is next for a schedule. Says whether there was anything.
    fn take_step(&mut self, name: &ScheduleName, batch: &mut Batch, turn: &mut Turn) -> bool {
        match self.state.schedules().step(name, self.now.wall) {
            Step::Nothing => return false,
            Step::Row { from, to, end } => self.ticked(name, from, to, end, batch),
            Step::CancelPrevious(tick) => {
                self.ticked(name, tick, None, TickEnd::Queued, batch);
                self.cancel_runs_of(name, batch);
            }
            Step::Fire(tick) => self.fire(name, tick, batch, turn),
        }
        true
    }

    /// Deals with all ticks of a schedule up to now before it changes. Those that would start runs wait, so that they start
    /// as soon as schedules are due: here nothing but the ledger is touched.
    pub(super) fn settle_schedule(&mut self, name: &ScheduleName, batch: &mut Batch) {
        if self.state.schedules().held().is_some() {
            return;
        }
        loop {
            let watermark = self.state.schedules().get(name).map(|schedule| schedule.watermark);
            match self.state.schedules().step(name, self.now.wall) {
                Step::Row { from, to, end } => self.ticked(name, from, to, end, batch),
                Step::Fire(tick) | Step::CancelPrevious(tick) if Some(tick) > watermark => {
                    self.ticked(name, tick, None, TickEnd::Queued, batch);
                }
                // One that waits goes on waiting.
                Step::Fire(_) | Step::CancelPrevious(_) | Step::Nothing => break,
            }
        }
        while let Some(tick) = self.state.schedules().held_back(name, self.now.wall) {
            let waiting = self.state.schedules().get(name).map_or(0, |schedule| schedule.queue.len());
            let end = if waiting < MAX_QUEUED_TICKS { TickEnd::Queued } else { TickEnd::Full };
            self.ticked(name, tick, None, end, batch);
        }
    }

    fn ticked(&mut self, name: &ScheduleName, from: Timestamp, to: Option<Timestamp>, end: TickEnd, batch: &mut Batch) {
        let mut row = self.state.schedules().row(name, from, end, self.now.wall);
        row.to = to;
        let change = ScheduleChange::Ticked(row);
        if let Err(refused) = self.decide(Command::Schedule { schedule: name.clone(), change }, batch) {
            tracing::error!(schedule = %name, %refused, "what became of a tick cannot be noted");
            self.state.schedules_mut().set_aside(name);
        }
    }

    /// Starts the run of a tick. Whatever is wrong with it, the tick has come to an end.
    fn fire(&mut self, name: &ScheduleName, at: Timestamp, batch: &mut Batch, turn: &mut Turn) {
        let end = match self.start_for(name, at, batch) {
            Ok(run) => TickEnd::Fired { run },
            Err(message) => {
                tracing::warn!(schedule = %name, tick = %at, message, "the run of a tick cannot begin");
                TickEnd::Invalid { message }
            }
        };
        if fault::planted(Bug::TickAlone) {
            self.commit(std::mem::take(batch), turn);
        }
        self.ticked(name, at, None, end, batch);
    }

    fn start_for(&mut self, name: &ScheduleName, at: Timestamp, batch: &mut Batch) -> Result<RunId, String> {
        let schedule = self.state.schedules().get(name).ok_or("it is not there")?;
        let (hash, trigger, cwd) = (schedule.definition.clone(), schedule.trigger.clone(), schedule.cwd.clone());
        let graph = self.state.definition(&hash).map(Arc::clone).ok_or("its definition is not there")?;
        let tick = Tick { schedule: name.clone(), at };
        let id = self.fresh_id_of(&format!("{name}/{}", at.0)).map_err(|failure| failure.message)?;
        let (by, now) = (format!("schedule:{name}"), self.now.wall);
        let definition = (&graph, hash.as_str());
        let given =
            self.evaluator.trigger_params(definition, &trigger, &tick, id, now).map_err(|why| why.to_string())?;
        let params = self.evaluator.resolve_params(definition, &given, id, &by, now, Some(&tick));
        let params = params.map_err(|why| why.to_string())?;
        check_start(0, &params).map_err(|refusal| refusal.message)?;
        let key = self.evaluator.concurrency_key(definition, &params, id, &by, now, Some(&tick));
        let key = key.map_err(|why| why.to_string())?;
        let create = Command::Create {
            run: id,
            graph,
            hash,
            params,
            by,
            cwd,
            opening: Opening::default(),
            caller: None,
            key,
            tick: Some(tick),
        };
        // The tick counts on it.
        batch.bound.insert(id);
        match self.decide(create, batch) {
            Ok(()) => Ok(id),
            Err(refused) => {
                self.state.withdraw(id);
                Err(refused.to_string())
            }
        }
    }

    /// Cancels the runs of a schedule that are open and not being cancelled already: a second cancel cuts `finally` short.
    fn cancel_runs_of(&mut self, name: &ScheduleName, batch: &mut Batch) {
        let open: Vec<RunId> = self.state.schedules().open(name).collect();
        for id in open {
            self.take_up(id, batch);
            if self.state.run(id).is_none_or(|run| run.cancel.is_some()) {
                continue;
            }
            let cancel = Input::Cancel { by: format!("schedule:{name}"), undo: false };
            if let Err(refused) = self.decide(Command::Run(id, cancel), batch) {
                tracing::debug!(run = %id, %refused, "the run of an earlier tick is not cancelled");
            }
        }
    }

    /// Holds schedules when the wall clock was set by more than a day, and lets them go when it is set back. Over a boot
    /// only a clock that goes back is noticed: how long the machine was down, nobody can say.
    fn look_at_clock(&mut self, before: &Stamp, batch: &mut Batch) {
        let now = self.now;
        let held = self.state.schedules().held();
        let far = |one: Timestamp, other: Timestamp| one.0.abs_diff(other.0) > MAX_CLOCK_JUMP_MS;
        let passed = now.time.saturating_sub(before.time);
        let expected = Timestamp(before.wall.0.saturating_add_unsigned(passed));
        let change = match held {
            // What it should show went on with engine time.
            Some(jump) => {
                let expected = Timestamp(jump.expected.0.saturating_add_unsigned(now.time.saturating_sub(jump.time)));
                if far(expected, now.wall) {
                    return;
                }
                tracing::info!("the wall clock is what it should be again; schedules go on");
                None
            }
            None if far(expected, now.wall) && (before.boot == now.boot || now.wall < expected) => {
                tracing::error!(%expected, found = %now.wall, "the wall clock was set by more than a day: schedules are held until `lockstep schedule resume`");
                Some(ClockJump { expected, found: now.wall, time: now.time })
            }
            None => return,
        };
        if let Err(refused) = self.decide(Command::HoldSchedules(change), batch) {
            tracing::error!(%refused, "that the clock is not believed cannot be noted");
        }
    }
}
