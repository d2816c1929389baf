//! Every expression of one step graph, compiled, and the fields that hold them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::error::{CompileError, EvalError};
use super::fault::{Details, Fault, Stop};
use super::ir::{Natives, Unit};
use super::machine::{Machine, Modules};
use super::meter::{Budget, Meter};
use super::operand::Operand;
use super::operators::article;
use super::problem::Problem;
use super::sandbox::Sandbox;
use super::scope::Scope;
use super::text;
use crate::graph::{self, ExprId, Field, Graph, Piece};
use crate::source::{Location, Source};
use crate::value::Value;

/// The expressions of one step graph, ready to be evaluated. Shared by every run of that graph.
#[derive(Debug)]
pub struct Program {
    exprs: Vec<Compiled>,
    modules: BTreeMap<String, Arc<Unit>>,
}

#[derive(Debug)]
struct Compiled {
    unit: Arc<Unit>,
    lines: Vec<Location>,
    condition: bool,
}

impl Program {
    /// Compiles everything a graph evaluates. Equal texts are compiled once.
    ///
    /// # Errors
    /// Something in the graph is not valid, which the checks of the front end would have found.
    pub fn new(sandbox: &Sandbox, graph: &Graph) -> Result<Self, CompileError> {
        let mut modules = BTreeMap::new();
        for module in &graph.modules {
            modules.insert(module.name.clone(), compile_module(sandbox, module)?);
        }
        let mut known: BTreeMap<(&str, bool), Arc<Unit>> = BTreeMap::new();
        let mut exprs = Vec::with_capacity(graph.exprs.len());
        for (index, expr) in graph.exprs.iter().enumerate() {
            let key = (expr.source.as_str(), expr.statements);
            let unit = if let Some(unit) = known.get(&key) {
                Arc::clone(unit)
            } else {
                let unit = compile(sandbox, expr).map_err(|problem| CompileError {
                    message: problem.message,
                    expr: u32::try_from(index).ok().map(ExprId),
                    location: place(&expr.source, &expr.lines, problem.span.start),
                })?;
                known.insert(key, Arc::clone(&unit));
                unit
            };
            exprs.push(Compiled { unit, lines: expr.lines.clone(), condition: expr.condition });
        }
        Ok(Self { exprs, modules })
    }

    /// Evaluates an expression. Needs less than 2 MiB of stack.
    ///
    /// # Errors
    /// The expression does not fit its values, threw, or went beyond its budget.
    pub fn eval(&self, id: ExprId, scope: &Scope, budget: &Budget) -> Result<Value, EvalError> {
        let compiled = &self.exprs[id.0 as usize];
        let mut machine = Machine::new(&compiled.unit, self, scope, Meter::new(*budget));
        let result = machine.run().and_then(|value| Ok(value.into_value(&mut machine.meter)?));
        match result {
            Ok(Value::Bool(value)) if compiled.condition => Ok(Value::Bool(value)),
            Ok(value) if compiled.condition => {
                let fault = Fault::invalid(format!("the condition gives {}, not a bool", article(value.type_name())));
                let fault =
                    if value == Value::Null { fault.help("say what holds without a value: `?? false`") } else { fault };
                Err(compiled.error(fault))
            }
            Ok(value) => Ok(value),
            Err(Stop::Fault(fault)) => Err(compiled.error(fault)),
            Err(Stop::Break(_) | Stop::Continue | Stop::Return(_)) => {
                unreachable!("the parser refuses jumps without a loop, and a unit ends at `return`")
            }
        }
    }

    /// What an expression gives to run over: a range as its ends, the second one behind the last number, anything else as a
    /// value.
    ///
    /// # Errors
    /// As [`Program::eval`].
    pub fn items(&self, id: ExprId, scope: &Scope, budget: &Budget) -> Result<Items, EvalError> {
        let compiled = &self.exprs[id.0 as usize];
        let mut machine = Machine::new(&compiled.unit, self, scope, Meter::new(*budget));
        let result = machine.run().and_then(|value| match value {
            Operand::Range(from, to) => Ok(Items::Range(from, to.max(from))),
            other => Ok(Items::Value(other.into_value(&mut machine.meter)?)),
        });
        result.map_err(|stop| match stop {
            Stop::Fault(fault) => compiled.error(fault),
            Stop::Break(_) | Stop::Continue | Stop::Return(_) => unreachable!("a unit ends at `return`"),
        })
    }

    /// The value of a field: what a single expression gives keeps its type, and text around expressions becomes text.
    /// Text with a secret in it stays secret.
    ///
    /// # Errors
    /// As [`Program::eval`]; also `()` within text.
    pub fn render(&self, field: &Field, scope: &Scope, budget: &Budget) -> Result<Value, EvalError> {
        match field {
            Field::Const(value) => Ok(value.clone()),
            Field::Expr(id) => self.eval(*id, scope, budget),
            Field::Text(pieces) => self.render_text(pieces, scope, budget),
            Field::List(fields) => {
                fields.iter().map(|field| self.render(field, scope, budget)).collect::<Result<_, _>>().map(Value::List)
            }
            Field::Map(entries) => {
                let values = entries.iter().map(|(key, field)| Ok((key.clone(), self.render(field, scope, budget)?)));
                values.collect::<Result<_, _>>().map(Value::Map)
            }
        }
    }

    fn render_text(&self, pieces: &[Piece], scope: &Scope, budget: &Budget) -> Result<Value, EvalError> {
        let mut whole = Value::String(String::new());
        let mut meter = Meter::new(*budget);
        for piece in pieces {
            let (value, compiled) = match piece {
                Piece::Text(text) => (Value::from(text.as_str()), None),
                Piece::Expr(id) => (self.eval(*id, scope, budget)?, Some(&self.exprs[id.0 as usize])),
            };
            whole = text::concatenate([&whole, &value], &mut meter).map_err(|fault| match compiled {
                Some(compiled) => compiled.error(fault),
                None => EvalError::nowhere(fault.details()),
            })?;
        }
        Ok(whole)
    }
}

/// What is run over.
#[derive(Clone, Debug, PartialEq)]
pub enum Items {
    /// Whole numbers, from the first up to the one before the second.
    Range(i64, i64),
    /// Anything else.
    Value(Value),
}

impl Modules for Program {
    fn module(&self, name: &str) -> Option<&Unit> {
        self.modules.get(name).map(|unit| &**unit)
    }
}

impl Compiled {
    /// A fault with its place in the runbook's file.
    fn error(&self, fault: Fault) -> EvalError {
        let details = fault.details();
        let location = place(&self.unit.text, &self.lines, details.at.unwrap_or(0));
        EvalError { location: Some(location), ..EvalError::nowhere(details) }
    }
}

impl EvalError {
    fn nowhere(details: Details) -> Self {
        let Details { cause, message, help, at: _, data } = details;
        Self { cause, message, help, location: None, data }
    }
}

/// The place in the runbook's file of an offset in an expression's text.
fn place(text: &str, lines: &[Location], offset: usize) -> Location {
    let inside = Source::new("", text).location(offset);
    let line = usize::try_from(inside.line - 1).ok().and_then(|line| lines.get(line)).or(lines.last());
    line.map_or(inside, |line| Location { line: line.line, column: line.column + inside.column - 1 })
}

fn compile(sandbox: &Sandbox, expr: &graph::Expr) -> Result<Arc<Unit>, Problem> {
    let (unit, analysis) = sandbox.compile(&expr.source, expr.statements)?;
    match analysis.problems.into_iter().next() {
        Some(problem) => Err(problem),
        None => Ok(Arc::new(unit)),
    }
}

fn compile_module(sandbox: &Sandbox, module: &graph::Module) -> Result<Arc<Unit>, CompileError> {
    let Some(text) = &module.text else {
        return sandbox.std_unit(&module.import).ok_or_else(|| CompileError {
            message: format!("this program has no module `{}`", module.import),
            expr: None,
            location: Location::default(),
        });
    };
    let error = |problem: Problem| CompileError {
        message: format!("in the module `{}`: {}", module.import, problem.message),
        expr: None,
        location: Source::new(module.import.as_str(), text.as_str()).location(problem.span.start),
    };
    let (unit, info) = sandbox.compile_module(text, Natives::new()).map_err(error)?;
    match info.problems.into_iter().next() {
        Some(problem) => Err(error(problem)),
        None => Ok(Arc::new(unit)),
    }
}
