//! Signals: what somebody outside tells a run, by name.
//!
//! A signal is kept from the moment it is sent until a step awaits it, so none comes too early; of several with one name
//! the oldest is taken first, by the step that has waited longest. Each is taken once.

use std::collections::VecDeque;
use std::collections::btree_map::Entry;

use lockstep_dsl::graph::{Field, Kind};
use lockstep_dsl::value::{Map, Value};
use serde::{Deserialize, Serialize};

use super::decide::Refused;
use super::record::{Change, Settlement};
use super::state::{Phase, Run};
use super::turn::Turn;
use crate::id::StepNo;
use crate::limits::MAX_KEPT_SIGNALS;

/// A signal that no step has taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Signal {
    /// What it carries.
    pub payload: Value,
    /// Who sent it.
    pub by: String,
}

/// In the rendered input of a step: the name of the signal that it waits for.
const NAME: &str = "signal";

impl Turn<'_> {
    /// Somebody sends a signal.
    pub fn signal(&mut self, name: String, payload: Value, by: String) -> Result<(), Refused> {
        self.refuse_signal(&name)?;
        self.emit(Change::Signalled { name, payload, by });
        for step in self.run.awaiting() {
            self.receive(step);
        }
        Ok(())
    }

    /// The step takes the oldest signal that it waits for, if there is one.
    pub fn receive(&mut self, step: StepNo) {
        let is_there = self.run.awaited_signal(step).is_some_and(|name| self.run.signals.contains_key(name));
        if is_there {
            self.emit(Change::Received { step });
            self.succeeded(step);
        }
    }

    /// A signal that nothing will ever take is a slip of who sends it.
    fn refuse_signal(&self, name: &str) -> Result<(), Refused> {
        let id = self.run.id;
        if self.run.is_ended() {
            return Err(Refused::NotNow(format!("run {id} has ended, it {}", self.run.status_name())));
        }
        let names: Vec<&Field> = self.run.graph.nodes.iter().filter_map(|node| awaited(&node.kind)).collect();
        let known: Vec<&str> = names.iter().filter_map(|name| constant(name)).collect();
        if known.len() == names.len() && !known.contains(&name) {
            let runbook = &self.run.graph.runbook;
            let known: Vec<String> = known.iter().map(|known| format!("`{known}`")).collect();
            let which = if known.is_empty() { "none at all".to_owned() } else { format!("only {}", known.join(", ")) };
            return Err(Refused::NotNow(format!("`{runbook}` awaits no signal `{name}`, {which}")));
        }
        let kept: usize = self.run.signals.values().map(VecDeque::len).sum();
        if kept >= MAX_KEPT_SIGNALS {
            return Err(Refused::NotNow(format!("run {id} keeps {kept} signals that no step has taken, and no more")));
        }
        Ok(())
    }
}

impl Run {
    /// The name of the signal that a step waits for.
    pub fn awaited_signal(&self, no: StepNo) -> Option<&str> {
        let step = self.step(no);
        let (Phase::Awaiting { .. }, Some(Value::String(name))) = (&step.phase, step.input.get(NAME)) else {
            return None;
        };
        awaited(&self.node_of(no).kind).map(|_| name.as_str())
    }

    pub(super) fn keep_signal(&mut self, name: &str, payload: &Value, by: &str) {
        let signal = Signal { payload: payload.clone(), by: by.to_owned() };
        self.signals.entry(name.to_owned()).or_default().push_back(signal);
    }

    /// The step has what it waited for.
    pub(super) fn take_signal(&mut self, no: StepNo) {
        let Some(name) = self.awaited_signal(no).map(str::to_owned) else { return };
        let Entry::Occupied(mut kept) = self.signals.entry(name) else { return };
        let signal = kept.get_mut().pop_front();
        if kept.get().is_empty() {
            kept.remove();
        }
        if let Some(Signal { payload, by }) = signal {
            let outputs = Map::from([("payload".to_owned(), payload), ("by".to_owned(), Value::String(by))]);
            self.settle(no, &Settlement::Done { outputs });
        }
    }
}

/// The name that a step of this kind waits for, where it waits for a signal.
fn awaited(kind: &Kind) -> Option<&Field> {
    match kind {
        Kind::AwaitSignal(name) => Some(name),
        Kind::Shell(_)
        | Kind::Exec(_)
        | Kind::Http(_)
        | Kind::Script(_)
        | Kind::Set(_)
        | Kind::Assert { .. }
        | Kind::WaitFor(_)
        | Kind::WaitUntil(_)
        | Kind::Approve(_)
        | Kind::Ask(_)
        | Kind::Call(_)
        | Kind::Do(_)
        | Kind::Parallel(_)
        | Kind::Switch(_)
        | Kind::Foreach(_)
        | Kind::Repeat(_)
        | Kind::Fail { .. }
        | Kind::Finish { .. } => None,
    }
}

fn constant(field: &Field) -> Option<&str> {
    match field {
        Field::Const(Value::String(text)) => Some(text),
        Field::Const(_) | Field::Expr(_) | Field::Text(_) | Field::List(_) | Field::Map(_) => None,
    }
}
