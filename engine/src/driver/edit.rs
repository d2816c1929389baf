//! `retry --edited`: a run that did not end well goes on under a corrected runbook.

use std::collections::BTreeMap;
use std::sync::Arc;

use lockstep_dsl::graph::Graph;
use lockstep_dsl::value::{Map, Value};

use super::Driver;
use super::backing::Backing;
use super::batch::Batch;
use super::definitions::Definition;
use super::request::{check_start, invalid, unreadable};
use crate::api::{Edition, Refusal, Reply};
use crate::core::Command;
use crate::core::run::{Edit, Look};
use crate::id::RunId;

impl<B: Backing> Driver<B> {
    /// Has a run go on under a corrected runbook; nothing changes where what is kept of it is another there.
    pub(super) fn retry_edited(
        &mut self,
        name: &str,
        edition: &Edition,
        by: String,
        batch: &mut Batch,
    ) -> Result<Reply, Refusal> {
        let id = self.named(name)?;
        self.take_up(id, batch);
        let was_there = self.state.has(id);
        self.readmit(id).map_err(|error| unreadable(&error))?;
        let edited = self.edit(id, edition, by, batch);
        if edited.is_err() && !was_there {
            self.put_back(id);
        }
        edited.map(|()| Reply::Done)
    }

    fn edit(&mut self, id: RunId, edition: &Edition, by: String, batch: &mut Batch) -> Result<(), Refusal> {
        let Definition { graph, hash, bytes } = self.definitions.of(&edition.graph);
        let called = self.definitions_of_called(id)?;
        self.named_run(id)?.may_be_edited((&graph, &hash), &called).map_err(|refused| Refusal::from(&refused))?;
        let params = self.params_under(id, (&graph, &hash), &edition.params)?;
        check_start(bytes, &params)?;
        let from = self.named_run(id)?.definition.clone();
        let known = self.state.definition(&hash).is_some();
        if !known && self.positions.definitions.contains_key(&*hash) {
            // The journal holds it, from runs that have ended.
            self.state.define(hash.to_string(), Arc::clone(&graph));
        }
        let edit = Edit { from, definition: hash.to_string(), file: edition.file.clone(), params, by };
        let command = Command::Edit { run: id, graph, edit: Box::new(edit), called };
        self.decide(command, batch).map_err(|refused| {
            if !known {
                self.state.undefine(&hash);
            }
            Refusal::from(&refused)
        })
    }

    /// The definitions of the runs that a run called and goes on with.
    fn definitions_of_called(&mut self, id: RunId) -> Result<BTreeMap<RunId, String>, Refusal> {
        let called: Vec<RunId> = self.named_run(id)?.recalled().collect();
        let mut definitions = BTreeMap::new();
        for run in called {
            let open = self.run(run).map(|run| run.definition.clone());
            // One that cannot be read has none that would fit.
            let definition = open.or_else(|| self.stored_summary(run).ok().map(|summary| summary.definition));
            definitions.extend(definition.map(|definition| (run, definition)));
        }
        Ok(definitions)
    }

    /// The run's parameters under another definition: it keeps the values that it has, and is given what is new.
    fn params_under(&self, id: RunId, definition: (&Arc<Graph>, &str), given: &Map) -> Result<Map, Refusal> {
        let run = self.named_run(id)?;
        let declared = |name: &str| run.graph.params.iter().any(|param| param.name == name);
        if let Some(name) = given.keys().find(|name| declared(name)) {
            let why = format!("parameter `{name}` was given when run {id} was started, and keeps its value");
            let help = vec!["what was kept may have come of it; start a new run for another value".to_owned()];
            return Err(Refusal { help, ..invalid(why) });
        }
        let has = |name: &str| run.params.get(name).filter(|value| **value != Value::Null);
        let kept = definition.0.params.iter().filter_map(|param| Some((param.name.clone(), has(&param.name)?.clone())));
        let all: Map = kept.chain(given.clone()).collect();
        let resolved = self.evaluator.resolve_params(definition, &all, id, &run.by, self.now.wall, run.tick.as_deref());
        resolved.map_err(|wrong| {
            let why = format!("the parameters of run {id} do not fit the corrected runbook\n{wrong}");
            let help = vec!["`-p NAME=VALUE` gives a parameter that is new".to_owned()];
            Refusal { help, ..invalid(why) }
        })
    }

    /// A run that was found and taken into the state.
    fn named_run(&self, id: RunId) -> Result<Look<'_>, Refusal> {
        self.state.run(id).ok_or_else(|| invalid(format!("there is no run `{id}`")))
    }
}
