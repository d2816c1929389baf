//! How large values are, and what copying them costs.
//!
//! Every value that an expression builds passes here when it is put into another one, so none grows deeper than the
//! stack can follow or larger than the budget pays for.

use super::fault::{Checked, Fault};
use super::meter::{BYTES_PER_OPERATION, Meter};
use crate::limits::{VALUE_DEPTH, VALUE_ELEMENTS, VALUE_TEXT_BYTES};
use crate::value::Value;

/// The cost in operations of copying a value.
fn cost(value: &Value) -> u64 {
    match value {
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Duration(_) | Value::Time(_) => 0,
        Value::String(text) => bytes(text.len()),
        Value::List(values) => values.iter().map(|value| 1 + cost(value)).sum(),
        Value::Map(map) => map.iter().map(|(key, value)| 2 + bytes(key.len()) + cost(value)).sum(),
        Value::Secret(text) => text.0.len() as u64,
    }
}

const fn bytes(length: usize) -> u64 {
    (length / BYTES_PER_OPERATION) as u64
}

/// How many lists and maps stand inside each other in a value.
fn depth(value: &Value) -> usize {
    match value {
        Value::List(values) => 1 + values.iter().map(depth).max().unwrap_or(0),
        Value::Map(map) => 1 + map.values().map(depth).max().unwrap_or(0),
        Value::Null
        | Value::Bool(_)
        | Value::Int(_)
        | Value::Float(_)
        | Value::String(_)
        | Value::Duration(_)
        | Value::Time(_)
        | Value::Secret(_) => 0,
    }
}

/// Pays for looking at all of a value.
pub(super) fn pay(value: &Value, meter: &mut Meter) -> Checked<()> {
    meter.charge(cost(value))
}

/// Checks a value that a function in Rust made, and pays for it.
pub(super) fn check(value: &Value, meter: &mut Meter) -> Checked<()> {
    pay(value, meter)?;
    nest(value, 0, meter)?;
    within(value)
}

/// Checks that no part of a value is larger than an expression may build.
fn within(value: &Value) -> Checked<()> {
    match value {
        Value::String(text) => fits(text.len()),
        Value::List(values) => {
            elements(values.len())?;
            values.iter().try_for_each(within)
        }
        Value::Map(map) => {
            elements(map.len())?;
            map.values().try_for_each(within)
        }
        Value::Null
        | Value::Bool(_)
        | Value::Int(_)
        | Value::Float(_)
        | Value::Duration(_)
        | Value::Time(_)
        | Value::Secret(_) => Ok(()),
    }
}

/// A copy, paid for before it is made.
pub(super) fn copy(value: &Value, meter: &mut Meter) -> Checked<Value> {
    meter.charge(cost(value))?;
    Ok(value.clone())
}

/// Checks that a value may be put into a container at this depth (1 for a list of its own), and pays for looking.
pub(super) fn nest(value: &Value, levels: usize, meter: &mut Meter) -> Checked<()> {
    if !matches!(value, Value::List(_) | Value::Map(_)) {
        return Ok(());
    }
    meter.charge(cost(value))?;
    levels_fit(depth(value) + levels)
}

/// Checks that so many lists and maps may stand inside each other.
pub(super) fn levels_fit(levels: usize) -> Checked<()> {
    if levels > VALUE_DEPTH {
        return Err(Fault::size(format!("lists and maps are nested more than {VALUE_DEPTH} deep")));
    }
    Ok(())
}

/// Checks the number of elements of a list or map, or what it is about to become.
pub(super) fn elements(count: usize) -> Checked<()> {
    if count > VALUE_ELEMENTS {
        return Err(Fault::size(format!("a list or map has more than {VALUE_ELEMENTS} elements")));
    }
    Ok(())
}

/// Pays for a text of this many bytes that is about to be built.
pub(super) fn text(length: usize, meter: &mut Meter) -> Checked<()> {
    fits(length)?;
    meter.bytes(length)
}

/// Checks the length in bytes of a text.
pub(super) fn fits(length: usize) -> Checked<()> {
    if length > VALUE_TEXT_BYTES {
        return Err(Fault::size(format!("a text is longer than {} MiB", VALUE_TEXT_BYTES / (1024 * 1024))));
    }
    Ok(())
}
