//! A store that is closed with no run open: what it held is neither read at opening nor lost.

use lockstep_engine::api::{Reply, Request, RunRow};
use lockstep_engine::core::run::Record;
use lockstep_engine::encode::decode;
use lockstep_engine::id::Lsn;
use lockstep_engine::store::{Frames, Image, Order};

use crate::case::{Case, Does};

const SHORT: &str = "
runbook: short
steps:
  - id: a
    exec: [a]
";

fn rows(case: &mut Case) -> Vec<RunRow> {
    match case.ask(Request::Runs { limit: 10, status: None, runbook: None }) {
        Reply::Runs(rows) => rows,
        other => panic!("no rows: {other:?}"),
    }
}

fn close(case: &mut Case) {
    case.driver().close([]);
    case.crash();
}

/// The last record in the journal.
fn last_record(case: &Case) -> Record {
    let mut last = None;
    case.disk
        .log()
        .read(Lsn(1), &mut |frame| {
            last = frame.records.last().cloned();
            true
        })
        .expect("a journal");
    decode(&last.expect("a record")).expect("one that is known")
}

/// A case of one run that has ended, closed.
fn rested(ends: Does) -> Case {
    let mut case = Case::of(SHORT).step("a", [ends, Does::Prints("")]);
    case.start();
    case.settle();
    close(&mut case);
    case
}

#[test]
fn a_run_that_was_not_checkpointed_is_found_again() {
    let mut case = rested(Does::Prints(""));
    assert!(matches!(last_record(&case), Record::Rested { newest: Some(_), .. }));
    assert!(case.disk.image().load().is_none(), "no checkpoint was needed");
    case.open();
    assert_eq!(case.status(), "succeeded");
    assert_eq!(rows(&mut case).len(), 1);
    close(&mut case);
    // And once more, with nothing done in between.
    case.open();
    close(&mut case);
    case.open();
    assert_eq!(rows(&mut case)[0].status, "succeeded");
}

#[test]
fn runs_of_before_and_after_are_listed_and_checkpointed_together() {
    let mut case = rested(Does::Prints(""));
    case.open();
    let other = Case::start_other(SHORT, 9);
    assert!(matches!(case.ask(other), Reply::Started { .. }));
    case.pass(60_000);
    assert!(case.disk.image().load().is_some(), "the usual checkpoint of a store in use");
    let mut summaries = 0;
    let mut count = |_: &[u8], _: &[u8]| {
        summaries += 1;
        true
    };
    case.disk.image().scan(b"sum/", Order::Up, &mut count).expect("an image");
    assert_eq!(summaries, 2, "what was unread is in it");
    case.crash();
    case.open();
    assert_eq!(rows(&mut case).len(), 2);
}

#[test]
fn the_same_start_is_not_done_twice() {
    let mut case = rested(Does::Prints(""));
    case.open();
    let again = case.start_request();
    assert!(matches!(case.ask(again), Reply::Started { .. }), "it is said again");
    case.settle();
    assert_eq!(case.story(), "a: succeeded");
}

#[test]
fn a_run_of_before_can_be_tried_again() {
    let mut case = rested(Does::Exits(1));
    case.open();
    assert!(matches!(case.retry(), Reply::Done));
    case.settle();
    assert_eq!(case.story(), "a a: succeeded");
    close(&mut case);
    case.open();
    assert_eq!(case.status(), "succeeded");
}

#[test]
fn a_crash_after_a_rest_loses_nothing() {
    let mut case = rested(Does::Prints(""));
    case.open();
    let other = Case::start_other(SHORT, 9);
    case.ask(other);
    case.crash();
    case.open();
    let rows = rows(&mut case);
    assert_eq!(rows.iter().map(|row| row.interrupted).collect::<Vec<_>>(), [true, false], "{rows:?}");
}

#[test]
fn an_open_run_is_checkpointed_at_closing() {
    let mut case = Case::of(SHORT).step("a", [Does::Hangs]);
    case.start();
    close(&mut case);
    assert!(case.disk.image().load().is_some());
    assert!(!matches!(last_record(&case), Record::Rested { .. }));
    case.open();
    assert!(rows(&mut case)[0].interrupted);
}

#[test]
fn what_lies_behind_a_checkpoint_is_bounded() {
    let mut case = Case::of(SHORT);
    let mut closed = 0;
    while case.disk.image().load().is_none() {
        closed += 1;
        assert!(closed < 5_000, "a checkpoint comes sooner or later");
        let Request::Start(mut start) = Case::start_other(SHORT, closed) else { panic!("a start") };
        // Much to journal.
        start.by = "user:".repeat(10_000);
        case.ask(Request::Start(start));
        case.settle();
        close(&mut case);
        case.open();
    }
    assert!(closed > 5, "one was made after {closed} runs");
    assert_eq!(rows(&mut case).len(), usize::try_from(closed).unwrap().min(10));
}
