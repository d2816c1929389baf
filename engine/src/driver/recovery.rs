//! Opening: the image, if the journal vouches for it, then the journal behind it.
//!
//! What the image says is believed only when the journal holds the record of that very checkpoint. Otherwise everything
//! is rebuilt from the journal, which alone is the truth. Open runs are left alone until somebody asks for them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use lockstep_dsl::graph::Graph;

use super::backing::Backing;
use super::batch::Batch;
use super::checkpoint::{Dirty, SUMMARY_PREFIX, Summary, definition_key, run_key};
use super::definitions::Definitions;
use super::quarantine::panic_message;
use super::started::Started;
use super::{Driver, Places};
use crate::clock::{Clock, Stamp};
use crate::core::run::{Change, Input, Record, Run};
use crate::core::{Command, State};
use crate::encode::{DecodeError, VERSION, decode};
use crate::eval::Evaluator;
use crate::id::{Lsn, RunId};
use crate::limits::UNCHECKED_BYTES;
use crate::store::{Checkpoint, Frame, Image, OpenError, ShardLog};

impl<B: Backing> Driver<B> {
    /// Opens a store and recovers what is in it. Open runs are interrupted until they are asked for.
    pub fn open(
        backing: B,
        mut clock: Box<dyn Clock>,
        evaluator: Evaluator,
        places: Places,
    ) -> Result<Self, OpenError> {
        let log = backing.open_log()?;
        let image = backing.open_image();
        let head = log.head();
        let now = clock.now(head.stamp.as_ref());
        let mut driver = Self {
            backing,
            log,
            image,
            clock,
            evaluator,
            places,
            state: State::default(),
            interrupted: BTreeMap::new(),
            created_at: BTreeMap::new(),
            newest: None,
            started: Started::default(),
            definitions: Definitions::default(),
            last: head.last,
            unread: None,
            now,
            waiting: VecDeque::new(),
            starts: VecDeque::new(),
            evaluating: BTreeSet::new(),
            held: None,
            dirty: Dirty::default(),
            halted: None,
        };
        driver.recover()?;
        Ok(driver)
    }

    fn recover(&mut self) -> Result<(), OpenError> {
        if self.begin_rested() {
            self.started = Started::from(self.newest);
            return Ok(());
        }
        let broken = self.rebuild(self.last)?;
        self.started = Started::from(self.newest);
        if self.dirty.since.is_some() {
            // What a crash left is checkpointed at closing, so that the next one finds less to read.
            self.dirty.bytes = self.dirty.bytes.max(UNCHECKED_BYTES);
        }
        self.set_aside(&broken);
        Ok(())
    }

    /// Builds the state as it was after the record `until`. Gives the runs with a record that could not be applied, and
    /// why; `None` when that is journaled already.
    pub(super) fn rebuild(&mut self, until: Lsn) -> Result<BTreeMap<RunId, Option<String>>, OpenError> {
        let mut fold = Fold { until, ..Fold::default() };
        let checkpoint = self.image.load();
        let vouched = match checkpoint {
            Some(checkpoint) if self.load(&checkpoint) => {
                fold.wanted = Some(checkpoint);
                self.read_journal(&mut fold)?;
                fold.wanted.is_none()
            }
            Some(_) | None => false,
        };
        if !vouched {
            if let Err(error) = self.image.reset() {
                tracing::warn!(%error, "the checkpoint cannot be emptied");
            }
            self.state = State::default();
            self.created_at.clear();
            self.newest = None;
            self.dirty = Dirty::default();
            fold = Fold { until, anew: true, ..Fold::default() };
            self.read_journal(&mut fold)?;
        }
        Ok(fold.broken)
    }

    /// Takes the open runs in from a checkpoint. Says whether all of it could be read.
    fn load(&mut self, checkpoint: &Checkpoint) -> bool {
        if checkpoint.lsn > self.last {
            tracing::warn!("the checkpoint is ahead of the journal and is not used");
            return false;
        }
        let find = |key: Vec<u8>| {
            let place = checkpoint.entries.binary_search_by(|(known, _)| known.as_slice().cmp(&key)).ok()?;
            Some(checkpoint.entries[place].1.as_slice())
        };
        let summaries = checkpoint.entries.iter().filter(|(key, _)| key.starts_with(SUMMARY_PREFIX));
        for (_, bytes) in summaries {
            let Ok(summary) = decode::<Summary>(bytes) else { return false };
            self.newest = self.newest.max(Some(summary.row.id));
            if summary.row.ended.is_some() {
                continue;
            }
            let Some(Ok(run)) = find(run_key(summary.row.id)).map(decode::<Run>) else { return false };
            if self.state.definition(&run.definition).is_none() {
                let Some(Ok(graph)) = find(definition_key(&run.definition)).map(decode::<Graph>) else { return false };
                self.state.define(run.definition.clone(), Arc::new(graph));
            }
            let id = run.id;
            self.created_at.insert(id, summary.created_at);
            self.state.admit(run);
            self.state.pack(id);
        }
        true
    }

    fn read_journal(&mut self, fold: &mut Fold) -> Result<(), OpenError> {
        let from = fold.wanted.as_ref().map_or(Lsn(1), |checkpoint| Lsn(checkpoint.lsn.0 + 1));
        // Taken aside so that a record may ask the image while the log is being read.
        let mut frames = Vec::new();
        let mut next = from;
        loop {
            let mut bytes = 0;
            self.log.read(next, &mut |frame| {
                if frame.last() > fold.until {
                    return false;
                }
                bytes += frame.records.iter().map(Vec::len).sum::<usize>();
                frames.push(frame);
                bytes < READ_BYTES
            })?;
            let Some(last) = frames.last().map(Frame::last) else { return Ok(()) };
            for frame in frames.drain(..) {
                self.replay(&frame, from, fold)?;
            }
            next = Lsn(last.0 + 1);
        }
    }

    fn replay(&mut self, frame: &Frame, from: Lsn, fold: &mut Fold) -> Result<(), OpenError> {
        for (lsn, bytes) in (frame.first.0..).map(Lsn).zip(&frame.records) {
            if lsn < from {
                continue;
            }
            self.dirty.bytes += bytes.len();
            let record = decode_record(lsn, bytes)?;
            if let Record::Checkpointed { lsn, generation, digest } = &record {
                if fold.anew {
                    // There was an image: it is to be made again at closing.
                    self.dirty.bytes = self.dirty.bytes.max(UNCHECKED_BYTES);
                }
                fold.wanted
                    .take_if(|wanted| (wanted.lsn, wanted.generation, wanted.digest) == (*lsn, *generation, *digest));
            }
            self.replay_record(lsn, &record, frame.stamp, fold);
        }
        Ok(())
    }

    fn replay_record(&mut self, lsn: Lsn, record: &Record, at: Stamp, fold: &mut Fold) {
        if let Record::Changed { run, change } = record {
            let noted = matches!(change, Change::Quarantined { .. });
            if let Some(why) = fold.broken.get_mut(run) {
                // What was decided before the bug cannot be applied, but that it was noticed can.
                if !noted {
                    return;
                }
                *why = None;
            }
            // A run that ended before the checkpoint, and was opened again after it.
            self.readmit(*run);
        }
        match catch_unwind(AssertUnwindSafe(|| self.state.apply(record, at))) {
            Ok(()) => self.note(lsn, record),
            Err(panic) => {
                let why = panic_message(panic.as_ref());
                tracing::error!(record = lsn.0, why, "a bug of lockstep: a journaled record cannot be applied");
                if let Record::Created { run, .. } | Record::Changed { run, .. } = record {
                    fold.broken.insert(*run, Some(why));
                }
            }
        }
    }

    /// Leaves open runs alone, and quarantines those that could not be rebuilt.
    fn set_aside(&mut self, broken: &BTreeMap<RunId, Option<String>>) {
        let mut batch = Batch::default();
        for (id, why) in broken {
            let Some(why) = why else { continue };
            let quarantine = Command::Run(*id, Input::Quarantine { why: why.clone() });
            match self.state.decide(quarantine, self.now) {
                Ok(records) => batch.extend(records),
                Err(refused) => tracing::error!(run = %id, %refused, "the quarantine cannot be noted"),
            }
        }
        self.interrupted = self.state.withdraw_open();
        if !batch.encoded.is_empty() {
            self.commit(batch, &mut super::Turn::default());
        }
    }

    /// Takes up a run that a former engine left; what became of its running attempts is found out. Does nothing to
    /// others.
    pub(super) fn take_up(&mut self, id: RunId, batch: &mut Batch) {
        let Some(run) = self.interrupted.remove(&id) else { return };
        batch.recovered.extend(run.look().running().map(|(step, token)| (id, step, token)));
        self.state.admit_kept(run);
    }
}

/// Bytes of records that are taken from the log at a time while it is replayed.
const READ_BYTES: usize = 16 * 1024 * 1024;

/// What is known so far while the journal is read.
#[derive(Default)]
struct Fold {
    /// The last record to be read.
    until: Lsn,
    /// Everything is read, since there is no image that can be believed.
    anew: bool,
    /// The checkpoint whose record is still to be found.
    wanted: Option<Checkpoint>,
    /// Runs with a record that could not be applied, and why; `None` when that is journaled already.
    broken: BTreeMap<RunId, Option<String>>,
}

/// Decodes a record of the journal.
pub(crate) fn decode_record(lsn: Lsn, bytes: &[u8]) -> Result<Record, OpenError> {
    decode(bytes).map_err(|error| {
        let path = format!("journal, record {}", lsn.0);
        match error {
            DecodeError::Newer { found } => {
                OpenError::Newer { path, found: u32::from(found), known: u32::from(VERSION) }
            }
            DecodeError::Malformed(what) => OpenError::Damaged { path, offset: 0, what },
        }
    })
}
