//! Values that runbooks compute with: the one type that parameters, outputs and journal records share.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// A map with sorted keys, so that equal values have equal encodings.
pub type Map = BTreeMap<String, Value>;

/// A value of the runbook language.
///
/// Sizes (`10MiB`) are [`Value::Int`] counts of bytes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Value {
    /// Rhai's `()`, JSON's `null`.
    #[default]
    #[serde(rename = "n")]
    Null,
    /// `true` or `false`.
    #[serde(rename = "b")]
    Bool(bool),
    /// A whole number; also a size in bytes.
    #[serde(rename = "i")]
    Int(i64),
    /// A number with a fraction. Never NaN or infinite.
    #[serde(rename = "f")]
    Float(f64),
    /// Text.
    #[serde(rename = "s")]
    String(String),
    /// A list.
    #[serde(rename = "l")]
    List(Vec<Value>),
    /// A map from text to values.
    #[serde(rename = "m")]
    Map(Map),
    /// A length of time.
    #[serde(rename = "d")]
    Duration(Millis),
    /// A point in time.
    #[serde(rename = "t")]
    Time(Timestamp),
    /// Text that holds secrets: only ever the references, never a secret's value.
    #[serde(rename = "x")]
    Secret(SecretText),
}

/// A length of time in milliseconds, never negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Millis(pub u64);

/// A point in time: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

/// Where a secret's value is read when an attempt starts: `env:NAME`, `file:PATH` or `store:NAME`; or that a step learned it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum SecretRef {
    /// An environment variable of the engine.
    #[serde(rename = "env")]
    Env(String),
    /// A file; a single trailing newline is not part of the secret.
    #[serde(rename = "file")]
    File(String),
    /// An entry of the secret store.
    #[serde(rename = "store")]
    Store(String),
    /// What a step of a run learned, kept by whoever ran it: `RUN/TOKEN-NAME`. Nobody gives one.
    #[serde(rename = "learned")]
    Learned(String),
}

/// Text with secrets in it: pieces that are put together only where an attempt starts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretText(pub Vec<SecretPart>);

/// One piece of a [`SecretText`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SecretPart {
    /// Plain text around a secret.
    #[serde(rename = "p")]
    Plain(String),
    /// A secret to be read.
    #[serde(rename = "r")]
    Reference(SecretRef),
}

/// A value that has no text form (`()`), or text that would show a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoText {
    /// `()` has no text.
    #[error("`()` has no text form")]
    Null,
    /// A secret may not be turned into plain text.
    #[error("a secret cannot become plain text here")]
    Secret,
}

impl Value {
    /// The name of the value's type as runbooks spell it.
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "()",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float",
            Self::String(_) => "string",
            Self::List(_) => "list",
            Self::Map(_) => "map",
            Self::Duration(_) => "duration",
            Self::Time(_) => "time",
            Self::Secret(_) => "secret",
        }
    }

    /// The value as text, by the rule of the language: lists and maps as JSON, times as RFC 3339, durations as
    /// `1h30m`.
    ///
    /// # Errors
    /// `()` has no text form, and a secret's text is not known here.
    pub fn to_text(&self) -> Result<String, NoText> {
        match self {
            Self::Null => Err(NoText::Null),
            Self::Bool(value) => Ok(value.to_string()),
            Self::Int(value) => Ok(value.to_string()),
            Self::Float(_) | Self::List(_) | Self::Map(_) => {
                if self.has_secret() {
                    return Err(NoText::Secret);
                }
                Ok(self.to_json().to_string())
            }
            Self::String(value) => Ok(value.clone()),
            Self::Duration(value) => Ok(value.to_string()),
            Self::Time(value) => Ok(value.to_string()),
            Self::Secret(_) => Err(NoText::Secret),
        }
    }

    /// The value as JSON. Durations and times become their text; a secret becomes `"***"`.
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Null => serde_json::Value::Null,
            Self::Bool(value) => (*value).into(),
            Self::Int(value) => (*value).into(),
            Self::Float(value) => (*value).into(),
            Self::String(value) => value.as_str().into(),
            Self::List(values) => values.iter().map(Self::to_json).collect(),
            Self::Map(map) => map.iter().map(|(key, value)| (key.clone(), value.to_json())).collect(),
            Self::Duration(value) => value.to_string().into(),
            Self::Time(value) => value.to_string().into(),
            Self::Secret(_) => "***".into(),
        }
    }

    /// The value as JSON for who may see where its secrets are read, never what they are: `env:TOKEN`.
    pub fn to_json_with_references(&self) -> serde_json::Value {
        match self {
            Self::Secret(text) => {
                let parts = text.0.iter().map(|part| match part {
                    SecretPart::Plain(text) => text.clone(),
                    SecretPart::Reference(reference) => reference.to_string(),
                });
                parts.collect::<String>().into()
            }
            Self::List(values) => values.iter().map(Self::to_json_with_references).collect(),
            Self::Map(map) => map.iter().map(|(key, value)| (key.clone(), value.to_json_with_references())).collect(),
            Self::Null
            | Self::Bool(_)
            | Self::Int(_)
            | Self::Float(_)
            | Self::String(_)
            | Self::Duration(_)
            | Self::Time(_) => self.to_json(),
        }
    }

    /// The value a JSON document stands for. Whole numbers beyond 64 bits with sign become text, so that no digit of a
    /// large id is lost.
    pub fn from_json(json: serde_json::Value) -> Self {
        match json {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(value) => Self::Bool(value),
            serde_json::Value::Number(number) => match (number.as_i64(), number.is_u64()) {
                (Some(value), _) => Self::Int(value),
                (None, true) => Self::String(number.to_string()),
                (None, false) => number
                    .as_f64()
                    .filter(|value| value.is_finite())
                    .map_or_else(|| Self::String(number.to_string()), Self::Float),
            },
            serde_json::Value::String(value) => Self::String(value),
            serde_json::Value::Array(values) => Self::List(values.into_iter().map(Self::from_json).collect()),
            serde_json::Value::Object(map) => {
                Self::Map(map.into_iter().map(|(key, value)| (key, Self::from_json(value))).collect())
            }
        }
    }

    /// Whether a secret stands anywhere in the value.
    pub fn has_secret(&self) -> bool {
        match self {
            Self::Secret(_) => true,
            Self::List(values) => values.iter().any(Self::has_secret),
            Self::Map(map) => map.values().any(Self::has_secret),
            Self::Null
            | Self::Bool(_)
            | Self::Int(_)
            | Self::Float(_)
            | Self::String(_)
            | Self::Duration(_)
            | Self::Time(_) => false,
        }
    }
}

impl Value {
    /// The references of all secrets in the value, in its order.
    pub fn secret_references(&self) -> Vec<&SecretRef> {
        let mut found = Vec::new();
        self.collect_references(&mut found);
        found
    }

    fn collect_references<'v>(&'v self, found: &mut Vec<&'v SecretRef>) {
        match self {
            Self::Secret(text) => found.extend(text.0.iter().filter_map(|part| match part {
                SecretPart::Reference(reference) => Some(reference),
                SecretPart::Plain(_) => None,
            })),
            Self::List(values) => values.iter().for_each(|value| value.collect_references(found)),
            Self::Map(map) => map.values().for_each(|value| value.collect_references(found)),
            Self::Null
            | Self::Bool(_)
            | Self::Int(_)
            | Self::Float(_)
            | Self::String(_)
            | Self::Duration(_)
            | Self::Time(_) => {}
        }
    }
}

impl Millis {
    /// The units of the language with their length in milliseconds, largest first.
    pub const UNITS: [(&'static str, u64); 6] =
        [("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];
}

impl fmt::Display for Millis {
    /// `1h30m`, by the units of the language, largest first; zero is `0s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0s");
        }
        let mut rest = self.0;
        for (unit, length) in Self::UNITS {
            if rest >= length {
                write!(f, "{}{unit}", rest / length)?;
                rest %= length;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC, with milliseconds only where there are any.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(timestamp) => write!(f, "{timestamp}"),
            Err(_) => write!(f, "{} ms", self.0),
        }
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{path}"),
            Self::Store(name) => write!(f, "store:{name}"),
            Self::Learned(name) => write!(f, "learned:{name}"),
        }
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::String(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::String(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_print_largest_unit_first() {
        assert_eq!(Millis(0).to_string(), "0s");
        assert_eq!(Millis(5_400_000).to_string(), "1h30m");
        assert_eq!(Millis(604_800_001).to_string(), "1w1ms");
    }

    #[test]
    fn secrets_are_found_wherever_they_stand() {
        let part = |name: &str| SecretPart::Reference(SecretRef::Env(name.to_owned()));
        let secret = |parts| Value::Secret(SecretText(parts));
        let map = Map::from([("b".to_owned(), secret(vec![part("THIRD")])), ("c".to_owned(), Value::Int(1))]);
        let value = Value::List(vec![
            secret(vec![part("FIRST"), SecretPart::Plain(":".to_owned()), part("SECOND")]),
            Value::from("env:NONE"),
            Value::Map(map),
        ]);
        let names: Vec<_> = value.secret_references().iter().map(ToString::to_string).collect();
        assert_eq!(names, ["env:FIRST", "env:SECOND", "env:THIRD"]);
    }

    #[test]
    fn large_numbers_keep_their_digits() {
        let json: serde_json::Value = serde_json::from_str("18446744073709551615").expect("valid JSON");
        assert_eq!(Value::from_json(json), Value::from("18446744073709551615"));
    }
}
