//! What is expected beside what was found, and how the difference is said.

use serde_json::Value as Json;

use super::case_file::{ErrorPart, StepFields};

/// How much of a value is said.
const SAID: usize = 400;

/// The differences of one run, each a line.
#[derive(Default)]
pub struct Differences(Vec<String>);

impl Differences {
    /// All of them.
    pub fn into_list(self) -> Vec<String> {
        self.0
    }

    /// One in its own words.
    pub fn add(&mut self, difference: String) {
        self.0.push(difference);
    }

    /// The same value.
    pub fn equal(&mut self, what: &str, expected: &Json, found: &Json) {
        if expected != found {
            self.add(format!("{what}: expected {}, found {}", said(expected), said(found)));
        }
    }

    /// A text that holds another.
    pub fn holds(&mut self, what: &str, part: &str, found: &str) {
        if !found.contains(part) {
            self.add(format!("{what}: expected a text with {part:?}, found {}", said(&found.into())));
        }
    }

    /// An error.
    pub fn error(&mut self, what: &str, expected: &ErrorPart, found: &Json) {
        if found.is_null() {
            return self.add(format!("{what}: expected an error, found none"));
        }
        if let Some(kind) = &expected.kind {
            self.equal(&format!("{what}.kind"), &kind.as_str().into(), &found["kind"]);
        }
        if let Some(message) = &expected.message {
            self.holds(&format!("{what}.message"), message, found["message"].as_str().unwrap_or_default());
        }
        if let Some(step) = &expected.step {
            self.equal(&format!("{what}.step"), &step.as_str().into(), &found["step"]);
        }
        if let Some(attempt) = expected.attempt {
            self.equal(&format!("{what}.attempt"), &attempt.into(), &found["attempt"]);
        }
        for (name, value) in &expected.data {
            self.equal(&format!("{what}.data.{name}"), value, &found["data"][name]);
        }
        if let Some(cause) = &expected.cause {
            self.error(&format!("{what}.cause"), cause, &found["cause"]);
        }
    }

    /// A step.
    pub fn step(&mut self, what: &str, expected: &StepFields, found: &Json) {
        let StepFields { status, reason, attempts, handled, title, outputs, error, at_least_ms, under_ms } = expected;
        for (name, text) in [("status", status), ("reason", reason), ("title", title)] {
            if let Some(text) = text {
                self.equal(&format!("{what}.{name}"), &text.as_str().into(), &found[name]);
            }
        }
        if let Some(attempts) = attempts {
            self.equal(&format!("{what}.attempts"), &(*attempts).into(), &found["attempts"]);
        }
        if let Some(handled) = handled {
            self.equal(&format!("{what}.handled"), &(*handled).into(), &found["handled"]);
        }
        for (name, value) in outputs {
            self.equal(&format!("{what}.outputs.{name}"), value, &found["outputs"][name]);
        }
        if let Some(error) = error {
            self.error(&format!("{what}.error"), error, &found["error"]);
        }
        let lasted = lasted(found);
        if let Some(least) = at_least_ms
            && lasted.is_none_or(|lasted| lasted < *least)
        {
            self.add(format!("{what}: expected to last {least} ms at least, found {lasted:?}"));
        }
        if let Some(most) = under_ms
            && lasted.is_none_or(|lasted| lasted >= *most)
        {
            self.add(format!("{what}: expected to last less than {most} ms, found {lasted:?}"));
        }
    }
}

/// How long a step took, in milliseconds.
fn lasted(step: &Json) -> Option<i64> {
    let time = |name: &str| step[name].as_str()?.parse::<jiff::Timestamp>().ok();
    Some((time("ended")?.as_millisecond()) - time("started")?.as_millisecond())
}

fn said(value: &Json) -> String {
    let text = value.to_string();
    match text.char_indices().nth(SAID) {
        Some((at, _)) => format!("{}... ({} bytes)", &text[..at], text.len()),
        None => text,
    }
}
