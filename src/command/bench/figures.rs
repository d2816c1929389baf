//! What was measured, for people and for machines.

use std::fmt::Write as _;

use serde_json::{Map, Value};

/// What one measure found in one case.
#[derive(Debug)]
pub struct Report {
    measure: &'static str,
    case: String,
    figures: Vec<Figure>,
}

#[derive(Debug)]
struct Figure {
    /// For people.
    label: &'static str,
    /// For machines; says the unit.
    key: &'static str,
    value: f64,
    unit: Unit,
}

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Microseconds.
    Microseconds,
    /// Milliseconds.
    Milliseconds,
    /// Bytes.
    Bytes,
    /// Mebibytes.
    Mebibytes,
    /// So many a second.
    PerSecond,
    /// A count.
    Count,
    /// One number divided by another.
    Ratio,
}

impl Report {
    /// An empty one.
    pub fn new(measure: &'static str, case: impl Into<String>) -> Self {
        Self { measure, case: case.into(), figures: Vec::new() }
    }

    /// Adds a figure. `key` names it in JSON and says its unit.
    #[must_use]
    pub fn with(mut self, label: &'static str, key: &'static str, value: f64, unit: Unit) -> Self {
        self.figures.push(Figure { label, key, value, unit });
        self
    }

    /// A heading and a line for every figure.
    pub fn to_text(&self) -> String {
        let mut text = format!("{}: {}\n", self.measure, self.case);
        for Figure { label, value, unit, .. } in &self.figures {
            let (value, unit) = (unit.show(*value), unit.name());
            // Writing to a string cannot fail.
            let _ = writeln!(text, "  {label:<42} {value:>12} {unit}");
        }
        text.push('\n');
        text
    }

    /// One flat object.
    pub fn to_json(&self) -> Value {
        let named = [("measure", self.measure), ("case", self.case.as_str())];
        let words = named.map(|(key, text)| (key.to_owned(), Value::from(text)));
        let numbers = self.figures.iter().map(|figure| (figure.key.to_owned(), Value::from(figure.value)));
        Value::Object(words.into_iter().chain(numbers).collect::<Map<_, _>>())
    }
}

impl Unit {
    const fn name(self) -> &'static str {
        match self {
            Self::Microseconds => "µs",
            Self::Milliseconds => "ms",
            Self::Bytes => "bytes",
            Self::Mebibytes => "MiB",
            Self::PerSecond => "a second",
            Self::Count | Self::Ratio => "",
        }
    }

    fn show(self, value: f64) -> String {
        match self {
            Self::Microseconds | Self::Milliseconds | Self::Mebibytes => format!("{value:.1}"),
            Self::Bytes | Self::PerSecond => format!("{value:.0}"),
            Self::Count => format!("{value:.4}"),
            Self::Ratio => format!("{value:.2}"),
        }
    }
}

/// The middle one.
pub fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// A count as a number to divide by.
#[expect(clippy::cast_precision_loss, reason = "counts of a bench are far below 2^53")]
pub const fn number(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_reads_as_a_table_and_as_json() {
        let report = Report::new("steps", "two").with("a step", "step_us", 12.34, Unit::Microseconds);
        assert!(report.to_text().starts_with("steps: two\n  a step "), "{}", report.to_text());
        assert_eq!(report.to_json()["step_us"], 12.34);
        assert_eq!(report.to_json()["measure"], "steps");
    }

    #[test]
    fn the_median_is_the_middle_one() {
        assert_eq!(median(&mut [3.0, 1.0, 2.0]).to_bits(), 2.0_f64.to_bits());
    }
}
