//! A store that fails: what was answered holds, what was not is said, and the engine stops or waits.

use lockstep_engine::api::{RefusalKind, Reply, Request};
use lockstep_engine::store::memory::Fault;

use crate::case::Case;

const TWO: &str = "
runbook: two
steps:
  - id: a
    exec: [a]
  - id: b
    exec: [b]
";

fn refused(reply: &Reply) -> (RefusalKind, &str) {
    match reply {
        Reply::Refused(refusal) => (refusal.kind, &refusal.message),
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn on_a_full_disk_a_start_is_refused_and_leaves_nothing_behind() {
    let mut case = Case::of(TWO);
    case.disk.inject(Fault::NoSpace);
    let start = case.start_request();
    let reply = case.ask(start);
    let (kind, message) = refused(&reply);
    assert_eq!(kind, RefusalKind::Store);
    assert!(message.contains("no room") && message.contains("was not started"), "{message}");
    assert!(case.begun.is_empty() && case.driver().full().is_none());
    let gone = case.resume();
    assert_eq!(refused(&gone).0, RefusalKind::Invalid);
    case.start();
    case.settle();
    assert_eq!(case.status(), "succeeded");
}

#[test]
fn on_a_full_disk_a_run_stands_still_and_goes_on_when_there_is_room() {
    let mut case = Case::of(TWO);
    case.start();
    case.disk.inject(Fault::NoSpace);
    case.disk.inject(Fault::NoSpace);
    case.end_one();
    assert_eq!(case.path(), ["a"], "what is not durable has no effect");
    assert!(case.driver().full().is_some());
    let run = case.ask(Request::Show { run: "last".to_owned() });
    assert_eq!(refused(&run).0, RefusalKind::Store, "nothing is shown that is not durable");
    case.pass(1_000);
    assert!(case.driver().full().is_none());
    case.settle();
    assert_eq!(case.story(), "a b: succeeded");
}

#[test]
fn a_cancel_on_a_full_disk_takes_effect_when_there_is_room() {
    let mut case = Case::of(TWO);
    case.start();
    case.disk.inject(Fault::NoSpace);
    let reply = case.cancel();
    assert!(refused(&reply).1.contains("takes effect as soon as there is room"), "{reply:?}");
    case.pass(1_000);
    case.settle();
    assert_eq!(case.story(), "a: cancelled");
}

#[test]
fn a_write_of_unknown_outcome_is_found_out_about() {
    for fault in [Fault::UnknownWritten, Fault::UnknownLost] {
        let mut case = Case::of(TWO);
        case.start();
        case.disk.inject(fault);
        case.settle();
        assert_eq!(case.story(), "a b: succeeded", "{fault:?}");
    }
}

#[test]
fn a_failed_write_stops_the_engine_and_nothing_is_answered() {
    for fault in [Fault::Fail, Fault::Torn, Fault::FailWritten, Fault::Fenced] {
        let mut case = Case::of(TWO);
        case.disk.inject(fault);
        let start = case.start_request();
        let reply = case.ask(start);
        assert_eq!(refused(&reply).0, RefusalKind::Store, "{fault:?}");
        assert!(case.begun.is_empty());
        assert!(case.driver().halted().is_some(), "{fault:?}");
        let later = case.cancel();
        assert_eq!(refused(&later).0, RefusalKind::Store);
    }
}

#[test]
fn a_broken_image_costs_nothing_but_time() {
    let mut case = Case::of(TWO);
    case.disk.fail_image(true);
    case.start();
    case.settle();
    case.pass(60_000);
    assert_eq!(case.status(), "succeeded");
    case.crash();
    case.open();
    assert_eq!(case.status(), "succeeded");
}

#[cfg(feature = "proof")]
#[test]
fn an_unknown_write_that_is_taken_for_a_failed_one_is_caught() {
    use lockstep_engine::fault::Bug;
    assert!(
        lockstep_engine::fault::is_caught(Bug::UnknownIsFailure, a_write_of_unknown_outcome_is_found_out_about),
        "{:?}",
        Bug::UnknownIsFailure
    );
}
