//! From what was given to a value of the declared type.

use crate::diagnostic::{Code, Diagnostic};
use crate::graph::{Param, ParamType};
use crate::scalar;
use crate::scalar::shown;
use crate::source::Source;
use crate::value::{SecretPart, SecretRef, SecretText, Value};
use crate::yaml::{self, Node, Scalar, Style};

/// A value from the command line: text as it is, numbers and booleans as in YAML, lists, maps and `any` as YAML or
/// JSON, a secret as the reference to it.
///
/// # Errors
/// What is wrong with it, and what to write instead.
pub fn from_text(param: &Param, text: &str) -> Result<Value, String> {
    match &param.kind {
        ParamType::String => Ok(Value::from(text)),
        ParamType::Secret => secret_reference(text.trim()),
        ParamType::List(_) | ParamType::Map | ParamType::Any => structured(&param.kind, text),
        kind @ (ParamType::Int
        | ParamType::Float
        | ParamType::Bool
        | ParamType::Duration
        | ParamType::Time
        | ParamType::Size) => plain(kind, text.trim()),
    }
}

/// A value from a file of parameters.
///
/// # Errors
/// As for [`from_text`].
pub fn from_node(param: &Param, node: &Node) -> Result<Value, String> {
    typed(&param.kind, node)
}

/// A value that has its types already, such as JSON; durations, times and secrets are text there, and a size is text or
/// the number of its bytes.
///
/// # Errors
/// As for [`from_text`].
pub fn from_value(param: &Param, value: Value) -> Result<Value, String> {
    data(&param.kind, value)
}

/// Where a secret is read: `env:NAME` or `file:PATH`. What was given instead is not repeated, it may be the secret.
///
/// # Errors
/// Anything else.
pub fn secret_reference(text: &str) -> Result<Value, String> {
    const EXAMPLE: &str = "write `env:NAME` or `file:PATH`, where it is read";
    let reference = match text.split_once(':') {
        Some(("env", name)) => {
            let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
                && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
            if !is_name {
                return Err("names no environment variable behind `env:`".to_owned());
            }
            SecretRef::Env(name.to_owned())
        }
        Some(("file", path)) if path.is_empty() || path.contains('\0') => {
            return Err("names no file behind `file:`".to_owned());
        }
        Some(("file", path)) => SecretRef::File(path.to_owned()),
        Some(("store", _)) => {
            return Err(format!("refers to a store of secrets, which is not supported yet; {EXAMPLE}"));
        }
        _ => return Err(format!("is a secret and is not given itself; {EXAMPLE}")),
    };
    Ok(Value::Secret(SecretText(vec![SecretPart::Reference(reference)])))
}

/// A list, a map, or anything, as YAML or else as JSON, which may hold escapes and characters that YAML may not: a
/// parameter is data, in which an invisible character hides no code.
fn structured(kind: &ParamType, text: &str) -> Result<Value, String> {
    let source = Source::new("", text);
    match yaml::parse_value(&source) {
        Ok(Some(node)) => typed(kind, &node),
        Ok(None) => match kind {
            ParamType::Any => Ok(Value::Null),
            _ => Err(format!("is empty; write {}", example(kind))),
        },
        Err(problems) => {
            let is_yamls_own = problems.iter().all(|one| {
                matches!(
                    one.code,
                    Code::YAML_SYNTAX | Code::NEEDS_QUOTES | Code::DIRECTION_CHARACTER | Code::CONTROL_CHARACTER
                )
            });
            match serde_json::from_str(text) {
                Ok(json) if is_yamls_own => data(kind, Value::from_json(json)),
                _ => Err(unreadable(&source, &problems)),
            }
        }
    }
}

fn unreadable(source: &Source, problems: &[Diagnostic]) -> String {
    let Some(problem) = problems.first() else { return "cannot be read".to_owned() };
    let at = source.location(problem.primary.0.start);
    let help = problem.help.first().map(|help| format!("; {}", help.replace('\n', " "))).unwrap_or_default();
    format!("cannot be read: line {}, column {}: {}{help}", at.line, at.column, problem.message)
}

/// A number, a boolean, a duration, a time or a size.
fn plain(kind: &ParamType, text: &str) -> Result<Value, String> {
    match kind {
        ParamType::Int => scalar::int(text).map(Value::Int),
        ParamType::Float => scalar::float(text).map(Value::Float),
        ParamType::Bool => scalar::boolean(text).map(Value::Bool),
        ParamType::Duration => scalar::duration(text).map(Value::Duration),
        ParamType::Time => scalar::time(text).map(Value::Time),
        ParamType::Size => scalar::size(text).map(Value::Int),
        ParamType::String | ParamType::List(_) | ParamType::Map | ParamType::Secret | ParamType::Any => {
            Ok(Value::from(text))
        }
    }
}

fn typed(kind: &ParamType, node: &Node) -> Result<Value, String> {
    match (kind, node) {
        (ParamType::Any, node) => Ok(anything(node)),
        (ParamType::String, Node::Scalar(scalar)) => Ok(Value::from(scalar.text.as_str())),
        (ParamType::Secret, Node::Scalar(scalar)) => secret_reference(&scalar.text),
        (ParamType::Int | ParamType::Float | ParamType::Bool, Node::Scalar(scalar)) if scalar.style != Style::Plain => {
            Err(format!("`{}` is text; write it without quotes", shown(&scalar.text)))
        }
        (
            ParamType::Int
            | ParamType::Float
            | ParamType::Bool
            | ParamType::Duration
            | ParamType::Time
            | ParamType::Size,
            Node::Scalar(scalar),
        ) => plain(kind, &scalar.text),
        (ParamType::List(items), Node::Sequence(sequence)) => {
            let items = items.as_deref().unwrap_or(&ParamType::Any);
            let values = sequence.items.iter().enumerate();
            values
                .map(|(index, item)| typed(items, item).map_err(|error| element(index, &error)))
                .collect::<Result<_, _>>()
                .map(Value::List)
        }
        (ParamType::Map, Node::Mapping(_)) => Ok(anything(node)),
        (_, node) => Err(format!("is {}; write {}", node.describe(), example(kind))),
    }
}

fn data(kind: &ParamType, value: Value) -> Result<Value, String> {
    match (kind, value) {
        (ParamType::Any, value)
        | (ParamType::String, value @ Value::String(_))
        | (ParamType::Int | ParamType::Size, value @ Value::Int(_))
        | (ParamType::Float, value @ (Value::Float(_) | Value::Int(_)))
        | (ParamType::Bool, value @ Value::Bool(_))
        | (ParamType::Map, value @ Value::Map(_))
        | (ParamType::List(None), value @ Value::List(_))
        | (ParamType::Duration, value @ Value::Duration(_))
        | (ParamType::Time, value @ Value::Time(_))
        | (ParamType::Secret, value @ Value::Secret(_)) => Ok(as_declared(kind, value)),
        (ParamType::Duration | ParamType::Time | ParamType::Size, Value::String(text)) => plain(kind, &text),
        (ParamType::Secret, Value::String(text)) => secret_reference(&text),
        (ParamType::List(Some(items)), Value::List(values)) => {
            let values = values.into_iter().enumerate();
            values
                .map(|(index, value)| data(items, value).map_err(|error| element(index, &error)))
                .collect::<Result<_, _>>()
                .map(Value::List)
        }
        (ParamType::Secret, _) => secret_reference(""),
        (_, value) => Err(format!("is of type {}; write {}", value.type_name(), example(kind))),
    }
}

/// A whole number where a float is declared is one.
#[expect(clippy::cast_precision_loss, reason = "JSON has one kind of number; a float is declared here")]
fn as_declared(kind: &ParamType, value: Value) -> Value {
    match (kind, value) {
        (ParamType::Float, Value::Int(value)) => Value::Float(value as f64),
        (_, value) => value,
    }
}

fn element(index: usize, error: &str) -> String {
    format!("has a wrong element {}: {error}", index + 1)
}

/// A node as data: plain text is what it looks like.
fn anything(node: &Node) -> Value {
    match node {
        Node::Scalar(scalar) => plain_scalar(scalar),
        Node::Sequence(sequence) => Value::List(sequence.items.iter().map(anything).collect()),
        Node::Mapping(mapping) => {
            Value::Map(mapping.entries.iter().map(|(key, value)| (key.text.clone(), anything(value))).collect())
        }
    }
}

fn plain_scalar(scalar: &Scalar) -> Value {
    let text = scalar.text.as_str();
    if scalar.style != Style::Plain {
        return Value::from(text);
    }
    if scalar::is_null(text) {
        return Value::Null;
    }
    let number = || {
        if let Ok(value) = scalar::int(text) {
            return Some(Value::Int(value));
        }
        // A whole number that does not fit keeps its digits as text.
        let is_whole = text.trim_start_matches('-').bytes().all(|byte| byte.is_ascii_digit());
        scalar::float(text).ok().filter(|_| !is_whole).map(Value::Float)
    };
    scalar::boolean(text).ok().map(Value::Bool).or_else(number).unwrap_or_else(|| Value::from(text))
}

fn example(kind: &ParamType) -> &'static str {
    match kind {
        ParamType::String => "text",
        ParamType::Int => "a whole number",
        ParamType::Float => "a number",
        ParamType::Bool => "`true` or `false`",
        ParamType::Duration => "a duration such as `1h30m`",
        ParamType::Time => "a time such as `2026-03-01T09:00:00Z`",
        ParamType::Size => "a size such as `10MiB`",
        ParamType::List(_) => "a list such as `[a, b]`",
        ParamType::Map => "a map such as `{a: 1, b: 2}`",
        ParamType::Secret => "`env:NAME` or `file:PATH`",
        ParamType::Any => "a value",
    }
}
