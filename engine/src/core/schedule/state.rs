//! Every schedule that was ever enrolled, which of them is due next, and which of their runs are open.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use lockstep_dsl::graph::{Graph, Trigger};
use lockstep_dsl::schedule::{Rule, zone_data};
use lockstep_dsl::value::Timestamp;
use serde::{Deserialize, Serialize};

use super::due::{Asked, Step, due};
use super::ledger::{Ledger, Row, TickEnd};
use super::name::ScheduleName;
use super::record::{ClockJump, Enrollment, ScheduleChange};
use super::tick::Tick;
use crate::clock::Stamp;
use crate::fault::{self, Bug};
use crate::id::RunId;
use crate::limits::MAX_EDITIONS;

/// One schedule.
#[derive(Clone, Debug, Serialize, Deserialize)]
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
    /// The triggers that it followed before, the oldest first; no more than [`MAX_EDITIONS`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub editions: Vec<Edition>,
    /// Every tick up to this instant was dealt with. Never falls.
    pub watermark: Timestamp,
    /// Whether its trigger is not there any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub withdrawn: bool,
    /// That a person has paused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<SchedulePause>,
    /// Ticks that wait for the end of runs that were started before them, the oldest first.
    #[serde(default, skip_serializing_if = "VecDeque::is_empty")]
    pub queue: VecDeque<Timestamp>,
    /// What became of its ticks.
    pub ledger: Ledger,
}

/// A trigger that a schedule followed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Edition {
    /// Up to this instant.
    pub until: Timestamp,
    /// The trigger.
    pub trigger: Trigger,
}

/// That a person has paused a schedule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchedulePause {
    /// Who.
    pub by: String,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Since when.
    pub since: Timestamp,
}

impl Schedule {
    /// The trigger that it followed at this instant, as far back as that is known.
    pub fn trigger_at(&self, at: Timestamp) -> &Trigger {
        let before = self.editions.iter().find(|edition| at <= edition.until);
        before.map_or(&self.trigger, |edition| &edition.trigger)
    }
}

/// All of them, by name.
#[derive(Debug, Default)]
pub struct Schedules {
    all: BTreeMap<ScheduleName, Schedule>,
    /// Their runs that are open, as the runs say.
    open: BTreeMap<ScheduleName, BTreeSet<RunId>>,
    /// The ticks that started these.
    ticks: BTreeMap<RunId, Tick>,
    /// That the wall clock was set by so much that nothing is due until a person says so.
    held: Option<ClockJump>,
    /// What is due when; only once they are armed.
    armed: Option<Armed>,
}

/// What is looked up at every turn.
#[derive(Debug, Default)]
struct Armed {
    rules: BTreeMap<ScheduleName, Option<Arc<Rule>>>,
    /// When something is to be decided about each, by the wall clock.
    next: BTreeMap<ScheduleName, Timestamp>,
    /// The same, the earliest first.
    due: BTreeSet<(Timestamp, ScheduleName)>,
}

/// A change, and the schedule that it is of.
type Change = (ScheduleName, ScheduleChange);

impl Schedules {
    /// What follows for the schedules of a runbook from what it says now.
    pub(crate) fn enroll(&self, graph: &Graph, hash: &str, by: &str, cwd: Option<&str>, now: Timestamp) -> Vec<Change> {
        let mut changes = Vec::new();
        for trigger in &graph.triggers {
            let name = ScheduleName { runbook: graph.runbook.clone(), trigger: trigger.id.clone() };
            if self.follows(&name, trigger, hash, cwd) {
                continue;
            }
            let before = self.all.get(&name);
            if let Some(gone) = before.filter(|before| before.withdrawn && before.watermark < now) {
                let from = Timestamp(gone.watermark.0.saturating_add(1));
                changes.push((name.clone(), ticked(from, Some(now), TickEnd::Withdrawn, now)));
            }
            let live = before.filter(|before| !before.withdrawn);
            let enrollment = Enrollment {
                definition: hash.to_owned(),
                trigger: trigger.clone(),
                // While the clock is not believed, nothing is passed over by it.
                from: live.filter(|_| self.held.is_some()).map_or(now, |live| live.watermark),
                by: by.to_owned(),
                cwd: cwd.map(str::to_owned),
                instead: live.map(|live| live.definition.clone()),
            };
            changes.push((name, ScheduleChange::Enrolled(Box::new(enrollment))));
        }
        let is_gone = |name: &ScheduleName| !graph.triggers.iter().any(|trigger| trigger.id == name.trigger);
        changes.extend(self.withdraw(&graph.runbook, by, now, is_gone));
        changes
    }

    /// Whether a schedule is as a trigger says already.
    pub(crate) fn follows(&self, name: &ScheduleName, trigger: &Trigger, hash: &str, cwd: Option<&str>) -> bool {
        self.all.get(name).is_some_and(|live| {
            !live.withdrawn && live.definition == hash && live.trigger == *trigger && live.cwd.as_deref() == cwd
        })
    }

    /// What follows for the schedules of a runbook where some of its triggers are not there any more.
    pub(crate) fn withdraw(
        &self,
        runbook: &str,
        by: &str,
        now: Timestamp,
        is_gone: impl Fn(&ScheduleName) -> bool,
    ) -> Vec<Change> {
        let mut changes = Vec::new();
        for (name, schedule) in self.of(runbook).filter(|(name, schedule)| !schedule.withdrawn && is_gone(name)) {
            let waiting = schedule.queue.iter();
            changes.extend(waiting.map(|tick| (name.clone(), ticked(*tick, None, TickEnd::Withdrawn, now))));
            let withdrawn = ScheduleChange::Withdrawn { by: by.to_owned(), definition: schedule.definition.clone() };
            changes.push((name.clone(), withdrawn));
        }
        changes
    }

    /// Applies a change. The same for live work and for replay.
    pub(crate) fn apply(&mut self, name: &ScheduleName, change: &ScheduleChange, at: Stamp) {
        if let ScheduleChange::Enrolled(enrollment) = change {
            self.enrolled(name, enrollment, at.wall);
        } else {
            let schedule = self.all.get_mut(name).expect("a schedule is enrolled before it changes");
            schedule.apply(change, at.wall);
        }
        self.reindex(name);
    }

    fn enrolled(&mut self, name: &ScheduleName, enrollment: &Enrollment, now: Timestamp) {
        let Enrollment { definition, trigger, from, by, cwd, instead: _ } = enrollment;
        if let Some(armed) = &mut self.armed {
            armed.rules.remove(name);
        }
        let Some(schedule) = self.all.get_mut(name) else {
            let schedule = Schedule {
                definition: definition.clone(),
                trigger: trigger.clone(),
                by: by.clone(),
                cwd: cwd.clone(),
                since: now,
                editions: Vec::new(),
                watermark: *from,
                withdrawn: false,
                paused: None,
                queue: VecDeque::new(),
                ledger: Ledger::default(),
            };
            self.all.insert(name.clone(), schedule);
            return;
        };
        let raised = schedule.watermark.max(*from);
        schedule.watermark = if fault::planted(Bug::WatermarkFalls) { *from } else { raised };
        if schedule.trigger != *trigger {
            let before = std::mem::replace(&mut schedule.trigger, trigger.clone());
            schedule.editions.push(Edition { until: raised, trigger: before });
            if schedule.editions.len() > MAX_EDITIONS {
                schedule.editions.remove(0);
            }
        }
        schedule.definition.clone_from(definition);
        schedule.by.clone_from(by);
        schedule.cwd.clone_from(cwd);
        schedule.withdrawn = false;
    }

    /// Takes in that the clock is not believed any more, or again.
    pub(crate) fn hold(&mut self, held: Option<&ClockJump>) {
        self.held = held.cloned();
    }

    /// Why nothing is due: the wall clock was set by too much.
    pub const fn held(&self) -> Option<&ClockJump> {
        self.held.as_ref()
    }

    /// Takes in a schedule that was read from an image.
    pub(crate) fn admit(&mut self, name: ScheduleName, schedule: Schedule) {
        self.all.insert(name, schedule);
    }

    /// Takes in whether a run that a tick started is open.
    pub(crate) fn note_run(&mut self, tick: &Tick, run: RunId, is_open: bool) {
        let name = &tick.schedule;
        let changed = if is_open {
            self.ticks.insert(run, tick.clone());
            self.open.entry(name.clone()).or_default().insert(run)
        } else {
            self.ticks.remove(&run);
            let Some(open) = self.open.get_mut(name) else { return };
            let changed = open.remove(&run);
            if open.is_empty() {
                self.open.remove(name);
            }
            changed
        };
        if changed {
            self.reindex(name);
        }
    }

    /// The runs of a schedule that are open.
    pub fn open(&self, name: &ScheduleName) -> impl Iterator<Item = RunId> + '_ {
        self.open.get(name).into_iter().flatten().copied()
    }

    /// The tick that started a run which is open.
    pub fn tick_of(&self, run: RunId) -> Option<&Tick> {
        self.ticks.get(&run)
    }

    /// From now on something is due. Says how many cannot be followed: what the program knows of zones has changed.
    pub(crate) fn arm(&mut self) -> usize {
        if self.armed.is_none() {
            self.armed = Some(Armed::default());
            for name in self.all.keys().cloned().collect::<Vec<_>>() {
                self.reindex(&name);
            }
        }
        let rules = self.armed.iter().flat_map(|armed| armed.rules.values());
        rules.filter(|rule| rule.is_none()).count()
    }

    /// Whether something is ever due.
    pub const fn is_armed(&self) -> bool {
        self.armed.is_some()
    }

    /// When something is to be decided next, by the wall clock, and about which.
    pub fn next_due(&self) -> Option<(Timestamp, &ScheduleName)> {
        self.armed.as_ref()?.due.first().map(|(at, name)| (*at, name))
    }

    /// What is next of a schedule.
    pub fn step(&self, name: &ScheduleName, now: Timestamp) -> Step {
        let Some(schedule) = self.all.get(name) else { return Step::Nothing };
        let Some(rule) = self.rule(name, schedule) else { return Step::Nothing };
        let open = self.open(name).next();
        Asked { name, schedule, rule: &rule, open, now }.step()
    }

    /// A tick up to now that was not dealt with: one that the jitter holds back.
    pub(crate) fn held_back(&self, name: &ScheduleName, now: Timestamp) -> Option<Timestamp> {
        let schedule = self.all.get(name).filter(|schedule| !schedule.withdrawn)?;
        self.rule(name, schedule)?.after(schedule.watermark).filter(|tick| *tick <= now)
    }

    fn rule(&self, name: &ScheduleName, schedule: &Schedule) -> Option<Arc<Rule>> {
        match self.armed.as_ref().and_then(|armed| armed.rules.get(name)) {
            Some(rule) => rule.clone(),
            None => Rule::of(&schedule.trigger).ok().map(Arc::new),
        }
    }

    /// The row of ticks for which something was decided now.
    pub(crate) fn row(&self, name: &ScheduleName, from: Timestamp, end: TickEnd, now: Timestamp) -> Row {
        let due = self.all.get(name).map_or(from, |schedule| due(name, schedule, from));
        Row { late: u64::try_from(now.0.saturating_sub(due.0)).unwrap_or(0), ..row(from, None, end, now) }
    }

    /// Keeps what is due in step with a schedule.
    fn reindex(&mut self, name: &ScheduleName) {
        let (Some(armed), Some(schedule)) = (&mut self.armed, self.all.get(name)) else { return };
        if let Some(before) = armed.next.remove(name) {
            armed.due.remove(&(before, name.clone()));
        }
        if schedule.withdrawn {
            return;
        }
        let rule = armed.rules.entry(name.clone()).or_insert_with(|| match Rule::of(&schedule.trigger) {
            Ok(rule) => Some(Arc::new(rule)),
            Err(why) => {
                tracing::error!(schedule = %name, %why, "a schedule cannot be followed");
                None
            }
        });
        let Some(rule) = rule else { return };
        let is_followed = schedule.trigger.enabled && schedule.paused.is_none();
        let waiting = schedule
            .queue
            .front()
            .filter(|_| !schedule.trigger.enabled || (is_followed && !self.open.contains_key(name)));
        let tick = rule.after(schedule.watermark);
        let tick = tick.map(|tick| if is_followed { due(name, schedule, tick) } else { tick });
        let next = waiting.map(|tick| due(name, schedule, *tick)).into_iter().chain(tick).min();
        if let Some(next) = next {
            armed.next.insert(name.clone(), next);
            armed.due.insert((next, name.clone()));
        }
    }

    /// Lets nothing be due of a schedule until it changes: what is due of it leads nowhere.
    pub(crate) fn set_aside(&mut self, name: &ScheduleName) {
        if let Some(armed) = &mut self.armed
            && let Some(before) = armed.next.remove(name)
        {
            armed.due.remove(&(before, name.clone()));
        }
    }

    /// The pages of its ledger up to this number are in the image.
    pub(crate) fn forget_pages(&mut self, name: &ScheduleName, number: u64) {
        if let Some(schedule) = self.all.get_mut(name) {
            schedule.ledger.forget_up_to(number);
        }
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

impl Schedule {
    fn apply(&mut self, change: &ScheduleChange, now: Timestamp) {
        match change {
            ScheduleChange::Enrolled(_) => unreachable!("this makes a schedule"),
            ScheduleChange::Withdrawn { .. } => self.withdrawn = true,
            ScheduleChange::Paused { by, reason } => {
                self.paused = Some(SchedulePause { by: by.clone(), reason: reason.clone(), since: now });
            }
            ScheduleChange::Resumed { .. } => self.paused = None,
            ScheduleChange::Ticked(row) => {
                self.queue.retain(|tick| *tick != row.from);
                if row.end == TickEnd::Queued {
                    self.queue.push_back(row.from);
                }
                self.watermark = self.watermark.max(row.last());
                self.ledger.push(row);
            }
        }
    }
}

fn row(from: Timestamp, to: Option<Timestamp>, end: TickEnd, at: Timestamp) -> Row {
    Row { from, to, end, at, late: 0, zones: zone_data().to_owned() }
}

/// The change of ticks for which something was decided now.
pub(crate) fn ticked(from: Timestamp, to: Option<Timestamp>, end: TickEnd, at: Timestamp) -> ScheduleChange {
    ScheduleChange::Ticked(row(from, to, end, at))
}
