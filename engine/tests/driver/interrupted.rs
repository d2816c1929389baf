//! Runs that a former engine left open: nothing happens to them until somebody asks.

use lockstep_dsl::value::Map;
use lockstep_engine::api::Reply;
use lockstep_engine::core::run::{Resolution, StepStatus};

use crate::case::{Case, Does};

const RUNBOOK: &str = "
runbook: left
steps:
  - id: safe
    exec: [safe]
    effect: idempotent
  - id: pause
    wait: 5s
  - id: unsafe
    exec: [unsafe]
";

#[test]
fn an_interrupted_run_stands_still_until_it_is_resumed() {
    let mut case = Case::of(RUNBOOK);
    case.start();
    case.end_one();
    case.crash();
    case.open();
    case.pass(60_000);
    assert_eq!(case.path(), ["safe"]);
    let view = case.view();
    assert_eq!((view.status.as_str(), view.interrupted), ("waiting", true));
    case.resume();
    assert!(!case.view().interrupted);
    case.settle();
    assert_eq!(case.story(), "safe unsafe: succeeded");
    assert!(matches!(case.resume(), Reply::Done), "resuming what has ended changes nothing");
}

#[test]
fn what_may_be_repeated_is_and_what_may_not_is_in_doubt() {
    let mut case = Case::of(RUNBOOK).step("unsafe", [Does::Hangs]);
    case.start();
    case.crash();
    case.open();
    case.resume();
    assert_eq!(case.path(), ["safe", "safe"]);
    assert_eq!(case.begun[0].key, case.begun[1].key);
    assert!(case.begun[0].token < case.begun[1].token);
    case.pass(10_000);
    assert_eq!(case.path(), ["safe", "safe", "unsafe"]);
    case.crash();
    case.open();
    case.resume();
    let step = case.find("unsafe");
    assert_eq!(step.status, StepStatus::InDoubt);
    assert_eq!(step.reason.as_deref(), Some("the engine stopped while the command ran"));
    assert!(case.driver().is_idle());
    case.resolve("unsafe", Resolution::Done { outputs: Map::new() });
    assert_eq!(case.status(), "succeeded");
}

#[test]
fn cancelling_an_interrupted_run_takes_it_up() {
    let mut case = Case::of(RUNBOOK);
    case.start();
    case.end_one();
    case.crash();
    case.open();
    assert!(matches!(case.cancel(), Reply::Done));
    case.settle();
    assert_eq!(case.status(), "cancelled");
}

#[test]
fn a_late_report_of_another_life_changes_nothing() {
    let mut case = Case::of(RUNBOOK);
    case.start();
    case.crash();
    case.open();
    case.resume();
    case.report(0, case.begun[0].token, &Does::Exits(9));
    case.settle();
    assert_eq!(case.status(), "succeeded");
}
