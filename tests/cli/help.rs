//! Help, version, completions: what the program says of itself.

use std::process::{Command, Stdio};

use crate::harness::{Case, Process};

const VERBS: [&str; 28] = [
    "run",
    "check",
    "test",
    "what-if",
    "graph",
    "runs",
    "show",
    "why",
    "logs",
    "history",
    "pause",
    "resume",
    "cancel",
    "retry",
    "skip",
    "resolve",
    "approve",
    "reject",
    "answer",
    "signal",
    "schedule",
    "event",
    "serve",
    "doctor",
    "backup",
    "restore",
    "bench",
    "completions",
];

#[test]
fn help_teaches() {
    let case = Case::new().env("COLUMNS", "100");
    insta::assert_snapshot!("help", case.lockstep(["--help"]).exits(0).stdout.as_str());
    for verb in VERBS {
        let outcome = case.lockstep([verb, "--help"]);
        outcome.exits(0).prints("Examples:");
        insta::assert_snapshot!(format!("help_{verb}"), outcome.stdout);
    }
}

#[test]
fn every_verb_is_in_the_help() {
    let case = Case::new();
    let outcome = case.lockstep(["--help"]);
    for verb in VERBS {
        outcome.prints(&format!("\n  {verb} "));
    }
}

#[test]
fn the_version_is_one_line() {
    let case = Case::new();
    let outcome = case.lockstep(["--version"]);
    assert_eq!(outcome.exits(0).stdout, format!("lockstep {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn bash_can_read_its_completions_and_the_others_name_every_verb() {
    let case = Case::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let outcome = case.lockstep(["completions", shell]);
        outcome.exits(0);
        for verb in VERBS {
            outcome.prints(verb);
        }
        if shell == "bash" {
            std::fs::write(case.path("completions"), &outcome.stdout).unwrap();
            let mut bash = Command::new("bash");
            bash.arg("-n").arg(case.path("completions")).stdin(Stdio::null());
            Process::start(bash).outcome(&case).exits(0).says_nothing();
        }
    }
}
