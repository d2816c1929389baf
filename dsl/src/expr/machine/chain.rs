//! Chains: what is taken from a value step by step, and where something is put.

use super::Machine;
use crate::diagnostic::suggest;
use crate::expr::fault::{At, Checked, Fault, Outcome};
use crate::expr::ir::{Chain, Kind, Link, LinkKind};
use crate::expr::library::{self, Native, Run};
use crate::expr::meter::Meter;
use crate::expr::operand::Operand;
use crate::expr::operators::article;
use crate::expr::{moment, size};
use crate::value::Value;

/// What the index of a link was evaluated to. Links with a name need none.
pub(super) type Key<'s> = Option<Operand<'s>>;

/// What a step leads to.
enum Step<T> {
    Found(T),
    /// Nothing, and that is provided for.
    Missing,
}

impl<T> Step<T> {
    /// For a key or index that does not exist: a fault, unless `?.` or `??` provides for it.
    fn missing(link: &Link, fault: impl FnOnce() -> Fault) -> Checked<Self> {
        if link.optional || link.guarded { Ok(Self::Missing) } else { Err(fault()) }
    }
}

/// Where a step in a value leads.
enum Place<'v> {
    /// To something inside.
    Inside(&'v Value),
    /// To something that is computed, such as the seconds of a duration.
    Computed(Value),
}

impl<'s> Machine<'s> {
    pub(super) fn chain(&mut self, chain: &'s Chain) -> Outcome<'s, Operand<'s>> {
        let (mut value, rest) = match &chain.base.kind {
            Kind::Local(slot) if changes(chain) || self.owns(*slot) => match self.in_variable(*slot, chain)? {
                Some(found) => found,
                None => return Ok(Operand::UNIT),
            },
            _ => (self.node(&chain.base)?, chain.links.as_slice()),
        };
        for link in rest {
            match self.step(value, link)? {
                Some(next) => value = next,
                None => return Ok(Operand::UNIT),
            }
        }
        Ok(value)
    }

    /// Takes the links before the first method, and that one too, from a variable where it stands: no copy is made of
    /// what is only looked at, and methods that change it find it. `None` when `?.` meets `()`.
    fn in_variable(&mut self, slot: usize, chain: &'s Chain) -> Outcome<'s, Option<(Operand<'s>, &'s [Link])>> {
        let count = chain.links.iter().take_while(|link| is_place(link)).count();
        let (path, rest) = chain.links.split_at(count);
        let keys = self.keys(path)?;
        let at = chain.base.at;
        let method = match rest.first() {
            Some(link) => match &link.kind {
                LinkKind::Method(Native { run: Run::Method(run), .. }, args) => {
                    let args = self.solids(args)?;
                    let found = self.with_variable(slot, |variable, meter| match variable {
                        Operand::Owned(value) => match walk(value, path, &keys, meter)? {
                            None => Ok(None),
                            Some(place) if link.optional && *place.value() == Value::Null => Ok(None),
                            Some(place) => run(place.value(), &args, meter).at(link.at).map(Some),
                        },
                        _ => unreachable!("only owned variables are looked at in place"),
                    });
                    return Ok(found?.map(|found| (Operand::Owned(found), &rest[1..])));
                }
                LinkKind::Method(Native { run: Run::Change(run), .. }, args) => {
                    let mut args = self.solids(args)?;
                    let result = self.with_variable(slot, |variable, meter| {
                        let target = walk_mut(variable.value_mut(meter).at(at)?, path, &keys)?;
                        run(target, &mut args, meter).at(link.at)
                    });
                    return Ok(Some((Operand::Owned(result?), &rest[1..])));
                }
                _ => rest,
            },
            None => rest,
        };
        let found = self.with_variable(slot, |variable, meter| match variable {
            Operand::Owned(value) => match walk(value, path, &keys, meter)? {
                None => Ok(None),
                Some(Place::Inside(value)) => size::copy(value, meter).at(at).map(Some),
                Some(Place::Computed(value)) => Ok(Some(value)),
            },
            _ => unreachable!("only owned variables are looked at in place"),
        });
        Ok(found?.map(|found| (Operand::Owned(found), method)))
    }

    /// Evaluates the indices of links.
    pub(super) fn keys(&mut self, links: &'s [Link]) -> Outcome<'s, Vec<Key<'s>>> {
        let mut keys = Vec::with_capacity(links.len());
        for link in links {
            keys.push(match &link.kind {
                LinkKind::Index(index) => Some(self.solid(index)?),
                LinkKind::Key(_) | LinkKind::Method(..) | LinkKind::Unknown(_) => None,
            });
        }
        Ok(keys)
    }

    /// One step from a value that is not in a variable. `None` when `?.` meets `()`.
    fn step(&mut self, value: Operand<'s>, link: &'s Link) -> Outcome<'s, Option<Operand<'s>>> {
        self.meter.charge(1).at(link.at)?;
        if link.optional && value.is_unit() {
            return Ok(None);
        }
        match &link.kind {
            LinkKind::Key(_) => take(value, link, None, &mut self.meter).map(Some),
            LinkKind::Index(index) => {
                let key = self.solid(index)?;
                take(value, link, Some(&key), &mut self.meter).map(Some)
            }
            LinkKind::Method(native, args) => {
                let args = self.solids(args)?;
                self.method(value, link, native, args).map(Some)
            }
            LinkKind::Unknown(name) => Err(Fault::invalid(format!("there is no method `{name}`")).at(link.at).into()),
        }
    }

    fn method(
        &mut self,
        receiver: Operand<'s>,
        link: &'s Link,
        native: &'static Native,
        mut args: Vec<Operand<'s>>,
    ) -> Outcome<'s, Operand<'s>> {
        let mut receiver = receiver.solid(&mut self.meter).at(link.at)?;
        match native.run {
            Run::Method(run) => match (&receiver, receiver.value()) {
                (_, Some(value)) => run(value, &args, &mut self.meter).at(link.at).map(Operand::Owned),
                (Operand::Range(start, end), None) => {
                    library::of_range(native, *start, *end, &args, &mut self.meter).at(link.at).map(Operand::Owned)
                }
                _ => Err(library::no_method(native.name, receiver.type_name()).at(link.at).into()),
            },
            Run::Change(run) => {
                let target = receiver.value_mut(&mut self.meter).at(link.at)?;
                run(target, &mut args, &mut self.meter).at(link.at).map(Operand::Owned)
            }
            Run::Each(run) => run(self, receiver, &args).map_err(|stop| stop.map_fault(|fault| fault.at(link.at))),
            Run::Free(_) => unreachable!("`{}` has no receiver and is no method", native.name),
        }
    }
}

/// Whether the first method of a chain changes what it is called on.
fn changes(chain: &Chain) -> bool {
    let first = chain.links.iter().find(|link| !is_place(link));
    first.is_some_and(|link| matches!(&link.kind, LinkKind::Method(Native { run: Run::Change(_), .. }, _)))
}

fn is_place(link: &Link) -> bool {
    matches!(link.kind, LinkKind::Key(_) | LinkKind::Index(_))
}

impl Place<'_> {
    fn value(&self) -> &Value {
        match self {
            Self::Inside(value) => value,
            Self::Computed(value) => value,
        }
    }
}

/// Follows a path in a value. `None` when `?.` meets `()`.
fn walk<'v, 's>(
    value: &'v Value,
    path: &[Link],
    keys: &[Key<'s>],
    meter: &mut Meter,
) -> Outcome<'s, Option<Place<'v>>> {
    let mut place = Place::Inside(value);
    for (link, key) in path.iter().zip(keys) {
        if link.optional && *place.value() == Value::Null {
            return Ok(None);
        }
        let step = match place {
            Place::Inside(value) => look(value, link, key.as_ref(), meter),
            Place::Computed(value) => look(&value, link, key.as_ref(), meter).map(|step| match step {
                Step::Found(place) => Step::Found(Place::Computed(place.value().clone())),
                Step::Missing => Step::Missing,
            }),
        };
        place = match step.at(link.at)? {
            Step::Found(place) => place,
            Step::Missing => Place::Computed(Value::Null),
        };
    }
    Ok(Some(place))
}

/// Takes one step from an operand that is not in a variable.
fn take<'s>(value: Operand<'s>, link: &Link, key: Option<&Operand>, meter: &mut Meter) -> Outcome<'s, Operand<'s>> {
    let step = match value {
        Operand::Borrowed(value) => match look(value, link, key, meter).at(link.at)? {
            Step::Found(Place::Inside(value)) => Step::Found(Operand::Borrowed(value)),
            Step::Found(Place::Computed(value)) => Step::Found(Operand::Owned(value)),
            Step::Missing => Step::Missing,
        },
        Operand::Owned(mut value) => {
            let inside = match look(&value, link, key, meter).at(link.at)? {
                Step::Found(Place::Inside(_)) => None,
                Step::Found(Place::Computed(value)) => Some(Step::Found(Operand::Owned(value))),
                Step::Missing => Some(Step::Missing),
            };
            match inside {
                Some(step) => step,
                None => Step::Found(Operand::Owned(std::mem::take(locate(&mut value, link, key)?))),
            }
        }
        Operand::Map(map) => {
            let name = name(link, key).at(link.at)?;
            match map.get(name) {
                Some(value) => Step::Found(Operand::Borrowed(value)),
                None => Step::missing(link, || no_key(name, map.keys().map(String::as_str))).at(link.at)?,
            }
        }
        Operand::Names(names) => {
            let name = name(link, key).at(link.at)?;
            match names.get(name) {
                Some(branch) => Step::Found(Operand::of(branch)),
                None => Step::missing(link, || no_key(name, names.keys().map(String::as_str))).at(link.at)?,
            }
        }
        Operand::Range(start, end) => match &link.kind {
            LinkKind::Key(name) if name == "start" => Step::Found(start.into()),
            LinkKind::Key(name) if name == "end" => Step::Found(end.into()),
            _ => return Err(Fault::invalid("a range has only `start` and `end`").at(link.at).into()),
        },
        Operand::Function(_) => return Err(Fault::invalid("a function has no properties").at(link.at).into()),
    };
    meter.charge(1).at(link.at)?;
    match step {
        Step::Found(value) => Ok(value),
        Step::Missing => Ok(Operand::UNIT),
    }
}

/// The name that a link asks a map for.
fn name<'l>(link: &'l Link, key: Option<&'l Operand>) -> Checked<&'l str> {
    match (&link.kind, key) {
        (LinkKind::Key(name), _) => Ok(name),
        (_, Some(key)) => match key.value() {
            Some(Value::String(name)) => Ok(name),
            _ => Err(Fault::invalid(format!("a map is asked for a key of text, not {}", article(key.type_name())))),
        },
        (_, None) => unreachable!("a link is a name or has an index"),
    }
}

/// Looks one step into a value.
fn look<'v>(value: &'v Value, link: &Link, key: Option<&Operand>, meter: &mut Meter) -> Checked<Step<Place<'v>>> {
    Ok(match value {
        Value::Map(map) => {
            let name = name(link, key)?;
            match map.get(name) {
                Some(value) => Step::Found(Place::Inside(value)),
                None => Step::missing(link, || no_key(name, map.keys().map(String::as_str)))?,
            }
        }
        Value::List(list) => match index(list.len(), link, key, value)? {
            Index::At(index) => Step::Found(Place::Inside(&list[index])),
            Index::Slice(start, end) => {
                let part = list[start..end].iter().map(|value| {
                    meter.charge(1)?;
                    size::copy(value, meter)
                });
                Step::Found(Place::Computed(Value::List(part.collect::<Checked<_>>()?)))
            }
            Index::Outside(fault) => Step::missing(link, || fault)?,
        },
        Value::String(text) => {
            meter.bytes(text.len())?;
            let (start, end) = match index(text.chars().count(), link, key, value)? {
                Index::At(index) => (index, index + 1),
                Index::Slice(start, end) => (start, end),
                Index::Outside(fault) => return Step::missing(link, || fault),
            };
            let found = text.chars().skip(start).take(end - start).collect();
            Step::Found(Place::Computed(Value::String(found)))
        }
        Value::Duration(_) | Value::Time(_) => match &link.kind {
            LinkKind::Key(name) => Step::Found(Place::Computed(moment::property(value, name)?)),
            LinkKind::Index(_) | LinkKind::Method(..) | LinkKind::Unknown(_) => return Err(no_property(value, link)),
        },
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Secret(_) => {
            return Err(no_property(value, link));
        }
    })
}

enum Index {
    At(usize),
    Slice(usize, usize),
    Outside(Fault),
}

/// The element or elements that an index means. A negative one counts from the end.
fn index(length: usize, link: &Link, key: Option<&Operand>, value: &Value) -> Checked<Index> {
    let what = value.type_name();
    if let LinkKind::Key(name) = &link.kind {
        let fault = Fault::invalid(format!("a {what} has no property `{name}`"));
        return Err(if library::find(name).is_some() { fault.help(format!("call it: `{name}()`")) } else { fault });
    }
    match key {
        Some(Operand::Range(start, end)) => {
            let (start, end) = library::bounds(length, *start, *end);
            Ok(Index::Slice(start, end))
        }
        Some(key) => match key.value() {
            Some(Value::Int(index)) => Ok(match library::position(length, *index) {
                Some(index) => Index::At(index),
                None => {
                    Index::Outside(Fault::invalid(format!("the {what} has no element {index}, its length is {length}")))
                }
            }),
            _ => Err(Fault::invalid(format!("a {what} is indexed by an int, not {}", article(key.type_name())))),
        },
        None => unreachable!("a link is a name or has an index"),
    }
}

/// The fault for a key that a map does not have.
fn no_key<'k>(name: &str, keys: impl Iterator<Item = &'k str>) -> Fault {
    let fault = Fault::invalid(format!("there is no `{name}`"));
    match suggest(name, keys) {
        Some(close) => fault.help(format!("did you mean `{close}`?")),
        None => fault.help(format!("where it may be missing, write `?.{name}` or give a value with `??`")),
    }
}

fn no_property(value: &Value, link: &Link) -> Fault {
    let what = match &link.kind {
        LinkKind::Key(name) => format!("`{name}`"),
        LinkKind::Index(_) | LinkKind::Method(..) | LinkKind::Unknown(_) => "elements".to_owned(),
    };
    let fault = Fault::invalid(format!("{} has no {what}", article(value.type_name())));
    match (value, &link.kind) {
        (Value::Null, LinkKind::Key(name)) => fault.help(format!("where there may be no value, write `?.{name}`")),
        (Value::Null, _) => fault.help("where there may be no value, write `?[`"),
        _ => fault,
    }
}

/// Follows a path to a place that is to be changed.
pub(super) fn walk_mut<'v, 's>(
    mut value: &'v mut Value,
    path: &[Link],
    keys: &[Key<'s>],
) -> Outcome<'s, &'v mut Value> {
    for (link, key) in path.iter().zip(keys) {
        value = locate(value, link, key.as_ref())?;
    }
    Ok(value)
}

/// One step towards a place that is to be changed.
fn locate<'v, 's>(value: &'v mut Value, link: &Link, key: Option<&Operand>) -> Outcome<'s, &'v mut Value> {
    if let Value::List(list) = value {
        let length = list.len();
        return match index(length, link, key, &Value::List(Vec::new())).at(link.at)? {
            Index::At(index) => Ok(&mut list[index]),
            Index::Slice(..) => Err(Fault::invalid("a part of a list cannot be changed in place").at(link.at).into()),
            Index::Outside(fault) => Err(fault.at(link.at).into()),
        };
    }
    if let Value::Map(map) = value {
        let name = name(link, key).at(link.at)?;
        if !map.contains_key(name) {
            return Err(no_key(name, map.keys().map(String::as_str)).at(link.at).into());
        }
        return Ok(map.get_mut(name).expect("the key was just found"));
    }
    Err(no_property(value, link).at(link.at).into())
}

/// Puts a value into a map or list. A map takes new keys, a list only what it has.
pub(super) fn put<'s>(parent: &mut Value, link: &Link, key: &Key<'s>, value: Value) -> Outcome<'s, ()> {
    if let Value::Map(map) = parent {
        size::elements(map.len() + 1).at(link.at)?;
        map.insert(name(link, key.as_ref()).at(link.at)?.to_owned(), value);
    } else {
        *locate(parent, link, key.as_ref())? = value;
    }
    Ok(())
}
