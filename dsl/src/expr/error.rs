//! Errors of programs: at places of the runbook's file.

use super::fault::Cause;
use crate::graph::ExprId;
use crate::source::Location;
use crate::value::Value;

/// An evaluation failed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct EvalError {
    /// Why.
    pub cause: Cause,
    /// Lower case, no full stop, names in backticks.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// The place in the runbook's file; `None` where no expression is at fault.
    pub location: Option<Location>,
    /// What a script threw, where it is more than a message.
    pub data: Option<Value>,
}

impl EvalError {
    /// The kind of the step's error: `invalid`, `limit` or `failed`.
    pub const fn kind(&self) -> &'static str {
        self.cause.kind()
    }
}

/// A graph holds an expression or module that cannot be used. A graph that was checked never does.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct CompileError {
    /// What is wrong.
    pub message: String,
    /// The expression; `None` for a module.
    pub expr: Option<ExprId>,
    /// The place in the runbook's file, or in the module's text.
    pub location: Location,
}
