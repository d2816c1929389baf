//! What ends an evaluation early: faults, limits, and the jumps of control flow.

use super::ir::ModuleCall;
use super::operand::Operand;
use crate::source::Source;
use crate::value::Value;

/// What ends an evaluation, or a part of it, early.
#[derive(Debug)]
pub(super) enum Stop<'s> {
    /// Something is wrong.
    Fault(Fault),
    /// `break` on its way to its loop.
    Break(Box<Operand<'s>>),
    /// `continue` on its way to its loop.
    Continue,
    /// `return` on its way to its function.
    Return(Box<Operand<'s>>),
}

/// What is wrong. A pointer, since the way of success is the one that has to be quick.
#[derive(Debug)]
pub struct Fault(Box<Details>);

/// The details of a [`Fault`].
#[derive(Debug)]
pub(super) struct Details {
    pub cause: Cause,
    /// Lower case, no full stop, names in backticks.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// Byte offset in the text of the unit it was raised in; filled in on the way up.
    pub at: Option<usize>,
    /// What a script threw, where it is more than a message.
    pub data: Option<Value>,
}

/// Why an evaluation failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The expression does not fit its values.
    Invalid,
    /// The script itself threw.
    Thrown,
    /// The budget of operations is used up: with a larger one it may end.
    Operations,
    /// The caller's deadline has passed.
    Deadline,
    /// A value or the nesting of calls grew too large.
    Size,
}

impl Cause {
    /// The kind of the step's error.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::Thrown => "failed",
            Self::Operations | Self::Deadline | Self::Size => "limit",
        }
    }

    /// Whether a script's own `catch` may handle it.
    pub const fn can_be_caught(self) -> bool {
        matches!(self, Self::Invalid | Self::Thrown)
    }
}

/// The result of evaluating something.
pub(super) type Outcome<'s, T> = Result<T, Stop<'s>>;

/// The result of something that cannot jump.
pub(super) type Checked<T> = Result<T, Fault>;

impl Fault {
    /// An expression that does not fit its values: lower case, no full stop, names in backticks.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Cause::Invalid, message)
    }

    /// Something that grew too large.
    pub(super) fn size(message: impl Into<String>) -> Self {
        Self::new(Cause::Size, message)
    }

    /// A fault of any cause.
    pub(super) fn new(cause: Cause, message: impl Into<String>) -> Self {
        Self(Box::new(Details { cause, message: message.into(), help: None, at: None, data: None }))
    }

    /// Says what to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.0.help = Some(help.into());
        self
    }

    /// Says where it is, unless that is known better.
    pub(super) fn at(mut self, at: usize) -> Self {
        self.0.at.get_or_insert(at);
        self
    }

    /// Adds what was thrown.
    pub(super) fn data(mut self, data: Option<Value>) -> Self {
        self.0.data = data;
        self
    }

    /// Why.
    pub(super) fn cause(&self) -> Cause {
        self.0.cause
    }

    /// Everything about it.
    pub(super) fn details(self) -> Details {
        *self.0
    }

    /// The same, seen from the call of a module's function: the place is that of the call, since the text of the
    /// module is not the runbook's. What was thrown keeps its own words.
    pub(super) fn inside(mut self, call: &ModuleCall, module: &str, at: usize) -> Self {
        if self.0.cause != Cause::Thrown {
            let place = self.0.at.map_or_else(String::new, |offset| {
                let location = Source::new(call.module.as_str(), module).location(offset);
                format!(" (line {}, column {} of the module)", location.line, location.column)
            });
            self.0.message = format!("in `{}::{}`: {}{place}", call.module, call.name, self.0.message);
        }
        self.0.at = Some(at);
        self
    }

    /// Forgets the place, which is in another text than that of the caller.
    pub(super) fn elsewhere(mut self) -> Self {
        self.0.at = None;
        self
    }
}

impl Stop<'_> {
    /// The same, with the fault changed where it is one.
    pub fn map_fault(self, change: impl FnOnce(Fault) -> Fault) -> Self {
        match self {
            Self::Fault(fault) => Self::Fault(change(fault)),
            jump @ (Self::Break(_) | Self::Continue | Self::Return(_)) => jump,
        }
    }
}

impl From<Fault> for Stop<'_> {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// Gives a fault its place.
pub(super) trait At<T> {
    /// The same, with the place for a fault that has none.
    fn at<'s>(self, at: usize) -> Outcome<'s, T>;
}

impl<T> At<T> for Checked<T> {
    fn at<'s>(self, at: usize) -> Outcome<'s, T> {
        self.map_err(|fault| fault.at(at).into())
    }
}
