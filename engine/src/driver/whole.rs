//! Everything that a journal comes to, read from the newest base on: what a folder without an engine is looked at with, and
//! what an image that was lost is filled from.

use std::collections::BTreeMap;
use std::sync::Arc;

use lockstep_dsl::graph::Graph;

use super::checkpoint::{LEDGER_PREFIX, RUN_PREFIX, page_key, run_key, summary_key};
use super::entry::RunEntry;
use super::fold::{Broken, Fold, Shelf};
use super::past::{Positions, Summary};
use super::recovery::{Opening, decode_record, load_base};
use crate::core::State;
use crate::core::run::{Definition, Kept, Record, Run};
use crate::core::schedule::{Row, ScheduleName};
use crate::encode::{decode, encode};
use crate::id::{Lsn, RunId};
use crate::store::{Entry, Frame, Frames, OpenError, StoredBases};

/// The open runs, and a summary of every other.
#[derive(Default)]
pub(crate) struct Whole {
    /// The open runs and the definitions they use.
    pub state: State,
    /// Where they are in the journal.
    pub positions: Positions,
    /// The runs that have ended.
    pub past: BTreeMap<RunId, Summary>,
    /// Those of them whose records are not all kept, as the base holds them.
    kept: BTreeMap<RunId, Vec<u8>>,
    /// Pages of schedules' ledgers, by their keys.
    ledger: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Whole {
    /// Reads the newest base and the journal behind it.
    pub fn read(bases: &dyn StoredBases, frames: &dyn Frames) -> Result<Self, OpenError> {
        let (base, opening) = load_base(bases, frames)?.unwrap_or_default();
        let mut whole = Self::after(opening);
        let mut broken = Broken::new();
        let mut failed = None;
        let from = Lsn(base.0 + 1);
        frames.read(from, &mut |frame| {
            failed = whole.take(frames, &mut broken, &frame, from).err();
            failed.is_none()
        })?;
        failed.map_or(Ok(whole), Err)
    }

    /// What a base holds.
    pub fn after(opening: Opening) -> Self {
        let Opening { state, positions, past: mut entries, .. } = opening;
        let ledger = entries.extract_if(.., |(key, _)| key.starts_with(LEDGER_PREFIX)).collect();
        let summaries = entries.iter().filter(|(key, _)| !key.starts_with(RUN_PREFIX));
        let summaries = summaries.filter_map(|(_, value)| decode::<Summary>(value).ok());
        let past = summaries.map(|summary| (summary.row.id, summary)).collect();
        let kept = entries.into_iter().filter_map(|(key, value)| Some((id_of(&key)?, value))).collect();
        Self { state, positions, past, kept, ledger }
    }

    /// Takes in what a frame holds from a position on, and lets go of the runs that it ended.
    fn take(&mut self, frames: &dyn Frames, broken: &mut Broken, frame: &Frame, from: Lsn) -> Result<(), OpenError> {
        let changed = self.fold(frames, broken, frame, from)?;
        for id in changed {
            if let Some(run) = self.state.release(id) {
                if let Some(span) = self.positions.runs.remove(&id) {
                    if span.first < frames.oldest() {
                        let mut kept = Kept::Open(Box::new(run.clone()));
                        self.kept.insert(id, RunEntry::encode_ended(span, &run.definition, &kept.encoded()));
                    }
                    self.past.insert(id, Summary::of(&run, span));
                }
            } else if self.state.has(id) {
                self.past.remove(&id);
                self.kept.remove(&id);
            }
        }
        for hash in std::mem::take(&mut self.positions.touched) {
            if !self.positions.uses.contains_key(&hash) {
                self.state.undefine(&hash);
            }
        }
        Ok(())
    }

    /// Takes in what a frame holds from a position on. Gives the runs that it changed.
    pub fn fold(
        &mut self,
        frames: &dyn Frames,
        broken: &mut Broken,
        frame: &Frame,
        from: Lsn,
    ) -> Result<Vec<RunId>, OpenError> {
        let Self { state, positions, past, kept, ledger: _ } = self;
        let mut lookup = PastShelf { past, kept, frames };
        let mut applied = Fold { state, positions, broken, shelf: &mut lookup };
        let mut changed = Vec::new();
        for (lsn, bytes) in (frame.first.0..).map(Lsn).zip(&frame.records).filter(|(lsn, _)| *lsn >= from) {
            let record = decode_record(lsn, bytes)?;
            if applied.apply(lsn, &record, frame.stamp)? {
                changed.extend(record.run());
                if let Record::Lost { loss: Some(loss) } = &record {
                    changed.extend(&loss.runs);
                }
            }
        }
        Ok(changed)
    }

    /// A run that has ended whose records are not all in the journal any more; `graph` is its definition.
    pub fn kept(&self, id: RunId, graph: &Arc<Graph>) -> Option<Run> {
        let entry = RunEntry::decode(self.kept.get(&id)?).ok()?;
        let definition = Definition::new(entry.definition.clone().into_owned(), Arc::clone(graph));
        Some(entry.into_kept(&definition).into_run())
    }

    /// Whether a run that has ended is kept as it was, since its records are not.
    pub fn is_kept(&self, id: RunId) -> bool {
        self.kept.contains_key(&id)
    }

    /// The rows of a page of a schedule's ledger that was kept before the records that were read.
    pub fn page(&self, name: &ScheduleName, number: u64) -> Vec<Row> {
        self.ledger.get(&page_key(name, number)).and_then(|bytes| decode(bytes).ok()).unwrap_or_default()
    }

    /// The entries of runs that have ended, and pages of ledgers, as an image holds them.
    pub fn past_entries(self) -> Vec<Entry> {
        let rows = self.past.iter().map(|(id, summary)| (summary_key(&id.to_string()), encode(summary)));
        let runs = self.kept.into_iter().map(|(id, run)| (run_key(id), run));
        let mut entries: Vec<Entry> = rows.chain(runs).chain(self.ledger).collect();
        for (name, schedule) in self.state.schedules().iter() {
            let full = schedule.ledger.full().iter();
            entries.extend(full.map(|(number, rows)| (page_key(name, *number), encode(rows))));
        }
        entries
    }
}

/// The run that an entry is of, if it is of one.
fn id_of(key: &[u8]) -> Option<RunId> {
    std::str::from_utf8(key.strip_prefix(RUN_PREFIX)?).ok()?.parse().ok()
}

/// Looks up runs that have ended among summaries.
struct PastShelf<'a> {
    past: &'a mut BTreeMap<RunId, Summary>,
    kept: &'a mut BTreeMap<RunId, Vec<u8>>,
    frames: &'a dyn Frames,
}

impl Shelf for PastShelf<'_> {
    fn summary(&mut self, id: RunId) -> Option<Summary> {
        self.past.get(&id).cloned()
    }

    fn remove(&mut self, id: RunId) {
        self.past.remove(&id);
        self.kept.remove(&id);
    }

    fn kept(&mut self, id: RunId) -> Option<Vec<u8>> {
        self.kept.get(&id).cloned()
    }

    fn frames(&self) -> &dyn Frames {
        self.frames
    }
}
