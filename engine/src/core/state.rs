//! The state of a shard: every open run and the definitions they use.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use lockstep_dsl::graph::Graph;
use lockstep_dsl::value::Map;

use super::run::{Change, Input, Links, Record, Refused, Run, decide};
use crate::clock::Stamp;
use crate::id::RunId;

/// Every open run, the definitions they use, and the runs that ended since the caller last let go of them.
#[derive(Debug, Default)]
pub struct State {
    definitions: BTreeMap<String, (Arc<Graph>, Arc<Links>)>,
    runs: BTreeMap<RunId, Run>,
    /// The first timer of every run that has one.
    due: BTreeSet<(u64, RunId)>,
    /// Runs for which the evaluator owes an answer.
    asking: BTreeSet<RunId>,
}

/// Something to decide about.
#[derive(Clone, Debug)]
pub enum Command {
    /// A run is to be.
    Create {
        /// Its id, never used before.
        run: RunId,
        /// Its definition.
        graph: Arc<Graph>,
        /// [`Graph::hash`] of it.
        hash: String,
        /// Resolved parameters.
        params: Map,
        /// Who asks.
        by: String,
        /// The folder in which its commands run.
        cwd: Option<String>,
    },
    /// Something happened to a run.
    Run(RunId, Input),
}

impl State {
    /// Decides what follows from a command and applies it: the records, in order, are what the journal must hold before
    /// anything is done or answered because of it.
    ///
    /// # Errors
    /// The command cannot be followed; nothing has changed.
    pub fn decide(&mut self, command: Command, now: Stamp) -> Result<Vec<Record>, Refused> {
        match command {
            Command::Create { run, graph, hash, params, by, cwd } => {
                let mut records = Vec::with_capacity(4);
                if !self.definitions.contains_key(&hash) {
                    let record = Record::Defined { hash: hash.clone(), graph: Box::new(graph.as_ref().clone()) };
                    self.apply(&record, now);
                    records.push(record);
                }
                let record = Record::Created { run, definition: hash, params, by, cwd };
                self.apply(&record, now);
                records.push(record);
                records.extend(self.run_decision(run, Input::Start, now)?);
                Ok(records)
            }
            Command::Run(run, input) => self.run_decision(run, input, now),
        }
    }

    fn run_decision(&mut self, id: RunId, input: Input, now: Stamp) -> Result<Vec<Record>, Refused> {
        let run = self.runs.get_mut(&id).ok_or(Refused::NoSuchRun)?;
        let before = run.timers.first().map(|(due, _)| *due);
        let mut changes = Vec::new();
        let result = decide(run, input, now, &mut changes);
        self.reindex(id, before);
        result.map(|()| changes.into_iter().map(|change| Record::Changed { run: id, change }).collect())
    }

    /// Applies one record. The same for live work and for replay; `at` is the stamp of the record's frame.
    ///
    /// # Panics
    /// A record that does not fit the state means that the journal is not what this program wrote.
    pub fn apply(&mut self, record: &Record, at: Stamp) {
        match record {
            Record::Defined { hash, graph } => {
                self.define(hash.clone(), Arc::new(graph.as_ref().clone()));
            }
            Record::Created { run, definition, params, by, cwd } => {
                let (graph, links) =
                    self.definitions.get(definition).expect("a definition is journaled before its runs");
                let mut new = Run::new(*run, definition.clone(), params.clone(), by.clone(), at.wall);
                new.cwd.clone_from(cwd);
                new.attach(Arc::clone(graph), Arc::clone(links));
                assert!(self.runs.insert(*run, new).is_none(), "run {run} was created twice");
            }
            Record::Changed { run, change } => self.change(*run, change, at),
            Record::Checkpointed { .. } | Record::Rested { .. } => {}
        }
    }

    fn change(&mut self, id: RunId, change: &Change, at: Stamp) {
        let run = self.runs.get_mut(&id).expect("a change is of a run that was created and not let go of");
        let before = run.timers.first().map(|(due, _)| *due);
        run.apply(change, at);
        self.reindex(id, before);
    }

    /// Keeps the indexes over all runs in step with one of them.
    fn reindex(&mut self, id: RunId, before: Option<u64>) {
        let Some(run) = self.runs.get(&id) else { return };
        let after = run.timers.first().map(|(due, _)| *due);
        if before != after {
            if let Some(due) = before {
                self.due.remove(&(due, id));
            }
            if let Some(due) = after {
                self.due.insert((due, id));
            }
        }
        if run.questions.is_empty() {
            self.asking.remove(&id);
        } else {
            self.asking.insert(id);
        }
    }

    /// Makes a definition known without a record: it was read from the image.
    pub fn define(&mut self, hash: String, graph: Arc<Graph>) {
        let links = Arc::new(Links::new(&graph));
        self.definitions.insert(hash, (graph, links));
    }

    /// The definition with this hash.
    pub fn definition(&self, hash: &str) -> Option<&Arc<Graph>> {
        self.definitions.get(hash).map(|(graph, _)| graph)
    }

    /// Takes in a run that was read from the image; its definition must be known.
    pub fn admit(&mut self, mut run: Run) {
        let (graph, links) = self.definitions.get(&run.definition).expect("an image holds the definitions of its runs");
        run.attach(Arc::clone(graph), Arc::clone(links));
        let id = run.id;
        self.runs.insert(id, run);
        self.reindex(id, None);
    }

    /// A run that is open, or ended and not yet let go of.
    pub fn run(&self, id: RunId) -> Option<&Run> {
        self.runs.get(&id)
    }

    /// All of them, by id.
    pub fn runs(&self) -> impl Iterator<Item = &Run> {
        self.runs.values()
    }

    /// Lets go of a run that has ended, once the image holds it.
    pub fn release(&mut self, id: RunId) -> Option<Run> {
        if !self.runs.get(&id)?.is_ended() {
            return None;
        }
        self.asking.remove(&id);
        self.runs.remove(&id)
    }

    /// Takes a run out whatever it does, with its timers and questions: nothing happens to it until it is admitted
    /// again.
    pub fn withdraw(&mut self, id: RunId) -> Option<Run> {
        let run = self.runs.remove(&id)?;
        if let Some((due, _)) = run.timers.first() {
            self.due.remove(&(*due, id));
        }
        self.asking.remove(&id);
        Some(run)
    }

    /// Forgets a definition: its record did not become durable.
    pub fn undefine(&mut self, hash: &str) {
        self.definitions.remove(hash);
    }

    /// A run for which the evaluator owes an answer.
    pub fn asking(&self) -> impl Iterator<Item = RunId> + '_ {
        self.asking.iter().copied()
    }

    /// When the next timer is due, in engine time, and whose it is.
    pub fn next_due(&self) -> Option<(u64, RunId)> {
        self.due.first().copied()
    }
}
