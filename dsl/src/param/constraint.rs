//! What a declaration demands of a value: its type, `enum`, `pattern`, `min` and `max`.
//!
//! Messages are read behind the parameter's name: `is below 1, the least that is allowed`.

use regex::{Regex, RegexBuilder};

use crate::graph::{Param, ParamType};
use crate::limits;
use crate::scalar::shown;
use crate::value::Value;

/// Whether a value fits its declaration; `()` fits an optional one. The declaration's `check` is not asked.
///
/// # Errors
/// What is wrong, as a message part that begins with a verb.
pub fn check(param: &Param, value: &Value) -> Result<(), String> {
    if *value == Value::Null && param.optional {
        return Ok(());
    }
    has_type(&param.kind, value)?;
    is_chosen(param, value)?;
    matches_pattern(param, value)?;
    is_within(param, value)
}

/// The compiled form of a `pattern`, which matches the whole value.
///
/// # Errors
/// What is wrong with it, in one line.
pub fn pattern(text: &str) -> Result<Regex, String> {
    let compile = |text: &str| RegexBuilder::new(text).size_limit(limits::PATTERN_BYTES).build();
    // First alone, so that no bracket in it closes the group around it.
    compile(text).and_then(|_| compile(&format!(r"\A(?:{text})\z"))).map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => "the pattern is too large; repeat less".to_owned(),
        other => other.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned(),
    })
}

fn has_type(kind: &ParamType, value: &Value) -> Result<(), String> {
    let fits = match kind {
        ParamType::Any => true,
        ParamType::String => matches!(value, Value::String(_)),
        ParamType::Int | ParamType::Size => matches!(value, Value::Int(_)),
        ParamType::Float => matches!(value, Value::Float(_) | Value::Int(_)),
        ParamType::Bool => matches!(value, Value::Bool(_)),
        ParamType::Duration => matches!(value, Value::Duration(_)),
        ParamType::Time => matches!(value, Value::Time(_)),
        ParamType::Map => matches!(value, Value::Map(_)),
        ParamType::Secret => matches!(value, Value::Secret(_)),
        ParamType::List(None) => matches!(value, Value::List(_)),
        ParamType::List(Some(items)) => {
            if let Value::List(values) = value {
                for (index, value) in values.iter().enumerate() {
                    has_type(items, value).map_err(|error| format!("has an element {} that {error}", index + 1))?;
                }
            }
            matches!(value, Value::List(_))
        }
    };
    if fits { Ok(()) } else { Err(format!("is of type {}, not {}", value.type_name(), kind.name())) }
}

fn is_chosen(param: &Param, value: &Value) -> Result<(), String> {
    let Some(choices) = param.choices.as_ref().filter(|choices| !choices.contains(value)) else { return Ok(()) };
    let list = choices.iter().map(show).collect::<Vec<_>>().join(", ");
    Err(format!("is {}; write one of {list}", show(value)))
}

fn matches_pattern(param: &Param, value: &Value) -> Result<(), String> {
    let (Some(source), Value::String(text)) = (&param.pattern, value) else { return Ok(()) };
    if pattern(source)?.is_match(text) {
        return Ok(());
    }
    Err(format!("is `{}`, which as a whole does not match `{source}`", shown(text)))
}

fn is_within(param: &Param, value: &Value) -> Result<(), String> {
    let length = match value {
        Value::String(text) => Some((text.chars().count(), "character")),
        Value::List(values) => Some((values.len(), "element")),
        Value::Map(map) => Some((map.len(), "key")),
        _ => None,
    };
    if let Some((length, unit)) = length {
        let length = i64::try_from(length).unwrap_or(i64::MAX);
        return match (&param.min, &param.max) {
            (Some(Value::Int(min)), _) if length < *min => {
                Err(format!("has {}, at least {min} must be there", counted(length, unit)))
            }
            (_, Some(Value::Int(max))) if length > *max => {
                Err(format!("has {}, at most {max} are allowed", counted(length, unit)))
            }
            _ => Ok(()),
        };
    }
    match (&param.min, &param.max) {
        (Some(min), _) if is_less(value, min) => {
            Err(format!("is {}, below {}, the least that is allowed", show(value), show(min)))
        }
        (_, Some(max)) if is_less(max, value) => {
            Err(format!("is {}, above {}, the greatest that is allowed", show(value), show(max)))
        }
        _ => Ok(()),
    }
}

fn counted(number: i64, unit: &str) -> String {
    format!("{number} {unit}{}", if number == 1 { "" } else { "s" })
}

/// Whether one value comes before another; values without an order do not.
#[expect(clippy::cast_precision_loss, reason = "a bound as a float is compared as one, in Rhai too")]
fn is_less(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Int(one), Value::Int(other)) => one < other,
        (Value::Float(one), Value::Float(other)) => one < other,
        (Value::Int(one), Value::Float(other)) => (*one as f64) < *other,
        (Value::Float(one), Value::Int(other)) => *one < (*other as f64),
        (Value::Duration(one), Value::Duration(other)) => one < other,
        (Value::Time(one), Value::Time(other)) => one < other,
        _ => false,
    }
}

fn show(value: &Value) -> String {
    format!("`{}`", shown(&value.to_text().unwrap_or_else(|_| "***".to_owned())))
}
