//! Schedules as lists show them.

use lockstep_engine::api::{ScheduleStatus, ScheduleView};

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

const fn tone(status: ScheduleStatus) -> Tone {
    match status {
        ScheduleStatus::Enabled => Tone::Good,
        ScheduleStatus::Disabled | ScheduleStatus::Over => Tone::Faint,
        ScheduleStatus::Broken => Tone::Bad,
    }
}
