//! Unknown outcomes.

use lockstep_dsl::value::{Map, Value};
use lockstep_engine::core::run::{Refused, Resolution};
use lockstep_engine::id::{StepNo, Token};

use crate::case::{Case, ok, unknown};
use crate::plan::{exec, plan};

#[test]
fn what_may_be_repeated_is_repeated_three_times_and_not_counted() {
    let mut case = Case::new(&plan(vec![exec("a").pure().retry(5)]));
    for _ in 0..3 {
        case.report("a", unknown());
        assert_eq!(case.running(), ["a"]);
    }
    case.report("a", unknown());
    assert_eq!(case.status(), "failed");
    assert_eq!(case.run().error.as_ref().map(|error| error.kind.as_str()), Some("lost"));
    assert_eq!(case.run().steps[0].attempts, 0);
}

#[test]
fn once_waits_for_a_person() {
    let mut case = Case::new(&plan(vec![exec("a").retry(5), exec("b"), exec("side").needs(&[])]));
    case.report("a", unknown());
    assert_eq!(case.line(), "a in_doubt, b pending, side running", "other branches go on");
    case.ok("side");
    assert!(case.run().needs_a_word());
    assert_eq!(case.status(), "waiting");
    assert!(matches!(case.resolve("b", Resolution::Failed), Err(Refused::NotNow(_))));
    let outputs = Map::from([("id".to_owned(), Value::Int(7))]);
    case.resolve("a", Resolution::Done { outputs }).expect("it is in doubt");
    assert_eq!(case.run().steps[0].outputs.get("id"), Some(&Value::Int(7)));
    assert_eq!(case.ok("b").status(), "succeeded");
}

#[test]
fn resolved_as_failed_is_not_retried() {
    let mut case = Case::new(&plan(vec![exec("a").retry(5).catch(vec![exec("h")])]));
    case.report("a", unknown());
    case.resolve("a", Resolution::Failed).expect("it is in doubt");
    assert_eq!(case.running(), ["a/catch/h"]);
}

#[test]
fn rerun_is_a_new_attempt_with_a_new_token_and_the_same_key() {
    let mut case = Case::new(&plan(vec![exec("a")]));
    let key = case.run().key(StepNo(0));
    case.report("a", unknown());
    case.resolve("a", Resolution::Rerun).expect("it is in doubt");
    assert_eq!(case.granted(), ["a", "a"]);
    assert_eq!(case.run().key(StepNo(0)), key);
    assert_eq!(case.try_report(StepNo(0), Token(1), ok()), Err(Refused::Superseded));
    assert_eq!(case.ok("a").status(), "succeeded");
}

#[test]
fn the_attempts_own_late_report_ends_the_doubt() {
    let mut case = Case::new(&plan(vec![exec("a"), exec("b")]));
    case.report("a", unknown()).report("a", unknown());
    assert_eq!(case.line(), "a in_doubt, b pending", "the same again changes nothing");
    assert_eq!(case.ok("a").running(), ["b"]);
}

#[cfg(feature = "proof")]
#[test]
fn mistakes_with_tokens_keys_and_doubt_are_caught() {
    use lockstep_engine::fault::Bug;
    assert!(
        lockstep_engine::fault::is_caught(
            Bug::TokenNotCompared,
            rerun_is_a_new_attempt_with_a_new_token_and_the_same_key
        ),
        "{:?}",
        Bug::TokenNotCompared
    );
    assert!(lockstep_engine::fault::is_caught(Bug::OnceRepeated, once_waits_for_a_person), "{:?}", Bug::OnceRepeated);
    assert!(
        lockstep_engine::fault::is_caught(Bug::KeyPerAttempt, rerun_is_a_new_attempt_with_a_new_token_and_the_same_key),
        "{:?}",
        Bug::KeyPerAttempt
    );
}
