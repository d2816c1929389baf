//! Retry, until, catch, `on_error`, `on_failure`, `finally`, and their order.

use lockstep_dsl::graph::OnError;
use lockstep_dsl::value::Value;
use lockstep_engine::core::run::Question;
use lockstep_engine::worker::Outcome;

use crate::case::{Case, failure};
use crate::plan::{What, block, exec, plan, step};

#[test]
fn a_failure_ends_the_block_and_the_run() {
    let mut case =
        Case::new(&plan(vec![exec("a"), exec("b")]).on_failure(vec![exec("page")]).finally(vec![exec("tidy")]));
    assert_eq!(case.fails("a").running(), ["on_failure/page"]);
    assert_eq!(case.ok("on_failure/page").running(), ["finally/tidy"]);
    assert_eq!(case.ok("finally/tidy").status(), "failed");
    assert_eq!(case.run().error.as_ref().map(|error| error.step.as_str()), Some("a"));
}

#[test]
fn what_runs_beside_a_failure_ends_first() {
    let mut case = Case::new(&plan(vec![exec("a"), exec("b").needs(&[]), exec("c").needs(&["b"])]));
    assert_eq!(case.fails("a").line(), "a failed, b running, c skipped");
    assert_eq!(case.ok("b").status(), "failed");
}

#[test]
fn retries_wait_longer_and_longer_and_then_give_up() {
    let mut case = Case::new(&plan(vec![exec("a").retry(4)]));
    for delay in [1_000, 2_000, 3_000] {
        assert_eq!(case.fails("a").next_due(), Some(delay));
        assert!(case.pass(delay - 1).running().is_empty());
        assert_eq!(case.pass(1).running(), ["a"]);
    }
    assert_eq!(case.fails("a").status(), "failed");
    assert_eq!(case.run().steps[0].attempts, 4);
}

#[test]
fn a_retry_may_be_for_some_errors_only() {
    let answers = vec![(("a", Question::Retry(0)), vec![Ok(Value::Bool(true)), Ok(Value::Bool(false))])];
    let mut case = Case::with_answers(&plan(vec![exec("a").retry_when(9)]), answers);
    case.fails("a").pass(1_000).fails("a");
    assert_eq!((case.status(), case.run().steps[0].attempts), ("failed", 2));
}

#[test]
fn an_attempt_that_did_what_it_should_is_not_repeated_for_its_outputs() {
    let answers = vec![(("a", Question::Outputs), vec![Err(failure("invalid"))])];
    let mut case = Case::with_answers(&plan(vec![exec("a").retry(3).outputs()]), answers);
    case.ok("a");
    assert_eq!((case.status(), case.line().as_str()), ("failed", "a failed"));
    assert_eq!(case.run().error.as_ref().map(|error| error.kind.as_str()), Some("invalid"));
    assert_eq!(case.granted().len(), 1);
}

#[test]
fn invalid_is_never_retried() {
    let mut case = Case::new(&plan(vec![exec("a").retry(9)]));
    case.report("a", Outcome::Failed { error: failure("invalid"), outputs: lockstep_dsl::value::Map::new() });
    assert_eq!(case.status(), "failed");
}

#[test]
fn the_first_handler_that_matches_handles() {
    let answers = vec![(("a", Question::Catch(0)), vec![Ok(Value::Bool(false))])];
    let a = exec("a").catch_when(vec![exec("no")]).catch(vec![exec("yes")]);
    let mut case = Case::with_answers(&plan(vec![a, exec("b")]), answers);
    assert_eq!(case.fails("a").running(), ["a/catch/yes"]);
    assert_eq!(case.ok("a/catch/yes").running(), ["b"]);
    assert!(case.run().steps[0].handled);
    assert_eq!(case.ok("b").status(), "succeeded");
    assert_eq!(case.line(), "a failed, b succeeded, a/catch/yes succeeded");
}

#[test]
fn an_empty_handler_handles() {
    let mut case = Case::new(&plan(vec![exec("a").catch(Vec::new()), exec("b")]));
    assert_eq!(case.fails("a").running(), ["b"]);
}

#[test]
fn a_handlers_own_error_goes_up_with_the_first_as_its_cause() {
    let mut case = Case::new(&plan(vec![exec("a").catch(vec![exec("h")]), exec("b")]));
    case.fails("a").fails("a/catch/h");
    assert_eq!(case.status(), "failed");
    let error = case.run().error.clone().expect("an error");
    assert_eq!(error.step, "a/catch/h");
    assert_eq!(error.cause.map(|cause| cause.step), Some("a".to_owned()));
}

#[test]
fn retry_comes_before_catch() {
    let mut case = Case::new(&plan(vec![exec("a").retry(2).catch(vec![exec("h")])]));
    assert_eq!(case.fails("a").line(), "a waiting");
    assert_eq!(case.pass(1_000).fails("a").running(), ["a/catch/h"]);
}

#[test]
fn continue_handles_and_late_fails_after_the_last_step() {
    let mut case =
        Case::new(&plan(vec![exec("a").on_error(OnError::Continue), exec("b").on_error(OnError::Late), exec("c")]));
    assert_eq!(case.fails("a").fails("b").running(), ["c"]);
    assert_eq!(case.ok("c").status(), "failed");
    assert_eq!(case.run().error.as_ref().map(|error| error.step.as_str()), Some("b"));
    assert_eq!(case.line(), "a failed, b failed, c succeeded");
}

#[test]
fn until_repeats_a_step_and_survives_failed_tries() {
    let no = || Ok(Value::Bool(false));
    let answers = vec![(("a", Question::Until), vec![no(), Err(failure("invalid")), Ok(Value::Bool(true))])];
    let mut case = Case::with_answers(&plan(vec![exec("a").pure().until(500).total(60_000)]), answers);
    assert_eq!(case.ok("a").next_due(), Some(500));
    let first = case.run().key(lockstep_engine::id::StepNo(0));
    case.pass(500).fails("a");
    assert_eq!(case.line(), "a waiting", "a failed try that `until` cannot look into is not the end");
    assert_ne!(case.run().key(lockstep_engine::id::StepNo(0)), first, "every round has a key of its own");
    assert_eq!(case.pass(500).ok("a").status(), "succeeded");
}

#[test]
fn until_that_is_broken_on_a_good_try_fails_the_step() {
    let answers = vec![(("a", Question::Until), vec![Err(failure("limit"))])];
    let mut case = Case::with_answers(&plan(vec![exec("a").pure().until(500)]), answers);
    assert_eq!(case.ok("a").status(), "failed");
}

#[test]
fn a_blocks_finally_runs_however_the_block_ends() {
    for fails in [false, true] {
        let mut case = Case::new(&plan(vec![block("b", vec![exec("a")]).finally(vec![exec("tidy")]), exec("after")]));
        if fails {
            case.fails("b/a")
        } else {
            case.ok("b/a")
        };
        assert_eq!(case.running(), ["b/finally/tidy"]);
        case.ok("b/finally/tidy");
        assert_eq!(case.status(), if fails { "failed" } else { "running" });
    }
}

#[test]
fn an_error_in_finally_turns_success_into_failure_but_hides_no_first_error() {
    let mut case = Case::new(&plan(vec![exec("a")]).finally(vec![exec("tidy")]));
    assert_eq!(case.ok("a").fails("finally/tidy").status(), "failed");
    let mut case = Case::new(&plan(vec![exec("a")]).finally(vec![exec("tidy")]));
    case.fails("a").fails("finally/tidy");
    assert_eq!(case.run().error.as_ref().map(|error| error.step.as_str()), Some("a"));
    let mut case = Case::new(&plan(vec![block("b", vec![exec("a")]).finally(vec![exec("tidy")])]));
    assert_eq!(case.ok("b/a").fails("b/finally/tidy").status(), "failed");
}

#[test]
fn outputs_of_the_run_that_fail_make_it_a_failure() {
    let answers = vec![(("", Question::RunOutputs), vec![Err(failure("invalid"))])];
    let mut case = Case::with_answers(&plan(vec![exec("a")]).outputs().on_failure(vec![exec("page")]), answers);
    assert_eq!(case.ok("a").running(), ["on_failure/page"]);
    assert_eq!(case.ok("on_failure/page").status(), "failed");
}

#[test]
fn fail_raises_where_it_stands() {
    let case = Case::new(&plan(vec![step("a", What::Fail), exec("b")]));
    assert_eq!((case.line().as_str(), case.status()), ("a failed, b skipped", "failed"));
    assert_eq!(case.run().error.as_ref().map(|error| error.message.as_str()), Some("on purpose"));
}

#[test]
fn a_block_that_is_retried_has_new_steps() {
    let mut case = Case::new(&plan(vec![block("b", vec![exec("x").pure(), exec("y").pure()]).retry(2)]));
    case.ok("b/x").fails("b/y").pass(1_000);
    assert_eq!(case.running(), ["b/x~2"]);
    case.ok("b/x~2").ok("b/y~2");
    assert_eq!(case.status(), "succeeded");
    assert_eq!(case.run().steps[0].attempts, 2);
}

#[cfg(feature = "proof")]
#[test]
fn a_try_too_many_is_caught() {
    use lockstep_engine::fault::Bug;
    assert!(
        lockstep_engine::fault::is_caught(Bug::OneTryTooMany, retries_wait_longer_and_longer_and_then_give_up),
        "{:?}",
        Bug::OneTryTooMany
    );
}
