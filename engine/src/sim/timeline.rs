//! A simulation as lines that people can read.

use std::fmt::Write as _;

use super::check::Violation;
use super::evidence::Record;
use super::runbook::text;
use super::scenario::Scenario;
use crate::id::Lsn;

/// A record as one line.
pub fn record(lsn: Lsn, bytes: &[u8]) -> String {
    match Record::read(lsn.0, 0, (0, 0), bytes) {
        Ok(record) if record.what == "def" => format!("journal {}: def", lsn.0),
        Ok(record) if record.what == "ckpt" => {
            format!("journal {}: ckpt of {}", lsn.0, record.number("lsn").unwrap_or_default())
        }
        Ok(record) => format!("journal {}: {} {} {}", lsn.0, record.run, record.what, record.body),
        Err(error) => format!("journal {}: cannot be read: {error}", lsn.0),
    }
}

/// The whole story of a failing scenario: what it was made of, what happened, and what does not hold.
pub fn story(scenario: &Scenario, log: &[(u64, String)], violations: &[Violation]) -> String {
    let mut out = String::new();
    for (number, runbook) in scenario.runs.iter().enumerate() {
        line(&mut out, &format!("run {number}:"));
        for text in text::text(runbook).lines() {
            line(&mut out, &format!("    {text}"));
        }
    }
    let orders: Vec<String> =
        scenario.orders.iter().map(|order| format!("{:?} run {} at {}", order.what, order.run, order.at)).collect();
    line(&mut out, &format!("orders: {}", orders.join(", ")));
    let troubles: Vec<String> = scenario.troubles.iter().map(|(at, trouble)| format!("{trouble:?} at {at}")).collect();
    line(&mut out, &format!("troubles: {}", troubles.join(", ")));
    line(&mut out, "what happened:");
    for (now, text) in log {
        line(&mut out, &format!("{now:>10} ms  {text}"));
    }
    line(&mut out, "what does not hold:");
    for violation in violations {
        line(&mut out, &format!("    {violation}"));
    }
    out
}

fn line(out: &mut String, text: &str) {
    // Text takes all that is written.
    let _ = writeln!(out, "{text}");
}
