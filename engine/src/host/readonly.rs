//! Looks at a data folder that no engine holds, without a lock and without writing.

use std::path::PathBuf;

use lockstep_dsl::value::Timestamp;

use crate::api::{Gone, Refusal, RefusalKind, Reply, Request};
use crate::clock::{Clock as _, SystemClock};
use crate::core::run::Run;
use crate::core::schedule::Row;
use crate::driver::find::choose;
use crate::driver::past::{Library, PastError, Span, Summary};
use crate::driver::read::{Newest, bare_view, history_rows, later_rows, removed_rows};
use crate::driver::removal::or_removed;
use crate::driver::whole::Whole;
use crate::id::RunId;
use crate::limits::MAX_LISTED_RUNS;
use crate::store::folder::{self, open_read_only};
use crate::store::{Frames, OpenError};
use crate::view::{gone_row, name_holders, named_schedule, row_view, run_row, run_view, schedule_views, ticks_view};

/// The durable state of a data folder at the moment it was opened. Open runs are shown as interrupted.
pub struct ReadOnly {
    folder: folder::ReadOnly,
    logs: PathBuf,
    whole: Whole,
}

impl ReadOnly {
    /// Reads the newest base and the journal behind it. Of runs that have ended only a summary stays in memory.
    ///
    /// # Errors
    /// Nothing was stored there yet, or it is damaged or of a newer program.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, OpenError> {
        let folder = open_read_only(path)?;
        let whole = Whole::read(&folder.bases, &folder.journal)?;
        Ok(Self { logs: folder.layout.logs(), folder, whole })
    }

    /// Answers [`Request::Runs`], [`Request::Show`], [`Request::History`] and [`Request::Schedules`]; anything else needs an engine.
    pub fn call(&self, request: &Request) -> Reply {
        let answered = match request {
            Request::Runs { limit, status, runbook } => {
                let limit = (*limit).min(MAX_LISTED_RUNS);
                let mut newest = Newest::new(limit, status.as_deref(), runbook.as_deref());
                self.whole.state.runs().for_each(|run| newest.offer(run_row(&run, true)));
                self.whole.past.values().for_each(|summary| newest.offer(summary.row.clone()));
                Ok(Reply::Runs(newest.into_rows()))
            }
            Request::Show { run } => self.named(run).and_then(|id| match (self.show(id), self.whole.past.get(&id)) {
                (Err(PastError::Lost { loss, .. }), Some(Summary { row, definition, .. })) => {
                    Ok(Reply::Run(Box::new(row_view(row, definition, Gone::of(&loss)))))
                }
                (shown, _) => shown.map_err(|error| store(&error)),
            }),
            Request::History { run } => self.named(run).and_then(|id| self.history(id).map_err(|error| store(&error))),
            Request::Schedules { runbook } => {
                let now = SystemClock::new().now(None).wall;
                Ok(Reply::Schedules(schedule_views(self.whole.state.schedules(), runbook.as_deref(), now)))
            }
            Request::Ticks { schedule, from, to } => self.ticks(schedule, *from, *to),
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
            | Request::Signal { .. } => {
                Err(refusal(RefusalKind::Invalid, "this needs an engine, and the folder is only looked at".to_owned()))
            }
        };
        answered.unwrap_or_else(Reply::Refused)
    }

    fn ticks(&self, name: &str, from: Timestamp, to: Timestamp) -> Result<Reply, Refusal> {
        let schedules = self.whole.state.schedules();
        let name = named_schedule(schedules, name)?;
        let Some(schedule) = schedules.get(&name) else { return Ok(Reply::Schedules(Vec::new())) };
        let stored = schedule.ledger.stored().flat_map(|number| self.whole.page(&name, number).into_iter().rev());
        let rows: Vec<Row> = schedule.ledger.rows().cloned().chain(stored).collect();
        let now = SystemClock::new().now(None).wall;
        Ok(Reply::Ticks(Box::new(ticks_view(schedules, (&name, schedule), (from, to), &rows, now))))
    }

    /// The runs that are open, and so interrupted, by id.
    pub fn interrupted(&self) -> impl Iterator<Item = RunId> + '_ {
        self.whole.state.ids()
    }

    fn named(&self, name: &str) -> Result<RunId, Refusal> {
        let mut id = choose(name, self.whole.state.ids().chain(self.whole.past.keys().copied()))
            .map_err(|refusal| or_removed(refusal, name, self.whole.positions.removed))?;
        let caller = |id: RunId| match self.whole.state.run(id) {
            Some(run) => run.caller.map(|caller| caller.run),
            None => self.whole.past.get(&id).and_then(|summary| summary.row.caller),
        };
        while let Some(caller) = caller(id).filter(|_| name == "last") {
            id = caller;
        }
        Ok(id)
    }

    fn show(&self, id: RunId) -> Result<Reply, PastError> {
        let view = |run: &Run| Reply::Run(Box::new(run_view(run, true, &self.logs)));
        if let Some(run) = self.whole.state.run(id) {
            let mut view = run_view(&run, true, &self.logs);
            let find = |id: RunId| self.whole.state.run(id).map(|run| (run, true));
            name_holders(&mut view, &run, self.whole.state.locks(), find);
            return Ok(Reply::Run(Box::new(view)));
        }
        if let Some(summary) = self.removed(id) {
            return Ok(Reply::Run(Box::new(bare_view(&self.whole.positions, summary))));
        }
        if let Some(run) = self.kept(id)? {
            return Ok(view(&run));
        }
        self.library().retell(id, self.span(id)?, &mut |_, _, _, _| {}).map(|run| view(&run))
    }

    fn history(&self, id: RunId) -> Result<Reply, PastError> {
        let journal = &self.folder.journal;
        if let Some(Summary { span, row, .. }) = self.removed(id) {
            return Ok(Reply::History(removed_rows(journal, &self.whole.positions, *span, row)));
        }
        let span = self.span(id)?;
        if span.first < journal.oldest() {
            // Its beginning is not kept any more.
            let kept = match self.kept(id) {
                Err(PastError::Lost { loss, .. }) => {
                    return Ok(Reply::History(vec![gone_row(loss.first, loss.at, &Gone::of(&loss))]));
                }
                kept => kept?,
            };
            let open = self.whole.state.run(id);
            if let Some(run) = open.as_deref().or(kept.as_ref()) {
                return Ok(Reply::History(later_rows(journal, &self.whole.positions, span, run)?));
            }
        }
        let now = self.whole.state.run(id);
        history_rows(&self.library(), id, span, now.as_deref()).map(Reply::History)
    }

    /// A run that has ended and of which no record that tells of it is kept.
    fn removed(&self, id: RunId) -> Option<&Summary> {
        let oldest = self.folder.journal.oldest();
        self.whole.past.get(&id).filter(|summary| summary.span.first < oldest && !self.whole.is_kept(id))
    }

    /// Where a run's records are.
    fn span(&self, id: RunId) -> Result<Span, PastError> {
        let open = self.whole.positions.runs.get(&id).filter(|_| self.whole.state.has(id));
        let span = open.or_else(|| self.whole.past.get(&id).map(|summary| &summary.span));
        span.copied().ok_or_else(|| PastError::Missing { run: id, what: "it is not listed".to_owned() })
    }

    /// A run that has ended, as it is kept where not all of its records are.
    fn kept(&self, id: RunId) -> Result<Option<Run>, PastError> {
        let Some(summary) = self.whole.past.get(&id).filter(|_| self.whole.is_kept(id)) else { return Ok(None) };
        let graph = self.library().definition(id, &summary.definition)?;
        Ok(self.whole.kept(id, &graph))
    }

    const fn library(&self) -> Library<'_> {
        Library { frames: &self.folder.journal, state: &self.whole.state, positions: &self.whole.positions }
    }
}

fn store(error: &PastError) -> Refusal {
    refusal(RefusalKind::Store, error.to_string())
}

fn refusal(kind: RefusalKind, message: String) -> Refusal {
    Refusal { kind, message, help: Vec::new() }
}
