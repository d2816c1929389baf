//! Every schedule that was ever enrolled.

use std::collections::BTreeMap;

use lockstep_dsl::graph::{Graph, Trigger};
use lockstep_dsl::value::Timestamp;
use serde::{Deserialize, Serialize};

use super::name::ScheduleName;
use super::record::{Enrollment, ScheduleChange};
use crate::clock::Stamp;

/// One schedule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// The hash of its runbook's definition.
    pub definition: String,
    /// The trigger that it follows.
    pub trigger: Trigger,
    /// Who, or what, enrolled it.
    pub by: String,
    /// The folder in which commands of its runs run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// When it was first enrolled.
    pub since: Timestamp,
    /// When its trigger or definition last changed.
    pub changed: Timestamp,
    /// Every tick up to this instant was dealt with. Never falls.
    pub watermark: Timestamp,
    /// Whether its trigger is not there any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub withdrawn: bool,
}

/// All of them, by name.
#[derive(Debug, Default)]
pub struct Schedules {
    all: BTreeMap<ScheduleName, Schedule>,
}

impl Schedules {
    /// What follows for the schedules of a runbook from what it says now.
    pub(crate) fn enroll(&self, graph: &Graph, hash: &str, by: &str, cwd: Option<&str>) -> Vec<Change> {
        let mut changes = Vec::new();
        for trigger in &graph.triggers {
            let name = ScheduleName { runbook: graph.runbook.clone(), trigger: trigger.id.clone() };
            let live = self.all.get(&name).filter(|schedule| !schedule.withdrawn);
            if live
                .is_some_and(|live| live.definition == hash && live.trigger == *trigger && live.cwd.as_deref() == cwd)
            {
                continue;
            }
            let enrollment = Enrollment {
                definition: hash.to_owned(),
                trigger: trigger.clone(),
                by: by.to_owned(),
                cwd: cwd.map(str::to_owned),
                instead: live.map(|live| live.definition.clone()),
            };
            changes.push((name, ScheduleChange::Enrolled(Box::new(enrollment))));
        }
        let is_gone = |name: &ScheduleName| !graph.triggers.iter().any(|trigger| trigger.id == name.trigger);
        changes.extend(self.withdraw(&graph.runbook, by, is_gone));
        changes
    }

    /// What follows for the schedules of a runbook where some of its triggers are not there any more.
    pub(crate) fn withdraw(&self, runbook: &str, by: &str, is_gone: impl Fn(&ScheduleName) -> bool) -> Vec<Change> {
        let gone = self.of(runbook).filter(|(name, schedule)| !schedule.withdrawn && is_gone(name));
        let withdrawn = |schedule: &Schedule| ScheduleChange::Withdrawn {
            by: by.to_owned(),
            definition: schedule.definition.clone(),
        };
        gone.map(|(name, schedule)| (name.clone(), withdrawn(schedule))).collect()
    }

    /// Applies a change. The same for live work and for replay.
    pub(crate) fn apply(&mut self, name: &ScheduleName, change: &ScheduleChange, at: Stamp) {
        match change {
            ScheduleChange::Enrolled(enrollment) => self.enrolled(name, enrollment, at.wall),
            ScheduleChange::Withdrawn { .. } => {
                let schedule = self.all.get_mut(name).expect("a schedule is enrolled before it changes");
                schedule.withdrawn = true;
            }
        }
    }

    fn enrolled(&mut self, name: &ScheduleName, enrollment: &Enrollment, now: Timestamp) {
        let Enrollment { definition, trigger, by, cwd, instead: _ } = enrollment;
        let before = self.all.get(name);
        let schedule = Schedule {
            definition: definition.clone(),
            trigger: trigger.clone(),
            by: by.clone(),
            cwd: cwd.clone(),
            since: before.map_or(now, |before| before.since),
            changed: now,
            watermark: before.map_or(now, |before| before.watermark.max(now)),
            withdrawn: false,
        };
        self.all.insert(name.clone(), schedule);
    }

    /// Takes in a schedule that was read from an image.
    pub(crate) fn admit(&mut self, name: ScheduleName, schedule: Schedule) {
        self.all.insert(name, schedule);
    }

    /// The one with this name.
    pub fn get(&self, name: &ScheduleName) -> Option<&Schedule> {
        self.all.get(name)
    }

    /// All of them, also those that were withdrawn.
    pub fn iter(&self) -> impl Iterator<Item = (&ScheduleName, &Schedule)> {
        self.all.iter()
    }

    /// Those of a runbook.
    pub fn of<'a>(&'a self, runbook: &str) -> impl Iterator<Item = (&'a ScheduleName, &'a Schedule)> {
        let first = ScheduleName { runbook: runbook.to_owned(), trigger: String::new() };
        let runbook = runbook.to_owned();
        self.all.range(first..).take_while(move |(name, _)| name.runbook == runbook)
    }

    /// Whether none was ever enrolled.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }
}

/// A change, and the schedule that it is of.
type Change = (ScheduleName, ScheduleChange);
