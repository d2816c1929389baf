//! What became of ticks, for `why-not`: from the ledger where it has a row, else from the trigger and the clock.

use lockstep_dsl::schedule::{Rule, zone_data};
use lockstep_dsl::value::Timestamp;

use super::schedule_view;
use crate::api::{TickView, TicksView};
use crate::core::schedule::{Row, Schedule, ScheduleName, Schedules, TickEnd};
use crate::limits::MAX_TOLD_TICKS;

/// How far back the tick before those that are asked for is looked for, in milliseconds: five years, so that the 29th of
/// February is found.
const LOOK_BACK_MS: i64 = 5 * 366 * 86_400_000;

/// What became of the ticks of a schedule between two instants; `rows` are all that may tell of them, newest first.
pub fn ticks_view(
    schedules: &Schedules,
    (name, schedule): (&ScheduleName, &Schedule),
    (from, to): (Timestamp, Timestamp),
    rows: &[Row],
    now: Timestamp,
) -> TicksView {
    let mut ticks = Vec::new();
    let mut at = Timestamp(from.0.saturating_sub(1));
    while let Some(tick) = next(schedule, at).filter(|tick| *tick <= to && ticks.len() < MAX_TOLD_TICKS) {
        ticks.push(tick_view(schedules, schedule, tick, rows, now));
        at = tick;
    }
    let rule = |at: Timestamp| Rule::of(schedule.trigger_at(at)).ok();
    let limit = Timestamp(from.0.saturating_sub(LOOK_BACK_MS));
    TicksView {
        schedule: schedule_view(schedules, name, schedule, now),
        ticks,
        before: rule(from).and_then(|rule| rule.before(from, limit)),
        after: next(schedule, to),
    }
}

/// The next tick after an instant, by the triggers that the schedule followed.
fn next(schedule: &Schedule, after: Timestamp) -> Option<Timestamp> {
    let mut at = after;
    for edition in schedule.editions.iter().filter(|edition| edition.until > after) {
        let tick = Rule::of(&edition.trigger).ok().and_then(|rule| rule.after(at));
        if let Some(tick) = tick.filter(|tick| *tick <= edition.until) {
            return Some(tick);
        }
        at = edition.until;
    }
    Rule::of(&schedule.trigger).ok()?.after(at)
}

fn tick_view(schedules: &Schedules, schedule: &Schedule, at: Timestamp, rows: &[Row], now: Timestamp) -> TickView {
    let without_row = |end: &str, why: &str| TickView {
        at,
        end: end.to_owned(),
        why: why.to_owned(),
        run: None,
        decided: None,
        late: 0,
        zones: None,
    };
    // What was decided about one tick says more than what was decided about many.
    let tells = |row: &&Row| row.tells_of(at);
    let row = rows.iter().filter(tells).find(|row| row.to.is_none()).or_else(|| rows.iter().find(tells));
    if let Some(row) = row {
        return TickView {
            run: row.end.run(),
            decided: Some(row.at),
            late: row.late,
            zones: Some(row.zones.clone()),
            ..without_row(row.end.name(), &said(&row.end))
        };
    }
    if at <= schedule.since {
        return without_row("before_enrolled", "the schedule was enrolled later");
    }
    if at <= schedule.watermark {
        return without_row("unknown", "it was dealt with, and is older than what the ledger keeps");
    }
    if schedule.withdrawn {
        return without_row("withdrawn", "the runbook does not have this trigger any more");
    }
    let told = if at > now {
        without_row("to_come", "it is not due yet")
    } else if schedules.held().is_some() {
        without_row("held", "the wall clock was set by more than a day; `lockstep schedule resume` believes it")
    } else if schedules.is_armed() {
        without_row("due", "it is due, and will be dealt with in this moment or when its jitter has passed")
    } else {
        without_row("due", "nobody serves this folder; it is dealt with when somebody does")
    };
    TickView { zones: Some(zone_data().to_owned()), ..told }
}

/// What became of a tick, in a sentence.
fn said(end: &TickEnd) -> String {
    match end {
        TickEnd::Fired { run } => format!("it started run {run}"),
        TickEnd::Queued => "it waits for the end of the runs before it".to_owned(),
        TickEnd::Overlapped { by: Some(run) } => format!("run {run} of an earlier tick was open"),
        TickEnd::Overlapped { by: None } => "an earlier tick was waiting".to_owned(),
        TickEnd::Replaced => "it waited for the end of a run, and a later tick took its place".to_owned(),
        TickEnd::Full => "as many ticks as may wait were waiting already".to_owned(),
        TickEnd::NotCaughtUp => "nobody served the folder then, and `catchup: none` asks for nothing more".to_owned(),
        TickEnd::Superseded => "nobody served the folder then, and a later tick stood for it".to_owned(),
        TickEnd::TooOld => "nobody served the folder then, and it was older than `within` when somebody did".to_owned(),
        TickEnd::Paused => "the schedule was paused".to_owned(),
        TickEnd::Disabled => "the runbook says `enabled: false`".to_owned(),
        TickEnd::Withdrawn => "the runbook did not have this trigger then".to_owned(),
        TickEnd::Invalid { message } => format!("its run could not begin: {message}"),
    }
}
