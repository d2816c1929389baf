//! Finds runs by the names that people give, wherever they are kept.

use std::collections::BTreeSet;
use std::sync::Arc;

use lockstep_dsl::graph::Graph;

use super::Driver;
use super::backing::Backing;
use super::checkpoint::{SUMMARY_PREFIX, Summary, definition_key, run_key, summary_key};
use crate::api::{Refusal, RefusalKind};
use crate::core::run::Run;
use crate::encode::decode;
use crate::id::RunId;
use crate::store::Image;

impl<B: Backing> Driver<B> {
    /// The run that a unique prefix of its id, or `last`, names.
    pub(super) fn named(&mut self, name: &str) -> Result<RunId, Refusal> {
        let whole = if name == "last" { self.newest } else { name.parse().ok() };
        if let Some(id) = whole.filter(|id| self.run(*id).is_some()) {
            return Ok(id);
        }
        self.catch_up()?;
        if name == "last" {
            return self.newest.ok_or_else(|| refusal("there is no run yet".to_owned()));
        }
        let mut ids: BTreeSet<RunId> = self.state.ids().chain(self.interrupted.keys().copied()).collect();
        if let Some(prefix) = RunId::parse_prefix(name) {
            self.image.scan(&summary_key(&prefix), &mut |key, _| {
                let id = key.get(SUMMARY_PREFIX.len()..).and_then(|id| std::str::from_utf8(id).ok());
                ids.extend(id.and_then(|id| id.parse::<RunId>().ok()));
                true
            });
        }
        choose(name, ids)
    }

    /// Whether a run of this id was ever created.
    ///
    /// # Errors
    /// The store cannot tell.
    pub(super) fn exists(&mut self, id: RunId) -> Result<bool, Refusal> {
        if self.has(id) {
            return Ok(true);
        }
        // Most are newer than all that were there at opening, and nothing need be read for them.
        if let Some(known) = self.started.knows(id) {
            return Ok(known);
        }
        self.catch_up()?;
        Ok(self.has(id) || self.image.get(&summary_key(&id.to_string())).is_some())
    }

    /// A run that ended and was let go of, read from the image.
    pub(super) fn stored_run(&mut self, id: RunId) -> Option<(Run, Arc<Graph>)> {
        let mut run: Run = decode(&self.image.get(&run_key(id))?).ok()?;
        let graph = self.definition(&run.definition)?;
        run.graph = Arc::clone(&graph);
        Some((run, graph))
    }

    /// What the lists need of a run that was let go of.
    pub(super) fn stored_summary(&mut self, id: RunId) -> Option<Summary> {
        decode(&self.image.get(&summary_key(&id.to_string()))?).ok()
    }

    /// Takes a run that ended back into the state, for something that is asked of it. Says whether it is there.
    pub(super) fn readmit(&mut self, id: RunId) -> bool {
        if self.state.has(id) {
            return true;
        }
        let Some((run, graph)) = self.stored_run(id) else { return false };
        if let Some(summary) = self.stored_summary(id) {
            self.created_at.insert(id, summary.created_at);
        }
        self.state.define(run.definition.clone(), graph);
        self.state.admit(run);
        true
    }

    fn definition(&mut self, hash: &str) -> Option<Arc<Graph>> {
        if let Some(graph) = self.state.definition(hash) {
            return Some(Arc::clone(graph));
        }
        let graph: Graph = decode(&self.image.get(&definition_key(hash))?).ok()?;
        Some(Arc::new(graph))
    }
}

/// The one of these runs that a name means.
///
/// # Errors
/// None or several of them.
pub(crate) fn choose(name: &str, ids: impl IntoIterator<Item = RunId>) -> Result<RunId, Refusal> {
    if name == "last" {
        return ids.into_iter().max().ok_or_else(|| refusal("there is no run yet".to_owned()));
    }
    let Some(prefix) = RunId::parse_prefix(name) else {
        return Err(refusal(format!("`{name}` is not the id of a run, a prefix of one, or `last`")));
    };
    let mut found = ids.into_iter().filter(|id| id.to_string().starts_with(&prefix));
    let Some(first) = found.next() else { return Err(refusal(format!("there is no run `{name}`"))) };
    let Some(second) = found.next() else { return Ok(first) };
    let more = if found.next().is_some() { ", ..." } else { "" };
    Err(refusal(format!("`{name}` is the beginning of several runs: `{first}`, `{second}`{more}")))
}

fn refusal(message: String) -> Refusal {
    Refusal { kind: RefusalKind::Invalid, message, help: Vec::new() }
}
