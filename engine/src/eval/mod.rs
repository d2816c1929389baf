//! Answers the core's questions: renders inputs and evaluates conditions and outputs over what a run knows.
//!
//! The same question about the same run at the same moment always has the same answer; nothing is changed, and nothing
//! is read but the run. An expression gets a budget of operations here; one that needs more is evaluated again elsewhere
//! ([`Evaluator::answer`]) under a deadline, so that no runbook holds the driver up.

mod context;
mod input;
mod items;
mod params;
mod programs;
mod scope;

pub use params::WrongParams;
pub(crate) use scope::secret_names;

use std::sync::Arc;

use lockstep_dsl::expr::{Budget, Sandbox};
use lockstep_dsl::graph::{Field, Kind, Probe};
use lockstep_dsl::value::{Map, Timestamp, Value};

use self::context::Context;
use self::programs::Programs;
use crate::core::run::{Answer, Question, Run};
use crate::id::StepNo;
use crate::limits::{QUICK_OPERATIONS, TITLE_CHARS};
use crate::worker::Failure;
use crate::worker::limits::OUTPUT_BYTES;

/// A question and all that its answer depends on, to be answered where it may take its time.
#[derive(Debug)]
pub struct Evaluation {
    /// The run as it was when the question was asked.
    pub run: Run,
    /// The step; `None` for the run itself.
    pub step: Option<StepNo>,
    /// The question.
    pub question: Question,
    /// What `now()` gives.
    pub now: Timestamp,
}

/// What came of a quick evaluation.
#[derive(Debug)]
pub enum Verdict {
    /// The answer.
    Answer(Answer),
    /// The budget of operations is used up.
    TakesLong,
}

/// Why there is no answer.
pub(crate) enum Stop {
    /// The answer is that it failed.
    Failed(Failure),
    /// The budget of operations is used up.
    TakesLong,
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// The evaluator: programs compiled once per definition. Cloning shares them.
#[derive(Clone)]
pub struct Evaluator {
    programs: Programs,
}

impl Evaluator {
    /// An evaluator that has compiled nothing yet.
    pub fn new(sandbox: Arc<Sandbox>) -> Self {
        Self { programs: Programs::new(sandbox) }
    }

    /// Answers a question within a small budget.
    pub fn answer_quickly(&self, run: &Run, step: Option<StepNo>, question: Question, now: Timestamp) -> Verdict {
        let budget = Budget::operations(QUICK_OPERATIONS);
        let context = self.context(run, step, question, now, budget);
        match context.map_err(Stop::from).and_then(|context| answer(&context)) {
            Ok(value) => Verdict::Answer(Ok(value)),
            Err(Stop::Failed(failure)) => Verdict::Answer(Err(failure)),
            Err(Stop::TakesLong) => Verdict::TakesLong,
        }
    }

    /// Answers a question within the full budget and a deadline: `expired` says whether it has passed.
    pub fn answer(&self, evaluation: &Evaluation, expired: &dyn Fn() -> bool) -> Answer {
        let Evaluation { run, step, question, now } = evaluation;
        let context = self.context(run, *step, *question, *now, Budget::until(expired));
        match context.map_err(Stop::from).and_then(|context| answer(&context)) {
            Ok(value) => Ok(value),
            Err(Stop::Failed(failure)) => Err(failure),
            Err(Stop::TakesLong) => Err(Failure {
                kind: "limit".to_owned(),
                message: "the expression needs too many operations".to_owned(),
                data: Value::Null,
                untouched: false,
            }),
        }
    }

    fn context<'a>(
        &self,
        run: &'a Run,
        step: Option<StepNo>,
        question: Question,
        now: Timestamp,
        budget: Budget<'a>,
    ) -> Result<Context<'a>, Failure> {
        let program = self.programs.of(&run.definition, &run.graph)?;
        Ok(Context { run, step, question, now, budget, program, sandbox: self.programs.sandbox(), further: None })
    }
}

fn answer(context: &Context<'_>) -> Result<Value, Stop> {
    let Some(step) = context.step else { return outputs(context.map(&context.run.graph.outputs)?) };
    let node = context.run.node_of(step);
    let question = context.question;
    let unasked = || Failure {
        kind: "invalid".to_owned(),
        message: format!("step `{}` has no {question:?}", node.path),
        data: Value::Null,
        untouched: false,
    };
    match question {
        Question::When => context.expr(node.when.ok_or_else(unasked)?),
        Question::Lock => input::lock_key(context, &node.lock.as_ref().ok_or_else(unasked)?.key, node),
        Question::Title => title(context, node.title.as_ref().ok_or_else(unasked)?),
        Question::Input => match &node.kind {
            Kind::Shell(_) | Kind::Exec(_) | Kind::Http(_) => Ok(Value::Map(input::of_action(context, node)?)),
            Kind::Script(expr) => context.expr(*expr).and_then(|value| within_limit("value", value)),
            Kind::Set(fields) => outputs(Value::Map(context.fields(fields)?)),
            Kind::Assert { that, message } => {
                let ok = context.expr(*that)?;
                let message = match (&ok, message) {
                    (Value::Bool(true), _) => String::new(),
                    (_, Some(message)) => context.text(message)?,
                    (_, None) => format!("`{}` does not hold", context.run.graph.expr(*that).source.trim()),
                };
                Ok(Value::Map(Map::from([("ok".to_owned(), ok), ("message".to_owned(), message.into())])))
            }
            Kind::WaitFor(length) => input::duration(context, length, node),
            Kind::WaitUntil(at) => input::time(context, at, node),
            Kind::AwaitSignal(name) => input::signal(context, name, node),
            Kind::Approve(approve) => input::approve(context, approve, node),
            Kind::Ask(ask) => input::ask(context, ask, node),
            Kind::Call(call) => Ok(Value::Map(context.fields(&call.params)?)),
            Kind::Fail { message, kind, data } => {
                let kind = kind.as_ref().map_or(Ok("failed".to_owned()), |kind| context.text(kind))?;
                let data = data.as_ref().map_or(Ok(Value::Null), |data| context.field(data))?;
                Ok(Value::Map(Map::from([
                    ("message".to_owned(), context.text(message)?.into()),
                    ("kind".to_owned(), kind.into()),
                    ("data".to_owned(), data),
                ])))
            }
            Kind::Finish { outputs: Some(named) } => outputs(context.map(named)?),
            Kind::Finish { outputs: None } => Ok(Value::Null),
            Kind::Switch(switch) => input::case(context, switch, node),
            Kind::Foreach(foreach) => items::of(context, foreach, node),
            Kind::Do(_) | Kind::Parallel(_) | Kind::Repeat(_) => Err(unasked().into()),
        },
        Question::Outputs => outputs(context.map(&node.outputs)?),
        Question::While | Question::Round => match (&node.kind, question) {
            (Kind::Repeat(repeat), Question::While) => context.expr(repeat.goes_on.ok_or_else(unasked)?),
            (Kind::Repeat(repeat), _) => context.expr(repeat.until.ok_or_else(unasked)?),
            _ => Err(unasked().into()),
        },
        Question::Page => Err(unasked().into()),
        Question::Until => context.expr(node.until.ok_or_else(unasked)?.until),
        Question::Retry(entry) => {
            let retry = node.retry.get(entry as usize).ok_or_else(unasked)?;
            retry.when.map_or(Ok(Value::Bool(true)), |when| context.expr(when))
        }
        Question::Catch(entry) => {
            let catch = node.catch.get(entry as usize).ok_or_else(unasked)?;
            catch.when.map_or(Ok(Value::Bool(true)), |when| context.expr(when))
        }
        Question::Probe => probed(context, step, node.probe.as_ref().ok_or_else(unasked)?),
        Question::RunOutputs => outputs(context.map(&context.run.graph.outputs)?),
    }
}

/// What a probe found out: `{ done, outputs }`.
fn probed(context: &Context<'_>, step: StepNo, probe: &Probe) -> Result<Value, Stop> {
    let run = context.run;
    let activation = run.latest.get(&(Some(step), probe.block)).copied();
    let inner = activation.and_then(|activation| run.steps_of(activation).next());
    let context = context.of_result(inner);
    let done = match (probe.done, inner) {
        (Some(done), _) => context.expr(done)?,
        (None, Some(inner)) => Value::Bool(run.step(inner).outputs.get("exit_code") == Some(&Value::Int(0))),
        (None, None) => Value::Bool(false),
    };
    let found = if done == Value::Bool(true) { outputs(context.map(&probe.outputs)?)? } else { Value::Map(Map::new()) };
    Ok(Value::Map(Map::from([("done".to_owned(), done), ("outputs".to_owned(), found)])))
}

/// A computed title: one line of bounded length, whatever the values in it are.
fn title(context: &Context<'_>, field: &Field) -> Result<Value, Stop> {
    let text = context.text(field)?;
    let mut characters = text.split_whitespace().collect::<Vec<_>>().join(" ").chars().collect::<Vec<_>>();
    if characters.len() > TITLE_CHARS {
        characters.truncate(TITLE_CHARS - 1);
        characters.push('…');
    }
    Ok(Value::String(characters.into_iter().collect()))
}

/// Computed outputs, none of which is larger than an output may be.
fn outputs(outputs: Value) -> Result<Value, Stop> {
    let Value::Map(map) = outputs else { return Ok(outputs) };
    let checked = map.into_iter().map(|(name, value)| {
        let value = within_limit(&name, value)?;
        Ok((name, value))
    });
    checked.collect::<Result<Map, Stop>>().map(Value::Map)
}

/// A computed value, unless it is larger than an output may be: what a command prints can be cut, a value cannot.
fn within_limit(name: &str, value: Value) -> Result<Value, Stop> {
    let bytes = match &value {
        Value::String(text) => text.len(),
        Value::List(_) | Value::Map(_) => value.to_json().to_string().len(),
        Value::Null
        | Value::Bool(_)
        | Value::Int(_)
        | Value::Float(_)
        | Value::Duration(_)
        | Value::Time(_)
        | Value::Secret(_) => 0,
    };
    if bytes <= OUTPUT_BYTES {
        return Ok(value);
    }
    let message = format!("`{name}` has {bytes} bytes, an output may have {OUTPUT_BYTES}: put large data into a file");
    Err(Stop::Failed(Failure { kind: "limit".to_owned(), message, data: Value::Null, untouched: false }))
}
