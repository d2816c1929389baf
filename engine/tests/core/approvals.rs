//! Steps that wait for people: approvals and answers.

use lockstep_dsl::value::Value;
use lockstep_engine::core::run::Refused;

use crate::case::Case;
use crate::plan::{Step, What, exec, plan, step};

/// An approval, and what it guards.
fn guarded(quorum: u32, by: &'static [&'static str]) -> Vec<Step> {
    vec![step("ok", What::Approve(quorum, by, false)), exec("delete")]
}

fn refusal(result: Result<(), Refused>) -> String {
    match result {
        Err(Refused::NotNow(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_an_approval_guards_starts_after_the_quorum_and_not_before() {
    let mut case = Case::new(&plan(guarded(2, &["user:ana", "group:sre"])));
    assert_eq!(case.line(), "ok waiting, delete pending");
    assert!(case.run().only_awaits());
    case.vote("ok", true, "ana", &[]).expect("she may");
    assert_eq!(case.line(), "ok waiting, delete pending");
    assert_eq!(refusal(case.vote("ok", true, "ana", &["sre"])), "user:ana has approved step `ok` already");
    assert!(case.granted().is_empty());
    case.vote("ok", true, "ben", &["sre"]).expect("he is in the group");
    assert_eq!(case.granted(), ["delete"]);
    let run = case.run();
    let outputs = &run.steps[0].outputs;
    assert_eq!(outputs.get("by"), Some(&Value::from("user:ana, user:ben")));
    assert!(matches!(outputs.get("approvals"), Some(Value::List(all)) if all.len() == 2));
}

#[test]
fn who_is_not_named_cannot_answer() {
    let mut case = Case::new(&plan(guarded(1, &["user:ana", "group:sre"])));
    let why = refusal(case.vote("ok", true, "eve", &["dba"]));
    assert_eq!(why, "user:eve may not answer step `ok`, only user:ana or group:sre may");
    // Neither yes nor no.
    refusal(case.vote("ok", false, "eve", &[]));
    assert_eq!(case.line(), "ok waiting, delete pending");
}

#[test]
fn who_asked_for_the_run_approves_only_where_the_step_says_so() {
    let mut case = Case::new(&plan(guarded(1, &[])));
    let why = refusal(case.vote("ok", true, "test", &[]));
    assert_eq!(why, "user:test asked for this run, so somebody else must approve step `ok`");
    case.vote("ok", true, "ana", &[]).expect("everybody else may");
    assert_eq!(case.running(), ["delete"]);
    let mut case = Case::new(&plan(vec![step("ok", What::Approve(1, &[], true)), exec("delete")]));
    case.vote("ok", true, "test", &[]).expect("the step says so");
    assert_eq!(case.running(), ["delete"]);
}

#[test]
fn one_no_ends_it_however_many_have_approved() {
    let mut case = Case::new(&plan(guarded(3, &[])));
    case.vote("ok", true, "ana", &[]).expect("she may");
    case.vote("ok", true, "ben", &[]).expect("he may");
    case.vote("ok", false, "eve", &[]).expect("she may");
    assert_eq!(case.status(), "failed");
    assert!(case.granted().is_empty(), "what it guards has not started");
    let run = case.run();
    let error = run.error.as_ref().expect("it failed");
    assert_eq!((error.kind.as_str(), error.message.as_str()), ("rejected", "rejected by user:eve: not today"));
    drop(run);
    refusal(case.vote("ok", true, "zoe", &[]));
}

#[test]
fn no_answer_is_never_a_yes() {
    let mut steps = guarded(2, &[]);
    steps[0] = steps[0].clone().timeout(3_600_000);
    let mut case = Case::new(&plan(steps));
    case.vote("ok", true, "ana", &[]).expect("she may");
    case.pass(3_600_000);
    assert_eq!(case.status(), "failed");
    assert!(case.granted().is_empty());
    assert_eq!(case.run().error.as_ref().map(|error| error.kind.clone()), Some("timeout".to_owned()));
    refusal(case.vote("ok", true, "ben", &[]));
}

#[test]
fn a_refused_approval_can_be_handled_and_what_follows_is_not_what_it_guards() {
    let handler = vec![exec("tell"), step("no", What::Fail)];
    let mut case = Case::new(&plan(vec![step("ok", What::Approve(1, &[], false)).catch(handler), exec("delete")]));
    case.vote("ok", false, "ana", &[]).expect("she may");
    assert_eq!(case.running(), ["ok/catch/tell"]);
    assert_eq!(case.ok("ok/catch/tell").status(), "failed");
    assert_eq!(case.granted(), ["ok/catch/tell"]);
}

#[test]
fn after_a_while_others_may_answer_too() {
    let mut case = Case::new(&plan(guarded(1, &["user:ana"])));
    refusal(case.vote("ok", true, "lea", &["leads"]));
    case.pass(59_999);
    refusal(case.vote("ok", true, "lea", &["leads"]));
    case.pass(1);
    assert_eq!(case.run().allowed(lockstep_engine::id::StepNo(0)), ["user:ana", "group:leads"]);
    case.vote("ok", true, "lea", &["leads"]).expect("nobody else has answered");
    assert_eq!(case.running(), ["delete"]);
    assert_eq!(case.next_due(), None, "nothing is left of the wait");
}

#[test]
fn a_retry_of_the_run_asks_anew() {
    let mut case = Case::new(&plan(guarded(2, &[])));
    case.vote("ok", true, "ana", &[]).expect("she may");
    case.vote("ok", false, "ben", &[]).expect("he may");
    case.retry().expect("it failed");
    assert_eq!(case.line(), "ok waiting, delete pending");
    case.vote("ok", true, "ben", &[]).expect("he may");
    assert!(case.granted().is_empty(), "an approval of the first time does not count");
    case.vote("ok", true, "ana", &[]).expect("she may");
    assert_eq!(case.granted(), ["delete"]);
}

#[test]
fn an_answer_is_what_the_step_gives() {
    let mut case = Case::new(&plan(vec![step("which", What::Ask), exec("b")]));
    assert!(
        matches!(case.vote("which", true, "ana", &[]), Err(Refused::NotNow(why)) if why.contains("waits for no approval"))
    );
    case.fill_in("which", 7).expect("it is asked");
    assert_eq!(case.run().steps[0].outputs.get("count"), Some(&Value::Int(7)));
    assert_eq!(case.running(), ["b"]);
    refusal(case.fill_in("which", 8));
}
