//! Runs that call other runs, over a disk and through crashes.

use std::collections::BTreeMap;

use lockstep_dsl::compile::{FileContent, FileError, Files, compile};
use lockstep_dsl::expr::Sandbox;
use lockstep_dsl::graph::Graph;
use lockstep_dsl::source::Source;
use lockstep_engine::api::{Reply, Request, RunRow, RunView};
use lockstep_engine::core::run::{Resolution, StepStatus};
use lockstep_engine::id::RunId;
use lockstep_engine::store::memory::Fault;

use crate::case::{Case, Does, graph};
use crate::crash::everywhere;

const PARENT: &str = "
runbook: parent
steps:
  - id: before
    exec: [before]
  - id: asked
    call: { runbook: ./child.yaml, params: { number: 3 } }
  - id: after
    exec: [after]
outputs: { given: steps.asked.given }
finally: [{ id: tidy, exec: [tidy] }]
";

const CHILD: &str = "
runbook: child
params: { number: int }
steps:
  - id: one
    exec: [one]
  - id: two
    exec: [two]
  - wait: 10m
  - id: inner
    call: ./grandchild.yaml
outputs: { given: params.number * 2 }
finally: [{ id: sweep, exec: [sweep] }]
";

const GRANDCHILD: &str = "
runbook: grandchild
steps:
  - id: three
    exec: [three]
    effect: idempotent
";

struct Beside(BTreeMap<&'static str, &'static str>);

impl Files for Beside {
    fn read(&self, relative: &str) -> Result<FileContent, FileError> {
        let text = self.0.get(relative).ok_or(FileError::NotFound)?;
        Ok(FileContent { bytes: text.as_bytes().to_vec(), executable: false })
    }
}

fn case_of(parent: &str) -> Case {
    Case::of_graph(graph_of(parent, CHILD))
}

fn graph_of(parent: &str, child: &'static str) -> Graph {
    graph_beside(parent, &[("child.yaml", child), ("grandchild.yaml", GRANDCHILD)])
}

/// A case of a runbook with others beside it.
pub fn case_beside(parent: &str, files: &[(&'static str, &'static str)]) -> Case {
    Case::of_graph(graph_beside(parent, files))
}

fn graph_beside(parent: &str, files: &[(&'static str, &'static str)]) -> Graph {
    let files = Beside(files.iter().copied().collect());
    match compile(&Source::new("parent.yaml", parent), &files, &Sandbox::new(&[])) {
        Ok(compiled) => compiled.graph,
        Err(diagnostics) => panic!("the case's runbook does not compile: {diagnostics:#?}"),
    }
}

fn case() -> Case {
    case_of(PARENT)
}

fn rows(case: &mut Case) -> Vec<RunRow> {
    match case.ask(Request::Runs { limit: 100, status: None, runbook: None }) {
        Reply::Runs(mut rows) => {
            rows.reverse();
            rows
        }
        other => panic!("runs are listed: {other:?}"),
    }
}

fn run_of(case: &mut Case, runbook: &str) -> RunView {
    let id: RunId = rows(case).iter().find(|row| row.runbook == runbook).expect("the run is there").id;
    match case.ask(Request::Show { run: id.to_string() }) {
        Reply::Run(view) => *view,
        other => panic!("a run is shown: {other:?}"),
    }
}

fn runbooks(case: &mut Case) -> Vec<String> {
    let mut runbooks: Vec<String> = rows(case).into_iter().map(|row| row.runbook).collect();
    runbooks.sort();
    runbooks
}

#[test]
fn a_called_run_is_one_of_its_own_and_hands_its_outputs_up() {
    let mut case = case();
    case.start();
    case.settle();
    assert_eq!(case.story(), "before one two three finally/sweep after finally/tidy: succeeded");
    let (parent, child) = (case.view(), run_of(&mut case, "child"));
    assert_eq!(child.caller, Some(parent.id));
    assert_eq!(case.find("asked").outputs["run"], child.id.to_string());
    assert_eq!((&parent.outputs["given"], &child.by), (&serde_json::json!(6), &parent.by));
    assert_eq!(run_of(&mut case, "grandchild").caller, Some(child.id));
    assert_eq!(case.driver().find("last").ok(), Some(parent.id), "the newest run that somebody asked for");
}

#[test]
fn a_crash_after_any_append_finds_the_same_called_runs_again() {
    let mut whole = everywhere(case);
    assert_eq!(runbooks(&mut whole), ["child", "grandchild", "parent"]);
}

#[test]
fn after_a_crash_those_who_wait_for_each_other_go_on_together() {
    for resumed in ["parent", "child", "grandchild"] {
        let mut case = case().step("three", [Does::Hangs]);
        case.start();
        case.pass(11 * 60 * 1_000);
        assert_eq!(case.path().last(), Some(&"three"));
        case.crash();
        case.open();
        assert!(rows(&mut case).iter().all(|row| row.interrupted));
        let run = run_of(&mut case, resumed).id.to_string();
        case = case.step("three", [Does::Prints("")]);
        case.ask(Request::Resume { run, by: "user:ana".to_owned() });
        case.settle();
        assert_eq!(case.status(), "succeeded", "{resumed} was resumed");
        assert_eq!(runbooks(&mut case), ["child", "grandchild", "parent"]);
    }
}

#[test]
fn a_failure_comes_up_and_a_retry_lets_the_called_runs_go_on() {
    let mut case = case().step("three", [Does::Exits(3), Does::Prints("")]);
    case.start();
    case.settle();
    assert_eq!(case.story(), "before one two three finally/sweep finally/tidy: failed");
    let grandchild = run_of(&mut case, "grandchild").id;
    let error = case.view().error.expect("an error");
    assert!(error.message.contains("failed in step `inner`"), "{}", error.message);
    assert!(error.message.contains(&format!("run {grandchild} of `grandchild` failed in step `three`")));
    assert_eq!((error.step.as_str(), &error.data["runbook"]), ("asked", &serde_json::json!("child")));
    // What has ended is let go of meanwhile.
    for _ in 0..2 {
        case.crash();
        case.open();
    }
    assert!(matches!(case.retry(), Reply::Done));
    case.settle();
    assert_eq!(
        case.story(),
        "before one two three finally/sweep finally/tidy three finally/sweep~2 after finally/tidy~2: succeeded"
    );
    assert_eq!(runbooks(&mut case), ["child", "grandchild", "parent"], "no further run was called");
    assert_eq!(case.find("asked").attempts, 2);
}

#[test]
fn what_ended_well_meanwhile_is_not_run_again() {
    let mut case = case().step("two", [Does::Exits(1), Does::Prints("")]);
    case.start();
    case.settle();
    assert_eq!(case.status(), "failed");
    let child = run_of(&mut case, "child").id.to_string();
    case.ask(Request::Retry { run: child.clone(), by: "user:ben".to_owned() });
    case.settle();
    assert_eq!(run_of(&mut case, "child").status, "succeeded");
    assert_eq!(case.status(), "failed", "nobody waits for it any more");
    case.retry();
    case.settle();
    assert_eq!(
        case.story(),
        "before one two finally/sweep finally/tidy two three finally/sweep~2 after finally/tidy~2: succeeded"
    );
    assert_eq!(case.find("asked").outputs["run"], child);
}

#[test]
fn a_cancel_goes_down_and_waits_for_the_end_there() {
    let mut case = case().step("two", [Does::Hangs]);
    case.start();
    case.pass(1_000);
    case.cancel();
    case.settle();
    assert_eq!(case.story(), "before one two finally/sweep finally/tidy: cancelled");
    let child = run_of(&mut case, "child");
    assert_eq!((child.status.as_str(), child.cancelled_by.as_deref()), ("cancelled", Some("user:ana")));
    assert_eq!(case.status_of("asked"), StepStatus::Cancelled);
    case = case.step("two", [Does::Prints("")]);
    case.retry();
    case.settle();
    assert_eq!(case.status(), "succeeded");
    assert_eq!(runbooks(&mut case), ["child", "grandchild", "parent"]);
}

#[test]
fn a_called_run_that_somebody_cancels_fails_its_caller() {
    let mut case =
        case_of(&PARENT.replace(
            "number: 3 } }",
            "number: 3 } }\n    effect: idempotent\n    retry: 3\n    catch: [{ steps: [] }]",
        ));
    case = case.step("two", [Does::Hangs]);
    case.start();
    case.pass(1_000);
    let child = run_of(&mut case, "child").id.to_string();
    case.ask(Request::Cancel { run: child, by: "user:ben".to_owned(), undo: false });
    case.settle();
    let error = case.view().error.expect("an error");
    assert_eq!((error.kind.as_str(), error.data["status"].as_str()), ("cancelled", Some("cancelled")));
    assert!(error.message.ends_with("was cancelled: cancelled by user:ben"), "{}", error.message);
    assert_eq!(case.status(), "failed");
}

#[test]
fn a_second_cancel_cuts_short_what_comes_last_in_the_called_run() {
    let mut case = case().step("two", [Does::Hangs]).step("finally/sweep", [Does::Hangs]);
    case.start();
    case.pass(1_000);
    case.cancel();
    case.pass(1_000);
    assert_eq!(run_of(&mut case, "child").status, "running");
    case.cancel();
    case.settle();
    assert_eq!(run_of(&mut case, "child").status, "cancelled");
    assert_eq!(case.status(), "cancelled");
}

#[test]
fn both_limits_of_a_call_may_be_reached_before_the_called_run_has_ended() {
    let limits = "number: 3 } }\n    timeout: { attempt: 5m, total: 6m }";
    let mut case =
        case_of(&PARENT.replace("number: 3 } }", limits)).step("finally/sweep", [Does::Hangs, Does::Prints("")]);
    case.start();
    case.pass(8 * 60 * 1_000);
    assert_eq!(run_of(&mut case, "child").status, "running");
    case.cancel();
    case.cancel();
    case.settle();
    assert_eq!((case.status().as_str(), run_of(&mut case, "child").status.as_str()), ("cancelled", "cancelled"));
}

#[test]
fn a_call_that_finds_no_room_on_the_disk_is_made_when_there_is_some() {
    let mut case = case().step("before", [Does::Hangs]);
    case.start();
    case = case.step("before", [Does::Prints("")]);
    case.crash();
    case.open();
    case.resume();
    case.disk.inject(Fault::NoSpace);
    case.resolve("before", Resolution::Done { outputs: BTreeMap::new() });
    assert!(case.driver().full().is_some());
    case.settle();
    assert_eq!(case.status(), "succeeded");
    assert_eq!(runbooks(&mut case), ["child", "grandchild", "parent"]);
}

#[test]
fn a_definition_that_is_known_is_not_journaled_again() {
    let mut case = case_of(&PARENT.replace(
        "  - id: after\n    exec: [after]",
        "  - id: again\n    call: { runbook: ./child.yaml, params: { number: '${{ steps.asked.given }}' } }",
    ));
    case.start();
    case.settle();
    assert_eq!(case.status(), "succeeded");
    assert_eq!(case.find("again").outputs["given"], 12);
    assert_eq!(runbooks(&mut case), ["child", "child", "grandchild", "grandchild", "parent"]);
}

#[test]
fn a_pause_goes_down_and_so_does_its_end() {
    let mut case = case().step("two", [Does::Hangs]);
    case.start();
    case.pass(1_000);
    let run = case.view().id.to_string();
    case.ask(Request::Pause { run: run.clone(), by: "user:ben".to_owned(), reason: Some("lunch".to_owned()) });
    assert_eq!(run_of(&mut case, "child").paused.map(|pause| pause.by), Some("user:ben".to_owned()));
    case.crash();
    case.open();
    case.resume();
    let (child, doubted) = case.doubted().expect("the command is gone");
    let how = Resolution::Done { outputs: BTreeMap::new() };
    case.ask(Request::Resolve { run: child.to_string(), step: doubted, how, by: "user:ben".to_owned() });
    case.settle();
    assert_eq!(case.path().last(), Some(&"two"), "nothing new begins");
    case.ask(Request::Unpause { run, by: "user:ben".to_owned() });
    case.settle();
    assert_eq!(case.status(), "succeeded");
}

#[test]
fn a_called_run_is_corrected_before_the_run_that_called_it() {
    const PARENT: &str = "
runbook: parent
steps:
  - { id: before, exec: [before] }
  - { id: asked, call: { runbook: ./child.yaml } }
";
    const WRONG: &str = "runbook: child\nsteps:\n  - { id: one, exec: [one] }\n  - { id: two, exec: [wrong] }\n";
    const RIGHT: &str = "runbook: child\nsteps:\n  - { id: one, exec: [one] }\n  - { id: two, exec: [right] }\n";
    let mut case = Case::of_graph(graph_of(PARENT, WRONG)).step("two", [Does::Exits(1), Does::Prints("")]);
    case.start();
    case.settle();
    assert_eq!(case.story(), "before one two: failed");
    let (parent, child) = (case.view().id, run_of(&mut case, "child").id);
    let edit_parent = Case::edit_of(parent, graph_of(PARENT, RIGHT));
    let Reply::Refused(refused) = case.ask(edit_parent.clone()) else { panic!("the called run has a text of its own") };
    let said = format!("step `asked` goes on with run {child}, which it called, and `./child.yaml` was changed");
    assert!(refused.message.contains(&said), "{}", refused.message);
    assert!(matches!(case.ask(Case::edit_of(child, graph(RIGHT))), Reply::Done));
    case.settle();
    assert_eq!(run_of(&mut case, "child").status, "succeeded");
    // The run that called it had ended: it takes what came of that.
    assert!(matches!(case.ask(edit_parent), Reply::Done));
    case.settle();
    assert_eq!(case.story(), "before one two two: succeeded");
}
