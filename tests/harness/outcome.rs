//! What came of a command, and what a test says about it.

use std::process::ExitStatus;

use serde_json::Value as Json;

use super::Case;

/// A command that has ended. Everything that is said of it and does not hold fails the test, with all that was printed.
pub struct Outcome<'a> {
    case: &'a Case,
    status: ExitStatus,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl<'a> Outcome<'a> {
    /// What came of a command of this case.
    pub fn new(case: &'a Case, status: ExitStatus, stdout: String, stderr: String) -> Self {
        Self { case, status, stdout, stderr }
    }

    /// The code it exited with; none if a signal ended it.
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// It exits with this code.
    #[track_caller]
    pub fn exits(&self, code: i32) -> &Self {
        self.holds(self.status.code() == Some(code), &format!("exit code {code}, not {}", self.status));
        self
    }

    /// The run succeeds.
    #[track_caller]
    pub fn succeeds(&self) -> &Self {
        self.exits(0)
    }

    /// The run fails, with an error of this kind.
    #[track_caller]
    pub fn fails(&self, kind: &str) -> &Self {
        self.exits(1);
        let error = &self.run()["error"]["kind"];
        self.holds(error == kind, &format!("an error of kind {kind}, not {error}"));
        self
    }

    /// Standard output holds this.
    #[track_caller]
    pub fn prints(&self, text: &str) -> &Self {
        self.holds(self.stdout.contains(text), &format!("{text:?} on standard output"));
        self
    }

    /// Standard output does not hold this.
    #[track_caller]
    pub fn does_not_print(&self, text: &str) -> &Self {
        self.holds(!self.stdout.contains(text), &format!("no {text:?} on standard output"));
        self
    }

    /// Standard error holds this.
    #[track_caller]
    pub fn says(&self, text: &str) -> &Self {
        self.holds(self.stderr.contains(text), &format!("{text:?} on standard error"));
        self
    }

    /// Standard error is empty.
    #[track_caller]
    pub fn says_nothing(&self) -> &Self {
        self.holds(self.stderr.is_empty(), "nothing on standard error");
        self
    }

    /// An output of the run has this value.
    #[track_caller]
    pub fn output(&self, name: &str, value: impl Into<Json>) -> &Self {
        let value = value.into();
        let found = &self.run()["outputs"][name];
        self.holds(*found == value, &format!("output {name} = {value}, not {found}"));
        self
    }

    /// A step of the run is in this state.
    #[track_caller]
    pub fn step(&self, path: &str, status: &str) -> &Self {
        let found = self.step_view(path)["status"].clone();
        self.holds(found == status, &format!("step {path} {status}, not {found}"));
        self
    }

    /// A step of the run as `show --json` shows it.
    #[track_caller]
    pub fn step_view(&self, path: &str) -> Json {
        let view = self.case.show(&self.id());
        let steps = view["steps"].as_array().cloned().unwrap_or_default();
        let step = steps.into_iter().find(|step| step["path"] == path);
        step.unwrap_or_else(|| self.fail(&format!("a step {path}; there is {view:#}")))
    }

    /// The run's id.
    #[track_caller]
    pub fn id(&self) -> String {
        self.run()["id"].as_str().expect("a run has an id").to_owned()
    }

    /// The last line: how the run ended.
    #[track_caller]
    pub fn run(&self) -> Json {
        let last = self.events().pop();
        last.filter(|event| event["type"] == "run")
            .unwrap_or_else(|| self.fail("a last line that says how the run ended"))
    }

    /// All lines, each as JSON.
    #[track_caller]
    pub fn events(&self) -> Vec<Json> {
        let parse = |line: &str| {
            serde_json::from_str(line)
                .unwrap_or_else(|error| self.fail(&format!("one JSON object a line, not {line:?}: {error}")))
        };
        self.stdout.lines().map(parse).collect()
    }

    #[track_caller]
    fn holds(&self, holds: bool, expected: &str) {
        if !holds {
            self.fail(expected);
        }
    }

    #[track_caller]
    fn fail(&self, expected: &str) -> ! {
        panic!(
            "expected {expected}\n{}\n-- standard output:\n{}\n-- standard error:\n{}",
            self.status, self.stdout, self.stderr
        )
    }
}
