//! Many seeds one after another, and what they came to.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::check::{self, Violation};
use super::coverage::Coverage;
use super::scenario::{Edition, Scenario};
use super::shrink::shrink;
use super::timeline::story;
use super::world::simulate;

/// What one seed came to.
#[derive(Debug)]
pub struct Verdict {
    /// What does not hold.
    pub violations: Vec<Violation>,
    /// What was reached.
    pub coverage: Coverage,
    /// A hash over all that happened.
    pub trace: u64,
}

/// What the violation of a scenario that cannot even be played is called.
pub const UNPLAYABLE: &str = "the scenario can be played";

/// Plays a scenario and checks it.
pub fn judge(scenario: &Scenario) -> Verdict {
    let broken = |what: String| Verdict {
        violations: vec![Violation { invariant: UNPLAYABLE, what }],
        coverage: Coverage::default(),
        trace: 0,
    };
    match catch_unwind(AssertUnwindSafe(|| simulate(scenario, false))) {
        Ok(Ok(mut outcomes)) => {
            check::cover(&outcomes.evidence, &mut outcomes.coverage);
            let violations = check::all(&outcomes.evidence).violations;
            Verdict { violations, coverage: outcomes.coverage, trace: outcomes.trace }
        }
        Ok(Err(refused)) => broken(format!("the compiler refuses a random runbook: {refused}")),
        Err(panic) => broken(format!("a panic outside of a decision: {}", message(panic.as_ref()))),
    }
}

fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}

/// Seeds that were played.
#[derive(Debug)]
pub struct Campaign {
    /// Of which random runbooks.
    edition: Edition,
    /// How many.
    pub seeds: u64,
    /// All that they reached.
    pub coverage: Coverage,
    /// Those in which something does not hold.
    pub failed: Vec<(u64, Vec<Violation>)>,
}

impl Default for Campaign {
    fn default() -> Self {
        Self::of(Edition::NEWEST)
    }
}

impl Campaign {
    /// None yet.
    pub fn of(edition: Edition) -> Self {
        Self { edition, seeds: 0, coverage: Coverage::default(), failed: Vec::new() }
    }

    /// Plays a seed. Says whether everything holds.
    pub fn play(&mut self, seed: u64) -> bool {
        let verdict = judge(&Scenario::of_edition(seed, self.edition));
        self.seeds += 1;
        self.coverage.add(&verdict.coverage);
        let holds = verdict.violations.is_empty();
        if !holds {
            self.failed.push((seed, verdict.violations));
        }
        holds
    }

    /// Adds what others have played beside it; failures in the order of their seeds.
    pub fn join(&mut self, other: Self) {
        self.seeds += other.seeds;
        self.coverage.add(&other.coverage);
        self.failed.extend(other.failed);
        self.failed.sort_by_key(|(seed, _)| *seed);
    }
}

/// Tells what happens in a scenario: as it is, or with everything left out that it also fails without.
pub fn tell(mut scenario: Scenario, small: bool) -> String {
    let first = judge(&scenario).violations.first().map(|violation| violation.invariant);
    if let Some(invariant) = first.filter(|_| small) {
        scenario = shrink(&scenario, invariant);
    }
    match catch_unwind(AssertUnwindSafe(|| simulate(&scenario, true))) {
        Ok(Ok(outcomes)) => {
            let violations = check::all(&outcomes.evidence).violations;
            story(&scenario, &outcomes.log, &violations)
        }
        Ok(Err(_)) | Err(_) => story(&scenario, &[], &judge(&scenario).violations),
    }
}
