//! Kills `lockstep run` at random moments, resumes, and asks the world what happened.
//!
//! A runbook of steps that must not run twice; each writes its begin and its end to a witness file, synced. Whatever the
//! moment of the kill, also of the resume: no step begins twice, nearly every run ends well and the others wait in doubt
//! with a reason, and nothing that was said on standard output is taken back.
//!
//! `LOCKSTEP_ROUNDS` sets the number of rounds, `LOCKSTEP_SEED` repeats a series; both are printed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use crate::harness::{Case, Random, Report, Series};

const STEPS: usize = 20;
const ROUNDS: u32 = 100;

#[test]
fn no_step_begins_twice_whenever_the_program_is_killed() {
    let series = Series::of(ROUNDS);
    let mut report = Report::of("crash", "crash::no_step_begins_twice", &series);
    let span = undisturbed();
    let mut tally = Tally::default();
    for became in series.play(|name, random| Round { case: case(), name, random, span }.play()) {
        tally.add(became);
    }
    println!("{tally:?}");
    report.faults("kill -9 of the program", tally.rounds.into());
    report.outcomes("killed before there was a run", tally.never_was.into());
    report.outcomes("went on and succeeded", tally.went_on.into()).outcomes("in doubt", tally.in_doubt.into());
    report.outcomes("had ended", tally.was_over.into());
    report.runs(u64::from(tally.went_on + tally.was_over), tally.in_doubt.into());
    assert_eq!(tally.rounds, series.rounds);
    // A series in which no kill came in between has shown nothing.
    assert!(tally.in_doubt + tally.went_on > series.rounds / 4, "most kills came too early or too late: {tally:?}");
    // Commands outlive the engine, so it learns how they ended.
    assert!(tally.in_doubt * 20 <= series.rounds, "more than 5 % of the runs came into doubt: {tally:?}");
}

/// What became of a round.
#[derive(Clone, Copy, Debug)]
enum Became {
    /// Killed before the run was durable.
    NeverWas,
    /// Killed in between: it went on by itself.
    WentOn,
    /// Killed, and nobody knows how a step ended.
    InDoubt,
    /// It had ended when the kill came.
    WasOver,
}

/// What became of the rounds.
#[derive(Clone, Debug, Default)]
struct Tally {
    rounds: u32,
    never_was: u32,
    went_on: u32,
    in_doubt: u32,
    was_over: u32,
}

impl Tally {
    fn add(&mut self, became: Became) {
        self.rounds += 1;
        *match became {
            Became::NeverWas => &mut self.never_was,
            Became::WentOn => &mut self.went_on,
            Became::InDoubt => &mut self.in_doubt,
            Became::WasOver => &mut self.was_over,
        } += 1;
    }
}

/// One kill, or several.
struct Round<'a> {
    case: Case,
    name: &'a str,
    random: &'a mut Random,
    span: Duration,
}

impl Round<'_> {
    fn play(mut self) -> Became {
        let said = self.killed(self.case.run_command(&["--json"]));
        let mut told = Told::default();
        told.hear(&said, self.name);
        // Every third time the resume is killed too.
        if self.random.below(3) == 0 {
            let said = self.killed(self.case.command(["resume", "--json"]));
            told.hear(&said, self.name);
        }
        let before = self.case.runs();
        assert!(before.len() <= 1, "{}: one run was asked for, there are {before:?}", self.name);
        assert!(told.id.is_none() || !before.is_empty(), "{}: a run that was said to have started is gone", self.name);
        let Some(run) = before.first() else {
            assert_eq!(self.witnessed("begin"), BTreeMap::new(), "{}", self.name);
            return Became::NeverWas;
        };
        let id = run["id"].as_str().expect("a run has an id").to_owned();
        let was_over = run["ended"] != Json::Null;

        let outcome = self.case.lockstep(["resume", "--json"]);
        let view = self.case.show(&id);
        let doubted: Vec<&Json> = steps(&view).filter(|step| step["status"] == "in_doubt").collect();
        self.keeps(&told, &view);
        let became = match doubted.as_slice() {
            [] => {
                outcome.exits(0);
                if was_over { Became::WasOver } else { Became::WentOn }
            }
            [step] => {
                outcome.exits(3);
                assert!(step["reason"].as_str().is_some_and(|why| !why.is_empty()), "{}: {step:#}", self.name);
                let path = step["path"].as_str().expect("a step has a path").to_owned();
                self.case.lockstep(["resolve", &id, &path, "done", "--json"]).exits(0);
                Became::InDoubt
            }
            several => panic!("{}: steps run one after another, and {several:#?} are in doubt", self.name),
        };

        let view = self.case.show(&id);
        assert_eq!(view["status"], "succeeded", "{}: {view:#}", self.name);
        let begins = self.witnessed("begin");
        assert!(begins.values().all(|count| *count == 1), "{}: a step began twice: {begins:?}", self.name);
        let known: Vec<usize> = begins.keys().copied().collect();
        // One whose begin nobody saw was in doubt before it began.
        assert!(known.len() + doubted.len() >= STEPS, "{}: steps are missing: {known:?}", self.name);
        became
    }

    /// Starts a command and kills it at a random moment; gives what it had printed.
    fn killed(&mut self, mut command: Command) -> String {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the program starts");
        let micros = u64::try_from(self.span.as_micros()).expect("a short time");
        let moment = Duration::from_micros(self.random.below(micros + micros / 10));
        let mut stdout = child.stdout.take().expect("standard output is piped");
        let (done, is_done) = mpsc::channel();
        let reader = thread::spawn(move || {
            let mut said = Vec::new();
            // What a killed program leaves behind may hold the pipe open; it is read until then.
            let _ = stdout.read_to_end(&mut said);
            let _ = done.send(());
            said
        });
        // It ends by itself, or its time has come.
        let _ = is_done.recv_timeout(moment);
        kill(&mut child);
        String::from_utf8_lossy(&reader.join().expect("the reader reads")).into_owned()
    }

    /// What was said stays true.
    fn keeps(&self, told: &Told, view: &Json) {
        assert!(told.id.as_ref().is_none_or(|id| view["id"] == *id), "{}: another run", self.name);
        for path in &told.succeeded {
            let step = steps(view).find(|step| step["path"] == *path);
            assert!(
                step.is_some_and(|step| step["status"] == "succeeded"),
                "{}: step {path} was said to have succeeded, and {view:#}",
                self.name
            );
        }
        let ends = self.witnessed("end");
        for step in steps(view).filter(|step| step["status"] == "succeeded") {
            let number =
                step["path"].as_str().and_then(|path| path.strip_prefix('s')).and_then(|path| path.parse().ok());
            assert!(
                number.is_some_and(|number: usize| ends.contains_key(&number)),
                "{}: {step:#} without an end",
                self.name
            );
        }
    }

    /// How often each step wrote this word.
    fn witnessed(&self, word: &str) -> BTreeMap<usize, u32> {
        let mut counts = BTreeMap::new();
        for line in self.case.read("witness").lines() {
            let number = line.strip_prefix(word).and_then(|rest| rest.trim().parse::<usize>().ok());
            if let Some(number) = number {
                *counts.entry(number).or_default() += 1;
            }
        }
        counts
    }
}

/// What the program had said when it was killed.
#[derive(Default)]
struct Told {
    id: Option<String>,
    succeeded: Vec<String>,
}

impl Told {
    fn hear(&mut self, said: &str, name: &str) {
        for line in said.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
            let event: Json = serde_json::from_str(line).unwrap_or_else(|error| panic!("{name}: {line:?}: {error}"));
            if event["type"] == "started" {
                self.id = event["id"].as_str().map(str::to_owned);
            }
            if event["type"] == "step" && event["status"] == "succeeded" {
                self.succeeded.extend(event["path"].as_str().map(str::to_owned));
            }
        }
    }
}

fn steps(view: &Json) -> impl Iterator<Item = &Json> {
    view["steps"].as_array().into_iter().flatten()
}

fn kill(child: &mut Child) {
    // It may have ended by itself.
    let _ = child.kill();
    child.wait().expect("the program has ended");
}

/// How long the whole takes when nobody kills it, and that it works then.
fn undisturbed() -> Duration {
    let case = case();
    let began = Instant::now();
    case.run().succeeds();
    let span = began.elapsed();
    let written = fs::read_to_string(case.path("witness")).expect("the steps wrote");
    assert_eq!(written.lines().count(), 2 * STEPS);
    span
}

/// `dd` appends with one `write` and syncs before it ends.
fn case() -> Case {
    let mut text = String::from("defaults: { timeout: 1m }\nsteps:\n");
    for number in 0..STEPS {
        let note =
            |word: &str| format!("echo {word} {number} | dd of=witness oflag=append conv=notrunc,fsync status=none");
        let _ = writeln!(text, "  - {{ id: s{number}, effect: once, shell: \"{}; {}\" }}", note("begin"), note("end"));
    }
    Case::new().runbook(&text)
}
