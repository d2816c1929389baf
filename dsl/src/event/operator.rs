//! What a pattern may say of one value.

use std::cmp::Ordering;
// The type alone: `std` has it beside sockets, which are no business of this crate.
use core::net::IpAddr;

use ipnet::IpNet;

use crate::value::Value;

/// One of the alternatives for a field.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Operator {
    /// This very value: text, number, boolean or nothing.
    Equals(Value),
    /// Text of this kind.
    Text(TextTest),
    /// A value that none of these match.
    AnythingBut(Vec<Excluded>),
    /// A number within these bounds.
    Numeric(Range),
    /// An address within this network.
    Cidr(IpNet),
    /// Whether the field has a value at all.
    Exists(bool),
}

/// What text is like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TextTest {
    /// It begins so.
    Prefix(String),
    /// It begins so, in upper or lower case; kept in lower case.
    PrefixIgnoringCase(String),
    /// It ends so.
    Suffix(String),
    /// It ends so, in upper or lower case; kept in lower case.
    SuffixIgnoringCase(String),
    /// It is this, in upper or lower case; kept in lower case.
    EqualsIgnoringCase(String),
    /// It has these parts in this order, with anything between them.
    Wildcard(Vec<String>),
}

/// One thing that a value may not be.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Excluded {
    Value(Value),
    Text(TextTest),
}

/// Numbers between bounds; each with whether the bound itself is among them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Range {
    pub low: Option<(f64, bool)>,
    pub high: Option<(f64, bool)>,
}

impl Operator {
    /// Whether a value is meant. A field that is not there has no value: see [`Operator::Exists`].
    pub(super) fn matches(&self, value: &Value) -> bool {
        match self {
            Self::Equals(wanted) => equal(wanted, value),
            Self::Text(test) => text_of(value).is_some_and(|text| test.matches(text)),
            Self::AnythingBut(excluded) => !excluded.iter().any(|excluded| match excluded {
                Excluded::Value(other) => equal(other, value),
                Excluded::Text(test) => text_of(value).is_some_and(|text| test.matches(text)),
            }),
            Self::Numeric(range) => number_of(value).is_some_and(|number| range.contains(number)),
            Self::Cidr(network) => {
                text_of(value).and_then(|text| text.parse::<IpAddr>().ok()).is_some_and(|ip| network.contains(&ip))
            }
            Self::Exists(exists) => *exists,
        }
    }
}

impl TextTest {
    fn matches(&self, text: &str) -> bool {
        match self {
            Self::Prefix(prefix) => text.starts_with(prefix.as_str()),
            Self::PrefixIgnoringCase(prefix) => text.to_lowercase().starts_with(prefix.as_str()),
            Self::Suffix(suffix) => text.ends_with(suffix.as_str()),
            Self::SuffixIgnoringCase(suffix) => text.to_lowercase().ends_with(suffix.as_str()),
            Self::EqualsIgnoringCase(wanted) => text.to_lowercase() == *wanted,
            Self::Wildcard(parts) => has_parts(text, parts),
        }
    }
}

impl Range {
    fn contains(&self, number: f64) -> bool {
        let above = self.low.is_none_or(|(bound, closed)| number > bound || closed && number >= bound);
        let below = self.high.is_none_or(|(bound, closed)| number < bound || closed && number <= bound);
        above && below
    }
}

/// Whether text begins with the first part, ends with the last one, and has the others between them in their order. Each
/// is taken as early as it comes, which leaves the most for those behind it: time is linear in the text for each part.
fn has_parts(text: &str, parts: &[String]) -> bool {
    let [first, between @ .., last] = parts else { return parts.iter().all(|only| text == only) };
    let Some(mut rest) = text.strip_prefix(first.as_str()) else { return false };
    for part in between {
        let Some(place) = rest.find(part.as_str()) else { return false };
        rest = &rest[place + part.len()..];
    }
    rest.ends_with(last.as_str())
}

fn text_of(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => Some(text),
        Value::Null
        | Value::Bool(_)
        | Value::Int(_)
        | Value::Float(_)
        | Value::List(_)
        | Value::Map(_)
        | Value::Duration(_)
        | Value::Time(_)
        | Value::Secret(_) => None,
    }
}

/// A number as it is compared. Whole numbers beyond 2^53 are not told apart from their neighbours.
#[expect(clippy::cast_precision_loss, reason = "numbers of events are JSON's, which are no more exact")]
pub(super) fn number_of(value: &Value) -> Option<f64> {
    match value {
        Value::Int(number) => Some(*number as f64),
        Value::Float(number) => Some(*number),
        Value::Null
        | Value::Bool(_)
        | Value::String(_)
        | Value::List(_)
        | Value::Map(_)
        | Value::Duration(_)
        | Value::Time(_)
        | Value::Secret(_) => None,
    }
}

/// Whether two values are the same; numbers by value.
fn equal(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Int(one), Value::Int(other)) => one == other,
        _ => match (number_of(one), number_of(other)) {
            // As numbers: both zeros are one.
            (Some(one), Some(other)) => one.partial_cmp(&other) == Some(Ordering::Equal),
            _ => one == other,
        },
    }
}
