//! The functions that expressions can call: these and no others. None of them reads a file, a clock or the network.
//!
//! A function is a method of its first argument: `len(x)` and `x.len()` are the same. Those that change what they are
//! called on ([`Run::Change`]) are few and named for it; all others give a new value. Each pays for the work it does
//! before it does it.

mod common;
mod each;
mod lists;
mod maps;
mod numbers;
mod strings;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::fault::{Checked, Fault, Outcome};
use super::machine::Machine;
use super::meter::Meter;
use super::operand::Operand;
use super::operators::article;
use crate::value::{Timestamp, Value};

/// A function of the library.
#[derive(Debug)]
pub(super) struct Native {
    pub name: &'static str,
    /// How it may be called, for people: `split(string, separator: string) -> list`.
    pub signatures: &'static [&'static str],
    pub run: Run,
}

/// How a function works.
#[derive(Clone, Copy)]
pub(super) enum Run {
    /// Without a receiver; it is told the time of the evaluation.
    Free(fn(Timestamp, &[Operand], &mut Meter) -> Checked<Value>),
    /// Gives a new value.
    Method(fn(&Value, &[Operand], &mut Meter) -> Checked<Value>),
    /// Changes its receiver.
    Change(fn(&mut Value, &mut [Operand], &mut Meter) -> Checked<Value>),
    /// Calls functions.
    Each(EachFn),
}

/// A function that calls functions.
pub(super) type EachFn = for<'s> fn(&mut Machine<'s>, Operand<'s>, &[Operand<'s>]) -> Outcome<'s, Operand<'s>>;

impl std::fmt::Debug for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Free(_) => "Free",
            Self::Method(_) => "Method",
            Self::Change(_) => "Change",
            Self::Each(_) => "Each",
        })
    }
}

impl Native {
    /// The numbers of arguments it takes, the receiver among them, sorted.
    pub fn parameter_counts(&self) -> Vec<usize> {
        let mut counts: Vec<_> = self.signatures.iter().map(|signature| parameters(signature)).collect();
        counts.sort_unstable();
        counts.dedup();
        counts
    }

    /// Whether it takes so many arguments, the receiver among them.
    pub fn takes(&self, arguments: usize) -> bool {
        self.signatures.iter().any(|signature| {
            let count = parameters(signature);
            if signature.contains("...") { arguments >= count - 1 } else { arguments == count }
        })
    }
}

/// The number of parameters in a signature.
pub(super) fn parameters(signature: &str) -> usize {
    let inside = signature.split_once('(').and_then(|(_, rest)| rest.split_once(')')).map_or("", |(inside, _)| inside);
    let mut in_function = false;
    let separators = inside.chars().filter(|&c| {
        in_function ^= c == '|';
        c == ',' && !in_function
    });
    if inside.is_empty() { 0 } else { 1 + separators.count() }
}

static LIBRARY: LazyLock<BTreeMap<&'static str, &'static Native>> = LazyLock::new(|| {
    [common::TABLE, strings::TABLE, lists::TABLE, maps::TABLE, numbers::TABLE, each::TABLE, super::moment::TABLE]
        .into_iter()
        .flatten()
        .map(|native| (native.name, native))
        .collect()
});

/// The function with this name.
pub(super) fn find(name: &str) -> Option<&'static Native> {
    LIBRARY.get(name).copied()
}

/// The names of all functions, sorted.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    LIBRARY.keys().copied()
}

/// How every function may be called, sorted by name.
pub(super) fn signatures() -> impl Iterator<Item = &'static str> {
    LIBRARY.values().flat_map(|native| native.signatures.iter().copied())
}

/// What to write instead of functions that Rhai has and the library leaves out.
pub(super) fn instead_of(name: &str) -> Option<&'static str> {
    Some(match name {
        "print" | "debug" => "a script says what it found through its value",
        "eval" => "text is never evaluated",
        "sleep" => "let a `wait` step wait",
        "timestamp" => "use `now()`",
        "to_blob" | "blob" => "there are no blobs; use text",
        "curry" | "Fn" => "write a closure: `|x| name(x)`",
        "splice" | "drain" | "retain" | "extract" => "take a part with `list[1..3]`, or choose with `filter`",
        "mixin" | "fill_with" => "add maps with `+`",
        "length" => "use `len()`",
        "upper" | "lower" | "to_uppercase" | "to_lowercase" => "use `to_upper()` or `to_lower()`",
        "substr" | "substring" | "slice" => "take a part with `[1..3]`",
        "dedup" => "use `unique()`",
        "includes" | "has" => "use `contains()`",
        "ceiling" => "use `ceil()`",
        "some" => "use `any(|x| ...)`",
        _ => return None,
    })
}

/// The index of an element; a negative one counts from the end.
pub(super) fn position(length: usize, index: i64) -> Option<usize> {
    let index = if index < 0 { i64::try_from(length).ok()?.checked_add(index)? } else { index };
    usize::try_from(index).ok().filter(|index| *index < length)
}

/// The part of something of this length that a range means: as much of it as there is.
pub(super) fn bounds(length: usize, start: i64, end: i64) -> (usize, usize) {
    let clamp = |at: i64| {
        let at = if at < 0 { i64::try_from(length).unwrap_or(i64::MAX).saturating_add(at) } else { at };
        usize::try_from(at.max(0)).unwrap_or(usize::MAX).min(length)
    };
    let (start, end) = (clamp(start), clamp(end));
    (start, end.max(start))
}

/// A method on a range: those that make sense without making a list of it first, and the rest on the list.
pub(super) fn of_range(native: &Native, start: i64, end: i64, args: &[Operand], meter: &mut Meter) -> Checked<Value> {
    match (native.name, args) {
        ("contains", [item]) => match item.value() {
            Some(Value::Int(item)) => Ok((start..end).contains(item).into()),
            _ => Err(Fault::invalid(format!("a range contains ints, not {}", article(item.type_name())))),
        },
        ("len", []) => Ok(end.saturating_sub(start).max(0).into()),
        ("is_empty", []) => Ok((start >= end).into()),
        _ => match native.run {
            Run::Method(run) => {
                let list = Operand::Range(start, end).into_value(meter)?;
                run(&list, args, meter)
            }
            Run::Free(_) | Run::Change(_) | Run::Each(_) => Err(no_method(native.name, "range")),
        },
    }
}

/// The fault of a method that a type does not have.
pub(super) fn no_method(name: &str, type_name: &str) -> Fault {
    let fault = Fault::invalid(format!("{} has no method `{name}`", article(type_name)));
    match type_name {
        "()" => fault.help("`()` means that there is no value; give one to use instead with `??`, or write `?.`"),
        "secret" => fault.help("a secret can only be joined to text with `+`, or compared with `()`"),
        _ => fault,
    }
}

/// An argument that must be text.
pub(super) fn text<'a>(args: &'a [Operand], index: usize, name: &str) -> Checked<&'a str> {
    match args[index].value() {
        Some(Value::String(text)) => Ok(text),
        _ => Err(wrong(args, index, name, "a string")),
    }
}

/// An argument that must be a whole number.
fn int(args: &[Operand], index: usize, name: &str) -> Checked<i64> {
    match args[index].value() {
        Some(Value::Int(value)) => Ok(*value),
        _ => Err(wrong(args, index, name, "an int")),
    }
}

/// An argument that must be a whole number and not negative.
fn count(args: &[Operand], index: usize, name: &str) -> Checked<usize> {
    usize::try_from(int(args, index, name)?).map_err(|_| wrong(args, index, name, "an int that is not negative"))
}

/// An argument that may be any value.
fn any<'a>(args: &'a [Operand], index: usize, name: &str) -> Checked<&'a Value> {
    args[index].value().ok_or_else(|| wrong(args, index, name, "a value"))
}

/// Takes an argument out, to be kept.
fn keep(args: &mut [Operand], index: usize, meter: &mut Meter) -> Checked<Value> {
    std::mem::replace(&mut args[index], Operand::UNIT).into_value(meter)
}

fn wrong(args: &[Operand], index: usize, name: &str, wanted: &str) -> Fault {
    let given = args.get(index).map_or("nothing".to_owned(), |arg| article(arg.type_name()));
    Fault::invalid(format!("`{name}` needs {wanted}, not {given}"))
}
