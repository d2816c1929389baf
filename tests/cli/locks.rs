//! Keys that runs of several terminals hold against each other.

use serde_json::Value as Json;

use crate::harness::{Case, Gate, Process};

fn start(case: &Case, runbook: &str) -> Process {
    Process::start(case.command(["run", runbook, "--json"]))
}

fn why(case: &Case, run: &str) -> Json {
    serde_json::from_str(&case.lockstep(["why", run, "--json"]).exits(0).stdout).expect("one object")
}

/// The two runbooks hold one key; that of the first waits at the gate.
fn locked(case: Case, script: &str) -> Case {
    let first = format!(
        "runbook: first\nsteps: [{{ id: hold, lock: door, shell: \"echo first in >> did; {script}; echo first out >> did\" }}]\n"
    );
    let second = "runbook: second\nsteps: [{ id: want, lock: door, shell: 'echo second >> did' }]\n";
    case.file("first.yaml", first).file("second.yaml", second)
}

/// A run of one terminal that holds the key, and stands at the gate, and one of another that wants it.
struct Contended {
    case: Case,
    gate: Gate,
    first: Process,
    holder: String,
    second: Process,
    waiter: String,
}

impl Contended {
    fn new() -> Self {
        let case = Case::new();
        let gate = case.gate("gate");
        let case = locked(case, &gate.script());
        let mut first = start(&case, "first.yaml");
        let holder = first.id();
        gate.arrival();
        let mut second = start(&case, "second.yaml");
        let waiter = second.id();
        Self { case, gate, first, holder, second, waiter }
    }
}

#[test]
fn a_run_of_another_terminal_waits_for_the_lock_and_why_says_whose_it_is() {
    let Contended { case, gate, first, holder, mut second, waiter } = Contended::new();
    let waits = |event: &Json| event["awaits"]["what"] == "lock" && event["status"] == "waiting";
    let step = second.event("that it waits", waits);
    assert_eq!((&step["path"], &step["awaits"]["key"]), (&"want".into(), &"door".into()));
    let why = why(&case, &waiter);
    let wait = &why["waits"][0];
    assert_eq!((&why["status"], &wait["reason"], &wait["step"]), (&"waiting".into(), &"lock".into(), &"want".into()));
    let what = format!("waits for the lock `door`, which step `hold` of run {holder} of `first` holds");
    assert_eq!(wait["what"], Json::from(what.as_str()));
    assert!(wait["since"].is_string());
    assert!(wait["unblock"][0]["command"].as_str().is_some_and(|command| command.contains(&format!("why {holder}"))));
    case.lockstep(["why", &waiter]).exits(0).prints(&what);
    let shown = &case.show(&waiter)["steps"][0]["awaits"]["holders"][0];
    assert_eq!((&shown["run"], &shown["step"]), (&holder.as_str().into(), &"hold".into()));
    gate.open();
    second.outcome(&case).exits(0);
    first.outcome(&case).exits(0);
    assert_eq!(case.read("did"), "first in\nfirst out\nsecond\n");
}

#[test]
fn a_run_that_was_cut_off_holds_its_lock_until_somebody_carries_it_on() {
    let Contended { case, gate, first, holder, mut second, waiter } = Contended::new();
    second.event("that it waits", |event| event["awaits"]["what"] == "lock");
    first.kill();
    // The guest takes the folder over, and has nobody left who could give it the key.
    let left = second.outcome(&case);
    left.exits(3);
    let why = why(&case, &waiter);
    let what = why["waits"].as_array().into_iter().flatten().find(|wait| wait["reason"] == "lock");
    let what = what.and_then(|wait| wait["what"].as_str()).unwrap_or_default().to_owned();
    assert!(what.ends_with("no process carries that run"), "{why:#}");
    // A third one comes too late for both.
    let third = start(&case, "second.yaml").outcome(&case).exits(3).id();
    gate.open();
    case.lockstep(["resume", &holder]).exits(0);
    case.lockstep(["resume", &waiter]).exits(0);
    case.lockstep(["resume", &third]).exits(0);
    assert_eq!(case.read("did"), "first in\nfirst out\nsecond\nsecond\n", "and nothing of it ran twice");
}

#[test]
fn runs_with_one_key_queue_across_terminals() {
    let case = Case::new();
    let gate = case.gate("gate");
    let case = case.runbook(&format!(
        "concurrency: {{ key: one }}\nsteps: [{{ id: a, shell: \"echo in >> did; {}; echo out >> did\" }}]\n",
        gate.script()
    ));
    let mut first = Process::start(case.run_command(&["--json"]));
    let holder = first.id();
    gate.arrival();
    let mut second = Process::start(case.run_command(&["--json"]));
    let waiter = second.id();
    second.event("that it is queued", |event| event["status"] == "queued");
    let why = why(&case, &waiter);
    assert_eq!((&why["status"], &why["waits"][0]["reason"]), (&"queued".into(), &"queued".into()));
    let what = format!("waits for its turn among the runs with key `one`, which run {holder} of `test` holds");
    assert_eq!(why["waits"][0]["what"], Json::from(what));
    let mut third = Process::start(case.run_command(&["--json"]));
    let last = third.id();
    third.event("that it is queued", |event| event["status"] == "queued");
    case.lockstep(["why", &last]).exits(0).prints("and 1 comes first");
    case.lockstep(["cancel", &last]).exits(0);
    third.outcome(&case).exits(4);
    gate.open();
    gate.arrival();
    gate.open();
    second.outcome(&case).exits(0);
    first.outcome(&case).exits(0);
    assert_eq!(case.read("did"), "in\nout\nin\nout\n");
}

#[test]
fn a_run_too_many_says_why_it_did_not_begin() {
    let case = Case::new();
    let gate = case.gate("gate");
    let of = |excess: &str, script: &str| {
        format!(
            "runbook: {excess}\nconcurrency: {{ key: one, excess: {excess} }}\nsteps: [{{ shell: \"{script}\" }}]\n"
        )
    };
    let case = case
        .file("first.yaml", of("queue", &gate.script()))
        .file("skip.yaml", of("skip", "touch ran"))
        .file("fail.yaml", of("fail", "touch ran"));
    let mut first = start(&case, "first.yaml");
    let holder = first.id();
    gate.arrival();
    let skipped = case.lockstep(["run", "skip.yaml"]);
    skipped.exits(4).prints(&format!("skipped: run {holder} goes on with key `one`"));
    let failed = case.lockstep(["run", "fail.yaml"]);
    failed
        .exits(1)
        .prints(&format!("run {holder} goes on with key `one`, and `excess: fail` lets no further one begin"));
    gate.open();
    first.outcome(&case).exits(0);
    assert!(!case.path("ran").exists());
    case.lockstep(["retry", "last"]).exits(0);
    assert!(case.path("ran").exists(), "its turn is free now");
}

#[test]
fn cases_play_runbooks_that_hold_keys() {
    let case = Case::new()
        .runbook(
            "concurrency: { key: one, excess: fail }
steps:
  - parallel:
      branches:
        a: [{ id: x, lock: door, exec: [a], timeout: 1h }]
        b: [{ id: y, lock: door, exec: [b], timeout: 1h }]
",
        )
        .file(
            "runbook.test.yaml",
            "test: test
cases:
  - name: one after the other
    mock: { parallel#1/a/x: { after: 10m }, parallel#1/b/y: { after: 10m } }
    expect: { status: succeeded, takes: 20m }
",
        );
    case.lockstep(["test"]).exits(0);
    case.lockstep(["test", "--crash-everywhere"]).exits(0);
}
