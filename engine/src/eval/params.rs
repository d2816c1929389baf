//! The parameters that a run begins with: given ones, defaults, and those that are computed.

use std::collections::BTreeMap;
use std::sync::Arc;

use lockstep_dsl::expr::Budget;
use lockstep_dsl::graph::{Graph, Param, Trigger};
use lockstep_dsl::param::{self, Given, ParamError};
use lockstep_dsl::scalar;
use lockstep_dsl::value::{Map, Timestamp, Value};

use super::context::Context;
use super::{Evaluator, Stop};
use crate::core::run::{Links, Question, Run};
use crate::core::schedule::Tick;
use crate::id::RunId;
use crate::limits::QUICK_OPERATIONS;

const PARAMETER: &str = "parameter";
const FIELD: &str = "field";

/// Parameters with which a run cannot start: everything that is wrong with them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct WrongParams(pub Vec<String>);

impl Evaluator {
    /// Works out the parameters of a run that is about to start.
    ///
    /// # Errors
    /// Everything that is wrong with what is given, or with what the defaults and checks make of it.
    pub fn resolve_params(
        &self,
        (graph, hash): (&Arc<Graph>, &str),
        given: &Map,
        id: RunId,
        by: &str,
        now: Timestamp,
        tick: Option<&Tick>,
    ) -> Result<Map, WrongParams> {
        let given = given.iter().map(|(name, value)| (name.clone(), Given::Data(value.clone()))).collect();
        let resolved = param::resolve(&graph.params, given)
            .map_err(|errors| WrongParams(errors.iter().map(ParamError::to_string).collect()))?;
        // Templates see the run and the parameters before them, as if it existed already.
        let mut run = Run::new(id, hash.to_owned(), resolved.values, by.to_owned(), now);
        run.tick = tick.cloned().map(Box::new);
        run.attach(Arc::clone(graph), Arc::new(Links::default()));
        let mut errors = Vec::new();
        for (index, param) in graph.params.iter().enumerate() {
            let computed = if resolved.pending.contains(&index) { self.default(&run, param, now) } else { Ok(None) };
            let value = match computed {
                Ok(Some(value)) => {
                    run.params.insert(param.name.clone(), value.clone());
                    value
                }
                Ok(None) => run.params.get(&param.name).cloned().unwrap_or_default(),
                Err(error) => {
                    errors.push(error);
                    continue;
                }
            };
            if let Err(error) = self.check((&run, PARAMETER), param, &value, now) {
                errors.push(error);
            }
        }
        if errors.is_empty() { Ok(run.params) } else { Err(WrongParams(errors)) }
    }

    /// What a trigger gives to the run that a tick of it is about to start.
    ///
    /// # Errors
    /// A template of it cannot be worked out.
    pub fn trigger_params(
        &self,
        (graph, hash): (&Arc<Graph>, &str),
        trigger: &Trigger,
        tick: &Tick,
        id: RunId,
        now: Timestamp,
    ) -> Result<Map, WrongParams> {
        let mut run = Run::new(id, hash.to_owned(), Map::new(), String::new(), now);
        run.tick = Some(Box::new(tick.clone()));
        run.attach(Arc::clone(graph), Arc::new(Links::default()));
        let mut given = Map::new();
        for (name, field) in &trigger.params {
            let value = self.of_params(&run, now, None).and_then(|context| context.field(field));
            given.insert(name.clone(), value.map_err(|stop| WrongParams(vec![said(PARAMETER, name, stop)]))?);
        }
        Ok(given)
    }

    /// The key that a run which is about to start shares with others; `None` where its runbook has none.
    ///
    /// # Errors
    /// It cannot be worked out, or is no key.
    pub fn concurrency_key(
        &self,
        (graph, hash): (&Arc<Graph>, &str),
        params: &Map,
        id: RunId,
        by: &str,
        now: Timestamp,
        tick: Option<&Tick>,
    ) -> Result<Option<String>, WrongParams> {
        let Some(concurrency) = &graph.concurrency else { return Ok(None) };
        let mut run = Run::new(id, hash.to_owned(), params.clone(), by.to_owned(), now);
        run.tick = tick.cloned().map(Box::new);
        run.attach(Arc::clone(graph), Arc::new(Links::default()));
        let text = self.of_params(&run, now, None).and_then(|context| context.text(&concurrency.key));
        let key = text.map_err(|stop| WrongParams(vec![format!("`concurrency`: {}", message_of(stop))]))?;
        match scalar::lock_key(&key) {
            Ok(()) => Ok(Some(key)),
            Err(why) => Err(WrongParams(vec![format!("`concurrency`: the key {why}")])),
        }
    }

    /// Holds what a person has filled in against what a step asks for.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn resolve_answer(
        &self,
        run: &Run,
        fields: &[Param],
        given: BTreeMap<String, String>,
        now: Timestamp,
    ) -> Result<Map, WrongParams> {
        let given = given.into_iter().map(|(name, text)| (name, Given::Text(text))).collect();
        let resolved = param::resolve(fields, given)
            .map_err(|errors| WrongParams(errors.iter().map(|error| error.told(FIELD)).collect()))?;
        let mut errors = Vec::new();
        for field in fields {
            let value = resolved.values.get(&field.name).cloned().unwrap_or_default();
            errors.extend(self.check((run, FIELD), field, &value, now).err());
        }
        if errors.is_empty() { Ok(resolved.values) } else { Err(WrongParams(errors)) }
    }

    /// The value of a default that holds expressions.
    fn default(&self, run: &Run, param: &Param, now: Timestamp) -> Result<Option<Value>, String> {
        let Some(default) = &param.default else { return Ok(None) };
        let name = &param.name;
        let value = self
            .of_params(run, now, None)
            .and_then(|context| context.field(default))
            .map_err(|stop| said(PARAMETER, name, stop))?;
        let value = param::from_value(param, value).map_err(|message| wrong(PARAMETER, name, message))?;
        param::check(param, &value).map_err(|message| wrong(PARAMETER, name, message))?;
        Ok(Some(value))
    }

    /// Holds a value against the declaration's own condition.
    fn check(&self, (run, noun): (&Run, &str), param: &Param, value: &Value, now: Timestamp) -> Result<(), String> {
        let Some(check) = param.check.filter(|_| !(param.optional && *value == Value::Null)) else { return Ok(()) };
        let name = &param.name;
        let context = self.of_params(run, now, Some(("value", value)));
        match context.and_then(|context| context.expr(check)).map_err(|stop| said(noun, name, stop))? {
            Value::Bool(true) => Ok(()),
            Value::Bool(false) => {
                let source = run.graph.expr(check).source.trim();
                Err(wrong(noun, name, format!("does not fit: `{source}` does not hold")))
            }
            other => Err(wrong(noun, name, format!("cannot be checked: the condition gives a {}", other.type_name()))),
        }
    }

    fn of_params<'a>(
        &self,
        run: &'a Run,
        now: Timestamp,
        further: Option<(&'static str, &'a Value)>,
    ) -> Result<Context<'a>, Stop> {
        let context = self.context(run, None, Question::Input, now, Budget::operations(QUICK_OPERATIONS))?;
        Ok(Context { further, ..context })
    }
}

fn wrong(noun: &str, name: &str, message: String) -> String {
    ParamError::Invalid { name: name.to_owned(), message }.told(noun)
}

fn said(noun: &str, name: &str, stop: Stop) -> String {
    format!("{noun} `{name}`: {}", message_of(stop))
}

fn message_of(stop: Stop) -> String {
    match stop {
        Stop::Failed(failure) => failure.message,
        Stop::TakesLong => "the expression needs too many operations".to_owned(),
    }
}
