//! `next`: it goes on elsewhere than with the step behind.

use lockstep_dsl::graph::OnFail;
use lockstep_dsl::value::Value;
use lockstep_engine::core::run::Question;

use crate::case::Case;
use crate::plan::{block, exec, foreach, parallel, plan, repeat};

#[test]
fn what_lies_between_is_skipped() {
    let mut case = Case::new(&plan(vec![exec("a").next("d"), exec("b"), exec("c"), exec("d"), exec("e")]));
    assert_eq!(case.ok("a").running(), ["d"]);
    case.ok("d").ok("e");
    assert_eq!(case.line(), "a succeeded, b skipped, c skipped, d succeeded, e succeeded");
    assert_eq!(case.status(), "succeeded");
    let mut case = Case::new(&plan(vec![exec("a").next("b"), exec("b").next("end"), exec("c")]));
    assert_eq!(case.ok("a").ok("b").status(), "succeeded");
}

#[test]
fn it_is_followed_only_when_the_step_ended_well_and_was_not_skipped() {
    let mut case = Case::new(&plan(vec![exec("a").next("c"), exec("b"), exec("c")]));
    assert_eq!((case.fails("a").status(), case.line().as_str()), ("failed", "a failed, b skipped, c skipped"));
    let skipped = plan(vec![exec("a").disabled().next("c"), exec("b"), exec("c")]);
    assert_eq!(Case::new(&skipped).running(), ["b"]);
    let mut case = Case::new(&plan(vec![exec("a").catch(Vec::new()).next("c"), exec("b"), exec("c")]));
    assert_eq!(case.fails("a").running(), ["c"], "a failure that was handled is a good end");
}

#[test]
fn going_back_makes_new_visits() {
    let again = |answers: &[bool]| answers.iter().map(|answer| Ok(Value::Bool(*answer))).collect::<Vec<_>>();
    let steps = plan(vec![exec("a"), exec("b"), exec("c").when().next("b"), exec("d")]);
    let answers = vec![
        (("c", Question::When), again(&[true])),
        (("c~2", Question::When), again(&[true])),
        (("c~3", Question::When), again(&[false])),
    ];
    let mut case = Case::with_answers(&steps, answers);
    let key = |case: &Case, path: &str| case.run().key(case.run().step_by_path(path).expect("it is there"));
    case.ok("a").ok("b").ok("c");
    assert_eq!(case.running(), ["b~2"]);
    assert_ne!(key(&case, "b"), key(&case, "b~2"));
    case.ok("b~2").ok("c~2").ok("b~3");
    assert_eq!(case.running(), ["d"], "{}", case.line());
    assert_eq!(case.ok("d").status(), "succeeded");
    let mut case = Case::new(&plan(vec![exec("a").next("a")]));
    assert_eq!(case.ok("a").ok("a~2").running(), ["a~3"]);
}

#[test]
fn a_failure_behind_a_revisit_keeps_what_succeeded_when_the_run_is_retried() {
    let steps = plan(vec![exec("a"), exec("b").on_error_next("a"), exec("c")]);
    let mut case = Case::new(&steps);
    case.ok("a").fails("b").ok("a~2").ok("b~2").fails("c");
    assert_eq!(case.status(), "failed");
    case.retry().expect("a failed run can be retried");
    assert_eq!(case.running(), ["c"]);
    assert_eq!(case.ok("c").status(), "succeeded");
}

#[test]
fn handlers_say_where_it_goes_on() {
    let mut case =
        Case::new(&plan(vec![exec("a").catch(vec![exec("h")]).catch_next("c").next("b"), exec("b"), exec("c")]));
    assert_eq!(case.fails("a").ok("a/catch/h").running(), ["c"]);
    let both = || plan(vec![exec("a").on_error_next("c").next("d"), exec("b"), exec("c"), exec("d")]);
    assert_eq!(Case::new(&both()).fails("a").running(), ["c"]);
    assert_eq!(Case::new(&both()).ok("a").running(), ["d"]);
}

#[test]
fn out_of_blocks_what_holds_them_goes_on_in_their_place() {
    let inner = block("i", vec![exec("a").next("z"), exec("b")]).finally(vec![exec("tidy")]);
    let outer = block("o", vec![inner, exec("c")]);
    let mut case = Case::new(&plan(vec![outer, exec("y"), exec("z")]));
    assert_eq!(case.ok("o/i/a").running(), ["o/i/finally/tidy"]);
    assert_eq!(case.ok("o/i/finally/tidy").running(), ["z"]);
    assert!(
        case.line().starts_with("o succeeded, y skipped, z running, o/i succeeded, o/c skipped"),
        "{}",
        case.line()
    );
    let inner = block("o", vec![exec("a").next("o"), exec("b")]);
    let mut case = Case::new(&plan(vec![inner]));
    assert_eq!(case.ok("o/a").running(), ["o~2/a"], "also back to itself");
    let inner = block("o", vec![exec("a").next("z")]).finally(vec![exec("tidy")]);
    let mut case = Case::new(&plan(vec![inner, exec("y"), exec("z")]));
    assert_eq!(case.ok("o/a").fails("o/finally/tidy").status(), "failed", "only when what holds them ended well");
}

#[test]
fn the_end_of_a_branch() {
    let branches = vec![("x", vec![exec("a").next("end"), exec("b")]), ("y", vec![exec("c")])];
    let mut case = Case::new(&plan(vec![parallel("p", OnFail::Stop, branches)]));
    case.ok("p/x/a").ok("p/y/c");
    assert_eq!((case.status(), case.granted().len()), ("succeeded", 2));
}

#[test]
fn loops_go_on_or_end() {
    let body = |to| vec![block("o", vec![exec("a").next(to), exec("b")]), exec("c")];
    let mut case = Case::new(&plan(vec![foreach("e", 1, 0, OnFail::Stop, body("continue")), exec("z")]));
    case.ok("e[0]/o/a").ok("e[1]/o/a").ok("e[2]/o/a");
    assert_eq!(case.running(), ["z"]);
    let mut case = Case::new(&plan(vec![foreach("e", 2, 0, OnFail::Stop, body("break")), exec("z")]));
    assert_eq!(case.ok("e[1]/o/a").running(), ["e[0]/o/a"]);
    assert_eq!(case.fails("e[0]/o/a").running(), ["z"], "what ran beside it was cancelled");
    let run = case.run();
    let outputs = &run.step(run.step_by_path("e").expect("it is there")).outputs;
    assert_eq!((outputs.get("succeeded"), outputs.get("failed")), (Some(&Value::Int(1)), Some(&Value::Int(0))));
    let mut case = Case::new(&plan(vec![repeat("r", 5, body("break")), exec("z")]));
    assert_eq!(case.ok("r[0]/o/a").running(), ["z"]);
    let mut case = Case::new(&plan(vec![repeat("r", 5, body("continue")), exec("z")]));
    assert_eq!(case.ok("r[0]/o/a").pass(20).ok("r[1]/o/a").running(), ["z"]);
}

#[test]
fn where_nothing_new_starts_it_goes_on_nowhere() {
    let branches = vec![("x", vec![exec("a").next("a")]), ("y", vec![exec("b")])];
    let mut case = Case::new(&plan(vec![parallel("p", OnFail::Stop, branches)]));
    case.fails("p/y/b").ok("p/x/a");
    assert_eq!(case.status(), "failed");
}

#[test]
fn a_run_that_goes_round_in_a_circle_comes_to_an_end() {
    let circle = crate::plan::step("s", crate::plan::What::Script).next("s");
    let case = Case::new(&plan(vec![circle]));
    assert_eq!(case.status(), "failed");
    let run = case.run();
    assert_eq!(run.error.as_ref().map(|error| error.kind.as_str()), Some("limit"));
    assert_eq!(run.steps.len(), 10_001);
}
