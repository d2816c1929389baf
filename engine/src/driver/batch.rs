//! What one turn has decided, on its way to becoming a frame.

use std::collections::{BTreeMap, BTreeSet};

use super::effect::Caller;
use crate::api::{Reply, Request};
use crate::core::run::{Change, Record};
use crate::encode::encode_into;
use crate::id::{RunId, StepNo, Token};

/// Records and the answers that depend on them.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub records: Vec<Record>,
    pub encoded: Vec<Vec<u8>>,
    /// Bytes of all encoded records.
    pub bytes: usize,
    /// Answers, to be given when the records are durable.
    pub answers: Vec<(Caller, Reply)>,
    /// Requests that only look; answered when what they may see is durable.
    pub reads: Vec<(Caller, Request)>,
    /// Attempts whose report was taken, whatever followed from it.
    pub reported: Vec<(RunId, Token)>,
    /// Attempts that a former engine granted, of runs that were taken up.
    pub recovered: Vec<(RunId, StepNo, Token)>,
    /// Runs that came to be in it and for which others were cancelled: these are not to be cancelled in vain.
    pub bound: BTreeSet<RunId>,
    /// Something is left for another turn.
    pub more: bool,
    /// Where a record is encoded before it is known how long it is.
    scratch: Vec<u8>,
}

impl Batch {
    /// Adds what was decided.
    pub fn extend(&mut self, records: Vec<Record>) {
        for record in records {
            encode_into(&mut self.scratch, &record);
            self.bytes += self.scratch.len();
            self.encoded.push(self.scratch.clone());
            self.records.push(record);
        }
    }

    /// The runs that came to be in it.
    pub fn created(&self) -> BTreeSet<RunId> {
        let created = |record: &Record| if let Record::Created { run, .. } = record { Some(*run) } else { None };
        self.records.iter().filter_map(created).collect()
    }

    /// The runs that it gives another definition, each with the one that it had before.
    pub fn edited(&self) -> BTreeMap<RunId, String> {
        let mut edited = BTreeMap::new();
        for record in &self.records {
            if let Record::Changed { run, change: Change::Edited { edit } } = record {
                edited.entry(*run).or_insert_with(|| edit.from.clone());
            }
        }
        edited
    }

    /// Those of them that nothing else in it builds on: that somebody asked for, with the runs that these called.
    pub fn started(&self) -> BTreeSet<RunId> {
        let mut started = BTreeSet::new();
        for record in &self.records {
            if let Record::Created { run, caller, .. } = record
                && caller.is_none_or(|caller| started.contains(&caller.run))
                && !self.bound.contains(run)
            {
                started.insert(*run);
            }
        }
        started
    }

    /// Takes out every record of these runs, and the definitions that no other run needs which the batch creates. Gives
    /// the hashes of those definitions.
    pub fn without(&mut self, runs: &BTreeSet<RunId>) -> Vec<String> {
        let mut undefined = Vec::new();
        let needed: BTreeSet<String> = self
            .records
            .iter()
            .filter(|record| record.run().is_none_or(|run| !runs.contains(&run)))
            .filter_map(|record| record.needs_definition().map(str::to_owned))
            .collect();
        let records = std::mem::take(&mut self.records);
        let encoded = std::mem::take(&mut self.encoded);
        for (record, bytes) in records.into_iter().zip(encoded) {
            match &record {
                Record::Defined { hash, .. } if !needed.contains(hash) => undefined.push(hash.clone()),
                Record::Created { run, .. } | Record::Changed { run, .. } if runs.contains(run) => {}
                Record::Defined { .. }
                | Record::Created { .. }
                | Record::Changed { .. }
                | Record::Checkpointed { .. }
                | Record::Scheduled { .. }
                | Record::SchedulesHeld { .. }
                | Record::Rested { .. }
                | Record::Removed { .. }
                | Record::Lost { .. } => {
                    self.records.push(record);
                    self.encoded.push(bytes);
                }
            }
        }
        self.bytes = self.encoded.iter().map(Vec::len).sum();
        undefined
    }
}
