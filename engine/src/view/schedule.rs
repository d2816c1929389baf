//! Schedules as lists show them.

use lockstep_dsl::graph::{Due, Trigger};
use lockstep_dsl::schedule::Rule;
use lockstep_dsl::value::Timestamp;

use crate::api::{ScheduleStatus, ScheduleView};
use crate::core::schedule::{Schedule, ScheduleName, Schedules};

/// The schedules that are enrolled, by name; all, or those of a runbook.
pub fn schedule_views(schedules: &Schedules, runbook: Option<&str>, now: Timestamp) -> Vec<ScheduleView> {
    let listed = schedules
        .iter()
        .filter(|(name, schedule)| !schedule.withdrawn && runbook.is_none_or(|runbook| name.runbook == runbook));
    listed.map(|(name, schedule)| schedule_view(name, schedule, now)).collect()
}

fn schedule_view(name: &ScheduleName, schedule: &Schedule, now: Timestamp) -> ScheduleView {
    let Schedule { definition, trigger, by, since, watermark, .. } = schedule;
    let rule = Rule::of(trigger);
    let error = rule.as_ref().err().map(ToString::to_string);
    let next = rule.ok().and_then(|rule| rule.after(now.max(*watermark)));
    let status = match (&error, next) {
        (Some(_), _) => ScheduleStatus::Broken,
        (None, _) if !trigger.enabled => ScheduleStatus::Disabled,
        (None, None) => ScheduleStatus::Over,
        (None, Some(_)) => ScheduleStatus::Enabled,
    };
    ScheduleView {
        name: name.to_string(),
        runbook: name.runbook.clone(),
        trigger: name.trigger.clone(),
        kind: trigger.due.key().to_owned(),
        due: due_text(trigger),
        timezone: matches!(trigger.due, Due::Cron(_)).then(|| trigger.timezone.clone()),
        status,
        next,
        error,
        since: *since,
        by: by.clone(),
        definition: definition.clone(),
    }
}

/// What it is due by, as a runbook has it.
fn due_text(trigger: &Trigger) -> String {
    match &trigger.due {
        Due::Cron(line) => line.clone(),
        Due::Every(length) => length.to_string(),
        Due::At(at) => at.to_string(),
    }
}
