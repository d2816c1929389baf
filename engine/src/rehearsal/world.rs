//! The world of a rehearsal: one engine at a time over a disk that survives it, and a clock that jumps.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lockstep_dsl::graph::{Graph, Role};
use lockstep_dsl::value::{Map, Millis, Timestamp, Value};

use super::act::{Act, What};
use super::attempts::{Attempts, Ending, Found};
use super::observer::Observer;
use super::script::Script;
use super::story::{Attempted, End, Missing, Story, in_order};
use crate::api::{Beginning, Reply, Request, Start};
use crate::clock::ManualClock;
use crate::core::run::{Phase, Question, Resolution, Run};
use crate::driver::{Caller, Driver, Effect, Input, Places, Turn};
use crate::eval::Evaluator;
use crate::id::{RunId, StepNo, Token};
use crate::limits::MAX_REHEARSED_TURNS;
use crate::store::memory::MemoryDisk;
use crate::view::run_view;
use crate::worker::{Attempt, Failure, Outcome};

/// The run's id in every rehearsal.
const RUN: u32 = 7;

/// Milliseconds that a machine takes to start anew.
const BOOT: u64 = 1;

/// What is rehearsed.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The runbook.
    pub graph: Arc<Graph>,
    /// Given parameters, typed but without defaults.
    pub params: Map,
    /// When the run begins.
    pub begin: Timestamp,
    /// Who asks for it.
    pub by: String,
    /// What people do, by time.
    pub acts: Vec<Act>,
    /// When the rehearsal ends, so long after the run's beginning, wherever the run then is; where nothing is said it goes on
    /// until nothing more happens by itself.
    pub until: Option<Millis>,
    /// What goes wrong.
    pub trouble: Option<Trouble>,
}

/// The engine is killed with a durable write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// The number of the write, from 1.
    pub write: u64,
    /// Whether what follows from it is done before.
    pub after_effects: bool,
    /// What is lost.
    pub loss: Loss,
}

/// What is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// The engine. Supervisors go on with their commands; what became of a request that the engine waited for, somebody
    /// looks up, and says so where the engine asks.
    Engine,
    /// The host with all that runs on it.
    Host,
}

/// Rehearses a run from its beginning until nothing more happens by itself.
pub fn rehearse(setting: &Setting, evaluator: &Evaluator, script: &mut dyn Script) -> Story {
    World::new(setting, evaluator.clone(), script).run()
}

/// Something that will come from outside.
enum Planned {
    /// Somebody does something.
    Act {
        act: Act,
        /// Left undone where this step does not wait any more: it is said to that step.
        to: Option<(RunId, StepNo)>,
    },
    /// An attempt that was given up for lost reports after all.
    Report { run: RunId, step: StepNo, token: Token, outcome: Outcome },
}

struct World<'a> {
    setting: &'a Setting,
    script: &'a mut dyn Script,
    evaluator: Evaluator,
    disk: MemoryDisk,
    clock: ManualClock,
    driver: Option<Driver<MemoryDisk>>,
    id: RunId,
    /// Milliseconds since the beginning.
    now: u64,
    /// Inputs for the next turn.
    mailbox: Vec<Input>,
    /// The driver has more to do.
    again: bool,
    attempts: Attempts,
    attempted: Vec<Attempted>,
    planned: Vec<(u64, Planned)>,
    /// Steps that wait for somebody, each with since when, of which the script was asked what is said.
    asked: BTreeSet<(RunId, StepNo, Timestamp)>,
    callers: u64,
    trouble: Option<Trouble>,
    observer: Observer,
    end: Option<End>,
    /// It ended because its time was over.
    cut: bool,
    broken: Vec<String>,
    refused: Vec<String>,
}

impl<'a> World<'a> {
    fn new(setting: &'a Setting, evaluator: Evaluator, script: &'a mut dyn Script) -> Self {
        let planned = |act: &Act| (act.after.0, Planned::Act { act: act.clone(), to: None });
        let mut planned: Vec<(u64, Planned)> = setting.acts.iter().map(planned).collect();
        planned.sort_by_key(|(at, _)| *at);
        Self {
            setting,
            script,
            evaluator,
            disk: MemoryDisk::new(),
            clock: ManualClock::new(setting.begin),
            driver: None,
            id: RunId::new(setting.begin.0, RUN),
            now: 0,
            mailbox: Vec::new(),
            again: false,
            attempts: Attempts::default(),
            attempted: Vec::new(),
            planned,
            asked: BTreeSet::new(),
            callers: 0,
            trouble: setting.trouble,
            observer: Observer::default(),
            end: None,
            cut: false,
            broken: Vec::new(),
            refused: Vec::new(),
        }
    }

    /// From the first turn to the last.
    fn run(mut self) -> Story {
        self.open();
        let mut turns = 0;
        while self.end.is_none() {
            turns += 1;
            if turns > MAX_REHEARSED_TURNS {
                self.end = Some(End::Endless);
            } else if self.driver.is_none() {
                self.open();
            } else if !self.step() {
                self.pass();
            }
        }
        self.finish()
    }

    /// Starts an engine over the disk. What a former one left goes on.
    fn open(&mut self) {
        let places = Places { logs: PathBuf::from("/logs"), spool: PathBuf::from("/spool") };
        let clock = Box::new(self.clock.clone());
        let driver = match Driver::open(self.disk.clone(), clock, self.evaluator.clone(), places) {
            Ok(driver) => driver,
            Err(error) => {
                self.broken.push(format!("the engine cannot recover: {error}"));
                self.end = Some(End::Rest);
                return;
            }
        };
        let interrupted: Vec<RunId> = driver.interrupted().collect();
        self.driver = Some(driver);
        if self.disk.durable().0 == 0 {
            let start = Start {
                id: self.id,
                graph: Arc::clone(&self.setting.graph),
                params: self.setting.params.clone(),
                by: self.setting.by.clone(),
                cwd: None,
                environment: None,
                beginning: Beginning::default(),
            };
            self.ask(Request::Start(Box::new(start)));
        }
        for run in interrupted {
            self.ask(Request::Resume { run: run.to_string(), by: self.setting.by.clone() });
        }
        self.again = true;
    }

    fn ask(&mut self, request: Request) {
        self.callers += 1;
        self.mailbox.push(Input::Request { caller: Caller(self.callers), request });
    }

    /// Does what is due now. Says whether there was anything.
    fn step(&mut self) -> bool {
        if let Some((run, step, token, outcome)) = self.attempts.end_one(self.now) {
            self.mailbox.push(Input::Reported { run, step, token, outcome });
        } else if self.planned.first().is_some_and(|(at, _)| *at <= self.now) && self.mailbox.is_empty() && !self.again
        {
            match self.planned.remove(0).1 {
                Planned::Act { to: Some((run, step)), .. } if !self.is_awaiting(run, step) => return true,
                Planned::Act { act, to } => self.act(act, to),
                Planned::Report { run, step, token, outcome } => {
                    let path = self.path(run, step);
                    self.attempts.may_be_repeated(run, &path);
                    self.mailbox.push(Input::Reported { run, step, token, outcome });
                }
            }
        }
        let due = self.wakes_at().is_some_and(|at| at <= self.now);
        if self.mailbox.is_empty() && !self.again && !due {
            return false;
        }
        self.turn();
        true
    }

    /// Somebody does something.
    fn act(&mut self, act: Act, to: Option<(RunId, StepNo)>) {
        let (run, act) = self.to_whom(act);
        let run = to.map_or(run, |(run, _)| run);
        if let What::Resolve { step, .. } = &act.what {
            self.attempts.may_be_repeated(run, step);
        }
        self.ask(act.request(run));
    }

    /// A turn, and what a process does behind it.
    fn turn(&mut self) {
        let inputs = std::mem::take(&mut self.mailbox);
        let Some(driver) = &mut self.driver else { return };
        let turn = driver.turn(inputs);
        self.again = turn.again;
        if self.follow(turn) {
            return;
        }
        let Some(driver) = &mut self.driver else { return };
        let tended = driver.tend();
        self.again |= tended.again;
        self.follow(tended);
    }

    /// Carries out what a turn led to. Says whether the engine was lost meanwhile.
    fn follow(&mut self, turn: Turn) -> bool {
        self.observe();
        let trouble = self.trouble.filter(|trouble| self.disk.appends() >= trouble.write);
        if let Some(trouble) = trouble.filter(|trouble| !trouble.after_effects) {
            self.lose(trouble.loss);
            return true;
        }
        for effect in turn.effects {
            self.carry_out(effect);
        }
        if let Some(trouble) = trouble {
            self.lose(trouble.loss);
        }
        trouble.is_some()
    }

    fn lose(&mut self, loss: Loss) {
        self.trouble = None;
        self.driver = None;
        self.again = false;
        // Requests of people and reports that were under way: the acts were taken in by the write, ends are found again.
        self.mailbox.clear();
        match loss {
            Loss::Engine => {
                self.disk.kill();
                self.attempts.lose_engine();
            }
            Loss::Host => {
                self.disk.crash();
                self.clock.reboot(BOOT);
                self.now += BOOT;
                self.attempts.lose_host();
            }
        }
    }

    /// Takes note of what has become durable.
    fn observe(&mut self) {
        let news = self.observer.news(&self.disk);
        for of_run in news.chunk_by(|(one, _), (next, _)| one == next) {
            let Some((id, _)) = of_run.first() else { continue };
            let prefix = self.prefix(*id);
            let Some(driver) = &mut self.driver else { return };
            let stored = if driver.run(*id).is_none() { driver.stored(*id) } else { None };
            let open = driver.run(*id);
            if let Some(run) = open.as_deref().or(stored.as_ref()) {
                for (_, change) in of_run {
                    self.observer.look(change, run, &prefix, self.now);
                }
            }
        }
        for (run, no) in std::mem::take(&mut self.observer.untouched) {
            let path = self.path(run, no);
            self.attempts.may_be_repeated(run, &path);
        }
        if self.driver.as_ref().is_some_and(|driver| driver.run(self.id).is_some()) {
            self.open_runs().into_iter().for_each(|run| self.listen(run));
        }
    }

    /// What is said to the steps of a run that have begun to wait for somebody is planned.
    fn listen(&mut self, id: RunId) {
        let Some(run) = self.driver.as_ref().and_then(|driver| driver.run(id)) else { return };
        let waiting = run.awaiting().into_iter().filter_map(|no| {
            let signal = run.awaited_signal(no).map(str::to_owned);
            Some((no, since(&run, no)?, run.path(no), signal))
        });
        let waiting: Vec<_> = waiting.collect();
        drop(run);
        for (no, since, path, signal) in waiting {
            if !self.asked.insert((id, no, since)) {
                continue;
            }
            let path = format!("{}{path}", self.prefix(id));
            for act in self.script.words(&path, signal.as_deref()) {
                self.plan(self.now.saturating_add(act.after.0), Planned::Act { act, to: Some((id, no)) });
            }
        }
    }

    /// The run, and those that it has called and waits for, as far as they are open.
    fn open_runs(&self) -> Vec<RunId> {
        let mut found = vec![self.id];
        let mut next = 0;
        while let Some(id) = found.get(next).copied() {
            let run = self.driver.as_ref().and_then(|driver| driver.run(id));
            found.extend(run.iter().flat_map(|run| run.calling().map(|(_, called)| called).collect::<Vec<_>>()));
            next += 1;
        }
        found
    }

    /// Something will come, behind what was planned for that moment before.
    fn plan(&mut self, at: u64, planned: Planned) {
        let place = self.planned.partition_point(|(other, _)| *other <= at);
        self.planned.insert(place, (at, planned));
    }

    fn is_awaiting(&self, run: RunId, step: StepNo) -> bool {
        let run = self.driver.as_ref().and_then(|driver| driver.run(run));
        run.is_some_and(|run| run.has(step) && since(&run, step).is_some())
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Answer(_, Reply::Refused(refusal)) => {
                if self.disk.durable().0 == 0 {
                    self.end = Some(End::Refused(refusal.message));
                } else {
                    self.refused.push(refusal.message);
                }
            }
            Effect::Start { step, attempt } => {
                let attempt = self.named_from_here(*attempt);
                self.begin(step, attempt);
            }
            Effect::Recover { step, attempt, this_boot } => {
                let attempt = self.named_from_here(*attempt);
                self.recover(step, attempt, this_boot);
            }
            Effect::Stop(run, token) => self.attempts.stop((run, token), self.now),
            Effect::Forget(run, token) => self.attempts.forget((run, token)),
            Effect::Evaluate(evaluation) => {
                let answer = self.evaluator.answer(&evaluation, &|| false);
                let (run, step, question) = (evaluation.run.id, evaluation.step, evaluation.question);
                self.mailbox.push(Input::Evaluated { run, step, question, answer });
            }
            Effect::ReadPage(read) => {
                let path = format!("{}{}", self.prefix(read.run), self.path(read.run, read.step));
                let Some(answer) = self.script.page(&path, &read) else {
                    self.miss(path, "foreach".to_owned(), 1);
                    return;
                };
                let (run, step, question) = (read.run, Some(read.step), Question::Page);
                self.mailbox.push(Input::Evaluated { run, step, question, answer });
            }
            Effect::Answer(..) | Effect::Ended(_) => {}
        }
    }

    /// An attempt whose step is named as one that is rehearsed names it: with the way through the steps that called its
    /// run.
    fn named_from_here(&self, attempt: Attempt) -> Attempt {
        Attempt { step: format!("{}{}", self.prefix(attempt.run), attempt.step), ..attempt }
    }

    /// The run that an act is for, and the act as it is said to that: a step may stand in a run that was called.
    fn to_whom(&self, mut act: Act) -> (RunId, Act) {
        let mut id = self.id;
        let Some(step) = act.what.step_mut() else { return (id, act) };
        let mut path = step.as_str();
        while let Some(run) = self.driver.as_ref().and_then(|driver| driver.run(id)) {
            let inside = |(no, called): (StepNo, RunId)| {
                Some((called, path.strip_prefix(run.path(no).as_str())?.strip_prefix('/')?))
            };
            let Some((called, rest)) = run.calling().find_map(inside) else { break };
            (id, path) = (called, rest);
        }
        *step = path.to_owned();
        (id, act)
    }

    /// Whether a person is asked what became of a step of the run, or of one that it called.
    fn is_in_doubt(&self, run: &Run) -> bool {
        let called = |id: RunId| self.driver.as_ref().and_then(|driver| driver.run(id));
        run.is_in_doubt() || run.calling().any(|(_, id)| called(id).is_some_and(|run| self.is_in_doubt(&run)))
    }

    /// What stands before the paths of a run's steps: those of the steps that called it, the outermost first.
    fn prefix(&self, run: RunId) -> String {
        let caller = self.driver.as_ref().and_then(|driver| driver.run(run)?.caller);
        caller.map_or_else(String::new, |caller| {
            format!("{}{}/", self.prefix(caller.run), self.path(caller.run, caller.step))
        })
    }

    fn path(&self, run: RunId, step: StepNo) -> String {
        let run = self.driver.as_ref().and_then(|driver| driver.run(run));
        run.filter(|run| run.has(step)).map(|run| run.path(step)).unwrap_or_default()
    }

    /// Whether a step finds out what became of another.
    fn is_probe(&self, run: RunId, step: StepNo) -> bool {
        let run = self.driver.as_ref().and_then(|driver| driver.run(run));
        run.is_some_and(|run| run.has(step) && run.graph.block(run.node_of(step).block).role == Role::Probe)
    }

    fn miss(&mut self, step: String, kind: String, attempt: u32) {
        self.end.get_or_insert(End::Missing(Missing { step, kind, attempt }));
    }

    fn begin(&mut self, step: StepNo, attempt: Attempt) {
        let place = self.attempted.len() as u64;
        let ending = match self.attempts.take_lost(&attempt.step) {
            Some(lost) => Ending { at: lost.at.max(self.now), ..lost },
            None => match self.script.play(&attempt) {
                Some(play) => Ending { at: self.now.saturating_add(play.takes.0), place, outcome: play.outcome },
                // A probe that only trouble has led to is nothing that a case must know of: it finds out nothing.
                None if self.setting.trouble.is_some() && self.is_probe(attempt.run, step) => {
                    let why = "the case says nothing of this probe".to_owned();
                    let failure =
                        Failure { kind: "invalid".to_owned(), message: why, data: Value::Null, untouched: false };
                    Ending { at: self.now, place, outcome: failure.into() }
                }
                None => return self.miss(attempt.step, attempt.action, attempt.number),
            },
        };
        self.attempted.push(Attempted {
            path: attempt.step.clone(),
            number: attempt.number,
            key: attempt.key.clone(),
            action: attempt.action.clone(),
            input: attempt.input.clone(),
            at: self.now,
        });
        let path = attempt.step.clone();
        if !self.attempts.begin(step, attempt, ending) {
            self.broken
                .push(format!("`{path}` must not run twice, and began again while its first outcome was unknown"));
        }
    }

    fn recover(&mut self, step: StepNo, attempt: Attempt, this_boot: bool) {
        let outcome = match self.attempts.recover(step, &attempt, this_boot) {
            Found::Lives => return,
            Found::NotBegun => return self.begin(step, attempt),
            Found::Ended(outcome) => outcome,
            Found::Unknown(why) => {
                if attempt.once && this_boot {
                    self.look_up(step, &attempt);
                }
                Outcome::Unknown { why: why.to_owned() }
            }
        };
        self.mailbox.push(Input::Reported { run: attempt.run, step, token: attempt.token, outcome });
    }

    /// Somebody finds out what became of a request, and will say so. That it reached nobody only the request itself can say,
    /// whose report comes late, as from a worker that outlives the engine.
    fn look_up(&mut self, step: StepNo, attempt: &Attempt) {
        let sent = self.attempts.lost(&attempt.step).cloned();
        let was_sent = sent.is_some();
        let ending = sent.or_else(|| self.unsent(attempt));
        let (at, how) = match ending {
            Some(Ending { at, outcome: Outcome::Failed { error, outputs }, .. }) if error.untouched => {
                self.attempts.take_lost(&attempt.step);
                let (run, token, outcome) = (attempt.run, attempt.token, Outcome::Failed { error, outputs });
                return self.plan(at.max(self.now), Planned::Report { run, step, token, outcome });
            }
            Some(Ending { at, outcome: Outcome::Succeeded { outputs }, .. }) if was_sent => {
                (at, Resolution::Done { outputs })
            }
            // Nobody knows more of it than the engine.
            Some(Ending { outcome: Outcome::Unknown { .. }, .. }) if was_sent => return,
            // It had no effect, or it was never sent.
            Some(_) | None => (self.now, Resolution::Rerun),
        };
        if !matches!(how, Resolution::Rerun) {
            self.attempts.take_lost(&attempt.step);
        }
        let what = What::Resolve { step: attempt.step.clone(), how };
        let by = "user:who-looked".to_owned();
        let act = Act { after: Millis(at), by, what };
        self.plan(at.max(self.now), Planned::Act { act, to: None });
    }

    /// What a request would have done that the engine did not come to send; the next attempt does it.
    fn unsent(&mut self, attempt: &Attempt) -> Option<Ending> {
        let play = self.script.play(attempt)?;
        let place = self.attempted.len() as u64;
        let ending = Ending { at: self.now.saturating_add(play.takes.0), place, outcome: play.outcome };
        self.attempts.put_off(&attempt.step, ending.clone());
        Some(ending)
    }

    /// When the engine turns by itself.
    fn wakes_at(&mut self) -> Option<u64> {
        let driver = self.driver.as_mut()?;
        let due = driver.next_wake()?;
        let ahead = due.saturating_sub(driver.read_clock().time);
        Some(self.now + ahead)
    }

    /// Lets time pass until something is due, or says that nothing will be.
    fn pass(&mut self) {
        let Some(driver) = &self.driver else { return };
        let idle = driver.is_idle();
        if let Some(why) = driver.halted() {
            self.broken.push(format!("the engine stops: {why}"));
            self.end = Some(End::Rest);
            return;
        }
        let planned = self.planned.first().map(|(at, _)| *at);
        let own = self.attempts.next_end();
        // Who is waited for may come too late: that is a limit of time, which nothing else wakes for.
        let waits = |id: RunId| driver.run(id).is_some_and(|run| run.only_awaits() && !run.is_paused());
        let awaits = self.open_runs().into_iter().any(waits);
        let wakes = if idle && !awaits { None } else { self.wakes_at() };
        let is_in_time = |next: &u64| self.setting.until.is_none_or(|until| *next <= until.0);
        match [planned, own, wakes].into_iter().flatten().min() {
            Some(next) if !is_in_time(&next) => {
                self.cut = true;
                self.end = Some(End::Rest);
            }
            Some(next) => {
                self.clock.advance(next.saturating_sub(self.now));
                self.now = self.now.max(next);
            }
            None => self.end = Some(End::Rest),
        }
    }

    fn finish(mut self) -> Story {
        let run = self.stored_run();
        let mut elapsed = self.now;
        if let Some(run) = &run {
            let ended = run.ended.map(|ended| ended.0.saturating_sub(self.setting.begin.0));
            elapsed = ended.and_then(|millis| u64::try_from(millis).ok()).unwrap_or(elapsed);
            let may_rest = run.is_ended() || self.is_in_doubt(run) || run.is_paused() || self.cut;
            if self.end == Some(End::Rest) && !may_rest {
                self.broken.push(format!("the run is {} and waits for nothing", run.status_name()));
            }
        }
        Story {
            end: self.end.unwrap_or(End::Rest),
            run: run.map(|run| Box::new(run_view(&run, false, Path::new("/logs")))),
            begun: in_order(self.observer.begun),
            attempts: self.attempted,
            called: self.observer.called,
            elapsed,
            writes: self.disk.appends(),
            reached: self.observer.reached,
            broken: self.broken,
            refused: self.refused,
        }
    }

    /// The run, in memory or made again from the journal.
    fn stored_run(&mut self) -> Option<Run> {
        let driver = self.driver.as_mut()?;
        let open = driver.run(self.id).map(|run| Run::clone(&run));
        open.or_else(|| driver.stored(self.id))
    }
}

/// Since when a step waits for somebody.
fn since(run: &Run, no: StepNo) -> Option<Timestamp> {
    match run.step(no).phase {
        Phase::Awaiting { since } => Some(since),
        _ => None,
    }
}
