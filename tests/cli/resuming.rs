//! `resume`, `retry`, `resolve`, `cancel`: how a run goes on after it was cut off, failed, or came into doubt.

use serde_json::json;

use crate::harness::{Case, Gate, Process};

/// A case whose run was killed in the middle of the step `middle`, with the supervisor of its command.
fn cut_off(effect: &str) -> (Case, Gate, String) {
    let case = Case::new();
    let gate = case.gate("gate");
    let case = case.runbook(&format!(
        "steps:
  - {{ id: first, shell: 'echo first >> done; echo one' }}
  - {{ id: middle, effect: {effect}, shell: \"echo began; {}; echo middle >> done; echo two\" }}
  - {{ id: last, shell: 'echo last >> done', env: {{ M: '${{{{ steps.middle.stdout }}}}' }} }}
finally:
  - {{ id: tidy, shell: 'echo tidy >> done' }}
outputs: {{ middle: steps.middle.stdout }}
",
        gate.script()
    ));
    let mut run = case.start();
    let id = run.id();
    run.event("its output", |event| event["line"] == "began");
    gate.arrival();
    run.kill();
    // Without it the command would go on: see `adopt`.
    case.kill_supervisors();
    (case, gate, id)
}

#[test]
fn a_run_that_may_be_repeated_goes_on_by_itself() {
    let (case, gate, id) = cut_off("idempotent");
    let resume = Process::start(case.command(["resume", "--json"]));
    gate.arrival();
    gate.open();
    let outcome = resume.outcome(&case);
    outcome.succeeds();
    assert_eq!(outcome.id(), id);
    assert_eq!(case.read("done"), "first\nmiddle\nlast\ntidy\n", "what had succeeded was not done again");
    case.lockstep(["resume"]).exits(0).says("no run was cut off");
    // Of a run that has ended the end is shown.
    case.lockstep(["resume", &id, "--json"]).succeeds();
}

#[test]
fn a_step_that_must_not_run_twice_waits_in_doubt_and_says_why() {
    let (case, _gate, id) = cut_off("once");
    let outcome = case.lockstep(["resume", &id]);
    outcome
        .exits(3)
        .prints("step `middle` is in doubt: ")
        .prints(&format!("lockstep resolve {id} middle done"))
        .prints(&format!("lockstep resolve {id} middle rerun"));
    let view = case.show(&id);
    assert_eq!(view["status"], "waiting");
    assert_eq!(view["steps"][1]["status"], "in_doubt");
    assert!(view["steps"][1]["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{view:#}");
    case.lockstep(["show", &id]).exits(0).prints("in_doubt").prints("resolve");
    case.lockstep(["logs", &id, "middle"]).exits(0).prints("began\n");
    case.lockstep(["runs"]).prints("(in doubt)");
    assert_eq!(case.read("done"), "first\n");
}

#[test]
fn a_person_says_it_is_done_with_its_outputs() {
    let (case, _gate, id) = cut_off("once");
    case.lockstep(["resume"]).exits(3);
    case.lockstep(["resolve", &id, "last", "done"]).exits(2);
    case.lockstep(["resolve", &id, "middle", "failed", "--output", "x=1"]).exits(2).says("goes with `done` only");
    let outcome = case.lockstep(["resolve", &id, "middle", "done", "--output", "stdout=by hand", "--json"]);
    outcome.succeeds().output("middle", "by hand").step("last", "succeeded");
    assert_eq!(case.read("done"), "first\nlast\ntidy\n");
    let history = case.lockstep(["history", &id, "--json"]).exits(0).events();
    let resolved = history.iter().find(|row| row["what"] == "resolved").unwrap();
    assert_eq!(resolved["detail"]["how"], "done");
    assert!(resolved["detail"]["by"].as_str().is_some_and(|by| by.starts_with("user:")));
}

#[test]
fn a_person_says_it_failed_or_is_to_run_again() {
    let (case, _gate, id) = cut_off("once");
    case.lockstep(["resume"]).exits(3);
    case.lockstep(["resolve", &id, "middle", "failed", "--json"]).exits(1);
    assert_eq!(case.read("done"), "first\ntidy\n");

    let (case, gate, id) = cut_off("once");
    case.lockstep(["resume"]).exits(3);
    let rerun = Process::start(case.command(["resolve", "last", "middle", "rerun", "--json"]));
    gate.arrival();
    gate.open();
    rerun.outcome(&case).succeeds();
    assert_eq!(case.read("done"), "first\nmiddle\nlast\ntidy\n");
    assert_eq!(case.show(&id)["status"], "succeeded");
}

#[test]
fn a_cut_off_run_can_be_cancelled_and_its_finally_runs() {
    let (case, _gate, id) = cut_off("idempotent");
    case.lockstep(["cancel", &id, "--json"]).exits(0).says(&format!("cancelling run {id}"));
    assert_eq!(case.show(&id)["status"], "cancelled");
    assert_eq!(case.read("done"), "first\ntidy\n");
    case.lockstep(["cancel", &id]).exits(2);
}

#[test]
fn a_run_of_another_terminal_can_be_cancelled() {
    let case = Case::new();
    let gate = case.gate("gate");
    let case = case.runbook(&format!("steps: [{{ id: stand, shell: \"{}\" }}]", gate.script()));
    let mut run = case.start();
    let id = run.id();
    gate.arrival();
    case.lockstep(["cancel", &id]).exits(0);
    let outcome = run.outcome(&case);
    outcome.exits(4);
    assert_eq!(outcome.run()["status"], "cancelled");
}

#[test]
fn a_failed_run_is_tried_again_from_where_it_failed() {
    let case = Case::new().runbook(
        "steps:\n  - { id: count, shell: 'echo x >> count' }\n  - { id: need, shell: 'test -e there' }\n  - { id: after, shell: 'echo y >> count' }\n",
    );
    let failed = case.run();
    failed.fails("failed");
    let id = failed.id();
    case.lockstep(["retry", &id, "--json"]).fails("failed");
    let case = case.file("there", "");
    let outcome = case.lockstep(["retry", "last", "--json"]);
    outcome.succeeds();
    assert_eq!(outcome.id(), id, "it is the same run");
    assert_eq!(case.read("count"), "x\ny\n");
    case.lockstep(["retry", &id]).exits(2);
    assert_eq!(case.show(&id)["error"], json!(null));
}

#[test]
fn several_runs_go_on_together_and_the_worst_decides() {
    let case = Case::new();
    let (good, bad) = (case.gate("good"), case.gate("bad"));
    let text = |name: &str, gate: &Gate, end: &str| {
        format!("runbook: {name}\nsteps: [{{ id: a, shell: \"{}; {end}\" }}]\n", gate.script())
    };
    let case = case.file("good.yaml", text("good", &good, "true")).file("bad.yaml", text("bad", &bad, "exit 9"));
    let host = Process::start(case.command(["run", "good.yaml", "--json"]));
    good.arrival();
    let guest = Process::start(case.command(["run", "bad.yaml", "--json"]));
    bad.arrival();
    guest.kill();
    host.kill();
    let resume = Process::start(case.command(["resume"]));
    good.open();
    bad.open();
    resume.outcome(&case).exits(1).prints("a succeeded").prints("a failed").prints("exit code 9");
}
