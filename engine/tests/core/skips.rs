//! `skip RUN STEP`.

use lockstep_dsl::graph::OnFail;
use lockstep_dsl::value::Value;
use lockstep_engine::core::run::{Question, Refused};

use crate::case::{Case, unknown};
use crate::plan::{What, block, exec, foreach, plan, step};

/// Why a skip is refused, and what to do instead.
fn refusal(case: &mut Case, path: &str) -> (String, String) {
    let line = case.line();
    let refused = match case.skip(path) {
        Err(Refused::Instead { why, instead }) => (why, instead),
        other => panic!("skipping {path} should be refused with what to do instead: {other:?}"),
    };
    assert_eq!(case.line(), line, "nothing has changed");
    refused
}

#[test]
fn a_step_that_has_not_begun_is_skipped_when_its_turn_comes() {
    let mut case = Case::new(&plan(vec![exec("a"), exec("b"), exec("c")]));
    case.skip("b").expect("it has not begun");
    assert_eq!(case.line(), "a running, b pending, c pending", "c must not overtake a");
    case.ok("a");
    assert_eq!(case.line(), "a succeeded, b skipped, c running");
    assert_eq!(case.ok("c").status(), "succeeded");
    let run = case.run();
    let waiver = run.waiver(lockstep_engine::id::StepNo(1)).expect("who and why is kept");
    assert_eq!((waiver.by.as_str(), waiver.reason.as_str()), ("user:ana", "done by hand"));
}

#[test]
fn what_waits_or_is_in_doubt_is_skipped_at_once() {
    let steps = vec![
        step("rest", What::Wait(5_000)),
        step("told", What::Signal("go")).needs(&[]),
        step("which", What::Ask).needs(&[]),
        exec("again").needs(&[]).retry(2),
        exec("doubt").needs(&[]).retry(2),
        exec("last").needs(&["rest", "told", "which", "again", "doubt"]),
    ];
    let mut case = Case::new(&plan(steps));
    case.fails("again").report("doubt", unknown());
    for path in ["rest", "told", "which", "again", "doubt"] {
        assert!(case.running().is_empty());
        case.skip(path).expect("it waits");
    }
    assert_eq!((case.running(), case.next_due()), (vec!["last".to_owned()], None));
    let again = &case.run().steps[3];
    assert!(again.error.is_none() && again.outputs.is_empty(), "what it had come to counts no more");
    assert_eq!(case.ok("last").status(), "succeeded");
}

#[test]
fn a_condition_that_is_being_asked_and_a_held_attempt_are_skipped() {
    let mut case = Case::withholding(&plan(vec![exec("a").when(), exec("b")]), &[("a", Question::When)]);
    case.skip("a").expect("it has not begun");
    assert_eq!(case.running(), ["b"]);
    case.answer_late("a", Question::When, Ok(Value::Bool(true)));
    assert_eq!(case.line(), "a skipped, b running", "the answer changes nothing any more");
    let mut case = Case::new(&plan(vec![exec("a").pure(), exec("b")]));
    case.pause().expect("it goes on");
    case.report("a", unknown()).skip("a").expect("it is held back");
    assert_eq!(case.line(), "a skipped, b pending");
    case.skip("b").expect("it is held back");
    assert_eq!(case.status(), "succeeded", "nothing was left");
}

#[test]
fn steps_of_blocks_that_have_not_begun_are_known_by_their_path() {
    let mut case = Case::new(&plan(vec![
        exec("a"),
        block("o", vec![exec("b"), exec("c")]),
        foreach("each", 3, 0, OnFail::Stop, vec![exec("d"), exec("e")]),
    ]));
    case.skip("o/b").expect("it is in the file");
    case.skip("each/d").expect("it is in the file");
    case.ok("a");
    assert_eq!(case.running(), ["o/c"]);
    case.ok("o/c");
    assert_eq!(case.running(), ["each[0]/e", "each[1]/e", "each[2]/e"], "of every item");
}

#[test]
fn a_run_that_failed_goes_on_behind_the_step() {
    let mut case = Case::new(&plan(vec![
        block("o", vec![exec("a"), exec("bad"), exec("after")]),
        exec("last").undo(vec![exec("back")]),
    ]));
    case.ok("o/a").fails("o/bad");
    assert_eq!(case.status(), "failed");
    assert!(refusal(&mut case, "o").1.contains("of a block, the step in it"));
    assert!(refusal(&mut case, "o/a").0.contains("has ended, it is succeeded"));
    case.skip("o/bad").expect("it failed");
    assert_eq!(case.running(), ["o/after"]);
    case.ok("o/after").fails("last").ok("last/undo/back");
    assert_eq!(case.status(), "failed");
    case.skip("last").expect("it is undone");
    assert_eq!(case.status(), "succeeded");
    assert!(refusal(&mut case, "last").0.contains("has ended"));
}

#[test]
fn what_asks_for_an_approval_is_not_skipped() {
    let gate = || step("ok", What::Approve(1, &[], true));
    let mut case = Case::new(&plan(vec![gate(), exec("a"), block("o", vec![block("p", vec![gate()])])]));
    let (why, next) = refusal(&mut case, "ok");
    assert_eq!(why, "step `ok` asks for an approval, which is not skipped");
    assert!(next.contains("lockstep approve"), "{next}");
    assert!(refusal(&mut case, "o").0.contains("holds `"), "not around it either");
    case.pass(0).vote("ok", false, "ana", &[]).expect("anybody may");
    assert_eq!(case.status(), "failed");
    refusal(&mut case, "ok");
}

#[test]
fn what_runs_has_ended_or_is_not_there_is_refused() {
    let mut case = Case::new(&plan(vec![exec("a"), block("o", vec![exec("b")])]));
    assert!(refusal(&mut case, "a").0.contains("runs, and what runs is not skipped"));
    assert!(refusal(&mut case, "x").1.contains("names its steps"));
    case.ok("a");
    let (why, next) = refusal(&mut case, "a");
    assert!(why.contains("has ended, it is succeeded") && next.contains("when its run has ended"), "{why}: {next}");
    assert!(refusal(&mut case, "o").0.contains("has steps in it"));
    assert_eq!(case.ok("o/b").status(), "succeeded");
    refusal(&mut case, "o/b");
}

#[test]
fn a_run_begins_without_what_is_left_out() {
    let steps = || plan(vec![exec("a"), block("o", vec![exec("b"), exec("c")]), exec("d"), exec("e").next("d")]);
    let mut case = Case::opened(&steps(), &["o/b", "d"], None, false).expect("these are steps");
    case.ok("a");
    assert_eq!(case.running(), ["o/c"]);
    case.ok("o/c");
    assert_eq!(case.running(), ["e"]);
    let case = Case::opened(&steps(), &[], Some("d"), false).expect("it is a step");
    assert_eq!(case.line(), "a skipped, o skipped, d running, e pending");
    let by = case.run().waiver(lockstep_engine::id::StepNo(0)).map(|waiver| (waiver.by.clone(), waiver.reason.clone()));
    assert_eq!(by, Some(("user:test".to_owned(), "`run --from d`".to_owned())));
}

#[test]
fn what_cannot_be_left_out_is_refused_before_anything_begins() {
    let gate = step("ok", What::Approve(1, &[], true));
    let steps = plan(vec![exec("a"), block("o", vec![gate]), exec("deploy")]);
    let refused = |skip: &[&str], from: Option<&str>| match Case::opened(&steps, skip, from, false) {
        Err(Refused::Instead { why, instead }) => (why, instead),
        _ => panic!("it should be refused"),
    };
    assert!(refused(&["deplyo"], None).1.contains("did you mean `deploy`?"));
    assert!(refused(&["o/ok"], None).0.contains("asks for an approval"));
    assert!(refused(&[], Some("deploy")).0.contains("would leave out `o/ok`"));
    assert!(refused(&[], Some("o/ok")).0.contains("stands in a block"));
    assert!(refused(&[], Some("x")).0.contains("has no step `x`"));
}
