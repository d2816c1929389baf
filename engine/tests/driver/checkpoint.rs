//! Checkpoints: what they hold is found again, and without them everything is.

use lockstep_engine::api::{Reply, Request, RunRow};
use lockstep_engine::core::run::StepStatus;
use lockstep_engine::driver::{Caller, Effect, Input};
use lockstep_engine::limits::{CHECKPOINT_MS, HEAVY_CHECKPOINT_MS};
use lockstep_engine::store::{Image, ShardLog};

use crate::case::{Case, Does};

const LONG: &str = "
runbook: long
steps:
  - id: a
    exec: [a]
  - id: pause
    wait: 1h
  - id: b
    exec: [b]
";

fn rows(case: &mut Case) -> Vec<RunRow> {
    match case.ask(Request::Runs { limit: 10, status: None, runbook: None }) {
        Reply::Runs(rows) => rows,
        other => panic!("no rows: {other:?}"),
    }
}

#[test]
fn an_open_run_goes_on_from_a_checkpoint() {
    let mut case = Case::of(LONG);
    case.start();
    case.pass(60_000);
    let checkpoint = case.disk.image().load();
    assert!(checkpoint.is_some(), "a checkpoint was made");
    case.crash();
    case.open();
    assert_eq!(case.disk.image().load(), checkpoint, "it was believed: else it would have been emptied");
    case.resume();
    case.settle();
    assert_eq!(case.story(), "a b: succeeded");
}

#[test]
fn without_its_image_everything_is_rebuilt_from_the_journal() {
    let mut case = Case::of(LONG);
    case.start();
    case.pass(60_000);
    case.crash();
    case.disk.lose_image();
    case.open();
    case.resume();
    case.settle();
    assert_eq!(case.story(), "a b: succeeded");
}

#[test]
fn an_image_that_the_journal_does_not_vouch_for_is_not_believed() {
    let mut case = Case::of(LONG);
    case.start();
    case.pass(60_000);
    let mut image = case.disk.image();
    let forged = (b"sum/forged".to_vec(), Some(b"nothing that can be decoded".to_vec()));
    image.checkpoint(lockstep_engine::id::Lsn(3), &mut std::iter::once(forged)).unwrap();
    case.crash();
    case.open();
    assert_eq!(rows(&mut case).len(), 1);
    case.resume();
    case.settle();
    assert_eq!(case.status(), "succeeded");
}

#[test]
fn a_run_that_ended_is_let_go_of_and_found_again() {
    let mut case = Case::of(LONG).step("b", [Does::Exits(1), Does::Prints("")]);
    case.start();
    case.settle();
    case.pass(10_000);
    let id = rows(&mut case)[0].id;
    assert!(case.driver().run(id).is_none(), "it is not in memory any more");
    let view = case.view();
    assert_eq!((view.status.as_str(), view.steps.len()), ("failed", 3));
    assert_eq!(rows(&mut case)[0].status, "failed");
    // What is asked of it takes it in again.
    case.retry();
    case.settle();
    assert_eq!(case.story(), "a b b: succeeded");
    case.pass(10_000);
    case.crash();
    case.open();
    assert_eq!(case.status(), "succeeded");
}

/// A run that had ended, was let go of and opened again behind the checkpoint; then its engine was killed.
fn opened_again_and_killed() -> Case {
    let mut case = Case::of(LONG).step("b", [Does::Exits(1), Does::Hangs]);
    case.start();
    case.settle();
    case.pass(10_000);
    case.retry();
    case.crash();
    case
}

#[test]
fn a_run_that_was_opened_again_after_a_checkpoint_is_found_after_a_crash() {
    let mut case = opened_again_and_killed();
    case.open();
    let row = &rows(&mut case)[0];
    assert_eq!((row.status.as_str(), row.interrupted), ("running", true));
}

#[test]
fn an_image_that_fails_at_any_question_of_an_opening_costs_nothing() {
    for questions in 0..12 {
        let mut case = opened_again_and_killed();
        case.disk.fail_image_after(questions);
        case.open();
        let row = &rows(&mut case)[0];
        assert_eq!((row.status.as_str(), row.interrupted), ("running", true), "after {questions} questions");
        case.resume();
        case.settle();
        assert_eq!(case.status_of("b"), StepStatus::InDoubt, "after {questions} questions");
    }
}

#[test]
fn a_run_that_ended_is_told_of_while_the_image_fails() {
    let mut case = Case::of(LONG);
    case.start();
    case.settle();
    case.pass(10_000);
    let id = rows(&mut case)[0].id;
    assert!(case.driver().run(id).is_none(), "it is not in memory any more");
    case.disk.fail_image(true);
    assert_eq!(case.status(), "succeeded");
    assert_eq!(rows(&mut case).len(), 1);
    let history = case.ask(Request::History { run: id.to_string() });
    assert!(matches!(history, Reply::History(rows) if !rows.is_empty()));
    case.disk.fail_image(false);
    case.pass(2 * CHECKPOINT_MS);
    assert!(case.disk.image().load().is_some(), "it was made anew");
    case.crash();
    case.open();
    assert_eq!(rows(&mut case).len(), 1);
}

#[test]
fn a_closed_store_needs_no_replay() {
    let mut case = Case::of(LONG);
    case.start();
    case.end_one();
    case.driver().close([]);
    let checkpoint = case.disk.image().load().expect("a checkpoint");
    let head = case.disk.log().head().last;
    assert_eq!(head.0, checkpoint.lsn.0 + 1, "only the record of the checkpoint lies behind it");
}

#[test]
fn closing_takes_the_last_reports_in_and_goes_on_from_none() {
    let mut case = Case::of(LONG.replace("wait: 1h", "exec: [pause]").as_str());
    case.start();
    let report = case.next_report();
    let turn = case.driver().close([report]);
    assert!(!turn.effects.iter().any(|effect| matches!(effect, Effect::Start { .. })), "{turn:?}");
    case.crash();
    case.open();
    assert_eq!(case.status_of("a"), StepStatus::Succeeded);
    case.resume();
    case.settle();
    assert_eq!(case.story(), "a pause b: succeeded");
}

#[test]
fn a_request_that_is_refused_because_its_run_has_just_ended_does_not_lose_that_end() {
    let mut case = Case::of("runbook: short\nsteps:\n  - { id: a, exec: [a] }\n");
    case.start();
    case.clock.advance(CHECKPOINT_MS);
    case.turn([]);
    assert!(case.disk.image().load().is_some(), "the image has the run as it runs");
    let report = case.next_report();
    let cancel = Request::Cancel { run: "last".to_owned(), by: "user:ana".to_owned(), undo: false };
    case.turn([report, Input::Request { caller: Caller(77), request: cancel }]);
    assert!(matches!(case.replies.last(), Some(Reply::Refused(_))), "there is nothing left to cancel");
    assert_eq!(case.status(), "succeeded");
    case.clock.advance(CHECKPOINT_MS);
    case.turn([]);
    assert_eq!(case.status(), "succeeded", "from the image");
    case.crash();
    case.open();
    assert_eq!(case.status(), "succeeded");
}

/// A run that takes much is written again once much was journaled, or a minute has passed; one that takes little is
/// written after five seconds.
#[test]
fn what_is_long_is_not_written_again_for_every_little_change() {
    let digits: Vec<_> = (0..20_000_u64).map(|n| format!("{:016x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect();
    let digits = digits.concat();
    let written = |text: &str, pauses: [u64; 2]| {
        let runbook = format!(
            "runbook: heavy\nsteps:\n  - set: {{ text: '{text}' }}\n  - {{ id: a, exec: [a] }}\n  - wait: 8s\n  \
             - {{ id: b, exec: [b] }}\n  - wait: 1h\n"
        );
        let mut case = Case::of(&runbook);
        case.start();
        case.end_one();
        case.turn([]);
        case.pass(CHECKPOINT_MS + 1_000);
        let first = case.disk.image().load().expect("a checkpoint").lsn;
        pauses.map(|pause| {
            case.pass(pause);
            case.disk.image().load().expect("a checkpoint").lsn > first
        })
    };
    assert_eq!(written("short", [10_000, HEAVY_CHECKPOINT_MS]), [true, true]);
    assert_eq!(written(&digits[..200_000], [10_000, HEAVY_CHECKPOINT_MS]), [false, true]);
}

/// A case with a checkpoint, of which the next one is told as many turns late as there are records before it. Another
/// run has begun since.
fn changed_behind_a_checkpoint() -> Case {
    let mut case = Case::of(LONG);
    case.start();
    case.pass(2 * CHECKPOINT_MS);
    assert!(case.disk.image().load().is_some());
    case.disk.slow_image(u64::MAX);
    case.send(Case::start_other("runbook: other\nsteps:\n  - wait: 1h\n", 2));
    case
}

/// A case whose checkpoint is on the disk and not known to be: the engine has gone on meanwhile, and the run is cancelled.
fn cancelled_while_a_checkpoint_is_written() -> Case {
    let mut case = changed_behind_a_checkpoint();
    let first = case.disk.image().load();
    while case.disk.image().load() == first {
        case.pass(1);
    }
    let begun = case.disk.image().load().expect("it is there").lsn;
    case.cancel();
    assert!(case.disk.durable() > begun, "the log goes on");
    case
}

#[test]
fn a_checkpoint_is_believed_whatever_was_journaled_while_it_was_written() {
    let mut case = cancelled_while_a_checkpoint_is_written();
    let written = case.disk.image().load();
    // Until it is known to be written, and before the next one is due.
    case.pass(CHECKPOINT_MS / 2);
    case.crash();
    case.open();
    assert_eq!(case.disk.image().load(), written, "it was believed: else it would have been emptied");
    assert_eq!(case.status(), "cancelled");
}

#[test]
fn a_checkpoint_is_not_believed_before_the_journal_says_so() {
    let mut case = cancelled_while_a_checkpoint_is_written();
    case.crash();
    case.open();
    assert_eq!(case.disk.image().load(), None);
    assert_eq!(case.status(), "cancelled");
}

#[test]
fn closing_waits_for_a_checkpoint_that_is_written() {
    let mut case = cancelled_while_a_checkpoint_is_written();
    case.driver().close([]);
    case.crash();
    case.open();
    assert!(case.disk.image().load().is_some());
    assert_eq!(case.status(), "cancelled");
}

#[test]
fn what_a_checkpoint_that_failed_held_is_in_the_next_one() {
    let mut case = changed_behind_a_checkpoint();
    case.disk.fail_image(true);
    case.pass(CHECKPOINT_MS + CHECKPOINT_MS / 2);
    case.disk.fail_image(false);
    case.pass(2 * CHECKPOINT_MS);
    let written = case.disk.image().load();
    assert!(written.is_some());
    case.crash();
    case.open();
    assert_eq!(case.disk.image().load(), written, "it was believed: else it would have been emptied");
    case.resume();
    case.settle();
    assert_eq!(case.story(), "a b: succeeded");
}
