//! Schedules as lists show them.

use lockstep_dsl::value::{Millis, Timestamp};
use lockstep_engine::api::{ScheduleStatus, ScheduleView, TickView, TicksView};

use super::human::columns;
use super::text::harmless_line;
use super::{Style, Tone};

/// A table of schedules.
pub fn list(rows: &[ScheduleView], style: Style) -> String {
    let mut table = vec![["SCHEDULE", "STATUS", "DUE", "NEXT", "BY"].map(|title| (Tone::Faint, title.to_owned()))];
    table.extend(rows.iter().map(|row| {
        let zone = row.timezone.as_ref().filter(|zone| *zone != "UTC");
        let zone = zone.map(|zone| format!(" in {zone}")).unwrap_or_default();
        let next = row.next.map(|next| super::plain::seconds(&next.to_string()));
        [
            (Tone::Strong, row.name.clone()),
            (tone(row.status), row.status.name().to_owned()),
            (Tone::Strong, harmless_line(&format!("{} {}{zone}", row.kind, row.due))),
            (Tone::Faint, next.or_else(|| row.error.clone()).unwrap_or_default()),
            (Tone::Faint, harmless_line(&row.by)),
        ]
    }));
    columns(&table, style)
}

/// What became of ticks, one a line; where there was none, which come before and after.
pub fn ticks(view: &TicksView, style: Style) -> String {
    if view.ticks.is_empty() {
        let at = |at: Option<Timestamp>| at.map_or_else(|| "none".to_owned(), |at| at.to_string());
        let name = style.paint(Tone::Strong, &view.schedule.name);
        return format!(
            "this is no tick of {name}\n  the one before  {}\n  the one after   {}\n",
            at(view.before),
            at(view.after)
        );
    }
    let table: Vec<_> = view.ticks.iter().map(row).collect();
    columns(&table, style)
}

fn row(tick: &TickView) -> [(Tone, String); 3] {
    let tone = match tick.end.as_str() {
        "fired" => Tone::Good,
        "invalid" | "full" | "too_old" | "not_caught_up" => Tone::Bad,
        "queued" | "to_come" | "due" | "held" => Tone::Waiting,
        _ => Tone::Faint,
    };
    let late = if tick.late >= 1_000 { format!(", {} late", Millis(tick.late / 1_000 * 1_000)) } else { String::new() };
    [
        (Tone::Strong, tick.at.to_string()),
        (tone, tick.end.clone()),
        (Tone::Faint, harmless_line(&format!("{}{late}", tick.why))),
    ]
}

const fn tone(status: ScheduleStatus) -> Tone {
    match status {
        ScheduleStatus::Enabled => Tone::Good,
        ScheduleStatus::Paused | ScheduleStatus::Held => Tone::Waiting,
        ScheduleStatus::Disabled | ScheduleStatus::Over => Tone::Faint,
        ScheduleStatus::Broken => Tone::Bad,
    }
}
