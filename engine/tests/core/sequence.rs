//! Order, conditions and variables.

use lockstep_dsl::value::Value;
use lockstep_engine::core::run::Question;

use crate::case::{Case, failure};
use crate::plan::{What, exec, plan, step};

#[test]
fn steps_run_one_after_another() {
    let mut case = Case::new(&plan(vec![exec("a"), exec("b")]).outputs());
    assert_eq!(case.running(), ["a"]);
    assert_eq!(case.ok("a").running(), ["b"]);
    case.ok("b");
    assert_eq!(case.status(), "succeeded");
    assert_eq!(case.run().outputs.get("answer"), Some(&Value::Int(1)));
}

#[test]
fn needs_make_a_graph() {
    let steps = vec![exec("a"), exec("b").needs(&[]), exec("c").needs(&["a", "b"])];
    let mut case = Case::new(&plan(steps));
    assert_eq!(case.running(), ["a", "b"]);
    assert_eq!(case.ok("b").running(), ["a"]);
    assert_eq!(case.ok("a").running(), ["c"]);
    assert_eq!(case.ok("c").status(), "succeeded");
}

#[test]
fn a_skipped_step_does_not_hold_others_up() {
    let answers = vec![(("a", Question::When), vec![Ok(Value::Bool(false))])];
    let mut case = Case::with_answers(&plan(vec![exec("a").when(), exec("b").disabled(), exec("c").when()]), answers);
    assert_eq!(case.line(), "a skipped, b skipped, c running");
    assert_eq!(case.ok("c").status(), "succeeded");
}

#[test]
fn a_long_chain_of_skipped_steps_needs_no_stack() {
    let steps = (0..5_000).map(|no| exec(&format!("s{no}")).disabled()).collect();
    assert_eq!(Case::new(&plan(steps)).status(), "succeeded");
}

#[test]
fn a_condition_that_cannot_be_worked_out_fails_the_step() {
    let answers = vec![(("a", Question::When), vec![Err(failure("invalid"))])];
    let case = Case::with_answers(&plan(vec![exec("a").when(), exec("b")]), answers);
    assert_eq!(case.line(), "a failed, b skipped");
    assert_eq!(case.run().error.as_ref().map(|error| error.kind.as_str()), Some("invalid"));
}

#[test]
fn pure_steps_need_no_worker() {
    let case = Case::new(&plan(vec![step("x", What::Script), step("y", What::Set("v", 3)), exec("z")]));
    assert_eq!(case.line(), "x succeeded, y succeeded, z running");
    assert_eq!(case.run().vars(None).get("v"), Some(&Value::Int(3)));
    assert_eq!(case.run().steps[0].outputs.get("value"), Some(&Value::Int(42)));
}

#[test]
fn a_wait_ends_when_its_time_has_passed_and_not_before() {
    let mut case = Case::new(&plan(vec![step("w", What::Wait(5_000)), exec("a")]));
    assert_eq!(case.status(), "waiting");
    assert_eq!(case.pass(4_999).line(), "w waiting, a pending");
    assert_eq!(case.pass(1).line(), "w succeeded, a running");
}

#[test]
fn declared_outputs_are_added_to_the_result() {
    let mut case = Case::new(&plan(vec![exec("a").outputs()]));
    case.ok("a");
    let outputs = &case.run().steps[0].outputs;
    assert_eq!((outputs.get("exit_code"), outputs.get("declared")), (Some(&Value::Int(0)), Some(&Value::Int(1))));
}

#[test]
fn finish_ends_the_run_well_from_inside_a_block() {
    let inner = vec![step("stop", What::Finish), exec("never")];
    let steps = vec![exec("side"), crate::plan::block("b", inner).needs(&[]), exec("after")];
    let mut case = Case::new(&plan(steps).finally(vec![exec("tidy")]));
    assert_eq!(case.running(), ["side"], "what runs is asked to stop and waited for");
    case.fails("side");
    assert_eq!(case.running(), ["finally/tidy"]);
    case.ok("finally/tidy");
    assert_eq!(case.status(), "succeeded");
    assert_eq!(
        case.line(),
        "side cancelled, b succeeded, after skipped, b/stop succeeded, b/never skipped, finally/tidy succeeded"
    );
}
