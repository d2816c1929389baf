//! Statements: blocks, branches, loops, variables and jumps.

use super::Machine;
use super::chain::{put, walk_mut};
use crate::expr::fault::{At, Cause, Fault, Outcome, Stop};
use crate::expr::ir::{self, Kind, Label, Node};
use crate::expr::operand::Operand;
use crate::expr::operators::{self, article};
use crate::expr::size;
use crate::value::{Map, Value};

/// What it costs to say what was wrong, names that were perhaps meant among it.
const OPERATIONS_OF_A_FAULT: u64 = 256;

/// What a body of a loop asks the loop to do.
enum Turn<'s> {
    Next,
    End(Operand<'s>),
}

impl<'s> Machine<'s> {
    pub(super) fn statement(&mut self, node: &'s Node) -> Outcome<'s, Operand<'s>> {
        match &node.kind {
            Kind::Block(nodes) => {
                let mut value = Operand::UNIT;
                for node in nodes {
                    value = self.node(node)?;
                }
                Ok(value)
            }
            Kind::If(parts) => {
                let (condition, then, otherwise) = &**parts;
                if self.condition(condition)? { self.node(then) } else { self.node(otherwise) }
            }
            Kind::Switch(switch) => self.switch(switch),
            Kind::While(parts) => self.while_loop(&parts.0, &parts.1),
            Kind::Do(parts) => self.do_loop(parts),
            Kind::For(parts) => self.for_loop(parts),
            Kind::Let(slot, value) => {
                let value = self.node(value)?;
                self.define(*slot, value);
                Ok(Operand::UNIT)
            }
            Kind::Assign(assign) => self.assign(assign, node.at),
            Kind::Break(value) => {
                let value = self.optional(value.as_deref())?;
                Err(Stop::Break(Box::new(value)))
            }
            Kind::Continue => Err(Stop::Continue),
            Kind::Return(value) => {
                let value = self.optional(value.as_deref())?;
                Err(Stop::Return(Box::new(value)))
            }
            Kind::Throw(value) => self.throw(value.as_deref(), node.at),
            Kind::Try(parts) => self.try_catch(parts),
            _ => unreachable!("only statements come here"),
        }
    }

    fn optional(&mut self, value: Option<&'s Node>) -> Outcome<'s, Operand<'s>> {
        value.map_or(Ok(Operand::UNIT), |value| self.node(value))
    }

    fn switch(&mut self, switch: &'s ir::Switch) -> Outcome<'s, Operand<'s>> {
        let value = self.solid(&switch.value)?;
        for case in &switch.cases {
            let mut holds = false;
            for label in &case.labels {
                holds = holds || self.label_holds(label, &value, switch.value.at)?;
            }
            if holds && case.guard.as_ref().map_or(Ok(true), |guard| self.condition(guard))? {
                return self.node(&case.body);
            }
        }
        self.optional(switch.otherwise.as_ref())
    }

    fn label_holds(&mut self, label: &Label, value: &Operand, at: usize) -> Outcome<'s, bool> {
        self.meter.charge(1).at(at)?;
        match (label, value.value()) {
            (Label::Value(label), Some(value)) => operators::equal(value, label, &mut self.meter).at(at),
            (Label::Range(first, last), Some(Value::Int(value))) => Ok((first..=last).contains(&value)),
            (Label::Range(..), Some(Value::Null)) => Ok(false),
            _ => {
                let message = format!("cannot compare {} with the cases", article(value.type_name()));
                Err(Fault::invalid(message).at(at).into())
            }
        }
    }

    /// Runs a body and takes the jumps that are meant for its loop.
    fn turn(&mut self, body: &'s Node) -> Outcome<'s, Turn<'s>> {
        match self.node(body) {
            Ok(_) | Err(Stop::Continue) => Ok(Turn::Next),
            Err(Stop::Break(value)) => Ok(Turn::End(*value)),
            Err(stop @ (Stop::Fault(_) | Stop::Return(_))) => Err(stop),
        }
    }

    fn while_loop(&mut self, condition: &'s Node, body: &'s Node) -> Outcome<'s, Operand<'s>> {
        while self.condition(condition)? {
            if let Turn::End(value) = self.turn(body)? {
                return Ok(value);
            }
        }
        Ok(Operand::UNIT)
    }

    fn do_loop(&mut self, parts: &'s ir::DoLoop) -> Outcome<'s, Operand<'s>> {
        loop {
            if let Turn::End(value) = self.turn(&parts.body)? {
                return Ok(value);
            }
            if self.condition(&parts.condition)? != parts.goes_on {
                return Ok(Operand::UNIT);
            }
        }
    }

    fn for_loop(&mut self, parts: &'s ir::ForLoop) -> Outcome<'s, Operand<'s>> {
        let iterable = self.node(&parts.iterable)?;
        let at = parts.iterable.at;
        let items: Box<dyn Iterator<Item = Operand<'s>> + 's> = match iterable {
            Operand::Range(start, end) => Box::new((start..end).map(Operand::from)),
            Operand::Borrowed(Value::List(list)) => Box::new(list.iter().map(Operand::Borrowed)),
            Operand::Owned(Value::List(list)) => Box::new(list.into_iter().map(Operand::Owned)),
            Operand::Borrowed(Value::String(text)) => Box::new(text.chars().map(|c| c.to_string().into())),
            Operand::Owned(Value::String(text)) => {
                self.meter.elements(text.len()).at(at)?;
                Box::new(text.chars().map(|c| c.to_string().into()).collect::<Vec<_>>().into_iter())
            }
            other => {
                let fault = Fault::invalid(format!("`for` cannot go through {}", article(other.type_name())));
                let fault = match other.type_name() {
                    "map" => fault.help("go through its `keys()` or `values()`"),
                    _ => fault,
                };
                return Err(fault.at(at).into());
            }
        };
        for (counter, item) in (0_i64..).zip(items) {
            self.meter.charge(1).at(at)?;
            if let Some(slot) = parts.counter {
                self.define(slot, counter.into());
            }
            self.define(parts.item, item);
            if let Turn::End(value) = self.turn(&parts.body)? {
                return Ok(value);
            }
        }
        Ok(Operand::UNIT)
    }

    fn assign(&mut self, assign: &'s ir::Assign, at: usize) -> Outcome<'s, Operand<'s>> {
        if assign.links.is_empty() && assign.operator.is_none() {
            let value = self.node(&assign.value)?;
            self.with_variable(assign.slot, |variable, _| *variable = value);
            return Ok(Operand::UNIT);
        }
        let value = self.solid(&assign.value)?;
        let keys = self.keys(&assign.links)?;
        let levels = assign.links.len();
        self.with_variable(assign.slot, |variable, meter| {
            let target = variable.value_mut(meter).at(at)?;
            match assign.operator {
                None => {
                    let value = value.into_value(meter).at(at)?;
                    size::nest(&value, levels, meter).at(at)?;
                    let (last, path) = assign.links.split_last().expect("a variable alone is assigned above");
                    let (key, path_keys) = keys.split_last().expect("there are as many keys as links");
                    put(walk_mut(target, path, path_keys)?, last, key, value)
                }
                Some(ir::Operator::Add) => {
                    if let Some(value) = value.value() {
                        size::nest(value, levels, meter).at(at)?;
                    }
                    operators::append(walk_mut(target, &assign.links, &keys)?, &value, meter).at(at)
                }
                Some(operator) => {
                    let place = walk_mut(target, &assign.links, &keys)?;
                    let old = Operand::Owned(std::mem::take(place));
                    let new = operators::binary(operator, old, value, meter);
                    *place = new.and_then(|new| new.into_value(meter)).at(at)?;
                    Ok(())
                }
            }
        })?;
        Ok(Operand::UNIT)
    }

    /// `throw "message"`, or a map with a `message`.
    fn throw(&mut self, value: Option<&'s Node>, at: usize) -> Outcome<'s, Operand<'s>> {
        let value = match value {
            Some(value) => self.value(value)?,
            None => Value::Null,
        };
        let (message, data) = match value {
            Value::String(message) => (message, None),
            Value::Null => ("the script threw".to_owned(), None),
            Value::Map(map) => match map.get("message") {
                Some(Value::String(message)) => (message.clone(), Some(Value::Map(map))),
                _ => ("the script threw a map".to_owned(), Some(Value::Map(map))),
            },
            other => {
                let text = other.to_text();
                (text.unwrap_or_else(|_| format!("the script threw a {}", other.type_name())), Some(other))
            }
        };
        Err(Fault::new(Cause::Thrown, message).data(data).at(at).into())
    }

    fn try_catch(&mut self, parts: &'s ir::Try) -> Outcome<'s, Operand<'s>> {
        let fault = match self.node(&parts.body) {
            Err(Stop::Fault(fault)) if fault.cause().can_be_caught() => fault.details(),
            result => return result,
        };
        self.meter.charge(OPERATIONS_OF_A_FAULT).at(parts.handler.at)?;
        if let Some(slot) = parts.error {
            let error = fault.data.unwrap_or_else(|| {
                Value::Map(Map::from([
                    ("kind".to_owned(), Value::from(fault.cause.kind())),
                    ("message".to_owned(), Value::from(fault.message)),
                ]))
            });
            self.define(slot, error.into());
        }
        self.node(&parts.handler)
    }
}
