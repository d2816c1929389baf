//! Holds the evidence of a simulation against the invariants of the engine.
//!
//! Shares no code with what it checks: records are plain JSON, runs are modelled anew ([`model`]), and what a step
//! should do is read from what was planned. Each invariant is one function with a name, in [`INVARIANTS`]; a test shows
//! for each that it can fail.

pub mod model;

mod answers;
mod attempts;
mod effects;
mod ends;
mod loops;
mod order;
mod people;
mod state;
mod timers;
mod undo;

use std::collections::BTreeMap;
use std::fmt;

use self::model::{Definition, Run, Status};
use super::coverage::{Coverage, OUT_OF_DOUBT};
use super::evidence::{Evidence, Record};
use super::runbook::{Runbook, Step};

/// An invariant that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Its name.
    pub invariant: &'static str,
    /// What was found.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.invariant, self.what)
    }
}

/// What a check finds.
#[derive(Debug, Default)]
pub struct Findings(Vec<String>);

impl Findings {
    /// Notes that something does not hold.
    pub fn add(&mut self, what: impl Into<String>) {
        self.0.push(what.into());
    }

    /// Notes it unless the condition holds.
    pub fn unless(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.0.push(what());
        }
    }
}

/// A check: what it is given, and where it says what it finds.
pub type Check = fn(&Case<'_>, &mut Findings);

/// Every invariant, by name.
pub const INVARIANTS: &[(&str, Check)] = &[
    ("an acknowledged answer is durable", answers::acknowledged_is_durable),
    ("a refused request changes nothing", answers::refused_changes_nothing),
    ("a read shows the durable", answers::reads_show_the_durable),
    ("the journal is never rewritten", state::journal_is_never_rewritten),
    ("positions and time go on", state::positions_and_time_go_on),
    ("engine time goes as time does", state::engine_time_goes_as_time),
    ("replay gives the state", state::replay_gives_the_state),
    ("nothing is quarantined", state::nothing_is_quarantined),
    ("a run uses one definition", state::one_definition),
    ("intent before effect", effects::intent_before_effect),
    ("one begin for a token", effects::one_begin_for_a_token),
    ("attempts of a step never overlap", effects::attempts_never_overlap),
    ("once begins once", effects::once_begins_once),
    ("keys are stable", effects::keys_are_stable),
    ("reports say what happened", effects::reports_say_what_happened),
    ("nothing is left running", effects::nothing_is_left_running),
    ("folders are kept until the end is durable", effects::folders_are_kept),
    ("tokens grow", attempts::tokens_grow),
    ("reports are of the current token", attempts::reports_are_of_the_current_token),
    ("attempts are counted", attempts::attempts_are_counted),
    ("a new attempt has a reason", attempts::a_new_attempt_has_a_reason),
    ("a step ends once", ends::a_step_ends_once),
    ("a block ends last", ends::a_block_ends_last),
    ("a run ends once", ends::a_run_ends_once),
    ("outcomes fit the steps", ends::outcomes_fit_the_steps),
    ("every run ends", ends::every_run_ends),
    ("needs are met", order::needs_are_met),
    ("a halted block starts nothing", order::halted_starts_nothing),
    ("nothing new after cancel", order::nothing_new_after_cancel),
    ("a paused run begins nothing", order::paused_begins_nothing),
    ("what a person skips was asked for", order::skips_were_asked_for),
    ("conditions are obeyed", order::conditions_are_obeyed),
    ("items are as written", loops::items_are_as_written),
    ("rounds are as written", loops::rounds_are_as_written),
    ("timers are never early", timers::never_early),
    ("waits are as long as written", timers::waits_are_as_written),
    ("retries are as written", timers::retries_are_as_written),
    ("limits of time hold", timers::limits_of_time),
    ("limits of time are kept", timers::limits_are_kept),
    ("who waits is told", people::who_waits_is_told),
    ("a signal is taken once", people::signals_are_taken_once),
    ("what began is undone", undo::undone_as_promised),
    ("next is as written", order::next_is_as_written),
];

/// The evidence, sorted by run.
pub struct Case<'a> {
    /// All of it.
    pub evidence: &'a Evidence,
    /// Definitions by hash.
    pub definitions: BTreeMap<String, Definition>,
    /// Records by run.
    pub runs: BTreeMap<&'a str, Vec<&'a Record>>,
    plans: BTreeMap<&'a str, BTreeMap<String, &'a Step>>,
    unreachable: BTreeMap<&'a str, Vec<String>>,
}

impl<'a> Case<'a> {
    /// Sorts the evidence.
    pub fn new(evidence: &'a Evidence) -> Self {
        let mut definitions = BTreeMap::new();
        let mut runs: BTreeMap<&str, Vec<&Record>> = BTreeMap::new();
        for record in &evidence.journal {
            if record.what == "def" {
                let hash = record.text("hash").unwrap_or_default().to_owned();
                definitions.insert(hash, Definition::read(record).unwrap_or_default());
            } else if !record.run.is_empty() {
                runs.entry(record.run.as_str()).or_default().push(record);
            }
        }
        let plans = evidence.plans.iter().map(|(run, plan)| (run.as_str(), steps(plan))).collect();
        let unreachable = evidence.plans.iter().map(|(run, plan)| (run.as_str(), plan.unreachable())).collect();
        Self { evidence, definitions, runs, plans, unreachable }
    }

    /// The step of the plan that stands at this path in the file.
    pub fn planned(&self, run: &str, path: &str) -> Option<&'a Step> {
        self.plans.get(run)?.get(path).copied()
    }

    /// Whether a step at this path may run at all.
    pub fn is_reachable(&self, run: &str, path: &str) -> bool {
        !self.unreachable.get(run).into_iter().flatten().any(|prefix| path.starts_with(prefix.as_str()))
    }

    /// The step of the plan that a record is about.
    pub fn planned_of(&self, run: &Run, record: &Record) -> Option<&'a Step> {
        let step = run.step_of(record)?;
        self.planned(&record.run, &run.node(step).path)
    }

    /// Goes through every run's records; `each` sees the run as it was before the record.
    pub fn replay(&self, mut each: impl FnMut(&Run, &Record)) {
        for records in self.runs.values() {
            self.replay_run(records, |run, record| each(run, record));
        }
    }

    /// The same for the records of one run; gives the run after all of them.
    pub fn replay_run(&self, records: &[&Record], mut each: impl FnMut(&Run, &Record)) -> Run {
        let hash = records.first().and_then(|record| record.text("definition")).unwrap_or_default();
        let mut run = Run::new(self.definitions.get(hash).cloned().unwrap_or_default());
        for record in records {
            each(&run, record);
            run.take(record);
        }
        run
    }
}

fn steps(plan: &Runbook) -> BTreeMap<String, &Step> {
    plan.paths().into_iter().collect()
}

/// What was found.
#[derive(Debug, Default)]
pub struct Checked {
    /// What does not hold.
    pub violations: Vec<Violation>,
}

/// Checks every invariant.
pub fn all(evidence: &Evidence) -> Checked {
    let case = Case::new(evidence);
    let mut checked = Checked::default();
    for (invariant, check) in INVARIANTS {
        let mut findings = Findings::default();
        check(&case, &mut findings);
        checked.violations.extend(findings.0.into_iter().map(|what| Violation { invariant, what }));
    }
    checked
}

/// Notes which ways steps went.
pub fn cover(evidence: &Evidence, coverage: &mut Coverage) {
    let case = Case::new(evidence);
    for records in case.runs.values() {
        let mut before: Vec<&'static str> = Vec::new();
        let mut look = |run: &Run| {
            for (number, step) in run.steps.iter().enumerate() {
                let now = step.status.name();
                match before.get_mut(number) {
                    Some(then) => coverage.transition(std::mem::replace(then, now), now),
                    None => before.push(now),
                }
            }
        };
        let mut out_of_doubt = 0;
        let last = case.replay_run(records, |run, record| {
            look(run);
            let doubted = run.step_of(record).is_some_and(|step| step.status == Status::InDoubt);
            out_of_doubt += u64::from(doubted && record.what == "end");
        });
        look(&last);
        if out_of_doubt > 0 {
            coverage.troubles(OUT_OF_DOUBT, out_of_doubt);
        }
    }
}
