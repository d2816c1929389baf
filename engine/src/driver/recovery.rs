//! Opening: the image, if the journal vouches for it, else the newest base, then the journal behind it.
//!
//! What an image or a base says is believed only when the journal holds the record of that very checkpoint. Where there
//! is neither, everything is folded from the journal's first record. Open runs are left alone until somebody asks for
//! them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use lockstep_dsl::graph::Graph;

use super::backing::Backing;
use super::base::LastBase;
use super::batch::Batch;
use super::checkpoint::{
    CLOCK_KEY, DEFINITION_PREFIX, Dirty, FORGOTTEN_KEY, Heavy, LEDGER_PREFIX, NEEDS_KEY, PLACE_PREFIX, REMOVED_KEY,
    RUN_PREFIX, SCHEDULE_PREFIX, SUMMARY_PREFIX, run_key, summary_key,
};
use super::definitions::Definitions;
use super::entry::RunEntry;
use super::fold::{Break, Broken, Fold, Shelf};
use super::past::{Positions, Summary};
use super::pending::Pending;
use super::started::Started;
use super::whole::Whole;
use super::{Driver, Places};
use crate::clock::Clock;
use crate::core::run::{Change, Input, Record};
use crate::core::schedule::ClockJump;
use crate::core::{Command, State};
use crate::encode::{DecodeError, VERSION, decode};
use crate::eval::Evaluator;
use crate::fault::{self, Bug};
use crate::id::{Lsn, RunId};
use crate::limits::{MAX_REPLAYED_RUNS, UNCHECKED_BYTES};
use crate::store::files::damaged;
use crate::store::{Checkpoint, Entry, Frame, Frames, Image, OpenError, Order, ShardLog, StoredBase, StoredBases};

impl<B: Backing> Driver<B> {
    /// Opens a store and recovers what is in it. Open runs are interrupted until they are asked for.
    pub fn open(
        backing: B,
        mut clock: Box<dyn Clock>,
        evaluator: Evaluator,
        places: Places,
    ) -> Result<Self, OpenError> {
        let log = backing.open_log()?;
        let image = Pending::new(backing.open_image());
        let bases = backing.open_bases();
        let base = LastBase::of(&bases)?;
        let head = log.head();
        let now = clock.now(head.stamp.as_ref());
        let mut driver = Self {
            backing,
            log,
            image,
            bases,
            base,
            clock,
            evaluator,
            places,
            state: State::default(),
            interrupted: BTreeMap::new(),
            positions: Positions::default(),
            started: Started::default(),
            definitions: Definitions::default(),
            last: head.last,
            unread: None,
            now,
            waiting: VecDeque::new(),
            starts: VecDeque::new(),
            starts_held: false,
            evaluating: BTreeSet::new(),
            held: None,
            dirty: Dirty::default(),
            writing: None,
            heavy: Heavy::default(),
            halted: None,
        };
        driver.recover()?;
        Ok(driver)
    }

    fn recover(&mut self) -> Result<(), OpenError> {
        if self.begin_rested() {
            self.started = Started::from(self.positions.newest);
            return Ok(());
        }
        let broken = self.rebuild(self.last)?;
        self.started = Started::from(self.positions.newest);
        if self.dirty.since.is_some() {
            // What a crash left is checkpointed at closing, so that the next one finds less to read.
            self.dirty.bytes = self.dirty.bytes.max(UNCHECKED_BYTES);
        }
        self.set_aside(&broken);
        Ok(())
    }

    /// Builds the state as it was after the record `until`. Gives the runs with a record that could not be applied, and
    /// why; `None` when that is journaled already.
    pub(super) fn rebuild(&mut self, until: Lsn) -> Result<Broken, OpenError> {
        let (mut from, mut anew) = match self.image.load() {
            Some(checkpoint)
                if (fault::planted(Bug::ImageBelieved) || is_vouched_for(&self.log, &checkpoint)?)
                    && self.load_image() =>
            {
                (Lsn(checkpoint.lsn.0 + 1), false)
            }
            Some(_) | None => (self.begin_anew()?, true),
        };
        let mut replayed = self.replay(from, until, Filling::Whenever)?;
        if let Some(why) = self.image.failure() {
            // What it did not say of runs that were let go of is missing.
            tracing::warn!(why, "the checkpoint failed while the journal was replayed; that begins anew, without it");
            self.dirty = Dirty::default();
            self.positions = Positions::default();
            (from, anew) = (self.begin_anew()?, true);
            replayed = self.replay(from, until, Filling::Later)?;
        }
        if anew && (from > Lsn(1) || replayed.checkpointed) {
            // There was an image: it is to be made again at closing.
            self.dirty.bytes = self.dirty.bytes.max(UNCHECKED_BYTES);
        }
        Ok(replayed.broken)
    }

    /// Takes the open runs in from the image. Says whether all of it could be read.
    fn load_image(&mut self) -> bool {
        let mut opening = Opening::default();
        let mut read = |image: &mut Pending<B::Image>, prefix: &[u8], order| {
            let scanned = image.scan(prefix, order, &mut |key, value| {
                opening.take(key, value);
                order == Order::Up && opening.wrong.is_none()
            });
            scanned.map_err(|error| error.to_string()).and_then(|()| opening.wrong.take().map_or(Ok(()), Err))
        };
        let loaded = read(&mut self.image, NEEDS_KEY, Order::Up)
            .and_then(|()| read(&mut self.image, FORGOTTEN_KEY, Order::Up))
            .and_then(|()| read(&mut self.image, REMOVED_KEY, Order::Up))
            .and_then(|()| read(&mut self.image, DEFINITION_PREFIX, Order::Up))
            .and_then(|()| read(&mut self.image, PLACE_PREFIX, Order::Up))
            .and_then(|()| read(&mut self.image, RUN_PREFIX, Order::Up))
            .and_then(|()| read(&mut self.image, SCHEDULE_PREFIX, Order::Up))
            .and_then(|()| read(&mut self.image, CLOCK_KEY, Order::Up))
            // Of those that have ended, the newest is enough.
            .and_then(|()| read(&mut self.image, SUMMARY_PREFIX, Order::Down));
        match loaded {
            Ok(()) => {
                (self.state, self.positions) = (opening.state, opening.positions);
                true
            }
            Err(why) => {
                tracing::warn!(%why, "the checkpoint cannot be read; it is made anew");
                false
            }
        }
    }

    /// Empties the image and begins with the newest base. Gives the position from which the journal is to be replayed.
    fn begin_anew(&mut self) -> Result<Lsn, OpenError> {
        let Some((lsn, opening)) = load_base(&self.bases, &self.log)? else {
            self.state = State::cold();
            self.image.fill(Vec::new());
            return Ok(Lsn(1));
        };
        tracing::info!(lsn = lsn.0, "the checkpoint is made anew from a base");
        (self.state, self.positions) = (opening.state, opening.positions);
        self.image.fill(opening.past);
        // It is written when the engine is open: nobody waits for it then.
        self.mark_everything();
        self.dirty.since = Some(self.now.time);
        Ok(Lsn(lsn.0 + 1))
    }

    /// Fills an image anew that failed while it was used: with what the journal says of the past, and all that is in
    /// memory. Says whether that was done; an image that did not fail is left alone.
    pub(super) fn refill_image(&mut self) -> bool {
        let Some(why) = self.image.failure() else { return false };
        tracing::warn!(why, "the checkpoint failed and is made anew; nothing is lost");
        let read = Whole::read(&self.bases, &self.log);
        self.dirty.since.get_or_insert(self.now.time);
        match read {
            Ok(mut read) => {
                read.past.retain(|id, _| !self.has(*id));
                self.give_up_writing();
                self.image.fill(read.past_entries());
                self.mark_everything();
                true
            }
            Err(error) => {
                tracing::error!(%error, "what a checkpoint is made from cannot be read");
                false
            }
        }
    }

    /// Lets the next checkpoint hold everything that is in memory.
    fn mark_everything(&mut self) {
        self.dirty.runs = self.positions.runs.keys().copied().collect();
        self.dirty.clock = true;
        self.dirty.schedules = self.state.schedules().iter().map(|(name, _)| name.clone()).collect();
        let definitions = self.positions.definitions.keys().chain(self.positions.uses.keys());
        self.positions.touched = definitions.cloned().collect();
    }

    fn store_while_replaying(&mut self, lsn: Lsn) {
        if let Err(error) = self.store_state(lsn) {
            tracing::warn!(%error, "the checkpoint cannot be written while the journal is replayed");
        }
    }

    /// Applies the journal's records of these positions.
    fn replay(&mut self, from: Lsn, until: Lsn, filling: Filling) -> Result<Replayed, OpenError> {
        let mut replayed = Replayed::default();
        // Taken aside so that a record may ask the journal while it is being read.
        let mut frames = Vec::new();
        let mut next = from;
        loop {
            let mut bytes = 0;
            self.log.read(next, &mut |frame| {
                if frame.last() > until {
                    return false;
                }
                bytes += frame.records.iter().map(Vec::len).sum::<usize>();
                frames.push(frame);
                bytes < READ_BYTES
            })?;
            let Some(last) = frames.last().map(Frame::last) else { return Ok(replayed) };
            for frame in frames.drain(..) {
                self.replay_frame(&frame, from, &mut replayed)?;
            }
            // What is in memory stays what is open, and of that what waits is small.
            self.state.pack_waiting(self.now);
            if filling == Filling::Whenever && replayed.ended > MAX_REPLAYED_RUNS {
                self.store_while_replaying(last);
                self.dirty.since = Some(self.now.time);
                replayed.ended = 0;
            }
            next = Lsn(last.0 + 1);
        }
    }

    fn replay_frame(&mut self, frame: &Frame, from: Lsn, replayed: &mut Replayed) -> Result<(), OpenError> {
        let Replayed { broken, checkpointed, ended } = replayed;
        for (lsn, bytes) in (frame.first.0..).map(Lsn).zip(&frame.records).filter(|(lsn, _)| *lsn >= from) {
            self.dirty.bytes += bytes.len();
            let record = decode_record(lsn, bytes)?;
            *checkpointed |= matches!(record, Record::Checkpointed { .. });
            *ended += usize::from(matches!(record, Record::Changed { change: Change::Finished { .. }, .. }));
            let mut lookup = ImageShelf { image: &mut self.image, log: &self.log };
            let mut fold = Fold { state: &mut self.state, positions: &mut self.positions, broken, shelf: &mut lookup };
            if fold.apply(lsn, &record, frame.stamp)? {
                self.mark(&record);
            }
        }
        Ok(())
    }

    /// Leaves open runs alone, and quarantines those that could not be rebuilt.
    fn set_aside(&mut self, broken: &Broken) {
        let mut batch = Batch::default();
        for (id, why) in broken {
            let Break::Bug(Some(why)) = why else { continue };
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

    /// Takes up a run that a former engine left, with those that it waits for and those that wait for it; what became of
    /// their running attempts is found out. Does nothing to others.
    pub(super) fn take_up(&mut self, id: RunId, batch: &mut Batch) {
        if !self.is_interrupted(id) {
            return;
        }
        for id in self.family(id) {
            self.take_up_one(id, batch);
        }
    }

    fn take_up_one(&mut self, id: RunId, batch: &mut Batch) {
        let Some(mut run) = self.interrupted.remove(&id) else { return };
        if fault::planted(Bug::TimersForgotten) {
            run.open().timers.clear();
        }
        if !fault::planted(Bug::AttemptsNotRecovered) {
            batch.recovered.extend(run.look().running().map(|(step, token)| (id, step, token)));
        }
        self.state.admit_kept(run);
    }
}

/// What a replay came upon.
#[derive(Default)]
struct Replayed {
    broken: Broken,
    /// A record of a checkpoint.
    checkpointed: bool,
    /// Runs that ended, since the last ones were let go of.
    ended: usize,
}

/// When a replay brings into the image what it came upon.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Filling {
    /// Whenever there is much of it, so that memory does not hold all of the past.
    Whenever,
    /// Once the replay is over: the image has just failed, and must be asked nothing.
    Later,
}

/// Bytes of records that are taken from the log at a time while it is replayed.
const READ_BYTES: usize = 16 * 1024 * 1024;

/// What was let go of is in the image.
struct ImageShelf<'a, I, L> {
    image: &'a mut I,
    log: &'a L,
}

impl<I: Image, L: Frames> Shelf for ImageShelf<'_, I, L> {
    fn summary(&mut self, id: RunId) -> Option<Summary> {
        decode(&self.image.get(&summary_key(&id.to_string())).ok()??).ok()
    }

    fn remove(&mut self, _: RunId) {
        // The next checkpoint takes it out of the image.
    }

    fn kept(&mut self, id: RunId) -> Option<Vec<u8>> {
        self.image.get(&run_key(id)).ok()?
    }

    fn frames(&self) -> &dyn Frames {
        self.log
    }
}

/// Whether the journal holds the record of that very checkpoint: it comes behind what the checkpoint holds, and behind
/// what was journaled while that was written.
fn is_vouched_for(frames: &dyn Frames, checkpoint: &Checkpoint) -> Result<bool, OpenError> {
    let Checkpoint { lsn, generation, digest } = *checkpoint;
    let expected = Record::Checkpointed { lsn, generation, digest };
    let behind = Lsn(lsn.0 + 1);
    let mut vouched = Ok(false);
    frames.read(behind, &mut |frame| {
        // Such a record stands in a frame of its own.
        if let [bytes] = frame.records.as_slice() {
            vouched = decode_record(frame.first, bytes).map(|record| record == expected);
        }
        matches!(vouched, Ok(false))
    })?;
    if matches!(vouched, Ok(false)) {
        tracing::warn!(lsn = lsn.0, "the journal does not vouch for a checkpoint; it is not used");
    }
    vouched
}

/// Reads the newest base that can be read and that the journal vouches for, and says which it is. `None` where there is
/// none and none is needed: the journal has everything from its first record on.
pub(crate) fn load_base(bases: &dyn StoredBases, frames: &dyn Frames) -> Result<Option<(Lsn, Opening)>, OpenError> {
    let mut why = None;
    for StoredBase { lsn, .. } in bases.list()? {
        let mut opening = Opening::default();
        match bases.read(lsn, &mut |key, value| opening.take(key, value)) {
            Ok(_) if opening.wrong.is_some() => why = opening.wrong,
            Ok(checkpoint) if is_vouched_for(frames, &checkpoint)? => return Ok(Some((lsn, opening))),
            Ok(_) => why = Some(format!("the journal does not vouch for the base of record {}", lsn.0)),
            Err(error) => why = Some(error.to_string()),
        }
        tracing::warn!(lsn = lsn.0, why, "a base cannot be used");
    }
    let oldest = frames.oldest();
    if oldest == Lsn(1) {
        return Ok(None);
    }
    let why = why.unwrap_or_else(|| "there is none".to_owned());
    let what = format!("the journal begins at record {}, and no base leads up to it: {why}", oldest.0);
    Err(damaged(&bases.place(), 0, what))
}

/// What a checkpoint holds, entry by entry in the order of its keys: definitions, their places, runs, and rows.
pub(crate) struct Opening {
    /// The open runs and the definitions they use.
    pub state: State,
    /// Where they are.
    pub positions: Positions,
    /// The entries of runs that have ended, and pages of ledgers.
    pub past: Vec<Entry>,
    /// The first thing that could not be understood.
    wrong: Option<String>,
}

impl Default for Opening {
    fn default() -> Self {
        Self { state: State::cold(), positions: Positions::default(), past: Vec::new(), wrong: None }
    }
}

impl Opening {
    fn take(&mut self, key: &[u8], value: &[u8]) {
        if self.wrong.is_none() {
            self.wrong = self.try_take(key, value).err();
        }
    }

    fn try_take(&mut self, key: &[u8], value: &[u8]) -> Result<(), String> {
        let undecodable = |error: DecodeError| format!("the entry `{}`: {error}", key.escape_ascii());
        if key == NEEDS_KEY {
            self.positions.needs = decode(value).map_err(undecodable)?;
        } else if key == FORGOTTEN_KEY {
            self.positions.forgotten = decode(value).map_err(undecodable)?;
        } else if key == REMOVED_KEY {
            self.positions.removed = decode(value).map_err(undecodable)?;
        } else if let Some(hash) = name(key, DEFINITION_PREFIX) {
            let graph: Graph = decode(value).map_err(undecodable)?;
            self.state.define(hash.to_owned(), Arc::new(graph));
        } else if let Some(hash) = name(key, PLACE_PREFIX) {
            self.positions.definitions.insert(hash.to_owned(), decode(value).map_err(undecodable)?);
        } else if let Some(id) = name(key, RUN_PREFIX) {
            let entry = RunEntry::decode(value).map_err(undecodable)?;
            if entry.ended {
                self.past.push((key.to_vec(), value.to_vec()));
                return Ok(());
            }
            let Some(definition) = self.state.known(&entry.definition) else {
                return Err(format!("the definition of run {id} is not there"));
            };
            let id = id.parse().map_err(|_| format!("`{id}` is no run"))?;
            self.positions.admit(id, &entry.definition, entry.span);
            let (definition, claims, tick) = (Arc::clone(definition), entry.claims.clone(), entry.tick.clone());
            self.state.admit_cold(id, entry.into_kept(&definition), &claims, tick.as_ref());
        } else if key == CLOCK_KEY {
            let held: ClockJump = decode(value).map_err(undecodable)?;
            self.state.schedules_mut().hold(Some(&held));
        } else if key.starts_with(LEDGER_PREFIX) {
            self.past.push((key.to_vec(), value.to_vec()));
        } else if let Some(schedule) = name(key, SCHEDULE_PREFIX) {
            let name = schedule.parse().map_err(|_| format!("`{schedule}` is no schedule"))?;
            let schedule = decode(value).map_err(undecodable)?;
            self.positions.admit_schedule(&schedule);
            self.state.admit_schedule(name, schedule);
        } else if let Some(id) = name(key, SUMMARY_PREFIX) {
            let id = id.parse().map_err(|_| format!("`{id}` is no run"))?;
            self.positions.newest = self.positions.newest.max(Some(id));
            self.past.push((key.to_vec(), value.to_vec()));
        }
        Ok(())
    }
}

/// What stands behind the prefix of a key.
fn name<'a>(key: &'a [u8], prefix: &[u8]) -> Option<&'a str> {
    std::str::from_utf8(key.strip_prefix(prefix)?).ok()
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
