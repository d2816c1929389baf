//! Runs that steps of other runs call: how they come to be, and how what one run says to another gets there.
//!
//! All of it happens in the turn, and so in the frame, in which it was decided.

use std::collections::BTreeSet;
use std::sync::Arc;

use lockstep_dsl::graph::Kind;
use lockstep_dsl::value::{Map, Value};

use super::Driver;
use super::backing::Backing;
use super::batch::Batch;
use crate::core::Command;
use crate::core::run::{
    Answer, CALL_PARAMS, CALL_RUN, Caller, Input, Message, Opening, Question, Record, Refused, Returned, Run, RunError,
    RunOutcome,
};
use crate::eval::WrongParams;
use crate::id::{RunId, StepNo};
use crate::worker::Failure;

impl<B: Backing> Driver<B> {
    /// Decides what follows from an answer. To what a step gives the runbook that it calls, an id for the run is added
    /// here, and what the parameters' own declarations make of them.
    pub(super) fn answered(
        &mut self,
        id: RunId,
        step: Option<StepNo>,
        question: Question,
        answer: Answer,
        batch: &mut Batch,
    ) -> Result<(), Refused> {
        let answer = match (step, question, answer) {
            (Some(step), Question::Input, Ok(Value::Map(given))) => self.prepare_call(id, step, given),
            (_, _, answer) => answer,
        };
        self.decide(Command::Run(id, Input::Answered { step, question, answer }), batch)
    }

    fn prepare_call(&mut self, id: RunId, step: StepNo, given: Map) -> Answer {
        let plan = self.state.run(id).filter(|run| run.has(step)).and_then(|run| match &run.node_of(step).kind {
            Kind::Call(call) => {
                let called = run.graph.called_by(call);
                Some((Arc::clone(&called.graph), called.hash.clone(), run.by.clone()))
            }
            _ => None,
        });
        let Some((graph, hash, by)) = plan else { return Ok(Value::Map(given)) };
        let run = self.fresh_id(id, step)?;
        let resolved = self.evaluator.resolve_params((&graph, &hash), &given, run, &by, self.now.wall, None);
        let wrong = |wrong: WrongParams| failure("invalid", format!("`{}`: {wrong}", graph.runbook));
        let params = resolved.map_err(wrong)?;
        // What is wrong with its key is known before it comes to be.
        self.evaluator.concurrency_key((&graph, &hash), &params, run, &by, self.now.wall, None).map_err(wrong)?;
        let answer = [(CALL_RUN, Value::String(run.to_string())), (CALL_PARAMS, Value::Map(params))];
        Ok(Value::Map(answer.map(|(name, value)| (name.to_owned(), value)).into()))
    }

    /// An id that no run has: of this moment, and by the step that calls, so that the same decisions give the same one.
    fn fresh_id(&mut self, caller: RunId, step: StepNo) -> Result<RunId, Failure> {
        self.fresh_id_of(&format!("{caller}/{}/{}", step.0, self.last.0))
    }

    /// An id that no run has: of this moment, and by a text, so that the same decisions give the same one.
    pub(super) fn fresh_id_of(&mut self, seed: &str) -> Result<RunId, Failure> {
        let hash = blake3::hash(seed.as_bytes());
        let bytes = hash.as_bytes();
        let first = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        for next in 0..MAX_TAKEN_IDS {
            let id = RunId::new(self.now.wall.0, first.wrapping_add(next));
            match self.exists(id) {
                Ok(false) => return Ok(id),
                Ok(true) => {}
                Err(refusal) => return Err(failure("failed", refusal.message)),
            }
        }
        Err(failure("limit", "too many runs were started in this moment".to_owned()))
    }

    /// Hands on what the records of the batch, from this one on, say to other runs.
    pub(super) fn pass_on(&mut self, from: usize, batch: &mut Batch) {
        let mut messages: Vec<(RunId, Message)> = Vec::new();
        for record in &batch.records[from..] {
            if let Record::Changed { run: id, change } = record
                && let Some(run) = self.state.run(*id)
            {
                messages.extend(run.messages(change).into_iter().map(|message| (*id, message)));
            }
        }
        for (sender, message) in messages {
            match message {
                Message::Begin { run, caller, params } => self.begin_called(run, caller, params, batch),
                Message::Tell(run, input @ Input::Retry { .. }) => self.go_on_with_called(sender, run, input, batch),
                Message::Tell(run, input) => {
                    if let Err(why) = self.decide(Command::Run(run, input), batch) {
                        tracing::debug!(from = %sender, to = %run, %why, "what one run says changes nothing in another");
                    }
                }
            }
        }
    }

    fn begin_called(&mut self, id: RunId, caller: Caller, params: Map, batch: &mut Batch) {
        let plan = self.state.run(caller.run).and_then(|run| match &run.node_of(caller.step).kind {
            Kind::Call(call) => {
                let runbook = run.graph.called_by(call);
                let graph = self.state.definition(&runbook.hash).unwrap_or(&runbook.graph);
                Some((Arc::clone(graph), runbook.hash.clone(), run.by.clone(), run.cwd.clone()))
            }
            _ => None,
        });
        let Some((graph, hash, by, cwd)) = plan else { return };
        if self.state.definition(&hash).is_none() && self.positions.definitions.contains_key(&hash) {
            // The journal holds it, from runs that have ended.
            self.state.define(hash.clone(), Arc::clone(&graph));
        }
        let opening = Opening::default();
        let key = match self.evaluator.concurrency_key((&graph, &hash), &params, id, &by, self.now.wall, None) {
            Ok(key) => key,
            Err(why) => return self.fail_call(id, caller, why.to_string(), batch),
        };
        let create =
            Command::Create { run: id, graph, hash, params, by, cwd, opening, caller: Some(caller), key, tick: None };
        if let Err(why) = self.decide(create, batch) {
            self.fail_call(id, caller, why.to_string(), batch);
        }
    }

    /// A run that was called, and did not end well, goes on because the run that called it was retried. One that is open
    /// again, or has ended well meanwhile, is only waited for.
    fn go_on_with_called(&mut self, sender: RunId, id: RunId, retry: Input, batch: &mut Batch) {
        self.take_up(id, batch);
        let read = self.readmit(id);
        let Some((caller, returned)) = self.state.run(id).and_then(|run| Some((run.caller?, run.outcome_for_caller())))
        else {
            let why = read.err().map_or_else(|| "it is not there".to_owned(), |error| error.to_string());
            let step = self.state.run(sender).and_then(|run| run.calling().find(|(_, run)| *run == id));
            if let Some((step, _)) = step {
                self.fail_call(id, Caller { run: sender, step, waits: true }, why, batch);
            }
            return;
        };
        let decided = match returned {
            None => Ok(()),
            Some(returned) if returned.outcome == RunOutcome::Succeeded => {
                let input = Input::Returned { step: caller.step, returned };
                let decided = self.decide(Command::Run(caller.run, input), batch);
                self.put_back(id);
                decided
            }
            Some(_) => self.decide(Command::Run(id, retry), batch),
        };
        if let Err(why) = decided {
            self.fail_call(id, caller, why.to_string(), batch);
        }
    }

    /// The run that a step called cannot begin, or go on.
    fn fail_call(&mut self, id: RunId, caller: Caller, why: String, batch: &mut Batch) {
        let error = Some(Box::new(RunError::new("failed", why, "")));
        let returned = Returned { run: id, outcome: RunOutcome::Failed, outputs: Map::new(), error };
        let input = Input::Returned { step: caller.step, returned };
        if let Err(why) = self.decide(Command::Run(caller.run, input), batch) {
            tracing::debug!(run = %caller.run, %why, "nobody waits for the run that was called");
        }
    }

    /// A run with those that it waits for, and those that wait for it: they go on together. Only those in memory.
    pub(super) fn family(&self, id: RunId) -> BTreeSet<RunId> {
        let mut family = BTreeSet::new();
        let mut left = vec![id];
        while let Some(id) = left.pop() {
            let Some(run) = self.run(id).filter(|_| family.insert(id)) else { continue };
            left.extend(run.calling().map(|(_, called)| called));
            left.extend(run.caller.filter(|caller| caller.waits).map(|caller| caller.run));
        }
        family
    }

    /// The runs that wait for this one, the nearest first.
    pub(super) fn waiting_for(&self, run: &Run) -> Vec<RunId> {
        let mut callers = Vec::new();
        let mut next = run.caller.filter(|caller| caller.waits);
        while let Some(caller) = next {
            callers.push(caller.run);
            next = self.run(caller.run).and_then(|run| run.caller).filter(|caller| caller.waits);
        }
        callers
    }

    /// The step that a path names from outside, with its run: behind the path of a step that waits for a run which it
    /// called stands the path of a step there.
    pub(super) fn reach(&self, id: RunId, path: &str) -> (RunId, String) {
        let (mut id, mut path) = (id, path);
        while let Some(run) = self.run(id).filter(|run| run.step_by_path(path).is_none()) {
            let inside = |(no, called): (StepNo, RunId)| {
                Some((called, path.strip_prefix(run.path(no).as_str())?.strip_prefix('/')?))
            };
            let Some((called, rest)) = run.calling().find_map(inside) else { break };
            (id, path) = (called, rest);
        }
        (id, path.to_owned())
    }

    /// The run that somebody asked for: this one, or the one that called it, at first or in the end.
    pub fn outermost(&self, id: RunId) -> RunId {
        let caller = |id: &RunId| self.run(*id).and_then(|run| run.caller).map(|caller| caller.run);
        std::iter::successors(Some(id), caller).last().unwrap_or(id)
    }
}

/// Ids of one moment that may be taken when one is looked for.
const MAX_TAKEN_IDS: u32 = 1 << 16;

fn failure(kind: &str, message: String) -> Failure {
    Failure { kind: kind.to_owned(), message, data: Value::Null, untouched: false }
}
