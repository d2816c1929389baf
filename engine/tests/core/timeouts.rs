//! Limits of time: of an attempt, of all attempts, of a block, of the run.

use lockstep_dsl::graph::OnError;
use lockstep_dsl::value::Value;
use lockstep_engine::core::run::Question;

use crate::case::{Case, unknown};
use crate::plan::{What, block, exec, plan, step};

fn kind(case: &Case) -> Option<String> {
    case.run().error.as_ref().map(|error| error.kind.clone())
}

#[test]
fn an_attempt_that_takes_too_long_is_stopped_and_then_retried() {
    let mut case = Case::new(&plan(vec![exec("a").timeout(100).retry(2)]));
    case.pass(100);
    assert_eq!(case.running(), ["a"], "asked to stop, not yet seen dead");
    assert_eq!(case.fails("a").line(), "a waiting");
    case.pass(1_000).pass(100).fails("a");
    assert_eq!((case.status(), kind(&case).as_deref()), ("failed", Some("timeout")));
}

#[test]
fn a_once_attempt_of_unknown_outcome_stays_in_doubt_also_after_its_timeout() {
    let mut case = Case::new(&plan(vec![exec("a").timeout(100)]));
    case.pass(100).report("a", unknown());
    assert_eq!(case.line(), "a in_doubt");
}

#[test]
fn the_limit_over_all_attempts_ends_the_waiting_too() {
    let mut case = Case::new(&plan(vec![exec("a").total(1_500).retry(9)]));
    case.fails("a").pass(1_000).fails("a").pass(500);
    assert_eq!((case.status(), kind(&case).as_deref()), ("failed", Some("timeout")));
    assert_eq!(
        case.run().error.as_ref().and_then(|error| error.cause.clone()).map(|cause| cause.kind),
        Some("failed".into())
    );
}

#[test]
fn until_ends_at_its_total() {
    let answers = vec![(("a", Question::Until), vec![Ok(Value::Bool(false))])];
    let mut case = Case::with_answers(&plan(vec![exec("a").pure().until(400).total(1_000)]), answers);
    case.ok("a").pass(400).ok("a").pass(400).ok("a").pass(200);
    assert_eq!((case.status(), kind(&case).as_deref()), ("failed", Some("timeout")));
}

#[test]
fn a_blocks_limit_stops_what_is_inside_and_is_the_blocks_own_error() {
    let inner = vec![block("c", vec![exec("a").timeout(10_000)]).timeout(20_000), exec("b")];
    let mut case = Case::new(&plan(vec![block("o", inner).timeout(500).on_error(OnError::Continue), exec("after")]));
    case.pass(500);
    assert_eq!(case.running(), ["o/c/a"]);
    case.fails("o/c/a");
    assert_eq!(case.line(), "o failed, after running, o/c cancelled, o/b skipped, o/c/a cancelled");
    let error = case.run().steps[0].error.clone().expect("an error");
    assert_eq!((error.kind.as_str(), error.step.as_str()), ("timeout", "o"));
}

#[test]
fn the_runs_limit_counts_waits_and_leads_to_on_failure() {
    let case = plan(vec![step("w", What::Wait(60_000)), exec("a")]).timeout(1_000).on_failure(vec![exec("page")]);
    let mut case = Case::new(&case);
    case.pass(1_000);
    assert_eq!(case.running(), ["on_failure/page"]);
    case.ok("on_failure/page");
    assert_eq!((case.status(), kind(&case).as_deref()), ("failed", Some("timeout")));
}

#[test]
fn on_failure_and_finally_have_ten_minutes() {
    let mut case = Case::new(&plan(vec![exec("a")]).finally(vec![exec("tidy"), exec("more")]));
    case.fails("a").pass(600_000);
    case.fails("finally/tidy");
    assert_eq!(case.status(), "failed");
    assert_eq!(case.line(), "a failed, finally/tidy cancelled, finally/more skipped");
}

#[test]
fn a_block_that_takes_too_long_has_had_a_try() {
    let mut case = Case::new(&plan(vec![block("b", vec![exec("a").pure()]).pure().timeout(500).retry(2)]));
    case.pass(500).fails("b/a");
    assert_eq!(case.line(), "b waiting, b/a cancelled");
    case.pass(1_000).pass(500).fails("b/a~2");
    assert_eq!((case.status(), kind(&case).as_deref()), ("failed", Some("timeout")));
}

#[test]
fn an_attempt_that_takes_too_long_has_had_a_try_also_where_nobody_heard_its_end() {
    let mut case = Case::new(&plan(vec![exec("a").pure().timeout(100).retry(2)]));
    case.pass(100).report("a", unknown());
    assert_eq!(case.line(), "a waiting");
    case.pass(1_000).pass(100).report("a", unknown());
    assert_eq!((case.status(), kind(&case).as_deref()), ("failed", Some("timeout")));
}
