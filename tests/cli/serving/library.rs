//! The folder of runbooks: what is read, what is kept, and how loudly.

use std::fs;

use rustix::process::Signal;

use super::{ready, stop};
use crate::harness::{Case, Process};

/// Serves the folder `books` of the case.
fn serve(case: &Case) -> Process {
    ready(case.command(["serve", "--runbooks", "books"]))
}

fn says(text: &str) -> String {
    format!("runbook: ops/say\nsteps: [{{ id: a, exec: [echo, {text}] }}]\noutputs: {{ said: steps.a.stdout }}\n")
}

/// Runs the runbook by its name, and gives what it said.
fn said(case: &Case) -> String {
    let outcome = case.lockstep(["run", "ops/say", "--json"]);
    outcome.succeeds().run()["outputs"]["said"].as_str().unwrap().to_owned()
}

#[test]
fn a_runbook_is_run_by_its_name_as_its_file_is_now() {
    let case = Case::new().file("books/ops/say.yaml", says("one")).file("books/ops/say.test.yaml", "not: read");
    let mut server = serve(&case);
    server.says("runbooks=1 broken=0");
    assert_eq!(said(&case), "one");
    let case = case.file("books/ops/say.yaml", says("two"));
    server.said_times("runbooks=1 broken=0", 2);
    assert_eq!(said(&case), "two");
    // Its commands run in its own folder.
    let case = case.file(
        "books/ops/where.yaml",
        "runbook: where\nsteps: [{ id: a, exec: [pwd] }]\noutputs: { here: steps.a.stdout }\n",
    );
    server.says("runbooks=2 broken=0");
    let folder = fs::canonicalize(case.path("books/ops")).unwrap();
    case.lockstep(["run", "where", "--json"]).succeeds().output("here", folder.to_str().unwrap());
    fs::remove_file(case.path("books/ops/where.yaml")).unwrap();
    server.says("a runbook is gone runbook=\"where\"");
    case.lockstep(["run", "where", "--json"]).exits(2).says("there is no such file");
    stop(&case, server);
}

#[test]
fn a_broken_file_keeps_its_last_good_version_running_also_across_a_restart() {
    let case = Case::new().file("books/say.yaml", says("good")).file("books/never.yaml", "runbook: never\nsteps: 1\n");
    let mut server = serve(&case);
    server.says("a runbook is broken and not served file=\"never.yaml\"");
    let case = case.file("books/say.yaml", "runbook: ops/say\nsteps: [{ id: a, exek: [echo, bad] }]\n");
    let loud = server.said("its last good version goes on");
    for part in ["ERROR", "file=\"say.yaml\"", "runbook=\"ops/say\"", "say.yaml:2:", "exek"] {
        assert!(loud.contains(part), "no {part} in {loud}");
    }
    assert_eq!(said(&case), "good");
    stop(&case, server);
    let mut server = serve(&case);
    server.says("its last good version goes on");
    assert_eq!(said(&case), "good");
    let case = case.file("books/say.yaml", says("mended"));
    server.says("a runbook is not broken any more file=\"say.yaml\"");
    assert_eq!(said(&case), "mended");
    stop(&case, server);
}

#[test]
fn a_signal_has_the_runbooks_read_again_and_names_are_unique() {
    let case = Case::new().file("books/a.yaml", says("a"));
    let mut server = serve(&case);
    server.said_times("the runbooks were read", 1);
    server.signal(Signal::HUP);
    server.said_times("runbooks=1 broken=0", 2);
    let case = case.file("books/b.yaml", says("b"));
    let loud = server.said("a runbook is broken and not served");
    assert!(loud.contains("b.yaml") && loud.contains("the name `ops/say` is taken by `a.yaml`"), "{loud}");
    assert_eq!(said(&case), "a");
    stop(&case, server);
    case.lockstep(["serve", "--runbooks", "nowhere"]).exits(2).says("cannot be used").says("--runbooks DIR");
}

#[test]
fn schedules_follow_the_folder() {
    let hourly = |line: &str| format!("runbook: tick\ntriggers: [{{ {line} }}]\nsteps: [{{ exec: [echo, hi] }}]\n");
    let due = |case: &Case| {
        let outcome = case.lockstep(["schedule", "list", "--json"]);
        outcome.exits(0);
        outcome.events().into_iter().map(|row| row["due"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let case = Case::new().file("books/tick.yaml", hourly("cron: '0 3 * * *'"));
    let mut server = serve(&case);
    server.says("a schedule follows its runbook");
    assert_eq!(due(&case), ["0 3 * * *"]);
    let case = case.file("books/tick.yaml", hourly("cron: '0 4 * * *'"));
    server.says("change=Changed");
    assert_eq!(due(&case), ["0 4 * * *"]);
    // What is broken goes on as it was; what is gone does not.
    let case = case.file("books/tick.yaml", hourly("cron: '0 4 * *'"));
    server.says("its last good version goes on");
    assert_eq!(due(&case), ["0 4 * * *"]);
    stop(&case, server);
    fs::remove_file(case.path("books/tick.yaml")).unwrap();
    let mut server = serve(&case);
    server.says("a runbook is gone");
    assert_eq!(due(&case), [""; 0]);
    stop(&case, server);
}
