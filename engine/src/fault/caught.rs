//! Whether a suite notices a mistake.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};

use super::bug::{Bug, plant};

/// The variable that names the file of `scripts/prove` to which a line is added for each bug that is caught.
const REPORT: &str = "LOCKSTEP_REPORT";

/// Whether a suite fails while this mistake is made in its thread.
#[track_caller]
pub fn is_caught(bug: Bug, suite: impl FnOnce()) -> bool {
    let by = format!("a suite of the engine, `{}`", Location::caller().file());
    let _planted = plant(bug);
    let caught = catch_unwind(AssertUnwindSafe(suite)).is_err();
    if caught {
        report_caught(bug, &by);
    }
    caught
}

/// Notes for the report by what a bug was caught, where a report is asked for.
///
/// # Panics
/// The report cannot be written.
pub fn report_caught(bug: Bug, by: &str) {
    let Some(path) = std::env::var_os(REPORT) else { return };
    let caught = serde_json::Map::from_iter([(bug.name().to_owned(), by.into())]);
    let line = format!("{}\n", serde_json::json!({ "caught": caught }));
    let opened = OpenOptions::new().append(true).create(true).open(path);
    // One write, so that lines of several suites do not mix.
    opened.and_then(|mut file| file.write_all(line.as_bytes())).expect("the report can be written");
}
