//! Functions of several types.

use super::{Native, Run, any, count, int, no_method, text};
use crate::expr::fault::{Checked, Fault};
use crate::expr::meter::Meter;
use crate::expr::operand::Operand;
use crate::expr::operators::{self, article};
use crate::expr::{size, text as texts};
use crate::value::{Timestamp, Value};

pub(super) const TABLE: &[Native] = &[
    Native { name: "now", signatures: &["now() -> time"], run: Run::Free(now) },
    Native { name: "type_of", signatures: &["type_of(any) -> string"], run: Run::Method(type_of) },
    Native { name: "to_string", signatures: &["to_string(any) -> string"], run: Run::Method(to_string) },
    Native { name: "to_json", signatures: &["to_json(any) -> string"], run: Run::Method(to_json) },
    Native {
        name: "len",
        signatures: &["len(string) -> int", "len(list) -> int", "len(map) -> int"],
        run: Run::Method(len),
    },
    Native {
        name: "is_empty",
        signatures: &["is_empty(string) -> bool", "is_empty(list) -> bool", "is_empty(map) -> bool"],
        run: Run::Method(is_empty),
    },
    Native {
        name: "contains",
        signatures: &[
            "contains(string, part: string) -> bool",
            "contains(list, item: any) -> bool",
            "contains(map, key: string) -> bool",
        ],
        run: Run::Method(contains),
    },
    Native {
        name: "index_of",
        signatures: &["index_of(string, part: string) -> int or ()", "index_of(list, item: any) -> int or ()"],
        run: Run::Method(index_of),
    },
    Native {
        name: "get",
        signatures: &[
            "get(list, index: int) -> any or ()",
            "get(map, key: string) -> any or ()",
            "get(list, index: int, default: any) -> any",
            "get(map, key: string, default: any) -> any",
        ],
        run: Run::Method(get),
    },
    Native {
        name: "reverse",
        signatures: &["reverse(string) -> string", "reverse(list) -> list"],
        run: Run::Method(reverse),
    },
    Native {
        name: "truncate",
        signatures: &["truncate(string, length: int) -> string", "truncate(list, length: int) -> list"],
        run: Run::Method(truncate),
    },
    Native {
        name: "min",
        signatures: &["min(any, any) -> any", "min(list) -> any or ()"],
        run: Run::Method(|receiver, args, meter| extreme(receiver, args, meter, "min", std::cmp::Ordering::Less)),
    },
    Native {
        name: "max",
        signatures: &["max(any, any) -> any", "max(list) -> any or ()"],
        run: Run::Method(|receiver, args, meter| extreme(receiver, args, meter, "max", std::cmp::Ordering::Greater)),
    },
];

#[expect(clippy::unnecessary_wraps, reason = "one of many of this form")]
fn now(now: Timestamp, _: &[Operand], _: &mut Meter) -> Checked<Value> {
    Ok(Value::Time(now))
}

#[expect(clippy::unnecessary_wraps, reason = "one of many of this form")]
fn type_of(receiver: &Value, _: &[Operand], _: &mut Meter) -> Checked<Value> {
    Ok(receiver.type_name().to_owned().into())
}

fn to_string(receiver: &Value, _: &[Operand], meter: &mut Meter) -> Checked<Value> {
    Ok(texts::of(receiver, meter)?.into())
}

fn to_json(receiver: &Value, _: &[Operand], meter: &mut Meter) -> Checked<Value> {
    size::nest(receiver, 0, meter)?;
    if receiver.has_secret() {
        return Err(Fault::invalid("a secret cannot become plain text here"));
    }
    let json = receiver.to_json().to_string();
    size::text(json.len(), meter)?;
    Ok(json.into())
}

fn length(receiver: &Value, name: &str, meter: &mut Meter) -> Checked<usize> {
    match receiver {
        Value::String(text) => {
            meter.bytes(text.len())?;
            Ok(text.chars().count())
        }
        Value::List(list) => Ok(list.len()),
        Value::Map(map) => Ok(map.len()),
        other => Err(no_method(name, other.type_name())),
    }
}

fn len(receiver: &Value, _: &[Operand], meter: &mut Meter) -> Checked<Value> {
    Ok(Value::from(i64::try_from(length(receiver, "len", meter)?).unwrap_or(i64::MAX)))
}

fn is_empty(receiver: &Value, _: &[Operand], _: &mut Meter) -> Checked<Value> {
    match receiver {
        Value::String(text) => Ok(text.is_empty().into()),
        Value::List(list) => Ok(list.is_empty().into()),
        Value::Map(map) => Ok(map.is_empty().into()),
        other => Err(no_method("is_empty", other.type_name())),
    }
}

fn contains(receiver: &Value, args: &[Operand], meter: &mut Meter) -> Checked<Value> {
    match receiver {
        Value::String(whole) => {
            meter.bytes(whole.len())?;
            Ok(whole.contains(text(args, 0, "contains")?).into())
        }
        Value::List(list) => Ok(find(list, any(args, 0, "contains")?, meter)?.is_some().into()),
        Value::Map(map) => Ok(map.contains_key(text(args, 0, "contains")?).into()),
        other => Err(no_method("contains", other.type_name())),
    }
}

/// The index of the first item that equals a value. Each is compared as `==` does it, so unlike types are a fault.
fn find(list: &[Value], wanted: &Value, meter: &mut Meter) -> Checked<Option<usize>> {
    for (index, item) in list.iter().enumerate() {
        meter.charge(1)?;
        if operators::equal(item, wanted, meter)? {
            return Ok(Some(index));
        }
    }
    Ok(None)
}

fn index_of(receiver: &Value, args: &[Operand], meter: &mut Meter) -> Checked<Value> {
    let index = match receiver {
        Value::String(whole) => {
            meter.bytes(whole.len())?;
            whole.find(text(args, 0, "index_of")?).map(|at| whole[..at].chars().count())
        }
        Value::List(list) => find(list, any(args, 0, "index_of")?, meter)?,
        other => return Err(no_method("index_of", other.type_name())),
    };
    Ok(index.and_then(|index| i64::try_from(index).ok()).map_or(Value::Null, Value::from))
}

fn get(receiver: &Value, args: &[Operand], meter: &mut Meter) -> Checked<Value> {
    let found = match receiver {
        Value::List(list) => super::position(list.len(), int(args, 0, "get")?).map(|index| &list[index]),
        Value::Map(map) => map.get(text(args, 0, "get")?),
        other => return Err(no_method("get", other.type_name())),
    };
    match (found, args.get(1)) {
        (Some(value), _) => Ok(size::copy(value, meter)?),
        (None, Some(_)) => Ok(size::copy(any(args, 1, "get")?, meter)?),
        (None, None) => Ok(Value::Null),
    }
}

fn reverse(receiver: &Value, _: &[Operand], meter: &mut Meter) -> Checked<Value> {
    match receiver {
        Value::String(text) => {
            size::text(text.len(), meter)?;
            Ok(text.chars().rev().collect::<String>().into())
        }
        Value::List(_) => {
            let mut copy = size::copy(receiver, meter)?;
            if let Value::List(list) = &mut copy {
                list.reverse();
            }
            Ok(copy)
        }
        other => Err(no_method("reverse", other.type_name())),
    }
}

fn truncate(receiver: &Value, args: &[Operand], meter: &mut Meter) -> Checked<Value> {
    let length = count(args, 0, "truncate")?;
    match receiver {
        Value::String(text) => {
            size::text(text.len(), meter)?;
            Ok(text.chars().take(length).collect::<String>().into())
        }
        Value::List(list) => {
            let values = list.iter().take(length).map(|value| {
                meter.charge(1)?;
                size::copy(value, meter)
            });
            Ok(Value::List(values.collect::<Checked<_>>()?))
        }
        other => Err(no_method("truncate", other.type_name())),
    }
}

/// The smaller or greater of two values, or of a list.
fn extreme(
    receiver: &Value,
    args: &[Operand],
    meter: &mut Meter,
    name: &str,
    wanted: std::cmp::Ordering,
) -> Checked<Value> {
    let better = |best: &Value, value: &Value, meter: &mut Meter| {
        meter.charge(1)?;
        let operator = crate::expr::ir::Operator::Less;
        Ok::<_, Fault>(operators::compare(operator, value, best, meter)? == wanted)
    };
    match (receiver, args) {
        (Value::List(list), []) => {
            let Some((first, rest)) = list.split_first() else { return Ok(Value::Null) };
            let mut best = first;
            for value in rest {
                if better(best, value, meter)? {
                    best = value;
                }
            }
            Ok(size::copy(best, meter)?)
        }
        (_, []) => {
            Err(Fault::invalid(format!("`{name}` needs a list or two values, not {}", article(receiver.type_name()))))
        }
        (value, _) => {
            let other = any(args, 0, name)?;
            let best = if better(value, other, meter)? { other } else { value };
            Ok(size::copy(best, meter)?)
        }
    }
}
