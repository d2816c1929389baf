//! The engine's process: how it is started, turned, and how it ends.

use crate::api::Request;
use crate::clock::Stamp;
use crate::driver::{Caller, Driver, Effect, Input, Places, Turn};
use crate::store::memory::MemoryDisk;

use super::{Event, World};
use crate::sim::evidence::{Moment, Opening};

/// The engine that is there.
pub(super) struct Engine {
    pub driver: Driver<MemoryDisk>,
    /// Counts engines: what an event meant for a former one is lost.
    pub number: u64,
    pub mailbox: Vec<Input>,
    /// It turns, or is about to.
    busy: bool,
}

/// Milliseconds from the end of an engine that failed to the start of the next.
const RESTART: u64 = 200;

impl World<'_> {
    /// Starts the engine: opens the store and recovers.
    pub(super) fn boot(&mut self) {
        if self.engine.is_some() {
            return;
        }
        self.nemesis_before_boot();
        match self.open(self.disk.clone()) {
            Ok(driver) => self.started(driver),
            Err(error) => {
                self.say(|| format!("engine: cannot start: {error}"));
                self.plan(self.now + RESTART, Event::Boot);
            }
        }
    }

    /// A driver over a disk, recovered.
    pub(super) fn open(&self, disk: MemoryDisk) -> Result<Driver<MemoryDisk>, String> {
        let places = Places { logs: "/data/logs".into(), spool: "/data/spool".into() };
        let clock = Box::new(self.clock.clone());
        Driver::open(disk, clock, self.evaluator.clone(), places).map_err(|error| error.to_string())
    }

    fn started(&mut self, driver: Driver<MemoryDisk>) {
        self.engines += 1;
        let number = self.engines;
        let durable = self.durable();
        self.say(|| format!("engine {number}: started, the journal ends at {durable}"));
        let frames = self.disk.frames();
        self.evidence.openings.push(Opening { frames: frames.len(), hash: super::end::hash(&frames) });
        let interrupted: Vec<_> = driver.interrupted().collect();
        let mut kept = Vec::new();
        for run in interrupted.iter().filter_map(|id| driver.run(*id)) {
            kept.extend(run.running().map(|(_, token)| (run.id, token)));
        }
        self.engine = Some(Engine { driver, number, mailbox: Vec::new(), busy: false });
        self.sweep(&kept);
        if self.scenario.resumes {
            for run in interrupted {
                let request = Request::Resume { run: run.to_string(), by: "engine".to_owned() };
                self.send(Caller(0), request);
            }
        }
        self.nemesis_after_boot();
        self.poke();
    }

    /// Removes what attempts of runs that are over have left in the spool.
    fn sweep(&mut self, kept: &[super::Key]) {
        let gone: Vec<_> = self.spool.attempts.keys().copied().filter(|key| !kept.contains(key)).collect();
        for key in gone {
            self.forget(key);
        }
    }

    /// Gives the engine a request.
    pub(super) fn send(&mut self, caller: Caller, request: Request) {
        if let Some(engine) = &mut self.engine {
            engine.mailbox.push(Input::Request { caller, request });
        }
        self.poke();
    }

    /// Gives an input to the engine that it was meant for.
    pub(super) fn deliver(&mut self, engine: u64, input: Input) {
        match &mut self.engine {
            Some(now) if now.number == engine => now.mailbox.push(input),
            _ => {
                self.coverage.trouble("input lost with its engine");
                return;
            }
        }
        self.poke();
    }

    /// Lets the engine take a turn as soon as it can.
    pub(super) fn poke(&mut self) {
        let Some(engine) = &mut self.engine else { return };
        if !engine.busy {
            engine.busy = true;
            let number = engine.number;
            self.plan(self.now, Event::Turn(number));
        }
    }

    /// When the engine turns by itself.
    pub(super) fn wakes_at(&mut self) -> Option<u64> {
        let engine = self.engine.as_mut().filter(|engine| !engine.busy)?;
        let due = engine.driver.next_wake()?;
        let ahead = due.saturating_sub(engine.driver.read_clock().time);
        Some(self.now + ahead)
    }

    pub(super) fn turn(&mut self, number: u64) {
        let Some(engine) = self.engine.as_mut().filter(|engine| engine.number == number) else { return };
        let inputs = std::mem::take(&mut engine.mailbox);
        let turn = engine.driver.turn(inputs);
        // Before anything is durable, engine time begins with every engine.
        if self.disk.durable().0 > 0 {
            let Stamp { time, boot, .. } = engine.driver.now();
            let anchored = self.disk.head().stamp.is_some_and(|stamp| stamp.boot == boot);
            self.evidence.moments.push(Moment { time, boot, now: self.now, engine: number, anchored });
        }
        self.observe();
        let slow = self.nemesis_turn();
        self.plan(self.now + slow, Event::Follow(number, Box::new(turn)));
    }

    pub(super) fn follow(&mut self, number: u64, turn: Turn) {
        if self.engine.as_ref().is_none_or(|engine| engine.number != number) {
            self.coverage.trouble("effects lost with their engine");
            return;
        }
        let mut again = turn.again;
        if !self.carry_out(turn.effects) {
            return;
        }
        let Some(engine) = &mut self.engine else { return };
        let tended = engine.driver.tend();
        self.observe();
        again |= tended.again;
        if !self.carry_out(tended.effects) {
            return;
        }
        let Some(engine) = &mut self.engine else { return };
        engine.busy = false;
        if let Some(why) = engine.driver.halted() {
            let why = why.to_owned();
            self.say(|| format!("engine {number}: stops: {why}"));
            self.close(RESTART);
        } else if again || !engine.mailbox.is_empty() {
            self.poke();
        }
    }

    /// Carries effects out. Says whether the engine lived to see the last of them done.
    fn carry_out(&mut self, effects: Vec<Effect>) -> bool {
        for effect in effects {
            if self.nemesis_kills_before(&effect) {
                return false;
            }
            self.coverage.effect(&effect);
            match effect {
                Effect::Answer(caller, reply) => self.answered(caller, &reply),
                Effect::Start { step, attempt } => self.start(step, &attempt),
                Effect::Recover { step, attempt, this_boot } => self.recover(step, &attempt, this_boot),
                Effect::Stop(run, token) => self.stop((run, token)),
                Effect::Forget(run, token) => {
                    let durable = self.durable();
                    self.evidence.forgotten.push(((run.to_string(), token.0), durable));
                    self.forget((run, token));
                }
                Effect::Evaluate(evaluation) => {
                    let Some(engine) = &self.engine else { return false };
                    let answer = engine.driver.evaluator().answer(&evaluation, &|| false);
                    let (step, question) = (evaluation.step, evaluation.question);
                    let input = Input::Evaluated { run: evaluation.run.id, step, question, answer };
                    let number = engine.number;
                    let delay = self.nemesis_evaluation();
                    self.plan(self.now + 20 + delay, Event::Deliver(number, Box::new(input)));
                }
                Effect::ReadPage(read) => self.read_page(&read),
                Effect::Ended(_) => {}
            }
        }
        true
    }

    /// The engine ends in good order, as far as its store lets it; another is started.
    pub(super) fn close(&mut self, down: u64) {
        let Some(engine) = &mut self.engine else { return };
        let inputs = std::mem::take(&mut engine.mailbox);
        let mut turn = engine.driver.close(inputs);
        self.observe();
        turn.effects
            .retain(|effect| !matches!(effect, Effect::Start { .. } | Effect::Evaluate(_) | Effect::ReadPage(_)));
        if self.carry_out(turn.effects) {
            self.lose_engine();
            self.plan(self.now + down, Event::Boot);
        }
    }

    /// `kill -9`; another is started.
    pub(super) fn kill(&mut self, down: u64) {
        if self.engine.is_some() {
            let number = self.engines;
            self.say(|| format!("engine {number}: killed"));
            self.lose_engine();
            self.disk.kill();
            self.plan(self.now + down, Event::Boot);
        }
    }

    /// The engine is gone, and all that only it knew.
    pub(super) fn lose_engine(&mut self) {
        self.compare_with_replay();
        self.engine = None;
        self.clients.lose_all();
        self.ask_again();
        self.leave_attempts();
    }
}
