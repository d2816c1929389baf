//! Answers requests that only look, from memory where the run is there, else from the image and the journal.

use std::collections::{BTreeMap, BTreeSet};

use super::Driver;
use super::backing::Backing;
use super::checkpoint::{SUMMARY_PREFIX, Summary};
use super::commit::refused;
use super::recovery::decode_record;
use crate::api::{HistoryRow, INTERRUPTED, Refusal, RefusalKind, Reply, Request, RunRow};
use crate::core::State;
use crate::core::run::{Record, RunOutcome};
use crate::encode::decode;
use crate::id::{Lsn, RunId};
use crate::limits::MAX_LISTED_RUNS;
use crate::store::{Frame, Image, OpenError, ShardLog};
use crate::view::{history_row, run_row, run_view};

impl<B: Backing> Driver<B> {
    /// Answers a request that only looks.
    pub(super) fn read(&mut self, request: &Request) -> Reply {
        match request {
            Request::Runs { limit, status, runbook } => {
                self.rows(*limit, status.as_deref(), runbook.as_deref()).map_or_else(Reply::Refused, Reply::Runs)
            }
            Request::Show { run } => match self.named(run) {
                Ok(id) => self.show(id),
                Err(refusal) => Reply::Refused(refusal),
            },
            Request::History { run } => match self.named(run) {
                Ok(id) => self.history(id),
                Err(refusal) => Reply::Refused(refusal),
            },
            Request::Watch { .. }
            | Request::Start(_)
            | Request::Resume { .. }
            | Request::Cancel { .. }
            | Request::Retry { .. }
            | Request::Resolve { .. } => refused(RefusalKind::Invalid, "this request is not answered by looking"),
        }
    }

    fn rows(&mut self, limit: usize, status: Option<&str>, runbook: Option<&str>) -> Result<Vec<RunRow>, Refusal> {
        // Open runs are all in memory: the list of those that ended, which grows for ever, is not read for them.
        let only_open = status.is_some_and(|status| !RunOutcome::ALL.iter().any(|outcome| outcome.name() == status));
        if !only_open {
            self.catch_up()?;
        }
        let limit = limit.min(MAX_LISTED_RUNS);
        let mut newest = Newest::new(limit, status, runbook);
        let memory = self.state.runs().map(|run| (run, false));
        let mut seen = BTreeSet::new();
        for (run, interrupted) in memory.chain(self.interrupted.values().map(|run| (run.look(), true))) {
            seen.insert(run.id);
            newest.offer(run_row(&run, interrupted));
        }
        if only_open {
            return Ok(newest.into_rows());
        }
        self.image.scan(SUMMARY_PREFIX, &mut |_, bytes| {
            if let Ok(summary) = decode::<Summary>(bytes)
                && !seen.contains(&summary.row.id)
            {
                newest.offer(summary.row);
            }
            true
        });
        Ok(newest.into_rows())
    }

    fn show(&mut self, id: RunId) -> Reply {
        let interrupted = self.is_interrupted(id);
        if let Some(run) = self.run(id) {
            return Reply::Run(Box::new(run_view(&run, interrupted, &self.places.logs)));
        }
        match self.stored_run(id) {
            Some((run, _)) => Reply::Run(Box::new(run_view(&run, false, &self.places.logs))),
            None => refused(RefusalKind::Store, format!("run {id} cannot be read from the checkpoint")),
        }
    }

    fn history(&mut self, id: RunId) -> Reply {
        let from = self.created_at.get(&id).copied().or_else(|| self.stored_summary(id).map(|sum| sum.created_at));
        let mut history = History::of(id);
        if let Some(graph) = self.graph_of(id) {
            history.state.define(graph.0, graph.1);
        }
        let mut failed = None;
        let read = self.log.read(from.unwrap_or(Lsn(1)), &mut |frame| match history.take(&frame) {
            Ok(()) => true,
            Err(error) => {
                failed = Some(error);
                false
            }
        });
        match read.err().or(failed) {
            None => Reply::History(history.rows),
            Some(error) => refused(RefusalKind::Store, error.to_string()),
        }
    }

    fn graph_of(&mut self, id: RunId) -> Option<(String, std::sync::Arc<lockstep_dsl::graph::Graph>)> {
        if let Some(run) = self.run(id) {
            return Some((run.definition.clone(), std::sync::Arc::clone(&run.graph)));
        }
        self.stored_run(id).map(|(run, graph)| (run.definition, graph))
    }
}

/// The newest rows that fit a filter.
pub(crate) struct Newest<'a> {
    limit: usize,
    status: Option<&'a str>,
    runbook: Option<&'a str>,
    rows: BTreeMap<RunId, RunRow>,
}

impl<'a> Newest<'a> {
    /// None yet.
    pub fn new(limit: usize, status: Option<&'a str>, runbook: Option<&'a str>) -> Self {
        Self { limit, status, runbook, rows: BTreeMap::new() }
    }

    /// The rows, newest first.
    pub fn into_rows(self) -> Vec<RunRow> {
        self.rows.into_values().rev().collect()
    }

    /// Keeps the row if it fits and is among the newest.
    pub fn offer(&mut self, row: RunRow) {
        let fits = self.status.is_none_or(|status| row.status == status || (status == INTERRUPTED && row.interrupted))
            && self.runbook.is_none_or(|runbook| row.runbook == runbook);
        if fits {
            self.rows.insert(row.id, row);
            if self.rows.len() > self.limit {
                self.rows.pop_first();
            }
        }
    }
}

/// The records of one run, as rows, while the journal is read.
pub(crate) struct History {
    id: RunId,
    /// Holds that run alone, as far as it has been read.
    pub state: State,
    /// The rows so far.
    pub rows: Vec<HistoryRow>,
}

impl History {
    /// No row yet. The run's definition must be known before its first record comes.
    pub fn of(id: RunId) -> Self {
        Self { id, state: State::default(), rows: Vec::new() }
    }

    /// Takes what the frame holds of the run.
    pub fn take(&mut self, frame: &Frame) -> Result<(), OpenError> {
        for (lsn, bytes) in (frame.first.0..).map(Lsn).zip(&frame.records) {
            let record = decode_record(lsn, bytes)?;
            match &record {
                Record::Created { run, .. } | Record::Changed { run, .. } if *run == self.id => {}
                Record::Created { .. }
                | Record::Changed { .. }
                | Record::Defined { .. }
                | Record::Checkpointed { .. }
                | Record::Rested { .. } => continue,
            }
            self.state.apply(&record, frame.stamp);
            let row = self.state.run(self.id).and_then(|run| history_row(lsn, frame.stamp, &record, &run));
            self.rows.extend(row);
        }
        Ok(())
    }
}
