//! The crank: turns inputs into one durable frame, and the frame into effects.
//!
//! A turn has these phases, in this order:
//! 1. *take inputs*: reports of attempts, answers of slow evaluations and requests first, new starts last;
//! 2. *fire timers* and *schedules* that are due;
//! 3. *answer questions* of the core, those that follow from the answers too, so that steps without a worker ride along;
//! 4. *commit* all that was decided as one frame;
//! 5. *conclude*: only now do effects, answers and events leave.
//!
//! The driver makes no choice about a run; the core does. It is synchronous and starts nothing itself: whoever turns it
//! carries the effects out, a process or a simulation. A panic while deciding about one run quarantines that run, and
//! the others go on.
//!
//! Invariant: while a frame is held back (no room on the disk), nothing is decided and nothing is answered but that
//! there is no room.

mod admission;
mod ask;
mod backing;
mod base;
mod batch;
mod call;
pub(crate) mod checkpoint;
mod commit;
mod definitions;
mod edit;
mod effect;
mod ended;
pub(crate) mod entry;
pub(crate) mod find;
mod fire;
pub(crate) mod fold;
mod locks;
pub(crate) mod past;
mod pending;
mod quarantine;
pub(crate) mod read;
pub(crate) mod recovery;
pub(crate) mod removal;
mod request;
mod rest;
mod restore;
mod schedule;
mod started;
pub(crate) mod whole;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;

pub use self::backing::Backing;
pub use self::effect::{Caller, Effect, Turn};
pub use self::removal::PastRows;

use self::base::LastBase;
use self::batch::Batch;
use self::checkpoint::{Dirty, Heavy, Writing};
use self::commit::Held;
use self::definitions::Definitions;
use self::past::Positions;
use self::pending::Pending;
use self::started::Started;
use crate::api::{Refusal, Request};
use crate::clock::{Clock, Stamp};
use crate::core::run::{Answer, Input as RunInput, Kept, Look, Question, Run};
use crate::core::schedule::Schedules;
use crate::core::{Command, State};
use crate::eval::Evaluator;
use crate::id::{Lsn, RunId, StepNo, Token};
use crate::limits::{MAX_INPUTS_A_TURN, MAX_STARTS_A_TURN, SOFT_FRAME_BYTES};
use crate::store::folder::Folder;
use crate::store::journal::JournalStats;
use crate::worker::{Outcome, learned};

/// Something that happened, for the next turn.
#[derive(Debug)]
pub enum Input {
    /// Somebody asks for something.
    Request {
        /// Who is to be answered.
        caller: Caller,
        /// What for.
        request: Request,
    },
    /// A worker says how an attempt ended.
    Reported {
        /// The run.
        run: RunId,
        /// The step.
        step: StepNo,
        /// The attempt's token.
        token: Token,
        /// How.
        outcome: Outcome,
    },
    /// A slow evaluation has come to its end.
    Evaluated {
        /// The run.
        run: RunId,
        /// The step; `None` for the run itself.
        step: Option<StepNo>,
        /// What was asked.
        question: Question,
        /// The answer.
        answer: Answer,
    },
}

/// Where what belongs to attempts lies.
#[derive(Clone, Debug)]
pub struct Places {
    /// Log files, by run.
    pub logs: PathBuf,
    /// Folders of attempts, and of runs' pinned files.
    pub spool: PathBuf,
}

impl Places {
    /// The folder of an attempt.
    pub fn attempt(&self, run: RunId, token: Token) -> PathBuf {
        self.spool.join(format!("{run}-{}", token.0))
    }

    /// The folder of what a run's steps have learned.
    pub fn secrets(&self, run: RunId) -> PathBuf {
        learned::folder(&self.spool, run)
    }

    /// The folder of a run's pinned files.
    pub fn files(&self, run: RunId) -> PathBuf {
        self.spool.join(format!("{run}-files"))
    }
}

/// The driver over a store. The same for an engine and for a simulation.
pub struct Driver<B: Backing> {
    backing: B,
    log: B::Log,
    image: Pending<B::Image>,
    bases: B::Bases,
    base: LastBase,
    clock: Box<dyn Clock>,
    evaluator: Evaluator,
    places: Places,
    state: State,
    /// Open runs that a former engine left, not taken up yet. The state does not hold them, so nothing happens to them.
    interrupted: BTreeMap<RunId, Kept>,
    /// Where in the journal the runs in memory and all definitions are.
    positions: Positions,
    started: Started,
    definitions: Definitions,
    /// The last durable record.
    last: Lsn,
    /// Up to there no run was left open, and nothing was read of what ended before: see `rest`.
    unread: Option<Lsn>,
    /// This turn's stamp, or that of the last frame.
    now: Stamp,
    /// Inputs for the next turns: what came of runs that exist, and starts.
    waiting: VecDeque<Input>,
    starts: VecDeque<Input>,
    /// New runs are to wait.
    starts_held: bool,
    /// Questions whose evaluation takes long and goes on elsewhere.
    evaluating: BTreeSet<(RunId, Option<StepNo>, Question)>,
    held: Option<Held>,
    dirty: Dirty,
    /// The checkpoint that is being written.
    writing: Option<Writing>,
    heavy: Heavy,
    halted: Option<String>,
}

impl Driver<Folder> {
    /// What the journal has done on the way of commits so far.
    pub const fn journal(&self) -> JournalStats {
        self.log.stats()
    }
}

impl<B: Backing> Driver<B> {
    /// Takes one turn. Never waits for anything but the disk.
    pub fn turn(&mut self, inputs: impl IntoIterator<Item = Input>) -> Turn {
        for input in inputs {
            match &input {
                Input::Request { request: Request::Start(_), .. } => self.starts.push_back(input),
                Input::Request { .. } | Input::Reported { .. } | Input::Evaluated { .. } => {
                    self.waiting.push_back(input);
                }
            }
        }
        let mut turn = Turn::default();
        let before = self.now;
        self.now = self.clock.now(Some(&before));
        if !self.release_held(&mut turn) {
            self.refuse_requests(&mut turn);
            return turn;
        }
        let mut batch = Batch::default();
        self.take_inputs(&mut batch);
        self.fire_timers(&mut batch);
        self.fire_schedules(&before, &mut batch, &mut turn);
        self.answer_questions(&mut batch, &mut turn);
        turn.again = batch.more || !self.waiting.is_empty() || !(self.starts.is_empty() || self.starts_held);
        self.commit(batch, &mut turn);
        // A start that was taken back may have stood before others.
        turn.again |= self.state.has_notices() && self.held.is_none() && self.halted.is_none();
        self.state.pack_waiting(self.now);
        turn
    }

    /// Engine time at which the next turn is due without any input; `None` for never.
    pub fn next_wake(&self) -> Option<u64> {
        if self.halted.is_some() {
            return None;
        }
        if let Some(held) = &self.held {
            return Some(held.next_try);
        }
        let timer = self.state.next_due().map(|(due, _)| due);
        timer.into_iter().chain(self.checkpoint_due()).chain(self.tick_due()).min()
    }

    /// The moment of this turn.
    pub const fn now(&self) -> Stamp {
        self.now
    }

    /// Reads the clock without taking a turn.
    pub fn read_clock(&mut self) -> Stamp {
        self.clock.now(Some(&self.now))
    }

    /// Why the driver turns no more, once it does not.
    pub fn halted(&self) -> Option<&str> {
        self.halted.as_deref()
    }

    /// Why nothing can be stored now, while there is no room.
    pub fn full(&self) -> Option<&str> {
        self.held.as_ref().map(|held| held.why.as_str())
    }

    /// A run in memory, as it is after the last turn.
    pub fn run(&self, id: RunId) -> Option<Look<'_>> {
        self.state.run(id).or_else(|| self.interrupted.get(&id).map(Kept::look))
    }

    /// Whether a run is in memory.
    pub fn has(&self, id: RunId) -> bool {
        self.state.has(id) || self.interrupted.contains_key(&id)
    }

    /// The run that a unique prefix of its id, or `last`, names.
    ///
    /// # Errors
    /// There is none, or several.
    pub fn find(&mut self, name: &str) -> Result<RunId, Refusal> {
        self.named(name)
    }

    /// A run that is not in memory any more, made again from the journal.
    pub fn stored(&mut self, id: RunId) -> Option<Run> {
        self.stored_run(id).ok()
    }

    /// The schedules, as they are after the last turn.
    pub const fn schedules(&self) -> &Schedules {
        self.state.schedules()
    }

    /// Where what belongs to attempts lies.
    pub const fn places(&self) -> &Places {
        &self.places
    }

    /// Whether a run was left open by a former engine and not taken up yet.
    pub fn is_interrupted(&self, id: RunId) -> bool {
        self.interrupted.contains_key(&id)
    }

    /// Open runs that were left by a former engine and not taken up yet.
    pub fn interrupted(&self) -> impl Iterator<Item = RunId> + '_ {
        self.interrupted.keys().copied()
    }

    /// Whether nothing happens any more without a request: every run has ended, is interrupted or waits for a person, and
    /// no schedule is due any more.
    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty()
            && self.starts.is_empty()
            && self.evaluating.is_empty()
            && self.state.is_at_rest()
            && self.state.schedules().next_due().is_none()
    }

    /// The evaluator, for what is evaluated outside of a turn.
    pub const fn evaluator(&self) -> &Evaluator {
        &self.evaluator
    }

    fn take_inputs(&mut self, batch: &mut Batch) {
        let mut taken = 0;
        while taken < MAX_INPUTS_A_TURN && batch.bytes < SOFT_FRAME_BYTES {
            let Some(input) = self.waiting.pop_front() else { break };
            self.take(input, batch);
            taken += 1;
        }
        let mut started = 0;
        while started < MAX_STARTS_A_TURN && batch.bytes < SOFT_FRAME_BYTES && !self.starts_held {
            let Some(input) = self.starts.pop_front() else { break };
            self.take(input, batch);
            started += 1;
        }
    }

    fn take(&mut self, input: Input, batch: &mut Batch) {
        match input {
            Input::Request { caller, request } => self.request(caller, request, batch),
            Input::Reported { run, step, token, outcome } => {
                let input = RunInput::Reported { step, token, outcome };
                if let Err(why) = self.decide(Command::Run(run, input), batch) {
                    tracing::warn!(%run, token = token.0, %why, "a report changes nothing");
                }
                batch.reported.push((run, token));
            }
            Input::Evaluated { run, step, question, answer } => {
                self.evaluating.remove(&(run, step, question));
                if let Err(why) = self.answered(run, step, question, answer, batch) {
                    tracing::debug!(%run, %why, "an answer comes too late");
                }
            }
        }
    }

    fn fire_timers(&mut self, batch: &mut Batch) {
        while let Some((due, run)) = self.state.next_due() {
            if due > self.now.time {
                return;
            }
            if batch.bytes >= SOFT_FRAME_BYTES {
                batch.more = true;
                return;
            }
            if let Err(why) = self.decide(Command::Run(run, RunInput::Due), batch) {
                self.quarantine(run, format!("its timer cannot fire: {why}"), batch);
            }
            if self.state.next_due() == Some((due, run)) {
                self.quarantine(run, "a timer that has fired is still there".to_owned(), batch);
            }
        }
    }
}
