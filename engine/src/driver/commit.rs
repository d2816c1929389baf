//! Makes what a turn has decided durable, and deals with a store that does not take it.

use super::batch::Batch;
use super::effect::{Effect, Turn};
use super::{Driver, Input};
use crate::api::{Refusal, RefusalKind, Reply, Request};
use crate::core::Command;
use crate::core::run::{Change, Record, Refused};
use crate::driver::backing::Backing;
use crate::fault::{self, Bug};
use crate::id::Lsn;
use crate::limits::FULL_RETRY_MS;
use crate::store::{AppendError, Frame, ShardLog};

/// A frame that there was no room for. What it holds has been decided and is tried again until there is.
pub(super) struct Held {
    batch: Batch,
    frame: Frame,
    /// Why, for people.
    pub why: String,
    /// Engine time of the next try.
    pub next_try: u64,
}

/// What became of a frame.
enum Appended {
    Durable,
    NoSpace(String),
    /// The driver turns no more.
    Halted,
}

impl<B: Backing> Driver<B> {
    /// Appends the batch as one frame; what follows from it goes to `turn` once it is durable.
    pub(super) fn commit(&mut self, mut batch: Batch, turn: &mut Turn) {
        if batch.encoded.is_empty() {
            self.conclude(batch, turn);
            return;
        }
        if fault::planted(Bug::AnswerBeforeDurable) {
            let answers = std::mem::take(&mut batch.answers);
            turn.effects.extend(answers.into_iter().map(|(caller, reply)| Effect::Answer(caller, reply)));
        }
        let mut frame = self.frame(&mut batch);
        let mut appended = self.append(&frame);
        if let Appended::NoSpace(why) = &appended
            && !batch.started().is_empty()
        {
            // Starts are taken back: nothing of them is durable, so the callers can be told so.
            self.take_back(&mut batch, &mut frame, why, turn);
            if frame.records.is_empty() {
                self.conclude(batch, turn);
                return;
            }
            appended = self.append(&frame);
        }
        match appended {
            Appended::Durable => self.conclude(batch, turn),
            Appended::Halted => {
                if fault::planted(Bug::StartBeforeIntent) {
                    self.effects_of(&batch.records, turn);
                }
                self.refuse_all(batch, turn);
            }
            Appended::NoSpace(why) => {
                tracing::error!(why, "nothing can be stored; runs stand still until there is room");
                for (caller, reply) in std::mem::take(&mut batch.answers) {
                    if fault::planted(Bug::FullAnswered) {
                        turn.effects.push(Effect::Answer(caller, reply));
                        continue;
                    }
                    let message = format!("{why}; what was asked for takes effect as soon as there is room");
                    turn.effects.push(Effect::Answer(caller, refused(RefusalKind::Store, message)));
                }
                turn.again = false;
                let next_try = self.now.time + FULL_RETRY_MS;
                self.held = Some(Held { batch, frame, why, next_try });
            }
        }
    }

    /// Tries again what there was no room for. Says whether the driver may go on.
    pub(super) fn release_held(&mut self, turn: &mut Turn) -> bool {
        if self.halted.is_some() {
            return false;
        }
        let Some(mut held) = self.held.take() else { return true };
        match self.append(&held.frame) {
            Appended::Durable => {
                tracing::info!("there is room again");
                self.conclude(held.batch, turn);
                true
            }
            Appended::Halted => {
                self.refuse_all(held.batch, turn);
                false
            }
            Appended::NoSpace(why) => {
                held.why = why;
                held.next_try = self.now.time + FULL_RETRY_MS;
                self.held = Some(held);
                false
            }
        }
    }

    /// Answers every waiting request that nothing can be stored or shown now; other inputs wait on.
    pub(super) fn refuse_requests(&mut self, turn: &mut Turn) {
        let why = self.halted.clone().or_else(|| self.full().map(str::to_owned));
        let why = why.unwrap_or_else(|| "the engine was closed".to_owned());
        let (requests, others): (Vec<_>, Vec<_>) = std::mem::take(&mut self.waiting)
            .into_iter()
            .chain(std::mem::take(&mut self.starts))
            .partition(|input| matches!(input, Input::Request { .. }));
        self.waiting.extend(others);
        for input in requests {
            if let Input::Request { caller, .. } = input {
                turn.effects.push(Effect::Answer(caller, refused(RefusalKind::Store, why.clone())));
            }
        }
    }

    /// Appends a frame of the driver's own.
    pub(super) fn append_records(&mut self, records: Vec<Record>, turn: &mut Turn) {
        let mut batch = Batch::default();
        batch.extend(records);
        self.commit(batch, turn);
    }

    fn frame(&self, batch: &mut Batch) -> Frame {
        let records = std::mem::take(&mut batch.encoded);
        Frame { first: Lsn(self.last.0 + 1), stamp: self.now, records }
    }

    fn append(&mut self, frame: &Frame) -> Appended {
        let bytes: usize = frame.records.iter().map(Vec::len).sum();
        match self.log.append(self.last, frame) {
            Ok(()) => {}
            Err(AppendError::NoSpace(why)) => return Appended::NoSpace(format!("there is no room to store it: {why}")),
            Err(AppendError::Unknown(why)) if fault::planted(Bug::UnknownIsFailure) => return self.halt(why),
            Err(AppendError::Unknown(why)) => {
                if !fault::planted(Bug::UnknownBelieved)
                    && let Err(halt) = self.find_out(frame, &why)
                {
                    return self.halt(halt);
                }
            }
            Err(error @ (AppendError::Failed(_) | AppendError::Fenced(_))) => return self.halt(error.to_string()),
        }
        self.last = frame.last();
        self.dirty.bytes += bytes;
        self.base.journaled(bytes);
        Appended::Durable
    }

    /// Opens the log again to see whether a frame is in it, and appends it if it is not.
    fn find_out(&mut self, frame: &Frame, why: &str) -> Result<(), String> {
        tracing::warn!(why, "it is not known whether a write took place; the log is opened again");
        self.log = self.backing.open_log().map_err(|error| error.to_string())?;
        let head = self.log.head().last;
        if head == frame.last() {
            return Ok(());
        }
        if head != self.last {
            return Err(format!("the log ends at record {}, where {} was expected", head.0, self.last.0));
        }
        self.log.append(self.last, frame).map_err(|error| error.to_string())
    }

    fn halt(&mut self, why: String) -> Appended {
        tracing::error!(why, "the store has failed; the engine stops");
        self.halted = Some(why);
        Appended::Halted
    }

    fn refuse_all(&mut self, batch: Batch, turn: &mut Turn) {
        let why = self.halted.clone().unwrap_or_default();
        let callers = batch.answers.into_iter().map(|(caller, _)| caller);
        for caller in callers.chain(batch.reads.into_iter().map(|(caller, _)| caller)) {
            turn.effects.push(Effect::Answer(caller, refused(RefusalKind::Store, why.clone())));
        }
        turn.again = false;
    }

    /// Takes the runs that the batch creates out of it and out of the state.
    fn take_back(&mut self, batch: &mut Batch, frame: &mut Frame, why: &str, turn: &mut Turn) {
        let created = batch.started();
        batch.encoded = std::mem::take(&mut frame.records);
        for hash in batch.without(&created) {
            self.state.undefine(&hash);
        }
        frame.records = std::mem::take(&mut batch.encoded);
        for run in &created {
            self.state.withdraw(*run);
        }
        self.evaluating.retain(|(run, ..)| !created.contains(run));
        turn.effects.retain(|effect| !matches!(effect, Effect::Evaluate(slow) if created.contains(&slow.run.id)));
        turn.effects.retain(|effect| !matches!(effect, Effect::ReadPage(read) if created.contains(&read.run)));
        let answers = std::mem::take(&mut batch.answers);
        for (caller, reply) in answers {
            match reply {
                Reply::Started { run } if created.contains(&run) => {
                    let reply = refused(RefusalKind::Store, format!("{why}; the run was not started"));
                    turn.effects.push(Effect::Answer(caller, reply));
                }
                other => batch.answers.push((caller, other)),
            }
        }
    }

    /// What follows from a batch that is durable.
    fn conclude(&mut self, batch: Batch, turn: &mut Turn) {
        let first = self.last.0 + 1 - batch.records.len() as u64;
        let mut edited = batch.edited();
        for (lsn, record) in (first..).map(Lsn).zip(&batch.records) {
            if let Record::Changed { run, change: Change::Edited { edit } } = record {
                edited.insert(*run, edit.definition.clone());
            }
            let edited = record.run().and_then(|run| edited.get(&run));
            self.note(lsn, record, edited.map(String::as_str));
        }
        turn.effects.extend(batch.reported.iter().map(|(run, token)| Effect::Forget(*run, *token)));
        self.look_after(&batch.recovered, turn);
        self.effects_of(&batch.records, turn);
        turn.effects.extend(batch.answers.into_iter().map(|(caller, reply)| Effect::Answer(caller, reply)));
        for (caller, request) in batch.reads {
            let reply = self.read(&request);
            turn.effects.push(Effect::Answer(caller, reply));
        }
    }

    /// Decides and notes what was decided; a panic quarantines the run.
    pub(super) fn decide(&mut self, command: Command, batch: &mut Batch) -> Result<(), Refused> {
        let run = match &command {
            Command::Create { run, .. } | Command::Edit { run, .. } | Command::Run(run, _) => Some(*run),
            Command::Enroll { .. }
            | Command::Withdraw { .. }
            | Command::Schedule { .. }
            | Command::HoldSchedules(_) => None,
        };
        let now = self.now;
        let state = &mut self.state;
        match std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| state.decide(command, now))) {
            Ok(Ok(records)) => {
                let from = batch.records.len();
                batch.extend(records);
                self.pass_on(from, batch);
                Ok(())
            }
            Ok(Err(refused)) => Err(refused),
            Err(panic) => {
                let why = super::quarantine::panic_message(panic.as_ref());
                let Some(run) = run else {
                    tracing::error!(why, "a bug of lockstep: a schedule cannot be changed");
                    return Err(Refused::NotNow(format!("a bug in lockstep: {why}")));
                };
                self.quarantine(run, why.clone(), batch);
                Err(Refused::NotNow(format!("a bug in lockstep stopped run {run}: {why}")))
            }
        }
    }
}

/// A request that is refused.
pub(super) fn refused(kind: RefusalKind, message: impl Into<String>) -> Reply {
    Reply::Refused(Refusal { kind, message: message.into(), help: Vec::new() })
}

/// Whether a request only looks.
pub(super) const fn only_looks(request: &Request) -> bool {
    match request {
        Request::Runs { .. }
        | Request::Show { .. }
        | Request::History { .. }
        | Request::Schedules { .. }
        | Request::Ticks { .. }
        | Request::Watch { .. } => true,
        Request::Start(_)
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
        | Request::Signal { .. } => false,
    }
}
