//! Looks at a data folder that no engine holds, without a lock and without writing.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;

use crate::api::{Refusal, RefusalKind, Reply, Request};
use crate::core::State;
use crate::core::run::{Look, Record, Run};
use crate::driver::read::{History, Newest};
use crate::driver::recovery::decode_record;
use crate::id::{Lsn, RunId};
use crate::limits::MAX_LISTED_RUNS;
use crate::store::folder::{self, open_read_only};
use crate::store::{Frame, OpenError};
use crate::view::{run_row, run_view};

/// The durable state of a data folder at the moment it was opened. Open runs are shown as interrupted.
pub struct ReadOnly {
    folder: folder::ReadOnly,
    logs: PathBuf,
    state: State,
}

impl ReadOnly {
    /// Reads the journal of a folder from its beginning.
    ///
    /// # Errors
    /// Nothing was stored there yet, or it is damaged or of a newer program.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, OpenError> {
        let folder = open_read_only(path)?;
        let mut state = State::default();
        let mut broken = BTreeSet::new();
        let mut failed = None;
        folder.journal.read(Lsn(1), &mut |frame| match fold(&mut state, &mut broken, &frame) {
            Ok(()) => true,
            Err(error) => {
                failed = Some(error);
                false
            }
        })?;
        match failed {
            Some(error) => Err(error),
            None => Ok(Self { logs: folder.layout.logs(), folder, state }),
        }
    }

    /// Answers [`Request::Runs`], [`Request::Show`] and [`Request::History`]; anything else needs an engine.
    pub fn call(&self, request: &Request) -> Reply {
        let answered = match request {
            Request::Runs { limit, status, runbook } => {
                let limit = (*limit).min(MAX_LISTED_RUNS);
                let mut newest = Newest::new(limit, status.as_deref(), runbook.as_deref());
                self.state.runs().for_each(|run| newest.offer(run_row(&run, true)));
                Ok(Reply::Runs(newest.into_rows()))
            }
            Request::Show { run } => self.named(run).map(|run| Reply::Run(Box::new(run_view(&run, true, &self.logs)))),
            Request::History { run } => self.named(run).and_then(|run| self.history(&run)),
            Request::Watch { .. }
            | Request::Start(_)
            | Request::Resume { .. }
            | Request::Cancel { .. }
            | Request::Retry { .. }
            | Request::Resolve { .. } => {
                Err(refusal(RefusalKind::Invalid, "this needs an engine, and the folder is only looked at".to_owned()))
            }
        };
        answered.unwrap_or_else(Reply::Refused)
    }

    /// The runs that are open, and so interrupted, by id.
    pub fn interrupted(&self) -> impl Iterator<Item = RunId> + '_ {
        self.state.runs().filter(|run| !run.is_ended()).map(|run| run.id)
    }

    fn named(&self, name: &str) -> Result<Look<'_>, Refusal> {
        let ids = self.state.ids();
        let id = crate::driver::find::choose(name, ids)?;
        self.state.run(id).ok_or_else(|| refusal(RefusalKind::Invalid, format!("there is no run `{name}`")))
    }

    fn history(&self, run: &Run) -> Result<Reply, Refusal> {
        let mut history = History::of(run.id);
        history.state.define(run.definition.clone(), Arc::clone(&run.graph));
        let mut failed = None;
        let read = self.folder.journal.read(Lsn(1), &mut |frame| match history.take(&frame) {
            Ok(()) => true,
            Err(error) => {
                failed = Some(error);
                false
            }
        });
        match read.err().or(failed) {
            None => Ok(Reply::History(history.rows)),
            Some(error) => Err(refusal(RefusalKind::Store, error.to_string())),
        }
    }
}

/// Applies a frame. A run with a record that cannot be applied is left as it was: `broken` holds it from then on.
pub(crate) fn fold(state: &mut State, broken: &mut BTreeSet<RunId>, frame: &Frame) -> Result<(), OpenError> {
    for (lsn, bytes) in (frame.first.0..).map(Lsn).zip(&frame.records) {
        let record: Record = decode_record(lsn, bytes)?;
        let run = match &record {
            Record::Created { run, .. } | Record::Changed { run, .. } => Some(*run),
            Record::Defined { .. } | Record::Checkpointed { .. } | Record::Rested { .. } => None,
        };
        if run.is_some_and(|run| broken.contains(&run)) {
            continue;
        }
        if catch_unwind(AssertUnwindSafe(|| state.apply(&record, frame.stamp))).is_err() {
            tracing::error!(record = lsn.0, "a bug of lockstep: a journaled record cannot be applied");
            broken.extend(run);
        }
    }
    Ok(())
}

fn refusal(kind: RefusalKind, message: String) -> Refusal {
    Refusal { kind, message, help: Vec::new() }
}
