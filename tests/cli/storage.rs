//! `config.yaml` of a data folder, and what follows from its `storage`.

use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;

use crate::harness::Case;

/// Prints what is more than half of a small budget, then ends as it is told.
const PRINTS: &str = "params: { code: { type: int, default: 0 } }\nsteps: [{ id: a, env: { CODE: '${{ params.code }}' }, shell: 'seq 1 5000; exit $CODE' }]\n";

fn configured(text: &str) -> Case {
    let case = Case::new().runbook(PRINTS);
    fs::DirBuilder::new().mode(0o700).create(case.data()).unwrap();
    fs::write(case.data().join("config.yaml"), text).unwrap();
    case
}

fn log(case: &Case, run: &str) -> PathBuf {
    PathBuf::from(case.show(run)["steps"][0]["logs"][0].as_str().expect("a log"))
}

#[test]
fn a_configuration_that_is_wrong_starts_nothing() {
    let case = configured("storage: { lgos: 1GB, max: lots }\n");
    let outcome = case.run();
    outcome.exits(2).says("did you mean `logs`?").says("config.yaml:1: `storage.max`").says("2 errors in");
    outcome.says("nothing was started");
    assert!(!case.data().join("journal").exists());
    fs::write(case.data().join("config.yaml"), "storage: { logs: 1GB }\n").unwrap();
    case.run().succeeds();
    case.lockstep(["doctor"]).exits(0);
}

#[test]
fn logs_beyond_their_budget_go_the_oldest_first_and_that_is_said() {
    let case = configured("storage: { logs: 60KB }\n");
    let runs: Vec<String> = (0..4).map(|_| case.run().succeeds().id()).collect();
    let left: Vec<bool> = runs.iter().map(|run| log(&case, run).exists()).collect();
    assert_eq!(left, [false, false, true, true], "two logs of 24 KB fit");
    let outcome = case.lockstep(["logs", &runs[0]]);
    outcome.exits(0).prints("the logs of this run were removed by retention on 20").does_not_print("5000");
    case.lockstep(["show", &runs[0]]).exits(0).prints("logs removed by retention on 20");
    case.lockstep(["logs", &runs[3], "a"]).exits(0).prints("\n5000\n");
    // Only the logs are gone.
    assert_eq!(case.runs().len(), 4);
    assert_eq!(case.show(&runs[0])["steps"][0]["outputs"]["lines"].as_array().map(Vec::len), Some(5000));
    case.lockstep(["doctor"]).exits(0).prints(": sound\n").does_not_print("note:");
}

#[test]
fn logs_are_kept_by_the_outcome_of_their_run() {
    let case = configured("storage: { keep: { succeeded: 1ms, failed: 1d } }\n");
    let failed = case.lockstep(["run", "runbook.yaml", "-p", "code=3", "--json"]).exits(1).id();
    let succeeded: Vec<String> = (0..2).map(|_| case.run().succeeds().id()).collect();
    assert!(log(&case, &failed).exists(), "a failed run keeps its logs for a day");
    assert!(!log(&case, &succeeded[0]).exists());
    // The budget for the size comes before the days.
    fs::write(case.data().join("config.yaml"), "storage: { logs: 1KB, keep: { failed: 1d } }\n").unwrap();
    case.run().succeeds();
    assert!(!log(&case, &failed).exists(), "there is no room for it");
}

#[test]
fn a_run_that_is_open_keeps_its_logs() {
    let case = Case::new();
    let gate = case.gate("gate");
    let case = case
        .runbook(&format!("steps: [{{ id: a, shell: \"seq 1 5000; {}\" }}]\n", gate.script()))
        .file("other.yaml", "runbook: other\nsteps: [{ shell: seq 1 5000 }]\n")
        .file(
            "data/config.yaml",
            "storage: { logs: 1KB, max: 1KB, keep: { succeeded: 1ms, failed: 1ms, cancelled: 1ms } }\n",
        );
    let mut run = case.start();
    let id = run.id();
    gate.arrival();
    run.kill();
    case.lockstep(["run", "other.yaml", "--json"]).exits(0);
    assert!(log(&case, &id).exists(), "it is open");
    gate.open();
    case.lockstep(["resume", &id, "--json"]).exits(0);
    assert!(!log(&case, &id).exists(), "it has ended");
}

#[test]
fn of_a_run_whose_history_was_removed_it_is_told_how_it_ended() {
    // Two such runs fill the journal's first segment.
    let prints = "  - { exec: [sh, -c, \"seq 1 12000 | tr -d '\\n'\"] }\n";
    let case = Case::new().runbook(&format!("steps:\n{}", prints.repeat(4)));
    fs::DirBuilder::new().mode(0o700).create(case.data()).unwrap();
    fs::write(case.data().join("config.yaml"), "storage: { max: 1MB }\n").unwrap();
    let first = case.run().succeeds().id();
    let removed = (0..12).any(|_| {
        case.run().succeeds();
        case.show(&first)["gone"] != serde_json::Value::Null
    });
    assert!(removed, "the folder is over its budget by far");
    let view = case.show(&first);
    assert_eq!((&view["status"], &view["gone"]["why"]), (&"succeeded".into(), &"retention".into()));
    let at = view["gone"]["at"].as_str().expect("a time").to_owned();
    let told = format!("the history of this run was removed by retention on {at}");
    case.lockstep(["show", &first]).exits(0).prints("succeeded").prints(&told);
    case.lockstep(["logs", &first]).exits(0).prints(&told).prints("; its logs were removed on 20");
    case.lockstep(["logs", &first, "a"]).exits(0).prints(&told);
    case.lockstep(["history", &first]).exits(0).prints("removed").prints("why=retention").prints(&at);
    case.lockstep(["retry", &first]).exits(5).says("is not kept any more");
    assert_eq!(case.runs().last().expect("a run")["id"], first);
    case.lockstep(["doctor"]).exits(0);
}
