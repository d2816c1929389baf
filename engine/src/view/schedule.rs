//! Schedules as lists show them.

use lockstep_dsl::graph::{Due, Trigger};
use lockstep_dsl::schedule::Rule;
use lockstep_dsl::value::Timestamp;

use crate::api::{PauseView, Refusal, RefusalKind, ScheduleStatus, ScheduleView};
use crate::core::schedule::{Schedule, ScheduleName, Schedules};

/// The schedules that are enrolled, by name; all, or those of a runbook.
pub fn schedule_views(schedules: &Schedules, runbook: Option<&str>, now: Timestamp) -> Vec<ScheduleView> {
    let listed = schedules
        .iter()
        .filter(|(name, schedule)| !schedule.withdrawn && runbook.is_none_or(|runbook| name.runbook == runbook));
    listed.map(|(name, schedule)| schedule_view(schedules, name, schedule, now)).collect()
}

/// One schedule.
pub fn schedule_view(schedules: &Schedules, name: &ScheduleName, schedule: &Schedule, now: Timestamp) -> ScheduleView {
    let Schedule { definition, trigger, by, since, watermark, paused, queue, .. } = schedule;
    let rule = Rule::of(trigger);
    let error = rule.as_ref().err().map(ToString::to_string);
    let next = rule.ok().and_then(|rule| rule.after(now.max(*watermark)));
    let status = match (&error, next) {
        (Some(_), _) => ScheduleStatus::Broken,
        (None, _) if paused.is_some() => ScheduleStatus::Paused,
        (None, _) if !trigger.enabled => ScheduleStatus::Disabled,
        (None, None) => ScheduleStatus::Over,
        (None, Some(_)) if schedules.held().is_some() => ScheduleStatus::Held,
        (None, Some(_)) => ScheduleStatus::Enabled,
    };
    let paused = paused.as_ref().map(|pause| PauseView {
        by: pause.by.clone(),
        reason: pause.reason.clone(),
        since: pause.since.to_string(),
    });
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
        dst: trigger.dst,
        open: schedules.open(name).collect(),
        queued: queue.len(),
        paused,
    }
}

/// The schedule that a name means: `runbook:trigger`, or the runbook or the trigger alone where that names one.
///
/// # Errors
/// There is none, or several.
pub fn named_schedule(schedules: &Schedules, text: &str) -> Result<ScheduleName, Refusal> {
    let invalid = |message: String, help: String| Refusal { kind: RefusalKind::Invalid, message, help: vec![help] };
    let live = || schedules.iter().filter(|(_, schedule)| !schedule.withdrawn).map(|(name, _)| name);
    if let Ok(name) = text.parse::<ScheduleName>()
        && schedules.get(&name).is_some()
    {
        return Ok(name);
    }
    let found: Vec<&ScheduleName> = live().filter(|name| name.runbook == text || name.trigger == text).collect();
    match found.as_slice() {
        [only] => Ok((*only).clone()),
        [] => Err(invalid(
            format!("there is no schedule `{text}`"),
            "`lockstep schedule list` lists those that are enrolled".to_owned(),
        )),
        several => {
            let names: Vec<String> = several.iter().map(|name| format!("`{name}`")).collect();
            Err(invalid(format!("`{text}` names several schedules"), format!("name one of {}", names.join(", "))))
        }
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
