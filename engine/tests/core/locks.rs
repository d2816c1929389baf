//! `lock`: keys that steps hold, within a run and against other runs.

use lockstep_dsl::graph::OnFail;
use lockstep_engine::core::run::{Opening, Resolution};

use crate::case::{failure, unknown};
use crate::plan::{Plan, What, block, exec, foreach, parallel, plan, step};
use crate::shard::Shard;

fn one(key: &'static str) -> Plan {
    plan(vec![exec("a").lock(key), exec("b")])
}

#[test]
fn a_key_is_held_from_the_beginning_of_a_step_to_its_end() {
    let mut shard = Shard::new();
    let (first, second) = (shard.start(&one("k")), shard.start(&one("k")));
    assert_eq!((shard.holders(), shard.waiting()), (vec!["0 a k".to_owned()], vec!["1 a k".to_owned()]));
    assert_eq!((shard.status(first), shard.status(second)), ("running", "waiting"));
    shard.ok(first, "a");
    assert_eq!(shard.running(), [(0, "b".to_owned()), (1, "a".to_owned())], "it is free when the step ends");
    shard.ok(second, "a").ok(first, "b").ok(second, "b");
    assert_eq!((shard.status(first), shard.status(second)), ("succeeded", "succeeded"));
    assert!(shard.holders().is_empty());
}

#[test]
fn other_keys_do_not_matter() {
    let mut shard = Shard::new();
    shard.start(&one("k"));
    shard.start(&one("l"));
    assert_eq!(shard.running().len(), 2);
}

#[test]
fn who_came_first_is_served_first() {
    let mut shard = Shard::new();
    let runs: Vec<usize> = (0..5).map(|_| shard.start(&one("k"))).collect();
    for run in runs {
        assert_eq!(shard.holders(), [format!("{run} a k")]);
        shard.ok(run, "a");
    }
    assert!(shard.holders().is_empty());
}

#[test]
fn it_is_free_however_the_step_ends() {
    let ends: [fn(&mut Shard); 5] = [
        |shard| _ = shard.fails(0, "a"),
        |shard| _ = shard.cancel(0).report(0, "a", crate::case::failed()),
        |shard| _ = shard.pass(100).report(0, "a", crate::case::failed()),
        |shard| {
            shard.report(0, "a", unknown());
            shard.resolve(0, "a", Resolution::Failed).expect("it is in doubt");
        },
        |shard| {
            shard.report(0, "a", unknown());
            shard.skip(0, "a").expect("what is in doubt can be skipped");
        },
    ];
    for end in ends {
        let mut shard = Shard::new();
        shard.start(&plan(vec![exec("a").lock("k").timeout(100)]));
        let second = shard.start(&one("k"));
        end(&mut shard);
        assert_eq!(shard.holders(), ["1 a k"]);
        shard.ok(second, "a");
    }
}

#[test]
fn it_is_held_through_retries_and_doubt() {
    let mut shard = Shard::new();
    shard.start(&plan(vec![exec("a").lock("k").retry(2)]));
    shard.start(&one("k"));
    shard.fails(0, "a");
    assert_eq!(shard.holders(), ["0 a k"], "between two tries");
    shard.pass(1_000).report(0, "a", unknown());
    assert_eq!((shard.holders(), shard.waiting()), (vec!["0 a k".to_owned()], vec!["1 a k".to_owned()]));
    shard.pass(10_000_000);
    assert_eq!(shard.holders(), ["0 a k"], "as long as nobody knows");
    shard.resolve(0, "a", Resolution::Done { outputs: std::collections::BTreeMap::default() }).expect("it is in doubt");
    assert_eq!(shard.holders(), ["1 a k"]);
}

#[test]
fn it_is_held_until_handlers_and_its_own_last_steps_have_ended() {
    let mut shard = Shard::new();
    shard.start(&plan(vec![exec("a").lock("k").catch(vec![exec("mend")]).finally(vec![exec("tidy")])]));
    shard.start(&one("k"));
    shard.fails(0, "a").ok(0, "a/catch/mend");
    assert_eq!(shard.holders(), ["0 a k"]);
    shard.ok(0, "a/finally/tidy");
    assert_eq!(shard.holders(), ["1 a k"]);
}

#[test]
fn steps_inside_pass_and_siblings_wait() {
    let branches = vec![("x", vec![exec("a").lock("k")]), ("y", vec![exec("b").lock("k")])];
    let mut shard = Shard::new();
    shard.start(&plan(vec![parallel("p", OnFail::Late, branches.clone())]));
    assert_eq!((shard.holders(), shard.waiting()), (vec!["0 p/x/a k".into()], vec!["0 p/y/b k".into()]));
    shard.ok(0, "p/x/a").ok(0, "p/y/b");
    assert_eq!(shard.status(0), "succeeded");
    shard.start(&plan(vec![parallel("p", OnFail::Late, branches).lock("k")]));
    assert_eq!(shard.running().len(), 2, "what stands around them has it");
    let third = shard.start(&one("k"));
    shard.ok(1, "p/x/a");
    assert_eq!((shard.holders(), shard.status(third)), (vec!["1 p k".to_owned()], "waiting"));
    shard.ok(1, "p/y/b");
    assert_eq!(shard.holders(), ["2 a k"]);
}

#[test]
fn items_of_a_loop_take_turns() {
    let mut shard = Shard::new();
    shard.start(&plan(vec![foreach("e", 3, 0, OnFail::Stop, vec![exec("a").lock("k")])]));
    for item in 0..3 {
        assert_eq!(shard.running(), [(0, format!("e[{item}]/a"))]);
        shard.ok(0, &format!("e[{item}]/a"));
    }
    assert_eq!(shard.status(0), "succeeded");
}

#[test]
fn as_many_hold_it_as_the_smallest_limit_says() {
    let of = |limit| plan(vec![exec("a").lock_of("k", limit)]);
    let mut shard = Shard::new();
    shard.start(&of(2));
    shard.start(&of(3));
    shard.start(&of(3));
    assert_eq!(shard.holders(), ["0 a k", "1 a k"], "who holds it was promised that there are two at most");
    shard.start(&of(1));
    shard.ok(0, "a");
    assert_eq!(shard.holders(), ["1 a k", "2 a k"], "those that are left say three, and nobody overtakes");
    shard.start(&of(3));
    shard.ok(1, "a");
    assert_eq!(shard.holders(), ["2 a k"], "the next one wants to be alone");
    shard.ok(2, "a");
    assert_eq!(shard.holders(), ["3 a k"]);
    shard.ok(3, "a");
    assert_eq!(shard.holders(), ["4 a k"]);
}

#[test]
fn who_waits_can_be_cancelled_skipped_and_run_out_of_time() {
    let mut shard = Shard::new();
    shard.start(&one("k"));
    let cancelled = shard.start(&one("k"));
    let skipped = shard.start(&one("k"));
    let late = shard.start(&plan(vec![exec("a").lock("k").total(50)]));
    let next = shard.start(&one("k"));
    shard.cancel(cancelled);
    assert_eq!((shard.status(cancelled), shard.line(cancelled)), ("cancelled", "a skipped, b skipped".to_owned()));
    shard.skip(skipped, "a").expect("what waits can be skipped");
    assert_eq!(shard.line(skipped), "a skipped, b running");
    shard.pass(60);
    assert_eq!(shard.status(late), "failed");
    assert!(shard.error(late).starts_with("timeout: "), "{}", shard.error(late));
    assert_eq!(shard.waiting(), [format!("{next} a k")]);
    shard.ok(0, "a");
    assert_eq!(shard.holders(), [format!("{next} a k")]);
}

#[test]
fn a_paused_run_keeps_its_place_and_is_passed_over() {
    let mut shard = Shard::new();
    for _ in 0..3 {
        shard.start(&one("k"));
    }
    shard.pause(1).ok(0, "a");
    assert_eq!(shard.holders(), ["2 a k"], "who could not go on holds nobody up");
    shard.start(&one("k"));
    shard.unpause(1);
    assert_eq!(shard.waiting(), ["1 a k", "3 a k"]);
    shard.ok(2, "a");
    assert_eq!(shard.holders(), ["1 a k"], "it has kept its place");
    shard.pause(1);
    assert_eq!(shard.holders(), ["1 a k"], "a pause takes nothing away");
}

#[test]
fn a_key_that_cannot_be_worked_out_fails_the_step() {
    let mut shard = Shard::new();
    shard.key = Err(failure("invalid"));
    shard.start(&plan(vec![exec("a").lock("?").retry(3)]));
    assert_eq!((shard.status(0), shard.error(0)), ("failed", "invalid: it invalid".to_owned()));
    shard.key = Ok("k".into());
    shard.retry(0).expect("it failed");
    assert_eq!(shard.holders(), ["0 a k"]);
}

#[test]
fn two_that_would_wait_for_each_other_for_ever_do_not() {
    let both = |outer, inner| plan(vec![block("o", vec![exec("w"), exec("a").lock(inner)]).lock(outer)]);
    let mut shard = Shard::new();
    shard.start(&both("k", "l"));
    shard.start(&both("l", "k"));
    shard.ok(0, "o/w");
    assert_eq!(shard.waiting(), ["0 o/a l"]);
    shard.ok(1, "o/w");
    assert_eq!(shard.status(1), "failed", "the last one to wait gives way");
    let error = shard.error(1);
    assert!(error.contains("waiting for lock `k` would never end") && error.contains("in step `o`"), "{error}");
    assert!(error.contains(&format!("run {}", shard.id(0))) && error.contains("waits for `l`"), "{error}");
    assert_eq!(shard.holders(), ["0 o k", "0 o/a l"]);
}

#[test]
fn a_knot_within_one_run_is_seen_too() {
    let branch = |outer, inner| vec![block("o", vec![exec("w"), exec("a").lock(inner)]).lock(outer)];
    let branches = vec![("x", branch("k", "l")), ("y", branch("l", "k"))];
    let mut shard = Shard::new();
    shard.start(&plan(vec![parallel("p", OnFail::Late, branches)]));
    shard.ok(0, "p/x/o/w").ok(0, "p/y/o/w");
    assert!(shard.line(0).contains("p/y/o/a failed"), "{}", shard.line(0));
    shard.ok(0, "p/x/o/a");
    assert_eq!(shard.status(0), "failed");
}

#[test]
fn a_knot_with_a_way_out_is_none() {
    let both = |outer, inner| plan(vec![block("o", vec![exec("w"), exec("a").lock_of(inner, 2)]).lock_of(outer, 2)]);
    let mut shard = Shard::new();
    shard.start(&both("k", "l"));
    shard.start(&both("l", "k"));
    shard.start(&plan(vec![exec("x").lock_of("k", 2)]));
    shard.start(&plan(vec![exec("y").lock_of("l", 2)]));
    shard.ok(0, "o/w").ok(1, "o/w");
    assert_eq!(shard.waiting(), ["0 o/a l", "1 o/a k"], "`x` and `y` will end");
    shard.ok(2, "x").ok(1, "o/a").ok(3, "y").ok(0, "o/a");
    assert_eq!((shard.status(0), shard.status(1)), ("succeeded", "succeeded"));
}

#[test]
fn a_retry_of_the_run_takes_the_key_anew() {
    let mut shard = Shard::new();
    shard.start(&plan(vec![block("o", vec![exec("a"), exec("b")]).lock("k").finally(vec![exec("tidy")])]));
    shard.ok(0, "o/a").fails(0, "o/b").ok(0, "o/finally/tidy");
    assert_eq!((shard.status(0), shard.holders()), ("failed", Vec::<String>::new()));
    shard.start(&one("k"));
    shard.retry(0).expect("it failed");
    assert_eq!((shard.waiting(), shard.running()), (vec!["0 o k".to_owned()], vec![(1, "a".to_owned())]));
    shard.ok(1, "a");
    assert_eq!(shard.running()[0], (0, "o/b".to_owned()), "it goes on where it was");
    shard.ok(0, "o/b").ok(0, "o/finally/tidy~2");
    assert_eq!((shard.status(0), shard.holders()), ("succeeded", Vec::<String>::new()));
}

#[test]
fn a_retried_block_that_does_not_get_its_key_runs_nothing_twice() {
    let mut shard = Shard::new();
    shard.start(&plan(vec![block("o", vec![exec("a"), exec("b")]).lock("k")]));
    shard.ok(0, "o/a").fails(0, "o/b");
    shard.start(&one("k"));
    shard.retry(0).expect("it failed");
    shard.cancel(0);
    assert_eq!((shard.status(0), shard.line(0)), ("cancelled", "o cancelled, o/a succeeded, o/b failed".to_owned()));
    shard.retry(0).expect("it was cancelled");
    shard.ok(1, "a");
    assert_eq!(shard.line(0), "o running, o/a succeeded, o/b running");
}

#[test]
fn what_a_former_engine_left_holds_what_it_held() {
    let mut shard = Shard::new();
    for _ in 0..3 {
        shard.start(&one("k"));
    }
    let mut left = shard.crash();
    let fourth = shard.start(&one("k"));
    assert_eq!(shard.run(fourth).status_name(), "waiting", "nobody carries the holder, and it holds the key");
    shard.take_up(left.remove(0));
    shard.ok(0, "a");
    assert_eq!(shard.run(fourth).status_name(), "running", "those that nobody carries are passed over");
    shard.take_up(left.remove(0));
    shard.take_up(left.remove(0));
    shard.ok(fourth, "a");
    assert_eq!(shard.holders(), ["1 a k"], "who is taken up has kept its place");
}

#[test]
fn a_block_waits_before_anything_in_it_begins() {
    let mut shard = Shard::new();
    shard.start(&one("k"));
    let second = shard.start(&plan(vec![block("o", vec![exec("a")]).lock("k").timeout(50)]));
    shard.pass(100);
    assert_eq!(shard.line(second), "o waiting", "its time begins when it has the key");
    shard.ok(0, "a");
    assert_eq!(shard.line(second), "o running, o/a running");
    shard.pass(49);
    assert_eq!(shard.running().len(), 2);
}

#[test]
fn steps_that_only_compute_hold_keys_too() {
    let mut shard = Shard::new();
    shard.start(&plan(vec![step("w", What::Wait(100)).lock("k"), exec("b")]));
    let second = shard.start(&plan(vec![step("s", What::Script).lock("k")]));
    assert_eq!(shard.status(second), "waiting");
    shard.pass(100);
    assert_eq!(shard.status(second), "succeeded");
}

#[test]
fn a_run_that_begins_step_by_step_holds_its_keys_in_between() {
    let mut shard = Shard::new();
    let opening = Opening { stepwise: true, ..Opening::default() };
    shard.start_with(&one("k"), opening);
    shard.start(&one("k"));
    assert_eq!(shard.holders(), ["1 a k"], "what has not begun holds nothing");
}
