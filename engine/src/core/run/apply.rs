//! How a record changes a run.
//!
//! Nothing is decided here: a change that does not fit the state is a journal that this program did not write.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use lockstep_dsl::graph::{BlockId, Graph, Kind, OnError, Role};
use lockstep_dsl::value::{Map, Timestamp};

use super::claim::{Claim, Claims, Standing};
use super::error::RunError;
use super::links::Links;
use super::loss::Loss;
use super::record::{Change, Delay, Question, Resolution, Settlement, Skip, StepStatus, StopCause};
use super::slab::Slab;
use super::state::{
    Activation, ActivationNo, Finishing, Grant, Halt, Phase, Run, RunStatus, Step, Timer, Undoing, no_graph,
};
use super::tally::Tally;
use crate::clock::Stamp;
use crate::fault::{self, Bug};
use crate::id::{RunId, StepNo, Token};
use crate::limits::TAIL;
use crate::worker::Outcome;

impl Run {
    /// A run in which nothing has happened; [`Run::attach`] gives it its definition.
    pub fn new(id: RunId, definition: String, params: Map, by: String, created: Timestamp) -> Self {
        Self {
            id,
            definition,
            graph: no_graph(),
            links: Arc::default(),
            tally: Tally::default(),
            armed: BTreeMap::new(),
            params,
            by,
            claims: Claims::default(),
            gate: None,
            cwd: None,
            caller: None,
            tick: None,
            file: None,
            edits: Vec::new(),
            removed: BTreeMap::new(),
            created,
            started: None,
            ended: None,
            status: RunStatus::Queued,
            steps: Slab::default(),
            activations: Slab::default(),
            latest: BTreeMap::new(),
            token: Token(0),
            failures: 0,
            revisits: 0,
            questions: BTreeSet::new(),
            signals: BTreeMap::new(),
            paused: None,
            waivers: BTreeMap::new(),
            timers: BTreeSet::new(),
            cancel: None,
            cancel_undoes: false,
            effects: Vec::new(),
            undoing: None,
            undo_halted: false,
            finishing: None,
            outcome: None,
            error: None,
            outputs: Map::new(),
            quarantined: None,
            lost: false,
        }
    }

    /// Gives the run its definition, after it was made or decoded.
    pub fn attach(&mut self, graph: Arc<Graph>, links: Arc<Links>) {
        self.graph = graph;
        self.links = links;
        self.tally = Tally::of(&self.steps);
        self.armed = self.timers.iter().map(|(due, timer)| (*timer, *due)).collect();
    }

    /// Applies one change; `at` is the stamp of its frame.
    pub fn apply(&mut self, change: &Change, at: Stamp) {
        match change {
            Change::Started => self.start(at),
            Change::Activated { block, owner } => self.activate(*block, *owner, at),
            Change::Asked { step, question } => {
                match step {
                    // Items run on while further ones are read.
                    Some(_) if *question == Question::Page => {}
                    Some(step) => self.set_phase(*step, Phase::Asking(*question)),
                    None => self.status = RunStatus::Outputs,
                }
                self.questions.insert((*step, *question));
            }
            Change::Skipped { step, why } => {
                self.set_phase(*step, Phase::Ended { status: StepStatus::Skipped, skip: Some(*why) });
                if *why == Skip::Person {
                    // What it had come to before counts no more.
                    let step = self.step_mut(*step);
                    (step.outputs, step.error) = (Map::new(), None);
                }
                self.close(*step, at);
            }
            Change::Begun { step } => {
                self.set_phase(*step, Phase::Deciding);
                self.step_mut(*step).started = Some(at.wall);
                if let Some(total) = self.node_of(*step).timeout.total {
                    self.limit(Timer::Total(*step), total, at);
                }
            }
            Change::Titled { step, title } => {
                self.set_phase(*step, Phase::Deciding);
                self.step_mut(*step).title.clone_from(title);
            }
            Change::Starting { step, token, input } => self.grant(*step, *token, input.as_ref(), at),
            Change::Stopping { step, cause } => self.note_stop(*step, *cause),
            Change::Reported { step, outcome, .. } => self.report(*step, outcome),
            Change::Settled { step, result } => self.settle(*step, result),
            Change::Delayed { step, until, why, rule } => {
                if let Some(rule) = rule {
                    *self.step_mut(*step).by_rule.entry(*rule).or_default() += 1;
                }
                self.delay(*step, *until, *why, at);
            }
            Change::Doubted { step, why } => {
                let Some(token) = self.step(*step).grants.last().map(|grant| grant.token) else { return };
                self.set_phase(*step, Phase::InDoubt { token, why: why.clone(), since: at.wall });
            }
            Change::Probed { step, done } => self.probed(*step, done.as_ref()),
            Change::Resolved { step, how, by } => self.resolve(*step, how, by),
            Change::Wanted { step, key, limit, place, opening } => {
                let (key, limit, place, since) = (key.clone(), *limit, *place, at.wall);
                let claim = Claim { key, limit, place, since, standing: Standing::Waits };
                self.want(*step, claim, opening.as_deref());
            }
            Change::Locked { step, passes } => self.lock(*step, *passes, at),
            Change::Called { step, run, again, .. } => self.begin_call(*step, *run, *again, at),
            Change::Returned { step, returned } => self.end_call(*step, returned),
            Change::Awaited { step, input } => self.begin_to_await(*step, input, at),
            Change::Paused { by, reason } => self.begin_pause(by, reason.as_deref(), at),
            Change::Unpaused { .. } => self.end_pause(at),
            Change::Permitted { step, .. } => self.permit(*step),
            Change::Held { step, what, input } => self.hold(*step, *what, input.as_ref(), at),
            Change::Waived { step, node, by, reason } => self.waive(*step, *node, by, reason, at),
            Change::Signalled { name, payload, by } => self.keep_signal(name, payload, by),
            Change::Received { step } => self.take_signal(*step),
            Change::Voted { step, yes, by, comment, .. } => self.note_vote(*step, *yes, by, comment.as_deref(), at),
            Change::Escalated { step } => self.escalate(*step),
            Change::FilledIn { step, answer, .. } => {
                self.settle(*step, &Settlement::Done { outputs: answer.clone() });
            }
            Change::Looped { step, items } => self.begin_items(*step, items, at),
            Change::Paged { step, page } => self.take_page(*step, page),
            Change::ItemStarted { step } => self.start_item(*step, at),
            Change::ItemEnded { step, activation, end } => self.end_item(*step, *activation, *end),
            Change::LoopHalted { step, cancel, cause, error } => {
                self.halt_items(*step, *cancel, *cause, error.as_deref());
            }
            Change::LoopOver { step } => self.end_loop(*step),
            Change::Halted { activation, cancel, cause } => self.halt(*activation, *cancel, *cause),
            Change::Ended { step, status, handled, error, outputs } => {
                let no = *step;
                self.set_phase(no, Phase::Ended { status: *status, skip: None });
                let step = self.step_mut(no);
                step.handled = *handled;
                let is_over = *status == StepStatus::Succeeded || *handled;
                if is_over && !self.links.has_undo_inside(self.step(no).node) {
                    self.step_mut(no).looping = None;
                }
                let step = self.step_mut(no);
                step.outputs.extend(outputs.clone());
                if error.is_some() {
                    step.error.clone_from(error);
                }
                self.count_failure(no);
                self.close(no, at);
            }
            Change::Led { step, to } => self.step_mut(*step).led = *to,
            Change::Revisited { step } => self.revisit(*step),
            Change::Undoing { step, entry } => {
                self.set_phase(*step, Phase::Inside);
                self.step_mut(*step).undoing = Some(Undoing { entry: *entry, step: None });
            }
            Change::Undone { step, end } => self.end_undo(*step, *end),
            Change::UndoHalted => self.undo_halted = true,
            Change::CancelRequested { by, undo } => {
                let times = self.cancel.as_ref().map_or(0, |(_, times)| *times);
                self.cancel = Some((by.clone(), times + 1));
                self.cancel_undoes |= undo;
                self.end_pause(at);
            }
            Change::Finishing { outputs } => self.finishing = Some(Finishing { outputs: outputs.clone() }),
            Change::Concluded { outcome, error, outputs } => {
                self.outcome = Some(*outcome);
                self.error.clone_from(error);
                self.outputs.clone_from(outputs);
                self.questions.retain(|(step, _)| step.is_some());
                self.disarm(Timer::Run);
            }
            Change::Finished { outcome, error } => {
                self.status = RunStatus::Ended;
                self.outcome = Some(*outcome);
                self.error.clone_from(error);
                self.ended = Some(at.wall);
                self.paused = None;
                self.questions.clear();
                self.claims.drop_all();
                self.disarm_all();
            }
            Change::Retried { .. } if self.gate.is_some() && self.graph.concurrency.is_some() => self.requeue(),
            Change::Retried { .. } => self.reopen(at),
            Change::Edited { .. } => unreachable!("who holds the definitions gives a run another one"),
            Change::Restored { token } => self.token = self.token.max(*token),
            Change::Quarantined { why } => {
                self.stand_still(why.clone());
            }
        }
    }

    /// Records of it were lost, so nothing more can be decided about it.
    pub fn lose(&mut self, loss: &Loss) {
        self.lost = true;
        self.stand_still(loss.describe());
    }

    /// Why nothing is decided about it any more, for people.
    pub fn standstill(&self) -> Option<String> {
        let why = self.quarantined.as_ref()?;
        Some(if self.lost {
            format!("records of this run were lost: {why}")
        } else {
            format!("a bug in lockstep stopped this run: {why}")
        })
    }

    fn stand_still(&mut self, why: String) {
        self.quarantined = Some(why);
        // What it holds stays held: what it started may go on.
        self.claims.look_again();
        self.questions.clear();
        self.disarm_all();
    }

    /// A step, to be changed.
    pub(super) fn step_mut(&mut self, no: StepNo) -> &mut Step {
        &mut self.steps[no.0]
    }

    /// Puts a step into a phase, and with that ends what the phase before it was waiting for.
    pub(super) fn set_phase(&mut self, no: StepNo, phase: Phase) {
        let before = std::mem::replace(&mut self.step_mut(no).phase, phase);
        self.tally.change(&before, &self.steps[no.0].phase);
        match before {
            Phase::Asking(question) => {
                self.questions.remove(&(Some(no), question));
            }
            Phase::Delayed { until, .. } => {
                self.timers.remove(&(until, Timer::Delay(no)));
                self.armed.remove(&Timer::Delay(no));
            }
            Phase::Awaiting { .. } => self.disarm(Timer::Escalate(no)),
            Phase::Pending
            | Phase::Deciding
            | Phase::Running { .. }
            | Phase::Held { .. }
            | Phase::Calling { .. }
            | Phase::Locking { .. }
            | Phase::Inside
            | Phase::InDoubt { .. }
            | Phase::Ended { .. } => {}
        }
    }

    /// Sets a timer, in place of an earlier setting.
    pub(super) fn arm(&mut self, due: u64, timer: Timer) {
        self.disarm(timer);
        self.armed.insert(timer, due);
        self.timers.insert((due, timer));
    }

    /// Takes a timer back.
    pub(super) fn disarm(&mut self, timer: Timer) {
        if let Some(due) = self.armed.remove(&timer) {
            self.timers.remove(&(due, timer));
        }
        if let Some(pause) = &mut self.paused {
            pause.left.retain(|(left, _)| *left != timer);
        }
    }

    /// Takes all timers back.
    fn disarm_all(&mut self) {
        self.armed.clear();
        self.timers.clear();
    }

    fn start(&mut self, at: Stamp) {
        if self.started.is_some() {
            // Its turn to go on has come.
            self.reopen(at);
            return;
        }
        self.status = RunStatus::Running;
        self.started = Some(at.wall);
        if let Some(timeout) = self.graph.timeout {
            self.limit(Timer::Run, timeout, at);
        }
    }

    fn activate(&mut self, block: BlockId, owner: Option<StepNo>, at: Stamp) {
        let graph = Arc::clone(&self.graph);
        let plan = graph.block(block);
        let last = self.latest.get(&(owner, block)).copied();
        let no = if let (Role::Round, Some(owner)) = (&plan.role, owner) {
            self.add_round(block, owner, last)
        } else {
            let visit = last.map_or(1, |last| self.last_visit(last) + 1);
            self.add_activation(block, owner, visit)
        };
        self.latest.insert((owner, block), no);
        match (&plan.role, owner) {
            (Role::Do | Role::Branch(_) | Role::Case(_), Some(owner)) => {
                self.set_phase(owner, Phase::Inside);
                self.step_mut(owner).result = None;
                self.arm_block(owner, at);
            }
            (Role::Round, Some(owner)) => {
                self.set_phase(owner, Phase::Inside);
                self.step_mut(owner).result = None;
                if self.activations[no].item.as_ref().is_some_and(|round| round.index == 0) {
                    self.arm_block(owner, at);
                }
            }
            (Role::StepFinally, Some(owner)) => {
                self.set_phase(owner, Phase::Inside);
                self.disarm(Timer::Total(owner));
                self.step_mut(owner).finalised = true;
            }
            (Role::Catch(_), Some(owner)) => {
                self.set_phase(owner, Phase::Inside);
                self.disarm(Timer::Total(owner));
                self.step_mut(owner).handler = Some(no);
            }
            (Role::Probe, Some(owner)) => self.set_phase(owner, Phase::Inside),
            (Role::Undo, Some(owner)) => self.begin_undo(owner, at),
            (Role::OnFailure, None) => self.begin_tail(RunStatus::OnFailure, at),
            (Role::Finally, None) => self.begin_tail(RunStatus::Finally, at),
            (Role::Main | Role::Item, _)
            | (
                Role::Do
                | Role::Branch(_)
                | Role::Case(_)
                | Role::Round
                | Role::Catch(_)
                | Role::StepFinally
                | Role::Undo
                | Role::Probe,
                None,
            )
            | (Role::OnFailure | Role::Finally, Some(_)) => {}
        }
    }

    /// Makes a block's steps come to be, all pending.
    pub(super) fn add_activation(&mut self, block: BlockId, owner: Option<StepNo>, visit: u32) -> ActivationNo {
        let graph = Arc::clone(&self.graph);
        let plan = graph.block(block);
        let no = self.activations.push(Activation {
            block,
            owner,
            first: StepNo(self.steps.next()),
            again: BTreeMap::new(),
            open: u32::try_from(plan.steps.len()).expect("a block has fewer than 2^32 steps"),
            visit,
            halt: None,
            errors: Vec::new(),
            vars: Map::new(),
            item: None,
        });
        for node in &plan.steps {
            let missing = u32::try_from(graph.node(*node).needs.len()).expect("a step has fewer than 2^32 needs");
            let step = self.pending_step(&graph.node(*node).path, *node, no, missing);
            self.steps.push(step);
        }
        if let Some(owner) = owner {
            self.step_mut(owner).inner.push(no);
        }
        no
    }

    /// Sets the limit of time of a block that runs (again).
    pub(super) fn arm_block(&mut self, owner: StepNo, at: Stamp) {
        self.disarm(Timer::Attempt(owner));
        if let Some(limit) = self.node_of(owner).timeout.attempt {
            self.limit(Timer::Attempt(owner), limit, at);
        }
    }

    pub(super) fn begin_tail(&mut self, status: RunStatus, at: Stamp) {
        self.status = status;
        if !self.is_limited(Timer::Tail) {
            self.limit(Timer::Tail, TAIL, at);
        }
    }

    fn grant(&mut self, no: StepNo, token: Token, input: Option<&Map>, at: Stamp) {
        self.token = token;
        self.set_phase(no, Phase::Running { token, stopping: None });
        let step = self.step_mut(no);
        let number = step.attempts + 1;
        step.grants.push(Grant { token, number, boot: at.boot });
        step.result = None;
        if let Some(input) = input {
            step.input.clone_from(input);
        }
        if let Some(limit) = self.node_of(no).timeout.attempt {
            self.limit(Timer::Attempt(no), limit, at);
        }
        self.note_effect(no);
    }

    fn note_stop(&mut self, no: StepNo, cause: StopCause) {
        if let Phase::Running { stopping, .. } | Phase::Calling { stopping, .. } = &mut self.step_mut(no).phase {
            stopping.get_or_insert(cause);
        }
        self.disarm(Timer::Attempt(no));
        if cause == StopCause::Total {
            self.disarm(Timer::Total(no));
        }
    }

    fn report(&mut self, no: StepNo, outcome: &Outcome) {
        self.disarm(Timer::Attempt(no));
        self.set_phase(no, Phase::Deciding);
        let path = match outcome {
            Outcome::Failed { .. } => self.path(no),
            Outcome::Succeeded { .. } | Outcome::Unknown { .. } => String::new(),
        };
        let step = self.step_mut(no);
        match outcome {
            Outcome::Succeeded { outputs } => {
                step.attempts += 1;
                step.lost = 0;
                step.outputs.clone_from(outputs);
                step.error = None;
                step.result = Some(Settlement::Done { outputs: Map::new() });
            }
            Outcome::Failed { error, outputs } => {
                step.attempts += u32::from(!fault::planted(Bug::TriesNotCounted));
                step.lost = 0;
                step.outputs.clone_from(outputs);
                let untouched = error.untouched && step.grants.len() == 1;
                let error = Box::new(RunError::of(error, path, step.attempts));
                step.error = Some(error.clone());
                step.result = Some(Settlement::Failed { error });
                if untouched {
                    self.take_back_effect(no);
                }
            }
            Outcome::Unknown { .. } => {
                step.lost += 1;
                step.result = None;
            }
        }
    }

    pub(super) fn settle(&mut self, no: StepNo, result: &Settlement) {
        self.disarm(Timer::Attempt(no));
        self.set_phase(no, Phase::Deciding);
        let acting = self.node_of(no).kind.is_acting();
        let has_blocks = !self.node_of(no).kind.blocks().is_empty();
        let is_set = matches!(self.node_of(no).kind, Kind::Set(_));
        let step = self.step_mut(no);
        let first = step.result.is_none();
        // A try that took too long has failed, also one of a block, and one of which nobody heard the end.
        let is_try = match result {
            Settlement::Done { .. } | Settlement::Failed { .. } => !acting,
            Settlement::Stopped { cause } => *cause == StopCause::Timeout,
        };
        if first && is_try {
            step.attempts += 1;
        }
        match result {
            Settlement::Done { outputs } => {
                let looped = step.looping.as_ref().is_some_and(|items| items.over);
                if first && !looped {
                    step.outputs.clone_from(outputs);
                } else {
                    step.outputs.extend(outputs.clone());
                }
                step.error = None;
                step.result = Some(Settlement::Done { outputs: Map::new() });
                if first && !acting && !has_blocks {
                    self.note_effect(no);
                }
                if is_set {
                    let scope = self.vars_scope(self.step(no).activation);
                    self.activations[scope].vars.extend(outputs.clone());
                }
            }
            Settlement::Failed { error } => {
                step.error = Some(error.clone());
                step.result = Some(result.clone());
            }
            Settlement::Stopped { cause } => {
                step.result = Some(result.clone());
                if *cause == StopCause::Total {
                    self.disarm(Timer::Total(no));
                }
            }
        }
    }

    fn delay(&mut self, no: StepNo, until: u64, why: Delay, at: Stamp) {
        let ahead = i64::try_from(until.saturating_sub(at.time)).unwrap_or(i64::MAX);
        let wall = Timestamp(at.wall.0.saturating_add(ahead));
        self.set_phase(no, Phase::Delayed { until, wall, why });
        self.arm(until, Timer::Delay(no));
        let step = self.step_mut(no);
        match why {
            Delay::Wait | Delay::Round => {}
            Delay::Retry => step.begin_anew(),
            Delay::Until => {
                step.begin_anew();
                step.rounds += 1;
            }
        }
    }

    fn resolve(&mut self, no: StepNo, how: &Resolution, by: &str) {
        self.set_phase(no, Phase::Deciding);
        let path = self.path(no);
        let step = self.step_mut(no);
        step.lost = 0;
        match how {
            Resolution::Done { outputs } => {
                step.attempts += 1;
                step.outputs.clone_from(outputs);
                step.error = None;
                step.result = Some(Settlement::Done { outputs: Map::new() });
            }
            Resolution::Failed => {
                step.attempts += 1;
                let mut error = RunError::new("failed", format!("resolved as failed by {by}"), path);
                error.attempt = step.attempts;
                step.error = Some(Box::new(error.clone()));
                step.result = Some(Settlement::Failed { error: Box::new(error) });
            }
            Resolution::Rerun => step.result = None,
        }
    }

    fn halt(&mut self, no: u32, cancel: bool, cause: StopCause) {
        let undoes_run = self.status == RunStatus::Undoing && self.undo_of_run() == Some(no);
        let activation = &mut self.activations[no];
        match &mut activation.halt {
            Some(halt) if halt.cancel || !cancel => {}
            halt => *halt = Some(Halt { cancel, cause }),
        }
        let owner = activation.owner;
        // Where a block's limit ended what undoes the steps in it, the limit is the block's.
        let owner = owner.map(|owner| self.undone_for(owner).unwrap_or(owner));
        match (cause, owner) {
            (StopCause::Timeout, Some(_)) if undoes_run => self.disarm(Timer::Tail),
            (StopCause::Timeout, Some(owner)) => self.disarm(Timer::Attempt(owner)),
            (StopCause::Total, Some(owner)) => self.disarm(Timer::Total(owner)),
            (StopCause::Timeout, None) => self.disarm(Timer::Tail),
            (StopCause::RunTimeout, _) => self.disarm(Timer::Run),
            (
                StopCause::Cancel
                | StopCause::Enclosing
                | StopCause::Failure
                | StopCause::Won
                | StopCause::Finish
                | StopCause::Break
                | StopCause::Total,
                _,
            ) => {}
        }
    }

    /// Notes an unhandled failure with the block it stands in.
    fn count_failure(&mut self, no: StepNo) {
        let step = self.step(no);
        let (Phase::Ended { status: StepStatus::Failed, .. }, false, Some(error)) =
            (&step.phase, step.handled, &step.error)
        else {
            return;
        };
        let error = error.as_ref().clone();
        let activation = step.activation;
        let fails_now = self.node_of(no).on_error != OnError::Late;
        self.failures += 1;
        let order = self.failures;
        let activation = &mut self.activations[activation];
        activation.errors.push((order, error));
        if fails_now && activation.halt.is_none() {
            activation.halt = Some(Halt { cancel: false, cause: StopCause::Failure });
        }
    }

    /// Counts a step that ended, for its block and for the steps that need it.
    fn close(&mut self, no: StepNo, at: Stamp) {
        self.disarm(Timer::Attempt(no));
        self.disarm(Timer::Total(no));
        self.claims.drop(Some(no));
        let step = self.step_mut(no);
        step.reopens = false;
        step.ended = Some(at.wall);
        step.input = Map::new();
        step.result = None;
        step.undoing = None;
        let activation = step.activation;
        self.activations[activation].open -= 1;
        self.count_need(no);
    }
}
