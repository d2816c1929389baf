//! Functions of lists. Those that change a list are named for it: `push`, `insert`, `append`, `pop`, `shift`, `remove`,
//! `clear`.

use super::{Native, Run, any, int, keep, no_method, text};
use crate::expr::fault::{Checked, Fault};
use crate::expr::ir::Operator;
use crate::expr::meter::Meter;
use crate::expr::operand::Operand;
use crate::expr::operators;
use crate::expr::{library, size, text as texts};
use crate::value::Value;

pub(super) const TABLE: &[Native] = &[
    Native { name: "first", signatures: &["first(list) -> any or ()"], run: Run::Method(first) },
    Native { name: "last", signatures: &["last(list) -> any or ()"], run: Run::Method(last) },
    Native {
        name: "join",
        signatures: &["join(list) -> string", "join(list, separator: string) -> string"],
        run: Run::Method(join),
    },
    Native { name: "sum", signatures: &["sum(list) -> any"], run: Run::Method(sum) },
    Native { name: "unique", signatures: &["unique(list) -> list"], run: Run::Method(unique) },
    Native { name: "flatten", signatures: &["flatten(list) -> list"], run: Run::Method(flatten) },
    Native { name: "chunk", signatures: &["chunk(list, length: int) -> list"], run: Run::Method(chunk) },
    Native { name: "zip", signatures: &["zip(list, list) -> list"], run: Run::Method(zip) },
    Native { name: "push", signatures: &["push(list, item: any)"], run: Run::Change(push) },
    Native { name: "insert", signatures: &["insert(list, index: int, item: any)"], run: Run::Change(insert) },
    Native { name: "append", signatures: &["append(list, list)"], run: Run::Change(append) },
    Native { name: "pop", signatures: &["pop(list) -> any or ()"], run: Run::Change(pop) },
    Native { name: "shift", signatures: &["shift(list) -> any or ()"], run: Run::Change(shift) },
    Native {
        name: "remove",
        signatures: &["remove(list, index: int) -> any or ()", "remove(map, key: string) -> any or ()"],
        run: Run::Change(remove),
    },
    Native { name: "clear", signatures: &["clear(list)", "clear(map)"], run: Run::Change(clear) },
    Native {
        name: "range",
        signatures: &["range(start: int, end: int) -> list", "range(start: int, end: int, step: int) -> list"],
        run: Run::Free(|_, args, meter| range(args, meter)),
    },
];

fn list<'v>(receiver: &'v Value, name: &str) -> Checked<&'v [Value]> {
    match receiver {
        Value::List(list) => Ok(list),
        other => Err(no_method(name, other.type_name())),
    }
}

fn list_mut<'v>(receiver: &'v mut Value, name: &str) -> Checked<&'v mut Vec<Value>> {
    match receiver {
        Value::List(list) => Ok(list),
        Value::String(_) => Err(no_method(name, "string").help("text is never changed in place; assign the new text")),
        other => Err(no_method(name, other.type_name())),
    }
}

fn first(receiver: &Value, _: &[Operand], meter: &mut Meter) -> Checked<Value> {
    list(receiver, "first")?.first().map_or(Ok(Value::Null), |value| size::copy(value, meter))
}

fn last(receiver: &Value, _: &[Operand], meter: &mut Meter) -> Checked<Value> {
    list(receiver, "last")?.last().map_or(Ok(Value::Null), |value| size::copy(value, meter))
}

fn join(receiver: &Value, args: &[Operand], meter: &mut Meter) -> Checked<Value> {
    let separator = Value::from(if args.is_empty() { "" } else { text(args, 0, "join")? });
    let list = list(receiver, "join")?;
    meter.elements(list.len())?;
    let mut pieces = Vec::with_capacity(list.len() * 2);
    for value in list {
        if !pieces.is_empty() {
            pieces.push(&separator);
        }
        pieces.push(value);
    }
    texts::concatenate(pieces, meter)
}

fn sum(receiver: &Value, _: &[Operand], meter: &mut Meter) -> Checked<Value> {
    let Some((first, rest)) = list(receiver, "sum")?.split_first() else { return Ok(Value::from(0)) };
    if !matches!(first, Value::Int(_) | Value::Float(_) | Value::Duration(_)) {
        return Err(Fault::invalid(format!("`sum` adds numbers or durations, not a {}", first.type_name())));
    }
    let mut total = first.clone();
    for value in rest {
        meter.charge(1)?;
        let sum = operators::binary(Operator::Add, Operand::Owned(total), Operand::Borrowed(value), meter)?;
        total = sum.into_value(meter)?;
    }
    Ok(total)
}

fn unique(receiver: &Value, _: &[Operand], meter: &mut Meter) -> Checked<Value> {
    let mut kept: Vec<Value> = Vec::new();
    for value in list(receiver, "unique")? {
        let mut known = false;
        for other in &kept {
            meter.charge(1)?;
            known = known || operators::equal(other, value, meter)?;
        }
        if !known {
            kept.push(size::copy(value, meter)?);
        }
    }
    Ok(Value::List(kept))
}

fn flatten(receiver: &Value, _: &[Operand], meter: &mut Meter) -> Checked<Value> {
    let mut flat = Vec::new();
    for value in list(receiver, "flatten")? {
        let inner = match value {
            Value::List(inner) => inner.as_slice(),
            other => std::slice::from_ref(other),
        };
        size::elements(flat.len() + inner.len())?;
        meter.elements(inner.len() + 1)?;
        for value in inner {
            flat.push(size::copy(value, meter)?);
        }
    }
    Ok(Value::List(flat))
}

fn chunk(receiver: &Value, args: &[Operand], meter: &mut Meter) -> Checked<Value> {
    let length = super::count(args, 0, "chunk")?;
    if length == 0 {
        return Err(Fault::invalid("`chunk` needs a length of at least 1"));
    }
    size::nest(receiver, 1, meter)?;
    Ok(Value::List(list(receiver, "chunk")?.chunks(length).map(|part| Value::List(part.to_vec())).collect()))
}

fn zip(receiver: &Value, args: &[Operand], meter: &mut Meter) -> Checked<Value> {
    let other = any(args, 0, "zip")?;
    size::nest(receiver, 1, meter)?;
    size::nest(other, 1, meter)?;
    let pairs = list(receiver, "zip")?.iter().zip(list(other, "zip")?);
    Ok(Value::List(pairs.map(|(a, b)| Value::List(vec![a.clone(), b.clone()])).collect()))
}

fn push(receiver: &mut Value, args: &mut [Operand], meter: &mut Meter) -> Checked<Value> {
    let list = list_mut(receiver, "push")?;
    size::elements(list.len() + 1)?;
    let value = keep(args, 0, meter)?;
    size::nest(&value, 1, meter)?;
    list.push(value);
    Ok(Value::Null)
}

fn insert(receiver: &mut Value, args: &mut [Operand], meter: &mut Meter) -> Checked<Value> {
    let list = list_mut(receiver, "insert")?;
    let index = library::bounds(list.len(), int(args, 0, "insert")?, i64::MAX).0;
    size::elements(list.len() + 1)?;
    meter.elements((list.len() - index) / 16)?;
    let value = keep(args, 1, meter)?;
    size::nest(&value, 1, meter)?;
    list.insert(index, value);
    Ok(Value::Null)
}

fn append(receiver: &mut Value, args: &mut [Operand], meter: &mut Meter) -> Checked<Value> {
    list_mut(receiver, "append")?;
    list(any(args, 0, "append")?, "append")?;
    operators::append(receiver, &args[0], meter)?;
    Ok(Value::Null)
}

fn pop(receiver: &mut Value, _: &mut [Operand], _: &mut Meter) -> Checked<Value> {
    Ok(list_mut(receiver, "pop")?.pop().unwrap_or_default())
}

fn shift(receiver: &mut Value, _: &mut [Operand], meter: &mut Meter) -> Checked<Value> {
    let list = list_mut(receiver, "shift")?;
    if list.is_empty() {
        return Ok(Value::Null);
    }
    meter.elements(list.len() / 16)?;
    Ok(list.remove(0))
}

fn remove(receiver: &mut Value, args: &mut [Operand], meter: &mut Meter) -> Checked<Value> {
    let removed = match receiver {
        Value::Map(map) => map.remove(text(args, 0, "remove")?),
        Value::List(list) => {
            meter.elements(list.len() / 16)?;
            library::position(list.len(), int(args, 0, "remove")?).map(|index| list.remove(index))
        }
        Value::String(_) => return Err(no_method("remove", "string").help("use `replace(part, \"\")`")),
        other => return Err(no_method("remove", other.type_name())),
    };
    Ok(removed.unwrap_or_default())
}

fn clear(receiver: &mut Value, _: &mut [Operand], _: &mut Meter) -> Checked<Value> {
    match receiver {
        Value::Map(map) => map.clear(),
        other => list_mut(other, "clear")?.clear(),
    }
    Ok(Value::Null)
}

fn range(args: &[Operand], meter: &mut Meter) -> Checked<Value> {
    let (start, end) = (int(args, 0, "range")?, int(args, 1, "range")?);
    let step = if args.len() > 2 { int(args, 2, "range")? } else { 1 };
    if step == 0 {
        return Err(Fault::invalid("the step of `range` cannot be 0"));
    }
    let mut list = Vec::new();
    let mut next = Some(start);
    while let Some(value) = next.filter(|value| if step > 0 { *value < end } else { *value > end }) {
        meter.charge(1)?;
        size::elements(list.len() + 1)?;
        list.push(Value::Int(value));
        next = value.checked_add(step);
    }
    Ok(Value::List(list))
}
