//! What becomes of attempts: supervised commands, which outlive engines, and requests, which do not.

use lockstep_dsl::value::{Map, Value};

use super::spool::{Entry, Found, Key};
use super::{Event, World};
use crate::driver::Input;
use crate::id::StepNo;
use crate::sim::evidence::{Happened, Witnessed};
use crate::worker::{Attempt, Failure, Outcome};

impl World<'_> {
    /// The engine starts an attempt.
    pub(super) fn start(&mut self, step: StepNo, attempt: &Attempt) {
        let key = (attempt.run, attempt.token);
        if self.spool.attempts.contains_key(&key) {
            self.evidence.granted_twice.push((attempt.run.to_string(), attempt.token.0));
        }
        let entry = Entry::new(step, attempt, self.engines, self.boots);
        self.spool.add(key, entry);
        self.plan_begin(key);
        self.nemesis_reports_again(attempt.run, step);
    }

    fn plan_begin(&mut self, key: Key) {
        let Some(entry) = self.spool.attempts.get_mut(&key) else { return };
        entry.plan += 1;
        let plan = entry.plan;
        let soon = 1 + self.luck(key, "begins") % 20;
        self.plan(self.now + soon, Event::Begin(key, plan));
    }

    /// The engine finds out what became of an attempt of a former one.
    pub(super) fn recover(&mut self, step: StepNo, attempt: &Attempt, this_boot: bool) {
        let key = (attempt.run, attempt.token);
        let now = (self.engines, self.boots);
        let found = self.spool.recover(key, step, attempt, this_boot, now);
        self.coverage.trouble(match found {
            Found::Ended(_) => "recovered: ended",
            Found::Lives => "recovered: lives",
            Found::NotBegun => "recovered: not begun",
            Found::Unknown(_) => "recovered: unknown",
        });
        self.say(|| format!("engine: recovers {}: {found:?}", attempt.step));
        match found {
            Found::Ended(outcome) => self.plan(self.now + 1, Event::Report(self.engines, key, outcome)),
            Found::Lives => {}
            Found::NotBegun => self.plan_begin(key),
            Found::Unknown(why) => {
                self.end_leftovers(key);
                let outcome = Outcome::Unknown { why: why.to_owned() };
                self.plan(self.now + 10, Event::Report(self.engines, key, outcome));
            }
        }
    }

    /// Ends what is left of a command whose supervisor is gone.
    fn end_leftovers(&mut self, key: Key) {
        if let Some(entry) = self.spool.attempts.get_mut(&key)
            && std::mem::take(&mut entry.runs)
        {
            entry.plan += 1;
            self.witness(key, Happened::Died);
        }
    }

    pub(super) fn begin(&mut self, key: Key, plan: u64) {
        let takes = self.takes(key);
        let now = self.now;
        let Some(entry) = self.spool.attempts.get_mut(&key) else { return };
        if entry.plan != plan || !entry.supervised {
            return;
        }
        entry.begun = true;
        entry.runs = true;
        entry.ends = takes.map(|takes| now + takes);
        let ends = entry.ends;
        self.witness(key, Happened::Began);
        if let Some(ends) = ends {
            self.plan(ends, Event::End(key, plan));
        }
    }

    /// Milliseconds that an attempt takes; `None` when it ends only when it is asked to.
    fn takes(&self, key: Key) -> Option<u64> {
        let mood = self.scenario.mood;
        (self.luck(key, "hangs") % 100 >= mood.hangs).then(|| 1 + self.luck(key, "takes") % mood.longest)
    }

    pub(super) fn end(&mut self, key: Key, plan: u64) {
        let Some(entry) = self.spool.attempts.get_mut(&key) else { return };
        if entry.plan != plan || !entry.runs {
            return;
        }
        entry.runs = false;
        let (stopping, is_request, supervised) = (entry.stopping, entry.is_request, entry.supervised);
        let outcome = self.outcome(key, stopping, is_request);
        let unheard = is_request && !stopping && self.luck(key, "unheard") % 100 < self.scenario.mood.unheard;
        // Its answer may come after all, when nobody counts on it any more.
        let late = unheard && supervised && self.luck(key, "late") % 100 < 40;
        if !supervised || (unheard && !late) {
            self.witness(key, Happened::Unheard);
        } else {
            let well = matches!(outcome, Outcome::Succeeded { .. });
            self.witness(key, if well { Happened::Succeeded } else { Happened::Failed });
        }
        let Some(entry) = self.spool.attempts.get_mut(&key) else { return };
        if !supervised {
            return;
        }
        let Some(engine) = entry.engine.filter(|engine| *engine == self.engines && self.engine.is_some()) else {
            if !is_request {
                entry.exit = Some(outcome);
                entry.supervised = false;
                self.plan(self.now + 1_000, Event::Sync(key));
            }
            return;
        };
        entry.supervised = false;
        let soon = self.now + self.luck(key, "heard") % 5 + self.nemesis_report();
        if unheard {
            let lost = Outcome::Unknown { why: "the connection broke after the request was sent".to_owned() };
            self.plan(soon, Event::Report(engine, key, lost));
            if late {
                self.report_late(engine, key, outcome);
            }
            return;
        }
        if !is_request {
            if let Some(entry) = self.spool.attempts.get_mut(&key) {
                entry.exit = Some(outcome.clone());
            }
            self.plan(self.now + 1_000, Event::Sync(key));
        }
        self.plan(soon, Event::Report(engine, key, outcome));
    }

    /// The true end of an attempt comes to an engine that was told that nobody knows it.
    fn report_late(&mut self, engine: u64, key: Key, outcome: Outcome) {
        let Some(step) = self.spool.attempts.get(&key).map(|entry| entry.step) else { return };
        let at = self.now + 100 + self.luck(key, "comes late") % 20_000;
        let input = Input::Reported { run: key.0, step, token: key.1, outcome };
        self.plan(at, Event::Deliver(engine, Box::new(input)));
    }

    fn outcome(&self, key: Key, stopping: bool, is_request: bool) -> Outcome {
        let luck = self.luck(key, "ends") % 100;
        let fails = if stopping { 85 } else { self.scenario.mood.fails };
        let (name, good, bad) = if is_request { ("code", 200, 500) } else { ("exit_code", 0, 1) };
        let bad = if stopping && !is_request { 143 } else { bad };
        if luck >= fails {
            return Outcome::Succeeded { outputs: Map::from([(name.to_owned(), Value::Int(good))]) };
        }
        let outputs = Map::from([(name.to_owned(), Value::Int(bad))]);
        let kind = if luck % 10 == 9 && !stopping { "invalid" } else { "failed" };
        let error = Failure {
            kind: kind.to_owned(),
            message: format!("{name} {bad}"),
            data: Value::Map(outputs.clone()),
            untouched: false,
        };
        Outcome::Failed { error, outputs }
    }

    pub(super) fn sync(&mut self, key: Key) {
        if let Some(entry) = self.spool.attempts.get_mut(&key) {
            entry.exit_synced = true;
        }
    }

    pub(super) fn report(&mut self, engine: u64, key: Key, outcome: Outcome) {
        let Some(step) = self.spool.attempts.get(&key).map(|entry| entry.step) else { return };
        let alive = self.engine.as_ref().is_some_and(|now| now.number == engine);
        if alive && !matches!(outcome, Outcome::Unknown { .. }) {
            self.nemesis.past.push((key, step, outcome.clone()));
        }
        let twice = self.nemesis_doubles();
        let input = |outcome| Input::Reported { run: key.0, step, token: key.1, outcome };
        if twice {
            self.deliver(engine, input(outcome.clone()));
        }
        self.deliver(engine, input(outcome));
        if alive {
            self.nemesis_cancels(key);
        }
    }

    /// The engine asks an attempt to stop.
    pub(super) fn stop(&mut self, key: Key) {
        let stubborn = self.luck(key, "stubborn") % 100 < self.scenario.mood.stubborn;
        let heeds = 1 + self.luck(key, "heeds") % 200;
        let (now, engine) = (self.now, self.engines);
        let Some(entry) = self.spool.attempts.get_mut(&key) else { return };
        if !entry.supervised || entry.stopping {
            return;
        }
        entry.stopping = true;
        entry.plan += 1;
        let plan = entry.plan;
        if entry.runs {
            let at = now + if stubborn { entry.grace } else { heeds.min(entry.grace) };
            self.plan(at, Event::End(key, plan));
        } else {
            entry.supervised = false;
            let error = Failure::new("cancelled", "it was stopped before it began").untouched();
            self.plan(now + 1, Event::Report(engine, key, Outcome::from(error)));
        }
    }

    /// The folder of an attempt is removed.
    pub(super) fn forget(&mut self, key: Key) {
        if let Some(entry) = self.spool.attempts.remove(&key)
            && (entry.runs || entry.supervised)
        {
            self.evidence.left_alive.push((key.0.to_string(), key.1.0));
        }
    }

    /// The engine that waited for attempts is gone.
    pub(super) fn leave_attempts(&mut self) {
        let keys: Vec<Key> = self.spool.attempts.keys().copied().collect();
        for key in keys {
            let never_told = self.luck(key, "told").is_multiple_of(2);
            let Some(entry) = self.spool.attempts.get_mut(&key) else { continue };
            entry.engine = None;
            if entry.is_request {
                entry.supervised = false;
                self.end_leftovers(key);
            } else if entry.supervised && !entry.begun && never_told {
                // The line broke before the supervisor was told all.
                entry.supervised = false;
            }
        }
    }

    /// Power is lost.
    pub(super) fn lose_host(&mut self) {
        let keys: Vec<Key> = self.spool.attempts.keys().copied().collect();
        for key in keys {
            self.end_leftovers(key);
            let luck = self.luck(key, "power");
            let Some(entry) = self.spool.attempts.get_mut(&key) else { continue };
            entry.supervised = false;
            entry.plan += 1;
            if !entry.exit_synced && luck.is_multiple_of(2) {
                entry.exit = None;
            }
            if entry.exit.is_none() && luck.is_multiple_of(5) {
                self.spool.attempts.remove(&key);
            }
        }
    }

    /// A supervisor is killed alone. Says whether there was one to kill.
    pub(super) fn kill_supervisor(&mut self, luck: u64) -> bool {
        let Some(key) = self.choose(luck, |entry| entry.supervised && entry.runs && !entry.is_request) else {
            return false;
        };
        let Some(entry) = self.spool.attempts.get_mut(&key) else { return false };
        entry.supervised = false;
        if let Some(engine) = entry.engine {
            self.end_leftovers(key);
            let why = "the supervisor of the command was killed".to_owned();
            self.plan(self.now + 50, Event::Report(engine, key, Outcome::Unknown { why }));
        }
        true
    }

    /// A command stands still. Says whether there was one.
    pub(super) fn pause_command(&mut self, luck: u64, time: u64) -> bool {
        let Some(key) = self.choose(luck, |entry| entry.runs && !entry.stopping && entry.ends.is_some()) else {
            return false;
        };
        let Some(entry) = self.spool.attempts.get_mut(&key) else { return false };
        entry.plan += 1;
        let ends = entry.ends.map_or(0, |ends| ends + time);
        entry.ends = Some(ends);
        let plan = entry.plan;
        self.plan(ends, Event::End(key, plan));
        true
    }

    fn choose(&self, luck: u64, fits: impl Fn(&Entry) -> bool) -> Option<Key> {
        let fitting: Vec<Key> =
            self.spool.attempts.iter().filter(|(_, entry)| fits(entry)).map(|(key, _)| *key).collect();
        let place = usize::try_from(luck % (fitting.len().max(1) as u64)).unwrap_or(0);
        fitting.get(place).copied()
    }

    /// What hangs on the attempt alone: the same whatever else is left out of the scenario.
    fn luck(&self, key: Key, what: &str) -> u64 {
        let entry = self.spool.attempts.get(&key);
        entry.map_or(0, |entry| self.fate(&[&entry.key, what], entry.place))
    }

    fn witness(&mut self, key: Key, what: Happened) {
        let durable = self.durable();
        let Some(entry) = self.spool.attempts.get(&key) else { return };
        let witnessed = Witnessed {
            now: self.now,
            durable,
            attempt: (key.0.to_string(), key.1.0),
            path: entry.path.clone(),
            key: entry.key.clone(),
            number: u64::from(entry.number),
            what,
        };
        self.trace.add(&[key.1.0, what as u64]);
        let line = format!("world: {} token {} attempt {}: {what:?}", entry.path, key.1.0, entry.number);
        self.say(|| line);
        self.evidence.witness.push(witnessed);
    }
}
