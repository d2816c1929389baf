//! Keys that runs hold against each other, over a disk and through crashes.

use lockstep_engine::api::{Awaited, Reply, Request, RunView};
use lockstep_engine::id::RunId;
use lockstep_engine::store::memory::Fault;

use crate::call::case_beside;
use crate::case::{Case, Does, NOON};
use crate::crash::everywhere;

const HOLDER: &str = "
runbook: holder
steps: [{ id: a, lock: door, exec: [a], effect: idempotent }]
";

const WAITER: &str = "
runbook: waiter
steps: [{ id: b, lock: door, exec: [b], effect: idempotent }]
";

const QUEUED: &str = "
runbook: queued
concurrency: { key: one }
steps: [{ id: q, exec: [q], effect: idempotent }]
";

fn show(case: &mut Case, number: u32) -> RunView {
    match case.ask(Request::Show { run: RunId::new(NOON.0, number).to_string() }) {
        Reply::Run(view) => *view,
        other => panic!("a run is shown: {other:?}"),
    }
}

fn resume(case: &mut Case, number: u32) {
    let run = RunId::new(NOON.0, number).to_string();
    assert!(matches!(case.ask(Request::Resume { run, by: "user:ana".to_owned() }), Reply::Done));
}

/// The run that holds what the first step of another one waits for, and how many come first.
fn in_the_way(view: &RunView) -> Option<(RunId, Option<String>, bool, usize)> {
    let awaits = view.queue.as_deref().or_else(|| view.steps.first()?.awaits.as_deref())?;
    match &awaits.what {
        Awaited::Lock { holders, ahead, .. } => {
            let holder = holders.first()?;
            Some((holder.run, holder.step.clone(), holder.interrupted, *ahead))
        }
        _ => None,
    }
}

/// Whatever the next engine begins with: an image, the journal alone, or a base.
#[test]
fn who_holds_and_who_waits_is_known_to_the_next_engine() {
    let losses: [fn(&mut Case); 4] = [
        |_| {},
        |case| case.pass(10_000),
        |case| {
            case.pass(10_000);
            case.disk.lose_image();
        },
        |case| {
            case.pass(10_000);
            case.driver().close([]);
        },
    ];
    for lose in losses {
        let mut case = Case::of(HOLDER).step("a", [Does::Hangs]);
        case.start();
        case.ask(Case::start_other(WAITER, 8));
        assert_eq!(show(&mut case, 8).status, "waiting");
        lose(&mut case);
        case.crash();
        case.open();
        case.ask(Case::start_other(WAITER, 9));
        let holder = RunId::new(NOON.0, 7);
        let waiter = show(&mut case, 9);
        assert_eq!(in_the_way(&waiter), Some((holder, Some("a".to_owned()), true, 1)), "{waiter:#?}");
        assert!(case.path().iter().all(|step| *step == "a"), "{:?}", case.path());
        assert!(case.driver().is_idle(), "nobody carries who holds the key");
        case = case.step("a", [Does::Prints("")]);
        resume(&mut case, 7);
        case.settle();
        assert_eq!((case.status(), show(&mut case, 9).status), ("succeeded".to_owned(), "succeeded".to_owned()));
        assert_eq!(show(&mut case, 8).status, "waiting", "it is not carried, and is passed over");
        resume(&mut case, 8);
        case.settle();
        assert_eq!(show(&mut case, 8).status, "succeeded");
        assert!(case.driver().is_idle());
    }
}

#[test]
fn a_queue_of_runs_is_known_to_the_next_engine() {
    for passes in [0, 10_000] {
        let mut case = Case::of(QUEUED).step("q", [Does::Hangs]);
        case.start();
        case.ask(Case::start_other(QUEUED, 8));
        case.pass(passes);
        case.crash();
        case.open();
        let waiter = show(&mut case, 8);
        assert_eq!((waiter.status.as_str(), waiter.interrupted), ("queued", true));
        assert_eq!(in_the_way(&waiter), Some((RunId::new(NOON.0, 7), None, true, 0)));
        resume(&mut case, 8);
        assert_eq!(show(&mut case, 8).status, "queued");
        case = case.step("q", [Does::Prints("")]);
        resume(&mut case, 7);
        case.settle();
        assert_eq!((case.status(), show(&mut case, 8).status), ("succeeded".to_owned(), "succeeded".to_owned()));
    }
}

#[test]
fn a_crash_after_any_append_loses_no_key_and_nobody_who_waits() {
    let parent = "
runbook: parent
concurrency: { key: one }
steps:
  - id: both
    lock: door
    parallel:
      branches:
        x: [{ id: a, lock: door, exec: [a] }, { id: c, call: ./child.yaml }]
        y: [{ id: b, lock: other, exec: [b], retry: 2 }]
  - parallel:
      branches:
        x: [{ id: c, call: ./child.yaml }]
        y: [{ id: d, lock: 'do${{ \"or\" }}', exec: [d] }]
";
    let child = "
runbook: child
concurrency: { key: one, excess: fail }
steps: [{ id: e, lock: door, exec: [e] }, { wait: 1m }, { id: f, lock: { key: other }, exec: [f] }]
finally: [{ id: g, exec: [g] }]
";
    everywhere(|| case_beside(parent, &[("child.yaml", child)]).step("both/y/b", [Does::Exits(1), Does::Prints("")]));
}

#[test]
fn a_start_that_is_taken_back_holds_nobody_up() {
    let mut case = Case::of(HOLDER).step("a", [Does::Hangs]);
    case.disk.inject(Fault::NoSpace);
    let request = case.start_request();
    assert!(matches!(case.ask(request), Reply::Refused(_)));
    assert!(matches!(case.ask(Case::start_other(WAITER, 8)), Reply::Started { .. }));
    case.settle();
    assert_eq!(show(&mut case, 8).status, "succeeded", "what was not stored holds nothing");
    assert_eq!(case.path(), ["b"]);
}

#[test]
fn nobody_is_cancelled_for_a_run_that_is_taken_back() {
    let runbook = "
runbook: new
concurrency: { key: one, excess: cancel_oldest }
steps: [{ id: q, exec: [q] }]
";
    let mut case = Case::of(runbook).step("q", [Does::Hangs]);
    case.start();
    case.disk.inject(Fault::NoSpace);
    case.ask(Case::start_other(runbook, 8));
    // Whatever was answered: the two stand or fall together.
    case.pass(60_000);
    let (old, new) = (case.view(), show(&mut case, 8));
    assert_eq!((old.status.as_str(), new.status.as_str()), ("cancelled", "running"), "{old:#?}");
}

#[test]
fn a_waiting_run_is_packed_and_costs_no_turn() {
    let mut case = Case::of(HOLDER).step("a", [Does::Hangs]);
    case.start();
    for number in 8..40 {
        case.ask(Case::start_other(WAITER, number));
    }
    let appends = case.disk.appends();
    case.pass(2_000);
    assert_eq!(case.disk.appends(), appends, "nothing happens while nothing happens");
    case.cancel();
    case.settle();
    for number in 8..40 {
        assert_eq!(show(&mut case, number).status, "succeeded", "{number}");
    }
    let order: Vec<&str> = case.path();
    assert_eq!(order.len(), 33);
}

#[test]
fn an_oldest_run_that_nobody_carries_is_cancelled_too() {
    let runbook = "
runbook: new
concurrency: { key: one, excess: cancel_oldest }
steps: [{ id: q, exec: [q], effect: idempotent }]
finally: [{ id: tidy, exec: [tidy] }]
";
    let mut case = Case::of(runbook).step("q", [Does::Hangs]);
    case.start();
    case.crash();
    case.open();
    case = case.step("q", [Does::Prints("")]);
    case.ask(Case::start_other(runbook, 8));
    case.settle();
    assert_eq!((case.status(), show(&mut case, 8).status), ("cancelled".to_owned(), "succeeded".to_owned()));
    assert_eq!(case.path(), ["q", "finally/tidy", "q", "finally/tidy"]);
}
