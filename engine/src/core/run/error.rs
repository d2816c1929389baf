//! Why a step or a run did not end well.

use std::collections::BTreeMap;

use lockstep_dsl::value::Value;
use serde::{Deserialize, Serialize};

use crate::worker::Failure;

/// `error` as runbooks see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunError {
    /// `failed`, `timeout`, `lost`, `invalid`, `assertion`, `cancelled`, `limit`, or what `fail` names.
    pub kind: String,
    /// One sentence.
    pub message: String,
    /// The path of the step it arose in; empty for the run itself.
    #[serde(default)]
    pub step: String,
    /// The attempt it arose in; 0 where there was none.
    #[serde(default)]
    pub attempt: u32,
    /// What the kind knows.
    #[serde(default)]
    pub data: Value,
    /// What this error came on top of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Box<RunError>>,
}

impl RunError {
    /// An error without attempt, data and cause.
    pub fn new(kind: &str, message: impl Into<String>, step: impl Into<String>) -> Self {
        Self {
            kind: kind.to_owned(),
            message: message.into(),
            step: step.into(),
            attempt: 0,
            data: Value::Null,
            cause: None,
        }
    }

    /// A worker's or evaluator's failure, in a step.
    pub fn of(failure: &Failure, step: impl Into<String>, attempt: u32) -> Self {
        Self {
            kind: failure.kind.clone(),
            message: failure.message.clone(),
            step: step.into(),
            attempt,
            data: failure.data.clone(),
            cause: None,
        }
    }

    /// The value that expressions see.
    pub fn to_value(&self) -> Value {
        Value::Map(BTreeMap::from([
            ("kind".to_owned(), Value::from(self.kind.as_str())),
            ("message".to_owned(), Value::from(self.message.as_str())),
            ("step".to_owned(), Value::from(self.step.as_str())),
            ("attempt".to_owned(), Value::Int(i64::from(self.attempt))),
            ("data".to_owned(), self.data.clone()),
            ("cause".to_owned(), self.cause.as_ref().map_or(Value::Null, |cause| cause.to_value())),
        ]))
    }
}
