//! Requests that change something.

use std::collections::BTreeMap;
use std::sync::Arc;

use lockstep_dsl::graph::Kind;
use lockstep_dsl::scalar;
use lockstep_dsl::value::{Map, Value};

use super::Driver;
use super::backing::Backing;
use super::batch::Batch;
use super::commit::only_looks;
use super::definitions::Definition;
use super::effect::Caller;
use crate::api::{Beginning, Refusal, RefusalKind, Reply, Request, Start};
use crate::core::Command;
use crate::core::run::{Input, Opening, Person};
use crate::encode::encode;
use crate::fault::{self, Bug};
use crate::limits::{MAX_MESSAGE_BYTES, MAX_START_BYTES};
use crate::worker::limits::OUTPUT_BYTES;

impl<B: Backing> Driver<B> {
    /// Decides what follows from a request; the answer is given when that is durable.
    pub(super) fn request(&mut self, caller: Caller, request: Request, batch: &mut Batch) {
        if only_looks(&request) {
            batch.reads.push((caller, request));
            return;
        }
        let reply = match self.change(request, batch) {
            Ok(reply) => reply,
            Err(refusal) => Reply::Refused(refusal),
        };
        batch.answers.push((caller, reply));
    }

    fn change(&mut self, request: Request, batch: &mut Batch) -> Result<Reply, Refusal> {
        match request {
            Request::Start(start) => self.start_run(*start, batch),
            Request::Resume { run, by } => {
                let id = self.named(&run)?;
                if self.is_interrupted(id) {
                    tracing::info!(run = %id, by, "an interrupted run goes on");
                    self.take_up(id, batch);
                }
                Ok(Reply::Done)
            }
            Request::Cancel { run, by, undo } => self.change_run(&run, Input::Cancel { by, undo }, batch),
            Request::Retry { run, by } => self.change_run(&run, Input::Retry { by }, batch),
            Request::RetryEdited { run, edition, by } => self.retry_edited(&run, &edition, by, batch),
            Request::Signal { run, name, payload, by } => {
                check_signal(&name, &payload)?;
                self.word(&run, Input::Signal { name, payload, by }, batch)
            }
            Request::Pause { run, by, reason } => {
                check_length("reason", reason.as_deref())?;
                self.word(&run, Input::Pause { by, reason }, batch)
            }
            Request::Permit { run, step, by } => self.word(&run, Input::Permit { step, by }, batch),
            Request::Unpause { run, by } => self.change_run(&run, Input::Unpause { by }, batch),
            Request::Skip { run, step, by, reason } => {
                if reason.trim().is_empty() {
                    return Err(invalid("a step is skipped for a reason, and none is given".to_owned()));
                }
                check_length("reason", Some(&reason))?;
                let (run, step) = self.reached(&run, &step, batch)?;
                self.word(&run, Input::Skip { step, by, reason }, batch)
            }
            Request::Vote { run, step, yes, person, comment } => {
                check_length("comment", comment.as_deref())?;
                let (run, step) = self.reached(&run, &step, batch)?;
                self.word(&run, Input::Vote { step, yes, person, comment }, batch)
            }
            Request::Answer { run, step, fields, person } => {
                let (run, step) = self.reached(&run, &step, batch)?;
                self.answer(&run, step, fields, person, batch)
            }
            Request::Resolve { run, step, how, by } => {
                let (run, step) = self.reached(&run, &step, batch)?;
                self.change_run(&run, Input::Resolve { step, how, by }, batch)
            }
            Request::Enroll(enroll) => self.enroll(*enroll, batch),
            Request::Withdraw { runbook, by } => self.withdraw_schedules(runbook, by, batch),
            Request::StartSchedules { by } => {
                self.start_schedules(&by);
                Ok(Reply::Done)
            }
            Request::PauseSchedule { schedule, by, reason } => {
                check_length("reason", reason.as_deref())?;
                self.pause_schedule(&schedule, by, reason, batch)
            }
            Request::ResumeSchedule { schedule, by } => self.resume_schedule(schedule.as_deref(), by, batch),
            Request::Runs { .. }
            | Request::Show { .. }
            | Request::History { .. }
            | Request::Schedules { .. }
            | Request::Ticks { .. }
            | Request::Watch { .. } => Err(invalid("this request changes nothing".to_owned())),
        }
    }

    /// The run and the path of a step that is named from a run which perhaps only called that run.
    fn reached(&mut self, name: &str, step: &str, batch: &mut Batch) -> Result<(String, String), Refusal> {
        let id = self.named(name)?;
        self.take_up(id, batch);
        let (run, step) = self.reach(id, step);
        Ok((run.to_string(), step))
    }

    /// A person fills in what a step asks for; what does not fit is refused, all of it at once, and nothing is taken.
    fn answer(
        &mut self,
        name: &str,
        step: String,
        fields: BTreeMap<String, String>,
        person: Person,
        batch: &mut Batch,
    ) -> Result<Reply, Refusal> {
        let id = self.named(name)?;
        self.take_up(id, batch);
        let answer = match self.state.run(id).and_then(|run| Some((run.step_by_path(&step)?, run))) {
            Some((no, run)) => match &run.node_of(no).kind {
                Kind::Ask(ask) => self
                    .evaluator
                    .resolve_answer(&run, &ask.fields, fields, self.now.wall)
                    .map_err(|wrong| invalid(format!("the answer to step `{step}` was not taken\n{wrong}")))?,
                _ => Map::new(),
            },
            // What is wrong is said where the answer would be taken.
            None => Map::new(),
        };
        self.word(name, Input::FillIn { step, answer, person }, batch)
    }

    /// Somebody says something that a step may wait for: what is due by now has come before it.
    fn word(&mut self, name: &str, input: Input, batch: &mut Batch) -> Result<Reply, Refusal> {
        let id = self.named(name)?;
        self.take_up(id, batch);
        if self.state.has(id) {
            self.decide(Command::Run(id, Input::Due), batch).map_err(|refused| invalid(refused.to_string()))?;
        }
        self.change_run(name, input, batch)
    }

    fn change_run(&mut self, name: &str, input: Input, batch: &mut Batch) -> Result<Reply, Refusal> {
        let id = self.named(name)?;
        self.take_up(id, batch);
        let was_there = self.state.has(id) && !fault::planted(Bug::EndLostToRefusal);
        self.readmit(id).map_err(|error| unreadable(&error))?;
        let decided = self.decide(Command::Run(id, input), batch);
        if decided.is_err() && !was_there {
            // It was only taken in to be asked. One that was there may have ended in this very turn: what is kept of it
            // elsewhere is older.
            self.put_back(id);
        }
        decided.map(|()| Reply::Done).map_err(|refused| Refusal::from(&refused))
    }

    fn start_run(&mut self, start: Start, batch: &mut Batch) -> Result<Reply, Refusal> {
        // The environment is for the attempts alone.
        let Start { id, graph, params, by, cwd, environment: _, beginning } = start;
        if self.exists(id)? {
            return Ok(Reply::Started { run: id });
        }
        let Beginning { skip, from, stepwise } = beginning;
        let opening =
            Opening::of(&graph, &skip, from.as_deref(), stepwise).map_err(|refused| Refusal::from(&refused))?;
        let Definition { graph, hash, bytes } = self.definitions.of(&graph);
        let params = self
            .evaluator
            .resolve_params((&graph, &hash), &params, id, &by, self.now.wall, None)
            .map_err(|wrong| invalid(wrong.to_string()))?;
        check_start(bytes, &params)?;
        let known = self.state.definition(&hash).is_some();
        if !known && self.positions.definitions.contains_key(&*hash) {
            // The journal holds it, from runs that have ended.
            self.state.define(hash.to_string(), Arc::clone(&graph));
        }
        let key = self
            .evaluator
            .concurrency_key((&graph, &hash), &params, id, &by, self.now.wall, None)
            .map_err(|wrong| invalid(wrong.to_string()))?;
        let hash_of = hash.to_string();
        let create =
            Command::Create { run: id, graph, hash: hash_of, params, by, cwd, opening, caller: None, key, tick: None };
        match self.decide(create, batch) {
            Ok(()) => Ok(Reply::Started { run: id }),
            Err(refused) => {
                self.state.withdraw(id);
                if !known {
                    self.state.undefine(&hash);
                }
                Err(invalid(refused.to_string()))
            }
        }
    }
}

/// A definition of so many bytes and the parameters of a run must fit into a frame.
pub(super) fn check_start(definition: usize, params: &Map) -> Result<(), Refusal> {
    let bytes = definition + encode(params).len();
    if bytes > MAX_START_BYTES {
        return Err(invalid(format!(
            "the runbook, its files and its parameters come to {bytes} bytes, {MAX_START_BYTES} are allowed"
        )));
    }
    Ok(())
}

/// What a person says to what they do is read on a screen.
fn check_length(what: &str, said: Option<&str>) -> Result<(), Refusal> {
    let bytes = said.map_or(0, str::len);
    if bytes > MAX_MESSAGE_BYTES {
        return Err(invalid(format!("the {what} has {bytes} bytes, {MAX_MESSAGE_BYTES} are allowed")));
    }
    Ok(())
}

/// A signal's name must be one that a step can await, and what it carries no larger than an output.
fn check_signal(name: &str, payload: &Value) -> Result<(), Refusal> {
    scalar::signal(name).map_err(|why| invalid(format!("the name {why}")))?;
    let bytes = payload.to_json().to_string().len();
    if bytes > OUTPUT_BYTES {
        return Err(invalid(format!("the payload has {bytes} bytes, a signal may carry {OUTPUT_BYTES}")));
    }
    Ok(())
}

/// Refuses what a caller asks for.
pub(super) fn invalid(message: String) -> Refusal {
    Refusal { kind: RefusalKind::Invalid, message, help: Vec::new() }
}

/// Refuses because the store cannot be read.
pub(super) fn unreadable(error: &dyn std::fmt::Display) -> Refusal {
    Refusal { kind: RefusalKind::Store, message: error.to_string(), help: Vec::new() }
}
