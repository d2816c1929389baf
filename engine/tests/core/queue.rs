//! `concurrency`: how many runs with one key go on at a time, and what becomes of one more.

use lockstep_dsl::graph::Excess;
use lockstep_engine::core::run::{Opening, Resolution};

use crate::case::unknown;
use crate::plan::{Plan, block, exec, plan};
use crate::shard::Shard;

fn of(limit: u32, excess: Excess) -> Plan {
    plan(vec![exec("a"), exec("b")]).concurrency(limit, excess)
}

#[test]
fn a_run_too_many_waits_for_its_turn() {
    let mut shard = Shard::new();
    for _ in 0..4 {
        shard.start(&of(2, Excess::Queue));
    }
    let statuses = |shard: &Shard| (0..4).map(|run| shard.status(run)).collect::<Vec<_>>();
    assert_eq!(statuses(&shard), ["running", "running", "queued", "queued"]);
    assert_eq!(shard.line(2), "", "nothing of it has begun");
    shard.ok(1, "a").ok(1, "b");
    assert_eq!(statuses(&shard), ["running", "succeeded", "running", "queued"]);
    shard.fails(0, "a");
    assert_eq!(statuses(&shard), ["failed", "succeeded", "running", "running"]);
}

#[test]
fn its_time_counts_from_when_it_runs() {
    let mut shard = Shard::new();
    let plan = of(1, Excess::Queue).timeout(100);
    shard.start(&of(1, Excess::Queue));
    shard.start(&plan);
    shard.pass(1_000).ok(0, "a").ok(0, "b").pass(50);
    assert_eq!(shard.status(1), "running");
    shard.pass(60);
    assert!(shard.line(1).starts_with("a running"), "it is asked to stop");
    assert!(shard.run(1).running().count() == 1);
}

#[test]
fn it_is_held_until_the_last_step_and_through_doubt() {
    let mut shard = Shard::new();
    shard.start(&of(1, Excess::Queue).finally(vec![exec("tidy")]));
    shard.start(&of(1, Excess::Queue));
    shard.report(0, "a", unknown());
    assert_eq!(shard.status(1), "queued");
    shard.resolve(0, "a", Resolution::Failed).expect("it is in doubt");
    assert_eq!((shard.status(1), shard.running()), ("queued", vec![(0, "finally/tidy".to_owned())]));
    shard.ok(0, "finally/tidy");
    assert_eq!(shard.status(1), "running");
}

#[test]
fn one_too_many_can_be_unwanted() {
    let mut shard = Shard::new();
    shard.start(&of(1, Excess::Skip).finally(vec![exec("tidy")]));
    shard.start(&of(1, Excess::Skip).finally(vec![exec("tidy")]));
    assert_eq!((shard.status(1), shard.line(1)), ("cancelled", String::new()), "not even its last steps run");
    let error = shard.error(1);
    assert!(error.starts_with("cancelled: skipped: run ") && error.contains(&shard.id(0).to_string()), "{error}");
    shard.ok(0, "a").ok(0, "b").ok(0, "finally/tidy");
    shard.retry(1).expect("it was cancelled");
    assert_eq!(shard.line(1), "a running, b pending");
}

#[test]
fn one_too_many_can_be_a_failure() {
    let mut shard = Shard::new();
    shard.start(&of(1, Excess::Fail).on_failure(vec![exec("page")]));
    shard.start(&of(1, Excess::Fail).on_failure(vec![exec("page")]));
    assert_eq!((shard.status(1), shard.line(1)), ("failed", String::new()));
    assert!(shard.error(1).starts_with("limit: run "), "{}", shard.error(1));
    assert_eq!(shard.status(0), "running");
}

#[test]
fn the_oldest_can_have_to_give_way() {
    let mut shard = Shard::new();
    let plan = of(1, Excess::CancelOldest).finally(vec![exec("tidy")]);
    for _ in 0..3 {
        shard.start(&plan);
    }
    assert_eq!((shard.status(0), shard.status(1), shard.status(2)), ("running", "cancelled", "queued"));
    assert!(shard.error(1).contains(&format!("run:{}", shard.id(2))), "{}", shard.error(1));
    shard.report(0, "a", crate::case::failed()).ok(0, "finally/tidy");
    assert_eq!((shard.status(0), shard.status(2)), ("cancelled", "running"), "it begins when the other has ended");
    assert_eq!(shard.run(0).cancel, Some((format!("run:{}", shard.id(1)), 1)), "it is cancelled once");
}

#[test]
fn who_waits_for_its_turn_can_be_cancelled_and_paused() {
    let mut shard = Shard::new();
    for _ in 0..4 {
        shard.start(&of(1, Excess::Queue));
    }
    shard.cancel(1).pause(2);
    assert_eq!((shard.status(1), shard.status(2)), ("cancelled", "queued"));
    shard.cancel(0).fails(0, "a");
    assert_eq!((shard.status(2), shard.status(3)), ("queued", "running"), "who is paused is passed over");
    shard.ok(3, "a").ok(3, "b").unpause(2);
    assert_eq!(shard.line(2), "a running, b pending");
}

#[test]
fn how_it_begins_is_kept_while_it_waits() {
    let mut shard = Shard::new();
    let plan = of(1, Excess::Queue);
    shard.start(&plan);
    let opening = Opening::of(&plan.graph(), &["a".to_owned()], None, false).expect("there is such a step");
    let second = shard.start_with(&plan, opening);
    shard.cancel(0).fails(0, "a");
    assert_eq!(shard.line(second), "a skipped, b running");
}

#[test]
fn a_retry_of_the_run_waits_for_its_turn() {
    let mut shard = Shard::new();
    let plan = of(1, Excess::Queue).timeout(500);
    shard.start(&plan);
    shard.ok(0, "a").fails(0, "b");
    shard.start(&plan);
    shard.retry(0).expect("it failed");
    assert_eq!((shard.status(0), shard.line(0)), ("queued", "a succeeded, b failed".to_owned()));
    shard.cancel(0);
    assert_eq!((shard.status(0), shard.line(0)), ("cancelled", "a succeeded, b failed".to_owned()));
    shard.retry(0).expect("it was cancelled");
    shard.cancel(1).fails(1, "a");
    assert_eq!((shard.status(0), shard.line(0)), ("running", "a succeeded, b running".to_owned()));
    shard.pass(499).ok(0, "b");
    assert_eq!((shard.status(0), shard.holders()), ("succeeded", Vec::<String>::new()));
}

#[test]
fn keys_of_runs_and_of_steps_never_meet() {
    let mut shard = Shard::new();
    shard.start(&of(1, Excess::Queue));
    shard.start(&plan(vec![exec("x").lock("a key")]));
    assert_eq!(shard.holders(), ["0 itself a key", "1 x a key"]);
    shard.ok(1, "x").ok(0, "a").ok(0, "b");
    shard.start(&plan(vec![block("o", vec![exec("x")]).lock("a key")]).concurrency(1, Excess::Fail));
    assert_eq!(shard.line(2), "o running, o/x running");
}

#[test]
fn what_a_former_engine_left_keeps_its_turn() {
    let mut shard = Shard::new();
    for _ in 0..3 {
        shard.start(&of(1, Excess::Queue));
    }
    let mut left = shard.crash();
    let fourth = shard.start(&of(1, Excess::Queue));
    assert_eq!(shard.status(fourth), "queued");
    shard.take_up(left.remove(0));
    shard.take_up(left.remove(0));
    shard.ok(0, "a").ok(0, "b");
    assert_eq!((shard.status(1), shard.status(fourth)), ("running", "queued"));
    shard.take_up(left.remove(0));
    shard.ok(1, "a").ok(1, "b");
    assert_eq!((shard.status(2), shard.status(fourth)), ("running", "queued"));
}
