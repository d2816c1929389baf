//! Seeds hold every invariant, and together they reach whatever there is to reach.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::time::Instant;

use lockstep_engine::sim::campaign::{Campaign, judge, tell};
use lockstep_engine::sim::coverage::Coverage;
use lockstep_engine::sim::report::{Played, line};
use lockstep_engine::sim::runbook::text::text;
use lockstep_engine::sim::scenario::{Edition, Scenario};
use lockstep_engine::sim::world::graph;

fn number(variable: &str, otherwise: u64) -> u64 {
    let given = std::env::var(variable).ok();
    given.map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{variable}={text} is no number")))
}

/// The seeds to be played, and whether they are the fixed ones.
fn seeds() -> (u64, u64) {
    (number("LOCKSTEP_SEED", 1), number("LOCKSTEP_ROUNDS", 1_000))
}

#[test]
fn every_seed_holds_every_invariant_and_all_is_reached() {
    let (from, count) = seeds();
    let began = Instant::now();
    let mut campaign = Campaign::default();
    for seed in from..from + count {
        if !campaign.play(seed) {
            break;
        }
    }
    report(from, &campaign, began);
    if let Some((seed, violations)) = campaign.failed.first() {
        panic!(
            "seed {seed}: {}\n{}\nagain: LOCKSTEP_SEED={seed} LOCKSTEP_ROUNDS=1",
            violations[0],
            tell(Scenario::of(*seed), true)
        );
    }
    if from == 1 && count >= 1_000 {
        let missing = campaign.coverage.missing();
        assert_eq!(missing, [""; 0], "no seed reaches it: teach the grammar or the world to");
    }
}

/// Seeds of long forms in which something did not hold once.
#[test]
fn what_long_forms_have_found_holds() {
    use Edition::{First, Second};
    let found = [
        (
            First,
            21_450_677_847_407,
            "a loop that had stopped its items for a failure handled it after a cancel of the run",
        ),
        (First, 21_450_677_888_936, "a second limit of time ended a loop while its `finally` ran"),
        (
            First,
            21_450_677_806_029,
            "nothing was known of a run that had ended between a checkpoint that failed and the next",
        ),
        (First, 21_450_677_854_858, "the same, of a run that had been open at the last checkpoint"),
        (Second, 77_000_031_622, "a loop of which a former try was undone began anew when its run was retried"),
        (Second, 88_000_077_602, "a step went on inside a handler of a failure that stood no more, for ever"),
    ];
    for (edition, seed, what) in found {
        let violations = judge(&Scenario::of_edition(seed, edition)).violations;
        assert_eq!(violations, [], "seed {seed}: {what}");
    }
}

/// Appends a line for the report of all suites, where one is asked for.
fn report(from: u64, campaign: &Campaign, began: Instant) {
    let Some(path) = std::env::var_os("LOCKSTEP_REPORT") else { return };
    let rounds = campaign.seeds;
    let command = format!(
        "LOCKSTEP_SEED={from} LOCKSTEP_ROUNDS={rounds} cargo test --workspace --all-features --locked --test sim seeds::every_seed"
    );
    let line = line(campaign, Played { from, command: &command, seconds: began.elapsed().as_secs() });
    let mut file = OpenOptions::new().append(true).create(true).open(path).expect("the report can be written");
    file.write_all(line.as_bytes()).expect("the report can be written");
}

#[test]
fn the_same_seed_is_the_same_story() {
    for seed in 1..=60 {
        let scenario = Scenario::of(seed);
        let (first, again) = (judge(&scenario), judge(&scenario));
        assert_eq!((first.trace, first.coverage), (again.trace, again.coverage), "seed {seed}");
    }
    let traces: std::collections::BTreeSet<u64> = (1..=60).map(|seed| judge(&Scenario::of(seed)).trace).collect();
    assert_eq!(traces.len(), 60, "and another seed is another");
}

#[test]
fn every_random_runbook_compiles() {
    for seed in 5_000..5_300 {
        for runbook in Scenario::of(seed).runs {
            if let Err(refused) = graph(&runbook) {
                panic!("seed {seed}: {refused}\n{}", text(&runbook));
            }
        }
    }
}

#[test]
fn what_was_not_reached_is_named() {
    let missing = Coverage::default().missing();
    for name in ["trouble `host down`", "effect `recover`", "change `doubted`", "a step from running to in_doubt"] {
        assert!(missing.iter().any(|missing| missing == name), "{name} is missing in {missing:?}");
    }
}
