//! Time: delays, limits and clocks that are set, without waiting for any of them.

use lockstep_dsl::value::Timestamp;
use lockstep_engine::core::run::StepStatus;

use crate::case::{Case, Does};

#[test]
fn retries_wait_exactly_as_long_as_they_say() {
    let mut case = Case::of(
        "
runbook: patient
steps:
  - id: a
    exec: [a]
    retry: { attempts: 4, delay: 1s, factor: 2, max_delay: 3s, jitter: none }
",
    )
    .step("a", [Does::Exits(1)]);
    case.start();
    case.settle();
    let after: Vec<u64> = case.begun.iter().map(|begun| begun.after).collect();
    assert_eq!(after, [0, 1_000, 3_000, 6_000]);
    assert_eq!(case.begun.iter().map(|begun| begun.number).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert_eq!(case.status(), "failed");
}

#[test]
fn a_timer_outlives_a_crash_and_fires_once_and_never_early() {
    let mut case = Case::of(
        "
runbook: later
steps:
  - wait: 1h
  - id: a
    exec: [a]
",
    );
    case.start();
    case.pass(1_000_000);
    case.crash();
    case.clock.advance(1_000_000);
    case.open();
    case.resume();
    case.pass(3_600_000 - 2_000_000 - 1);
    assert!(case.begun.is_empty());
    case.pass(1);
    assert_eq!(case.path(), ["a"]);
}

#[test]
fn setting_the_wall_clock_moves_no_timer() {
    let mut case = Case::of(
        "
runbook: later
steps:
  - wait: 10s
  - id: a
    exec: [a]
",
    );
    case.start();
    case.clock.set_wall(Timestamp(4_000_000_000_000));
    case.pass(9_999);
    assert!(case.begun.is_empty());
    case.pass(1);
    assert_eq!(case.path(), ["a"]);
}

#[test]
fn an_attempt_over_its_limit_is_stopped_and_has_timed_out() {
    let mut case = Case::of(
        "
runbook: slow
steps:
  - id: a
    exec: [a]
    timeout: 30s
",
    )
    .step("a", [Does::Hangs]);
    case.start();
    case.pass(29_999);
    assert_eq!(case.status_of("a"), StepStatus::Running);
    case.pass(1);
    case.settle();
    let step = case.find("a");
    assert_eq!((step.status, step.error.map(|error| error.kind)), (StepStatus::Failed, Some("timeout".to_owned())));
}

#[test]
fn many_steps_without_a_worker_take_several_turns_and_leave_room_for_others() {
    let mut case = Case::of(&format!("runbook: many\nsteps:\n{}", "  - set: { v: 1 }\n".repeat(200)));
    case.start();
    case.settle();
    assert_eq!(case.status(), "succeeded");
    assert_eq!(case.disk.appends(), 4, "64 of them ride in one frame");
}
