//! Values while an expression is evaluated: borrowed as long as nobody changes them, and the two that a [`Value`]
//! cannot be, ranges and functions.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::fault::{Checked, Fault};
use super::ir::Unit;
use super::meter::Meter;
use super::scope::Branch;
use super::size;
use crate::value::{Map, Value};

/// A value on its way through an evaluation.
#[derive(Clone, Debug)]
pub(super) enum Operand<'s> {
    /// Of the scope, or a literal.
    Borrowed(&'s Value),
    /// A map of the scope.
    Map(&'s Map),
    /// Names of the scope.
    Names(&'s BTreeMap<String, Branch<'s>>),
    /// Computed.
    Owned(Value),
    /// `start..end`, the end excluded.
    Range(i64, i64),
    /// A function.
    Function(Rc<FunctionValue<'s>>),
}

/// A function with the variables it shares.
#[derive(Debug)]
pub(super) struct FunctionValue<'s> {
    pub unit: &'s Unit,
    pub index: usize,
    /// Which variables those are, and the function's own slots for them.
    pub captures: &'s [(usize, usize)],
    pub shared: Vec<Rc<RefCell<Operand<'s>>>>,
}

impl<'s> Operand<'s> {
    /// `()`.
    pub const UNIT: Self = Self::Owned(Value::Null);

    /// What a branch of the scope holds.
    pub fn of(branch: &'s Branch<'s>) -> Self {
        match branch {
            Branch::Borrowed(value) => Self::Borrowed(value),
            Branch::Owned(value) => Self::Borrowed(value),
            Branch::Map(map) => Self::Map(map),
            Branch::Names(names) => Self::Names(names),
        }
    }

    /// The value, where it is one already.
    pub fn value(&self) -> Option<&Value> {
        match self {
            Self::Borrowed(value) => Some(value),
            Self::Owned(value) => Some(value),
            Self::Map(_) | Self::Names(_) | Self::Range(..) | Self::Function(_) => None,
        }
    }

    /// Whether it is `()`.
    pub fn is_unit(&self) -> bool {
        matches!(self.value(), Some(Value::Null))
    }

    /// The name of its type as runbooks spell it.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Borrowed(value) => value.type_name(),
            Self::Owned(value) => value.type_name(),
            Self::Map(_) | Self::Names(_) => "map",
            Self::Range(..) => "range",
            Self::Function(_) => "function",
        }
    }

    /// The same as a value that can be looked at: names of the scope become a map.
    pub fn solid(self, meter: &mut Meter) -> Checked<Self> {
        match self {
            Self::Map(_) | Self::Names(_) => Ok(Self::Owned(self.into_value(meter)?)),
            other => Ok(other),
        }
    }

    /// An owned value. Ranges become lists; functions cannot be kept.
    pub fn into_value(self, meter: &mut Meter) -> Checked<Value> {
        match self {
            Self::Owned(value) => Ok(value),
            Self::Borrowed(value) => size::copy(value, meter),
            Self::Map(map) => {
                let copies = map.iter().map(|(key, value)| Ok((key.clone(), size::copy(value, meter)?)));
                Ok(Value::Map(copies.collect::<Checked<_>>()?))
            }
            Self::Names(names) => {
                let mut map = Map::new();
                for (name, branch) in names {
                    meter.charge(2)?;
                    map.insert(name.clone(), Operand::of(branch).into_value(meter)?);
                }
                Ok(Value::Map(map))
            }
            Self::Range(start, end) => {
                let length = usize::try_from(i128::from(end) - i128::from(start)).unwrap_or(0);
                size::elements(length)?;
                meter.elements(length)?;
                Ok(Value::List((start..end).map(Value::Int).collect()))
            }
            Self::Function(_) => {
                Err(Fault::invalid("a function is not a value: it cannot be kept in a list or map, or be a result"))
            }
        }
    }

    /// A copy, paid for.
    pub fn copy(&self, meter: &mut Meter) -> Checked<Self> {
        Ok(match self {
            Self::Owned(value) => Self::Owned(size::copy(value, meter)?),
            Self::Borrowed(value) => Self::Borrowed(value),
            Self::Map(map) => Self::Map(map),
            Self::Names(names) => Self::Names(names),
            Self::Range(start, end) => Self::Range(*start, *end),
            Self::Function(function) => Self::Function(Rc::clone(function)),
        })
    }

    /// The value itself, to be changed.
    pub fn value_mut(&mut self, meter: &mut Meter) -> Checked<&mut Value> {
        if !matches!(self, Self::Owned(_)) {
            *self = Self::Owned(std::mem::replace(self, Self::UNIT).into_value(meter)?);
        }
        match self {
            Self::Owned(value) => Ok(value),
            _ => unreachable!("it was made owned just before"),
        }
    }
}

impl From<Value> for Operand<'_> {
    fn from(value: Value) -> Self {
        Self::Owned(value)
    }
}

impl From<bool> for Operand<'_> {
    fn from(value: bool) -> Self {
        Self::Owned(Value::Bool(value))
    }
}

impl From<i64> for Operand<'_> {
    fn from(value: i64) -> Self {
        Self::Owned(Value::Int(value))
    }
}

impl From<String> for Operand<'_> {
    fn from(value: String) -> Self {
        Self::Owned(Value::String(value))
    }
}
