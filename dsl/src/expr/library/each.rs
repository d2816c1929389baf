//! Functions that call a function for each element.

use std::cmp::Ordering;
use std::rc::Rc;

use super::{Native, Run, no_method};
use crate::expr::fault::{Fault, Outcome};
use crate::expr::ir::Operator;
use crate::expr::machine::Machine;
use crate::expr::operand::{FunctionValue, Operand};
use crate::expr::operators::{self, article};
use crate::expr::size;
use crate::value::{Map, Value};

pub(super) const TABLE: &[Native] = &[
    Native { name: "call", signatures: &["call(function, ...) -> any"], run: Run::Each(call) },
    Native { name: "map", signatures: &["map(list, |item|) -> list"], run: Run::Each(map) },
    Native {
        name: "filter",
        signatures: &["filter(list, |item|) -> list", "filter(map, |key, value|) -> map"],
        run: Run::Each(filter),
    },
    Native { name: "reduce", signatures: &["reduce(list, |result, item|, start: any) -> any"], run: Run::Each(reduce) },
    Native {
        name: "any",
        signatures: &["any(list, |item|) -> bool"],
        run: Run::Each(|m, r, a| holds(m, r, a, "any", true)),
    },
    Native {
        name: "all",
        signatures: &["all(list, |item|) -> bool"],
        run: Run::Each(|m, r, a| holds(m, r, a, "all", false)),
    },
    Native { name: "find", signatures: &["find(list, |item|) -> any or ()"], run: Run::Each(find) },
    Native { name: "count", signatures: &["count(list, |item|) -> int"], run: Run::Each(count) },
    Native { name: "group_by", signatures: &["group_by(list, |item|) -> map"], run: Run::Each(group_by) },
    Native { name: "for_each", signatures: &["for_each(list, |item|)"], run: Run::Each(for_each) },
    Native { name: "sort", signatures: &["sort(list) -> list", "sort(list, |a, b|) -> list"], run: Run::Each(sort) },
    Native { name: "sort_by", signatures: &["sort_by(list, |item|) -> list"], run: Run::Each(sort_by) },
];

/// The items of a list, each paid for when it is taken.
fn items<'s>(machine: &mut Machine<'s>, receiver: Operand<'s>, name: &str) -> Outcome<'s, Vec<Operand<'s>>> {
    Ok(match receiver {
        Operand::Borrowed(Value::List(list)) => {
            machine.meter.elements(list.len())?;
            list.iter().map(Operand::Borrowed).collect()
        }
        Operand::Owned(Value::List(list)) => {
            machine.meter.elements(list.len())?;
            list.into_iter().map(Operand::Owned).collect()
        }
        range @ Operand::Range(..) => match range.into_value(&mut machine.meter)? {
            Value::List(list) => list.into_iter().map(Operand::Owned).collect(),
            _ => Vec::new(),
        },
        other => return Err(no_method(name, other.type_name()).into()),
    })
}

/// The function among the arguments.
fn function<'s>(args: &[Operand<'s>], name: &str) -> Outcome<'s, Rc<FunctionValue<'s>>> {
    match args.first() {
        Some(Operand::Function(function)) => Ok(Rc::clone(function)),
        other => {
            let given = other.map_or("nothing".to_owned(), |other| article(other.type_name()));
            Err(Fault::invalid(format!("`{name}` needs a function, not {given}")).help("write one as `|x| ...`").into())
        }
    }
}

/// Calls a function that must say yes or no.
fn asks<'s>(
    machine: &mut Machine<'s>,
    function: &FunctionValue<'s>,
    args: Vec<Operand<'s>>,
    name: &str,
) -> Outcome<'s, bool> {
    match machine.call(function, args)?.value() {
        Some(Value::Bool(answer)) => Ok(*answer),
        other => {
            let given = other.map_or("a function", Value::type_name);
            Err(Fault::invalid(format!("the function of `{name}` must give a bool, not {}", article(given))).into())
        }
    }
}

fn call<'s>(machine: &mut Machine<'s>, receiver: Operand<'s>, args: &[Operand<'s>]) -> Outcome<'s, Operand<'s>> {
    match receiver {
        Operand::Function(function) => {
            let args = args.iter().map(|arg| arg.copy(&mut machine.meter)).collect::<Result<_, _>>()?;
            machine.call(&function, args)
        }
        other => Err(no_method("call", other.type_name()).into()),
    }
}

fn map<'s>(machine: &mut Machine<'s>, receiver: Operand<'s>, args: &[Operand<'s>]) -> Outcome<'s, Operand<'s>> {
    let function = function(args, "map")?;
    let mut results = Vec::new();
    for item in items(machine, receiver, "map")? {
        let result = machine.call(&function, vec![item])?.into_value(&mut machine.meter)?;
        size::nest(&result, 1, &mut machine.meter)?;
        results.push(result);
    }
    Ok(Operand::Owned(Value::List(results)))
}

fn filter<'s>(machine: &mut Machine<'s>, receiver: Operand<'s>, args: &[Operand<'s>]) -> Outcome<'s, Operand<'s>> {
    let function = function(args, "filter")?;
    if receiver.type_name() == "map" {
        let Value::Map(entries) = receiver.into_value(&mut machine.meter)? else { return Ok(Operand::UNIT) };
        let mut kept = Map::new();
        for (key, value) in entries {
            let copy = size::copy(&value, &mut machine.meter)?;
            if asks(machine, &function, vec![key.clone().into(), copy.into()], "filter")? {
                kept.insert(key, value);
            }
        }
        return Ok(Operand::Owned(Value::Map(kept)));
    }
    let mut kept = Vec::new();
    for item in items(machine, receiver, "filter")? {
        let copy = item.copy(&mut machine.meter)?;
        if asks(machine, &function, vec![copy], "filter")? {
            kept.push(item.into_value(&mut machine.meter)?);
        }
    }
    Ok(Operand::Owned(Value::List(kept)))
}

fn reduce<'s>(machine: &mut Machine<'s>, receiver: Operand<'s>, args: &[Operand<'s>]) -> Outcome<'s, Operand<'s>> {
    let function = function(args, "reduce")?;
    let mut result = args[1].copy(&mut machine.meter)?;
    for item in items(machine, receiver, "reduce")? {
        result = machine.call(&function, vec![result, item])?;
    }
    Ok(result)
}

/// Whether some item answers as wanted: `any` asks for one that is true, `all` for none that is false.
fn holds<'s>(
    machine: &mut Machine<'s>,
    receiver: Operand<'s>,
    args: &[Operand<'s>],
    name: &str,
    wanted: bool,
) -> Outcome<'s, Operand<'s>> {
    let function = function(args, name)?;
    for item in items(machine, receiver, name)? {
        if asks(machine, &function, vec![item], name)? == wanted {
            return Ok(wanted.into());
        }
    }
    Ok((!wanted).into())
}

fn find<'s>(machine: &mut Machine<'s>, receiver: Operand<'s>, args: &[Operand<'s>]) -> Outcome<'s, Operand<'s>> {
    let function = function(args, "find")?;
    for item in items(machine, receiver, "find")? {
        let copy = item.copy(&mut machine.meter)?;
        if asks(machine, &function, vec![copy], "find")? {
            return Ok(item);
        }
    }
    Ok(Operand::UNIT)
}

fn count<'s>(machine: &mut Machine<'s>, receiver: Operand<'s>, args: &[Operand<'s>]) -> Outcome<'s, Operand<'s>> {
    let function = function(args, "count")?;
    let mut count = 0_i64;
    for item in items(machine, receiver, "count")? {
        count += i64::from(asks(machine, &function, vec![item], "count")?);
    }
    Ok(count.into())
}

fn group_by<'s>(machine: &mut Machine<'s>, receiver: Operand<'s>, args: &[Operand<'s>]) -> Outcome<'s, Operand<'s>> {
    let function = function(args, "group_by")?;
    let mut groups: Map = Map::new();
    for item in items(machine, receiver, "group_by")? {
        let copy = item.copy(&mut machine.meter)?;
        let key = match machine.call(&function, vec![copy])?.into_value(&mut machine.meter)? {
            Value::String(key) => key,
            other => {
                let given = article(other.type_name());
                return Err(
                    Fault::invalid(format!("the function of `group_by` must give a string, not {given}")).into()
                );
            }
        };
        let item = item.into_value(&mut machine.meter)?;
        size::nest(&item, 2, &mut machine.meter)?;
        if let Value::List(group) = groups.entry(key).or_insert_with(|| Value::List(Vec::new())) {
            group.push(item);
        }
    }
    Ok(Operand::Owned(Value::Map(groups)))
}

fn for_each<'s>(machine: &mut Machine<'s>, receiver: Operand<'s>, args: &[Operand<'s>]) -> Outcome<'s, Operand<'s>> {
    let function = function(args, "for_each")?;
    for item in items(machine, receiver, "for_each")? {
        machine.call(&function, vec![item])?;
    }
    Ok(Operand::UNIT)
}

fn sort<'s>(machine: &mut Machine<'s>, receiver: Operand<'s>, args: &[Operand<'s>]) -> Outcome<'s, Operand<'s>> {
    let items = items(machine, receiver, "sort")?;
    let items = if args.is_empty() {
        merge_sort(items, &mut |a, b| natural(machine, a, b))?
    } else {
        let function = function(args, "sort")?;
        merge_sort(items, &mut |a, b| {
            let (a, b) = (a.copy(&mut machine.meter)?, b.copy(&mut machine.meter)?);
            let answer = machine.call(&function, vec![a, b])?;
            match answer.value() {
                Some(Value::Int(order)) => Ok(order.cmp(&0)),
                Some(Value::Bool(less)) => Ok(if *less { Ordering::Less } else { Ordering::Greater }),
                _ => {
                    let given = article(answer.type_name());
                    Err(Fault::invalid(format!("the function of `sort` must give an int, not {given}")).into())
                }
            }
        })?
    };
    collect(machine, items)
}

fn sort_by<'s>(machine: &mut Machine<'s>, receiver: Operand<'s>, args: &[Operand<'s>]) -> Outcome<'s, Operand<'s>> {
    let function = function(args, "sort_by")?;
    let mut keyed = Vec::new();
    for item in items(machine, receiver, "sort_by")? {
        let copy = item.copy(&mut machine.meter)?;
        keyed.push((machine.call(&function, vec![copy])?, item));
    }
    let sorted = merge_sort(keyed, &mut |a, b| natural(machine, &a.0, &b.0))?;
    collect(machine, sorted.into_iter().map(|(_, item)| item).collect())
}

fn natural<'s>(machine: &mut Machine<'s>, a: &Operand<'s>, b: &Operand<'s>) -> Outcome<'s, Ordering> {
    match (a.value(), b.value()) {
        (Some(a), Some(b)) => Ok(operators::compare(Operator::Less, a, b, &mut machine.meter)?),
        _ => Err(Fault::invalid("functions have no order").into()),
    }
}

fn collect<'s>(machine: &mut Machine<'s>, items: Vec<Operand<'s>>) -> Outcome<'s, Operand<'s>> {
    let mut list = Vec::with_capacity(items.len());
    for item in items {
        list.push(item.into_value(&mut machine.meter)?);
    }
    Ok(Operand::Owned(Value::List(list)))
}

/// A stable sort whose comparison may fail. The standard library's cannot stop in the middle, and may panic when a
/// script's comparison contradicts itself.
fn merge_sort<'s, T>(
    mut items: Vec<T>,
    compare: &mut dyn FnMut(&T, &T) -> Outcome<'s, Ordering>,
) -> Outcome<'s, Vec<T>> {
    if items.len() < 2 {
        return Ok(items);
    }
    let right = merge_sort(items.split_off(items.len() / 2), compare)?;
    let left = merge_sort(items, compare)?;
    let mut merged = Vec::with_capacity(left.len() + right.len());
    let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
    while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
        let next = if compare(b, a)?.is_lt() { right.next() } else { left.next() };
        merged.extend(next);
    }
    merged.extend(left);
    merged.extend(right);
    Ok(merged)
}
