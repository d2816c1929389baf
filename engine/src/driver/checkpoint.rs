//! Brings what changed into the image every few seconds, so that a start need not read the whole journal.
//!
//! A checkpoint that is due is taken down in one turn and written beside those that follow; at closing it is waited for.
//! The image is only trusted when the journal says what is in it, so the journal's record comes last, and only then what
//! has ended is let go of, unless it has changed meanwhile. When the image cannot be written nothing else suffers: what
//! changed is kept in memory and tried again.

use std::collections::{BTreeMap, BTreeSet, btree_set};

use super::backing::Backing;
use super::base::Occasion;
use super::batch::Batch;
use super::effect::Turn;
use super::entry::RunEntry;
use super::past::{Positions, Summary};
use super::pending::Pending;
use super::{Driver, Input};
use crate::core::State;
use crate::core::run::{Kept, Record};
use crate::core::schedule::{ScheduleName, dropped_for};
use crate::encode::encode;
use crate::fault::{self, Bug};
use crate::id::{Lsn, RunId};
use crate::limits::{
    CHECKPOINT_BYTES, CHECKPOINT_MS, CHECKPOINT_PATIENCE_MS, CHECKPOINT_POLL_MS, CHECKPOINT_RUNS, HEAVY_BYTES,
    HEAVY_CHECKPOINT_MS, HEAVY_FACTOR, WANTED_BASE_MS,
};
use crate::store::{Checkpoint, EntryChange, Frames, Image, ImageError};

/// What changed since the last checkpoint.
#[derive(Debug, Default)]
pub(super) struct Dirty {
    pub runs: BTreeSet<RunId>,
    /// Schedules that changed.
    pub schedules: BTreeSet<ScheduleName>,
    /// Whether it changed that the clock is believed.
    pub clock: bool,
    /// Runs that were removed: the image may hold them still.
    pub removed: BTreeSet<RunId>,
    /// Bytes appended since.
    pub bytes: usize,
    /// Engine time of the first change.
    pub since: Option<u64>,
}

impl Dirty {
    /// How many entries changed.
    fn entries(&self) -> usize {
        self.runs.len() + self.schedules.len()
    }

    /// Takes in what a checkpoint that failed was to hold.
    fn take_back(&mut self, other: Self) {
        self.runs.extend(other.runs);
        self.schedules.extend(other.schedules);
        self.clock |= other.clock;
        self.removed.extend(other.removed);
    }
}

/// A checkpoint that is being written while the engine goes on.
#[derive(Debug)]
pub(super) struct Writing {
    /// The record after which it holds the state.
    lsn: Lsn,
    /// The oldest position that anything in it may come to need.
    needs: Lsn,
    /// What changed up to there.
    pub dirty: Dirty,
    /// Definitions whose place or use changed up to there.
    touched: BTreeSet<String>,
    /// Engine time at which it was begun.
    since: u64,
}

/// What long runs took in the last checkpoint that held them. Such a run is written whole whenever it changed, so what is
/// journaled meanwhile must be worth it: else the cost of a step would grow with the steps before it.
#[derive(Debug, Default)]
pub(super) struct Heavy(BTreeMap<RunId, usize>);

impl Heavy {
    /// Takes in what an entry took.
    fn note(&mut self, id: RunId, entry: Option<&Vec<u8>>) {
        match entry.map(Vec::len).filter(|bytes| *bytes >= HEAVY_BYTES) {
            Some(bytes) => drop(self.0.insert(id, bytes)),
            None => drop(self.0.remove(&id)),
        }
    }

    /// Whether so many journaled bytes are too few to write these runs again.
    fn outweighs(&self, runs: &BTreeSet<RunId>, journaled: usize) -> bool {
        let bytes: usize = self.0.iter().filter(|(id, _)| runs.contains(id)).map(|(_, bytes)| bytes).sum();
        journaled < bytes.saturating_mul(HEAVY_FACTOR)
    }
}

/// Begins the keys of open runs, and of those that ended whose records are not all kept.
pub(crate) const RUN_PREFIX: &[u8] = b"run/";
/// Begins the keys of summaries of runs that ended.
pub(crate) const SUMMARY_PREFIX: &[u8] = b"sum/";
/// Begins the keys of definitions that open runs use.
pub(crate) const DEFINITION_PREFIX: &[u8] = b"def/";
/// Begins the keys of pages of schedules' ledgers.
pub(crate) const LEDGER_PREFIX: &[u8] = b"ledger/";
/// The key of why schedules are held.
pub(crate) const CLOCK_KEY: &[u8] = b"clock";
/// Begins the keys of schedules.
pub(crate) const SCHEDULE_PREFIX: &[u8] = b"sched/";
/// The key of the oldest position that is still needed.
pub(crate) const NEEDS_KEY: &[u8] = b"needs";
/// The key of when history was let go of.
pub(crate) const FORGOTTEN_KEY: &[u8] = b"forgot";
/// The key of the highest id of a run that was removed.
pub(crate) const REMOVED_KEY: &[u8] = b"removed";
/// Begins the keys of the positions of all definitions.
pub(crate) const PLACE_PREFIX: &[u8] = b"place/";

/// The key of a run.
pub(crate) fn run_key(id: RunId) -> Vec<u8> {
    key(RUN_PREFIX, &id.to_string())
}

/// The key of a run's summary, or the beginning of the keys of several.
pub(super) fn summary_key(prefix: &str) -> Vec<u8> {
    key(SUMMARY_PREFIX, prefix)
}

/// The key of a page of a schedule's ledger.
pub(crate) fn page_key(name: &ScheduleName, number: u64) -> Vec<u8> {
    key(LEDGER_PREFIX, &format!("{name}/{number:010}"))
}

fn key(prefix: &[u8], name: &str) -> Vec<u8> {
    [prefix, name.as_bytes()].concat()
}

impl<B: Backing> Driver<B> {
    /// Notes that a record changed something; called once for every durable record.
    pub(super) fn note(&mut self, lsn: Lsn, record: &Record, edited: Option<&str>) {
        self.positions.note(lsn, record, &self.state, edited);
        if let Record::Created { run, .. } = record {
            self.started.note(*run);
        }
        self.mark(record);
    }

    /// Notes that a record changed what the next checkpoint holds.
    pub(super) fn mark(&mut self, record: &Record) {
        match record {
            Record::Created { run, .. } => {
                self.dirty.runs.insert(*run);
            }
            Record::Changed { run, .. } => {
                if !fault::planted(Bug::ChangeNotInImage) {
                    self.dirty.runs.insert(*run);
                }
            }
            Record::Scheduled { schedule, .. } => {
                self.dirty.schedules.insert(schedule.clone());
            }
            Record::SchedulesHeld { .. } => self.dirty.clock = true,
            Record::Lost { loss: Some(loss) } => {
                let there = loss.runs.iter().filter(|run| self.state.has(**run));
                self.dirty.runs.extend(there);
            }
            Record::Removed { runs } => {
                for run in runs {
                    self.dirty.runs.remove(run);
                    self.dirty.removed.insert(*run);
                }
            }
            Record::Defined { .. } => {}
            Record::Checkpointed { .. } | Record::Rested { .. } | Record::Lost { loss: None } => return,
        }
        self.dirty.since.get_or_insert(self.now.time);
    }

    /// Engine time at which the next checkpoint is due.
    pub(super) fn checkpoint_due(&self) -> Option<u64> {
        if self.writing.is_some() {
            return Some(self.now.time + CHECKPOINT_POLL_MS);
        }
        let since = self.dirty.since?;
        let is_large = self.dirty.bytes >= CHECKPOINT_BYTES || self.dirty.entries() >= CHECKPOINT_RUNS;
        Some(if is_large {
            since
        } else if self.base.is_wanted() {
            since + WANTED_BASE_MS
        } else if self.heavy.outweighs(&self.dirty.runs, self.dirty.bytes) {
            since + HEAVY_CHECKPOINT_MS
        } else {
            since + CHECKPOINT_MS
        })
    }

    /// Makes a checkpoint if one is due. To be called between turns, when the effects of the last one are done: runs
    /// that have ended are let go of.
    pub fn tend(&mut self) -> Turn {
        let mut turn = Turn::default();
        if self.writing.is_some() {
            self.finish_writing(false, &mut turn);
            return turn;
        }
        if self.image.failure().is_some() {
            self.dirty.since.get_or_insert(self.now.time);
        }
        if self.checkpoint_due().is_some_and(|due| due <= self.now.time) {
            self.checkpoint(Occasion::Due)
        } else {
            Turn::default()
        }
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
        self.finish_writing(true, &mut turn);
        if self.dirty.since.is_some() && !self.may_rest_unchecked() {
            turn.effects.extend(self.checkpoint(Occasion::Closing).effects);
        }
        self.rest(&mut turn);
        turn
    }

    pub(super) fn checkpoint(&mut self, occasion: Occasion) -> Turn {
        let mut turn = Turn::default();
        if self.held.is_some() || self.halted.is_some() {
            return turn;
        }
        self.finish_writing(true, &mut turn);
        if self.held.is_some() || self.halted.is_some() {
            return turn;
        }
        if let Err(refusal) = self.catch_up() {
            self.put_off_checkpoint(&refusal.message);
            return turn;
        }
        if occasion == Occasion::Due && self.is_making_base() {
            self.postpone_checkpoint();
            return turn;
        }
        self.refill_image();
        match occasion {
            Occasion::Due => {
                self.begin_writing();
                self.finish_writing(false, &mut turn);
            }
            // The caller waits for it anyway.
            Occasion::Closing | Occasion::WithBase => {
                let (lsn, needs) = (self.last, self.positions.needs);
                match self.store_state(lsn) {
                    Ok((generation, digest)) => {
                        let stored = Checkpoint { lsn, generation, digest };
                        self.conclude_checkpoint(stored, needs, Some(occasion), &mut turn);
                    }
                    Err(error) => self.put_off_checkpoint(&error.to_string()),
                }
            }
        }
        turn
    }

    /// Takes down what changed and has it written while the engine goes on.
    fn begin_writing(&mut self) {
        let (lsn, needs, since) = (self.last, self.positions.needs, self.now.time);
        let (image, changes) = self.changes();
        let changes = changes.collect();
        image.begin(lsn, changes);
        let (dirty, touched) = (std::mem::take(&mut self.dirty), std::mem::take(&mut self.positions.touched));
        self.writing = Some(Writing { lsn, needs, dirty, touched, since });
    }

    /// Takes in the checkpoint that is being written, once it is; `wait` for it. What it holds of runs that have ended and
    /// of definitions is let go of, unless they have changed since.
    fn finish_writing(&mut self, wait: bool, turn: &mut Turn) {
        // Its record could not be appended now.
        if self.held.is_some() || self.halted.is_some() {
            return;
        }
        let Some(begun) = self.writing.as_ref().map(|writing| writing.since) else { return };
        let overdue = self.now.time.saturating_sub(begun) >= CHECKPOINT_PATIENCE_MS;
        let Some(stored) = self.image.finish(wait || overdue) else { return };
        let Some(Writing { lsn, needs, dirty, touched, .. }) = self.writing.take() else { return };
        match stored {
            Ok((generation, digest)) => {
                self.let_go(dirty, touched);
                let occasion = (!wait).then_some(Occasion::Due);
                self.conclude_checkpoint(Checkpoint { lsn, generation, digest }, needs, occasion, turn);
            }
            Err(error) => {
                self.dirty.take_back(dirty);
                self.positions.touched.extend(touched);
                self.put_off_checkpoint(&error.to_string());
            }
        }
    }

    /// Journals that there is such a checkpoint, and begins a base of it, if it is time and that is an occasion for one.
    fn conclude_checkpoint(&mut self, stored: Checkpoint, needs: Lsn, occasion: Option<Occasion>, turn: &mut Turn) {
        let Checkpoint { lsn, generation, digest } = stored;
        self.append_records(vec![Record::Checkpointed { lsn, generation, digest }], turn);
        if let Some(occasion) = occasion
            && self.held.is_none()
            && self.halted.is_none()
        {
            self.begin_base_of(stored, needs, occasion);
        }
    }

    /// Waits for the checkpoint that is being written, if one is, and lets go of nothing for it: it does not count.
    pub(super) fn give_up_writing(&mut self) {
        if let Some(Writing { dirty, touched, .. }) = self.writing.take() {
            drop(self.image.finish(true));
            self.dirty.take_back(dirty);
            self.positions.touched.extend(touched);
        }
    }

    fn put_off_checkpoint(&mut self, why: &str) {
        tracing::warn!(why, "the checkpoint failed; it is tried again, and nothing is lost");
        self.postpone_checkpoint();
    }

    /// Counts from now, so that a checkpoint that cannot be made is not tried at every turn.
    const fn postpone_checkpoint(&mut self) {
        self.dirty.since = Some(self.now.time);
        self.dirty.bytes = 0;
    }

    /// Brings what changed up to `lsn` into the image, and lets go of what it holds now. Nothing but the journal's
    /// record, which is to follow, makes the image believed.
    pub(super) fn store_state(&mut self, lsn: Lsn) -> Result<(u64, [u8; 32]), ImageError> {
        let (image, mut changes) = self.changes();
        let stored = image.checkpoint(lsn, &mut changes)?;
        drop(changes);
        let (dirty, touched) = (std::mem::take(&mut self.dirty), std::mem::take(&mut self.positions.touched));
        self.let_go(dirty, touched);
        Ok(stored)
    }

    /// The image, and what changed since its last checkpoint, encoded as it is asked for.
    fn changes(&mut self) -> (&mut Pending<B::Image>, impl Iterator<Item = EntryChange>) {
        let definitions = self.changed_definitions();
        let schedules = self.changed_schedules();
        let Self { image, state, interrupted, positions, heavy, dirty, log, .. } = self;
        let needs = (NEEDS_KEY.to_vec(), Some(encode(&positions.needs)));
        let is_whole = positions.forgotten.is_empty();
        let forgotten = (!is_whole).then(|| (FORGOTTEN_KEY.to_vec(), Some(encode(&positions.forgotten))));
        let removed = positions.removed.map(|id| (REMOVED_KEY.to_vec(), Some(encode(&id))));
        let gone = dirty.removed.iter().flat_map(|id| [(run_key(*id), None), (summary_key(&id.to_string()), None)]);
        let runs = ChangedRuns {
            ids: dirty.runs.iter(),
            summary: None,
            state,
            interrupted,
            positions,
            heavy,
            oldest: log.oldest(),
        };
        (
            image,
            [needs]
                .into_iter()
                .chain(forgotten)
                .chain(removed)
                .chain(gone)
                .chain(definitions)
                .chain(schedules)
                .chain(runs),
        )
    }

    fn changed_schedules(&self) -> Vec<EntryChange> {
        let schedules = self.state.schedules();
        let mut changes = Vec::new();
        if self.dirty.clock {
            changes.push((CLOCK_KEY.to_vec(), schedules.held().map(encode)));
        }
        for name in &self.dirty.schedules {
            let Some(schedule) = schedules.get(name) else { continue };
            changes.push((key(SCHEDULE_PREFIX, &name.to_string()), Some(encode(schedule))));
            for (number, rows) in schedule.ledger.full() {
                changes.push((page_key(name, *number), Some(encode(rows))));
                changes.extend(dropped_for(*number).map(|dropped| (page_key(name, dropped), None)));
            }
        }
        changes
    }

    fn changed_definitions(&self) -> Vec<EntryChange> {
        let mut changes = Vec::new();
        for hash in &self.positions.touched {
            let used = self.positions.uses.contains_key(hash);
            let graph = self.state.definition(hash).filter(|_| used);
            changes.push((key(DEFINITION_PREFIX, hash), graph.map(|graph| encode(graph.as_ref()))));
            let place = self.positions.definitions.get(hash);
            changes.push((key(PLACE_PREFIX, hash), place.map(encode)));
        }
        changes
    }

    /// Lets go of runs that ended and of definitions that only they used: the image and the journal have them. Those that
    /// changed again are not in the image yet.
    fn let_go(&mut self, stored: Dirty, touched: BTreeSet<String>) {
        for id in stored.runs {
            if !self.dirty.runs.contains(&id) && self.state.release(id).is_some() {
                self.positions.runs.remove(&id);
            }
        }
        for name in stored.schedules {
            // Pages that filled up since are in no image yet.
            if !self.dirty.schedules.contains(&name) {
                self.state.schedules_mut().forget_pages(&name, u64::MAX);
            }
        }
        for hash in touched {
            if !self.positions.uses.contains_key(&hash) && !self.positions.touched.contains(&hash) {
                self.state.undefine(&hash);
            }
        }
    }
}

/// The entries of runs that changed, each encoded when it is asked for.
struct ChangedRuns<'a> {
    ids: btree_set::Iter<'a, RunId>,
    /// The row of the run whose own entry was given last.
    summary: Option<EntryChange>,
    state: &'a mut State,
    interrupted: &'a mut BTreeMap<RunId, Kept>,
    positions: &'a Positions,
    heavy: &'a mut Heavy,
    /// The oldest record of the journal.
    oldest: Lsn,
}

impl Iterator for ChangedRuns<'_> {
    type Item = EntryChange;

    fn next(&mut self) -> Option<EntryChange> {
        if let Some(summary) = self.summary.take() {
            return Some(summary);
        }
        loop {
            let id = *self.ids.next()?;
            // What waits is encoded once, to be kept so as well.
            self.state.pack(id);
            let claims = self.state.locks().of_run(id).map(|(step, claim)| (step, claim.clone())).collect();
            let tick = self.state.schedules().tick_of(id).cloned();
            let kept = self.state.kept(id).or_else(|| self.interrupted.get_mut(&id));
            let (Some(kept), Some(span)) = (kept, self.positions.runs.get(&id).copied()) else { continue };
            let ended = kept.is_ended();
            let summary = ended.then(|| encode(&Summary::of(&kept.look(), span)));
            // What is not all in the journal any more cannot be made again from it.
            let keep = !ended || span.first < self.oldest;
            let definition = keep.then(|| kept.definition().to_owned());
            let entry = definition.map(|definition| {
                if ended {
                    RunEntry::encode_ended(span, &definition, &kept.encoded())
                } else {
                    RunEntry::encode_open(span, &definition, claims, tick, &kept.encoded())
                }
            });
            self.heavy.note(id, entry.as_ref());
            self.summary = Some((summary_key(&id.to_string()), summary));
            return Some((run_key(id), entry));
        }
    }
}
