//! Compensation: `undo`.

use lockstep_dsl::graph::OnFail;
use lockstep_dsl::value::Value;

use crate::case::{Case, untouched};
use crate::plan::{Step, What, block, exec, foreach, parallel, plan, repeat, step};

/// A step with an `undo` of one step, `back`.
fn undone(name: &str) -> Step {
    exec(name).undo(vec![exec("back")])
}

fn set(name: &'static str, value: i64) -> Step {
    step(name, What::Set(name, value))
}

#[test]
fn newest_first_one_at_a_time_then_on_failure_and_finally() {
    let steps = vec![undone("a"), exec("b"), undone("c"), exec("d")];
    let mut case = Case::new(&plan(steps).on_failure(vec![exec("page")]).finally(vec![exec("tidy")]));
    case.ok("a").ok("b").ok("c").fails("d");
    assert_eq!(case.running(), ["c/undo/back"]);
    assert_eq!(case.ok("c/undo/back").running(), ["a/undo/back"]);
    assert_eq!(case.ok("a/undo/back").running(), ["on_failure/page"]);
    assert_eq!(case.ok("on_failure/page").running(), ["finally/tidy"]);
    case.ok("finally/tidy");
    assert_eq!(case.status(), "failed");
    assert!(case.line().starts_with("a undone, b succeeded, c undone, d failed, "), "{}", case.line());
}

#[test]
fn it_is_registered_when_the_effect_began_however_it_ended() {
    let branches = vec![("x", vec![undone("a")]), ("y", vec![exec("b")])];
    let mut case = Case::new(&plan(vec![parallel("p", OnFail::Cancel, branches), undone("never")]));
    case.fails("p/y/b").fails("p/x/a");
    assert_eq!(case.running(), ["p/x/a/undo/back"], "a was cancelled in the middle");
    case.ok("p/x/a/undo/back");
    assert_eq!(case.line(), "p failed, never skipped, p/x/a undone, p/y/b failed, p/x/a/undo/back succeeded");
    let mut case = Case::new(&plan(vec![undone("a")]));
    assert_eq!(case.fails("a").running(), ["a/undo/back"], "also of the step that failed");
    case.ok("a/undo/back");
    assert_eq!(case.line(), "a undone, a/undo/back succeeded");
}

#[test]
fn what_certainly_never_began_is_not_undone() {
    let mut case = Case::new(&plan(vec![undone("a")]));
    assert_eq!((case.report("a", untouched()).status(), case.line().as_str()), ("failed", "a failed"));
    let mut case = Case::new(&plan(vec![undone("a").retry(2)]));
    case.fails("a").pass(1_000).report("a", untouched());
    assert_eq!(case.running(), ["a/undo/back"], "its first attempt began");
    let whole = || block("b", vec![exec("a"), exec("c")]).undo(vec![exec("back")]);
    let mut case = Case::new(&plan(vec![whole()]));
    assert_eq!(case.report("b/a", untouched()).status(), "failed", "nothing in the block began");
    let mut case = Case::new(&plan(vec![whole()]));
    case.ok("b/a").report("b/c", untouched());
    assert_eq!(case.running(), ["b/undo/back"]);
}

#[test]
fn an_undo_that_fails_does_not_stop_the_others_and_is_not_repeated() {
    let mut case = Case::new(&plan(vec![undone("a"), undone("b"), exec("c")]));
    case.ok("a").ok("b").fails("c").fails("b/undo/back");
    assert_eq!(case.running(), ["a/undo/back"]);
    case.ok("a/undo/back");
    assert_eq!(case.status(), "failed");
    assert!(case.line().starts_with("a undone, b succeeded, c failed"), "{}", case.line());
    assert_eq!(case.run().error.as_ref().map(|error| error.step.as_str()), Some("c"), "the first error stays");
}

#[test]
fn the_undo_of_a_block_replaces_those_of_its_steps() {
    let whole = block("b", vec![undone("a"), undone("c")]).undo(vec![exec("all")]);
    let mut case = Case::new(&plan(vec![whole, exec("d")]));
    case.ok("b/a").ok("b/c").fails("d");
    assert_eq!(case.running(), ["b/undo/all"]);
    case.ok("b/undo/all");
    assert_eq!((case.status(), case.run().effects.len()), ("failed", 0));
    assert!(case.line().starts_with("b undone, d failed, b/a succeeded, b/c succeeded"), "{}", case.line());
}

#[test]
fn it_sees_the_variables_that_its_step_saw() {
    let mut case = Case::new(&plan(vec![set("v", 1), undone("a"), step("w", What::Set("v", 2)), exec("b")]));
    case.ok("a").fails("b");
    let run = case.run();
    let back = run.step_by_path("a/undo/back").expect("it runs");
    let seen = run.vars(Some(run.step(back).activation));
    assert_eq!(seen.get("v"), Some(&Value::Int(1)));
}

#[test]
fn a_retry_of_a_block_undoes_it_first() {
    let inner = block("b", vec![undone("a"), exec("c")]).retry(2);
    let mut case = Case::new(&plan(vec![undone("z"), inner, exec("d")]));
    case.ok("z").ok("b/a").fails("b/c");
    assert_eq!(case.running(), ["b/a/undo/back"], "nothing outside of the block is undone");
    assert_eq!(case.ok("b/a/undo/back").next_due(), Some(1_000), "only then comes the delay");
    case.pass(1_000).ok("b/a~2").ok("b/c~2").fails("d");
    assert_eq!(case.running(), ["b/a~2/undo/back"], "what the last visit did is undone");
    case.ok("b/a~2/undo/back").ok("z/undo/back");
    assert_eq!(case.status(), "failed");
    assert_eq!(case.granted().iter().filter(|path| path.ends_with("undo/back")).count(), 3);
}

#[test]
fn a_block_with_its_own_undo_is_undone_as_a_whole_before_its_retry() {
    let inner = block("b", vec![undone("a"), exec("c")]).retry(2).undo(vec![exec("all")]);
    let mut case = Case::new(&plan(vec![inner]));
    case.ok("b/a").fails("b/c");
    assert_eq!(case.running(), ["b/undo/all"]);
    case.ok("b/undo/all").pass(1_000).ok("b/a~2").ok("b/c~2");
    assert_eq!(case.status(), "succeeded");
}

#[test]
fn a_retry_of_a_loop_undoes_its_items() {
    let mut case = Case::new(&plan(vec![foreach("e", 3, 0, OnFail::Late, vec![undone("a")]).retry(2)]));
    case.ok("e[0]/a").ok("e[2]/a").fails("e[1]/a");
    for item in [2, 1, 0] {
        assert_eq!(case.running(), [format!("e[{item}]/a/undo/back")]);
        case.ok(&format!("e[{item}]/a/undo/back"));
    }
    case.pass(1_000).ok("e[0]/a~2").ok("e[1]/a~2").ok("e[2]/a~2");
    assert_eq!(case.status(), "succeeded");
}

#[test]
fn a_cancel_undoes_only_where_that_is_asked_for() {
    let steps = || plan(vec![undone("a"), exec("b")]).on_failure(vec![exec("page")]).finally(vec![exec("tidy")]);
    let mut case = Case::new(&steps());
    case.ok("a").cancel().fails("b");
    assert_eq!(case.running(), ["finally/tidy"]);
    let mut case = Case::new(&steps());
    case.ok("a").try_cancel(true).expect("it can be cancelled");
    assert_eq!(case.fails("b").running(), ["a/undo/back"]);
    assert_eq!(case.ok("a/undo/back").running(), ["finally/tidy"]);
    assert!(case.try_cancel(true).is_err(), "it is too late to undo");
    assert_eq!(case.ok("finally/tidy").status(), "cancelled");
}

#[test]
fn a_cancel_stops_undoing_unless_it_asks_for_it() {
    let steps = plan(vec![undone("a"), undone("b"), exec("c")]).on_failure(vec![exec("page")]);
    let steps = || steps.clone().finally(vec![exec("tidy")]);
    let mut case = Case::new(&steps());
    case.ok("a").ok("b").fails("c").cancel().fails("b/undo/back");
    assert_eq!(case.running(), ["finally/tidy"], "after a cancel nothing new starts but what comes last");
    case.ok("finally/tidy");
    assert!(case.line().starts_with("a succeeded, b succeeded"), "{}", case.line());
    let mut case = Case::new(&steps());
    case.ok("a").ok("b").fails("c").try_cancel(true).expect("it can be cancelled");
    assert_eq!(case.ok("b/undo/back").running(), ["a/undo/back"]);
    case.cancel();
    assert_eq!(case.fails("a/undo/back").running(), ["finally/tidy"], "a second one cuts it short");
}

#[test]
fn a_cancel_in_the_middle_of_a_retry_ends_the_block() {
    let inner = || block("b", vec![undone("a"), exec("c")]).retry(2);
    let mut case = Case::new(&plan(vec![inner()]));
    case.ok("b/a").fails("b/c").cancel().fails("b/a/undo/back");
    assert_eq!((case.status(), case.granted().len()), ("cancelled", 3));
    let mut case = Case::new(&plan(vec![undone("z"), inner()]));
    case.ok("z").ok("b/a").fails("b/c").try_cancel(true).expect("it can be cancelled");
    assert_eq!(case.ok("b/a/undo/back").running(), ["z/undo/back"]);
    assert_eq!(case.ok("z/undo/back").status(), "cancelled");
    let mut case = Case::new(&plan(vec![inner().total(5_000)]));
    case.ok("b/a").fails("b/c").pass(5_000).fails("b/a/undo/back");
    assert_eq!(case.running(), ["b/a/undo/back~2"], "it was stopped, and the run still undoes it");
    assert_eq!(case.ok("b/a/undo/back~2").status(), "failed");
}

#[test]
fn a_block_that_starts_nothing_new_does_not_begin_again_behind_its_undo() {
    let retried = block("b", vec![undone("a"), exec("c")]).retry(2);
    let branches = vec![("x", vec![retried]), ("y", vec![exec("d")])];
    let mut case = Case::new(&plan(vec![parallel("p", OnFail::Stop, branches)]));
    case.ok("p/x/b/a").fails("p/x/b/c").fails("p/y/d").ok("p/x/b/a/undo/back");
    assert_eq!(case.status(), "failed");
}

#[test]
fn undoing_has_its_time() {
    let mut case = Case::new(&plan(vec![undone("a"), undone("b"), exec("c")]).finally(vec![exec("tidy")]));
    case.ok("a").ok("b").fails("c").pass(600_000).fails("b/undo/back");
    assert_eq!(case.running(), ["finally/tidy"], "what is left is not undone");
    case.ok("finally/tidy");
    assert_eq!(case.status(), "failed");
    case.retry().expect("a failed run can be retried");
    case.fails("c");
    assert_eq!(case.running(), ["b/undo/back~2"], "after a retry it is again");
}

#[test]
fn what_was_undone_is_visited_anew_by_a_retry_of_the_run() {
    let mut case = Case::new(&plan(vec![undone("a"), exec("b"), exec("c")]));
    let key = |case: &Case, path: &str| case.run().key(case.run().step_by_path(path).expect("it is there"));
    let before = key(&case, "a");
    case.ok("a").ok("b").fails("c").ok("a/undo/back");
    case.retry().expect("a failed run can be retried");
    assert_eq!(case.running(), ["a~2"], "what needs it, though through a step that is kept, waits for it");
    assert_ne!(key(&case, "a~2"), before);
    assert_eq!(case.ok("a~2").running(), ["c"]);
    case.fails("c");
    assert_eq!(case.running(), ["a~2/undo/back"]);
    case.ok("a~2/undo/back");
    case.retry().expect("a failed run can be retried");
    case.ok("a~3").ok("c");
    assert_eq!(case.status(), "succeeded");
}

#[test]
fn a_retry_of_the_run_goes_on_inside_what_holds_something_undone() {
    let items = foreach("e", 1, 0, OnFail::Stop, vec![undone("a"), exec("b")]);
    let mut case = Case::new(&plan(vec![block("o", vec![undone("x"), exec("y")]), items, exec("z")]));
    case.ok("o/x").ok("o/y");
    for item in 0..3 {
        case.ok(&format!("e[{item}]/a")).ok(&format!("e[{item}]/b"));
    }
    case.fails("z").ok("e[2]/a/undo/back").fails("e[1]/a/undo/back").ok("e[0]/a/undo/back").ok("o/x/undo/back");
    case.retry().expect("a failed run can be retried");
    assert_eq!(case.running(), ["o/x~2"]);
    assert_eq!(case.ok("o/x~2").running(), ["e[0]/a~2"]);
    assert_eq!(case.ok("e[0]/a~2").running(), ["e[2]/a~2"], "what could not be undone is kept");
    assert_eq!(case.ok("e[2]/a~2").running(), ["z"]);
    let run = case.run();
    let outputs = run.step(run.step_by_path("e").expect("it is there")).outputs.clone();
    assert_eq!(outputs.get("succeeded"), Some(&Value::Int(3)));
    case.ok("z");
    assert_eq!(case.status(), "succeeded");
}

#[test]
fn rounds_of_which_something_was_undone_begin_anew() {
    let mut case = Case::new(&plan(vec![repeat("r", 5, vec![undone("a")]), exec("z")]));
    case.ok("r[0]/a").pass(20).ok("r[1]/a").fails("z").ok("r[1]/a/undo/back").ok("r[0]/a/undo/back");
    case.retry().expect("a failed run can be retried");
    case.ok("r~2[0]/a").pass(20).ok("r~2[1]/a").ok("z");
    assert_eq!(case.status(), "succeeded");
}

#[test]
fn what_a_former_try_of_a_loop_undid_makes_nothing_of_the_last_one_anew() {
    let steps = || vec![exec("x"), undone("a")];
    let mut case = Case::new(&plan(vec![repeat("r", 5, steps()).retry(2)]));
    case.ok("r[0]/x").ok("r[0]/a").pass(20).fails("r[1]/x").ok("r[0]/a/undo/back");
    case.pass(1_000).fails("r[0]/x~2");
    assert_eq!(case.status(), "failed", "nothing of this try is to be undone");
    case.retry().expect("a failed run can be retried");
    assert_eq!(case.running(), ["r[0]/x~2"]);
    let mut case = Case::new(&plan(vec![foreach("e", 1, 0, OnFail::Stop, steps()).retry(2)]));
    case.ok("e[0]/x").ok("e[0]/a").fails("e[1]/x").ok("e[0]/a/undo/back");
    case.pass(1_000).fails("e[0]/x~2");
    case.retry().expect("a failed run can be retried");
    assert_eq!(case.running(), ["e[0]/x~2"]);
    case.ok("e[0]/x~2").ok("e[0]/a~2").ok("e[1]/x~2").ok("e[1]/a~2").ok("e[2]/x~2").ok("e[2]/a~2");
    assert_eq!(case.status(), "succeeded");
}

#[test]
fn a_handled_step_whose_handler_was_undone_runs_again() {
    let mut case = Case::new(&plan(vec![exec("a").catch(vec![undone("h")]), exec("b")]));
    case.fails("a").ok("a/catch/h").fails("b").ok("a/catch/h/undo/back");
    case.retry().expect("a failed run can be retried");
    assert_eq!(case.running(), ["a"]);
    case.ok("a").fails("b");
    case.retry().expect("a failed run can be retried");
    assert_eq!(case.running(), ["b"], "its failure stands no more, nor does what handled it");
    assert_eq!(case.ok("b").status(), "succeeded");
}

#[test]
fn nothing_to_do_is_done_at_once() {
    let mut case = Case::new(&plan(vec![exec("a").undo(Vec::new()), set("v", 1).undo(Vec::new()), exec("b")]));
    case.ok("a").fails("b");
    assert_eq!(case.line(), "a undone, v undone, b failed");
}
