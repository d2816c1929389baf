//! Requests that are about schedules.

use std::sync::Arc;

use lockstep_dsl::value::{Map, Timestamp};

use super::Driver;
use super::backing::Backing;
use super::batch::Batch;
use super::checkpoint::page_key;
use super::definitions::Definition;
use super::find::unreadable;
use super::request::{check_start, invalid};
use crate::api::{Enroll, Enrolled, EnrolledView, Refusal, Reply, TicksView};
use crate::core::Command;
use crate::core::run::Record;
use crate::core::schedule::{Row, ScheduleChange, ScheduleName};
use crate::encode::decode;
use crate::store::Image;
use crate::view::{named_schedule, ticks_view};

impl<B: Backing> Driver<B> {
    /// Has the schedules of a runbook follow its triggers. What was due before is dealt with first, under the triggers that
    /// they had.
    pub(super) fn enroll(&mut self, enroll: Enroll, batch: &mut Batch) -> Result<Reply, Refusal> {
        let Enroll { graph, cwd, by } = enroll;
        let Definition { graph, hash, bytes } = self.definitions.of(&graph);
        check_start(bytes, &Map::new())?;
        let schedules = self.state.schedules();
        let is_same = |name: &ScheduleName| {
            let same = graph.triggers.iter().find(|trigger| trigger.id == name.trigger);
            same.is_some_and(|trigger| schedules.follows(name, trigger, &hash, cwd.as_deref()))
        };
        let touched: Vec<ScheduleName> =
            schedules.of(&graph.runbook).map(|(name, _)| name.clone()).filter(|name| !is_same(name)).collect();
        for name in touched {
            self.settle_schedule(&name, batch);
        }
        if self.state.definition(&hash).is_none() && self.positions.definitions.contains_key(&*hash) {
            // The journal holds it, from runs that have ended.
            self.state.define(hash.to_string(), Arc::clone(&graph));
        }
        let from = batch.records.len();
        let enroll = Command::Enroll { graph: Arc::clone(&graph), hash: hash.to_string(), by, cwd };
        self.decide(enroll, batch).map_err(|refused| Refusal::from(&refused))?;
        let mut views: Vec<EnrolledView> = Vec::new();
        for record in &batch.records[from..] {
            let Record::Scheduled { schedule, change } = record else { continue };
            let change = match change {
                ScheduleChange::Enrolled(enrollment) if enrollment.instead.is_some() => Enrolled::Changed,
                ScheduleChange::Enrolled(_) => Enrolled::Enrolled,
                ScheduleChange::Withdrawn { .. } => Enrolled::Withdrawn,
                ScheduleChange::Ticked(_) | ScheduleChange::Paused { .. } | ScheduleChange::Resumed { .. } => continue,
            };
            views.push(EnrolledView { trigger: schedule.trigger.clone(), change });
        }
        for trigger in &graph.triggers {
            if !views.iter().any(|view| view.trigger == trigger.id) {
                views.push(EnrolledView { trigger: trigger.id.clone(), change: Enrolled::Unchanged });
            }
        }
        views.sort_by(|one, other| one.trigger.cmp(&other.trigger));
        Ok(Reply::Enrolled(views))
    }

    /// Withdraws all schedules of a runbook; what was due before is dealt with first.
    pub(super) fn withdraw_schedules(
        &mut self,
        runbook: String,
        by: String,
        batch: &mut Batch,
    ) -> Result<Reply, Refusal> {
        for name in self.state.schedules().of(&runbook).map(|(name, _)| name.clone()).collect::<Vec<_>>() {
            self.settle_schedule(&name, batch);
        }
        let withdrawn = self.decide(Command::Withdraw { runbook, by }, batch);
        withdrawn.map(|()| Reply::Done).map_err(|refused| Refusal::from(&refused))
    }

    /// Lets schedules be due from now on.
    pub(super) fn start_schedules(&mut self, by: &str) {
        let broken = self.state.arm_schedules();
        tracing::info!(by, broken, "schedules are due from now on");
    }

    pub(super) fn pause_schedule(
        &mut self,
        name: &str,
        by: String,
        reason: Option<String>,
        batch: &mut Batch,
    ) -> Result<Reply, Refusal> {
        let schedule = named_schedule(self.state.schedules(), name)?;
        self.settle_schedule(&schedule, batch);
        self.change_schedule(schedule, ScheduleChange::Paused { by, reason }, batch)
    }

    pub(super) fn resume_schedule(
        &mut self,
        name: Option<&str>,
        by: String,
        batch: &mut Batch,
    ) -> Result<Reply, Refusal> {
        let Some(name) = name else {
            if self.state.schedules().held().is_none() {
                return Err(invalid("the clock is believed; no schedule is held".to_owned()));
            }
            tracing::info!(by, "the clock is believed again");
            let held = self.decide(Command::HoldSchedules(None), batch);
            return held.map(|()| Reply::Done).map_err(|refused| Refusal::from(&refused));
        };
        let schedule = named_schedule(self.state.schedules(), name)?;
        if self.state.schedules().get(&schedule).is_none_or(|schedule| schedule.paused.is_none()) {
            return Err(invalid(format!("schedule `{schedule}` is not paused")));
        }
        self.settle_schedule(&schedule, batch);
        self.change_schedule(schedule, ScheduleChange::Resumed { by }, batch)
    }

    fn change_schedule(
        &mut self,
        schedule: ScheduleName,
        change: ScheduleChange,
        batch: &mut Batch,
    ) -> Result<Reply, Refusal> {
        let decided = self.decide(Command::Schedule { schedule, change }, batch);
        decided.map(|()| Reply::Done).map_err(|refused| Refusal::from(&refused))
    }

    /// What became of the ticks of a schedule.
    pub(super) fn ticks(&mut self, name: &str, from: Timestamp, to: Timestamp) -> Result<TicksView, Refusal> {
        if to < from {
            return Err(invalid("this ends before it begins".to_owned()));
        }
        let name = named_schedule(self.state.schedules(), name)?;
        let rows = self.rows_of(&name, from, to)?;
        let schedules = self.state.schedules();
        let schedule = schedules.get(&name).ok_or_else(|| invalid(format!("there is no schedule `{name}`")))?;
        Ok(ticks_view(schedules, (&name, schedule), (from, to), &rows, self.now.wall))
    }

    /// The rows that tell of ticks between two instants, newest first.
    fn rows_of(&mut self, name: &ScheduleName, from: Timestamp, to: Timestamp) -> Result<Vec<Row>, Refusal> {
        let Some(schedule) = self.state.schedules().get(name) else { return Ok(Vec::new()) };
        let tells = |row: &Row| row.from <= to && from <= row.last();
        let mut rows: Vec<Row> = schedule.ledger.rows().filter(|row| tells(row)).cloned().collect();
        let stored: Vec<u64> = schedule.ledger.stored().collect();
        for number in stored {
            let key = page_key(name, number);
            let page = self.ask_image(|image| image.get(&key)).map_err(|error| unreadable(&error))?;
            let page: Vec<Row> = page.and_then(|bytes| decode(&bytes).ok()).unwrap_or_default();
            rows.extend(page.into_iter().rev().filter(tells));
        }
        Ok(rows)
    }
}
