//! Folds the journal's records into the open state: what opening and looking do, beginning at a checkpoint, a base or the
//! very first record.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use lockstep_dsl::graph::Graph;
use lockstep_dsl::value::Map;

use super::entry::RunEntry;
use super::past::{Library, Positions, Span, Summary, definition};
use super::quarantine::panic_message;
use crate::clock::Stamp;
use crate::core::State;
use crate::core::run::{Change, Definition, Loss, Record, Run};
use crate::id::{Lsn, RunId};
use crate::store::files::damaged;
use crate::store::{Frames, OpenError};

/// Runs of which not every record can be applied.
pub(crate) type Broken = BTreeMap<RunId, Break>;

/// Why not every record of a run can be applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Break {
    /// One could not be, and why; `None` when that is journaled already.
    Bug(Option<String>),
    /// Some were lost, which was accepted: what the journal says up to here does not fit together.
    Lost(Lsn),
}

/// The hash of the definition of runs whose own one is not known: their first records were lost.
const UNKNOWN_DEFINITION: &str = "lost";
/// What lists show in place of their runbook.
const UNKNOWN_RUNBOOK: &str = "(lost)";

/// Where what is not in memory is looked up.
pub(crate) trait Shelf {
    /// What is kept of a run that ended.
    fn summary(&mut self, id: RunId) -> Option<Summary>;

    /// Nothing is kept of a run that ended any more.
    fn remove(&mut self, id: RunId);

    /// The [`RunEntry`] of a run that ended whose records are not all in the journal any more.
    fn kept(&mut self, id: RunId) -> Option<Vec<u8>>;

    /// The journal.
    fn frames(&self) -> &dyn Frames;
}

/// The open state after a prefix of the journal, to be taken further.
pub(crate) struct Fold<'a> {
    /// The runs.
    pub state: &'a mut State,
    /// Where they and their definitions are.
    pub positions: &'a mut Positions,
    /// Runs that are left as they were before a record that could not be applied.
    pub broken: &'a mut Broken,
    /// For runs and definitions that a record brings back.
    pub shelf: &'a mut dyn Shelf,
}

impl Fold<'_> {
    /// Applies the next record. Says whether it changed anything.
    pub fn apply(&mut self, lsn: Lsn, record: &Record, at: Stamp) -> Result<bool, OpenError> {
        match record {
            Record::Created { run, definition, .. } => {
                if matches!(self.broken.get(run), Some(Break::Lost(until)) if lsn <= *until) {
                    return Ok(false);
                }
                self.need_definition(definition)?;
            }
            Record::Changed { run, change } => {
                if !self.fits(*run, lsn, change) {
                    return Ok(false);
                }
                self.need_run(*run)?;
                if let Change::Edited { edit } = change {
                    self.need_definition(&edit.definition)?;
                }
            }
            Record::Removed { runs } => runs.iter().for_each(|run| self.shelf.remove(*run)),
            Record::Scheduled { .. } => {
                if let Some(definition) = record.needs_definition() {
                    self.need_definition(definition)?;
                }
            }
            Record::Defined { .. }
            | Record::SchedulesHeld { .. }
            | Record::Checkpointed { .. }
            | Record::Rested { .. }
            | Record::Lost { .. } => {}
        }
        match catch_unwind(AssertUnwindSafe(|| self.state.apply(record, at))) {
            Ok(()) => {
                self.positions.note(lsn, record, self.state, None);
                if let Record::Lost { loss: Some(loss) } = record {
                    self.lose(lsn, loss, at);
                }
                Ok(true)
            }
            Err(panic) => {
                let why = panic_message(panic.as_ref());
                tracing::error!(record = lsn.0, why, "a bug of lockstep: a journaled record cannot be applied");
                if let Record::Created { run, .. } | Record::Changed { run, .. } = record {
                    self.broken.insert(*run, Break::Bug(Some(why)));
                }
                Ok(false)
            }
        }
    }

    /// Whether a change can be applied to a run, for all that is known to be wrong with it.
    fn fits(&mut self, run: RunId, lsn: Lsn, change: &Change) -> bool {
        match self.broken.get_mut(&run) {
            None => true,
            Some(Break::Bug(why)) => {
                // What was decided before the bug cannot be applied, but that it was noticed can.
                let noted = matches!(change, Change::Quarantined { .. });
                if noted {
                    *why = None;
                }
                noted
            }
            // That it has ended holds whatever was lost before.
            Some(Break::Lost(until)) if lsn <= *until => {
                matches!(change, Change::Finished { .. }) && self.state.has(run)
            }
            Some(Break::Lost(_)) => {
                self.broken.remove(&run);
                true
            }
        }
    }

    /// Stops the runs of which records were lost. Those whose first records were lost come to be with what is known of
    /// them: their id.
    fn lose(&mut self, lsn: Lsn, loss: &Loss, at: Stamp) {
        for id in &loss.runs {
            self.broken.insert(*id, Break::Lost(loss.until));
            if self.state.has(*id) || self.shelf.summary(*id).is_some() {
                continue;
            }
            if self.state.definition(UNKNOWN_DEFINITION).is_none() {
                let graph = Graph { runbook: UNKNOWN_RUNBOOK.to_owned(), ..Graph::empty() };
                self.state.define(UNKNOWN_DEFINITION.to_owned(), Arc::new(graph));
            }
            let run = Run::new(*id, UNKNOWN_DEFINITION.to_owned(), Map::new(), String::new(), at.wall);
            self.state.admit(run);
            self.state.lose(*id, loss);
            self.positions.admit(*id, UNKNOWN_DEFINITION, Span { first: lsn, last: lsn });
            self.positions.touched.insert(UNKNOWN_DEFINITION.to_owned());
        }
    }

    /// Brings back a definition that no open run used any more.
    fn need_definition(&mut self, hash: &str) -> Result<(), OpenError> {
        if self.state.definition(hash).is_some() {
            return Ok(());
        }
        let Some(at) = self.positions.definitions.get(hash) else { return Ok(()) };
        let graph = definition(self.shelf.frames(), hash, *at)?;
        let missing = || damaged("journal".as_ref(), 0, format!("record {} is not the definition {hash}", at.0));
        self.state.define(hash.to_owned(), Arc::new(graph.ok_or_else(missing)?));
        Ok(())
    }

    /// Brings back a run that had ended and was let go of: it was opened again.
    fn need_run(&mut self, id: RunId) -> Result<(), OpenError> {
        if self.state.has(id) {
            return Ok(());
        }
        let Some(Summary { span, definition, .. }) = self.shelf.summary(id) else { return Ok(()) };
        self.need_definition(&definition)?;
        let Some(graph) = self.state.definition(&definition).map(Arc::clone) else { return Ok(()) };
        let kept = self.shelf.kept(id);
        if let Some(entry) = kept.as_deref().and_then(|bytes| RunEntry::decode(bytes).ok()) {
            let run = entry.into_kept(&Definition::new(definition, graph)).into_run();
            self.positions.runs.insert(id, span);
            self.state.admit(run);
            return Ok(());
        }
        let library = Library { frames: self.shelf.frames(), state: self.state, positions: self.positions };
        match library.retell(id, span, &mut |_, _, _, _| {}) {
            Ok(run) => {
                self.positions.runs.insert(id, span);
                self.state.admit(run);
            }
            Err(error) => tracing::error!(%error, "a run that was opened again cannot be brought back"),
        }
        Ok(())
    }
}
