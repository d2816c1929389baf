//! The state of a run.
//!
//! Every step of a block comes to be when the block is *activated*, so a block that runs again (a retry, a round of
//! `until`) has new steps and the old ones stay as history. Steps are numbered in the order in which they come to be;
//! those of one activation stand side by side.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use lockstep_dsl::graph::{BlockId, Graph, Kind, Next, NodeId, Role};
use lockstep_dsl::value::{Map, Timestamp, Value};
use serde::{Deserialize, Serialize};

use super::approval::Approval;
use super::call::Caller;
use super::claim::{Claims, Gate};
use super::edit::Edited;
use super::error::RunError;
use super::links::Links;
use super::looping::Loop;
use super::pause::{Hold, Pause};
pub use super::phase::{Phase, Timer};
use super::record::{Question, RunOutcome, Settlement, StepStatus, StopCause};
use super::signal::Signal;
use super::slab::Slab;
use super::tally::Tally;
use super::waiver::Waiver;
use crate::core::schedule::Tick;
use crate::id::{RunId, StepNo, Token};

/// An index into [`Run::activations`].
pub type ActivationNo = u32;

/// One run of a runbook.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// [`Graph::hash`] of its definition; left out where the encoding stands beside it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub definition: String,
    /// The definition itself; not part of the encoding.
    #[serde(skip, default = "no_graph")]
    pub graph: Arc<Graph>,
    /// What is looked up in the definition again and again; not part of the encoding.
    #[serde(skip)]
    pub links: Arc<Links>,
    /// How many of its steps are in phases that the run is asked about again and again; not part of the encoding.
    #[serde(skip)]
    pub(super) tally: Tally,
    /// When each of its timers is due; the same as `timers`, by timer, and not part of the encoding.
    #[serde(skip)]
    pub(super) armed: BTreeMap<Timer, u64>,
    /// Keys that it and its steps want or have.
    #[serde(default, skip_serializing_if = "Claims::is_empty")]
    pub claims: Claims,
    /// What it needs to begin, where runs wait for each other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<Box<Gate>>,
    /// Resolved parameters.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub params: Map,
    /// Who asked for it.
    pub by: String,
    /// The folder in which its commands run, and from which relative ones are counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// The step that called it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<Caller>,
    /// The runbook's file, as a path from `cwd`; `None` where it is the one that the definition names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The tick that started it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tick: Option<Box<Tick>>,
    /// The definitions that it had before this one, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub edits: Vec<Edited>,
    /// How often steps were visited that its definition has no more, by their paths in the file.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub removed: BTreeMap<String, u32>,
    /// When it came to be.
    pub created: Timestamp,
    /// When it started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// Where it is in its life.
    pub status: RunStatus,
    /// Every visit of every step so far, but for items of a `foreach` and rounds of a `repeat` that were let go of.
    pub steps: Slab<Step>,
    /// Every activation of a block so far.
    pub activations: Slab<Activation>,
    /// The last activation of a block for an owner.
    #[serde(with = "pairs")]
    pub latest: BTreeMap<(Option<StepNo>, BlockId), ActivationNo>,
    /// The last token given out.
    pub token: Token,
    /// Unhandled failures of steps so far.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub failures: u32,
    /// How often it went back to a step.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub revisits: u32,
    /// What the evaluator owes.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub questions: BTreeSet<(Option<StepNo>, Question)>,
    /// What is due when, in engine time.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub timers: BTreeSet<(u64, Timer)>,
    /// Signals that no step has taken, by name, the oldest first.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub signals: BTreeMap<String, VecDeque<Signal>>,
    /// That it is paused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<Box<Pause>>,
    /// Steps of the file that a person said are not to run, whichever visit of them it is.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub waivers: BTreeMap<NodeId, Waiver>,
    /// Who asked for it to be cancelled, and how often: the second time cuts `finally` short.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel: Option<(String, u32)>,
    /// Whether who cancelled it asked for what was done to be undone.
    #[serde(default, skip_serializing_if = "is_false")]
    pub cancel_undoes: bool,
    /// Steps with an `undo` whose effect began, in that order, and that are still to be undone if anything is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub effects: Vec<StepNo>,
    /// The step that is being undone because the run does not end well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undoing: Option<StepNo>,
    /// Nothing further is undone: a person or the limit of time stopped it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub undo_halted: bool,
    /// A `finish` step took effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finishing: Option<Finishing>,
    /// How it will end, once the steps have ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<RunOutcome>,
    /// Why it does not end well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Box<RunError>>,
    /// Its outputs.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub outputs: Map,
    /// Why nothing is decided about it any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quarantined: Option<String>,
    /// That is so because records of it were lost, and not because of a bug.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lost: bool,
}

/// How a `finish` step ends the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finishing {
    /// In place of the runbook's outputs, where it names any.
    #[serde(default)]
    pub outputs: Option<Map>,
}

/// Where a run is in its life. Whether it *waits* is seen from its steps: [`Run::is_waiting`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RunStatus {
    /// Nothing has started.
    Queued,
    /// Its steps run.
    Running,
    /// Its outputs are being computed.
    Outputs,
    /// What was done is undone, step by step.
    Undoing,
    /// Its `on_failure` runs.
    OnFailure,
    /// Its `finally` runs.
    Finally,
    /// It ended.
    Ended,
}

/// A block that runs, or has run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Activation {
    /// The block.
    pub block: BlockId,
    /// The step it runs for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<StepNo>,
    /// Its first step; the others follow in the order of the block.
    pub first: StepNo,
    /// Steps that were visited again, by their place in the block, each with its last visit.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub again: BTreeMap<u32, StepNo>,
    /// How many of its steps have not ended.
    pub open: u32,
    /// From 1: how often this block has run for this owner, visits of single steps of it counted too.
    pub visit: u32,
    /// Whether it still starts steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub halt: Option<Halt>,
    /// Its unhandled failures in order of time, with their place in the order of the whole run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<(u32, RunError)>,
    /// Variables set in it, where it has variables of its own (branches; the runbook's steps).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub vars: Map,
    /// The item of a `foreach`, or the round of a `repeat`, that it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<Item>,
}

/// What an activation of a loop's body is for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// From 0.
    pub index: u64,
    /// The item itself; `()` for a round.
    pub value: Value,
}

/// An activation that starts nothing any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Halt {
    /// Whether what runs in it is cancelled too.
    pub cancel: bool,
    /// Why.
    pub cause: StopCause,
}

/// One visit of a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, which most steps are encoded without")]
pub struct Step {
    /// What it is a visit of.
    pub node: NodeId,
    /// The activation it belongs to.
    pub activation: ActivationNo,
    /// Which visit of the step it is; 0 for the same as its activation.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub visit: u32,
    /// Its title, where that had to be worked out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What is happening to it.
    pub phase: Phase,
    /// How many of the steps it needs have not ended.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub missing: u32,
    /// Tries that came to a definite end.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub attempts: u32,
    /// Of these, those before the last `retry` of the run: they do not count against the step's `retry`.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub forgiven: u32,
    /// Where there are several `retry` rules: how often each was for a failure.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub by_rule: BTreeMap<u32, u32>,
    /// Unknown outcomes in a row.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub lost: u32,
    /// Rounds of `until` so far.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub rounds: u32,
    /// The rendered input of the current attempts.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub input: Map,
    /// Attempts granted so far, with their tokens, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grants: Vec<Grant>,
    /// What it has produced.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub outputs: Map,
    /// Its result, while what follows from it is worked out: retry, catch, finally.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Settlement>,
    /// Its last error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Box<RunError>>,
    /// Whether its failure was handled.
    #[serde(default, skip_serializing_if = "is_false")]
    pub handled: bool,
    /// The activation of the `catch` block that handles its failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handler: Option<ActivationNo>,
    /// Whether its `finally` has run or runs.
    #[serde(default, skip_serializing_if = "is_false")]
    pub finalised: bool,
    /// The activations of its blocks, in the order in which they came to be.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inner: Vec<ActivationNo>,
    /// Where it goes on when it has ended well, where not it itself says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub led: Option<Next>,
    /// What is undone before it is tried again, while that goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undoing: Option<Undoing>,
    /// Whether its effect began and is still to be undone if anything is.
    #[serde(default, skip_serializing_if = "is_false")]
    pub noted: bool,
    /// The variables that it saw when its effect began, for its `undo`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub saw: Option<Box<Map>>,
    /// Whether a `retry` of the run opened it again: it goes on inside when it has its key.
    #[serde(default, skip_serializing_if = "is_false")]
    pub reopens: bool,
    /// Its items or rounds, where it has any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub looping: Option<Box<Loop>>,
    /// What people have said to what it asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Box<Approval>>,
    /// That a person said that it is not to run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiver: Option<Box<Waiver>>,
    /// The runs that it called, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<RunId>,
    /// The last of them, where a `retry` of the run opened the step again: it goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recall: Option<RunId>,
    /// When it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
}

/// A block that undoes what was done in it before it begins again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undoing {
    /// The entry of its `retry` that is for its failure.
    pub entry: u32,
    /// The step that is being undone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<StepNo>,
}

/// An attempt given to a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Its token.
    pub token: Token,
    /// Its number: `LOCKSTEP_ATTEMPT`.
    pub number: u32,
    /// The boot of the machine in which it was granted, as [`crate::clock::Stamp::boot`].
    #[serde(default)]
    pub boot: u64,
}

impl Run {
    /// The step with this number.
    pub fn step(&self, no: StepNo) -> &Step {
        &self.steps[no.0]
    }

    /// The graph's node of a step.
    pub fn node_of(&self, no: StepNo) -> &lockstep_dsl::graph::Node {
        self.graph.node(self.step(no).node)
    }

    /// Whether the step is there: items of a `foreach` and rounds of a `repeat` are let go of.
    pub fn has(&self, no: StepNo) -> bool {
        self.steps.get(no.0).is_some()
    }

    /// The numbers of all steps, in order.
    pub fn step_numbers(&self) -> impl Iterator<Item = StepNo> + '_ {
        self.steps.numbered().map(|(no, _)| StepNo(no))
    }

    /// Whether the run has ended.
    pub fn is_ended(&self) -> bool {
        self.status == RunStatus::Ended
    }

    /// Whether the run is open and nothing in it runs: it waits for time, for a person, for runs that it called, or for
    /// keys that others hold.
    pub fn is_waiting(&self) -> bool {
        let Tally { busy, delayed, doubted, awaiting, calling, locking } = self.tally;
        let waits = delayed + doubted + awaiting + calling + locking > 0 || self.is_paused() || self.is_queued();
        busy == 0 && waits && !self.is_ended()
    }

    /// Whether it waits for its turn among the runs with its key.
    pub fn is_queued(&self) -> bool {
        self.status == RunStatus::Queued && self.wanted(None).is_some()
    }

    /// Whether nothing new begins in it until somebody lets it go on.
    pub const fn is_paused(&self) -> bool {
        self.paused.is_some()
    }

    /// Whether the run is open and the outcome of a step is in doubt.
    pub fn is_in_doubt(&self) -> bool {
        self.tally.doubted > 0 && !self.is_ended()
    }

    /// The status as people and JSON read it.
    pub fn status_name(&self) -> &'static str {
        match (self.status, self.outcome) {
            (RunStatus::Queued, _) => "queued",
            (RunStatus::Ended, Some(outcome)) => outcome.name(),
            _ if self.is_paused() => "paused",
            _ if self.is_waiting() => "waiting",
            _ => "running",
        }
    }

    /// The steps whose attempt is with a worker, with the attempt's token.
    pub fn running(&self) -> impl Iterator<Item = (StepNo, Token)> + '_ {
        self.steps.numbered().filter_map(|(no, step)| match step.phase {
            Phase::Running { token, .. } => Some((StepNo(no), token)),
            _ => None,
        })
    }

    /// The steps of an activation, each in its last visit, in the order of the block.
    pub fn steps_of(&self, activation: ActivationNo) -> impl Iterator<Item = StepNo> + use<> {
        let activation = &self.activations[activation];
        let count = u32::try_from(self.graph.block(activation.block).steps.len()).unwrap_or(0);
        let (first, again) = (activation.first.0, activation.again.clone());
        (0..count).map(move |place| again.get(&place).copied().unwrap_or(StepNo(first + place)))
    }

    /// Every visit of the steps of an activation, in the order of the block.
    pub fn visits_of(&self, activation: ActivationNo) -> Vec<StepNo> {
        if self.activations[activation].again.is_empty() {
            return self.steps_of(activation).collect();
        }
        let all = self.steps.numbered().filter(|(_, step)| step.activation == activation);
        let mut visits: Vec<StepNo> = all.map(|(no, _)| StepNo(no)).collect();
        visits.sort_by_key(|no| (self.links.place(self.step(*no).node), *no));
        visits
    }

    /// The last visit in an activation of a step of its block.
    pub fn step_in(&self, activation: ActivationNo, node: NodeId) -> StepNo {
        self.activations[activation].at(self.links.place(node))
    }

    /// What runs, or ran last, as the kind of a step: its own blocks without its handlers.
    pub fn bodies(&self, owner: StepNo) -> Vec<ActivationNo> {
        let kind = &self.node_of(owner).kind;
        let last = kind.blocks().into_iter().filter_map(|block| self.latest.get(&(Some(owner), block)).copied());
        match kind {
            // Of its cases one runs at a time.
            Kind::Switch(_) => last.max().into_iter().collect(),
            Kind::Do(_) | Kind::Parallel(_) | Kind::Repeat(_) => last.collect(),
            Kind::Foreach(_) => {
                self.step(owner).looping.iter().flat_map(|items| items.running.iter().copied()).collect()
            }
            Kind::Shell(_)
            | Kind::Exec(_)
            | Kind::Http(_)
            | Kind::Script(_)
            | Kind::Set(_)
            | Kind::Assert { .. }
            | Kind::WaitFor(_)
            | Kind::WaitUntil(_)
            | Kind::AwaitSignal(_)
            | Kind::Approve(_)
            | Kind::Ask(_)
            | Kind::Call(_)
            | Kind::Fail { .. }
            | Kind::Finish { .. } => Vec::new(),
        }
    }

    /// The innermost item or round around a place, and those around it.
    pub fn items(&self, from: Option<ActivationNo>) -> impl Iterator<Item = (&Activation, &Item)> + '_ {
        let around = from.into_iter().flat_map(|from| self.enclosing(from));
        around.filter_map(|no| {
            let activation = &self.activations[no];
            Some((activation, activation.item.as_ref()?))
        })
    }

    /// The activations that stand around a step, innermost first: its own, that of its owner, and so on.
    pub fn enclosing(&self, from: ActivationNo) -> impl Iterator<Item = ActivationNo> + '_ {
        std::iter::successors(Some(from), |no| self.activations[*no].owner.map(|owner| self.step(owner).activation))
    }

    /// The last visit of a node as seen from a place: the one in an enclosing activation, or the last one inside it.
    /// `None` when the node's block has not come to be there.
    pub fn find(&self, node: NodeId, from: Option<ActivationNo>) -> Option<StepNo> {
        let block = self.graph.node(node).block;
        let around = from.and_then(|from| self.enclosing(from).find(|no| self.activations[*no].block == block));
        let activation = if let Some(activation) = around {
            activation
        } else {
            let owner = match self.graph.block(block).owner {
                Some(owner) => Some(self.find(owner, from)?),
                None => None,
            };
            *self.latest.get(&(owner, block))?
        };
        Some(self.step_in(activation, node))
    }

    /// The activation whose variables a `set` step there sets: that of the nearest branch or loop body, else the runbook's
    /// own steps.
    pub fn vars_scope(&self, from: ActivationNo) -> ActivationNo {
        let branch = self.enclosing(from).find(|no| {
            let role = &self.graph.block(self.activations[*no].block).role;
            matches!(role, Role::Branch(_) | Role::Round | Role::Item | Role::Undo)
        });
        branch.or_else(|| self.latest.get(&(None, self.graph.main)).copied()).unwrap_or(from)
    }

    /// The variables seen from a place, those set nearest to it first.
    pub fn vars(&self, from: Option<ActivationNo>) -> Map {
        let mut vars = Map::new();
        let main = self.latest.get(&(None, self.graph.main)).copied();
        for no in from.into_iter().flat_map(|from| self.enclosing(from)).chain(main) {
            let activation = &self.activations[no];
            for (name, value) in &activation.vars {
                vars.entry(name.clone()).or_insert_with(|| value.clone());
            }
            if let (Role::Undo, Some(owner)) = (&self.graph.block(activation.block).role, activation.owner)
                && let Some(saw) = &self.step(owner).saw
            {
                // What was set after the step that is undone is not seen.
                for (name, value) in saw.as_ref() {
                    vars.entry(name.clone()).or_insert_with(|| value.clone());
                }
                break;
            }
        }
        vars
    }

    /// The error that `error` means in a place: that of the step whose handler this is, or for which something is undone,
    /// else the run's.
    pub fn error_at(&self, from: Option<ActivationNo>) -> Option<&RunError> {
        from.into_iter()
            .flat_map(|from| self.enclosing(from))
            .find_map(|no| {
                let activation = &self.activations[no];
                match (activation.owner, &self.graph.block(activation.block).role) {
                    (Some(owner), Role::Catch(_) | Role::StepFinally) => self.step(owner).error.as_deref(),
                    (Some(owner), _) if self.step(owner).undoing.is_some() => self.step(owner).error.as_deref(),
                    _ => None,
                }
            })
            .or(self.error.as_deref())
    }
}

impl Activation {
    /// The last visit of the step at this place in the block.
    pub fn at(&self, place: u32) -> StepNo {
        self.again.get(&place).copied().unwrap_or(StepNo(self.first.0 + place))
    }
}

impl Step {
    /// A step in which nothing has happened.
    pub(super) fn pending(node: NodeId, activation: ActivationNo, missing: u32) -> Self {
        Self {
            node,
            activation,
            visit: 0,
            title: None,
            phase: Phase::Pending,
            missing,
            attempts: 0,
            forgiven: 0,
            by_rule: BTreeMap::new(),
            lost: 0,
            rounds: 0,
            input: Map::new(),
            grants: Vec::new(),
            outputs: Map::new(),
            result: None,
            error: None,
            handled: false,
            handler: None,
            finalised: false,
            inner: Vec::new(),
            led: None,
            undoing: None,
            noted: false,
            saw: None,
            reopens: false,
            looping: None,
            approval: None,
            waiver: None,
            calls: Vec::new(),
            recall: None,
            started: None,
            ended: None,
        }
    }

    /// Where the step is in its life.
    pub fn status(&self) -> StepStatus {
        match &self.phase {
            Phase::Pending => StepStatus::Pending,
            Phase::Asking(Question::When) | Phase::Held { what: Hold::Begin, .. } => StepStatus::Ready,
            Phase::Asking(_) | Phase::Deciding | Phase::Running { .. } | Phase::Inside => StepStatus::Running,
            Phase::Delayed { .. }
            | Phase::Awaiting { .. }
            | Phase::Calling { .. }
            | Phase::Locking { .. }
            | Phase::Held { .. } => StepStatus::Waiting,
            Phase::InDoubt { .. } => StepStatus::InDoubt,
            Phase::Ended { status, .. } => *status,
        }
    }

    /// Whether what needs this step may start.
    pub fn ended_well(&self, on_error_late: bool) -> bool {
        match self.status() {
            StepStatus::Succeeded | StepStatus::Skipped => true,
            StepStatus::Failed => self.handled || on_error_late,
            StepStatus::Pending
            | StepStatus::Ready
            | StepStatus::Running
            | StepStatus::Waiting
            | StepStatus::InDoubt
            | StepStatus::Cancelled
            | StepStatus::Undone => false,
        }
    }
}

/// What most steps have is left out of their encoding.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over references")]
const fn is_zero(count: &u32) -> bool {
    *count == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over references")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

/// A stand-in until the definition is put in after decoding.
pub(super) fn no_graph() -> Arc<Graph> {
    Arc::new(Graph::empty())
}

/// Maps whose keys are not text, as lists of pairs.
pub(super) mod pairs {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<K: Serialize, V: Serialize, S: Serializer>(
        map: &BTreeMap<K, V>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(map)
    }

    pub fn deserialize<'de, K: Deserialize<'de> + Ord, V: Deserialize<'de>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<K, V>, D::Error> {
        Ok(Vec::<(K, V)>::deserialize(deserializer)?.into_iter().collect())
    }
}
