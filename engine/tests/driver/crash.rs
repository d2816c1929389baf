//! The engine dies after every single append, before and after its effects: nothing that was answered is lost, no step
//! with effect `once` begins twice, and every run comes to its end.

use std::collections::BTreeSet;

use lockstep_dsl::value::Map;
use lockstep_engine::api::{Reply, Request};
use lockstep_engine::core::run::Resolution;

use crate::case::{Case, Dies, Does};

const RUNBOOK: &str = "
runbook: crash
steps:
  - id: a
    exec: [a]
  - id: b
    exec: [b]
    retry: 2
  - parallel:
      branches:
        left:
          - id: c
            exec: [c]
            effect: idempotent
        right:
          - id: d
            exec: [d]
          - wait: 10m
  - id: e
    exec: [e]
    catch:
      - steps:
          - id: mend
            exec: [mend]
finally:
  - id: tidy
    exec: [tidy]
";

fn case() -> Case {
    Case::of(RUNBOOK).step("b", [Does::Exits(1), Does::Prints("")]).step("e", [Does::Exits(1)])
}

/// Runs the case with a crash in it, and says what the promise was broken by, if it was.
fn breach(mut case: Case) -> Option<String> {
    case.start();
    case.settle();
    if case.is_alive() {
        return Some("it did not crash".to_owned());
    }
    let answered = case.replies.iter().any(|reply| matches!(reply, Reply::Started { .. }));
    case.open();
    match case.resume() {
        Reply::Done => {}
        _ if answered => return Some("a run was acknowledged and is lost".to_owned()),
        _ => case.start(),
    }
    for _ in 0..20 {
        case.settle();
        let Some((run, doubted)) = case.doubted() else { break };
        // The person looks at the world.
        let key = format!("{run}/{doubted}");
        let took_place = case.begun.iter().any(|begun| begun.key == key);
        let how = if took_place { Resolution::Done { outputs: Map::new() } } else { Resolution::Rerun };
        let by = "user:ana".to_owned();
        case.send(Request::Resolve { run: run.to_string(), step: doubted, how, by });
    }
    let mut seen = BTreeSet::new();
    for begun in &case.begun {
        if begun.once && !seen.insert((begun.key.clone(), begun.number)) {
            return Some(format!("`{}` began twice", begun.step));
        }
    }
    let status = case.status();
    (status != "succeeded").then(|| format!("the run is {status}: {:#?}", case.view()))
}

/// The case without a crash.
fn whole(make: impl Fn() -> Case) -> Case {
    let mut whole = make();
    whole.start();
    whole.settle();
    assert_eq!(whole.status(), "succeeded", "{:#?}", whole.view());
    whole
}

/// Plays a case with a crash after every append that it needs, and gives it as it is without one.
pub fn everywhere(make: impl Fn() -> Case) -> Case {
    let whole = whole(&make);
    for append in 1..=whole.disk.appends() {
        for dies in [Dies::BeforeEffects, Dies::AfterEffects] {
            assert_eq!(breach(make().dies_at(append, dies)), None, "append {append}, {dies:?}");
        }
    }
    whole
}

fn appends() -> u64 {
    whole(case).disk.appends()
}

#[test]
fn a_crash_after_any_append_loses_nothing_and_repeats_nothing() {
    everywhere(case);
}

#[test]
fn without_syncing_the_same_checks_fail() {
    let breaches = (1..=appends()).filter_map(|append| {
        let case = case().dies_at(append, Dies::AfterEffects);
        case.disk.set_sync(false);
        breach(case)
    });
    let breaches: Vec<String> = breaches.collect();
    assert!(breaches.iter().any(|breach| breach.contains("is lost")), "{breaches:?}");
    assert_eq!(breaches.len() as u64, appends(), "every crash is noticed: {breaches:?}");
}

#[test]
fn steps_that_began_twice_would_be_noticed() {
    let mut case = case();
    case.start();
    case.disk.set_sync(false);
    for _ in 0..3 {
        case.end_one();
    }
    let begun = case.path().len();
    case.crash();
    case.open();
    case.resume();
    case.resolve("a", Resolution::Done { outputs: Map::new() });
    case.settle();
    let again: Vec<&str> = case.path()[begun..].to_vec();
    assert!(again.contains(&"b"), "what was not synced began a second time: {again:?}");
}
