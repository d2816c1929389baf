//! What the journal says of runs that are not in memory: where their records are, and how a run is made again from them.
//!
//! A run that has ended is let go of. What is kept of it is a [`Summary`]; everything else is in its frames, which the
//! journal finds by its index.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use lockstep_dsl::graph::Graph;
use lockstep_dsl::value::Timestamp;
use serde::{Deserialize, Serialize};

use super::quarantine::panic_message;
use super::recovery::decode_record;
use crate::api::{Gone, RunRow};
use crate::clock::Stamp;
use crate::core::State;
use crate::core::run::{Change, Loss, Record, Run, Subject};
use crate::core::schedule::{Schedule, ScheduleChange};
use crate::id::{Lsn, RunId};
use crate::store::{Frames, ImageError, OpenError};
use crate::view::run_row;

/// The positions of a run's records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Span {
    /// The one that created it.
    pub first: Lsn,
    /// The last one so far.
    pub last: Lsn,
}

/// What is kept of a run that has ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Summary {
    /// What lists show of it.
    pub row: RunRow,
    /// Where its records are.
    pub span: Span,
    /// The hash of its definition.
    pub definition: String,
    /// The hashes of those that it had before, oldest first: its records begin with them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<String>,
}

impl Summary {
    /// The summary of a run whose records are at these positions.
    pub fn of(run: &Run, span: Span) -> Self {
        let earlier = run.edits.iter().map(|edit| edit.from.clone()).collect();
        Self { row: run_row(run, false), span, definition: run.definition.clone(), earlier }
    }

    /// Whether what is kept of it from a position on tells of what it did under its earlier definitions.
    pub fn tells_all_from(&self, below: Lsn) -> bool {
        self.span.first >= below
    }
}

/// Where in the journal runs and definitions are.
#[derive(Debug, Default)]
pub(crate) struct Positions {
    /// Of every run in memory.
    pub runs: BTreeMap<RunId, Span>,
    /// Of every definition that the journal holds, by its hash.
    pub definitions: BTreeMap<String, Lsn>,
    /// How many open runs and enrolled schedules use a definition, where any does.
    pub uses: BTreeMap<String, usize>,
    /// The oldest record that anything which is kept may come to need; 0 while all are.
    pub needs: Lsn,
    /// When history was let go of: each time the position before which it was, and when. Oldest first.
    pub forgotten: Vec<(Lsn, Timestamp)>,
    /// The run with the highest id.
    pub newest: Option<RunId>,
    /// The highest id of a run that was removed: whether one that is as old ever was, nobody can say.
    pub removed: Option<RunId>,
    /// Definitions whose place or use changed since the last checkpoint.
    pub touched: BTreeSet<String>,
}

impl Positions {
    /// Takes in a durable record that has been applied to `state`. `edited`: the definition that its run had then, where a
    /// later record that was applied too has given it another.
    pub fn note(&mut self, lsn: Lsn, record: &Record, state: &State, edited: Option<&str>) {
        match record {
            Record::Defined { hash, .. } => {
                self.definitions.insert(hash.clone(), lsn);
                self.touched.insert(hash.clone());
            }
            Record::Created { run, definition, .. } => {
                self.runs.insert(*run, Span { first: lsn, last: lsn });
                self.newest = self.newest.max(Some(*run));
                self.begin_use(definition);
            }
            Record::Changed { run, change } => {
                if let Some(span) = self.runs.get_mut(run) {
                    span.last = lsn;
                }
                let definition =
                    || edited.map(str::to_owned).or_else(|| state.run(*run).map(|run| run.definition.clone()));
                if let Change::Finished { .. } = change
                    && let Some(definition) = definition()
                {
                    self.end_use(&definition);
                }
                if let Change::Edited { edit } = change {
                    // It was perhaps brought back for this alone.
                    self.touched.insert(edit.from.clone());
                }
                if let Change::Retried { .. } = change
                    && let Some(definition) = definition()
                {
                    self.begin_use(&definition);
                }
            }
            Record::Lost { loss: Some(loss) } => {
                // What tells of a run that goes no further ends with this.
                for id in loss.runs.iter().filter(|id| state.run(**id).is_some_and(|run| !run.is_ended())) {
                    if let Some(span) = self.runs.get_mut(id) {
                        span.last = lsn;
                    }
                }
            }
            Record::Removed { runs } => {
                for run in runs.iter().filter(|run| !state.has(**run)) {
                    self.runs.remove(run);
                }
                self.removed = self.removed.max(runs.iter().max().copied());
            }
            Record::Scheduled { change: ScheduleChange::Enrolled(enrollment), .. } => {
                self.begin_use(&enrollment.definition);
                if let Some(before) = &enrollment.instead {
                    self.end_use(before);
                }
            }
            Record::Scheduled { change: ScheduleChange::Withdrawn { definition, .. }, .. } => self.end_use(definition),
            Record::Scheduled {
                change: ScheduleChange::Paused { .. } | ScheduleChange::Resumed { .. } | ScheduleChange::Ticked(_),
                ..
            }
            | Record::SchedulesHeld { .. }
            | Record::Checkpointed { .. }
            | Record::Rested { .. }
            | Record::Lost { loss: None } => {}
        }
    }

    /// Takes in a schedule that was read from a checkpoint.
    pub fn admit_schedule(&mut self, schedule: &Schedule) {
        if !schedule.withdrawn {
            *self.uses.entry(schedule.definition.clone()).or_default() += 1;
        }
    }

    /// Takes in an open run that was read from a checkpoint.
    pub fn admit(&mut self, id: RunId, definition: &str, span: Span) {
        self.runs.insert(id, span);
        self.newest = self.newest.max(Some(id));
        match self.uses.get_mut(definition) {
            Some(uses) => *uses += 1,
            None => drop(self.uses.insert(definition.to_owned(), 1)),
        }
    }

    /// Takes in what is known of the journal before that of which these positions are.
    pub fn join(&mut self, before: Self) {
        let Self { runs, definitions, uses, needs, forgotten, newest, removed, touched } = before;
        let since = std::mem::replace(&mut self.runs, runs);
        self.runs.extend(since);
        let since = std::mem::replace(&mut self.definitions, definitions);
        self.definitions.extend(since);
        for (hash, count) in uses {
            *self.uses.entry(hash).or_default() += count;
        }
        self.needs = self.needs.max(needs);
        self.forgotten.splice(0..0, forgotten);
        self.newest = self.newest.max(newest);
        self.removed = self.removed.max(removed);
        self.touched.extend(touched);
    }

    /// Notes that what lies before `below` was let go of.
    pub fn forget(&mut self, below: Lsn, now: Timestamp) {
        self.needs = below;
        if self.forgotten.len() == MAX_FORGOTTEN {
            // Of the oldest it is known then that it was not later.
            self.forgotten.remove(0);
        }
        self.forgotten.push((below, now));
    }

    /// Why the record at this position, of a run that is listed, is not kept any more.
    pub fn gone(&self, at: Lsn) -> Gone {
        Gone::Retention { at: self.forgotten_at(at).map(|when| when.to_string()) }
    }

    /// When the record at this position was let go of, where that is known.
    pub fn forgotten_at(&self, at: Lsn) -> Option<Timestamp> {
        self.forgotten.iter().find(|(below, _)| at < *below).map(|(_, when)| *when)
    }

    fn begin_use(&mut self, definition: &str) {
        *self.uses.entry(definition.to_owned()).or_default() += 1;
        self.touched.insert(definition.to_owned());
    }

    fn end_use(&mut self, definition: &str) {
        if let Some(uses) = self.uses.get_mut(definition) {
            *uses -= 1;
            if *uses == 0 {
                self.uses.remove(definition);
            }
        }
        self.touched.insert(definition.to_owned());
    }
}

/// So many times of letting go of history are remembered.
const MAX_FORGOTTEN: usize = 1_000;

/// Why a run cannot be made again from its records.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PastError {
    /// Its records were dropped to keep the folder small.
    #[error(
        "the history of run {run} is not kept any more: the journal begins at record {oldest}; `lockstep runs` still \
         lists how it ended"
    )]
    Dropped {
        /// The run.
        run: RunId,
        /// The oldest record that is kept.
        oldest: u64,
    },
    /// Records of it were lost, and that was accepted.
    #[error("the history of run {run} is not whole: {}", loss.describe())]
    Lost {
        /// The run.
        run: RunId,
        /// What was lost.
        loss: Box<Loss>,
    },
    /// The journal does not hold what it should.
    #[error("run {run} cannot be read from the journal: {what}")]
    Missing {
        /// The run.
        run: RunId,
        /// What is missing or wrong.
        what: String,
    },
    /// The journal cannot be read.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// The checkpoint, where its summary is, cannot be read.
    #[error(transparent)]
    Image(#[from] ImageError),
}

/// Reads a definition from the journal; `None` if it is not at this position.
pub(crate) fn definition(frames: &dyn Frames, hash: &str, at: Lsn) -> Result<Option<Graph>, OpenError> {
    let mut found = Ok(None);
    frames.read_of(&Subject::Definition(hash.to_owned()), at..=at, &mut |frame| {
        let place = usize::try_from(at.0.saturating_sub(frame.first.0)).ok();
        if let Some(bytes) = place.and_then(|place| frame.records.get(place)) {
            found = decode_record(at, bytes).map(|record| match record {
                Record::Defined { hash: found, graph } if found == hash => Some(*graph),
                Record::Defined { .. }
                | Record::Created { .. }
                | Record::Changed { .. }
                | Record::Checkpointed { .. }
                | Record::Scheduled { .. }
                | Record::SchedulesHeld { .. }
                | Record::Rested { .. }
                | Record::Removed { .. }
                | Record::Lost { .. } => None,
            });
        }
        false
    })?;
    found
}

/// Where what is told of runs that are not in memory is looked up.
#[derive(Clone, Copy)]
pub(crate) struct Library<'a> {
    /// The journal.
    pub frames: &'a dyn Frames,
    /// For definitions that are in memory.
    pub state: &'a State,
    /// For those that are not.
    pub positions: &'a Positions,
}

impl Library<'_> {
    /// A definition that a run has, or had.
    pub fn definition(&self, run: RunId, hash: &str) -> Result<Arc<Graph>, PastError> {
        if let Some(graph) = self.state.definition(hash) {
            return Ok(Arc::clone(graph));
        }
        let read = match self.positions.definitions.get(hash) {
            Some(at) => definition(self.frames, hash, *at)?,
            None => None,
        };
        let missing = || match loss_of(self.frames, run) {
            Ok(Some(loss)) => PastError::Lost { run, loss },
            Ok(None) => PastError::Missing { run, what: format!("its definition {hash} is not there") },
            Err(error) => PastError::Store(error),
        };
        read.map(Arc::new).ok_or_else(missing)
    }

    /// Makes a run again from its records, and calls `each` with every one of them after it was applied.
    pub fn retell(
        &self,
        id: RunId,
        span: Span,
        each: &mut dyn FnMut(Lsn, Stamp, &Record, &Run),
    ) -> Result<Run, PastError> {
        let oldest = self.frames.oldest();
        if span.first < oldest {
            return Err(PastError::Dropped { run: id, oldest: oldest.0 });
        }
        let mut alone = State::default();
        let (mut failed, mut accepted) = (None, None);
        each_record(self.frames, id, span, &mut |lsn, at, record| {
            if let Record::Lost { loss } = record {
                accepted.clone_from(loss);
                return !accepted.as_ref().is_some_and(|loss| loss.runs.contains(&id));
            }
            if let Some(hash) = record.needs_definition()
                && alone.definition(hash).is_none()
            {
                match self.definition(id, hash) {
                    Ok(graph) => alone.define(hash.to_owned(), graph),
                    Err(error) => {
                        failed = Some(error);
                        return false;
                    }
                }
            }
            match catch_unwind(AssertUnwindSafe(|| alone.apply(record, at))) {
                Ok(()) => {
                    if let Some(run) = alone.run(id) {
                        each(lsn, at, record, &run);
                    }
                }
                Err(panic) => {
                    let what = format!("record {} cannot be applied: {}", lsn.0, panic_message(panic.as_ref()));
                    failed.get_or_insert(PastError::Missing { run: id, what });
                }
            }
            failed.is_none()
        })?;
        // One that does not fit together behind a loss was concerned, whoever knew of it.
        let run = alone.withdraw(id).filter(|_| failed.is_none());
        match (accepted, run) {
            (Some(loss), run) if run.is_none() || loss.runs.contains(&id) => Err(PastError::Lost { run: id, loss }),
            (_, Some(run)) => Ok(run),
            (_, None) => {
                let missing = || PastError::Missing { run: id, what: "its first record is not there".to_owned() };
                Err(failed.unwrap_or_else(missing))
            }
        }
    }
}

/// What was lost and accepted of a run, its definition too, if anything was.
pub(crate) fn loss_of(frames: &dyn Frames, id: RunId) -> Result<Option<Box<Loss>>, OpenError> {
    let mut found = None;
    let everything = Span { first: Lsn(0), last: Lsn(u64::MAX) };
    each_record(frames, id, everything, &mut |_, _, record| {
        if let Record::Lost { loss: Some(loss) } = record
            && loss.runs.contains(&id)
        {
            found = Some(loss.clone());
        }
        found.is_none()
    })?;
    Ok(found)
}

/// Calls `each` with every record of a run within these positions that is kept, in order, until it says `false`; also with
/// those that say that records were lost there, of whatever run.
pub(crate) fn each_record(
    frames: &dyn Frames,
    id: RunId,
    span: Span,
    each: &mut dyn FnMut(Lsn, Stamp, &Record) -> bool,
) -> Result<(), OpenError> {
    let mut failed = None;
    let subject = Subject::Run(id);
    frames.read_of(&subject, span.first..=span.last, &mut |frame| {
        for (lsn, bytes) in (frame.first.0..).map(Lsn).zip(&frame.records) {
            let is_asked = match Subject::of(bytes) {
                // It stands for all of its frame.
                Some(Subject::Everything) => true,
                about => about.as_ref() == Some(&subject) && (span.first..=span.last).contains(&lsn),
            };
            if !is_asked {
                continue;
            }
            match decode_record(lsn, bytes) {
                Ok(record) => {
                    if !each(lsn, frame.stamp, &record) {
                        return false;
                    }
                }
                Err(error) => {
                    failed = Some(error);
                    return false;
                }
            }
        }
        true
    })?;
    failed.map_or(Ok(()), Err)
}
