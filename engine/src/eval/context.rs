//! Where an expression stands: the run, the step, the question, and the budget it is evaluated with.

use std::sync::Arc;

use lockstep_dsl::expr::{Branch, Budget, Cause, EvalError, Items, Program, Sandbox, Scope};
use lockstep_dsl::graph::{ExprId, Field, Piece};
use lockstep_dsl::source::Location;
use lockstep_dsl::value::{Map, Timestamp, Value};

use super::Stop;
use crate::core::run::{Question, Run};
use crate::id::StepNo;
use crate::worker::Failure;

/// Everything the evaluation of one question needs.
pub(super) struct Context<'a> {
    pub run: &'a Run,
    /// The step that is asked about; `None` for the run itself.
    pub step: Option<StepNo>,
    pub question: Question,
    pub now: Timestamp,
    /// Of each expression.
    pub budget: Budget<'a>,
    pub program: Arc<Program>,
    pub sandbox: Arc<Sandbox>,
    /// A further name of the scope: `value` where a parameter is checked.
    pub further: Option<(&'static str, &'a Value)>,
}

impl<'a> Context<'a> {
    /// The same, where the result of another step has bare names.
    pub fn of_result(&self, step: Option<StepNo>) -> Self {
        Self {
            run: self.run,
            step,
            question: Question::Outputs,
            now: self.now,
            budget: self.budget,
            program: Arc::clone(&self.program),
            sandbox: Arc::clone(&self.sandbox),
            further: self.further,
        }
    }

    /// The value of an expression.
    pub fn expr(&self, id: ExprId) -> Result<Value, Stop> {
        self.program.eval(id, &self.whole_scope(&[id]), &self.budget).map_err(|error| self.stop(error))
    }

    /// What an expression gives to run over.
    pub fn items(&self, id: ExprId) -> Result<Items, Stop> {
        self.program.items(id, &self.whole_scope(&[id]), &self.budget).map_err(|error| self.stop(error))
    }

    /// Named expressions as a map.
    pub fn map(&self, exprs: &[(String, ExprId)]) -> Result<Value, Stop> {
        let values = exprs.iter().map(|(name, expr)| Ok((name.clone(), self.expr(*expr)?)));
        values.collect::<Result<Map, Stop>>().map(Value::Map)
    }

    /// The value of a field: exactly one expression keeps its type, text around expressions is text.
    pub fn field(&self, field: &Field) -> Result<Value, Stop> {
        if let Field::Const(value) = field {
            return Ok(value.clone());
        }
        let mut exprs = Vec::new();
        collect(field, &mut exprs);
        self.program.render(field, &self.whole_scope(&exprs), &self.budget).map_err(|error| self.stop(error))
    }

    /// Named fields as a map.
    pub fn fields(&self, entries: &[(String, Field)]) -> Result<Map, Stop> {
        entries.iter().map(|(name, field)| Ok((name.clone(), self.field(field)?))).collect()
    }

    /// A field as plain text.
    pub fn text(&self, field: &Field) -> Result<String, Stop> {
        let value = self.field(field)?;
        value.to_text().map_err(|why| self.invalid(self.place(field), &why.to_string()))
    }

    /// A field as text that may hold secrets: a variable of a command's environment.
    pub fn text_or_secret(&self, name: &str, field: &Field) -> Result<Value, Stop> {
        match self.field(field)? {
            secret @ Value::Secret(_) => Ok(secret),
            value => match value.to_text() {
                Ok(text) => Ok(Value::String(text)),
                Err(why) => Err(self.invalid(self.place(field), &format!("`{name}`: {why}"))),
            },
        }
    }

    /// A value that does not fit, with its place in the file.
    pub fn invalid(&self, at: Option<Location>, message: &str) -> Stop {
        let message = self.located(at, message);
        Stop::Failed(Failure { kind: "invalid".to_owned(), message, data: Value::Null, untouched: false })
    }

    /// Where the first expression of a field stands, else the step itself.
    pub fn place(&self, field: &Field) -> Option<Location> {
        let mut exprs = Vec::new();
        collect(field, &mut exprs);
        exprs.first().and_then(|id| self.start(*id)).or_else(|| self.step.map(|step| self.run.node_of(step).at))
    }

    /// Where an expression begins in the file.
    pub fn start(&self, id: ExprId) -> Option<Location> {
        self.run.graph.expr(id).lines.first().copied()
    }

    fn whole_scope(&self, exprs: &[ExprId]) -> Scope<'a> {
        let mut scope = self.scope(exprs);
        if let Some((name, value)) = self.further {
            scope.set(name, Branch::Borrowed(value));
        }
        scope
    }

    fn stop(&self, error: EvalError) -> Stop {
        if error.cause == Cause::Operations {
            return Stop::TakesLong;
        }
        let mut message = self.located(error.location, &error.message);
        if let Some(help) = &error.help {
            message.push_str("; ");
            message.push_str(help);
        }
        Stop::Failed(Failure {
            kind: error.kind().to_owned(),
            message,
            data: error.data.unwrap_or_default(),
            untouched: false,
        })
    }

    fn located(&self, at: Option<Location>, message: &str) -> String {
        match at {
            Some(at) => format!("{}:{}:{}: {message}", self.run.graph.file, at.line, at.column),
            None => message.to_owned(),
        }
    }
}

/// The expressions in a field, in order.
fn collect(field: &Field, exprs: &mut Vec<ExprId>) {
    match field {
        Field::Const(_) => {}
        Field::Expr(id) => exprs.push(*id),
        Field::Text(pieces) => exprs.extend(pieces.iter().filter_map(|piece| match piece {
            Piece::Expr(id) => Some(*id),
            Piece::Text(_) => None,
        })),
        Field::List(fields) => fields.iter().for_each(|field| collect(field, exprs)),
        Field::Map(entries) => entries.iter().for_each(|(_, field)| collect(field, exprs)),
    }
}
