//! Ctrl-C once, Ctrl-C twice, and the other signals.

use std::process::Command;

use rustix::process::Signal;

use crate::harness::{Case, Gate, Process};

/// A run that stands in a step, with a `finally` that leaves a mark.
fn standing() -> (Case, Gate, Process, String) {
    let case = Case::new();
    let gate = case.gate("gate");
    let case = case.runbook(&format!(
        "steps:\n  - {{ id: stand, shell: \"{}\", timeout: {{ grace: 30s }} }}\nfinally:\n  - {{ id: tidy, shell: 'echo tidy >> tidied' }}\n",
        gate.script()
    ));
    let mut run = case.start();
    let id = run.id();
    gate.arrival();
    (case, gate, run, id)
}

#[test]
fn the_first_ctrl_c_cancels_and_says_what_a_second_one_does() {
    for signal in [Signal::INT, Signal::TERM] {
        let (case, _gate, mut run, id) = standing();
        run.signal(signal);
        run.says(&format!("cancelling run {id}; once more leaves it to be resumed"));
        let outcome = run.outcome(&case);
        outcome.exits(4).step("stand", "cancelled").step("finally/tidy", "succeeded");
        assert_eq!(outcome.run()["status"], "cancelled");
        assert_eq!(case.read("tidied"), "tidy\n");
        assert!(case.show(&id)["cancelled_by"].as_str().is_some_and(|by| by.starts_with("user:")));
    }
}

#[test]
fn a_second_ctrl_c_leaves_and_the_cancel_stands() {
    let case = Case::new();
    let gate = case.gate("gate");
    // It does not hear the first signal.
    let case = case.runbook(&format!(
        "steps:\n  - {{ id: stand, shell: \"trap '' TERM; {}\", timeout: {{ grace: 3s }} }}\nfinally:\n  - {{ id: tidy, shell: 'echo tidy >> tidied' }}\n",
        gate.script().replace('\'', "")
    ));
    let mut run = case.start();
    let id = run.id();
    gate.arrival();
    run.signal(Signal::INT);
    run.event("the cancel", |event| {
        event["type"] == "status" && event["reason"].as_str().is_some_and(|reason| reason.contains("cancel"))
    });
    run.signal(Signal::INT);
    run.outcome(&case)
        .exits(3)
        .says(&format!("left run {id}; the cancel stands; `lockstep resume {id}` goes on with it"));
    let left = case.show(&id);
    assert_eq!((&left["status"], &left["interrupted"]), (&"running".into(), &true.into()));
    assert_eq!(case.read("tidied"), "");

    // What had been told to stop is not in doubt for want of an answer: the run ends as it was asked to.
    let outcome = case.lockstep(["resume", &id, "--json"]);
    assert!(matches!(outcome.run()["status"].as_str(), Some("cancelled" | "waiting")), "{}", outcome.stdout);
}

#[test]
fn the_end_of_the_terminal_leaves_without_a_cancel() {
    let (case, _gate, run, id) = standing();
    run.signal(Signal::HUP);
    run.outcome(&case).exits(3).says(&format!("left run {id}; it was not cancelled"));
    let left = case.show(&id);
    assert_eq!((&left["interrupted"], &left["cancelled_by"]), (&true.into(), &serde_json::Value::Null));
}

#[test]
fn what_was_ignored_from_the_start_stays_ignored() {
    let case = Case::new();
    let gate = case.gate("gate");
    let case = case.runbook(&format!("steps:\n  - {{ id: stand, shell: \"{}\" }}\n", gate.script()));
    let run = case.run_command(&["--json"]);
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' HUP; exec \"$0\" \"$@\""]).arg(run.get_program()).args(run.get_args());
    shell.current_dir(case.path("")).env("LOCKSTEP_DATA", case.data()).env("HOME", case.path(""));
    let run = Process::start(shell);
    gate.arrival();
    run.signal(Signal::HUP);
    gate.open();
    run.outcome(&case).succeeds();
}

#[test]
fn a_guest_cancels_its_own_run_only() {
    let (case, gate, host, host_run) = standing();
    let own = case.gate("own");
    let case =
        case.file("guest.yaml", format!("runbook: guest\nsteps:\n  - {{ id: stand, shell: \"{}\" }}\n", own.script()));
    let mut guest = Process::start(case.command(["run", "guest.yaml", "--json"]));
    let guest_run = guest.id();
    own.arrival();
    guest.signal(Signal::INT);
    guest.says("cancelling run");
    guest.outcome(&case).exits(4);
    assert_eq!(case.show(&guest_run)["status"], "cancelled");
    assert_eq!(case.show(&host_run)["status"], "running");
    gate.open();
    host.outcome(&case).succeeds();
}
