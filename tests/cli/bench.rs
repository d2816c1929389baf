//! `lockstep bench`: what it counts, and that it leaves nothing behind.

use serde_json::Value as Json;

use crate::harness::Case;

fn lines(text: &str) -> Vec<Json> {
    text.lines().map(|line| serde_json::from_str(line).expect("each line is an object")).collect()
}

#[test]
fn a_sequential_step_costs_one_sync_and_the_folder_is_left_as_it_was() {
    let case = Case::new();
    let outcome = case.lockstep(["bench", "steps", "--quick", "--json"]);
    outcome.exits(0).says_nothing();
    let reports = lines(&outcome.stdout);
    assert_eq!(reports.len(), 1, "{reports:?}");
    let syncs = reports[0]["syncs_per_step"].as_f64().expect("a number");
    // A checkpoint, which a slow machine may reach meanwhile, is a record of the journal too.
    assert!((1.0..1.1).contains(&syncs), "{syncs} syncs a step");
    assert!(reports[0]["bytes_per_step"].as_f64().is_some_and(|bytes| bytes < 1_024.0), "{reports:?}");
    assert!(!case.data().exists(), "nothing is left of it");
}

#[test]
fn runs_at_a_time_share_their_syncs() {
    let case = Case::new();
    let outcome = case.lockstep(["bench", "runs", "--quick", "--json"]);
    outcome.exits(0);
    let reports = lines(&outcome.stdout);
    let syncs: Vec<_> = reports.iter().filter_map(|report| report["syncs_per_step"].as_f64()).collect();
    let [alone, some, many] = syncs[..] else { panic!("{reports:?}") };
    assert!(alone >= 1.0 && some < 0.2 && many < 0.1, "{syncs:?}");
}
