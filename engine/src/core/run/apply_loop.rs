//! How the records of loops change a run.

use std::collections::BTreeSet;
use std::sync::Arc;

use lockstep_dsl::graph::{BlockId, Foreach, Graph, Kind};
use lockstep_dsl::value::{Map, Value};

use super::error::RunError;
use super::looping::{ItemEnd, Items, Loop, Page, failed, succeeded};
use super::record::{Question, StepStatus, StopCause};
use super::state::{ActivationNo, Halt, Item, Phase, Run, Step, Timer};
use crate::clock::Stamp;
use crate::id::StepNo;

impl Run {
    /// A `foreach` knows what it runs over.
    pub(super) fn begin_items(&mut self, no: StepNo, items: &Items, at: Stamp) {
        let graph = Arc::clone(&self.graph);
        let batch = self.foreach(&graph, no).batch;
        let step = self.step_mut(no);
        let mut begun = Loop::begun(step.looping.as_deref());
        begun.over_items(items, batch);
        step.looping = Some(Box::new(begun));
        step.result = None;
        self.set_phase(no, Phase::Inside);
        self.arm_block(no, at);
    }

    pub(super) fn take_page(&mut self, no: StepNo, page: &Page) {
        let graph = Arc::clone(&self.graph);
        let batch = self.foreach(&graph, no).batch;
        self.questions.remove(&(Some(no), Question::Page));
        self.looping_mut(no).take_page(page, batch);
    }

    /// An item begins, or one goes on that did not end well before a `retry` of the run.
    pub(super) fn start_item(&mut self, owner: StepNo, at: Stamp) {
        let graph = Arc::clone(&self.graph);
        let (body, batch) = {
            let plan = self.foreach(&graph, owner);
            (plan.body, plan.batch)
        };
        let items = self.looping_mut(owner);
        if let Some(no) = items.again.pop_first() {
            items.running.insert(no);
            self.reopen_activation(no, at);
            return;
        }
        let (index, value) = items.take(batch);
        let visit = items.visit;
        let no = self.add_activation(body, Some(owner), visit);
        self.activations[no].item = Some(Item { index, value });
        self.looping_mut(owner).running.insert(no);
    }

    /// An item is over: what is kept of it is its result.
    pub(super) fn end_item(&mut self, owner: StepNo, no: ActivationNo, end: ItemEnd) {
        let graph = Arc::clone(&self.graph);
        let keeps_results = self.foreach(&graph, owner).results;
        let activation = &self.activations[no];
        let index = activation.item.as_ref().map_or(0, |item| item.index);
        let error = activation.errors.first().cloned();
        let result = match (end, &error) {
            _ if !keeps_results => None,
            (ItemEnd::Succeeded, _) => Some(succeeded(self.value_of(no))),
            (ItemEnd::Failed, Some((_, error))) => Some(failed(error)),
            (ItemEnd::Failed, None) | (ItemEnd::Stopped, _) => None,
        };
        let items = self.looping_mut(owner);
        items.end(no, index, end, result);
        if let (ItemEnd::Failed, Some((order, error))) = (end, error) {
            items.note_error(order, error);
        }
        self.let_go_of_spare(owner);
    }

    /// What an item that ended well gave: the outputs of its last step, `()` where that did not run.
    fn value_of(&self, no: ActivationNo) -> Value {
        match self.steps_of(no).last().map(|step| self.step(step)) {
            Some(step) if step.status() == StepStatus::Succeeded => Value::Map(step.outputs.clone()),
            Some(_) | None => Value::Null,
        }
    }

    pub(super) fn halt_items(&mut self, no: StepNo, cancel: bool, cause: StopCause, error: Option<&RunError>) {
        self.questions.remove(&(Some(no), Question::Page));
        if let Some(error) = error {
            self.failures += 1;
            let order = self.failures;
            let items = self.looping_mut(no);
            items.unreadable = true;
            items.note_error(order, error.clone());
        }
        let items = self.looping_mut(no);
        match &mut items.halt {
            Some(halt) if halt.cancel || !cancel => {}
            halt => *halt = Some(Halt { cancel, cause }),
        }
        match cause {
            StopCause::Timeout => self.disarm(Timer::Attempt(no)),
            StopCause::Total => self.disarm(Timer::Total(no)),
            StopCause::Cancel
            | StopCause::Enclosing
            | StopCause::RunTimeout
            | StopCause::Failure
            | StopCause::Won
            | StopCause::Finish
            | StopCause::Break => {}
        }
    }

    /// The last item or round is over.
    pub(super) fn end_loop(&mut self, no: StepNo) {
        let graph = Arc::clone(&self.graph);
        self.questions.remove(&(Some(no), Question::Page));
        let node = self.step(no).node;
        let step = self.step_mut(no);
        let items = step.looping.get_or_insert_with(|| Box::new(Loop::begun(None)));
        items.over = true;
        step.outputs = match &graph.node(node).kind {
            Kind::Foreach(plan) => items.outputs(plan.results),
            _ => Map::from([("rounds".to_owned(), Value::Int(i64::try_from(items.next).unwrap_or(i64::MAX)))]),
        };
    }

    /// A round of a `repeat` comes to be; `last` is the one before.
    pub(super) fn add_round(&mut self, block: BlockId, owner: StepNo, last: Option<ActivationNo>) -> ActivationNo {
        let step = self.step_mut(owner);
        let rounds = step.looping.get_or_insert_with(|| Box::new(Loop::begun(None)));
        let (index, visit) = (rounds.next, rounds.visit);
        rounds.next += 1;
        rounds.kept.extend(last);
        // Variables that a round sets are there in the next one.
        let vars = last.filter(|_| index > 0).map(|last| self.activations[last].vars.clone());
        self.let_go_of_spare(owner);
        let no = self.add_activation(block, Some(owner), visit);
        let activation = &mut self.activations[no];
        activation.item = Some(Item { index, value: Value::Null });
        activation.vars = vars.unwrap_or_default();
        no
    }

    /// Forgets the oldest items or rounds that ended well, unless something in them may have to be undone.
    fn let_go_of_spare(&mut self, owner: StepNo) {
        let node = self.step(owner).node;
        let is_replaced = self.graph.node(node).undo.is_some();
        if is_replaced || !self.links.has_undo_inside(node) {
            let spare = self.looping_mut(owner).spare();
            self.let_go(owner, spare);
        }
    }

    /// Forgets activations of a step, with all that is inside them.
    fn let_go(&mut self, owner: StepNo, gone: Vec<ActivationNo>) {
        if gone.is_empty() {
            return;
        }
        let (mut activations, mut steps) = (BTreeSet::new(), BTreeSet::new());
        let mut left = gone;
        while let Some(no) = left.pop() {
            if !activations.insert(no) {
                continue;
            }
            for step in self.visits_of(no) {
                steps.insert(step.0);
                let Step { phase, inner, .. } = &self.steps[step.0];
                self.tally.let_go(phase);
                for no in inner {
                    self.latest.remove(&(Some(step), self.activations[*no].block));
                }
                left.extend(inner);
            }
        }
        self.step_mut(owner).inner.retain(|no| !activations.contains(no));
        self.activations.remove_where(|no| activations.contains(&no));
        self.steps.remove_where(|no| steps.contains(&no));
    }

    fn looping_mut(&mut self, no: StepNo) -> &mut Loop {
        self.step_mut(no).looping.as_deref_mut().expect("records of items are of a step that runs over some")
    }

    fn foreach<'g>(&self, graph: &'g Graph, no: StepNo) -> &'g Foreach {
        match &graph.node(self.step(no).node).kind {
            Kind::Foreach(plan) => plan,
            other => panic!("records of items are of a `foreach`, not of a `{}`", other.name()),
        }
    }
}

impl Step {
    /// What it does begins again from the beginning.
    pub(super) fn begin_anew(&mut self) {
        self.result = None;
        self.undoing = None;
        self.led = None;
        if let Some(items) = &mut self.looping {
            **items = Loop::begun(Some(&*items));
        }
    }
}
