//! Keeps a bug that shows in one run from the others: that run stands still from then on, loudly.

use std::any::Any;
use std::sync::Arc;

use super::Driver;
use super::backing::Backing;
use super::batch::Batch;
use super::past::{Span, each_record};
use crate::core::run::{Input, Record};
use crate::core::{Command, State};
use crate::id::{Lsn, RunId};

impl<B: Backing> Driver<B> {
    /// Quarantines a run whose deciding has panicked. What the panic left half changed in memory is replaced by what the
    /// journal and this turn's records say.
    pub(super) fn quarantine(&mut self, id: RunId, why: String, batch: &mut Batch) {
        tracing::error!(run = %id, why, "a bug of lockstep: the run is quarantined");
        let half_changed = self.state.withdraw(id);
        let created = batch.created().contains(&id);
        let durable = self.positions.runs.get(&id).map(|span| span.first);
        let Some(first) = durable.or(created.then_some(Lsn(self.last.0 + 1))) else {
            return;
        };
        let Some(graph) = half_changed.map(|run| (run.definition.clone(), Arc::clone(&run.graph))) else { return };
        let mut alone = State::default();
        alone.define(graph.0, graph.1);
        let now = self.now;
        let rebuilt = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let read = each_record(&self.log, id, Span { first, last: self.last }, &mut |_, at, record| {
                alone.apply(record, at);
                true
            });
            for record in batch.records.iter().filter(|record| is_of(record, id)) {
                alone.apply(record, now);
            }
            read.is_ok()
        }));
        match (rebuilt, alone.withdraw(id)) {
            (Ok(true), Some(run)) => {
                self.state.admit(run);
                let quarantine = Command::Run(id, Input::Quarantine { why });
                match self.state.decide(quarantine, now) {
                    Ok(records) => batch.extend(records),
                    Err(refused) => tracing::error!(run = %id, %refused, "the quarantine cannot be noted"),
                }
            }
            _ => {
                tracing::error!(run = %id, "the run cannot be rebuilt from the journal; it is left out until a restart");
            }
        }
    }
}

/// What a panic said.
pub(super) fn panic_message(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_else(|| "no message".to_owned())
}

fn is_of(record: &Record, id: RunId) -> bool {
    match record {
        Record::Created { run, .. } | Record::Changed { run, .. } => *run == id,
        Record::Defined { .. }
        | Record::Checkpointed { .. }
        | Record::Scheduled { .. }
        | Record::SchedulesHeld { .. }
        | Record::Rested { .. }
        | Record::Lost { .. }
        | Record::Removed { .. } => false,
    }
}
