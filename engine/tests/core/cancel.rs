//! Cancelling.

use lockstep_dsl::graph::OnFail;

use crate::case::Case;
use crate::plan::{block, exec, foreach, parallel, plan, repeat};

#[test]
fn after_a_cancel_only_finally_starts() {
    let steps = vec![block("b", vec![exec("a"), exec("c")]).finally(vec![exec("inner")]), exec("d")];
    let mut case = Case::new(&plan(steps).on_failure(vec![exec("page")]).finally(vec![exec("tidy")]));
    case.cancel();
    assert_eq!(case.running(), ["b/a"]);
    assert_eq!(case.ok("b/a").running(), ["b/finally/inner"], "a block's own finally runs");
    assert_eq!(case.ok("b/finally/inner").running(), ["finally/tidy"]);
    assert_eq!(case.ok("finally/tidy").status(), "cancelled");
}

#[test]
fn a_second_cancel_cuts_finally_short() {
    let mut case = Case::new(&plan(vec![exec("a")]).finally(vec![exec("tidy"), exec("more")]));
    case.cancel().fails("a");
    assert_eq!(case.running(), ["finally/tidy"]);
    case.cancel().fails("finally/tidy");
    assert_eq!(case.line(), "a cancelled, finally/tidy cancelled, finally/more skipped");
    assert_eq!(case.status(), "cancelled");
}

#[test]
fn a_waiting_retry_and_a_handler_are_cancelled() {
    let mut case = Case::new(&plan(vec![exec("a").retry(3), exec("b")]));
    assert_eq!(case.fails("a").cancel().line(), "a cancelled, b skipped");
    assert_eq!(case.status(), "cancelled");
    let mut case = Case::new(&plan(vec![exec("a").catch(vec![exec("h")])]));
    case.fails("a").cancel();
    assert_eq!(case.running(), ["a/catch/h"]);
    case.fails("a/catch/h");
    assert_eq!((case.status(), case.line().as_str()), ("cancelled", "a cancelled, a/catch/h cancelled"));
}

#[test]
fn a_step_in_doubt_is_cancelled_with_the_run() {
    let mut case = Case::new(&plan(vec![exec("a")]));
    case.report("a", crate::case::unknown()).cancel();
    assert_eq!((case.status(), case.line().as_str()), ("cancelled", "a cancelled"));
}

#[test]
fn a_run_that_ended_is_not_cancelled() {
    let mut case = Case::new(&plan(vec![exec("a")]));
    case.ok("a");
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        case.cancel();
    }));
    assert!(result.is_err(), "the request is refused");
}

#[test]
fn after_a_cancel_no_handler_starts_for_a_block_that_was_failing_already() {
    let branches = vec![("x", vec![exec("a")]), ("y", vec![exec("c")])];
    let failing = parallel("p", OnFail::Cancel, branches).catch(vec![exec("mend")]);
    let mut case = Case::new(&plan(vec![failing]).finally(vec![exec("tidy")]));
    case.fails("p/x/a");
    assert_eq!(case.running(), ["p/y/c"], "asked to stop");
    case.cancel().fails("p/y/c");
    assert_eq!(case.running(), ["finally/tidy"]);
    assert_eq!(case.ok("finally/tidy").status(), "cancelled");
}

#[test]
fn after_a_cancel_a_limit_that_was_reached_before_neither_handles_nor_tries_again() {
    let limited = [
        exec("a").timeout(100).catch(vec![exec("mend")]),
        exec("a").pure().timeout(100).retry(2),
        exec("a").total(100).catch(vec![exec("mend")]),
        block("b", vec![exec("a")]).timeout(100).catch(vec![exec("mend")]),
        block("b", vec![exec("a").pure()]).pure().timeout(100).retry(2),
        foreach("b", 1, 0, OnFail::Stop, vec![exec("a")]).total(100).catch(vec![exec("mend")]),
        repeat("b", 2, vec![exec("a")]).total(100).catch(vec![exec("mend")]),
    ];
    for step in limited {
        let mut case = Case::new(&plan(vec![step]).finally(vec![exec("tidy")]));
        let running = case.pass(100).running();
        case.cancel().fails(&running[0]);
        assert_eq!(case.running(), ["finally/tidy"], "{running:?} was asked to stop before the run was cancelled");
        assert_eq!(case.ok("finally/tidy").status(), "cancelled");
    }
}

#[test]
fn a_limit_that_was_reached_inside_a_block_that_is_over_is_not_handled_either() {
    let inside = exec("a").timeout(100).catch(vec![exec("mend")]);
    let mut case = Case::new(&plan(vec![block("o", vec![inside]).timeout(200), exec("after")]));
    case.pass(200).fails("o/a");
    assert_eq!((case.status(), case.line().as_str()), ("failed", "o failed, after skipped, o/a cancelled"));
}
