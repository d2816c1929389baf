//! Builds attempts in a folder of their own, and runs them.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use lockstep_dsl::value::{Map, Millis, SecretPart, SecretRef, SecretText, Value};
use lockstep_engine::id::{RunId, Token};
use lockstep_engine::worker::command::{Exec, Shell};
use lockstep_engine::worker::launch::Launcher;
use lockstep_engine::worker::log::{Event, LogReader};
use lockstep_engine::worker::{Action, Attempt, Failure, OnProgress, Outcome, Progress, Stopper, Stream};

static TOKENS: AtomicU64 = AtomicU64::new(1);

/// An attempt to be, and what remains of it.
pub struct Case {
    pub folder: tempfile::TempDir,
    pub attempt: Attempt,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Case {
    pub fn shell(script: &str) -> Self {
        Self::new("shell").input("script", Value::from(script))
    }

    pub fn exec(argv: &[&str]) -> Self {
        Self::new("exec").input("argv", Value::List(argv.iter().map(|text| Value::from(*text)).collect()))
    }

    pub fn new(action: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let token = Token(TOKENS.fetch_add(1, Ordering::Relaxed));
        let attempt = Attempt {
            run: RunId::new(1_700_000_000_000, std::process::id()),
            runbook: "test".to_owned(),
            step: "block/step".to_owned(),
            action: action.to_owned(),
            input: Map::new(),
            taken: Vec::new(),
            secrets: Vec::new(),
            environment: None,
            key: "the-key".to_owned(),
            token,
            number: 2,
            once: true,
            grace: Millis(10_000),
            folder: folder.path().join("attempt"),
            log: folder.path().join("log"),
            files: None,
        };
        Self { folder, attempt, lines: Arc::default() }
    }

    pub fn input(mut self, name: &str, value: Value) -> Self {
        self.attempt.input.insert(name.to_owned(), value);
        self
    }

    pub fn env(mut self, name: &str, value: Value) -> Self {
        let env = self.attempt.input.entry("env".to_owned()).or_insert_with(|| Value::Map(Map::new()));
        if let Value::Map(env) = env {
            env.insert(name.to_owned(), value);
        }
        self
    }

    /// A file in the case's folder, by its full path.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A secret whose value stands in a file.
    pub fn secret(&self, name: &str, value: &str) -> SecretRef {
        std::fs::write(self.path(name), value).expect("the secret's file");
        SecretRef::File(self.path(name).display().to_string())
    }

    pub fn progress(&self) -> OnProgress {
        let lines = Arc::clone(&self.lines);
        Arc::new(move |Progress::Line { text, .. }| lines.lock().expect("no panic").push(text))
    }

    /// Lines of progress so far.
    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().expect("no panic").clone()
    }

    /// Runs the attempt to its end.
    pub async fn run(&self) -> Outcome {
        let (_stopper, stop) = Stopper::new();
        action(&self.attempt.action).run(&self.attempt, stop, self.progress()).await
    }

    /// Runs the attempt, which must succeed.
    pub async fn outputs(&self) -> Map {
        match self.run().await {
            Outcome::Succeeded { outputs } => outputs,
            other => panic!("{other:?}"),
        }
    }

    /// Runs the attempt, which must fail.
    pub async fn failure(&self) -> (Failure, Map) {
        match self.run().await {
            Outcome::Failed { error, outputs } => (error, outputs),
            other => panic!("{other:?}"),
        }
    }

    /// What the log says.
    pub fn log(&self) -> Vec<Event> {
        let mut reader = LogReader::open(&self.attempt.log).expect("a log");
        std::iter::from_fn(|| reader.next_entry().expect("a readable log")).map(|entry| entry.event).collect()
    }

    /// What the log kept of one stream.
    pub fn logged(&self, wanted: Stream) -> Vec<u8> {
        let of = |event| match event {
            Event::Output { stream, bytes } if stream == wanted => bytes,
            _ => Vec::new(),
        };
        self.log().into_iter().flat_map(of).collect()
    }
}

/// Starts the supervisor that comes with the engine.
pub fn launcher() -> Launcher {
    Launcher::program(env!("CARGO_BIN_EXE_lockstep-supervise"))
}

pub fn action(name: &str) -> Arc<dyn Action> {
    if name == "shell" { Arc::new(Shell::new(launcher())) } else { Arc::new(Exec::new(launcher())) }
}

pub fn secret(reference: SecretRef) -> Value {
    Value::Secret(SecretText(vec![SecretPart::Reference(reference)]))
}

pub fn field(data: &Value, name: &str) -> Value {
    let Value::Map(map) = data else { panic!("{data:?} is no map") };
    map[name].clone()
}
