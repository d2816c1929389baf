//! Kills the processes of one data folder at random moments while several runs share it, and asks the world what happened.
//!
//! Each round starts some runs at once: one process carries them all, the others are its guests, and when it is killed
//! one of these takes over. Steps have all three effects; each notes its begin and its end in a witness file, synced,
//! and holds a folder of its own while it runs. Whatever the moments of the kills: nothing that was said is taken back,
//! no step begins twice or beside itself, since commands outlive their engines, nothing is left running, and nearly
//! every run succeeds.
//!
//! `LOCKSTEP_ROUNDS` sets the number of rounds, `LOCKSTEP_SEED` repeats a series; both are printed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::io::Read as _;
use std::process::{Child, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use crate::harness::{Case, Random, Report, Series};

/// Rounds of the gate.
const ROUNDS: u32 = 15;
/// Runs that share a folder.
const RUNS: usize = 4;
const STEPS: usize = 8;
/// Of the processes of one round, so many are killed at most; the rest must carry on.
const KILLS: u64 = 6;

#[test]
fn runs_that_share_a_folder_survive_its_processes() {
    let series = Series::of(ROUNDS);
    let mut report = Report::of("load", "load::runs_that_share_a_folder", &series);
    let span = undisturbed();
    let mut tally: BTreeMap<&'static str, u64> = BTreeMap::new();
    for round in series.play(|name, random| Round::play(name, random, span)) {
        for (what, count) in round {
            *tally.entry(what).or_default() += count;
        }
    }
    println!("{tally:?}");
    for (what, count) in &tally {
        if *what == KILLED {
            report.faults(what, *count)
        } else {
            report.outcomes(what, *count)
        };
    }
    let count = |what| tally.get(what).copied().unwrap_or_default();
    assert!(count(KILLED) > u64::from(series.rounds), "most kills came too late: {tally:?}");
    report.runs(count(SUCCEEDED), count(IN_DOUBT));
    let runs = count(SUCCEEDED) + count(IN_DOUBT);
    assert!(count(SUCCEEDED) * 100 >= runs * 95, "more than 5 % of the runs came into doubt: {tally:?}");
}

const KILLED: &str = "kill -9 of a run among others";
const SUCCEEDED: &str = "succeeded";
const IN_DOUBT: &str = "in doubt";
const NEVER_WAS: &str = "killed before there was a run";

/// What became of a round, by count.
type Became = Vec<(&'static str, u64)>;

struct Round<'a> {
    case: Case,
    name: &'a str,
    /// Processes that run, each with what it prints.
    processes: Vec<(Child, mpsc::Receiver<String>)>,
    /// All that any process has said.
    said: String,
    killed: u64,
}

impl<'a> Round<'a> {
    fn play(name: &'a str, random: &mut Random, span: Duration) -> Became {
        let mut round = Self { case: case(), name, processes: Vec::new(), said: String::new(), killed: 0 };
        for _ in 0..RUNS {
            round.start(&["run", "runbook.yaml", "--json"]);
        }
        for _ in 0..random.below(KILLS) {
            round.kill_one(random, span);
            if random.below(2) == 0 {
                round.start(&["resume", "--json"]);
            }
        }
        while let Some((child, said)) = round.processes.pop() {
            round.end(child, &said);
        }
        round.case.lockstep(["resume", "--json"]);
        round.judge()
    }

    fn start(&mut self, arguments: &[&str]) {
        let mut command = self.case.command(arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the program starts");
        let mut stdout = child.stdout.take().expect("standard output is piped");
        let (send, said) = mpsc::channel();
        thread::spawn(move || {
            let mut bytes = Vec::new();
            let _ = stdout.read_to_end(&mut bytes);
            // Nobody waits for it when the test has failed.
            let _ = send.send(String::from_utf8_lossy(&bytes).into_owned());
        });
        self.processes.push((child, said));
    }

    /// Kills one of the processes after a moment; more often than not it is the one that carries the others.
    fn kill_one(&mut self, random: &mut Random, span: Duration) {
        let micros = u64::try_from(span.as_micros()).expect("a short time");
        let moment = Duration::from_micros(random.below(micros / 2 + 1));
        let host = self.case.read("data/LOCK").trim().parse::<u32>().ok();
        let any = usize::try_from(random.below(self.processes.len().max(1) as u64)).expect("a small number");
        let place = self.processes.iter().position(|(child, _)| Some(child.id()) == host && random.below(4) > 0);
        let place = place.unwrap_or(any);
        if place >= self.processes.len() {
            return;
        }
        let (mut child, said) = self.processes.remove(place);
        // It ends by itself, or its time has come.
        if let Ok(text) = said.recv_timeout(moment) {
            self.said.push_str(&text);
            child.wait().expect("the program has ended");
            return;
        }
        let _ = child.kill();
        child.wait().expect("the program has ended");
        self.killed += 1;
        self.said.push_str(&said.recv_timeout(crate::harness::DEADLINE).expect("what it had printed"));
    }

    fn end(&mut self, mut child: Child, said: &mpsc::Receiver<String>) {
        let Ok(text) = said.recv_timeout(crate::harness::DEADLINE) else {
            let _ = child.kill();
            let _ = child.wait();
            panic!("{}: a process does not end", self.name);
        };
        child.wait().expect("the program has ended");
        self.said.push_str(&text);
    }

    fn judge(self) -> Became {
        let name = self.name;
        let runs = self.case.runs();
        let known: BTreeSet<&str> = runs.iter().filter_map(|run| run["id"].as_str()).collect();
        let events: Vec<Json> = self
            .said
            .split_inclusive('\n')
            .filter(|line| line.ends_with('\n'))
            .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{name}: {line:?}: {error}")))
            .collect();
        for event in events.iter().filter(|event| event["type"] == "started") {
            let id = event["id"].as_str().expect("a run has an id");
            assert!(known.contains(id), "{name}: run {id} was said to have started and is gone");
        }
        let views: BTreeMap<&str, Json> = known.iter().map(|id| (*id, self.case.show(id))).collect();
        for event in events.iter().filter(|event| event["type"] == "step" && event["status"] == "succeeded") {
            let id = event["id"].as_str().expect("a run has an id");
            let step = steps(&views[id]).find(|step| step["path"] == event["path"]);
            assert!(step.is_some_and(|step| step["status"] == "succeeded"), "{name}: {event} was taken back: {step:?}");
        }
        let witness = self.case.read("witness");
        assert!(!witness.contains("overlap"), "{name}: a step ran beside itself:\n{witness}");
        let mut begins: BTreeMap<&str, u32> = BTreeMap::new();
        for line in witness.lines().filter_map(|line| line.strip_prefix("begin ")) {
            *begins.entry(line).or_default() += 1;
        }
        let (mut succeeded, mut in_doubt) = (0, 0);
        for (id, view) in &views {
            match view["status"].as_str() {
                Some("succeeded") => succeeded += 1,
                _ if steps(view).any(|step| step["status"] == "in_doubt") => in_doubt += 1,
                _ => panic!("{name}: run {id} neither succeeded nor waits in doubt: {view:#}"),
            }
            for step in steps(view).filter(|step| step["status"] == "succeeded") {
                let path = step["path"].as_str().expect("a step has a path");
                let count = begins.get(format!("{id} {path}").as_str()).copied().unwrap_or_default();
                assert_eq!(count, 1, "{name}: step {path} of run {id} began {count} times:\n{witness}");
                assert!(witness.contains(&format!("end {id} {path}\n")), "{name}: {path} of {id} has no end");
            }
        }
        assert!(begins.values().all(|count| *count == 1), "{name}: a step began twice:\n{witness}");
        let begun_by_nobody = begins.keys().find(|key| !known.contains(key.split(' ').next().unwrap_or_default()));
        assert_eq!(begun_by_nobody, None, "{name}: a command of a run that nobody knows");
        assert_eq!(orphans(&known), Vec::<String>::new(), "{name}: commands are left running");
        let never_was = (RUNS - views.len()) as u64;
        vec![(KILLED, self.killed), (SUCCEEDED, succeeded), (IN_DOUBT, in_doubt), (NEVER_WAS, never_was)]
    }
}

/// Processes that live and belong to an attempt of these runs.
fn orphans(runs: &BTreeSet<&str>) -> Vec<String> {
    let belongs = |entry: fs::DirEntry| {
        let environment = fs::read(entry.path().join("environ")).ok()?;
        let run = environment.split(|byte| *byte == 0).find_map(|variable| variable.strip_prefix(b"LOCKSTEP_RUN="))?;
        let run = std::str::from_utf8(run).ok()?;
        let command = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        runs.contains(run).then(|| format!("{run}: {}", String::from_utf8_lossy(&command)))
    };
    fs::read_dir("/proc").expect("Linux").flatten().filter_map(belongs).collect()
}

fn steps(view: &Json) -> impl Iterator<Item = &Json> {
    view["steps"].as_array().into_iter().flatten()
}

/// How long the runs of a round take when nobody is killed, and that they work then.
fn undisturbed() -> Duration {
    let mut round = Round { case: case(), name: "undisturbed", processes: Vec::new(), said: String::new(), killed: 0 };
    let began = Instant::now();
    for _ in 0..RUNS {
        round.start(&["run", "runbook.yaml", "--json"]);
    }
    while let Some((child, said)) = round.processes.pop() {
        round.end(child, &said);
    }
    let span = began.elapsed();
    let became = round.judge();
    assert!(became.contains(&(SUCCEEDED, RUNS as u64)), "{became:?}");
    span
}

/// Steps of all three effects. `dd` appends with one `write` and syncs before it ends.
fn case() -> Case {
    let mut text = String::from("defaults: { timeout: 1m }\nsteps:\n");
    for number in 0..STEPS {
        let effect = ["once", "idempotent", "pure"][number % 3];
        let note = |word: &str| {
            format!(
                "echo {word} $LOCKSTEP_RUN $LOCKSTEP_STEP | dd of=witness oflag=append conv=notrunc,fsync status=none"
            )
        };
        let lock = "lock-$LOCKSTEP_RUN-$LOCKSTEP_STEP";
        let _ = writeln!(
            text,
            "  - id: s{number}\n    effect: {effect}\n    shell: |\n      mkdir {lock} || echo overlap >> witness\n      {}\n      \
             sleep 0.02\n      {}\n      rmdir {lock}",
            note("begin"),
            note("end")
        );
    }
    Case::new().runbook(&text)
}
