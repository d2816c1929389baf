//! Brings what changed into the image every few seconds, so that a start need not read the whole journal.
//!
//! The image is only trusted when the journal says what is in it, so the journal's record comes last. When the image
//! cannot be written nothing else suffers: what changed is kept in memory and tried again.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::backing::Backing;
use super::batch::Batch;
use super::effect::Turn;
use super::{Driver, Input};
use crate::api::RunRow;
use crate::core::run::Record;
use crate::encode::encode;
use crate::id::{Lsn, RunId};
use crate::limits::{CHECKPOINT_BYTES, CHECKPOINT_MS, CHECKPOINT_RUNS};
use crate::store::{self, Image};
use crate::view::run_row;

/// What changed since the last checkpoint.
#[derive(Debug, Default)]
pub(super) struct Dirty {
    pub runs: BTreeSet<RunId>,
    pub definitions: BTreeSet<String>,
    /// Bytes appended since.
    pub bytes: usize,
    /// Engine time of the first change.
    pub since: Option<u64>,
}

/// What lists show of a run, and where its history begins.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Summary {
    pub row: RunRow,
    /// The position of the record that created it.
    pub created_at: Lsn,
}

/// Begins the keys of summaries.
pub(super) const SUMMARY_PREFIX: &[u8] = b"sum/";

/// The key of a run.
pub(super) fn run_key(id: RunId) -> Vec<u8> {
    format!("run/{id}").into_bytes()
}

/// The key of a run's summary, or the beginning of the keys of several.
pub(super) fn summary_key(prefix: &str) -> Vec<u8> {
    [SUMMARY_PREFIX, prefix.as_bytes()].concat()
}

/// The key of a definition.
pub(super) fn definition_key(hash: &str) -> Vec<u8> {
    format!("def/{hash}").into_bytes()
}

impl<B: Backing> Driver<B> {
    /// Notes that a record changed something; called once for every durable record.
    pub(super) fn note(&mut self, lsn: Lsn, record: &Record) {
        match record {
            Record::Defined { hash, .. } => {
                self.dirty.definitions.insert(hash.clone());
            }
            Record::Created { run, .. } => {
                self.created_at.insert(*run, lsn);
                self.newest = self.newest.max(Some(*run));
                self.started.note(*run);
                self.dirty.runs.insert(*run);
            }
            Record::Changed { run, .. } => {
                self.dirty.runs.insert(*run);
            }
            Record::Checkpointed { .. } | Record::Rested { .. } => return,
        }
        self.dirty.since.get_or_insert(self.now.time);
    }

    /// Engine time at which the next checkpoint is due.
    pub(super) fn checkpoint_due(&self) -> Option<u64> {
        let since = self.dirty.since?;
        let is_large = self.dirty.bytes >= CHECKPOINT_BYTES || self.dirty.runs.len() >= CHECKPOINT_RUNS;
        Some(if is_large { since } else { since + CHECKPOINT_MS })
    }

    /// Makes a checkpoint if one is due. To be called between turns, when the effects of the last one are done: runs
    /// that have ended are let go of.
    pub fn tend(&mut self) -> Turn {
        if self.checkpoint_due().is_some_and(|due| due <= self.now.time) { self.checkpoint() } else { Turn::default() }
    }

    /// Takes in the last reports, without going on from them, and makes a last checkpoint; the driver may then be
    /// dropped. Attempts that the turn grants all the same are not to be started.
    pub fn close(&mut self, inputs: impl IntoIterator<Item = Input>) -> Turn {
        let reports = inputs.into_iter().filter(|input| matches!(input, Input::Reported { .. }));
        self.waiting.extend(reports);
        let mut turn = Turn::default();
        self.now = self.clock.now(Some(&self.now));
        if self.release_held(&mut turn) {
            let mut batch = Batch::default();
            self.take_inputs(&mut batch);
            self.commit(batch, &mut turn);
        }
        self.refuse_requests(&mut turn);
        if self.dirty.since.is_some() && !self.may_rest_unchecked() {
            turn.effects.extend(self.checkpoint().effects);
        }
        self.rest(&mut turn);
        turn
    }

    fn checkpoint(&mut self) -> Turn {
        let mut turn = Turn::default();
        if self.held.is_some() || self.halted.is_some() {
            return turn;
        }
        if let Err(refusal) = self.catch_up() {
            self.put_off_checkpoint(&refusal.message);
            return turn;
        }
        let mut entries = store::Dirty::default();
        for hash in &self.dirty.definitions {
            if let Some(graph) = self.state.definition(hash) {
                entries.entries.insert(definition_key(hash), Some(encode(graph.as_ref())));
            }
        }
        for id in &self.dirty.runs {
            let Some(run) = self.run(*id) else { continue };
            let Some(created_at) = self.created_at.get(id).copied() else { continue };
            let summary = Summary { row: run_row(&run, false), created_at };
            entries.entries.insert(run_key(*id), Some(encode(&*run)));
            entries.entries.insert(summary_key(&id.to_string()), Some(encode(&summary)));
        }
        let lsn = self.last;
        match self.image.checkpoint(lsn, &entries) {
            Ok((generation, digest)) => {
                let changed = std::mem::take(&mut self.dirty);
                self.append_records(vec![Record::Checkpointed { lsn, generation, digest }], &mut turn);
                self.let_go(&changed.runs);
                changed.runs.iter().for_each(|id| self.state.pack(*id));
            }
            Err(error) => self.put_off_checkpoint(&error.to_string()),
        }
        turn
    }

    fn put_off_checkpoint(&mut self, why: &str) {
        tracing::warn!(why, "the checkpoint failed; it is tried again, and nothing is lost");
        // Counted from now, so that a broken image is not tried at every turn.
        self.dirty.since = Some(self.now.time);
        self.dirty.bytes = 0;
    }

    /// Lets go of ended runs, which the image holds now.
    fn let_go(&mut self, runs: &BTreeSet<RunId>) {
        for id in runs {
            if self.state.release(*id).is_some() {
                self.created_at.remove(id);
            }
        }
    }
}
