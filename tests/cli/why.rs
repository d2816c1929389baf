//! `lockstep why`: every reason to wait, with what lets the run go on.

use serde_json::Value as Json;

use crate::harness::Case;

/// Why the last run waits.
fn why(case: &Case) -> Json {
    let outcome = case.lockstep(["why", "last", "--json"]);
    serde_json::from_str(&outcome.exits(0).stdout).expect("one object")
}

/// The only wait of this reason.
fn wait<'a>(why: &'a Json, reason: &str) -> &'a Json {
    let waits = why["waits"].as_array().expect("a list");
    let mut found = waits.iter().filter(|wait| wait["reason"] == reason);
    match (found.next(), found.next()) {
        (Some(wait), None) => wait,
        _ => panic!("not one wait of reason {reason}: {why:#}"),
    }
}

fn commands(wait: &Json) -> Vec<String> {
    let all = wait["unblock"].as_array().expect("a list").iter();
    all.map(|one| one["command"].as_str().expect("a text").to_owned()).collect()
}

#[test]
fn who_is_waited_for_is_said_with_what_to_type() {
    let case = Case::new().runbook(
        "steps:
  - { id: told, await: { signal: go } }
  - { id: ok, needs: [], approve: { message: Delete it all?, by: ['user:ana', 'group:sre'], quorum: 2 } }
  - { id: which, needs: [], ask: { message: Which?, fields: { host: string, count: int } } }
  - { id: last, needs: [told, ok, which], shell: 'true' }
  - { id: after-told, needs: [told], shell: 'true' }
"
        .replace("after-told", "after_told")
        .as_str(),
    );
    let id = case.run().exits(3).id();
    let why = why(&case);
    assert_eq!(why["status"], "waiting");
    let signal = wait(&why, "signal");
    assert_eq!((&signal["step"], &signal["what"]), (&"told".into(), &"waits for the signal `go`".into()));
    assert_eq!(signal["next"], "`after_told` starts");
    assert!(signal["since"].is_string() && signal["until"].is_string(), "{signal:#}");
    assert!(commands(signal)[0].contains(&format!("signal {id} go")), "{signal:#}");
    let approval = wait(&why, "approval");
    assert_eq!(approval["what"], "waits for an approval from user:ana or group:sre: Delete it all?, 0 of 2 given");
    let [approve, reject] = commands(approval).try_into().expect("two");
    assert!(approve.contains(&format!("approve {id} ok")) && reject.contains(&format!("reject {id} ok")));
    let answer = wait(&why, "answer");
    assert!(commands(answer)[0].contains(&format!("answer {id} which -p host=<string> -p count=<int>")), "{answer:#}");
    assert_eq!(why["pending"][0]["step"], "last");
    assert_eq!(why["pending"][0]["needs"].as_array().map(Vec::len), Some(3));
    let text = case.lockstep(["why", "last"]);
    text.exits(0).prints("step `ok` waits for an approval from user:ana or group:sre: Delete it all?");
    text.prints("then it fails with `timeout`").prints("2 steps have not begun").prints("lockstep approve");
}

#[test]
fn what_runs_and_what_waits_for_time_is_said() {
    let case = Case::new();
    let gate = case.gate("gate");
    let case = case.runbook(&format!(
        "steps:
  - {{ id: runs, shell: \"{}\" }}
  - {{ id: rests, needs: [], wait: 1h }}
  - {{ id: again, needs: [], shell: exit 1, retry: {{ attempts: 3, delay: 1h, max_delay: 1h, jitter: none }} }}
  - {{ id: polls, needs: [], shell: exit 1, effect: pure, until: 'error == ()', every: 30m }}
  - {{ id: rounds, needs: [], repeat: {{ until: 'false', every: 1h, do: [{{ shell: 'true' }}] }} }}
  - {{ id: block, needs: [], do: [{{ id: inner, wait: 1h }}] }}
",
        gate.script()
    ));
    let run = case.start();
    gate.arrival();
    let is_there = |why: &Json, reason: &str| {
        why["waits"].as_array().is_some_and(|all| all.iter().any(|one| one["reason"] == reason))
    };
    let why = loop {
        let why = why(&case);
        if ["retry", "until", "round"].iter().all(|reason| is_there(&why, reason)) {
            break why;
        }
    };
    assert_eq!(wait(&why, "running")["step"], "runs");
    assert!(commands(wait(&why, "running"))[0].contains("logs"));
    let again = wait(&why, "retry");
    assert_eq!((&again["step"], &again["next"]), (&"again".into(), &"attempt 2 starts".into()));
    assert!(again["what"].as_str().is_some_and(|what| what.contains("exit code 1")), "{again:#}");
    assert_eq!(wait(&why, "until")["next"], "it is tried again");
    assert_eq!(wait(&why, "round")["next"], "the next round begins");
    let waits = why["waits"].as_array().expect("a list");
    let resting: Vec<_> = waits.iter().filter(|one| one["reason"] == "wait").map(|one| &one["step"]).collect();
    assert_eq!(resting, ["rests", "block/inner"], "of a block that is said which waits inside");
    gate.open();
    case.lockstep(["cancel", "last"]).exits(0);
    run.outcome(&case).exits(4);
}

#[test]
fn a_run_that_nobody_carries_and_one_that_has_ended() {
    let case = Case::new();
    let gate = case.gate("gate");
    let case = case.runbook(&format!("steps: [{{ id: a, effect: pure, shell: \"{}\" }}]", gate.script()));
    let run = case.start();
    gate.arrival();
    run.kill();
    let interrupted = why(&case);
    let said = wait(&interrupted, "interrupted");
    assert!(said["step"].is_null() && commands(said)[0].contains("resume"), "{interrupted:#}");
    gate.open();
    case.lockstep(["resume", "last"]).exits(0);
    let ended = why(&case);
    assert_eq!((&ended["status"], ended["waits"].as_array().map(Vec::len)), (&"succeeded".into(), Some(0)));
    case.lockstep(["why", "last"]).exits(0).prints("it has ended, and waits for nothing");
}

#[test]
fn a_run_and_the_one_that_it_called_name_each_other() {
    let case = Case::new()
        .file("asks.yaml", "runbook: asks\nsteps: [{ id: told, await: { signal: go } }]\n")
        .runbook("steps:\n  - { id: asked, call: ./asks.yaml }\n  - { id: after, shell: echo done }\n");
    let id = case.run().exits(3).id();
    let why = why(&case);
    let call = wait(&why, "call");
    let called = case.show(&id)["steps"][0]["awaits"]["run"].as_str().expect("the id of the called run").to_owned();
    assert_eq!(call["what"], format!("waits for run {called} of `asks`"));
    assert!(commands(call)[0].contains(&format!("why {called}")), "{call:#}");
    assert_eq!(call["next"], "`after` starts");
    assert_eq!(case.show(&called)["caller"], id.as_str());
    case.lockstep(["show", &called]).exits(0).prints(&format!("called by {id}"));
    case.lockstep(["runs"]).exits(0).prints(&format!("called by {id}")).prints("asks");
    case.lockstep(["history", &id]).exits(0).prints("called").prints(&called);
    // Who resumes the one resumes both, and either is known by its own id.
    case.lockstep(["signal", &called, "go"]).exits(0);
    let ended = case.lockstep(["resume", &id, "--json"]).exits(0).run();
    assert_eq!(ended["status"], "succeeded");
    assert_eq!(case.show(&called)["status"], "succeeded");
}

#[test]
fn what_is_in_doubt_and_what_is_stopping_is_said() {
    let case = Case::new();
    let gate = case.gate("gate");
    let case = case.runbook(&format!(
        "steps:
  - {{ id: a, shell: \"{}\" }}
  - {{ id: b, shell: 'true' }}
",
        gate.script()
    ));
    let mut run = case.start();
    let id = run.id();
    gate.arrival();
    run.kill();
    case.kill_supervisors();
    case.lockstep(["resume", &id]).exits(3);
    let why_doubt = why(&case);
    let doubt = wait(&why_doubt, "in_doubt");
    assert_eq!((&doubt["step"], &doubt["next"]), (&"a".into(), &"`b` starts".into()));
    assert!(doubt["since"].is_string() && doubt["what"].as_str().is_some_and(|what| what.contains("nobody knows")));
    let verbs = commands(doubt);
    for (command, how) in verbs.iter().zip(["done", "failed", "rerun"]) {
        assert!(command.contains(&format!("resolve {id} a {how}")), "{verbs:?}");
    }
    assert!(
        why_doubt["waits"].as_array().is_some_and(|all| all.len() == 1),
        "that nobody carries it says nothing more"
    );
    case.lockstep(["why", &id]).exits(0).prints("step `a` is in doubt").prints("lockstep resolve");

    let stubborn = Case::new();
    let gate = stubborn.gate("gate");
    let stubborn = stubborn.runbook(&format!(
        "steps: [{{ id: a, timeout: {{ grace: 1h }}, shell: \"trap '' TERM; {}\" }}]",
        gate.script()
    ));
    let run = stubborn.start();
    gate.arrival();
    stubborn.lockstep(["cancel", "last"]).exits(0);
    let stopping = why(&stubborn);
    let said = wait(&stopping, "stopping");
    assert_eq!((&said["step"], &said["next"]), (&"a".into(), &"it is killed after its grace".into()));
    gate.open();
    run.outcome(&stubborn).exits(4);
}

#[test]
fn what_is_paused_is_said_with_what_is_held_back() {
    let case = Case::new().runbook(
        "steps:
  - { id: told, await: { signal: go } }
  - { id: a, shell: 'true' }
  - { id: b, needs: [told], shell: 'true' }
",
    );
    let id = case.run().exits(3).id();
    case.lockstep(["pause", &id, "--reason", "lunch"]).exits(0);
    let waits = why(&case);
    assert!(wait(&waits, "paused")["what"].as_str().is_some_and(|what| what.ends_with(": lunch")), "{waits:#}");
    assert!(wait(&waits, "signal")["since"].is_string(), "what people are asked for is said as well");
    assert_eq!(wait(&waits, "paused")["next"], "what follows from what runs begins");
    case.lockstep(["signal", &id, "go"]).exits(3);
    assert_eq!(wait(&why(&case), "paused")["next"], "`a`, `b` go on");
    let text = case.lockstep(["why", &id]);
    text.exits(0).prints("is paused by user:").prints(&format!("lockstep resume {id}"));
}
