//! `retry RUN`.

use lockstep_dsl::graph::OnFail;
use lockstep_engine::core::run::Refused;
use lockstep_engine::id::StepNo;

use crate::case::Case;
use crate::plan::{block, exec, parallel, plan};

#[test]
fn what_succeeded_is_kept() {
    let mut case =
        Case::new(&plan(vec![exec("a"), exec("b").retry(2), exec("c")]).outputs().finally(vec![exec("tidy")]));
    let key = case.run().key(StepNo(1));
    case.ok("a").fails("b").pass(1_000).fails("b").ok("finally/tidy");
    assert_eq!(case.status(), "failed");
    case.retry().expect("a failed run can be retried");
    assert_eq!((case.status(), case.running()), ("running", vec!["b".to_owned()]));
    assert_eq!(case.run().key(StepNo(1)), key, "a retry of the run is the same visit");
    assert_eq!(case.fails("b").pass(1_000).running(), ["b"], "its tries are counted anew");
    case.ok("b").ok("c");
    assert_eq!(case.running(), ["finally/tidy~2"]);
    assert_eq!(case.ok("finally/tidy~2").status(), "succeeded");
    assert_eq!(case.granted().iter().filter(|path| *path == "a").count(), 1);
    assert!(matches!(case.retry(), Err(Refused::NotNow(_))));
}

#[test]
fn it_goes_on_inside_blocks_and_branches() {
    let branches = vec![("x", vec![exec("a"), exec("b")]), ("y", vec![exec("c")])];
    let mut case = Case::new(&plan(vec![block("o", vec![parallel("p", OnFail::Late, branches), exec("d")])]));
    case.ok("o/p/x/a").ok("o/p/y/c").fails("o/p/x/b");
    assert_eq!(case.status(), "failed");
    case.retry().expect("a failed run can be retried");
    assert_eq!(case.running(), ["o/p/x/b"]);
    case.ok("o/p/x/b").ok("o/d");
    assert_eq!(case.status(), "succeeded");
}

#[test]
fn a_cancelled_run_goes_on_too() {
    let mut case = Case::new(&plan(vec![exec("a"), exec("b")]));
    case.ok("a").cancel().fails("b");
    assert_eq!(case.status(), "cancelled");
    case.retry().expect("a cancelled run can be retried");
    assert_eq!(case.ok("b").status(), "succeeded");
}

#[test]
fn a_handler_runs_anew() {
    let mut case = Case::new(&plan(vec![exec("a").catch(vec![exec("h")])]));
    case.fails("a").fails("a/catch/h");
    case.retry().expect("a failed run can be retried");
    case.fails("a").ok("a/catch/h~2");
    assert_eq!(case.status(), "succeeded");
}

#[test]
fn a_run_whose_finally_failed_runs_that_again() {
    let mut case = Case::new(&plan(vec![block("b", vec![exec("a")])]).finally(vec![exec("tidy")]));
    case.ok("b/a").fails("finally/tidy");
    case.retry().expect("a failed run can be retried");
    assert_eq!(case.running(), ["finally/tidy~2"]);
    assert_eq!(case.ok("finally/tidy~2").status(), "succeeded");
}
