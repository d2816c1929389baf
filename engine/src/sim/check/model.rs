//! The checker's own, small model of a run: what the journal's records say of its steps.
//!
//! Written from `docs/language.md` and the names in the journal, not from the engine's code. It decides nothing; checks
//! look at it before each record is taken in.

mod again;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use crate::sim::evidence::{Record, tagged};

/// A definition, as it was journaled.
#[derive(Clone, Debug, Default)]
pub struct Definition {
    /// By number.
    pub nodes: Vec<Node>,
    /// By number.
    pub blocks: Vec<Block>,
    /// The runbook's own steps.
    pub main: u64,
}

/// A step of a definition.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its name in its block.
    pub name: String,
    /// Its path in the file.
    pub path: String,
    /// The numbers of the nodes it needs.
    pub needs: Vec<u64>,
    /// Whether others go on when it fails.
    pub late: bool,
}

/// A list of steps of a definition.
#[derive(Clone, Debug)]
pub struct Block {
    /// The node it belongs to.
    pub owner: Option<u64>,
    /// What it is to its owner.
    pub role: Role,
    /// Its nodes.
    pub steps: Vec<u64>,
}

/// What a block is to its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// The runbook's own.
    Main,
    /// For a run that failed.
    OnFailure,
    /// What comes last, in a run.
    Finally,
    /// Steps inside; a branch or case by its name.
    Body(Option<String>),
    /// What is done with an item.
    Item,
    /// What is done in a round.
    Round,
    /// A handler.
    Catch,
    /// What comes last, in a step.
    StepFinally,
    /// What takes back what a step did.
    Undo,
    /// What finds out whether a step took effect.
    Probe,
}

impl Definition {
    /// Reads one from its record.
    pub fn read(record: &Record) -> Option<Self> {
        let graph = record.body.get("graph")?;
        let nodes = graph.get("nodes")?.as_array()?.iter().map(node).collect::<Option<_>>()?;
        let blocks = graph.get("blocks")?.as_array()?.iter().map(block).collect::<Option<_>>()?;
        Some(Self { nodes, blocks, main: graph.get("main")?.as_u64()? })
    }
}

fn node(node: &Json) -> Option<Node> {
    Some(Node {
        name: node.get("name")?.as_str()?.to_owned(),
        path: node.get("path")?.as_str()?.to_owned(),
        needs: numbers(node.get("needs")?)?,
        late: node.get("on_error")?.as_str()? == "Late",
    })
}

fn block(block: &Json) -> Option<Block> {
    let role = match block.get("role")? {
        Json::String(role) => match role.as_str() {
            "Main" => Role::Main,
            "OnFailure" => Role::OnFailure,
            "Finally" => Role::Finally,
            "Do" => Role::Body(None),
            "Item" => Role::Item,
            "Round" => Role::Round,
            "StepFinally" => Role::StepFinally,
            "Undo" => Role::Undo,
            "Probe" => Role::Probe,
            _ => return None,
        },
        Json::Object(role) => match role.iter().next()? {
            (role, Json::String(name)) if role == "Branch" || role == "Case" => Role::Body(Some(name.clone())),
            (role, _) if role == "Catch" => Role::Catch,
            _ => return None,
        },
        _ => return None,
    };
    Some(Block { owner: block.get("owner")?.as_u64(), role, steps: numbers(block.get("steps")?)? })
}

fn numbers(list: &Json) -> Option<Vec<u64>> {
    list.as_array()?.iter().map(Json::as_u64).collect()
}

/// Where a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// Not begun.
    Pending,
    /// Asked whether it runs.
    Ready,
    /// It runs.
    Running,
    /// It waits for time.
    Waiting,
    /// Nobody knows.
    InDoubt,
    /// It ended well.
    Succeeded,
    /// It failed.
    Failed,
    /// It did not run; `true` when it was not reached.
    Skipped(bool),
    /// It was stopped.
    Cancelled,
    /// What it did was taken back.
    Undone,
}

impl Status {
    /// Whether it has ended.
    pub const fn is_end(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Skipped(_) | Self::Cancelled | Self::Undone)
    }

    /// As people are shown it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Ready => "ready",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::InDoubt => "in_doubt",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Skipped(_) => "skipped",
            Self::Cancelled => "cancelled",
            Self::Undone => "undone",
        }
    }
}

/// One visit of a step.
#[derive(Clone, Debug)]
pub struct Step {
    /// Its node.
    pub node: usize,
    /// Its activation.
    pub activation: usize,
    /// From 1; 0 for that of its activation.
    pub visit: u64,
    /// Where it is.
    pub status: Status,
    /// Whether its failure was handled.
    pub handled: bool,
    /// The token of its last attempt.
    pub token: Option<u64>,
    /// Engine time of its last attempt's grant.
    pub granted: u64,
    /// Definite ends of attempts so far.
    pub ends: u64,
    /// Retry delays since it came to be, or since the run's last retry.
    pub retries: u64,
    /// Until when it waits.
    pub until: Option<u64>,
    /// What the last attempt came to: `succeeded`, `failed`, `unknown`; `None` while it runs.
    pub outcome: Option<String>,
    /// What a person said about it since.
    pub resolved: Option<String>,
    /// What its probe found out since: whether its effect took place.
    pub probed: Option<bool>,
    /// A person asked for the run to be retried since the last attempt.
    pub reopened: bool,
    /// Why it was asked to stop.
    pub stopping: Option<String>,
    /// A person said that it is not to run.
    pub waived: bool,
    /// Its items or rounds.
    pub looping: Loop,
}

impl Step {
    /// One that has not begun.
    fn pending(node: usize, activation: usize, visit: u64) -> Self {
        Self {
            node,
            activation,
            visit,
            status: Status::Pending,
            handled: false,
            token: None,
            granted: 0,
            ends: 0,
            retries: 0,
            until: None,
            outcome: None,
            resolved: None,
            probed: None,
            reopened: false,
            stopping: None,
            waived: false,
            looping: Loop::default(),
        }
    }
}

/// Items of a `foreach`, rounds of a `repeat`.
#[derive(Clone, Debug, Default)]
pub struct Loop {
    /// Which try of the step, from 1; 0 before any.
    pub visit: u64,
    /// The highest visit of any step in its items or rounds.
    pub deepest: u64,
    /// How many began in this try.
    pub next: u64,
    /// So many of them before the last retry of the run.
    pub forgiven: u64,
    /// It is known what it runs over.
    pub known: bool,
    /// Items that run.
    pub running: BTreeSet<usize>,
    /// Items that go on after a retry of the run.
    pub again: BTreeSet<usize>,
    /// Items that did not end well.
    pub unwell: BTreeSet<usize>,
    /// Items that failed, since the last retry of the run.
    pub failed: u64,
    /// Nothing more begins.
    pub halted: bool,
    /// It is over.
    pub over: bool,
}

impl Loop {
    /// It begins from its beginning.
    fn renew(&mut self) {
        let has_begun = self.known || self.next > 0;
        let visit = self.visit.max(self.deepest) + u64::from(has_begun || self.visit == 0);
        *self = Self { visit, ..Self::default() };
    }

    fn end(&mut self, activation: Option<usize>, how: Option<&str>) {
        let Some(activation) = activation else { return };
        self.running.remove(&activation);
        if how == Some("ok") {
            self.unwell.remove(&activation);
        } else {
            self.unwell.insert(activation);
            self.failed += u64::from(how == Some("err"));
        }
    }

    /// A retry of the run: what did not end well goes on.
    fn reopen(&mut self) {
        self.forgiven = self.next;
        self.failed = 0;
        self.halted = false;
        self.over = false;
        self.again.append(&mut self.unwell);
        self.again.append(&mut self.running);
    }
}

/// A block that came to be.
#[derive(Clone, Debug)]
pub struct Activation {
    /// Its block.
    pub block: usize,
    /// The step it belongs to.
    pub owner: Option<usize>,
    /// Its first step.
    pub first: usize,
    /// From 1.
    pub visit: u64,
    /// It starts nothing more; and why.
    pub halted: Option<String>,
    /// Which item or round it is, from 0.
    pub index: Option<u64>,
    /// Steps that were visited again, by their place in the block.
    pub again: BTreeMap<usize, usize>,
}

/// A run.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// Its definition.
    pub definition: Definition,
    /// Every visit so far.
    pub steps: Vec<Step>,
    /// Every block so far.
    pub activations: Vec<Activation>,
    latest: BTreeMap<(Option<usize>, usize), usize>,
    /// How often it was asked to be cancelled since it was last opened.
    pub cancels: u64,
    /// How often what was done was asked to be undone with that.
    pub undo_cancels: u64,
    /// Whether it was asked to be cancelled before it was known how it ends.
    pub cancelled_in_time: bool,
    /// How it ended.
    pub ended: Option<String>,
    /// A `finish` step ended it.
    pub finishing: bool,
    /// Since which record a person has it begin nothing new.
    pub paused: Option<u64>,
    /// Quarantined.
    pub broken: bool,
}

impl Run {
    /// A run of this definition, in which nothing has happened.
    pub fn new(definition: Definition) -> Self {
        Self { definition, ..Self::default() }
    }

    /// A step that a record is about.
    pub fn step_of(&self, record: &Record) -> Option<&Step> {
        self.steps.get(usize::try_from(record.step()?).ok()?)
    }

    /// The definition of a step.
    pub fn node(&self, step: &Step) -> &Node {
        &self.definition.nodes[step.node]
    }

    /// The block of an activation.
    pub fn block(&self, activation: usize) -> &Block {
        &self.definition.blocks[self.activations[activation].block]
    }

    /// The last visit of each step of an activation.
    pub fn steps_of(&self, activation: usize) -> Vec<usize> {
        let Activation { first, again, .. } = &self.activations[activation];
        let places = 0..self.block(activation).steps.len();
        places.map(|place| again.get(&place).copied().unwrap_or(first + place)).collect()
    }

    /// The highest visit of any step of an activation.
    fn last_visit(&self, activation: usize) -> u64 {
        let Activation { visit, again, .. } = &self.activations[activation];
        again.values().map(|step| self.steps[*step].visit).fold(*visit, u64::max)
    }

    /// The activations around a step, innermost first.
    pub fn around(&self, activation: usize) -> Vec<usize> {
        let mut found = vec![activation];
        while let Some(owner) = self.activations[found[found.len() - 1]].owner {
            found.push(self.steps[owner].activation);
        }
        found
    }

    /// The last activation of the runbook's own steps.
    pub fn main(&self) -> Option<usize> {
        self.latest.get(&(None, usize::try_from(self.definition.main).ok()?)).copied()
    }

    /// The last activations of the blocks of a step, and all its items.
    pub fn inside(&self, step: usize) -> Vec<usize> {
        let owned = (0..self.activations.len()).filter(|number| self.activations[*number].owner == Some(step));
        owned.filter(|number| self.is_latest(*number)).collect()
    }

    /// Whether it is the last activation of its block for its owner, or an item of its owner's last try.
    pub fn is_latest(&self, activation: usize) -> bool {
        let Activation { block, owner, visit, .. } = self.activations[activation];
        match owner.filter(|_| self.definition.blocks[block].role == Role::Item) {
            Some(owner) => self.steps[owner].looping.visit == visit,
            None => self.latest.get(&(owner, block)) == Some(&activation),
        }
    }

    /// The path of a step in the run.
    pub fn path(&self, number: usize) -> String {
        let step = &self.steps[number];
        let activation = &self.activations[step.activation];
        let mut path = activation.owner.map(|owner| self.path(owner)).unwrap_or_default();
        if let Some(index) = activation.index {
            path = format!("{path}[{index}]");
        }
        let part = match &self.block(step.activation).role {
            Role::Main | Role::Body(None) | Role::Item | Role::Round => None,
            Role::Body(Some(name)) => Some(name.as_str()),
            Role::Catch => Some("catch"),
            Role::OnFailure => Some("on_failure"),
            Role::Finally | Role::StepFinally => Some("finally"),
            Role::Undo => Some("undo"),
            Role::Probe => Some("probe"),
        };
        for part in part.into_iter().chain([self.node(step).name.as_str()]) {
            if !path.is_empty() {
                path.push('/');
            }
            path.push_str(part);
        }
        let visit = step.visit.max(activation.visit);
        if visit > 1 {
            path = format!("{path}~{visit}");
        }
        path
    }

    /// Takes a record in.
    pub fn take(&mut self, record: &Record) {
        match record.what.as_str() {
            "act" => {
                let (block, owner) = (record.number("block"), record.number("owner"));
                let place = |number: Option<u64>| number.and_then(|number| usize::try_from(number).ok());
                if let Some(block) = place(block) {
                    self.activate(block, place(owner));
                }
            }
            "item" => self.start_item(record),
            "halt" => {
                let place = record.number("activation").and_then(|number| usize::try_from(number).ok());
                let cause = record.text("cause").unwrap_or_default().to_owned();
                if let Some(activation) = place.and_then(|place| self.activations.get_mut(place)) {
                    activation.halted.get_or_insert(cause);
                }
            }
            "cancel" => {
                self.cancels += 1;
                let undoes = record.body.get("undo").and_then(Json::as_bool).unwrap_or(false);
                self.undo_cancels += u64::from(undoes);
                self.paused = None;
            }
            "pause" => self.paused = Some(record.lsn),
            "unpause" => self.paused = None,
            "finish" => self.finishing = true,
            "concl" => self.cancelled_in_time = self.cancels > 0,
            "over" => {
                self.ended = record.text("outcome").map(str::to_owned);
                self.paused = None;
            }
            "quar" => self.broken = true,
            "retry" => self.reopen(),
            _ => self.change_step(record),
        }
    }

    fn change_step(&mut self, record: &Record) {
        let Some(number) = record.step().and_then(|step| usize::try_from(step).ok()) else { return };
        let Some(step) = self.steps.get_mut(number) else { return };
        match record.what.as_str() {
            "ask" => {
                let asks_when = record.text("question") == Some("when");
                step.status = if asks_when { Status::Ready } else { Status::Running };
            }
            "begin" | "take" | "fill" => step.status = Status::Running,
            "skip" => step.status = Status::Skipped(record.text("why") == Some("unreached")),
            "go" => {
                step.status = Status::Running;
                step.token = record.number("token");
                step.granted = record.time;
                step.outcome = None;
                step.resolved = None;
                step.probed = None;
                step.reopened = false;
                step.stopping = None;
            }
            "stop" => step.stopping = record.text("cause").map(str::to_owned),
            "end" => {
                step.status = Status::Running;
                let outcome = record.body.get("outcome").cloned().and_then(tagged);
                step.outcome = outcome.map(|(name, _)| name.to_lowercase());
                step.ends += u64::from(step.outcome.as_deref() != Some("unknown"));
            }
            "res" => {
                step.status = Status::Running;
                // A try that took too long counts, also where nobody heard its end.
                let timed_out = record.body.pointer("/result/stopped/cause").and_then(Json::as_str) == Some("timeout");
                step.ends += u64::from(timed_out && step.outcome.as_deref() == Some("unknown"));
            }
            "wait" => {
                step.status = Status::Waiting;
                step.until = record.number("until");
                if record.text("why") == Some("retry") {
                    step.retries += 1;
                    step.looping.renew();
                }
            }
            "loop" => {
                step.status = Status::Running;
                step.looping.renew();
                step.looping.known = true;
            }
            "itemend" => {
                let activation = record.number("activation").and_then(|number| usize::try_from(number).ok());
                step.looping.end(activation, record.text("end"));
            }
            "loophalt" => step.looping.halted = true,
            "loopover" => step.looping.over = true,
            "hold" if record.text("what") == Some("begin") => step.status = Status::Ready,
            "waive" => step.waived = true,
            "doubt" => step.status = Status::InDoubt,
            "hold" => step.status = Status::Waiting,
            "await" => {
                step.status = Status::Waiting;
                step.until = None;
            }
            "probed" => {
                step.status = Status::Running;
                let done = record.body.get("done").is_some_and(|done| !done.is_null());
                step.probed = Some(done);
                step.ends += u64::from(done);
            }
            "back" => self.revisit(number),
            "undone" if record.text("end") == Some("ok") && step.status.is_end() => step.status = Status::Undone,
            "solve" => {
                step.status = Status::Running;
                let how = record.body.get("how").cloned().and_then(tagged);
                step.resolved = how.map(|(name, _)| name);
                step.ends += u64::from(step.resolved.as_deref() != Some("rerun"));
            }
            "done" => self.end(number, record),
            _ => {}
        }
    }

    fn end(&mut self, number: usize, record: &Record) {
        let step = &mut self.steps[number];
        step.status = match record.text("status") {
            Some("failed") => Status::Failed,
            Some("cancelled") => Status::Cancelled,
            _ => Status::Succeeded,
        };
        step.handled = record.body.get("handled").and_then(Json::as_bool).unwrap_or(false);
        let activation = step.activation;
        let stops = step.status == Status::Failed && !step.handled && !self.definition.nodes[step.node].late;
        if stops {
            self.activations[activation].halted.get_or_insert_with(|| "failure".to_owned());
        }
    }

    /// An item begins, or one that did not end well goes on.
    fn start_item(&mut self, record: &Record) {
        let Some(owner) = record.step().and_then(|step| usize::try_from(step).ok()) else { return };
        let Some(looping) = self.steps.get_mut(owner).map(|step| &mut step.looping) else { return };
        if let Some(activation) = looping.again.pop_first() {
            looping.running.insert(activation);
            self.reopen_block(activation);
            return;
        }
        let node = self.steps[owner].node as u64;
        let body =
            self.definition.blocks.iter().position(|block| block.owner == Some(node) && block.role == Role::Item);
        let number = self.activations.len();
        if let Some(body) = body {
            self.activate(body, Some(owner));
            self.steps[owner].looping.running.insert(number);
        }
    }

    fn activate(&mut self, block: usize, owner: Option<usize>) {
        // A journal that is wrong may name an owner that is not there yet.
        if owner.is_some_and(|owner| owner >= self.steps.len()) {
            return;
        }
        let mut visit = self.latest.get(&(owner, block)).map_or(1, |last| self.last_visit(*last) + 1);
        let mut index = None;
        let role = self.definition.blocks.get(block).map(|block| &block.role);
        let undoes = role == Some(&Role::Undo);
        if let (Some(owner), Some(Role::Item | Role::Round)) = (owner, role) {
            let looping = &mut self.steps[owner].looping;
            looping.visit = looping.visit.max(1);
            visit = looping.visit;
            index = Some(looping.next);
            looping.next += 1;
        }
        let Some(steps) = self.definition.blocks.get(block).map(|block| block.steps.clone()) else { return };
        let number = self.activations.len();
        self.activations.push(Activation {
            block,
            owner,
            first: self.steps.len(),
            visit,
            halted: None,
            index,
            again: BTreeMap::new(),
        });
        self.latest.insert((owner, block), number);
        for node in &steps {
            self.steps.push(Step::pending(usize::try_from(*node).unwrap_or(usize::MAX), number, 0));
        }
        if let Some(owner) = owner.filter(|_| !undoes) {
            self.steps[owner].status = Status::Running;
        }
    }
}
