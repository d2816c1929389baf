//! `retry RUN --edited`.

use lockstep_dsl::graph::OnFail;
use lockstep_engine::core::run::Refused;
use lockstep_engine::fault::{Bug, is_caught};
use lockstep_engine::id::StepNo;

use crate::case::Case;
use crate::plan::{Plan, What, block, exec, foreach, parallel, plan, repeat, step};

/// Why an edit is refused.
fn refusal(case: &mut Case, plan: &Plan) -> String {
    let before = case.line();
    let refused = case.edit(plan).expect_err("it is refused");
    assert_eq!(case.line(), before, "what is refused changes nothing");
    match refused {
        Refused::Instead { why, .. } | Refused::NotNow(why) => why,
        other => panic!("not {other:?}"),
    }
}

/// `a` has succeeded, `b` has failed, `c` was not reached.
fn failed() -> Case {
    let mut case = Case::new(&plan(vec![exec("a"), exec("b"), exec("c")]).finally(vec![exec("tidy")]));
    case.ok("a").fails("b").ok("finally/tidy");
    assert_eq!(case.status(), "failed");
    case
}

#[test]
fn the_failed_step_runs_as_it_is_now_and_what_succeeded_is_kept() {
    let mut case = failed();
    let key = case.run().key(StepNo(1));
    case.edit(&plan(vec![exec("a"), exec("b").pure().retry(2), exec("c")]).finally(vec![exec("tidy")])).expect("fits");
    assert_eq!((case.status(), case.running()), ("running", vec!["b".to_owned()]));
    assert_eq!(case.run().key(StepNo(1)), key, "it is the same visit");
    assert_eq!(case.run().edits.len(), 1);
    // The `retry` of the corrected text counts.
    case.fails("b").pass(1_000).ok("b").ok("c");
    assert_eq!(case.ok("finally/tidy~2").status(), "succeeded");
    assert_eq!(case.granted(), ["a", "b", "finally/tidy", "b", "b", "c", "finally/tidy~2"]);
}

#[test]
fn steps_come_and_go_behind_what_is_kept() {
    let mut case = failed();
    // Another step takes the place of the one that failed, and one more comes before and behind the last.
    let new = plan(vec![exec("a"), exec("x"), exec("y"), exec("c"), exec("z")]);
    case.edit(&new).expect("fits");
    case.ok("x").ok("y").ok("c").ok("z");
    assert_eq!(case.status(), "succeeded");
    assert_eq!(case.line(), "a succeeded, c succeeded, x succeeded, y succeeded, z succeeded");
}

#[test]
fn what_is_kept_and_another_there_is_named_all_of_it() {
    let wide = |steps| plan(steps).finally(vec![exec("tidy")]);
    let mut case = Case::new(&wide(vec![exec("a"), block("o", vec![exec("p"), exec("q")]), exec("r"), exec("b")]));
    case.ok("a").ok("o/p").ok("o/q").ok("r").fails("b").ok("finally/tidy");
    let edited = wide(vec![exec("a").pure(), block("o", vec![exec("p"), exec("n"), exec("q").when()]), exec("b")]);
    let why = refusal(&mut case, &edited);
    for said in [
        "step `a` (succeeded) was changed: its `effect`",
        "step `o/q` (`o` is kept with it) was changed: its `when`, it needs `n` now, it needs `p` no more",
        "step `o/n` is new, and `o`, in which it stands, is kept",
        "step `r` (succeeded) is not there any more",
    ] {
        assert!(why.contains(said), "{said}\n{why}");
    }
    assert_eq!(why.lines().count(), 5, "{why}");
    // What it may not try any more has no part in what it gave.
    case.edit(&wide(vec![
        exec("a").retry(3).timeout(1),
        block("o", vec![exec("p"), exec("q")]).timeout(1),
        exec("r"),
        exec("b"),
    ]))
    .expect("fits");
}

#[test]
fn a_new_step_comes_before_what_is_kept_only_where_that_does_not_need_it() {
    let mut case = failed();
    let why = refusal(&mut case, &plan(vec![exec("n"), exec("a"), exec("b")]));
    assert!(why.contains("step `a` (succeeded) was changed: it needs `n` now"), "{why}");
    case.edit(&plan(vec![exec("n"), exec("a").needs(&[]), exec("b")])).expect("fits");
    assert_eq!(case.running(), ["b", "n"]);
}

#[test]
fn it_goes_on_inside_blocks_whose_head_has_stayed() {
    let branches = |last: &'static str| vec![("x", vec![exec("a"), exec(last)]), ("y", vec![exec("c")])];
    let of = |last: &'static str, on_fail| plan(vec![block("o", vec![parallel("p", on_fail, branches(last))])]);
    let mut case = Case::new(&of("b", OnFail::Late));
    case.ok("o/p/x/a").ok("o/p/y/c").fails("o/p/x/b");
    let why = refusal(&mut case, &of("b", OnFail::Stop));
    assert!(why.contains("step `o/p` (it goes on inside) was changed: its `parallel`"), "{why}");
    case.edit(&of("d", OnFail::Late)).expect("fits");
    assert_eq!(case.running(), ["o/p/x/d"]);
    assert_eq!(case.ok("o/p/x/d").status(), "succeeded");
}

#[test]
fn items_that_ended_well_hold_what_is_done_with_an_item() {
    let of = |name: &str| plan(vec![foreach("e", 1, 0, OnFail::Stop, vec![exec(name)])]);
    let mut case = Case::new(&of("s"));
    case.fails("e[0]/s");
    // None has ended well.
    case.edit(&of("t")).expect("fits");
    case.ok("e[0]/t").fails("e[1]/t");
    let why = refusal(&mut case, &of("u"));
    assert!(why.contains("step `e/t` (`e` is kept with it) is not there any more"), "{why}");
}

#[test]
fn the_last_round_of_a_loop_goes_on_as_it_is_now() {
    let of = |name: &str| plan(vec![repeat("r", 5, vec![exec("s"), exec(name)])]);
    let mut case = Case::new(&of("a"));
    case.ok("r[0]/s").ok("r[0]/a").pass(20).ok("r[1]/s").fails("r[1]/a");
    case.edit(&of("b")).expect("fits");
    assert_eq!(case.running(), ["r[1]/b"]);
    assert_eq!(case.ok("r[1]/b").status(), "succeeded");
}

#[test]
fn an_approval_is_not_edited_away() {
    let gate = |quorum| step("ok", What::Approve(quorum, &["user:ana"], true));
    let mut case = Case::new(&plan(vec![exec("a"), exec("b"), gate(2), exec("c")]));
    case.ok("a").fails("b");
    for steps in [
        vec![exec("a"), exec("b"), exec("c")],
        vec![exec("a"), exec("b"), gate(1), exec("c")],
        vec![exec("a"), exec("b"), gate(2).disabled(), exec("c")],
    ] {
        let why = refusal(&mut case, &plan(steps));
        assert!(why.contains("step `ok` (asks for an approval)"), "{why}");
    }
}

#[test]
fn what_was_undone_is_visited_anew() {
    let undone = |name: &str| exec(name).undo(vec![exec("back")]);
    let mut case = Case::new(&plan(vec![undone("a"), exec("b")]));
    case.ok("a").fails("b").ok("a/undo/back");
    assert_eq!(case.status(), "failed");
    // It is not kept, so it may be another, and what is undone of it too.
    case.edit(&plan(vec![exec("a").pure().undo(vec![exec("other")]), exec("c")])).expect("fits");
    case.ok("a~2").fails("c").ok("a~2/undo/other");
    assert_eq!(case.status(), "failed");
}

#[test]
fn what_is_still_to_be_undone_stays() {
    let undone = |name: &str| exec(name).undo(vec![exec("back")]);
    let mut case = Case::new(&plan(vec![exec("a"), undone("b"), exec("c")]));
    case.ok("a").fails("b").cancel().fails("b/undo/back");
    assert_eq!(
        case.line(),
        "a succeeded, b failed, c skipped, b/undo/back cancelled",
        "nobody knows what is left of it"
    );
    let why = refusal(&mut case, &plan(vec![exec("a"), exec("d")]));
    assert!(why.contains("step `b` is not there any more, and what it did is not undone"), "{why}");
    // Whoever edits the `undo` away says that nothing is left to undo.
    case.edit(&plan(vec![exec("a"), exec("b"), exec("c")])).expect("fits");
    case.fails("b");
    assert_eq!(case.status(), "failed");
}

#[test]
fn a_step_that_comes_back_is_another_visit() {
    let with = |name: &str| plan(vec![exec("a"), exec(name)]);
    let mut case = Case::new(&with("b"));
    case.ok("a").fails("b");
    case.edit(&with("c")).expect("fits");
    case.fails("c");
    case.edit(&with("b")).expect("fits");
    assert_eq!(case.running(), ["b~2"], "its first key was given out");
    assert_eq!(case.ok("b~2").status(), "succeeded");
}

#[test]
fn a_run_that_cannot_be_retried_cannot_be_edited_either() {
    let mut case = Case::new(&plan(vec![exec("a")]));
    assert!(refusal(&mut case, &plan(vec![exec("b")])).contains("has not ended"));
    case.ok("a");
    assert!(refusal(&mut case, &plan(vec![exec("b")])).contains("succeeded, there is nothing to retry"));
    let mut case = failed();
    let same = plan(vec![exec("a"), exec("b"), exec("c")]).finally(vec![exec("tidy")]);
    assert!(refusal(&mut case, &same).contains("nothing in the runbook was changed"));
}

#[test]
fn an_edit_that_is_not_compared_is_caught() {
    assert!(is_caught(Bug::EditNotCompared, what_is_kept_and_another_there_is_named_all_of_it));
}
