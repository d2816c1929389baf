//! `foreach`: which items begin, and what their ends mean for the step.

use lockstep_dsl::graph::{Foreach, Kind, OnFail};
use lockstep_dsl::value::{Map, Value};

use super::block::block_error;
use super::decide::Answer;
use super::looping::{ItemEnd, Items, Loop, Page, is_wanted};
use super::record::{Change, Question, StopCause};
use super::state::{ActivationNo, Phase};
use super::turn::{Turn, Work};
use crate::id::StepNo;

impl Turn<'_> {
    /// What the step runs over is known.
    pub fn loop_over(&mut self, step: StepNo, value: &Value) {
        let Some(items) = Items::from_value(value) else {
            self.refuse_answer(step, Question::Input, None);
            return;
        };
        if self.is_halted(step) {
            self.stopped(step, StopCause::Failure);
            return;
        }
        self.emit(Change::Looped { step, items });
        self.next_items(step);
    }

    /// Begins as many items as may run at once, and ends the step when none is left.
    pub fn next_items(&mut self, step: StepNo) {
        let Some(plan) = self.foreach(step) else { return };
        loop {
            let Some(items) = self.items(step) else { return };
            if items.halt.is_some() {
                break;
            }
            let is_free = (items.running.len() as u64) < items.concurrency(&plan).max(u64::from(items.count.is_none()));
            if items.again.is_empty() && items.needs_page(plan.batch) {
                if !self.run.questions.contains(&(Some(step), Question::Page)) {
                    self.ask(step, Question::Page);
                }
                return;
            }
            if !is_free || !items.has_next() {
                break;
            }
            let no = items.again.first().copied().unwrap_or_else(|| self.run.activations.next());
            self.emit(Change::ItemStarted { step });
            self.enter(no);
        }
        if self.items(step).is_some_and(|items| items.running.is_empty()) {
            self.items_over(step);
        }
    }

    /// A page of the file is there, or cannot be read.
    pub fn page_read(&mut self, step: StepNo, answer: Answer) {
        let failure = match answer {
            Ok(value) => match Page::from_value(&value) {
                Some(page) => {
                    self.emit(Change::Paged { step, page: Box::new(page) });
                    self.next_items(step);
                    return;
                }
                None => super::decide::unfit(Question::Page),
            },
            Err(failure) => failure,
        };
        let error = Box::new(self.error_of(step, &failure));
        self.emit(Change::LoopHalted { step, cancel: false, cause: StopCause::Failure, error: Some(error) });
        self.next_items(step);
    }

    /// An item is over.
    pub fn item_over(&mut self, owner: StepNo, no: ActivationNo) {
        let Some(plan) = self.foreach(owner) else { return };
        if !self.items(owner).is_some_and(|items| items.running.contains(&no)) {
            return;
        }
        let end = if !self.run.activations[no].errors.is_empty() {
            ItemEnd::Failed
        } else if self.is_well(no) {
            ItemEnd::Succeeded
        } else {
            ItemEnd::Stopped
        };
        self.emit(Change::ItemEnded { step: owner, activation: no, end });
        if self.items(owner).is_some_and(|items| items.halt.is_none() && items.has_failed(&plan)) {
            match plan.on_fail {
                OnFail::Stop => self.stop_items(owner, false, StopCause::Failure),
                OnFail::Cancel => self.stop_items(owner, true, StopCause::Failure),
                OnFail::Late => {}
            }
        }
        self.next_items(owner);
    }

    /// No further item begins; what runs is halted like any block.
    pub fn stop_items(&mut self, step: StepNo, cancel: bool, cause: StopCause) {
        let Some(items) = self.foreach(step).and_then(|_| self.items(step)) else { return };
        let is_news = items.halt.is_none_or(|halt| cancel && !halt.cancel);
        let is_limit = matches!(cause, StopCause::Timeout | StopCause::Total);
        if is_news || is_limit {
            self.emit(Change::LoopHalted { step, cancel, cause, error: None });
        }
        for no in self.run.bodies(step) {
            self.stop_activation(no, cancel, cause);
        }
        self.push(Work::Items(step));
    }

    /// Every item that began is over, and no further one begins.
    fn items_over(&mut self, step: StepNo) {
        let Some(plan) = self.foreach(step) else { return };
        let Some(items) = self.items(step) else { return };
        let (halt, errors, failed) = (items.halt, items.errors.clone(), items.has_failed(&plan));
        self.emit(Change::LoopOver { step });
        let cancelled = halt.filter(|halt| halt.cancel).map(|halt| halt.cause);
        match cancelled {
            Some(cause @ (StopCause::Timeout | StopCause::Total)) => return self.stopped(step, cause),
            Some(StopCause::Finish) if self.run.finishing.is_some() => return self.done(step, Map::new()),
            Some(cause @ (StopCause::Cancel | StopCause::RunTimeout | StopCause::Enclosing)) => {
                return self.stopped(step, cause);
            }
            Some(StopCause::Failure | StopCause::Won | StopCause::Finish | StopCause::Break) | None => {}
        }
        if let Some(cause) = self.called_off(step) {
            return self.stopped(step, cause);
        }
        if failed {
            let error = block_error(errors.into_iter().map(|(_, error)| error).collect());
            let error = error.unwrap_or_else(|| self.error(step, "failed", "too many items failed"));
            self.settle_error(step, error);
            self.failed(step);
        } else {
            match halt {
                Some(halt) if !is_wanted(halt.cause) => self.stopped(step, halt.cause),
                Some(_) | None => self.done(step, Map::new()),
            }
        }
    }

    /// The step's items, while they run.
    pub fn items(&self, step: StepNo) -> Option<&Loop> {
        let state = self.run.step(step);
        state
            .looping
            .as_deref()
            .filter(|items| !items.over && state.result.is_none() && matches!(state.phase, Phase::Inside))
    }

    fn foreach(&self, step: StepNo) -> Option<Box<Foreach>> {
        match &self.run.node_of(step).kind {
            Kind::Foreach(plan) => Some(plan.clone()),
            _ => None,
        }
    }
}

impl Items {
    /// As the evaluator says it: `{ list }`, `{ range: [from, to] }`, or `{ file, form }`.
    pub fn from_value(value: &Value) -> Option<Self> {
        let Value::Map(map) = value else { return None };
        match (map.get("list"), map.get("range"), map.get("file"), map.get("form")) {
            (Some(Value::List(values)), None, None, None) => Some(Self::List(values.clone())),
            (None, Some(Value::List(ends)), None, None) => match ends.as_slice() {
                [Value::Int(from), Value::Int(to)] => Some(Self::Range(*from, *to)),
                _ => None,
            },
            (None, None, Some(Value::String(path)), Some(Value::String(form))) => {
                Some(Self::File { path: path.clone(), form: lockstep_dsl::graph::PageForm::named(form)? })
            }
            _ => None,
        }
    }
}

impl Page {
    /// As whoever reads a file says it.
    pub fn to_value(&self) -> Value {
        let number = |number: u64| Value::Int(i64::try_from(number).unwrap_or(i64::MAX));
        Value::Map(Map::from([
            ("items".to_owned(), Value::List(self.items.clone())),
            ("at".to_owned(), number(self.at)),
            ("length".to_owned(), number(self.identity.0)),
            ("changed".to_owned(), Value::Int(self.identity.1)),
            ("columns".to_owned(), Value::List(self.columns.iter().map(|name| name.as_str().into()).collect())),
            ("last".to_owned(), Value::Bool(self.last)),
            ("count".to_owned(), self.count.map_or(Value::Null, number)),
        ]))
    }

    /// The page that [`Page::to_value`] said.
    pub fn from_value(value: &Value) -> Option<Self> {
        let Value::Map(map) = value else { return None };
        let number = |key: &str| match map.get(key) {
            Some(Value::Int(number)) => u64::try_from(*number).ok(),
            _ => None,
        };
        let Some(Value::List(items)) = map.get("items") else { return None };
        let Some(Value::Int(changed)) = map.get("changed") else { return None };
        let Some(Value::Bool(last)) = map.get("last") else { return None };
        let Some(Value::List(columns)) = map.get("columns") else { return None };
        Some(Self {
            items: items.clone(),
            at: number("at")?,
            identity: (number("length")?, *changed),
            columns: columns.iter().filter_map(|name| name.to_text().ok()).collect(),
            last: *last,
            count: number("count"),
        })
    }
}
