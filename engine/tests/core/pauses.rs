//! Pausing a run: nothing begins, what runs ends.

use lockstep_dsl::graph::OnFail;
use lockstep_dsl::value::Value;
use lockstep_engine::core::run::{Question, Refused, Resolution};

use crate::case::{Case, unknown};
use crate::plan::{What, block, exec, foreach, parallel, plan, step};

/// Why an act is refused, and what to do instead.
fn instead(result: Result<(), Refused>) -> (String, String) {
    match result {
        Err(Refused::Instead { why, instead }) => (why, instead),
        other => panic!("it should be refused with what to do instead: {other:?}"),
    }
}

#[test]
fn what_runs_ends_and_nothing_new_begins() {
    let mut case = Case::new(&plan(vec![exec("a"), exec("b"), exec("side").needs(&[])]));
    case.pause().expect("it goes on");
    assert_eq!((case.status(), case.running()), ("paused", vec!["a".to_owned(), "side".to_owned()]));
    assert!(!case.run().needs_a_word(), "something runs still");
    case.ok("a").ok("side");
    assert_eq!(case.line(), "a succeeded, b pending, side succeeded");
    assert!(case.run().needs_a_word() && case.run().only_awaits());
    case.pass(1_000_000);
    assert_eq!(case.running(), Vec::<String>::new());
    case.unpause().expect("it is paused");
    assert_eq!((case.status(), case.running()), ("running", vec!["b".to_owned()]));
    assert_eq!(case.ok("b").status(), "succeeded");
}

#[test]
fn a_run_with_nothing_left_to_begin_ends_while_it_is_paused() {
    let mut case = Case::new(&plan(vec![exec("a")]));
    case.pause().expect("it goes on");
    assert_eq!(case.ok("a").status(), "succeeded");
    assert!(case.run().paused.is_none());
}

#[test]
fn delays_go_on_and_what_comes_behind_them_is_held_back() {
    let waits = vec![
        step("rest", What::Wait(500)),
        exec("after"),
        exec("again").needs(&[]).retry(2),
        exec("poll").needs(&[]).pure().until(400),
    ];
    let answers = vec![(("poll", Question::Until), vec![Ok(Value::Bool(false)), Ok(Value::Bool(true))])];
    let mut case = Case::with_answers(&plan(waits), answers);
    case.fails("again").ok("poll").pause().expect("it goes on");
    assert_eq!(case.line(), "rest waiting, after pending, again waiting, poll waiting");
    case.pass(10_000);
    assert_eq!(case.line(), "rest succeeded, after pending, again waiting, poll waiting");
    assert_eq!((case.running(), case.next_due()), (Vec::<String>::new(), None));
    case.unpause().expect("it is paused");
    assert_eq!(case.running(), ["after", "again", "poll"]);
    assert_eq!(case.ok("after").ok("again").ok("poll").status(), "succeeded");
}

#[test]
fn limits_of_what_is_held_back_stand_still() {
    let inner = vec![exec("a").timeout(100), exec("b")];
    let mut case = Case::new(&plan(vec![block("o", inner).timeout(1_000)]).timeout(2_000));
    case.pass(50).pause().expect("it goes on");
    case.pass(49);
    assert_eq!(case.next_due(), Some(1), "the limit of the attempt goes on");
    case.ok("o/a").pass(1_000_000);
    assert_eq!(case.line(), "o running, o/a succeeded, o/b pending");
    case.unpause().expect("it is paused");
    assert_eq!(case.next_due(), Some(950), "so much of the block's was left");
    case.pass(949);
    assert_eq!(case.running(), ["o/b"]);
    case.pass(1).fails("o/b");
    assert_eq!(case.run().error.as_ref().map(|error| error.step.as_str()), Some("o"));
}

#[test]
fn a_question_to_people_is_answered_and_times_out_as_ever() {
    let steps = vec![step("ok", What::Approve(1, &[], true)).timeout(1_000), exec("a")];
    let mut case = Case::new(&plan(steps.clone()));
    case.pause().expect("it waits");
    case.vote("ok", true, "ana", &[]).expect("anybody may");
    assert_eq!(case.line(), "ok succeeded, a pending");
    case.unpause().expect("it is paused");
    assert_eq!(case.running(), ["a"]);
    let mut case = Case::new(&plan(steps));
    case.pause().expect("it waits");
    assert_eq!(case.pass(1_000).status(), "failed");
}

#[test]
fn an_attempt_that_would_be_repeated_is_held_back() {
    let mut case = Case::new(&plan(vec![exec("a").pure(), exec("b").needs(&[])]));
    case.pause().expect("it goes on");
    case.report("a", unknown()).report("b", unknown());
    assert_eq!(case.line(), "a waiting, b in_doubt");
    case.resolve("b", Resolution::Rerun).expect("it is in doubt");
    assert_eq!(case.line(), "a waiting, b waiting");
    case.unpause().expect("it is paused");
    assert_eq!(case.running(), ["a", "b"]);
}

#[test]
fn answers_that_come_late_are_kept_until_it_goes_on() {
    let mut case = Case::withholding(
        &plan(vec![exec("a").when(), exec("b").needs(&[])]),
        &[("a", Question::When), ("b", Question::Input)],
    );
    case.pause().expect("it goes on");
    let input = Value::Map([("argv".to_owned(), Value::List(vec!["late".into()]))].into());
    case.answer_late("a", Question::When, Ok(Value::Bool(true)));
    case.answer_late("b", Question::Input, Ok(input.clone()));
    assert_eq!(case.line(), "a ready, b waiting");
    assert_eq!(case.running(), Vec::<String>::new());
    case.unpause().expect("it is paused");
    assert_eq!(case.running(), ["a", "b"]);
    assert_eq!(Some(&Value::Map(case.run().steps[1].input.clone())), Some(&input));
}

#[test]
fn handlers_undo_and_what_comes_last_are_held_back_too() {
    let steps = vec![exec("did").undo(vec![exec("back")]), exec("bad").catch(vec![exec("h"), step("f", What::Fail)])];
    let mut case = Case::new(&plan(steps).on_failure(vec![exec("page")]).finally(vec![exec("tidy")]));
    case.ok("did").pause().expect("it goes on");
    case.fails("bad");
    for (next, now) in [("h", "bad/catch/h"), ("back", "did/undo/back"), ("page", "on_failure/page")] {
        assert_eq!(case.running(), Vec::<String>::new(), "before {next}");
        case.pass(10_000_000).unpause().expect("it is paused");
        assert_eq!(case.running(), [now]);
        case.pause().expect("it goes on");
        case.ok(now);
    }
    assert_eq!((case.status(), case.pass(10_000_000).running()), ("paused", Vec::new()));
    case.unpause().expect("it is paused");
    assert_eq!(case.next_due(), Some(600_000), "what comes last has all its time");
    assert_eq!(case.ok("finally/tidy").status(), "failed");
}

#[test]
fn items_are_held_back_at_their_first_step() {
    let mut case = Case::new(&plan(vec![foreach("each", 1, 0, OnFail::Stop, vec![exec("a")])]));
    case.pause().expect("it goes on");
    case.ok("each[0]/a");
    assert_eq!(case.running(), Vec::<String>::new());
    case.unpause().expect("it is paused");
    assert_eq!(case.running(), ["each[1]/a"]);
}

#[test]
fn a_cancel_ends_the_pause() {
    let branches = vec![("x", vec![exec("a"), exec("b")]), ("y", vec![exec("c").retry(2)])];
    let mut case =
        Case::new(&plan(vec![parallel("p", OnFail::Late, branches)]).timeout(9_000).finally(vec![exec("tidy")]));
    case.pause().expect("it goes on");
    case.ok("p/x/a").fails("p/y/c").pass(1_000);
    case.cancel();
    assert_eq!(case.running(), ["finally/tidy"]);
    assert_eq!(case.line(), "p cancelled, p/x/a succeeded, p/x/b skipped, p/y/c cancelled, finally/tidy running");
    let (why, _) = instead(case.pause());
    assert!(why.contains("is being cancelled"), "{why}");
    assert_eq!(case.ok("finally/tidy").status(), "cancelled");
}

#[test]
fn a_retry_of_the_run_that_was_paused_waits_for_what_comes_first() {
    let mut case = Case::new(&plan(vec![exec("a").needs(&[]), block("o", vec![exec("b"), exec("c")]).needs(&["a"])]));
    case.ok("a").ok("o/b").fails("o/c");
    case.retry().expect("it failed");
    case.pause().expect("it goes on");
    case.unpause().expect("it is paused");
    assert_eq!(case.running(), ["o/c"], "nothing is begun twice");
}

#[test]
fn every_refusal_says_what_to_do() {
    let mut case = Case::new(&plan(vec![exec("a")]));
    let (why, next) = instead(case.unpause());
    assert!(why.ends_with("is not paused, it is running") && next.starts_with("`lockstep why "), "{why} {next}");
    case.pause().expect("it goes on");
    let (why, next) = instead(case.pause());
    assert!(why.ends_with("is paused already, by user:ana") && next.starts_with("`lockstep resume "), "{why} {next}");
    case.ok("a");
    let (why, next) = instead(case.pause());
    assert!(why.ends_with("has ended, it succeeded") && next.starts_with("`lockstep show "), "{why} {next}");
}

#[test]
fn step_by_step_each_begins_when_it_is_permitted() {
    let steps = plan(vec![exec("a").retry(2), block("o", vec![exec("b")]), exec("c")]);
    let mut case = Case::opened(&steps, &[], None, true).expect("nothing is left out");
    assert_eq!((case.status(), case.running()), ("paused", Vec::new()));
    let (why, _) = instead(case.permit("o"));
    assert_eq!(why, "step `o` is not held back by a pause, it is pending");
    assert!(instead(case.permit("x")).0.contains("has no step `x`"));
    case.permit("a").expect("it is next");
    assert_eq!(case.fails("a").pass(1_000).running(), ["a"], "its tries need no further word");
    instead(case.permit("a"));
    case.ok("a").permit("o").expect("it is next");
    assert_eq!(case.line(), "a succeeded, o running, c pending, o/b pending", "what is inside is asked about too");
    case.skip("o/b").expect("it is next");
    case.unpause().expect("it is paused");
    assert_eq!(case.ok("c").status(), "succeeded");
}
