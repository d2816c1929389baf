//! Every bug that is planted in the core and the driver is caught by the simulation, and by what is written here.

use lockstep_engine::fault::{Bug, plant, report_caught};
use lockstep_engine::sim::campaign::judge;
use lockstep_engine::sim::scenario::Scenario;

/// What catches a bug that makes two plays of one seed differ, which no look at one of them can.
const TRACE: &str = "the same seed is the same story";

/// Seeds within which a bug must be caught.
const SEEDS: u64 = 3_000;

/// The bugs that the simulation can reach, and an invariant that each breaks.
const CAUGHT: &[(Bug, &str)] = &[
    (Bug::TokenNotCompared, "reports are of the current token"),
    (Bug::OnceRepeated, "once begins once"),
    (Bug::OneTryTooMany, "retries are as written"),
    (Bug::QuorumNotCounted, "who waits is told"),
    (Bug::UndoOldestFirst, "what began is undone"),
    (Bug::ProbeNotAsked, "once begins once"),
    (Bug::KeyPerAttempt, "keys are stable"),
    (Bug::TokenReused, "tokens grow"),
    (Bug::TriesNotCounted, "attempts are counted"),
    (Bug::CancelStopsNothing, "nothing new after cancel"),
    (Bug::HaltIgnored, "a halted block starts nothing"),
    (Bug::BlockEndsTwice, "a block ends last"),
    (Bug::TimersTooEarly, "retries are as written"),
    (Bug::AnswerBeforeDurable, "an acknowledged answer is durable"),
    (Bug::StartBeforeIntent, "intent before effect"),
    (Bug::TimerByWallClock, "engine time goes as time does"),
    (Bug::UnknownBelieved, "an acknowledged answer is durable"),
    (Bug::FullAnswered, "an acknowledged answer is durable"),
    (Bug::ImageBelieved, "replay gives the state"),
    (Bug::AttemptsNotRecovered, "every run ends"),
    (Bug::TimersForgotten, "every run ends"),
    (Bug::StopForgotten, "every run ends"),
    (Bug::ChangeNotInImage, "replay gives the state"),
    (Bug::EndLostToRefusal, "replay gives the state"),
    (Bug::OrderByHash, TRACE),
];

/// Those that break no invariant here, and why; other suites catch them.
const HARMLESS: &[(Bug, &str)] = &[
    (Bug::UnknownIsFailure, "the engine stops and is started again, which costs time alone"),
    (Bug::EditNotCompared, "clients correct no runbook"),
    (Bug::TickAlone, "clients enroll no runbook"),
    (Bug::WatermarkFalls, "clients enroll no runbook"),
];

/// The first seed, if any, in which a planted bug breaks this.
fn caught(bug: Bug, by: &str) -> Option<u64> {
    let _planted = plant(bug);
    (1..=SEEDS).find(|seed| {
        let scenario = Scenario::of(*seed);
        let first = judge(&scenario);
        if by == TRACE {
            return first.trace != judge(&scenario).trace;
        }
        first.violations.iter().any(|violation| violation.invariant == by)
    })
}

#[test]
fn every_bug_in_the_core_and_the_driver_is_caught() {
    let escaped: Vec<String> = CAUGHT
        .iter()
        .filter(|(bug, by)| {
            let seed = caught(*bug, by);
            if let Some(seed) = seed {
                println!("{} is caught by `{by}` in seed {seed}", bug.name());
                report_caught(*bug, &format!("the simulation, `{by}`, seed {seed}"));
            }
            seed.is_none()
        })
        .map(|(bug, by)| format!("{} is not caught by `{by}` within {SEEDS} seeds", bug.name()))
        .collect();
    assert_eq!(escaped, [""; 0]);
}

#[test]
fn no_bug_in_the_core_and_the_driver_is_left_out() {
    for bug in Bug::ALL {
        let within_reach = ["engine/src/core/", "engine/src/driver/"].iter().any(|place| bug.file().starts_with(place));
        let listed = CAUGHT.iter().any(|(caught, _)| caught == bug) || HARMLESS.iter().any(|(known, _)| known == bug);
        assert!(!within_reach || listed, "{}: list here what catches it", bug.name());
    }
}
