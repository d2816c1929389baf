//! The runs of all cases once more, with the engine killed at every durable write, and again with the host lost.
//!
//! A run of the program cannot be cut at every write of it in a time that anybody would wait for; a rehearsal can. So what
//! a run really did is recorded as a test of its runbook (`lockstep test record`), and `lockstep test --crash-everywhere`
//! plays that: first as it was, which must come to the same end by the same steps, then with every crash.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value as Json;
use tempfile::TempDir;

use super::case_file::CaseFile;
use super::compare::Differences;
use crate::harness::Case;

/// What a file of cases, and its runbook, are called where runs are kept.
const RUNBOOK: &str = "runbook.yaml";
const TESTS: &str = "runbook.test.yaml";

/// Runs that took place, each in a folder of its own that is named by its case and its number: the runbook, the files
/// beside it, and what was recorded.
pub struct Recordings {
    folder: TempDir,
}

impl Recordings {
    /// None yet.
    pub fn new() -> Self {
        Self { folder: TempDir::new().expect("a temporary folder") }
    }

    /// Keeps a run of a case. `name` is the case's path, with the number of the run behind it.
    pub fn keep(&self, name: &str, id: &str, file: &CaseFile, case: &Case, differences: &mut Differences) {
        // A case may change what stands beside its runbook, and the run is of what stood there before.
        for (name, text) in &file.files {
            fs::write(case.path(name), text).expect("a file of the case");
        }
        let recorded = case.lockstep(["test", "record", id, RUNBOOK]);
        if recorded.code() != Some(0) {
            let why = recorded.stderr.trim_end().replace('\n', "\n    ");
            return differences.add(format!("recorded and played again: {why}"));
        }
        let folder = self.folder.path().join(name);
        let beside = file.files.keys().map(String::as_str).chain([RUNBOOK]);
        for name in beside {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().expect("a file in the folder")).expect("folders in the folder");
            fs::copy(case.path(name), path).expect("a file of the case");
        }
        fs::write(folder.join(TESTS), &recorded.stdout).expect("a file in the folder");
    }

    /// Plays all that is kept with every crash. What must not be and is, by case.
    pub fn crash_everywhere(&self) -> Vec<String> {
        if fs::read_dir(self.folder.path()).expect("the folder").next().is_none() {
            // Of the cases that are played none had a run.
            return Vec::new();
        }
        let played = Command::new(env!("CARGO_BIN_EXE_lockstep"))
            .args(["test", "--crash-everywhere", "--json"])
            .current_dir(self.folder.path())
            .env_clear()
            .env("HOME", self.folder.path())
            .stdin(Stdio::null())
            .output()
            .expect("the program");
        let lines = String::from_utf8_lossy(&played.stdout);
        let lines = lines.lines().map(|line| serde_json::from_str(line).expect("a line of JSON"));
        let cases: Vec<Json> = lines.filter(|line: &Json| line["type"] == "case").collect();
        let mut wrong: Vec<String> = cases.iter().filter(|case| case["ok"] != true).map(told).collect();
        wrong.extend(cases.iter().filter(|case| case["crashes"] == 0).map(|case| format!("{}: no crash", name(case))));
        if wrong.is_empty() && !played.status.success() {
            wrong.push(format!(
                "{}{}",
                String::from_utf8_lossy(&played.stdout),
                String::from_utf8_lossy(&played.stderr)
            ));
        }
        wrong
    }
}

/// A case that does not hold, with all that it says.
fn told(case: &Json) -> String {
    let differences = case["differences"].as_array().into_iter().flatten().filter_map(Json::as_str);
    let lines: Vec<String> = differences.map(|line| line.replace('\n', "\n    ")).collect();
    format!("{}\n    {}\n", name(case), lines.join("\n    "))
}

fn name(case: &Json) -> String {
    let file = case["file"].as_str().unwrap_or_default();
    Path::new(file).parent().unwrap_or(Path::new(file)).display().to_string()
}
