//! Steps that wait for a signal.

use lockstep_dsl::graph::OnFail;
use lockstep_dsl::value::Value;
use lockstep_engine::core::run::Refused;

use crate::case::Case;
use crate::plan::{What, exec, parallel, plan, step};

fn signal(id: &str, name: &'static str) -> crate::plan::Step {
    step(id, What::Signal(name))
}

fn payload(case: &Case, path: &str) -> Option<Value> {
    let run = case.run();
    let no = run.step_by_path(path)?;
    run.step(no).outputs.get("payload").cloned()
}

#[test]
fn a_step_waits_until_the_signal_comes() {
    let mut case = Case::new(&plan(vec![signal("a", "go"), exec("b")]));
    assert_eq!(case.line(), "a waiting, b pending");
    assert_eq!(case.status(), "waiting");
    assert!(case.run().needs_a_word() && case.run().only_awaits());
    case.signal("go", 7).expect("it is awaited");
    assert_eq!(payload(&case, "a"), Some(Value::Int(7)));
    assert_eq!(case.ok("b").status(), "succeeded");
}

#[test]
fn a_signal_that_comes_early_is_kept_and_the_oldest_is_taken_first() {
    let mut case =
        Case::new(&plan(vec![exec("a"), signal("b", "go"), exec("c"), signal("d", "go"), signal("e", "go")]));
    case.signal("go", 1).expect("it is awaited later");
    case.signal("go", 2).expect("it is awaited later");
    assert_eq!(case.line(), "a running, b pending, c pending, d pending, e pending");
    case.ok("a");
    assert_eq!(payload(&case, "b"), Some(Value::Int(1)));
    case.ok("c");
    assert_eq!(payload(&case, "d"), Some(Value::Int(2)));
    assert_eq!(case.line(), "a succeeded, b succeeded, c succeeded, d succeeded, e waiting");
    case.signal("go", 3).expect("it is awaited");
    assert_eq!(case.status(), "succeeded");
}

#[test]
fn a_signal_is_taken_once_by_the_step_that_has_waited_longest() {
    let branches =
        vec![("left", vec![step("w", What::Wait(50)), signal("a", "go")]), ("right", vec![signal("b", "go")])];
    let mut case = Case::new(&plan(vec![parallel("p", OnFail::Late, branches)]));
    case.pass(100);
    case.signal("go", 1).expect("it is awaited");
    assert_eq!(payload(&case, "p/right/b"), Some(Value::Int(1)));
    assert_eq!(payload(&case, "p/left/a"), None);
    case.signal("go", 2).expect("it is awaited");
    assert_eq!(case.status(), "succeeded");
}

#[test]
fn a_signal_that_nothing_awaits_is_refused() {
    let mut case = Case::new(&plan(vec![signal("a", "go")]));
    let refused = case.signal("gone", 1);
    let Err(Refused::NotNow(why)) = refused else { panic!("{refused:?}") };
    assert_eq!(why, "`test/case` awaits no signal `gone`, only `go`");
    case.signal("go", 1).expect("it is awaited");
    assert!(matches!(case.signal("go", 1), Err(Refused::NotNow(_))), "the run has ended");
}

#[test]
fn its_timeout_ends_the_wait() {
    let mut case = Case::new(&plan(vec![signal("a", "go").timeout(60_000).catch(vec![exec("h")]), exec("b")]));
    case.pass(59_999);
    assert_eq!(case.status(), "waiting");
    case.pass(1);
    assert_eq!(case.running(), ["a/catch/h"]);
    assert_eq!(case.run().steps[0].error.as_ref().map(|error| error.kind.as_str()), Some("timeout"));
    case.ok("a/catch/h").ok("b");
    assert_eq!(case.status(), "succeeded");
}

#[test]
fn a_cancel_ends_the_wait() {
    let mut case = Case::new(&plan(vec![signal("a", "go")]));
    assert_eq!(case.cancel().status(), "cancelled");
    assert_eq!(case.line(), "a cancelled");
    case.retry().expect("it was cancelled");
    assert_eq!(case.line(), "a waiting");
    case.signal("go", 1).expect("it is awaited");
    assert_eq!(case.status(), "succeeded");
}

#[test]
fn a_failure_beside_it_ends_the_wait() {
    let mut case = Case::new(&plan(vec![exec("x"), signal("a", "go").needs(&[])]));
    assert_eq!(case.fails("x").status(), "failed");
    assert_eq!(case.line(), "x failed, a cancelled");
}
