//! Probes, and several rules of `retry`.

use lockstep_dsl::graph::OnFail;
use lockstep_dsl::value::{Map, Value};
use lockstep_engine::core::run::{Answer, Question};

use crate::case::{Case, failure, unknown};
use crate::plan::{exec, parallel, plan};

fn found(done: bool) -> Value {
    let outputs = Value::Map(Map::from([("id".to_owned(), Value::Int(7))]));
    Value::Map(Map::from([("done".to_owned(), Value::Bool(done)), ("outputs".to_owned(), outputs)]))
}

fn probed(answers: Vec<Answer>) -> Case {
    Case::with_answers(&plan(vec![exec("a").probe(), exec("b")]), vec![(("a", Question::Probe), answers)])
}

#[test]
fn what_took_effect_has_succeeded_with_the_outputs_of_the_probe() {
    let mut case = probed(vec![Ok(found(true))]);
    case.report("a", unknown());
    assert_eq!((case.running(), case.status()), (vec!["a/probe/look".to_owned()], "running"));
    assert_eq!(case.ok("a/probe/look").running(), ["b"]);
    let run = case.run();
    let step = run.step(run.step_by_path("a").expect("it is there"));
    assert_eq!((step.attempts, step.outputs.get("id")), (1, Some(&Value::Int(7))));
}

#[test]
fn what_took_no_effect_is_attempted_again() {
    let mut case = probed(vec![Ok(found(false)), Ok(found(true))]);
    case.report("a", unknown()).ok("a/probe/look");
    assert_eq!(case.granted(), ["a", "a/probe/look", "a"]);
    case.report("a", unknown()).ok("a/probe/look~2").ok("b");
    assert_eq!(case.status(), "succeeded");
}

#[test]
fn outcomes_that_stay_unknown_are_a_persons_in_the_end() {
    let mut case = probed(vec![Ok(found(false))]);
    for round in 1..=4 {
        case.report("a", unknown());
        if let Some(probe) = case.running().first().filter(|path| path.starts_with("a/probe")).cloned() {
            case.ok(&probe);
        } else {
            assert_eq!((round, case.line().contains("a in_doubt")), (4, true), "{}", case.line());
        }
    }
    assert!(case.line().contains("a in_doubt"), "{}", case.line());
}

#[test]
fn a_probe_that_does_not_know_leaves_the_step_in_doubt() {
    let mut case = probed(vec![Ok(found(true))]);
    case.report("a", unknown()).fails("a/probe/look");
    assert!(case.line().starts_with("a in_doubt"), "{}", case.line());
    assert_eq!(case.ok("a").running(), ["b"], "the attempt's own late report counts");
    for answer in [Err(failure("invalid")), Ok(Value::Null), Ok(Value::Map(Map::new()))] {
        let mut case = probed(vec![answer]);
        case.report("a", unknown()).ok("a/probe/look");
        assert!(case.line().starts_with("a in_doubt"), "{}", case.line());
    }
}

#[test]
fn the_outcome_of_a_probe_itself_may_be_unknown_and_then_it_is_repeated() {
    let mut case = probed(vec![Ok(found(true))]);
    case.report("a", unknown()).report("a/probe/look", unknown()).ok("a/probe/look").ok("b");
    assert_eq!(case.status(), "succeeded");
}

#[test]
fn a_cancel_and_a_limit_of_time_end_a_probe() {
    let mut case = probed(vec![Ok(found(true))]);
    case.report("a", unknown()).cancel().fails("a/probe/look");
    assert_eq!(case.status(), "cancelled");
    let mut case = Case::new(&plan(vec![exec("a").probe().total(500)]));
    case.report("a", unknown()).pass(500).fails("a/probe/look");
    assert_eq!((case.status(), case.line().as_str()), ("failed", "a failed, a/probe/look cancelled"));
    let timed = plan(vec![exec("a").probe().timeout(100)]);
    let mut case = Case::with_answers(&timed, vec![(("a", Question::Probe), vec![Ok(found(true))])]);
    case.pass(100).report("a", unknown()).ok("a/probe/look");
    assert_eq!(case.status(), "succeeded", "nobody knew how the attempt ended that was stopped");
}

#[test]
fn in_a_block_that_starts_nothing_new_nothing_is_attempted_again() {
    let branches = vec![("x", vec![exec("a").probe()]), ("y", vec![exec("b")])];
    let plan = plan(vec![parallel("p", OnFail::Stop, branches)]);
    let mut case = Case::with_answers(&plan, vec![(("p/x/a", Question::Probe), vec![Ok(found(false))])]);
    case.fails("p/y/b").report("p/x/a", unknown()).ok("p/x/a/probe/look");
    assert_eq!(case.status(), "failed");
    assert!(case.line().contains("p/x/a failed"), "{}", case.line());
}

#[test]
fn each_rule_of_retry_counts_for_itself() {
    let yes_or_no = |answers: &[bool]| answers.iter().map(|answer| Ok(Value::Bool(*answer))).collect::<Vec<_>>();
    let rules = plan(vec![exec("a").rule(2).rule(3)]);
    let first = yes_or_no(&[true, false, false, true]);
    let mut case = Case::with_answers(&rules, vec![(("a", Question::Retry(0)), first)]);
    case.fails("a");
    assert_eq!(case.next_due(), Some(1_000));
    case.pass(1_000).fails("a");
    assert_eq!(case.next_due(), Some(1_000), "the first failure that the second rule is for");
    case.pass(1_000).fails("a");
    assert_eq!(case.next_due(), Some(2_000));
    case.pass(2_000).fails("a");
    assert_eq!(case.status(), "failed", "the first rule has had its two tries");
}
