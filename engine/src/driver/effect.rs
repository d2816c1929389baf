//! What is to be done after a turn, and only then.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::Driver;
use super::backing::Backing;
use crate::api::Reply;
use crate::core::run::{Change, Grant, Phase, Record, Run};
use crate::eval::{Evaluation, secret_names};
use crate::fault::{self, Bug};
use crate::id::{RunId, StepNo, Token};
use crate::view::log_path;
use crate::worker::Attempt;
use crate::worker::pages::PageRead;
use lockstep_dsl::graph::{Effect as StepEffect, Kind, Node};
use lockstep_dsl::value::{Map, SecretRef, Value};

/// Names a request that waits for its answer; given out by whoever turns the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Caller(pub u64);

/// What a turn leads to, in the order in which it is to be done.
#[derive(Debug, Default)]
pub struct Turn {
    /// What is to be done.
    pub effects: Vec<Effect>,
    /// What changed, in order: a run, and where it is one step of it, the step. Empty while nothing can be stored.
    pub changed: Vec<(RunId, Option<StepNo>)>,
    /// Runs that came to be.
    pub created: Vec<RunId>,
    /// How many steps ended.
    pub ended_steps: u64,
    /// Another turn is due at once.
    pub again: bool,
}

/// Something to be done. The records that call for it are durable.
#[derive(Debug)]
pub enum Effect {
    /// Give a caller its answer.
    Answer(Caller, Reply),
    /// Start an attempt.
    Start {
        /// The step, to be named in the report.
        step: StepNo,
        /// The attempt.
        attempt: Box<Attempt>,
    },
    /// Find out what became of an attempt that a former engine granted, and see it to its end.
    Recover {
        /// The step, to be named in the report.
        step: StepNo,
        /// The attempt.
        attempt: Box<Attempt>,
        /// Whether the machine has been up since it was granted.
        this_boot: bool,
    },
    /// Ask an attempt to stop.
    Stop(RunId, Token),
    /// The attempt's end is durable: its folder may go.
    Forget(RunId, Token),
    /// Evaluate what takes long, and bring the answer as an input.
    Evaluate(Box<Evaluation>),
    /// Read a page of a file, and bring it as an input: [`PageRead::read`].
    ReadPage(Box<PageRead>),
    /// The run has ended: its pinned files may go.
    Ended(RunId),
}

impl Turn {
    /// The steps that changed of the runs that `of` picks, by run, each where it changed last: so one hears of a block's
    /// end behind that of the steps inside. A run whose own state changed is here too.
    pub fn changed_steps(&self, of: impl Fn(RunId) -> bool) -> BTreeMap<RunId, Vec<StepNo>> {
        let mut by_run: BTreeMap<RunId, (Vec<StepNo>, BTreeSet<StepNo>)> = BTreeMap::new();
        for (run, step) in self.changed.iter().rev().filter(|(run, _)| of(*run)) {
            let (steps, seen) = by_run.entry(*run).or_default();
            steps.extend(step.filter(|step| seen.insert(*step)));
        }
        let in_order = |(run, (mut steps, _)): (RunId, (Vec<StepNo>, _))| {
            steps.reverse();
            (run, steps)
        };
        by_run.into_iter().map(in_order).collect()
    }
}

impl<B: Backing> Driver<B> {
    /// Works out what durable records lead to.
    pub(super) fn effects_of(&self, records: &[Record], turn: &mut Turn) {
        for record in records {
            let (id, change) = match record {
                Record::Created { run, .. } => {
                    turn.changed.push((*run, None));
                    turn.created.push(*run);
                    continue;
                }
                Record::Changed { run, change } => (*run, change),
                Record::Defined { .. }
                | Record::Checkpointed { .. }
                | Record::Scheduled { .. }
                | Record::SchedulesHeld { .. }
                | Record::Rested { .. }
                | Record::Lost { .. }
                | Record::Removed { .. } => continue,
            };
            turn.changed.push((id, step_of(change)));
            if let Some(run) = self.state.run(id).filter(|run| run.caller.is_some()) {
                // Whether those that wait for it can go on may be another matter now.
                turn.changed.extend(self.waiting_for(&run).into_iter().map(|caller| (caller, None)));
            }
            match change {
                Change::Starting { step, token, .. } => {
                    let Some(run) = self.state.run(id) else { continue };
                    if let Some((attempt, _)) = self.attempt(&run, *step, *token) {
                        turn.effects.push(Effect::Start { step: *step, attempt: Box::new(attempt) });
                    }
                }
                Change::Stopping { step, .. } => {
                    let Some(run) = self.state.run(id).filter(|run| run.has(*step)) else { continue };
                    if let Phase::Running { token, .. } = &run.step(*step).phase {
                        turn.effects.push(Effect::Stop(id, *token));
                    }
                }
                Change::Ended { .. } => turn.ended_steps += 1,
                Change::Finished { .. } => turn.effects.push(Effect::Ended(id)),
                // It opens steps again, all through the run; the definition that it has by then may have others.
                Change::Retried { .. } => {
                    let Some(run) = self.state.run(id) else { continue };
                    turn.changed.extend(run.step_numbers().map(|step| (id, Some(step))));
                }
                Change::Started
                | Change::Activated { .. }
                | Change::Asked { .. }
                | Change::Skipped { .. }
                | Change::Begun { .. }
                | Change::Titled { .. }
                | Change::Reported { .. }
                | Change::Settled { .. }
                | Change::Delayed { .. }
                | Change::Doubted { .. }
                | Change::Probed { .. }
                | Change::Resolved { .. }
                | Change::Wanted { .. }
                | Change::Locked { .. }
                | Change::Called { .. }
                | Change::Returned { .. }
                | Change::Awaited { .. }
                | Change::Signalled { .. }
                | Change::Received { .. }
                | Change::Paused { .. }
                | Change::Unpaused { .. }
                | Change::Permitted { .. }
                | Change::Held { .. }
                | Change::Waived { .. }
                | Change::Voted { .. }
                | Change::Escalated { .. }
                | Change::FilledIn { .. }
                | Change::Looped { .. }
                | Change::Paged { .. }
                | Change::ItemStarted { .. }
                | Change::ItemEnded { .. }
                | Change::LoopHalted { .. }
                | Change::LoopOver { .. }
                | Change::Halted { .. }
                | Change::Led { .. }
                | Change::Revisited { .. }
                | Change::Undoing { .. }
                | Change::Undone { .. }
                | Change::UndoHalted
                | Change::CancelRequested { .. }
                | Change::Finishing { .. }
                | Change::Concluded { .. }
                | Change::Edited { .. }
                | Change::Restored { .. }
                | Change::Quarantined { .. } => {}
            }
        }
    }

    /// Has attempts looked after that a former engine granted. One that it asked to stop is asked again.
    pub(super) fn look_after(&self, attempts: &[(RunId, StepNo, Token)], turn: &mut Turn) {
        for (id, step, token) in attempts {
            let Some(run) = self.state.run(*id) else { continue };
            let Some((attempt, grant)) = self.attempt(&run, *step, *token) else { continue };
            turn.changed.push((*id, Some(*step)));
            let this_boot = grant.boot == self.now.boot;
            turn.effects.push(Effect::Recover { step: *step, attempt: Box::new(attempt), this_boot });
            let stopping = matches!(run.step(*step).phase, Phase::Running { stopping: Some(_), .. });
            if stopping && !fault::planted(Bug::StopForgotten) {
                turn.effects.push(Effect::Stop(*id, *token));
            }
        }
    }

    /// The attempt that a grant calls for; `None` when it is not the step's current one any more.
    fn attempt(&self, run: &Run, no: StepNo, token: Token) -> Option<(Attempt, Grant)> {
        let step = run.steps.get(no.0)?;
        let current = matches!(&step.phase, Phase::Running { token: current, .. } if *current == token);
        if !current || run.quarantined.is_some() {
            return None;
        }
        let node = run.node_of(no);
        let grant = step.grants.iter().rev().find(|grant| grant.token == token)?;
        let attempt = Attempt {
            run: run.id,
            runbook: run.graph.runbook.clone(),
            step: run.path(no),
            action: node.kind.name().to_owned(),
            input: in_folder(run, node, step.input.clone()),
            taken: node.taken.clone(),
            secrets: secrets_of(run),
            environment: None,
            token,
            key: run.key(no),
            number: grant.number,
            once: node.effect == StepEffect::Once,
            grace: node.timeout.grace,
            folder: self.places.attempt(run.id, token),
            log: log_path(&self.places.logs, run.id, no, step.grants.len()),
            files: (!run.graph.files.is_empty()).then(|| self.places.files(run.id)),
        };
        debug_assert!(matches!(node.kind, Kind::Shell(_) | Kind::Exec(_) | Kind::Http(_)), "only acting steps attempt");
        Some((attempt, *grant))
    }
}

/// The references of all secrets that the run may have learned: any of them is masked in what its attempts say.
fn secrets_of(run: &Run) -> Vec<SecretRef> {
    let mut found: BTreeSet<SecretRef> = BTreeSet::new();
    found.extend(run.params.values().flat_map(Value::secret_references).cloned());
    found.extend(
        run.graph
            .exprs
            .iter()
            .filter(|expr| expr.names.iter().any(|name| name == "secrets"))
            .flat_map(|expr| secret_names(&expr.source).map(|name| SecretRef::Store(name.to_owned()))),
    );
    found.into_iter().collect()
}

/// The step that a change is about.
const fn step_of(change: &Change) -> Option<StepNo> {
    match change {
        Change::Asked { step, .. }
        | Change::Waived { step, .. }
        | Change::Wanted { step, .. }
        | Change::Locked { step, .. } => *step,
        Change::Activated { owner, .. } => *owner,
        Change::Skipped { step, .. }
        | Change::Begun { step }
        | Change::Titled { step, .. }
        | Change::Starting { step, .. }
        | Change::Stopping { step, .. }
        | Change::Reported { step, .. }
        | Change::Settled { step, .. }
        | Change::Delayed { step, .. }
        | Change::Doubted { step, .. }
        | Change::Probed { step, .. }
        | Change::Resolved { step, .. }
        | Change::Called { step, .. }
        | Change::Returned { step, .. }
        | Change::Awaited { step, .. }
        | Change::Received { step }
        | Change::Permitted { step, .. }
        | Change::Held { step, .. }
        | Change::Voted { step, .. }
        | Change::Escalated { step }
        | Change::FilledIn { step, .. }
        | Change::Looped { step, .. }
        | Change::LoopOver { step }
        | Change::Led { step, .. }
        | Change::Revisited { step }
        | Change::Undoing { step, .. }
        | Change::Undone { step, .. }
        | Change::Ended { step, .. } => Some(*step),
        Change::Started
        | Change::Paused { .. }
        | Change::Unpaused { .. }
        | Change::Signalled { .. }
        | Change::Paged { .. }
        | Change::ItemStarted { .. }
        | Change::ItemEnded { .. }
        | Change::LoopHalted { .. }
        | Change::Halted { .. }
        | Change::UndoHalted
        | Change::CancelRequested { .. }
        | Change::Finishing { .. }
        | Change::Concluded { .. }
        | Change::Finished { .. }
        | Change::Retried { .. }
        | Change::Edited { .. }
        | Change::Restored { .. }
        | Change::Quarantined { .. } => None,
    }
}

/// The input with the folder in which the command runs: the run's, or a path from there.
fn in_folder(run: &Run, node: &Node, mut input: Map) -> Map {
    if let Some(base) = &run.cwd
        && matches!(node.kind, Kind::Shell(_) | Kind::Exec(_))
    {
        let folder = match input.get("cwd") {
            None => base.clone(),
            Some(Value::String(cwd)) => Path::new(base).join(cwd).display().to_string(),
            // What is no text is the worker's to refuse.
            Some(_) => return input,
        };
        input.insert("cwd".to_owned(), Value::String(folder));
    }
    input
}
