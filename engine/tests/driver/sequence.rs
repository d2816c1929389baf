//! Steps one after another: each starts when the one before has ended well, and each costs one append.

use lockstep_engine::core::run::StepStatus;

use crate::case::{Case, Does};

const THREE: &str = "
runbook: three
steps:
  - id: a
    exec: [one]
  - id: b
    exec: [two]
  - id: c
    exec: [three]
";

#[test]
fn n_steps_cost_n_and_one_appends() {
    let mut case = Case::of(THREE);
    case.start();
    assert_eq!(case.disk.appends(), 1);
    while case.end_one() {}
    assert_eq!(case.disk.appends(), 4);
    assert_eq!(case.path(), ["a", "b", "c"]);
    assert_eq!(case.status(), "succeeded");
}

#[test]
fn a_failure_ends_the_run_and_what_needs_the_step_is_skipped() {
    let mut case = Case::of(THREE).step("b", [Does::Exits(3)]);
    case.start();
    case.settle();
    assert_eq!(case.path(), ["a", "b"]);
    let view = case.view();
    assert_eq!(view.status, "failed");
    let error = view.error.unwrap();
    assert_eq!((error.kind.as_str(), error.step.as_str()), ("failed", "b"));
    assert_eq!(case.status_of("c"), StepStatus::Skipped);
}
