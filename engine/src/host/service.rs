//! The loop that turns the driver: gathers what has happened, takes a turn, does what follows from it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};

use super::attempts::Attempts;
use super::budget::Admission;
use super::evaluations::{Evaluations, Work};
use super::handle::{Call, Events, Options, Stopped};
use super::meter::Meter;
use super::retention::Retention;
use super::space::Space;
use super::watchers::{Stands, Watchers};
use crate::api::{Refusal, RefusalKind, Reply, Request};
use crate::driver::{Caller, Driver, Effect, Input, Places, Turn};
use crate::id::{RunId, Token};
use crate::limits::{MAX_INPUTS_A_TURN, MAX_SLEEP, START_POLL_MS};
use crate::store::folder::Folder;
use crate::view;
use crate::worker::local::Ended;

/// The engine's own task.
pub(super) struct Service {
    driver: Driver<Folder>,
    places: Places,
    resume: bool,
    calls: mpsc::Receiver<Call>,
    /// Attempts that have ended; bounded by those that were started.
    ended: mpsc::UnboundedReceiver<Ended>,
    /// Answers of long evaluations.
    evaluated: mpsc::UnboundedReceiver<Input>,
    stop: watch::Sender<Option<Stopped>>,
    meter: Arc<Meter>,
    space: Space,
    retention: Retention,
    attempts: Attempts,
    evaluations: Evaluations,
    watchers: Watchers,
    /// Whatever ends the service, watchers hear of it.
    _last_word: LastWord,
    callers: BTreeMap<Caller, oneshot::Sender<Reply>>,
    next_caller: u64,
    idle: Vec<oneshot::Sender<()>>,
    /// Another turn is due at once.
    again: bool,
    closing: Option<oneshot::Sender<()>>,
    /// Watchers have been told that nothing can be stored.
    said_full: bool,
}

/// Says to every watcher that nothing more will come, when it is dropped.
struct LastWord(Watchers);

impl Drop for LastWord {
    fn drop(&mut self) {
        self.0.complete();
    }
}

/// What the loop woke up for.
enum Woken {
    Call(Option<Call>),
    Ended(Ended),
    Evaluated(Input),
    Time,
}

impl Service {
    /// A service over a driver that has just recovered. Of the runtimes the first is that on which it runs, the second has
    /// threads for attempts.
    pub fn new(
        driver: Driver<Folder>,
        options: Options,
        calls: mpsc::Receiver<Call>,
        (stop, meter): (watch::Sender<Option<Stopped>>, Arc<Meter>),
        runtimes: (Handle, Handle),
    ) -> Self {
        let (to_ended, ended) = mpsc::unbounded_channel();
        let (to_evaluated, evaluated) = mpsc::unbounded_channel();
        let watchers = Watchers::default();
        let lines = watchers.clone();
        let progress = Arc::new(move |run: RunId, step: &str, _: Token, progress| lines.line(run, step, progress));
        Self {
            places: driver.places().clone(),
            retention: Retention::new(options.storage, options.data.clone(), driver.places().logs.clone()),
            space: Space::of(options.data),
            evaluations: Evaluations::new(driver.evaluator().clone(), to_evaluated),
            attempts: Attempts::new(options.actions, to_ended, progress, runtimes),
            resume: options.resume,
            driver,
            calls,
            ended,
            evaluated,
            stop,
            meter,
            _last_word: LastWord(watchers.clone()),
            watchers,
            callers: BTreeMap::new(),
            next_caller: 0,
            idle: Vec::new(),
            again: true,
            closing: None,
            said_full: false,
        }
    }

    /// Turns the driver until the engine is closed or its store fails.
    pub async fn run(mut self) {
        sweep_spool(&mut self.driver);
        let mut resumed = if self.resume { self.resume_all() } else { Vec::new() };
        loop {
            let mut inputs = self.gather().await;
            inputs.append(&mut resumed);
            if self.closing.is_some() {
                self.end(inputs);
                return;
            }
            let begun = Instant::now();
            let turn = self.driver.turn(inputs);
            self.again = self.follow(turn);
            let turn = self.driver.tend();
            self.again |= self.follow(turn);
            self.meter.turn(begun.elapsed(), self.driver.journal());
            self.meter.queues(self.calls.len(), self.attempts.running(), self.attempts.waiting());
            self.retention.tend(&mut self.driver);
            self.admit();
            self.tell_when_full();
            if self.driver.halted().is_some() {
                break;
            }
            if self.is_idle() {
                for idle in self.idle.drain(..) {
                    // Whoever asked may have gone.
                    let _ = idle.send(());
                }
            }
        }
        self.end(Vec::new());
    }

    /// Whether nothing goes on, before what has been asked since the last turn.
    fn is_idle(&self) -> bool {
        !self.again && self.driver.is_idle()
    }

    /// Waits until there is something to take a turn for, and takes what else is there.
    async fn gather(&mut self) -> Vec<Input> {
        let mut inputs = Vec::new();
        if !self.again {
            let sleep = self.sleep();
            let woken = tokio::select! {
                biased;
                Some(ended) = self.ended.recv() => Woken::Ended(ended),
                Some(input) = self.evaluated.recv() => Woken::Evaluated(input),
                call = self.calls.recv() => Woken::Call(call),
                () = tokio::time::sleep(sleep) => Woken::Time,
            };
            self.take(woken, &mut inputs);
        }
        while inputs.len() < MAX_INPUTS_A_TURN && self.closing.is_none() {
            let woken = if let Ok(ended) = self.ended.try_recv() {
                Woken::Ended(ended)
            } else if let Ok(input) = self.evaluated.try_recv() {
                Woken::Evaluated(input)
            } else if let Ok(call) = self.calls.try_recv() {
                Woken::Call(Some(call))
            } else {
                break;
            };
            self.take(woken, &mut inputs);
        }
        inputs
    }

    fn sleep(&mut self) -> Duration {
        let longest = if self.driver.is_holding_starts() { Duration::from_millis(START_POLL_MS) } else { MAX_SLEEP };
        let Some(due) = self.driver.next_wake() else { return longest };
        Duration::from_millis(due.saturating_sub(self.driver.read_clock().time)).min(longest)
    }

    /// Lets new runs start, wait for room in the storage budget, or be told that there is none.
    fn admit(&mut self) {
        match self.retention.admit(&self.driver) {
            Admission::Open => {
                self.again |= self.driver.is_holding_starts();
                self.driver.hold_starts(false);
            }
            Admission::Wait => self.driver.hold_starts(true),
            Admission::Refuse(refusal) => {
                self.driver.hold_starts(true);
                let turn = self.driver.refuse_starts(&refusal);
                self.again |= self.follow(turn);
            }
        }
    }

    fn take(&mut self, woken: Woken, inputs: &mut Vec<Input>) {
        match woken {
            Woken::Time => {}
            Woken::Ended(ended) => inputs.extend(self.attempts.ended(ended)),
            Woken::Evaluated(input) => {
                self.evaluations.ended();
                inputs.push(input);
            }
            Woken::Call(Some(Call::Request(mut request, answer))) => {
                if let Some(refusal) = self.refuse_start(&request) {
                    // Whoever asked may have gone.
                    let _ = answer.send(Reply::Refused(refusal));
                    return;
                }
                self.keep_environment(&mut request);
                inputs.push(self.asked(request, answer));
            }
            Woken::Call(Some(Call::Watch(run, patient, answer))) => {
                // Whoever asked may have gone.
                let _ = answer.send(self.watch(&run, patient));
            }
            Woken::Call(Some(Call::Idle(answer))) => self.idle.push(answer),
            Woken::Call(Some(Call::Stats(answer))) => {
                // Whoever asked may have gone.
                let _ = answer.send(self.driver.journal());
            }
            Woken::Call(Some(Call::Close(answer))) => self.closing = Some(answer),
            Woken::Call(Some(Call::CloseIdle(answer))) => {
                let closes = inputs.is_empty() && self.is_idle();
                if closes {
                    self.closing = Some(oneshot::channel().0);
                }
                // Whoever asked may have gone.
                let _ = answer.send(closes);
            }
            // Every handle has been dropped.
            Woken::Call(None) => self.closing = Some(oneshot::channel().0),
        }
    }

    /// Why a new run is not started now. A run that is there already is answered for as ever.
    fn refuse_start(&mut self, request: &Request) -> Option<Refusal> {
        let Request::Start(start) = request else { return None };
        let refusal = self.space.shortage()?;
        let is_there = self.driver.run(start.id).is_some() || self.driver.find(&start.id.to_string()).is_ok();
        (!is_there).then_some(refusal)
    }

    /// Takes the values of secrets out of a request, so that they go no further than to the attempts that need them.
    fn keep_environment(&mut self, request: &mut Request) {
        if let Request::Start(start) = request
            && let Some(environment) = start.environment.take()
            && !self.driver.has(start.id)
        {
            self.attempts.remember(start.id, environment);
        }
    }

    fn asked(&mut self, request: Request, answer: oneshot::Sender<Reply>) -> Input {
        self.next_caller += 1;
        let caller = Caller(self.next_caller);
        self.callers.insert(caller, answer);
        Input::Request { caller, request }
    }

    /// The requests by which the engine itself takes up all runs that a former one left.
    fn resume_all(&mut self) -> Vec<Input> {
        let open: Vec<RunId> = self.driver.interrupted().collect();
        let resume = |id: RunId| Request::Resume { run: id.to_string(), by: "engine".to_owned() };
        open.into_iter().map(|id| self.asked(resume(id), oneshot::channel().0)).collect()
    }

    fn watch(&mut self, name: &str, patient: bool) -> Result<Events, Refusal> {
        let refusal = |message: String| Refusal { kind: RefusalKind::Store, message, help: Vec::new() };
        if let Some(why) = self.driver.full() {
            return Err(refusal(why.to_owned()));
        }
        let id = self.driver.find(name)?;
        let at = self.driver.read_clock().wall.to_string();
        let interrupted = self.driver.is_interrupted(id);
        if let Some(run) = self.driver.run(id) {
            let stands = Stands::of(&self.driver, &run);
            return Ok(self.watchers.add(&run, (patient, interrupted), stands, &at, &self.places.logs));
        }
        let run = self.driver.stored(id).ok_or_else(|| refusal(format!("run {id} cannot be read")))?;
        Ok(self.watchers.add(&run, (patient, false), Stands::Goes, &at, &self.places.logs))
    }

    /// Does what a turn leads to. Says whether another one is due at once.
    fn follow(&mut self, mut turn: Turn) -> bool {
        for id in &turn.created {
            if let Some(run) = self.driver.run(*id) {
                tracing::info!(run = %id, runbook = run.graph.runbook, by = run.by, "run started");
            }
            self.meter.run_started();
        }
        self.meter.steps_ended(turn.ended_steps);
        for effect in std::mem::take(&mut turn.effects) {
            match effect {
                Effect::Answer(caller, reply) => {
                    if let Some(answer) = self.callers.remove(&caller) {
                        // Whoever asked may have gone.
                        let _ = answer.send(reply);
                    }
                }
                Effect::Start { step, attempt } => {
                    self.meter.attempt_started();
                    let graph = self.driver.run(attempt.run).map(|run| Arc::clone(&run.graph));
                    let asked = self.driver.outermost(attempt.run);
                    self.attempts.start(step, *attempt, graph, asked);
                }
                Effect::Recover { step, attempt, this_boot } => {
                    let graph = self.driver.run(attempt.run).map(|run| Arc::clone(&run.graph));
                    let asked = self.driver.outermost(attempt.run);
                    self.attempts.recover(step, *attempt, graph, (asked, this_boot));
                }
                Effect::Stop(run, token) => self.attempts.stop(run, token),
                Effect::Forget(run, token) => {
                    if self.attempts.forget(run, token) {
                        super::attempts::remove(&self.places.attempt(run, token));
                    }
                }
                Effect::Evaluate(evaluation) => self.evaluations.add(Work::Evaluate(evaluation)),
                Effect::ReadPage(read) => self.evaluations.add(Work::ReadPage(read)),
                Effect::Ended(id) => {
                    let Some(run) = self.driver.run(id) else { continue };
                    let status = view::status(&run);
                    tracing::info!(run = %id, runbook = run.graph.runbook, status, "run ended");
                    self.meter.run_ended(status);
                    if !run.graph.files.is_empty() {
                        super::attempts::remove(&self.places.files(id));
                    }
                    let learns = run.graph.learns_secrets();
                    drop(run);
                    if learns && !super::secrets::are_needed(&mut self.driver, id) {
                        super::attempts::remove(&self.places.secrets(id));
                    }
                }
            }
        }
        if let Some(watched) = self.watchers.watched() {
            let at = self.driver.now().wall.to_string();
            self.tell_who_waits(&watched, &turn, &at);
            for (id, mut steps) in turn.changed_steps(|run| watched.contains(&run)) {
                if let Some(run) = self.driver.run(id) {
                    // Items that ended may have been let go of already.
                    steps.retain(|step| run.has(*step));
                    let stands = Stands::of(&self.driver, &run);
                    self.watchers.changed(&run, &steps, stands, &at, &self.places.logs);
                }
            }
        }
        turn.again
    }

    /// Tells those who watch a run that waits for a key when it can go on no more by itself: that changes with the runs that
    /// hold the key.
    fn tell_who_waits(&self, watched: &BTreeSet<RunId>, turn: &Turn, at: &str) {
        if turn.changed.is_empty() {
            return;
        }
        for id in watched.iter().filter(|id| self.driver.waits_for_key(**id)) {
            if let Some(run) = self.driver.run(*id) {
                let stands = Stands::of(&self.driver, &run);
                if stands != Stands::Goes {
                    self.watchers.changed(&run, &[], stands, at, &self.places.logs);
                }
            }
        }
    }

    fn tell_when_full(&mut self) {
        let full = self.driver.full().is_some();
        if full == self.said_full {
            return;
        }
        self.meter.full(full);
        let at = self.driver.now().wall.to_string();
        match self.driver.full() {
            Some(why) => self.watchers.say("waiting", why, &at),
            None => self.watchers.say("running", "there is room again", &at),
        }
        self.said_full = full;
    }

    fn end(mut self, inputs: Vec<Input>) {
        let mut turn = self.driver.close(inputs);
        turn.effects
            .retain(|effect| !matches!(effect, Effect::Start { .. } | Effect::Evaluate(_) | Effect::ReadPage(_)));
        self.follow(turn);
        self.retention.finish(&mut self.driver);
        let why = self.driver.halted().map_or(Stopped::Closed, |why| Stopped::Store(why.to_owned()));
        let Self { driver, stop, closing, _last_word: last_word, .. } = self;
        // The folder is given up before anybody hears of it.
        drop(driver);
        drop(last_word);
        stop.send_replace(Some(why));
        if let Some(closing) = closing {
            let _ = closing.send(());
        }
    }
}

/// Removes what attempts of runs that are over have left in the spool. For a driver that has just been opened.
pub(crate) fn sweep_spool(driver: &mut Driver<Folder>) {
    let Ok(entries) = std::fs::read_dir(&driver.places().spool) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        if !is_needed(driver, &path) {
            super::attempts::remove(&path);
        }
    }
}

/// Whether a folder of the spool belongs to a run that may go on: the run that its name begins with says so.
fn is_needed(driver: &mut Driver<Folder>, path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    let id: Option<RunId> = name.and_then(|name| name.split('-').next()?.parse().ok());
    if let Some(run) = id.filter(|run| driver.places().secrets(*run) == path) {
        return super::secrets::are_needed(driver, run);
    }
    let Some(run) = id.filter(|id| driver.is_interrupted(*id)).and_then(|id| driver.run(id)) else { return false };
    let places = driver.places();
    places.files(run.id) == path || run.running().any(|(_, token)| places.attempt(run.id, token) == path)
}
