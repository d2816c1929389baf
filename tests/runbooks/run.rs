//! One run of a shipped runbook, from its parameters to what it left behind.

use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

/// A run that is being put together: `Run::of("incident/disk-cleanup").param("mount", "/x").finish()`.
pub struct Run {
    runbook: &'static str,
    params: Vec<String>,
    env: Vec<(String, String)>,
    data: TempDir,
}

impl Run {
    /// A run of `runbooks/<name>.yaml` in a data folder of its own.
    pub fn of(runbook: &'static str) -> Self {
        let data = tempfile::tempdir().expect("a temporary folder");
        Self { runbook, params: Vec::new(), env: Vec::new(), data }
    }

    /// Gives a parameter, as on the command line: text as it is, all else as JSON.
    pub fn param(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.params.push(match value.into() {
            Value::String(text) => format!("{name}={text}"),
            value => format!("{name}={value}"),
        });
        self
    }

    /// Sets a variable in the environment of the program itself.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Runs it to its end.
    pub fn finish(self) -> Finished {
        let file = format!("{}/runbooks/{}.yaml", env!("CARGO_MANIFEST_DIR"), self.runbook);
        let params = self.params.iter().flat_map(|param| ["-p", param]);
        let output = lockstep(&self.data)
            .envs(self.env.iter().cloned())
            .args(["run", &file, "--json"])
            .args(params)
            .output()
            .expect("the program starts");
        // A run that is refused has no result.
        let result = if output.status.code() == Some(2) { Value::Null } else { last_line(&output) };
        Finished { result, output, data: self.data }
    }
}

/// A run that has ended.
pub struct Finished {
    /// The last line of `run --json`.
    result: Value,
    output: Output,
    data: TempDir,
}

impl Finished {
    /// Asserts that the run succeeded, with the exit code that says so, and gives its outputs.
    #[track_caller]
    pub fn succeeded(&self) -> &Value {
        assert_eq!(self.result["status"], "succeeded", "{self}");
        assert_eq!(self.output.status.code(), Some(0), "{self}");
        &self.result["outputs"]
    }

    /// Asserts that the run failed, with the exit code that says so, and gives its error.
    #[track_caller]
    pub fn failed(&self) -> &Value {
        assert_eq!(self.result["status"], "failed", "{self}");
        assert_eq!(self.output.status.code(), Some(1), "{self}");
        &self.result["error"]
    }

    /// Asserts that the run failed with these words in its message.
    #[track_caller]
    pub fn failed_saying(&self, words: &str) {
        let message = self.failed()["message"].as_str().unwrap_or_default();
        assert!(message.contains(words), "the message does not say `{words}`\n{self}");
    }

    /// Asserts that nothing ran, since this parameter was not accepted.
    #[track_caller]
    pub fn refused(&self, param: &str) {
        assert_eq!(self.output.status.code(), Some(2), "{self}");
        let said = String::from_utf8_lossy(&self.output.stderr).into_owned();
        assert!(said.contains(param), "the message does not name `{param}`\n{self}");
    }

    /// The run's id.
    #[track_caller]
    pub fn id(&self) -> &str {
        self.result["id"].as_str().unwrap_or_else(|| panic!("no id\n{self}"))
    }

    /// A step of the run by its path, as `show --json` prints it.
    #[track_caller]
    pub fn step(&self, path: &str) -> Value {
        let output = lockstep(&self.data).args(["show", "last", "--json"]).output().expect("the program starts");
        let shown = last_line(&output);
        let steps = shown["steps"].as_array().unwrap_or_else(|| panic!("no steps in {shown}"));
        let step = steps.iter().find(|step| step["path"] == path);
        step.unwrap_or_else(|| panic!("no step {path} in {shown:#}")).clone()
    }

    /// What a step's attempts printed, as `logs` shows it.
    pub fn log(&self, path: &str) -> String {
        let output = lockstep(&self.data).args(["logs", "last", path]).output().expect("the program starts");
        assert!(output.status.success(), "no log of {path}: {output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Whether these bytes stand in anything the run printed or stored.
    pub fn left_behind(&self, words: &str) -> bool {
        let printed = [&self.output.stdout, &self.output.stderr].into_iter().any(|bytes| contains(bytes, words));
        printed || stored(self.data.path(), words)
    }
}

impl std::fmt::Display for Finished {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{}", self.output.status)?;
        writeln!(f, "{}", String::from_utf8_lossy(&self.output.stdout))?;
        writeln!(f, "{}", String::from_utf8_lossy(&self.output.stderr))
    }
}

fn lockstep(data: &TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lockstep"));
    command.env("LOCKSTEP_DATA", data.path());
    command
}

#[track_caller]
fn last_line(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().last().unwrap_or_default();
    serde_json::from_str(line).unwrap_or_else(|error| panic!("no JSON in the last line ({error}): {output:?}"))
}

fn stored(folder: &std::path::Path, words: &str) -> bool {
    std::fs::read_dir(folder).expect("the data folder can be read").any(|entry| {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            stored(&path, words)
        } else {
            std::fs::read(&path).is_ok_and(|bytes| contains(&bytes, words))
        }
    })
}

fn contains(bytes: &[u8], words: &str) -> bool {
    bytes.windows(words.len()).any(|window| window == words.as_bytes())
}
