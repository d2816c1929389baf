//! `--json`: one object a line on standard output and nothing else there.

use lockstep_engine::api::{Event, RunRow, ScheduleView, TicksView};
use serde::Serialize;

use super::{Watcher, print, say};
use crate::ending::Failure;

/// Prints events as they are.
#[derive(Debug)]
pub struct Json;

impl Watcher for Json {
    fn event(&mut self, event: &Event) -> Result<(), Failure> {
        line(event)
    }

    fn note(&mut self, text: &str) {
        // Standard error may be gone; the run goes on all the same.
        let _ = say(text);
    }
}

/// Prints one object on a line of its own. That nobody reads it is no failure.
pub fn line(object: &impl Serialize) -> Result<(), Failure> {
    let mut text = serde_json::to_string(object).expect("what we print has text for keys and no infinite numbers");
    text.push('\n');
    print(&text)
}

/// Prints a schedule of a list; its times as people write them.
pub fn schedule_row(row: &ScheduleView) -> Result<(), Failure> {
    let mut object = serde_json::to_value(row).expect("a row has text for keys");
    object["since"] = row.since.to_string().into();
    object["next"] = row.next.map(|next| next.to_string()).into();
    line(&object)
}

/// Prints what became of ticks, one object each; where there was none, one that says which come before and after.
pub fn ticks(view: &TicksView) -> Result<(), Failure> {
    let time = |at: Option<lockstep_dsl::value::Timestamp>| at.map(|at| at.to_string());
    for tick in &view.ticks {
        let mut object = serde_json::to_value(tick).expect("a row has text for keys");
        object["schedule"] = view.schedule.name.clone().into();
        object["at"] = tick.at.to_string().into();
        object["decided"] = time(tick.decided).into();
        line(&object)?;
    }
    if view.ticks.is_empty() {
        line(&serde_json::json!({
            "schedule": view.schedule.name,
            "end": "not_a_tick",
            "before": time(view.before),
            "after": time(view.after),
        }))?;
    }
    Ok(())
}

/// Prints a run of a list; its times as people write them.
pub fn run_row(row: &RunRow) -> Result<(), Failure> {
    let mut object = serde_json::to_value(row).expect("a row has text for keys");
    object["created"] = row.created.to_string().into();
    object["ended"] = row.ended.map(|ended| ended.to_string()).into();
    line(&object)
}
