//! Answers requests that only look, from memory where the run is there, else from the image and the journal.

use std::collections::{BTreeMap, BTreeSet};

use super::Driver;
use super::backing::Backing;
use super::checkpoint::SUMMARY_PREFIX;
use super::commit::refused;
use super::find::unreadable;
use super::past::{Library, PastError, Positions, Span, Summary, each_record};
use crate::api::{Gone, HistoryRow, INTERRUPTED, Refusal, RefusalKind, Reply, Request, RunRow, RunView};
use crate::core::run::{Change, Record, Run, RunOutcome};
use crate::encode::decode;
use crate::id::{Lsn, RunId};
use crate::limits::MAX_LISTED_RUNS;
use crate::store::{Frames, Image, OpenError, Order};
use crate::view::{
    gone_row, history_row, name_holders, row_view, run_row, run_view, schedule_views, without_definition,
};

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
            Request::Schedules { runbook } => {
                Reply::Schedules(schedule_views(self.state.schedules(), runbook.as_deref(), self.now.wall))
            }
            Request::Ticks { schedule, from, to } => {
                self.ticks(schedule, *from, *to).map_or_else(Reply::Refused, |view| Reply::Ticks(Box::new(view)))
            }
            Request::Watch { .. }
            | Request::Start(_)
            | Request::Resume { .. }
            | Request::Cancel { .. }
            | Request::Retry { .. }
            | Request::RetryEdited { .. }
            | Request::Resolve { .. }
            | Request::Pause { .. }
            | Request::Unpause { .. }
            | Request::Permit { .. }
            | Request::Enroll(_)
            | Request::Withdraw { .. }
            | Request::StartSchedules { .. }
            | Request::PauseSchedule { .. }
            | Request::ResumeSchedule { .. }
            | Request::Skip { .. }
            | Request::Vote { .. }
            | Request::Answer { .. }
            | Request::Signal { .. } => refused(RefusalKind::Invalid, "this request is not answered by looking"),
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
        seen.extend(self.removed_lately().flatten());
        let mut offer = |_: &[u8], bytes: &[u8]| {
            let Ok(Summary { row, .. }) = decode(bytes) else { return true };
            // They come newest first, so the rest need not be read once there are enough.
            if newest.is_beyond(row.id) {
                return false;
            }
            if seen.insert(row.id) {
                newest.offer(row);
            }
            true
        };
        let scanned = self.ask_image(|image| image.scan(SUMMARY_PREFIX, Order::Down, &mut offer));
        scanned.map(|()| newest.into_rows()).map_err(|error| unreadable(&error))
    }

    fn show(&mut self, id: RunId) -> Reply {
        let interrupted = self.is_interrupted(id);
        if let Some(run) = self.run(id) {
            let mut view = run_view(&run, interrupted, &self.places.logs);
            let find = |id: RunId| self.run(id).map(|run| (run, self.is_interrupted(id)));
            name_holders(&mut view, &run, self.state.locks(), find);
            return Reply::Run(Box::new(view));
        }
        match self.stored_run(id) {
            Ok(run) => Reply::Run(Box::new(run_view(&run, false, &self.places.logs))),
            Err(PastError::Dropped { .. }) => match self.stored_summary(id) {
                Ok(summary) => Reply::Run(Box::new(bare_view(&self.positions, &summary))),
                Err(error) => refused(RefusalKind::Store, error.to_string()),
            },
            Err(PastError::Lost { loss, .. }) => match self.stored_summary(id) {
                Ok(Summary { row, definition, .. }) => {
                    Reply::Run(Box::new(row_view(&row, &definition, Gone::of(&loss))))
                }
                Err(error) => refused(RefusalKind::Store, error.to_string()),
            },
            Err(error) => refused(RefusalKind::Store, error.to_string()),
        }
    }

    fn history(&mut self, id: RunId) -> Reply {
        match self.try_history(id) {
            Ok(rows) => Reply::History(rows),
            Err(error) => refused(RefusalKind::Store, error.to_string()),
        }
    }

    fn try_history(&mut self, id: RunId) -> Result<Vec<HistoryRow>, PastError> {
        let in_memory = self.run(id).zip(self.positions.runs.get(&id));
        let span = if let Some((_, span)) = in_memory {
            *span
        } else {
            let Summary { span, row, .. } = self.stored_summary(id)?;
            if span.first < self.log.oldest() && !self.is_kept(id)? {
                return Ok(removed_rows(&self.log, &self.positions, span, &row));
            }
            span
        };
        if span.first >= self.log.oldest() {
            return history_rows(&self.library(), id, span, self.run(id).as_deref());
        }
        // Its beginning is not kept any more: the rest is told by what came of it.
        let whole = match self.run(id) {
            Some(run) => run.clone(),
            None => match self.stored_run(id) {
                Err(PastError::Lost { loss, .. }) => {
                    return Ok(vec![gone_row(loss.first, loss.at, &Gone::of(&loss))]);
                }
                stored => stored?,
            },
        };
        Ok(later_rows(&self.log, &self.positions, span, &whole)?)
    }
}

/// A run of which only its row is left.
pub(crate) fn bare_view(positions: &Positions, summary: &Summary) -> RunView {
    row_view(&summary.row, &summary.definition, positions.gone(summary.span.first))
}

/// What stands for the records of a run that are not kept any more; nothing where all are.
pub(crate) fn removed_rows(frames: &dyn Frames, positions: &Positions, span: Span, row: &RunRow) -> Vec<HistoryRow> {
    if span.first >= frames.oldest() {
        return Vec::new();
    }
    let last = span.last.min(Lsn(frames.oldest().0 - 1));
    // Where it is not known when they were removed, they are as old as the run.
    let at = positions.forgotten_at(span.first).unwrap_or(row.created);
    vec![gone_row(last, at, &positions.gone(span.first))]
}

/// What is kept of the records of a run, told by what came of it.
pub(crate) fn later_rows(
    frames: &dyn Frames,
    positions: &Positions,
    span: Span,
    run: &Run,
) -> Result<Vec<HistoryRow>, OpenError> {
    let mut rows = removed_rows(frames, positions, span, &run_row(run, false));
    each_record(frames, run.id, span, &mut |lsn, at, record| {
        if let Record::Changed { change: Change::Edited { .. }, .. } = record {
            rows.iter_mut().for_each(without_definition);
        }
        rows.extend(history_row(lsn, at, record, run));
        true
    })?;
    Ok(rows)
}

/// Everything that was journaled of a run whose records are all kept, but for those that were lost; `now` is the run as it
/// is, where that is known without them.
pub(crate) fn history_rows(
    library: &Library<'_>,
    id: RunId,
    span: Span,
    now: Option<&Run>,
) -> Result<Vec<HistoryRow>, PastError> {
    let mut rows = Vec::new();
    let told = library.retell(id, span, &mut |lsn, at, record, run| {
        rows.extend(history_row(lsn, at, record, run));
    });
    match told {
        Ok(_) => Ok(rows),
        Err(PastError::Lost { loss, .. }) => {
            rows.push(gone_row(loss.first, loss.at, &Gone::of(&loss)));
            // What came behind it can be told of a run whose state is known all the same.
            if let Some(run) = now.filter(|run| run.quarantined.is_none()) {
                let behind = Span { first: Lsn(loss.last.0 + 1), ..span };
                each_record(library.frames, id, behind, &mut |lsn, at, record| {
                    rows.extend(history_row(lsn, at, record, run));
                    true
                })?;
            }
            Ok(rows)
        }
        Err(error) => Err(error),
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

    /// Whether no row of this run or an older one can come among the newest any more.
    pub fn is_beyond(&self, id: RunId) -> bool {
        self.rows.len() == self.limit && self.rows.first_key_value().is_none_or(|(oldest, _)| id < *oldest)
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
