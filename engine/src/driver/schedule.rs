//! Requests that are about schedules.

use std::sync::Arc;

use super::Driver;
use super::backing::Backing;
use super::batch::Batch;
use super::definitions::Definition;
use super::request::check_start;
use crate::api::{Enroll, Enrolled, EnrolledView, Refusal, Reply};
use crate::core::Command;
use crate::core::run::Record;
use crate::core::schedule::ScheduleChange;

impl<B: Backing> Driver<B> {
    /// Has the schedules of a runbook follow its triggers.
    pub(super) fn enroll(&mut self, enroll: Enroll, batch: &mut Batch) -> Result<Reply, Refusal> {
        let Enroll { graph, cwd, by } = enroll;
        let Definition { graph, hash, bytes } = self.definitions.of(&graph);
        check_start(bytes, &lockstep_dsl::value::Map::new())?;
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
}
