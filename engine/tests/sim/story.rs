//! A failing seed is made small and told.

use lockstep_engine::sim::campaign::{judge, tell};
use lockstep_engine::sim::scenario::{Ask, Scenario};
use lockstep_engine::sim::shrink::shrink_while;

#[test]
fn a_story_names_what_was_written_asked_and_journaled() {
    // One in which anything begins.
    let story = (1..50).map(|seed| tell(Scenario::of(seed), false)).find(|story| story.contains("world: "));
    let story = story.expect("a seed in which an attempt begins");
    for part in ["runbook: random-0", "orders: Start run 0", "what happened:", "journal 1: def"] {
        assert!(story.contains(part), "`{part}` is not in\n{story}");
    }
}

#[test]
fn what_a_scenario_also_fails_without_is_left_out() {
    // As if it were wrong that a run is ever cancelled: all else is left out.
    let cancels = |scenario: &Scenario| judge(scenario).coverage.changes.contains_key("cancel requested");
    let seed = (1..500).find(|seed| {
        let scenario = Scenario::of(*seed);
        // One in which nothing has to go wrong for that.
        let calm = Scenario { troubles: Vec::new(), ..scenario.clone() };
        scenario.troubles.len() > 2 && scenario.orders.len() > 6 && cancels(&scenario) && cancels(&calm)
    });
    let large = Scenario::of(seed.expect("a seed with a cancel"));
    let small = shrink_while(&large, cancels);
    assert!(cancels(&small));
    assert_eq!(small.troubles, []);
    let asks: Vec<Ask> = small.orders.iter().map(|order| order.what).collect();
    assert_eq!(asks.iter().filter(|ask| **ask == Ask::Cancel).count(), 1, "{asks:?}");
    assert!(small.orders.len() <= 3, "{asks:?}");
    let run = &small.runs[small.orders[0].run];
    assert!(run.paths().len() <= 4, "{run:#?}");
}
