//! Parameters: from what the caller gives to the values that a run begins with.
//!
//! Every parameter is looked at before anything is refused, so that a caller hears of all mistakes at once. Nothing
//! here evaluates: a default with expressions in it and a `check` are left to the engine, which knows the run.
//! A message never shows what was given for a secret.

mod constraint;
mod convert;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

pub use constraint::{check, pattern};
pub use convert::{from_node, from_text, from_value, secret_reference};

use crate::diagnostic::{Diagnostic, suggest};
use crate::graph::{Field, Param};
use crate::source::Source;
use crate::value::{Map, Value};
use crate::yaml::{self, Node};

/// A value as the caller gives it, before the declaration says what it is.
#[derive(Clone, Debug)]
pub enum Given {
    /// Text from the command line.
    Text(String),
    /// From a file of parameters, in which plain text has no type of its own.
    Node(Node),
    /// Data that has its types, such as JSON.
    Data(Value),
}

/// What a run begins with.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resolved {
    /// Values by name: given ones, defaults without expressions, and `()` for what is optional and absent.
    pub values: Map,
    /// Indices of parameters whose default has to be rendered, in the order of declaration; each may read those
    /// before it. [`check`] and the declaration's own `check` then hold for the result.
    pub pending: Vec<usize>,
}

/// One thing that is wrong with the parameters of a run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParamError {
    /// No parameter has this name.
    Unknown {
        /// The name as given.
        name: String,
        /// What can be done about it.
        help: String,
    },
    /// A required parameter was not given.
    Missing {
        /// Its name.
        name: String,
        /// Its description.
        description: Option<String>,
    },
    /// The value does not fit the declaration.
    Invalid {
        /// The parameter's name.
        name: String,
        /// What is wrong, to be read behind the name, and what to write instead.
        message: String,
    },
}

impl fmt::Display for ParamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.told("parameter"))
    }
}

impl ParamError {
    /// What is wrong, where what is declared is called so: `parameter`, `field`.
    pub fn told(&self, noun: &str) -> String {
        match self {
            Self::Unknown { name, help } => format!("there is no {noun} `{name}`; {help}"),
            Self::Missing { name, description: None } => {
                format!("{noun} `{name}` is required; add `-p {name}=...`")
            }
            Self::Missing { name, description: Some(description) } => {
                format!("{noun} `{name}` is required ({description}); add `-p {name}=...`")
            }
            // What begins with the value in backticks needs something between it and the name.
            Self::Invalid { name, message } if message.starts_with('`') => format!("{noun} `{name}`: {message}"),
            Self::Invalid { name, message } => format!("{noun} `{name}` {message}"),
        }
    }
}

/// Reads a file of parameters: one map from names to values, in YAML or JSON.
///
/// # Errors
/// Everything that is wrong with the file as YAML.
pub fn read_file(source: &Source) -> Result<BTreeMap<String, Given>, Vec<Diagnostic>> {
    match yaml::parse_value(source)? {
        None => Ok(BTreeMap::new()),
        Some(Node::Mapping(mapping)) => {
            Ok(mapping.entries.into_iter().map(|(key, value)| (key.text, Given::Node(value))).collect())
        }
        Some(other) => Err(vec![yaml::not_a_map(source, &other, "a file of parameters")]),
    }
}

/// Brings declarations and given values together.
///
/// # Errors
/// Names that are not declared, values that do not fit, and required ones that are missing, all of them, in the order
/// of declaration and unknown ones last.
pub fn resolve(params: &[Param], mut given: BTreeMap<String, Given>) -> Result<Resolved, Vec<ParamError>> {
    let mut resolved = Resolved::default();
    let mut errors = Vec::new();
    for (index, param) in params.iter().enumerate() {
        let name = param.name.clone();
        match (given.remove(&name), &param.default) {
            (Some(given), _) => match convert(param, given) {
                Ok(value) => {
                    resolved.values.insert(name, value);
                }
                Err(message) => errors.push(ParamError::Invalid { name, message }),
            },
            (None, Some(default)) => match constant(default) {
                Some(value) => {
                    resolved.values.insert(name, value);
                }
                None => resolved.pending.push(index),
            },
            (None, None) if param.optional => {
                resolved.values.insert(name, Value::Null);
            }
            (None, None) => errors.push(ParamError::Missing { name, description: param.description.clone() }),
        }
    }
    errors.extend(given.into_keys().map(|name| unknown(params, name)));
    if errors.is_empty() { Ok(resolved) } else { Err(errors) }
}

fn convert(param: &Param, given: Given) -> Result<Value, String> {
    let value = match given {
        Given::Text(text) => from_text(param, &text)?,
        Given::Node(node) => from_node(param, &node)?,
        Given::Data(value) => from_value(param, value)?,
    };
    check(param, &value)?;
    Ok(value)
}

/// The value of a field in which no expression stands.
fn constant(field: &Field) -> Option<Value> {
    match field {
        Field::Const(value) => Some(value.clone()),
        Field::List(fields) => fields.iter().map(constant).collect::<Option<Vec<_>>>().map(Value::List),
        Field::Map(entries) => {
            let entries = entries.iter().map(|(key, field)| Some((key.clone(), constant(field)?)));
            entries.collect::<Option<Map>>().map(Value::Map)
        }
        Field::Expr(_) | Field::Text(_) => None,
    }
}

fn unknown(params: &[Param], name: String) -> ParamError {
    let names = params.iter().map(|param| param.name.as_str());
    let help = match suggest(&name, names.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if params.is_empty() => "there are none".to_owned(),
        None => format!("there are {}", names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")),
    };
    ParamError::Unknown { name, help }
}
