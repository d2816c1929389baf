//! What came of cases, for people.

use std::fmt::Write as _;
use std::path::Path;

use lockstep_dsl::value::Millis;

use super::coverage::Coverage;
use crate::output::text::{count, harmless_line};
use crate::output::{Style, Tone};

/// What came of one case.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Its name.
    pub name: String,
    /// The line on which it stands.
    pub line: u32,
    /// What differs from what is expected; nothing when it holds.
    pub differences: Vec<String>,
    /// Steps that began.
    pub steps: usize,
    /// Milliseconds of virtual time.
    pub elapsed: u64,
    /// Milliseconds that it took.
    pub took: u64,
    /// Crashes that were tried, and how many there could have been.
    pub crashes: (usize, usize),
}

/// What came of all cases of a file.
#[derive(Clone, Debug)]
pub struct SuiteOutcome {
    /// The file.
    pub file: String,
    /// The runbook.
    pub runbook: String,
    /// The cases that were played.
    pub cases: Vec<Outcome>,
    /// What is covered of the runbook; `None` where not all were played.
    pub coverage: Option<Coverage>,
    /// What is covered of runbooks that it calls, as far as they were played and have no cases of their own.
    pub called: Vec<CalledCoverage>,
}

/// What is covered of a runbook that is called.
#[derive(Clone, Debug)]
pub struct CalledCoverage {
    /// Its file.
    pub file: String,
    /// Its name.
    pub runbook: String,
    /// What is covered of it.
    pub coverage: Coverage,
}

impl SuiteOutcome {
    /// Cases that do not hold.
    pub fn failed(&self) -> usize {
        self.cases.iter().filter(|case| !case.differences.is_empty()).count()
    }

    /// What is covered of every runbook, with the file that is named for it and the runbook's name.
    pub fn coverages(&self) -> impl Iterator<Item = (&str, &str, &Coverage)> {
        let own = self.coverage.iter().map(|coverage| (self.file.as_str(), self.runbook.as_str(), coverage));
        own.chain(self.called.iter().map(|called| (called.file.as_str(), called.runbook.as_str(), &called.coverage)))
    }
}

/// One file of cases.
pub fn suite(outcome: &SuiteOutcome, style: Style) -> String {
    let mut text = format!("{}\n", style.paint(Tone::Strong, &outcome.file));
    for case in &outcome.cases {
        let name = harmless_line(&case.name);
        if case.differences.is_empty() {
            let crashes = match case.crashes {
                (0, _) => String::new(),
                (tried, possible) if tried == possible => format!(", {tried} crashes"),
                (tried, possible) => format!(", {tried} of {possible} crashes"),
            };
            let detail = format!("{}, {}{crashes}", count(case.steps, "step"), Millis(case.elapsed));
            let _ =
                writeln!(text, "  {} {name}  {}", style.paint(Tone::Good, "ok  "), style.paint(Tone::Faint, &detail));
            continue;
        }
        let place = format!("{}:{}", Path::new(&outcome.file).display(), case.line);
        let _ = writeln!(text, "  {} {name}  {}", style.paint(Tone::Bad, "FAIL"), style.paint(Tone::Faint, &place));
        for line in case.differences.iter().flat_map(|difference| difference.lines()) {
            let _ = writeln!(text, "       {}", harmless_line(line));
        }
    }
    if let Some(coverage) = &outcome.coverage {
        covered(&mut text, "covered", coverage, style);
    }
    for called in &outcome.called {
        covered(&mut text, &format!("covered of {}", harmless_line(&called.file)), &called.coverage, style);
    }
    text
}

/// What is covered of one runbook, and what is not.
fn covered(text: &mut String, what: &str, coverage: &Coverage, style: Style) {
    let Coverage { steps, branches, missed } = coverage;
    let covered = format!(
        "{what}: {} of {}, {} of {}",
        steps.reached,
        count(steps.all, "step"),
        branches.reached,
        if branches.all == 1 { "1 branch".to_owned() } else { format!("{} branches", branches.all) },
    );
    let _ = writeln!(text, "  {}", style.paint(Tone::Faint, &covered));
    for missed in missed {
        let _ = writeln!(text, "  {} {missed}", style.paint(Tone::Waiting, "not covered:"));
    }
}

/// The last line.
pub fn summary(outcomes: &[SuiteOutcome], style: Style) -> String {
    let cases: usize = outcomes.iter().map(|outcome| outcome.cases.len()).sum();
    let failed: usize = outcomes.iter().map(SuiteOutcome::failed).sum();
    let all = format!("{} in {}", count(cases, "case"), count(outcomes.len(), "file"));
    if failed == 0 {
        return format!("{all}, {}\n", style.paint(Tone::Good, "all hold"));
    }
    format!("{all}, {}\n", style.paint(Tone::Bad, &format!("{failed} failed")))
}
