//! `foreach` and `repeat`.

use lockstep_dsl::graph::OnFail;
use lockstep_dsl::value::{Map, Value};
use lockstep_engine::core::run::Question;

use crate::case::Case;
use crate::plan::{exec, foreach, plan, repeat};

/// So many items.
fn items(count: i64) -> Vec<((&'static str, Question), Vec<lockstep_engine::core::run::Answer>)> {
    let ends = Value::List(vec![Value::Int(0), Value::Int(count)]);
    vec![(("e", Question::Input), vec![Ok(Value::Map(Map::from([("range".to_owned(), ends)])))])]
}

#[test]
fn as_many_items_run_at_once_as_concurrency_says_and_one_that_ends_makes_room() {
    let steps = vec![exec("a"), exec("b")];
    let mut case = Case::with_answers(&plan(vec![foreach("e", 2, 0, OnFail::Stop, steps), exec("z")]), items(4));
    assert_eq!(case.running(), ["e[0]/a", "e[1]/a"]);
    assert_eq!(case.ok("e[1]/a").running(), ["e[0]/a", "e[1]/b"]);
    assert_eq!(case.ok("e[1]/b").running(), ["e[0]/a", "e[2]/a"]);
    case.ok("e[0]/a").ok("e[0]/b").ok("e[2]/a").ok("e[3]/a").ok("e[3]/b").ok("e[2]/b");
    assert_eq!(case.running(), ["z"]);
    let outputs = &case.run().step_by_path("e").map(|step| case.run().step(step).outputs.clone()).expect("the loop");
    assert_eq!((outputs.get("succeeded"), outputs.get("failed")), (Some(&Value::Int(4)), Some(&Value::Int(0))));
    let Some(Value::List(results)) = outputs.get("results") else { panic!("{outputs:?}") };
    assert_eq!(results.len(), 4);
}

#[test]
fn so_many_items_may_fail_and_the_next_failure_acts() {
    for (on_fail, expected) in [
        (OnFail::Stop, vec!["e[3]/a"]),
        // What runs is asked to stop, and runs until it has.
        (OnFail::Cancel, vec!["e[3]/a"]),
        (OnFail::Late, vec!["e[3]/a", "e[4]/a"]),
    ] {
        let mut case = Case::with_answers(&plan(vec![foreach("e", 2, 2, on_fail, vec![exec("a")])]), items(6));
        case.fails("e[0]/a").fails("e[1]/a").fails("e[2]/a");
        assert_eq!(case.running(), expected, "{on_fail:?}");
        while let Some(path) = case.running().first().cloned() {
            case.ok(&path);
        }
        assert_eq!(case.status(), "failed");
        let error = case.run().error.clone().expect("an error");
        assert_eq!(error.step, "e[0]/a", "the first in time");
    }
}

#[test]
fn a_retry_of_the_run_goes_on_inside_the_items_that_did_not_end_well() {
    let body = vec![exec("a"), exec("b")];
    let mut case = Case::with_answers(&plan(vec![foreach("e", 2, 0, OnFail::Stop, body)]), items(4));
    case.ok("e[0]/a").ok("e[0]/b").ok("e[1]/a");
    let key = case.run().step_by_path("e[1]/b").map(|step| case.run().key(step));
    case.fails("e[1]/b");
    assert_eq!(case.running(), ["e[2]/a"], "nothing new begins, what runs may end");
    case.ok("e[2]/a");
    assert_eq!(case.status(), "failed");
    case.retry().expect("a failed run can be retried");
    assert_eq!(case.running(), ["e[1]/b", "e[2]/b"]);
    assert_eq!(case.run().step_by_path("e[1]/b").map(|step| case.run().key(step)), key, "it is the same visit");
    case.ok("e[1]/b").ok("e[3]/a").ok("e[3]/b").ok("e[2]/b");
    assert_eq!(case.status(), "succeeded");
    assert_eq!(case.granted().iter().filter(|path| *path == "e[0]/a" || *path == "e[1]/a").count(), 2);
}

#[test]
fn a_cancel_and_a_timeout_stop_the_items_that_run_and_no_other_begins() {
    let mut case = Case::with_answers(&plan(vec![foreach("e", 2, 0, OnFail::Stop, vec![exec("a")])]), items(4));
    case.cancel().fails("e[0]/a").fails("e[1]/a");
    assert_eq!((case.status(), case.line().contains("e[2]")), ("cancelled", false));
    case.retry().expect("a cancelled run can be retried");
    assert_eq!(case.running(), ["e[0]/a", "e[1]/a"]);

    let each = foreach("e", 2, 5, OnFail::Stop, vec![exec("a")]).timeout(500).catch(vec![exec("mend")]);
    let mut case = Case::with_answers(&plan(vec![each]), items(4));
    case.pass(500).fails("e[0]/a").fails("e[1]/a");
    assert_eq!(case.running(), ["e/catch/mend"]);
    assert_eq!(case.ok("e/catch/mend").status(), "succeeded");
}

#[test]
fn no_items_are_no_failure() {
    let case = Case::with_answers(&plan(vec![foreach("e", 2, 0, OnFail::Stop, vec![exec("a")])]), items(0));
    assert_eq!(case.status(), "succeeded");
}

#[test]
fn items_that_ended_well_are_forgotten_and_those_that_did_not_are_kept() {
    let count = 400;
    let mut case = Case::with_answers(
        &plan(vec![foreach("e", 1, 10, OnFail::Stop, vec![exec("a"), exec("b")]), exec("z")]),
        items(count),
    );
    for index in 0..count {
        if index == 5 {
            case.fails("e[5]/a");
        } else {
            case.ok(&format!("e[{index}]/a")).ok(&format!("e[{index}]/b"));
        }
        assert!(case.run().steps.len() < 250, "{} steps at item {index}", case.run().steps.len());
    }
    assert_eq!(case.running(), ["z"]);
    assert!(case.line().contains("e[5]/a failed"));
    let outputs = case.run().step_by_path("e").map(|step| case.run().step(step).outputs.clone()).expect("the loop");
    assert_eq!((outputs.get("succeeded"), outputs.get("failed")), (Some(&Value::Int(399)), Some(&Value::Int(1))));
}

#[test]
fn rounds_follow_one_another_until_the_condition_holds() {
    let rounds = [false, false, true].map(|holds| Ok(Value::Bool(holds)));
    let answers = vec![(("r", Question::Round), rounds.to_vec())];
    let mut case = Case::with_answers(&plan(vec![repeat("r", 5, vec![exec("a")])]), answers);
    case.ok("r[0]/a");
    assert_eq!((case.status(), case.next_due()), ("waiting", Some(20)));
    case.pass(20).ok("r[1]/a").pass(20).ok("r[2]/a");
    assert_eq!(case.status(), "succeeded");
    let outputs = case.run().step_by_path("r").map(|step| case.run().step(step).outputs.clone()).expect("the loop");
    assert_eq!(outputs.get("rounds"), Some(&Value::Int(3)));
}

#[test]
fn too_many_rounds_are_a_failure_and_a_retry_of_the_run_allows_as_many_again() {
    let answers = vec![(("r", Question::Round), vec![Ok(Value::Bool(false))])];
    let mut case = Case::with_answers(&plan(vec![repeat("r", 2, vec![exec("a")])]), answers);
    case.ok("r[0]/a").pass(20).ok("r[1]/a");
    let error = case.run().error.clone().expect("an error");
    assert_eq!((case.status(), error.kind.as_str(), error.step.as_str()), ("failed", "limit", "r"));
    case.retry().expect("a failed run can be retried");
    case.pass(20).ok("r[2]/a").pass(20).ok("r[3]/a");
    assert_eq!(case.status(), "failed");
}

#[test]
fn a_round_that_fails_ends_the_loop_and_a_retry_of_the_run_goes_on_in_it() {
    let mut case = Case::new(&plan(vec![repeat("r", 5, vec![exec("a"), exec("b")])]));
    case.ok("r[0]/a").ok("r[0]/b").pass(20).ok("r[1]/a").fails("r[1]/b");
    assert_eq!(case.status(), "failed");
    case.retry().expect("a failed run can be retried");
    assert_eq!(case.running(), ["r[1]/b"]);
    assert_eq!(case.ok("r[1]/b").status(), "succeeded");
}
