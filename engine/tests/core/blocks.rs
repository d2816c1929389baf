//! Branches: `on_fail`, `wins`, and the error of a block.

use lockstep_dsl::graph::OnFail;
use lockstep_dsl::value::Value;

use crate::case::Case;
use crate::plan::{What, exec, parallel, plan, step};

fn two(on_fail: OnFail) -> Case {
    let branches = vec![("x", vec![exec("a"), exec("b")]), ("y", vec![exec("c"), exec("d")])];
    Case::new(&plan(vec![parallel("p", on_fail, branches)]))
}

#[test]
fn stop_lets_what_runs_end_and_starts_nothing_new() {
    let mut case = two(OnFail::Stop);
    assert_eq!(case.running(), ["p/x/a", "p/y/c"]);
    assert_eq!(case.fails("p/x/a").running(), ["p/y/c"]);
    case.ok("p/y/c");
    assert_eq!(case.line(), "p failed, p/x/a failed, p/x/b skipped, p/y/c succeeded, p/y/d skipped");
}

#[test]
fn cancel_stops_what_runs() {
    let mut case = two(OnFail::Cancel);
    case.fails("p/x/a").fails("p/y/c");
    assert_eq!(case.line(), "p failed, p/x/a failed, p/x/b skipped, p/y/c cancelled, p/y/d skipped");
}

#[test]
fn late_lets_all_go_on() {
    let mut case = two(OnFail::Late);
    case.fails("p/x/a").ok("p/y/c").fails("p/y/d");
    assert_eq!(case.line(), "p failed, p/x/a failed, p/x/b skipped, p/y/c succeeded, p/y/d failed");
    let error = case.run().error.clone().expect("an error");
    assert_eq!(error.step, "p/x/a", "the error of a block is its first in time");
    let Value::Map(data) = &error.data else { panic!("data is a map") };
    let Some(Value::List(errors)) = data.get("errors") else { panic!("all errors are in the data") };
    assert_eq!(errors.len(), 2);
}

#[test]
fn enough_winners_cancel_the_rest() {
    let branches = vec![("x", vec![exec("a")]), ("y", vec![exec("b")]), ("z", vec![exec("c")])];
    let mut case = Case::new(&plan(vec![step("p", What::Parallel(branches, OnFail::Stop, Some(1))), exec("after")]));
    case.fails("p/x/a").ok("p/y/b");
    assert_eq!(case.running(), ["p/z/c"], "the rest is asked to stop and waited for");
    case.fails("p/z/c");
    assert_eq!(case.line(), "p succeeded, after running, p/x/a failed, p/y/b succeeded, p/z/c cancelled");
}

#[test]
fn a_race_that_nobody_can_win_fails() {
    let branches = vec![("x", vec![exec("a")]), ("y", vec![exec("b")])];
    let mut case = Case::new(&plan(vec![step("p", What::Parallel(branches, OnFail::Stop, Some(1)))]));
    case.fails("p/x/a").fails("p/y/b");
    assert_eq!(case.status(), "failed");
}

#[test]
fn variables_of_a_branch_are_its_own() {
    let branches = vec![("x", vec![step("s", What::Set("v", 1)), exec("a")]), ("y", vec![exec("b")])];
    let case = Case::new(&plan(vec![step("before", What::Set("v", 0)), parallel("p", OnFail::Stop, branches)]));
    let run = case.run();
    let vars_at = |path: &str| {
        let step = run.step_by_path(path).expect("a step");
        run.vars(Some(run.step(step).activation)).get("v").cloned()
    };
    assert_eq!(vars_at("p/x/a"), Some(Value::Int(1)));
    assert_eq!(vars_at("p/y/b"), Some(Value::Int(0)));
}

#[test]
fn a_failure_that_ends_another_branch_at_once_ends_the_step_once() {
    let branches = vec![("x", vec![exec("a")]), ("y", vec![step("w", What::Wait(1_000))])];
    let mut case = Case::new(&plan(vec![parallel("p", OnFail::Stop, branches).finally(vec![exec("tidy")])]));
    case.fails("p/x/a");
    assert_eq!(case.running(), ["p/finally/tidy"], "the step has not ended before its `finally`");
    case.ok("p/finally/tidy");
    assert_eq!((case.status(), case.line().starts_with("p failed")), ("failed", true));
}
