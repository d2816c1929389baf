//! What a suite did and what came of it, for the report of `scripts/prove`.
//!
//! A suite that ends appends one line of JSON to the file that `LOCKSTEP_REPORT` names; also when it fails, with what it
//! had until then. Without the variable nothing is written, so a suite need not ask.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::time::Instant;

use serde_json::json;

use super::Series;

/// The variable that names the file.
const REPORT: &str = "LOCKSTEP_REPORT";

/// The report of one suite; it is written when it is dropped.
pub struct Report {
    suite: &'static str,
    /// The name of its test, to repeat it by.
    test: &'static str,
    seed: u64,
    rounds: u32,
    began: Instant,
    faults: BTreeMap<String, u64>,
    outcomes: BTreeMap<String, u64>,
    /// Runs that ended well, and those in which a step came into doubt.
    runs: (u64, u64),
    caught: BTreeMap<String, String>,
}

impl Report {
    /// Of a suite, by its name in the report and that of its test.
    pub fn of(suite: &'static str, test: &'static str, series: &Series) -> Self {
        Self {
            suite,
            test,
            seed: series.seed(),
            rounds: series.rounds,
            began: Instant::now(),
            faults: BTreeMap::new(),
            outcomes: BTreeMap::new(),
            runs: (0, 0),
            caught: BTreeMap::new(),
        }
    }

    /// Faults of a kind that happened, such as `kill -9 of a run`.
    pub fn faults(&mut self, kind: &str, count: u64) -> &mut Self {
        *self.faults.entry(kind.to_owned()).or_default() += count;
        self
    }

    /// What became of rounds, such as `succeeded`.
    pub fn outcomes(&mut self, kind: &str, count: u64) -> &mut Self {
        *self.outcomes.entry(kind.to_owned()).or_default() += count;
        self
    }

    /// Runs that ended well by themselves, and runs in which a person had to say how a step went on.
    pub const fn runs(&mut self, succeeded: u64, in_doubt: u64) -> &mut Self {
        self.runs = (self.runs.0 + succeeded, self.runs.1 + in_doubt);
        self
    }

    /// A planted bug was caught by this.
    pub fn caught(&mut self, bug: &str, by: &str) -> &mut Self {
        self.caught.insert(bug.to_owned(), by.to_owned());
        self
    }

    /// A suite stops at the first promise that is broken, so there is one violation or none.
    fn line(&self, failed: bool) -> String {
        let violations = u64::from(failed);
        let Self { seed, rounds, test, .. } = self;
        let command = format!(
            "LOCKSTEP_SEED={seed} LOCKSTEP_ROUNDS={rounds} cargo test --workspace --all-features --locked --test all {test}"
        );
        let line = json!({
            "suite": self.suite,
            "command": command,
            "seed": seed,
            "rounds": rounds,
            "faults": self.faults,
            "outcomes": self.outcomes,
            "runs": { "succeeded": self.runs.0, "in_doubt": self.runs.1 },
            "caught": self.caught,
            "violations": violations,
            "bound": bound(violations, *rounds),
            "seconds": self.began.elapsed().as_secs(),
        });
        format!("{line}\n")
    }
}

/// What follows from so many violations in so many rounds: with none, at 95 %, a rate below 3 in the number of rounds.
fn bound(violations: u64, rounds: u32) -> Option<String> {
    (violations == 0 && rounds > 0).then(|| format!("fewer than 3 in {rounds} at 95 %"))
}

impl Drop for Report {
    fn drop(&mut self) {
        let Some(path) = std::env::var_os(REPORT) else { return };
        let line = self.line(std::thread::panicking());
        let opened = OpenOptions::new().append(true).create(true).open(&path);
        // One write, so that lines of several suites do not mix.
        if let Err(error) = opened.and_then(|mut file| file.write_all(line.as_bytes())) {
            println!("the report cannot be written to {}: {error}\n{line}", path.display());
        }
    }
}

#[test]
fn a_line_says_what_was_tried_and_what_follows() {
    let series = Series::new(7, 300);
    // It is not to be written.
    let mut report = std::mem::ManuallyDrop::new(Report::of("crash", "crash::a_test", &series));
    report.faults("kill -9", 2).faults("kill -9", 1).outcomes("succeeded", 300).runs(299, 1);
    report.caught("no-sync", "a loss of power");
    let line: serde_json::Value = serde_json::from_str(&report.line(false)).unwrap();
    assert_eq!((&line["seed"], &line["faults"]["kill -9"], &line["violations"]), (&json!(7), &json!(3), &json!(0)));
    assert_eq!((&line["runs"]["in_doubt"], &line["caught"]["no-sync"]), (&json!(1), &json!("a loss of power")));
    assert_eq!(line["bound"], "fewer than 3 in 300 at 95 %");
    let line: serde_json::Value = serde_json::from_str(&report.line(true)).unwrap();
    assert_eq!((&line["violations"], &line["bound"]), (&json!(1), &serde_json::Value::Null));
}
