//! A bug of ours that shows in one run stops that run, loudly, and no other.

use lockstep_dsl::graph::{ExprId, NodeId};
use lockstep_engine::api::{Reply, Request};

use crate::case::Case;

const TWO: &str = "
runbook: two
steps:
  - id: a
    exec: [a]
  - id: b
    exec: [b]
";

/// A case whose second step cannot be asked about: its `when` is an expression that is not there.
fn broken() -> Case {
    Case::of_broken(TWO, |graph| graph.nodes[1].when = Some(ExprId(99)))
}

#[test]
fn the_run_stands_still_and_says_why_and_others_go_on() {
    let mut case = broken();
    case.start();
    let other = case.ask(Case::start_other("runbook: other\nsteps: [{ id: c, exec: [c] }]\n", 8));
    let Reply::Started { run: other } = other else { panic!("{other:?}") };
    case.settle();
    let view = case.view();
    assert_eq!(view.status, "waiting");
    let error = view.error.expect("it says why");
    assert_eq!(error.kind, "quarantined");
    assert!(error.message.contains("a bug of lockstep"), "{}", error.message);
    match case.ask(Request::Show { run: other.to_string() }) {
        Reply::Run(view) => assert_eq!(view.status, "succeeded"),
        reply => panic!("{reply:?}"),
    }
}

#[test]
fn it_stays_so_over_a_restart_and_can_be_cancelled() {
    let mut case = broken();
    case.start();
    case.settle();
    case.crash();
    case.open();
    case.resume();
    assert!(case.view().error.is_some_and(|error| error.kind == "quarantined"));
    assert!(matches!(case.retry(), Reply::Refused(_)));
    assert!(matches!(case.cancel(), Reply::Done));
    case.settle();
    assert!(case.view().ended.is_some());
    assert_eq!(case.path(), ["a"]);
}

#[test]
fn a_definition_that_cannot_even_be_taken_in_leaves_nothing_behind() {
    let mut case = Case::of_broken(TWO, |graph| graph.nodes[1].needs = vec![NodeId(99)]);
    let start = case.start_request();
    assert!(matches!(case.ask(start), Reply::Refused(_)));
    assert_eq!(case.disk.appends(), 0);
    assert!(case.driver().is_idle());
}
