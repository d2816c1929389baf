//! A checkpoint that panics, hangs or fails on opening, on the real program: it costs time, and nothing else.
//!
//! `runs`, `show`, `run` and `approve` are asked of the very process that met it.

use crate::harness::{Case, Process};

/// So long a checkpoint is waited for here, in milliseconds: more than one takes that opens.
const PATIENCE: &str = "2000";

/// What happens once, and whether the folder is set aside with what it holds.
const ONCE: [&str; 6] =
    ["before:panic@1", "after:panic@1", "before:hang@1", "after:hang@1", "before:error@1", "after:error@1"];

#[test]
fn a_checkpoint_that_fails_once_on_opening_is_made_anew_beside() {
    for fault in ONCE {
        let case = met(fault);
        assert!(case.data().join("state.set-aside").is_dir(), "{fault}: what could not be used is kept");
        assert!(case.data().join("state/db").is_file(), "{fault}: another one is there");
        let doctor = case.lockstep(["doctor"]);
        doctor.exits(1).prints("a checkpoint that could not be used, kept to be looked into");
        assert!(doctor.stdout.matches("state").count() <= 2, "{fault}: the new one is sound:\n{}", doctor.stdout);
        case.lockstep(["doctor", "--repair"]);
        case.lockstep(["doctor"]).exits(0);
    }
}

#[test]
fn a_checkpoint_that_never_opens_is_done_without() {
    for fault in ["before:panic", "before:hang"] {
        let case = met(fault);
        // Who opens it undisturbed makes it anew.
        case.lockstep(["run", "short.yaml", "--json"]).exits(0);
        assert_eq!(case.runs().len(), 5, "{fault}");
        case.lockstep(["doctor", "--repair"]);
        case.lockstep(["doctor"]).exits(0);
    }
}

/// A folder with a checkpoint, one run that is open and two that have ended; a process that holds it meets this fault when it
/// opens the checkpoint, and is asked for everything.
fn met(fault: &str) -> Case {
    let case = Case::new();
    let gate = case.gate("gate");
    let case = case
        .env("LOCKSTEP_FAULTS_PATIENCE", PATIENCE)
        .file("short.yaml", "runbook: short\nsteps: [{ id: a, shell: 'echo told' }]\n")
        .file(
            "asks.yaml",
            "runbook: asks\nsteps: [{ id: ok, approve: { message: Sure?, self: true }, timeout: 1h }, { id: b, shell: 'echo well' }]\n",
        )
        .file("gated.yaml", format!("runbook: gated\nsteps: [{{ id: a, shell: \"{}\" }}]\n", gate.script()));
    let short = case.lockstep(["run", "short.yaml", "--json"]).exits(0).id();
    case.lockstep(["run", "short.yaml", "--json"]).exits(0);
    let asks = case.lockstep(["run", "asks.yaml", "--json"]).exits(3).id();
    assert!(case.data().join("state/db").is_file(), "a run that is open is checkpointed at closing");
    let before = [case.show(&short), case.show(&asks)];

    let mut command = case.command(["run", "gated.yaml", "--json"]);
    command.env("LOCKSTEP_FAULTS", format!("image.open={fault}")).env("LOCKSTEP_FAULTS_TRACE", "trace");
    let run = Process::start(command);
    gate.arrival();
    let (side, action) = fault.split_once(':').expect("a side and an action");
    let action = action.split('@').next().unwrap_or_default();
    let met = format!(" image.open {side} 1 {action}");
    assert!(case.read("trace").lines().any(|line| line.ends_with(&met)), "{fault}: {}", case.read("trace"));
    assert_eq!(case.runs().len(), 4, "{fault}");
    assert_eq!(case.show(&short), before[0], "{fault}");
    assert_eq!(case.show(&asks)["steps"], before[1]["steps"], "{fault}");
    case.lockstep(["logs", &short]).exits(0).prints("told");
    case.lockstep(["approve", &asks, "ok"]).exits(0);
    gate.open();
    run.outcome(&case).exits(0);
    assert_eq!(case.show(&asks)["status"], "succeeded", "{fault}");
    assert_eq!(case.runs().len(), 4, "{fault}");
    case
}
