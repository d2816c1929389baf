//! Workers run attempts. They know nothing of graphs, retries or what comes next.
//!
//! [`local::LocalWorkers`] runs attempts as tasks of this process. [`command`] holds the actions `shell` and `exec`, whose
//! processes belong to a [`crate::supervisor`] and outlive this one; other actions come from the standard library, behind
//! [`Action`]. All that an attempt says passes [`mask`] before it
//! reaches its [`log`], its outcome or anybody who watches: no value of a secret leaves this module.

pub mod command;
pub mod launch;
pub mod learned;
pub mod leftover;
pub mod limits;
pub mod local;
pub mod log;
pub mod mask;
pub mod pages;
pub mod retired;
pub mod secret;

pub(crate) mod output;
pub mod sink;

mod encodings;
mod follow;
pub(crate) mod input;
mod lines;
mod recover;

use std::path::PathBuf;
use std::sync::Arc;

use lockstep_dsl::graph::Taken;
use lockstep_dsl::value::{Map, Millis, SecretRef, Value};
use serde::{Deserialize, Serialize};

use crate::api::SecretEnvironment;
use crate::id::{RunId, Token};

/// One attempt of one step, granted once, to one worker.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The run.
    pub run: RunId,
    /// The runbook's name.
    pub runbook: String,
    /// The step's path in the run, such as `roll/web/restart~2`.
    pub step: String,
    /// The action: `shell`, `exec`, `http`, later `slack/post`.
    pub action: String,
    /// Rendered input, as the action documents it. Secrets are references still.
    pub input: Map,
    /// What is taken of the result where the attempt runs, since the rest of it is withheld; empty where all of it is told.
    pub taken: Vec<Taken>,
    /// The references of all secrets that the run knows: masked in what this attempt says, whether it uses them or not.
    pub secrets: Vec<SecretRef>,
    /// The variables that `env:` secrets are read from; `None` for those of the engine.
    pub environment: Option<Arc<SecretEnvironment>>,
    /// `LOCKSTEP_KEY` and `Idempotency-Key`: the same for all attempts of one visit.
    pub key: String,
    /// `LOCKSTEP_TOKEN` and `Lockstep-Token`.
    pub token: Token,
    /// `LOCKSTEP_ATTEMPT`, from 1.
    pub number: u32,
    /// Whether an unknown outcome may be repeated; decides for `http` what is definite.
    pub once: bool,
    /// Between SIGTERM and SIGKILL.
    pub grace: Millis,
    /// A folder of this attempt's own, made by the worker and removed when the outcome is durable.
    pub folder: PathBuf,
    /// The log file of this attempt, made by the worker.
    pub log: PathBuf,
    /// The folder of the run's pinned files, read-only; `None` when it has none.
    pub files: Option<PathBuf>,
}

impl Attempt {
    /// The attempt with `***` in place of every secret: for who must see what it would do and must not read them.
    #[must_use]
    pub fn without_secrets(&self) -> Self {
        let input = self.input.iter().map(|(name, value)| (name.clone(), masked(value))).collect();
        Self { input, secrets: Vec::new(), environment: None, ..self.clone() }
    }
}

fn masked(value: &Value) -> Value {
    match value {
        Value::Secret(_) => Value::from("***"),
        Value::List(values) => Value::List(values.iter().map(masked).collect()),
        Value::Map(map) => Value::Map(map.iter().map(|(name, value)| (name.clone(), masked(value))).collect()),
        Value::Null
        | Value::Bool(_)
        | Value::Int(_)
        | Value::Float(_)
        | Value::String(_)
        | Value::Duration(_)
        | Value::Time(_) => value.clone(),
    }
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Outcome {
    /// It did what it should.
    Succeeded {
        /// What the kind produces.
        outputs: Map,
    },
    /// It certainly ended, and not well.
    Failed {
        /// Why.
        error: Failure,
        /// What it produced all the same.
        outputs: Map,
    },
    /// Nobody knows whether its effect took place.
    Unknown {
        /// What is known: `the connection broke after the request was sent`.
        why: String,
    },
}

/// What went wrong, in the words of the language: the `error` that runbooks see is made of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// `failed`, `timeout`, `lost`, `rejected`, `invalid`, `assertion`, `cancelled`, `limit`, or what `fail` names.
    pub kind: String,
    /// One sentence, lower case.
    pub message: String,
    /// What the kind knows: for commands `exit_code`, `signal`, `stderr`.
    #[serde(default)]
    pub data: Value,
    /// Whether the attempt certainly changed nothing: it never began. What it was to do need not be undone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub untouched: bool,
}

impl Failure {
    /// A failure without data.
    pub fn new(kind: &str, message: impl Into<String>) -> Self {
        Self { kind: kind.to_owned(), message: message.into(), data: Value::Null, untouched: false }
    }

    /// The same of an attempt that never began.
    #[must_use]
    pub fn untouched(self) -> Self {
        Self { untouched: true, ..self }
    }

    /// A certain failure that a retry may cure.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new("failed", message)
    }

    /// A failure that no retry can cure: what the attempt was given, or what it gave, is wrong.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new("invalid", message)
    }
}

impl From<Failure> for Outcome {
    fn from(error: Failure) -> Self {
        Self::Failed { error, outputs: Map::new() }
    }
}

/// What a worker says while an attempt runs.
#[derive(Clone, Debug)]
pub enum Progress {
    /// A line of output, for people who watch; masked; may be lost.
    Line {
        /// Which stream.
        stream: Stream,
        /// The text, without the line's end; invalid UTF-8 replaced.
        text: String,
    },
}

/// A stream of output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// Hears what an attempt says.
pub type OnProgress = Arc<dyn Fn(Progress) + Send + Sync>;

/// A request to stop: `wait` ends when it is asked for. Cloning shares it.
#[derive(Clone, Debug)]
pub struct StopSignal(tokio::sync::watch::Receiver<bool>);

/// The other end of a [`StopSignal`].
#[derive(Debug)]
pub struct Stopper(tokio::sync::watch::Sender<bool>);

impl Stopper {
    /// A stopper and its signal.
    pub fn new() -> (Self, StopSignal) {
        let (sender, receiver) = tokio::sync::watch::channel(false);
        (Self(sender), StopSignal(receiver))
    }

    /// Asks to stop. Asking again changes nothing.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

impl StopSignal {
    /// Ends when stopping is asked for; never when the stopper is gone without having asked.
    pub async fn wait(&mut self) {
        if self.0.wait_for(|asked| *asked).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Whether stopping was asked for.
    pub fn is_asked(&self) -> bool {
        *self.0.borrow()
    }
}

/// An attempt that a former engine has granted, and of which it is not known what became.
#[derive(Clone, Copy, Debug)]
pub struct Recovered<'a> {
    /// The attempt, as it was granted.
    pub attempt: &'a Attempt,
    /// Whether the machine has been up since.
    pub this_boot: bool,
}

/// Something that steps can do. One value serves all attempts of its kind.
///
/// An action must come to its end soon after `stop` is asked for: a command is sent SIGTERM, and SIGKILL after
/// [`Attempt::grace`]. The outcome then still says what happened: the engine knows that it asked.
pub trait Action: Send + Sync {
    /// The name steps call it by.
    fn name(&self) -> &'static str;

    /// Whether its attempts use [`Attempt::folder`]. It is removed only behind those that do.
    fn uses_folder(&self) -> bool {
        false
    }

    /// An attempt is to be expected soon: what takes long before it can begin may be done now.
    fn get_ready(&self) {}

    /// Runs an attempt to its end at once, where that takes some microseconds and waits for nothing: it costs no task
    /// then. `None` has it run as one. Called on the engine's own thread, so whatever takes longer holds up every run.
    fn run_now(&self, attempt: &Attempt) -> Option<Outcome> {
        let _ = attempt;
        None
    }

    /// Runs one attempt to its end.
    fn run<'a>(
        &'a self,
        attempt: &'a Attempt,
        stop: StopSignal,
        progress: OnProgress,
    ) -> std::pin::Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>;

    /// Finds out what became of an attempt that a former engine granted, and sees it to its end. One that has certainly
    /// not begun is run. Actions that live and die with the engine know nothing of it.
    fn recover<'a>(
        &'a self,
        of: Recovered<'a>,
        stop: StopSignal,
        progress: OnProgress,
    ) -> std::pin::Pin<Box<dyn Future<Output = Outcome> + Send + 'a>> {
        drop((of, stop, progress));
        let why = "the engine stopped while the step ran".to_owned();
        Box::pin(std::future::ready(Outcome::Unknown { why }))
    }
}
