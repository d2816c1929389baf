//! `retry RUN --edited`: a run that did not end well goes on under a corrected runbook.
//!
//! What is kept of the run came of the text that it had, so that text must be in the corrected runbook too: every step
//! whose result is kept, with all that stands in it, and the head of every block inside of which the run goes on. Where
//! any of it is another, nothing is done and everything that differs is said. What is not kept may be anything.
//!
//! In the run the steps of the corrected runbook take the places of those with the same paths. A step that is new comes
//! to be as one that was not reached; one that is not there any more goes, and how often it was visited stays, so that no
//! key is given out twice should it come back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use lockstep_dsl::graph::{BlockId, Editions, Graph, Kind, Next, NodeId, Part};
use lockstep_dsl::value::{Map, Timestamp};
use serde::{Deserialize, Serialize};

use super::decide::Refused;
use super::kept::Definition;
use super::record::{Skip, StepStatus};
use super::reopen::Fate;
use super::state::{ActivationNo, Phase, Run, Step};
use crate::fault::{self, Bug};
use crate::id::{RunId, StepNo};

/// So many differences are named.
const NAMED: usize = 50;

/// The definition that a run goes on under, and what comes with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Edit {
    /// The hash of the definition that the run had.
    pub from: String,
    /// The hash of the one that it has from here on.
    pub definition: String,
    /// The file that it was read from, as a path from the folder of the run.
    pub file: String,
    /// All of its parameters, resolved; secrets are references.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub params: Map,
    /// Who asked.
    pub by: String,
}

/// That a run was given another definition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edited {
    /// The hash of the one that it had.
    pub from: String,
    /// Who asked.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

impl Run {
    /// The runs that steps called with which a `retry` of the run goes on.
    pub fn recalled(&self) -> impl Iterator<Item = RunId> + '_ {
        let calls = self.step_numbers().filter(|no| matches!(self.node_of(*no).kind, Kind::Call(_)));
        calls.filter(|no| matches!(self.fate(*no, self.node_of(*no)), Fate::Again)).filter_map(|no| self.last_call(no))
    }

    /// Whether it may go on under a corrected runbook, of which what is kept of the run must be a part. `called`: the
    /// definitions of the runs with which it goes on, by [`Run::recalled`].
    ///
    /// # Errors
    /// It cannot go on at all, or all that is kept and is not the same there.
    pub fn may_be_edited(&self, (new, hash): (&Graph, &str), called: &BTreeMap<RunId, String>) -> Result<(), Refused> {
        if let Some(why) = self.standstill() {
            return Err(Refused::NotNow(format!("{why}; it can only be cancelled")));
        }
        self.may_be_retried()?;
        let (id, name) = (self.id, &self.graph.runbook);
        if new.runbook != *name {
            let why = format!("run {id} is of `{name}`, `{}` is another runbook", new.runbook);
            return Err(Refused::NotNow(why));
        }
        if hash == self.definition {
            let why = format!("nothing in the runbook was changed since run {id} had it");
            return Err(Refused::Instead { why, instead: format!("`lockstep retry {id}` goes on with it as it is") });
        }
        if new.concurrency.is_some() && self.gate.is_none() {
            let why = format!("run {id} began without a `concurrency`, and the corrected runbook has one");
            return Err(Refused::Instead { why, instead: "leave it out, or start a new run".to_owned() });
        }
        self.check_kept(new, called)
    }

    fn check_kept(&self, new: &Graph, called: &BTreeMap<RunId, String>) -> Result<(), Refused> {
        let editions = Editions::new(&self.graph, new);
        let mut check = Check { run: self, editions: &editions, called, found: Vec::new(), told: BTreeSet::new() };
        check.gates();
        check.effects();
        if let Some(main) = self.latest.get(&(None, self.graph.main)).copied() {
            check.steps(main);
        }
        let mut found = check.found;
        if found.is_empty() || fault::planted(Bug::EditNotCompared) {
            return Ok(());
        }
        let more = found.len().saturating_sub(NAMED);
        found.truncate(NAMED);
        found.extend((more > 0).then(|| format!("and {more} more")));
        Err(Refused::Instead {
            why: format!(
                "run {} cannot go on under the corrected runbook: what is kept of it is another there\n  {}",
                self.id,
                found.join("\n  ")
            ),
            instead: "leave those steps as they were; what did not succeed, and what comes behind it, may be changed"
                .to_owned(),
        })
    }

    fn last_call(&self, no: StepNo) -> Option<RunId> {
        self.step(no).calls.last().copied()
    }
}

/// What is kept of a run, held against a corrected runbook.
struct Check<'a> {
    run: &'a Run,
    editions: &'a Editions<'a>,
    called: &'a BTreeMap<RunId, String>,
    found: Vec<String>,
    /// The steps of the file of which something was found.
    told: BTreeSet<NodeId>,
}

impl Check<'_> {
    /// What asks for an approval stays as it is, whether it was come to or not: nobody edits it away.
    fn gates(&mut self) {
        let nodes = (0..).map(NodeId).zip(&self.run.graph.nodes);
        let gates: Vec<NodeId> =
            nodes.filter(|(_, node)| matches!(node.kind, Kind::Approve(_))).map(|(id, _)| id).collect();
        for gate in gates {
            let path = self.run.graph.node(gate).path.clone();
            self.same(gate, &path, "asks for an approval", |_| true);
        }
    }

    /// What was done and is not undone can be undone as long as the step is there.
    fn effects(&mut self) {
        for step in &self.run.effects {
            if self.editions.node(self.run.step(*step).node).is_none() {
                let path = self.run.path(*step);
                self.found.push(format!("step `{path}` is not there any more, and what it did is not undone"));
            }
        }
    }

    /// The steps of an activation in which the run goes on, and those inside of them.
    fn steps(&mut self, main: ActivationNo) {
        let mut left = vec![main];
        while let Some(activation) = left.pop() {
            for step in self.run.steps_of(activation) {
                match self.run.fate(step, self.run.node_of(step)) {
                    Fate::Kept => self.kept(step),
                    Fate::Inside | Fate::Locked => left.extend(self.goes_on(step)),
                    Fate::Again => self.called_again(step),
                    Fate::Anew => {}
                }
            }
        }
    }

    /// A step whose result is kept, and all that stands in it.
    fn kept(&mut self, step: StepNo) {
        let node = self.run.step(step).node;
        let path = self.run.path(step);
        let status = self.run.step(step).status().name();
        if self.same(node, &path, status, |_| true) {
            self.inside(node, &path);
        }
    }

    /// All that stands in a step.
    fn inside(&mut self, node: NodeId, path: &str) {
        let (below, added) = self.editions.below(node);
        for inner in below {
            let inner_path = self.run.graph.node(inner).path.clone();
            self.same(inner, &inner_path, &format!("`{path}` is kept with it"), |_| true);
        }
        for new in added {
            let new = &self.editions.later().node(new).path;
            self.found.push(format!("step `{new}` is new, and `{path}`, in which it stands, is kept"));
        }
    }

    /// A block inside of which the run goes on: that it was begun, and on what, is kept. Gives what goes on in it.
    fn goes_on(&mut self, step: StepNo) -> Vec<ActivationNo> {
        let node = self.run.step(step).node;
        let path = self.run.path(step);
        if !self.same(node, &path, "it goes on inside", Part::is_head) {
            return Vec::new();
        }
        let mut goes_on = self.run.bodies(step);
        if let (Some(items), Kind::Foreach(_)) = (&self.run.step(step).looping, &self.run.node_of(step).kind) {
            if items.succeeded > 0 {
                // What came of those items came of all that is done with an item.
                self.inside(node, &path);
                return Vec::new();
            }
            goes_on.extend(items.again.iter().chain(&items.unwell));
        }
        goes_on
    }

    /// A step that goes on with a run which it called: that one has a text of its own.
    fn called_again(&mut self, step: StepNo) {
        let (run, node) = (self.run, self.run.step(step).node);
        let (Some(goes_on), Some(new)) = (run.last_call(step), self.editions.node(node)) else { return };
        let later = self.editions.later();
        let (Kind::Call(was), Kind::Call(is)) = (&run.graph.node(node).kind, &later.node(new).kind) else { return };
        let (was, is) = (run.graph.called_by(was), later.called_by(is));
        if was.hash == is.hash || self.called.get(&goes_on) == Some(&is.hash) {
            return;
        }
        self.found.push(format!(
            "step `{}` goes on with run {goes_on}, which it called, and `{}` was changed: correct that run first, by \
             `lockstep retry {goes_on} --edited`",
            run.path(step),
            is.target
        ));
    }

    /// Notes what of a step was changed, of the parts that count. Says whether nothing was.
    fn same(&mut self, node: NodeId, path: &str, why: &str, counts: impl Fn(&Part) -> bool) -> bool {
        if self.told.contains(&node) {
            return false;
        }
        let Some(changes) = self.editions.changes(node) else {
            self.told.insert(node);
            self.found.push(format!("step `{path}` ({why}) is not there any more"));
            return false;
        };
        let parts: Vec<String> = changes.iter().filter(|part| counts(part)).map(Part::to_string).collect();
        if !parts.is_empty() {
            self.told.insert(node);
            self.found.push(format!("step `{path}` ({why}) was changed: {}", parts.join(", ")));
        }
        parts.is_empty()
    }
}

impl Run {
    /// Gives a run that has ended another definition: its steps are those of that from here on.
    pub(in crate::core) fn adopt(&mut self, edit: &Edit, definition: &Definition, at: Timestamp) {
        let old = Arc::clone(&self.graph);
        let editions = Editions::new(&old, &definition.graph);
        let layout = self.layout();
        self.let_go_of_removed(&editions);
        self.rename_steps(&editions);
        for (no, steps) in layout {
            if self.activations.get(no).is_some() {
                self.lay_out(no, &steps, &editions);
            }
        }
        self.rename_places(&editions);
        self.definition.clone_from(&definition.hash);
        self.file = Some(edit.file.clone());
        self.params.clone_from(&edit.params);
        self.edits.push(Edited { from: edit.from.clone(), by: edit.by.clone(), at });
        self.attach(Arc::clone(&definition.graph), Arc::clone(&definition.links));
    }

    /// The steps of every activation, in the order of its block.
    fn layout(&self) -> Vec<(ActivationNo, Vec<StepNo>)> {
        self.activations.numbered().map(|(no, _)| (no, self.steps_of(no).collect())).collect()
    }

    /// Takes out what the corrected runbook has no place for, with all that stands in it.
    fn let_go_of_removed(&mut self, editions: &Editions<'_>) {
        let mut steps_of: BTreeMap<ActivationNo, Vec<u32>> = BTreeMap::new();
        for (no, step) in self.steps.numbered() {
            steps_of.entry(step.activation).or_default().push(no);
        }
        let (mut blocks, mut steps) = (BTreeSet::new(), BTreeSet::new());
        // What stands in a step came to be after it.
        for (no, activation) in self.activations.numbered() {
            let is_gone = editions.block(activation.block).is_none()
                || activation.owner.is_some_and(|owner| steps.contains(&owner.0));
            if is_gone {
                blocks.insert(no);
            }
            let inside = steps_of.remove(&no).unwrap_or_default();
            steps.extend(inside.into_iter().filter(|no| is_gone || editions.node(self.steps[*no].node).is_none()));
        }
        for no in &steps {
            let step = &self.steps[*no];
            if step.started.is_some() {
                let visit = step.visit.max(self.activations[step.activation].visit);
                let path = self.graph.node(step.node).path.clone();
                let seen = self.removed.entry(path).or_default();
                *seen = visit.max(*seen);
            }
        }
        self.steps.remove_where(|no| steps.contains(&no));
        self.activations.remove_where(|no| blocks.contains(&no));
        self.latest.retain(|_, no| !blocks.contains(no));
        self.effects.retain(|no| !steps.contains(&no.0));
    }

    /// Gives the steps that stay their places in the corrected runbook.
    fn rename_steps(&mut self, editions: &Editions<'_>) {
        let there: BTreeSet<ActivationNo> = self.activations.numbered().map(|(no, _)| no).collect();
        let is_there = |no: &ActivationNo| there.contains(no);
        for no in self.step_numbers().collect::<Vec<_>>() {
            let step = self.step_mut(no);
            step.node = editions.node(step.node).expect("steps that were removed are let go of");
            step.led = step.led.and_then(|led| match led {
                Next::Step(node) => editions.node(node).map(Next::Step),
                Next::End | Next::Continue | Next::Break => Some(led),
            });
            step.inner.retain(is_there);
            step.handler = step.handler.filter(|no| is_there(no));
            if let Some(items) = &mut step.looping {
                items.retain(is_there);
            }
        }
    }

    /// Gives an activation the steps that its block has in the corrected runbook; `steps` are those that it had.
    fn lay_out(&mut self, no: ActivationNo, steps: &[StepNo], editions: &Editions<'_>) {
        let later = editions.later();
        let block = editions.block(self.activations[no].block).expect("blocks that were removed are let go of");
        self.activations[no].block = block;
        let plan = &later.block(block).steps;
        let there: BTreeMap<NodeId, StepNo> =
            steps.iter().filter(|step| self.has(**step)).map(|step| (self.step(*step).node, *step)).collect();
        let has_stayed = steps.len() == plan.len()
            && steps.iter().zip(plan).all(|(step, node)| there.get(node).is_some_and(|it| it == step));
        if has_stayed {
            return;
        }
        let first = self.steps.next();
        let (mut again, mut taken) = (BTreeMap::new(), BTreeSet::new());
        for (place, node) in (0..).zip(plan) {
            let new = self.steps.push(Step {
                phase: Phase::Ended { status: StepStatus::Skipped, skip: Some(Skip::Unreached) },
                ..self.pending_step(&later.node(*node).path, *node, no, 0)
            });
            if let Some(step) = there.get(node) {
                again.insert(place, *step);
                taken.insert(new);
            }
        }
        self.steps.remove_where(|no| taken.contains(&no));
        let activation = &mut self.activations[no];
        (activation.first, activation.again) = (StepNo(first), again);
    }

    /// Renames what is looked up by its place in the runbook.
    fn rename_places(&mut self, editions: &Editions<'_>) {
        let block = |old: BlockId| editions.block(old).expect("blocks that were removed are let go of");
        self.latest =
            std::mem::take(&mut self.latest).into_iter().map(|((of, old), no)| ((of, block(old)), no)).collect();
        self.waivers = std::mem::take(&mut self.waivers)
            .into_iter()
            .filter_map(|(node, waiver)| Some((editions.node(node)?, waiver)))
            .collect();
        if let Some(gate) = &mut self.gate {
            let opening = &mut gate.opening;
            opening.skip = opening.skip.iter().filter_map(|node| editions.node(*node)).collect();
            opening.from = opening.from.and_then(|node| editions.node(node));
        }
        // Without an `undo` there is nothing to do about it.
        let later = editions.later();
        let (noted, left): (Vec<StepNo>, Vec<StepNo>) =
            self.effects.iter().partition(|no| later.node(self.step(**no).node).undo.is_some());
        self.effects = noted;
        for no in left {
            self.step_mut(no).noted = false;
        }
    }

    /// A step that comes to be. One that an edit of the run had removed is a further visit.
    pub(super) fn pending_step(&self, path: &str, node: NodeId, activation: ActivationNo, missing: u32) -> Step {
        let mut step = Step::pending(node, activation, missing);
        if let Some(seen) = self.removed.get(path)
            && self.activations[activation].visit <= *seen
        {
            step.visit = seen + 1;
        }
        step
    }
}
