//! The parameters that a graph declares.

use serde::{Deserialize, Serialize};

use super::{ExprId, Field};
use crate::value::Value;

/// A declared parameter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Param {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: ParamType,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Its value when none is given; templates see `run` and earlier parameters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Field>,
    /// `()` when absent.
    #[serde(default)]
    pub optional: bool,
    /// Allowed values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub choices: Option<Vec<Value>>,
    /// A regular expression that matches the whole value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// Least number, or least length.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<Value>,
    /// Greatest number, or greatest length.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<Value>,
    /// A condition on `value`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<ExprId>,
}

impl Param {
    /// One of any type, without a condition.
    pub fn any(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            kind: ParamType::Any,
            description: None,
            default: None,
            optional: false,
            choices: None,
            pattern: None,
            min: None,
            max: None,
            check: None,
        }
    }
}

/// The type of a parameter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ParamType {
    /// Text.
    String,
    /// A whole number.
    Int,
    /// A number.
    Float,
    /// `true` or `false`.
    Bool,
    /// `1h30m`.
    Duration,
    /// RFC 3339.
    Time,
    /// `10MiB`; a count of bytes.
    Size,
    /// A list of values, of one type where `items` is given.
    List(Option<Box<ParamType>>),
    /// A map.
    Map,
    /// A reference to a secret.
    Secret,
    /// Anything JSON can say.
    Any,
}

impl ParamType {
    /// As runbooks spell it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Int => "int",
            Self::Float => "float",
            Self::Bool => "bool",
            Self::Duration => "duration",
            Self::Time => "time",
            Self::Size => "size",
            Self::List(_) => "list",
            Self::Map => "map",
            Self::Secret => "secret",
            Self::Any => "any",
        }
    }
}
