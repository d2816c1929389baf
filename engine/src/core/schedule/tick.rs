//! A tick: what a run that a schedule started came of.

use lockstep_dsl::value::{Map, Timestamp, Value};
use serde::{Deserialize, Serialize};

use super::name::ScheduleName;

/// A tick is its schedule and its nominal instant; it starts at most one run, ever.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tick {
    /// The schedule.
    pub schedule: ScheduleName,
    /// When it was due, jitter left out.
    pub at: Timestamp,
}

impl Tick {
    /// What expressions see of it as `event`.
    pub fn event(&self) -> Value {
        let text = |text: &str| Value::String(text.to_owned());
        let data = [("runbook", text(&self.schedule.runbook)), ("trigger", text(&self.schedule.trigger))];
        let fields = [
            ("id", Value::String(format!("{}/{}", self.schedule, self.at))),
            ("source", text("schedule")),
            ("type", text("tick")),
            ("time", Value::Time(self.at)),
            ("data", Value::Map(map(data))),
        ];
        Value::Map(map(fields))
    }
}

fn map<const N: usize>(fields: [(&str, Value); N]) -> Map {
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
