//! Whether an event is meant, and why not.

use super::operator::Operator;
use super::pattern::{Field, Fields, Pattern};
use crate::value::{Map, Value};

impl Pattern {
    /// Whether an event is meant.
    pub fn matches(&self, event: &Value) -> bool {
        self.ways.iter().any(|way| is_met(way, event, &mut Vec::new(), event))
    }

    /// The fields whose values are not what the pattern wants, such as `detail.state`, in the way that comes closest.
    /// Empty where each has a value that is wanted: the event is meant, or no single object of a list has all of them.
    pub fn misses(&self, event: &Value) -> Vec<String> {
        let misses = |way| {
            let mut misses = Vec::new();
            note_misses(way, event, &mut Vec::new(), &mut misses);
            misses
        };
        self.ways.iter().map(misses).min_by_key(Vec::len).unwrap_or_default()
    }
}

/// Whether an object, or one of a list, has fields as they are wanted. `path` leads to it from the `event`.
fn is_met<'p>(fields: &'p Fields, object: &Value, path: &mut Vec<&'p str>, event: &Value) -> bool {
    // What is not there can still be wanted not to be there.
    let nothing = Map::new();
    let mut objects = Vec::new();
    each(object, &mut |element| {
        if let Value::Map(object) = element {
            objects.push(object);
        }
    });
    if objects.is_empty() {
        objects.push(&nothing);
    }
    objects.into_iter().any(|object| {
        fields.iter().all(|(name, field)| {
            let value = object.get(name);
            path.push(name);
            let is_met = has_wanted(field, value, path, event)
                && (field.fields.is_empty() || is_met(&field.fields, value.unwrap_or(&Value::Null), path, event));
            path.pop();
            is_met
        })
    })
}

/// Whether a field has, of each list of alternatives, a value that is wanted. Whether it is missing is asked of the
/// whole event: a field that another object of a list has is there.
fn has_wanted(field: &Field, value: Option<&Value>, path: &[&str], event: &Value) -> bool {
    field.alternatives.iter().all(|operators| {
        operators.iter().any(|operator| match operator {
            Operator::Exists(false) => !has_leaf(event, path),
            operator => value.is_some_and(|value| any_leaf(value, &mut |leaf| operator.matches(leaf))),
        })
    })
}

fn note_misses<'p>(fields: &'p Fields, event: &Value, path: &mut Vec<&'p str>, misses: &mut Vec<String>) {
    for (name, field) in fields {
        path.push(name);
        let is_there = |operator: &Operator| any_at(event, path, &mut |leaf| operator.matches(leaf));
        let is_wanted = field.alternatives.iter().all(|operators| {
            operators.iter().any(|operator| match operator {
                Operator::Exists(false) => !has_leaf(event, path),
                operator => is_there(operator),
            })
        });
        if !is_wanted {
            misses.push(path.join("."));
        }
        note_misses(&field.fields, event, path, misses);
        path.pop();
    }
}

fn has_leaf(event: &Value, path: &[&str]) -> bool {
    any_at(event, path, &mut |_| true)
}

/// Whether any value at this place is meant, whichever objects of lists lead there.
fn any_at(value: &Value, path: &[&str], is_meant: &mut dyn FnMut(&Value) -> bool) -> bool {
    let Some((name, rest)) = path.split_first() else { return any_leaf(value, is_meant) };
    let mut found = false;
    each(value, &mut |element| {
        if let Value::Map(object) = element {
            found = found || object.get(*name).is_some_and(|value| any_at(value, rest, is_meant));
        }
    });
    found
}

/// Whether any value that is neither list nor object is meant.
fn any_leaf(value: &Value, is_meant: &mut dyn FnMut(&Value) -> bool) -> bool {
    let mut found = false;
    each(value, &mut |element| found = found || !matches!(element, Value::Map(_)) && is_meant(element));
    found
}

/// The value, or each element of the list that it is, and of lists in it.
fn each<'v>(value: &'v Value, see: &mut dyn FnMut(&'v Value)) {
    match value {
        Value::List(elements) => elements.iter().for_each(|element| each(element, see)),
        Value::Null
        | Value::Bool(_)
        | Value::Int(_)
        | Value::Float(_)
        | Value::String(_)
        | Value::Map(_)
        | Value::Duration(_)
        | Value::Time(_)
        | Value::Secret(_) => see(value),
    }
}
