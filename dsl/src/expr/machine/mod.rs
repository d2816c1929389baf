//! Evaluates lowered expressions.
//!
//! A machine lives for one evaluation. It borrows values of the scope and literals as long as nobody changes them,
//! counts everything on its [`Meter`], and never nests deeper than [`EXPRESSION_RECURSION`]: it needs less than 2 MiB
//! of stack, also in a debug build.

mod chain;
mod control;

use std::cell::RefCell;
use std::rc::Rc;

use super::fault::{At, Checked, Fault, Outcome, Stop};
use super::ir::{self, Function, Kind, Node, Operator, Unit};
use super::meter::Meter;
use super::module::NativeFunction;
use super::operand::{FunctionValue, Operand};
use super::operators::{self, article};
use super::scope::Scope;
use super::{library, size, text};
use crate::diagnostic::suggest;
use crate::limits::EXPRESSION_RECURSION;
use crate::value::{Map, Value};

/// A function of the library that calls a closure takes as much stack as so many nodes.
const LEVELS_OF_A_CLOSURE: usize = 3;

/// Finds the modules that a program may call.
pub(super) trait Modules {
    /// The module with this name.
    fn module(&self, name: &str) -> Option<&Unit>;
}

/// One evaluation.
pub(super) struct Machine<'s> {
    pub scope: &'s Scope<'s>,
    pub meter: Meter<'s>,
    modules: &'s dyn Modules,
    unit: &'s Unit,
    stack: Vec<Variable<'s>>,
    /// Every variable that closures share. They are kept to the end, since closures can hold each other in circles,
    /// which would never be freed, or in chains too long for the stack.
    shared: Vec<Rc<RefCell<Operand<'s>>>>,
    /// Where the slots of the running function begin.
    base: usize,
    depth: usize,
}

impl Drop for Machine<'_> {
    fn drop(&mut self) {
        for variable in &self.shared {
            drop(variable.replace(Operand::UNIT));
        }
    }
}

/// A variable: a closure that uses it shares it.
#[derive(Debug)]
enum Variable<'s> {
    Own(Operand<'s>),
    Shared(Rc<RefCell<Operand<'s>>>),
}

impl<'s> Machine<'s> {
    pub fn new(unit: &'s Unit, modules: &'s dyn Modules, scope: &'s Scope<'s>, meter: Meter<'s>) -> Self {
        Self { scope, meter, modules, unit, stack: Vec::new(), shared: Vec::new(), base: 0, depth: 0 }
    }

    /// Evaluates the unit's own statements.
    pub fn run(&mut self) -> Outcome<'s, Operand<'s>> {
        let unit = self.unit;
        self.frame(&unit.main, Vec::new(), &[], &[])
    }

    /// Runs a function of the running unit.
    fn frame(
        &mut self,
        function: &'s Function,
        args: Vec<Operand<'s>>,
        captures: &[(usize, usize)],
        shared: &[Rc<RefCell<Operand<'s>>>],
    ) -> Outcome<'s, Operand<'s>> {
        let base = std::mem::replace(&mut self.base, self.stack.len());
        let given = args.len();
        self.stack.extend(args.into_iter().map(Variable::Own));
        self.stack.extend((given..function.slots).map(|_| Variable::Own(Operand::UNIT)));
        for ((_, slot), variable) in captures.iter().zip(shared) {
            self.stack[self.base + slot] = Variable::Shared(Rc::clone(variable));
        }
        let result = self.node(&function.body);
        self.stack.truncate(self.base);
        self.base = base;
        match result {
            Err(Stop::Return(value)) => Ok(*value),
            result => result,
        }
    }

    /// Calls a function value. Its faults are placed at the call where it belongs to another unit.
    pub fn call(&mut self, function: &FunctionValue<'s>, args: Vec<Operand<'s>>) -> Outcome<'s, Operand<'s>> {
        let body = &function.unit.functions[function.index];
        if args.len() != body.params {
            return Err(Fault::invalid(format!(
                "the function takes {} arguments, and is given {}",
                body.params,
                args.len()
            ))
            .into());
        }
        let unit = std::mem::replace(&mut self.unit, function.unit);
        self.depth += LEVELS_OF_A_CLOSURE;
        let result = self.frame(body, args, function.captures, &function.shared);
        self.depth -= LEVELS_OF_A_CLOSURE;
        self.unit = unit;
        if std::ptr::eq(unit, function.unit) {
            return result;
        }
        result.map_err(|stop| stop.map_fault(Fault::elsewhere))
    }

    /// Evaluates a node.
    pub fn node(&mut self, node: &'s Node) -> Outcome<'s, Operand<'s>> {
        self.meter.charge(1).at(node.at)?;
        if self.depth >= EXPRESSION_RECURSION {
            return Err(Fault::size("calls and expressions are nested too deeply").at(node.at).into());
        }
        self.depth += 1;
        let result = self.kind(node);
        self.depth -= 1;
        result
    }

    fn kind(&mut self, node: &'s Node) -> Outcome<'s, Operand<'s>> {
        match &node.kind {
            Kind::Const(value) => Ok(Operand::Borrowed(value)),
            Kind::Local(slot) => self.with_variable(*slot, |value, meter| value.copy(meter)).at(node.at),
            Kind::Outer(name) => self.outer(name, node),
            Kind::Text(pieces) => self.text(pieces),
            Kind::List(items) => self.list(items),
            Kind::Map(entries) => self.map(entries),
            Kind::Not(operand) => self.condition(operand).map(|value| Operand::from(!value)),
            Kind::Negate(operand) => {
                let value = self.node(operand)?;
                operators::negate(&value).at(node.at).map(Operand::Owned)
            }
            Kind::Binary(operator, operands) => self.binary(*operator, operands, node.at),
            Kind::And(operands) => self.all(operands, true),
            Kind::Or(operands) => self.all(operands, false),
            Kind::Coalesce(operands) => self.coalesce(operands),
            Kind::Range(range) => self.range(range, node.at),
            Kind::Chain(chain) => self.chain(chain),
            Kind::Call(index, args) => {
                let args = self.nodes(args)?;
                let unit = self.unit;
                self.frame(&unit.functions[*index], args, &[], &[])
            }
            Kind::Free(native, args) => self.free(native, args, node.at),
            Kind::Native(native, args) => {
                let given = self.nodes(args)?;
                self.native(native, given).at(node.at).map(Operand::Owned)
            }
            Kind::Module(call) => self.module(call, node.at),
            Kind::Unknown(name) => Err(Fault::invalid(format!("there is no function `{name}`")).at(node.at).into()),
            Kind::Closure(closure) => Ok(self.closure(closure)),
            Kind::Block(..)
            | Kind::If(..)
            | Kind::Switch(..)
            | Kind::While(..)
            | Kind::Do(..)
            | Kind::For(..)
            | Kind::Let(..)
            | Kind::Assign(..)
            | Kind::Break(..)
            | Kind::Continue
            | Kind::Return(..)
            | Kind::Throw(..)
            | Kind::Try(..) => self.statement(node),
        }
    }

    fn nodes(&mut self, nodes: &'s [Node]) -> Outcome<'s, Vec<Operand<'s>>> {
        nodes.iter().map(|node| self.node(node)).collect()
    }

    /// Evaluates a node to a value that can be looked at.
    fn solid(&mut self, node: &'s Node) -> Outcome<'s, Operand<'s>> {
        let operand = self.node(node)?;
        operand.solid(&mut self.meter).at(node.at)
    }

    fn solids(&mut self, nodes: &'s [Node]) -> Outcome<'s, Vec<Operand<'s>>> {
        nodes.iter().map(|node| self.solid(node)).collect()
    }

    /// Evaluates a node to a value to be kept.
    fn value(&mut self, node: &'s Node) -> Outcome<'s, Value> {
        let operand = self.node(node)?;
        operand.into_value(&mut self.meter).at(node.at)
    }

    /// Looks at a variable or changes it where it stands.
    fn with_variable<T>(&mut self, slot: usize, with: impl FnOnce(&mut Operand<'s>, &mut Meter<'s>) -> T) -> T {
        match &mut self.stack[self.base + slot] {
            Variable::Own(value) => with(value, &mut self.meter),
            Variable::Shared(value) => with(&mut value.borrow_mut(), &mut self.meter),
        }
    }

    /// Whether a variable holds a value of its own rather than one of the scope.
    fn owns(&self, slot: usize) -> bool {
        match &self.stack[self.base + slot] {
            Variable::Own(value) => matches!(value, Operand::Owned(_)),
            Variable::Shared(value) => matches!(&*value.borrow(), Operand::Owned(_)),
        }
    }

    /// Gives a slot a new variable, which no closure shares yet.
    fn define(&mut self, slot: usize, value: Operand<'s>) {
        self.stack[self.base + slot] = Variable::Own(value);
    }

    fn outer(&mut self, name: &str, node: &'s Node) -> Outcome<'s, Operand<'s>> {
        if let Some(branch) = self.scope.get(name) {
            return Ok(Operand::of(branch));
        }
        let fault = Fault::invalid(format!("there is no `{name}` here"));
        let fault = match suggest(name, self.scope.names()) {
            Some(close) => fault.help(format!("did you mean `{close}`?")),
            None => fault,
        };
        Err(fault.at(node.at).into())
    }

    fn text(&mut self, pieces: &'s [Node]) -> Outcome<'s, Operand<'s>> {
        let mut whole = Value::String(String::new());
        for piece in pieces {
            let value = self.solid(piece)?;
            let Some(value) = value.value() else {
                let message = format!("{} has no text form", article(value.type_name()));
                return Err(Fault::invalid(message).at(piece.at).into());
            };
            whole = match (whole, value) {
                (Value::String(mut text), Value::String(more)) => {
                    size::text(text.len() + more.len(), &mut self.meter).at(piece.at)?;
                    text.push_str(more);
                    Value::String(text)
                }
                (whole, value) => text::concatenate([&whole, value], &mut self.meter).at(piece.at)?,
            };
        }
        Ok(Operand::Owned(whole))
    }

    fn list(&mut self, items: &'s [Node]) -> Outcome<'s, Operand<'s>> {
        let mut list = Vec::with_capacity(items.len());
        for item in items {
            let value = self.value(item)?;
            size::nest(&value, 1, &mut self.meter).at(item.at)?;
            list.push(value);
        }
        Ok(Operand::Owned(Value::List(list)))
    }

    fn map(&mut self, entries: &'s [(String, Node)]) -> Outcome<'s, Operand<'s>> {
        let mut map = Map::new();
        for (key, entry) in entries {
            let value = self.value(entry)?;
            size::nest(&value, 1, &mut self.meter).at(entry.at)?;
            map.insert(key.clone(), value);
        }
        Ok(Operand::Owned(Value::Map(map)))
    }

    /// Evaluates what must be `true` or `false`.
    fn condition(&mut self, node: &'s Node) -> Outcome<'s, bool> {
        let operand = self.node(node)?;
        if let Some(Value::Bool(value)) = operand.value() {
            return Ok(*value);
        }
        let fault = Fault::invalid(format!("a condition must be a bool, not {}", article(operand.type_name())));
        let fault = if operand.is_unit() { fault.help("say what holds without a value: `?? false`") } else { fault };
        Err(fault.at(node.at).into())
    }

    fn binary(&mut self, operator: Operator, operands: &'s (Node, Node), at: usize) -> Outcome<'s, Operand<'s>> {
        let left = self.node(&operands.0)?;
        let right = self.node(&operands.1)?;
        operators::binary(operator, left, right, &mut self.meter).at(at)
    }

    /// `wanted` when every condition is; the rest is not asked after the first that is not.
    fn all(&mut self, operands: &'s [Node], wanted: bool) -> Outcome<'s, Operand<'s>> {
        for operand in operands {
            if self.condition(operand)? != wanted {
                return Ok((!wanted).into());
            }
        }
        Ok(wanted.into())
    }

    fn coalesce(&mut self, operands: &'s [Node]) -> Outcome<'s, Operand<'s>> {
        let mut value = Operand::UNIT;
        for operand in operands {
            value = self.node(operand)?;
            if !value.is_unit() {
                break;
            }
        }
        Ok(value)
    }

    fn range(&mut self, range: &'s ir::Range, at: usize) -> Outcome<'s, Operand<'s>> {
        let mut side = |node: Option<&'s Node>, open: i64| match node {
            None => Outcome::Ok(open),
            Some(node) => match self.node(node)?.value() {
                Some(Value::Int(value)) => Ok(*value),
                other => {
                    let given = article(other.map_or("function", Value::type_name));
                    Err(Fault::invalid(format!("a range goes from int to int, not to {given}")).at(node.at).into())
                }
            },
        };
        let (start, end) = (side(range.start.as_ref(), 0)?, side(range.end.as_ref(), i64::MAX)?);
        let end = if range.inclusive && range.end.is_some() { end.checked_add(1) } else { Some(end) };
        let end = end.ok_or_else(|| Fault::invalid("the end of the range is too large").at(at))?;
        Ok(Operand::Range(start, end))
    }

    fn closure(&mut self, closure: &'s ir::Closure) -> Operand<'s> {
        let shared = closure.captures.iter().map(|(outer, _)| self.share(*outer)).collect();
        Operand::Function(Rc::new(FunctionValue {
            unit: self.unit,
            index: closure.function,
            captures: &closure.captures,
            shared,
        }))
    }

    /// Makes a variable one that closures share.
    fn share(&mut self, slot: usize) -> Rc<RefCell<Operand<'s>>> {
        let variable = &mut self.stack[self.base + slot];
        let shared = match variable {
            Variable::Shared(shared) => return Rc::clone(shared),
            Variable::Own(value) => Rc::new(RefCell::new(std::mem::replace(value, Operand::UNIT))),
        };
        *variable = Variable::Shared(Rc::clone(&shared));
        self.shared.push(Rc::clone(&shared));
        shared
    }

    fn free(&mut self, native: &'static library::Native, args: &'s [Node], at: usize) -> Outcome<'s, Operand<'s>> {
        let given = self.solids(args)?;
        match native.run {
            library::Run::Free(run) => run(self.scope.now, &given, &mut self.meter).at(at).map(Operand::Owned),
            library::Run::Method(_) | library::Run::Change(_) | library::Run::Each(_) => {
                unreachable!("`{}` has a receiver and is lowered to a chain", native.name)
            }
        }
    }

    /// Calls a function in Rust of a module. It has whole values for arguments: names of the scope become maps, ranges
    /// lists.
    fn native(&mut self, native: &NativeFunction, args: Vec<Operand<'s>>) -> Checked<Value> {
        let mut given = Vec::with_capacity(args.len());
        for arg in args {
            given.push(match arg {
                range @ Operand::Range(..) => Operand::Owned(range.into_value(&mut self.meter)?),
                other => other.solid(&mut self.meter)?,
            });
        }
        native.call(&given, &mut self.meter)
    }

    fn module(&mut self, call: &'s ir::ModuleCall, at: usize) -> Outcome<'s, Operand<'s>> {
        let Some(module) = self.modules.module(&call.module) else {
            let message = format!("there is no module `{}`", call.module);
            return Err(Fault::invalid(message).help("name it under the runbook's `imports`").at(at).into());
        };
        let args = self.nodes(&call.args)?;
        if let Some(native) = module.natives.get(&(call.name.as_str(), args.len())) {
            return self.native(native, args).at(at).map(Operand::Owned);
        }
        let named = module.named.get(&(call.name.clone(), args.len())).filter(|named| named.public);
        let Some(named) = named else {
            let message =
                format!("the module `{}` has no function `{}` of {} arguments", call.module, call.name, args.len());
            return Err(Fault::invalid(message).at(at).into());
        };
        let unit = std::mem::replace(&mut self.unit, module);
        let result = self.frame(&module.functions[named.index], args, &[], &[]);
        self.unit = unit;
        result.map_err(|stop| stop.map_fault(|fault| fault.inside(call, &module.text, at)))
    }
}
