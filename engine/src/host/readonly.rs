//! Looks at a data folder that no engine holds, without a lock and without writing.

use std::path::PathBuf;
use std::sync::Arc;

use lockstep_dsl::graph::Graph;

use crate::api::{Gone, Refusal, RefusalKind, Reply, Request};
use crate::core::run::Run;
use crate::driver::find::choose;
use crate::driver::past::{PastError, Span, Summary, definition, loss_of, retell};
use crate::driver::read::{Newest, bare_view, history_rows, later_rows, removed_rows};
use crate::driver::whole::Whole;
use crate::id::RunId;
use crate::limits::MAX_LISTED_RUNS;
use crate::store::folder::{self, open_read_only};
use crate::store::{Frames, OpenError};
use crate::view::{gone_row, row_view, run_row, run_view};

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

    /// Answers [`Request::Runs`], [`Request::Show`] and [`Request::History`]; anything else needs an engine.
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
            Request::Watch { .. }
            | Request::Start(_)
            | Request::Resume { .. }
            | Request::Cancel { .. }
            | Request::Retry { .. }
            | Request::Resolve { .. }
            | Request::Pause { .. }
            | Request::Unpause { .. }
            | Request::Permit { .. }
            | Request::Skip { .. }
            | Request::Vote { .. }
            | Request::Answer { .. }
            | Request::Signal { .. } => {
                Err(refusal(RefusalKind::Invalid, "this needs an engine, and the folder is only looked at".to_owned()))
            }
        };
        answered.unwrap_or_else(Reply::Refused)
    }

    /// The runs that are open, and so interrupted, by id.
    pub fn interrupted(&self) -> impl Iterator<Item = RunId> + '_ {
        self.whole.state.ids()
    }

    fn named(&self, name: &str) -> Result<RunId, Refusal> {
        let mut id = choose(name, self.whole.state.ids().chain(self.whole.past.keys().copied()))?;
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
            return Ok(view(&run));
        }
        if let Some(summary) = self.removed(id) {
            return Ok(Reply::Run(Box::new(bare_view(&self.whole.positions, summary))));
        }
        let (span, hash, graph) = self.whereabouts(id)?;
        if let Some(run) = self.whole.kept(id, &graph) {
            return Ok(view(&run));
        }
        retell(&self.folder.journal, id, span, (&hash, graph), &mut |_, _, _, _| {}).map(|run| view(&run))
    }

    fn history(&self, id: RunId) -> Result<Reply, PastError> {
        let journal = &self.folder.journal;
        if let Some(Summary { span, row, .. }) = self.removed(id) {
            return Ok(Reply::History(removed_rows(journal, &self.whole.positions, *span, row)));
        }
        let (span, hash, graph) = match self.whereabouts(id) {
            Err(PastError::Lost { loss, .. }) => {
                return Ok(Reply::History(vec![gone_row(loss.first, loss.at, &Gone::of(&loss))]));
            }
            whereabouts => whereabouts?,
        };
        if span.first < journal.oldest() {
            // Its beginning is not kept any more.
            let kept = self.whole.kept(id, &graph);
            let open = self.whole.state.run(id);
            if let Some(run) = open.as_deref().or(kept.as_ref()) {
                return Ok(Reply::History(later_rows(journal, &self.whole.positions, span, run)?));
            }
        }
        let now = self.whole.state.run(id);
        history_rows(journal, id, span, (&hash, graph), now.as_deref()).map(Reply::History)
    }

    /// A run that has ended and of which no record that tells of it is kept.
    fn removed(&self, id: RunId) -> Option<&Summary> {
        let oldest = self.folder.journal.oldest();
        self.whole.past.get(&id).filter(|summary| summary.span.first < oldest && !self.whole.is_kept(id))
    }

    /// Where a run's records are, and its definition.
    fn whereabouts(&self, id: RunId) -> Result<(Span, String, Arc<Graph>), PastError> {
        let missing = |what: &str| PastError::Missing { run: id, what: what.to_owned() };
        if let (Some(run), Some(span)) = (self.whole.state.run(id), self.whole.positions.runs.get(&id)) {
            return Ok((*span, run.definition.clone(), Arc::clone(&run.graph)));
        }
        let Summary { span, definition: hash, .. } =
            self.whole.past.get(&id).ok_or_else(|| missing("it is not listed"))?;
        if let Some(graph) = self.whole.state.definition(hash) {
            return Ok((*span, hash.clone(), Arc::clone(graph)));
        }
        let journal = &self.folder.journal;
        let read = match self.whole.positions.definitions.get(hash) {
            Some(at) => definition(journal, hash, *at)?.ok_or_else(|| missing("its definition is not there")),
            None => Err(missing("its definition is not listed")),
        };
        match read {
            Ok(graph) => Ok((*span, hash.clone(), Arc::new(graph))),
            Err(error) => Err(match loss_of(journal, id)? {
                Some(loss) => PastError::Lost { run: id, loss },
                None => error,
            }),
        }
    }
}

fn store(error: &PastError) -> Refusal {
    refusal(RefusalKind::Store, error.to_string())
}

fn refusal(kind: RefusalKind, message: String) -> Refusal {
    Refusal { kind, message, help: Vec::new() }
}
