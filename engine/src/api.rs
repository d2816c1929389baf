//! What the command line and the engine say to each other, in one process or over the folder's socket.
//!
//! Everything here is plain data that serde can carry as JSON. Runs are named by any unique prefix of their id, or
//! `last`.

mod awaits;
mod schedule;

use std::collections::BTreeMap;
use std::sync::Arc;

use lockstep_dsl::graph::Graph;
use lockstep_dsl::value::{Map, Timestamp, Value};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

pub use self::awaits::{AwaitView, Awaited, FieldView, HolderView};
pub use self::schedule::{Enroll, Enrolled, EnrolledView, ScheduleStatus, ScheduleView, TickView, TicksView};

use crate::core::run::{Loss, Person, Refused, Resolution, RunError, StepStatus};
use crate::id::RunId;
use crate::worker::Stream;

/// As a filter of [`Request::Runs`]: open, and no engine lets them go on.
pub const INTERRUPTED: &str = "interrupted";

/// A request to the engine that holds a data folder.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// Start a run. Answered by [`Reply::Started`] once it is durable.
    Start(Box<Start>),
    /// Let an interrupted run go on: its attempts that no worker has any more are reported as unknown first. An engine
    /// that opens a folder leaves the open runs it finds there alone until this, a `Cancel`, a `Retry` or a `Resolve`
    /// of them is asked for. A run that goes on already, or has ended, is left as it is. Answered by [`Reply::Done`].
    Resume {
        /// The run.
        run: String,
        /// Who asks.
        by: String,
    },
    /// Send [`Event`]s of this run, all from its beginning, then live ones, until it has ended or can go no further by
    /// itself. Answered by events only.
    Watch {
        /// The run.
        run: String,
        /// Whether to go on also while it only waits for what somebody was expected to say.
        #[serde(default)]
        patient: bool,
    },
    /// List runs, newest first.
    Runs {
        /// At most so many.
        limit: usize,
        /// Only those in this state (`running`, `failed`, ...), or those that are [`INTERRUPTED`].
        status: Option<String>,
        /// Only those of this runbook.
        runbook: Option<String>,
    },
    /// One run, whole.
    Show {
        /// The run.
        run: String,
    },
    /// Everything that was journaled of a run.
    History {
        /// The run.
        run: String,
    },
    /// Cancel; a second time cuts `finally` short.
    Cancel {
        /// The run.
        run: String,
        /// Who asks.
        by: String,
        /// Whether what was done is undone.
        #[serde(default)]
        undo: bool,
    },
    /// Begin nothing new in the run; what runs ends.
    Pause {
        /// The run.
        run: String,
        /// Who asks.
        by: String,
        /// Why.
        #[serde(default)]
        reason: Option<String>,
    },
    /// Let a run go on that is paused.
    Unpause {
        /// The run.
        run: String,
        /// Who asks.
        by: String,
    },
    /// Let one step begin in a run that is paused.
    Permit {
        /// The run.
        run: String,
        /// The step's path.
        step: String,
        /// Who asks.
        by: String,
    },
    /// Have a step not run: it counts as skipped.
    Skip {
        /// The run.
        run: String,
        /// The step's path.
        step: String,
        /// Who asks.
        by: String,
        /// Why.
        reason: String,
    },
    /// Go on with a failed or cancelled run, keeping what succeeded.
    Retry {
        /// The run.
        run: String,
        /// Who asks.
        by: String,
    },
    /// Go on with a failed or cancelled run under a corrected runbook, keeping what succeeded, where that is the same
    /// there.
    RetryEdited {
        /// The run.
        run: String,
        /// The corrected runbook.
        edition: Box<Edition>,
        /// Who asks.
        by: String,
    },
    /// Tell the run something by name: the step that awaits it takes it, now or later.
    Signal {
        /// The run.
        run: String,
        /// The signal's name.
        name: String,
        /// What it carries.
        payload: Value,
        /// Who sends it.
        by: String,
    },
    /// Approve what a step asks, or refuse it.
    Vote {
        /// The run.
        run: String,
        /// The step's path.
        step: String,
        /// Whether they approve.
        yes: bool,
        /// Who.
        person: Person,
        /// What they say to it.
        #[serde(default)]
        comment: Option<String>,
    },
    /// Fill in what a step asks for.
    Answer {
        /// The run.
        run: String,
        /// The step's path.
        step: String,
        /// The fields, as texts of a command line.
        fields: BTreeMap<String, String>,
        /// Who.
        person: Person,
    },
    /// Have the schedules of a runbook follow its triggers from now on: new ones are enrolled, changed ones keep their id
    /// and all that is known of them, and those that it has no more are withdrawn. Answered by [`Reply::Enrolled`] once
    /// that is durable.
    Enroll(Box<Enroll>),
    /// Withdraw all schedules of a runbook that is not there any more. Answered by [`Reply::Done`].
    Withdraw {
        /// The runbook's name.
        runbook: String,
        /// Who asks.
        by: String,
    },
    /// List the schedules that are enrolled, by name. Answered by [`Reply::Schedules`].
    Schedules {
        /// Only those of this runbook.
        #[serde(default)]
        runbook: Option<String>,
    },
    /// Let schedules be due from now on, as long as this engine lives: asked by who serves the folder, when everything is
    /// enrolled. What was missed is caught up then. Until then an engine starts nothing by itself. Answered by
    /// [`Reply::Done`].
    StartSchedules {
        /// Who asks.
        by: String,
    },
    /// Have the ticks of a schedule start nothing until it is resumed. A schedule is named by `runbook:trigger`, or by its
    /// runbook or trigger alone where that names one. Answered by [`Reply::Done`].
    PauseSchedule {
        /// The schedule.
        schedule: String,
        /// Who asks.
        by: String,
        /// Why.
        #[serde(default)]
        reason: Option<String>,
    },
    /// Let a schedule go on that is paused, or all of them that are held since the wall clock was set by more than a day.
    /// Answered by [`Reply::Done`].
    ResumeSchedule {
        /// The schedule; `None` to believe the clock.
        #[serde(default)]
        schedule: Option<String>,
        /// Who asks.
        by: String,
    },
    /// What became of the ticks of a schedule between two instants, both inclusive. Answered by [`Reply::Ticks`].
    Ticks {
        /// The schedule.
        schedule: String,
        /// The first instant.
        from: Timestamp,
        /// The last one.
        to: Timestamp,
    },
    /// Say how a step in doubt goes on.
    Resolve {
        /// The run.
        run: String,
        /// The step's path.
        step: String,
        /// How.
        how: Resolution,
        /// Who says so.
        by: String,
    },
}

/// What a run starts from.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Start {
    /// The run's id, chosen by whoever asks: asking again when an answer was lost then starts no second run, but is
    /// answered as the first time.
    pub id: RunId,
    /// The compiled runbook; starting one again and again with the same allocation costs no look into it.
    #[serde(with = "shared")]
    pub graph: Arc<Graph>,
    /// Given parameters, typed but without defaults.
    pub params: Map,
    /// Who asks: `user:ana`.
    pub by: String,
    /// The folder in which its commands run unless they say otherwise; the engine's own where it is not given. It is the
    /// run's for good: whoever hosts or resumes it may stand elsewhere.
    #[serde(default)]
    pub cwd: Option<String>,
    /// The variables that the run's `env:` secrets name, as they are where the run was asked for; without them those of
    /// the engine count. Kept in memory while the engine lives and never journaled: after a crash, those of whoever
    /// resumes the run count.
    #[serde(default)]
    pub environment: Option<SecretEnvironment>,
    /// How it begins, where not simply at its beginning.
    #[serde(default)]
    pub beginning: Beginning,
}

/// A corrected runbook for a run that is there.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Edition {
    /// The runbook, compiled.
    #[serde(with = "shared")]
    pub graph: Arc<Graph>,
    /// Its file, as a path from the run's folder: what is read when the run is edited again.
    pub file: String,
    /// Parameters that it declares and the run does not have, typed but without defaults.
    #[serde(default)]
    pub params: Map,
}

/// What a run leaves out, and whether each of its steps waits for a person's word.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beginning {
    /// Paths of steps that are not to run.
    #[serde(default)]
    pub skip: Vec<String>,
    /// The id of the runbook's own step with which it begins; those before it are skipped.
    #[serde(default)]
    pub from: Option<String>,
    /// Whether it is paused from its beginning, and its steps begin by [`Request::Permit`].
    #[serde(default)]
    pub stepwise: bool,
}

/// What is shared in memory, written as itself.
pub(crate) mod shared {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<T: Serialize, S: Serializer>(value: &Arc<T>, serializer: S) -> Result<S::Ok, S::Error> {
        value.as_ref().serialize(serializer)
    }

    pub fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<T>, D::Error> {
        T::deserialize(deserializer).map(Arc::new)
    }
}

/// Values of environment variables that are secrets. What is printed of it is its names.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretEnvironment(pub BTreeMap<String, String>);

impl std::fmt::Debug for SecretEnvironment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// The answer to a request.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// The run is durable and will go on whatever happens to the caller.
    Started {
        /// Its id.
        run: RunId,
    },
    /// What was asked for is durable.
    Done,
    /// Answer to [`Request::Runs`].
    Runs(Vec<RunRow>),
    /// Answer to [`Request::Show`].
    Run(Box<RunView>),
    /// Answer to [`Request::History`].
    History(Vec<HistoryRow>),
    /// Answer to [`Request::Enroll`]: what became of each of the runbook's triggers, in the order of their ids.
    Enrolled(Vec<EnrolledView>),
    /// Answer to [`Request::Schedules`].
    Schedules(Vec<ScheduleView>),
    /// Answer to [`Request::Ticks`].
    Ticks(Box<TicksView>),
    /// It cannot be done; nothing has changed.
    Refused(Refusal),
}

/// Why a request was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// Whose fault it is, and with that the exit code.
    pub kind: RefusalKind,
    /// One sentence, lower case.
    pub message: String,
    /// What to do instead.
    #[serde(default)]
    pub help: Vec<String>,
}

impl From<&Refused> for Refusal {
    fn from(refused: &Refused) -> Self {
        let help = match refused {
            Refused::Instead { instead, .. } => vec![instead.clone()],
            Refused::NoSuchRun | Refused::Superseded | Refused::NotNow(_) => Vec::new(),
        };
        Self { kind: RefusalKind::Invalid, message: refused.to_string(), help }
    }
}

/// Whose fault a refusal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalKind {
    /// The caller's: unknown run, wrong parameter, a step that is not in doubt. Exit code 2.
    Invalid,
    /// The store's: full, damaged, gone. Exit code 5.
    Store,
}

/// One line of `lockstep runs`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunRow {
    /// Its id.
    pub id: RunId,
    /// The runbook.
    pub runbook: String,
    /// `queued`, `running`, `waiting`, `paused`, `succeeded`, `failed`, `cancelled`.
    pub status: String,
    /// Open while no engine holds its folder.
    pub interrupted: bool,
    /// A step of it is in doubt.
    pub in_doubt: bool,
    /// It goes on when somebody says what a step awaits, or lets it go on after a pause, and not before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub awaits: bool,
    /// When it came to be.
    pub created: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// Who asked for it.
    pub by: String,
    /// The run that called it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<RunId>,
}

/// One run, whole: `lockstep show --json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunView {
    /// Its id.
    pub id: RunId,
    /// The runbook's name.
    pub runbook: String,
    /// As in [`RunRow::status`].
    pub status: String,
    /// Open while no engine holds its folder.
    pub interrupted: bool,
    /// Parameters; secrets as their references.
    pub params: BTreeMap<String, Json>,
    /// Outputs; empty while the run is open.
    pub outputs: BTreeMap<String, Json>,
    /// Why it did not end well.
    pub error: Option<ErrorView>,
    /// Every step that has come to be, in order of the file and of visits.
    pub steps: Vec<StepView>,
    /// Who asked for it.
    pub by: String,
    /// Content hash of the definition.
    pub definition: String,
    /// When it came to be, RFC 3339.
    pub created: String,
    /// When its first step could start.
    pub started: Option<String>,
    /// When it ended.
    pub ended: Option<String>,
    /// The run that called it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<RunId>,
    /// The runbook's file, as a path from `cwd`: what it was started from, or last edited with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The folder in which its commands run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// When it went on under another definition, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub edits: Vec<EditView>,
    /// Who asked for it to be cancelled.
    pub cancelled_by: Option<String>,
    /// Why what it did cannot be told any more; then there are no parameters, outputs or steps here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gone: Option<Gone>,
    /// That it is paused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<PauseView>,
    /// The key that it needs to begin, or to go on, while others hold it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<Box<AwaitView>>,
    /// Since when it waits for that, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queued: Option<String>,
}

/// That a run went on under a corrected runbook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EditView {
    /// Who asked for it.
    pub by: String,
    /// When, RFC 3339.
    pub at: String,
    /// Content hash of the definition that it had before.
    pub from: String,
}

/// That a run is paused: what runs ends, and nothing new begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PauseView {
    /// Who asked for it.
    pub by: String,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Since when, RFC 3339.
    pub since: String,
}

/// That a person said of a step that it is not to run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkipView {
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When, RFC 3339.
    pub at: String,
}

/// Why what was journaled of a run is not there any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum Gone {
    /// It was removed to keep the folder within its storage budget.
    Retention {
        /// When, RFC 3339; `None` where that is not known.
        at: Option<String>,
    },
    /// It could not be read any more, and a person has accepted that.
    Loss {
        /// When, RFC 3339.
        at: String,
        /// Who.
        by: String,
        /// The file that held it, from the data folder on.
        file: String,
        /// The position of the first record that was lost.
        first: u64,
        /// The position of the last one.
        last: u64,
    },
}

impl Gone {
    /// Why what was lost is not there.
    pub fn of(loss: &Loss) -> Self {
        Self::Loss {
            at: loss.at.to_string(),
            by: loss.by.clone(),
            file: loss.file.clone(),
            first: loss.first.0,
            last: loss.last.0,
        }
    }
}

/// One visit of a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepView {
    /// Block, branch and step names joined by `/`.
    pub path: String,
    /// `shell`, `exec`, ...
    pub kind: String,
    /// Its title, where it has one.
    pub title: Option<String>,
    /// `pending`, `ready`, `running`, `waiting`, `in_doubt`, `succeeded`, `failed`, `skipped`, `cancelled`.
    pub status: StepStatus,
    /// Why it was skipped: `when`, `disabled`, `unreached`, `passed`, `person`; why it is in doubt; what it waits for;
    /// `held` where nothing but a pause of the run keeps it from going on.
    pub reason: Option<String>,
    /// Definite attempts.
    pub attempts: u32,
    /// Whether its failure was handled.
    pub handled: bool,
    /// Its outputs.
    pub outputs: BTreeMap<String, Json>,
    /// Why it failed.
    pub error: Option<ErrorView>,
    /// When it began, RFC 3339.
    pub started: Option<String>,
    /// When it ended.
    pub ended: Option<String>,
    /// When its wait is over, where it waits for time; where it waits for somebody, when that is too late.
    pub until: Option<String>,
    /// Since when it waits for somebody, or is in doubt, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// Of a step that is pending, the paths of the steps that it still needs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<String>,
    /// What somebody outside the run must say for it to go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub awaits: Option<Box<AwaitView>>,
    /// That a person said that it is not to run; it is skipped, or will be when its turn comes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skip: Option<Box<SkipView>>,
    /// The log files of its attempts in order, as paths.
    pub logs: Vec<String>,
}

/// An error as JSON shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ErrorView {
    /// Its kind.
    pub kind: String,
    /// One sentence.
    pub message: String,
    /// The step it arose in.
    pub step: String,
    /// The attempt it arose in.
    pub attempt: u32,
    /// What the kind knows.
    pub data: Json,
    /// What it came on top of.
    pub cause: Option<Box<ErrorView>>,
}

impl From<&RunError> for ErrorView {
    fn from(error: &RunError) -> Self {
        Self {
            kind: error.kind.clone(),
            message: error.message.clone(),
            step: error.step.clone(),
            attempt: error.attempt,
            data: error.data.to_json(),
            cause: error.cause.as_deref().map(|cause| Box::new(Self::from(cause))),
        }
    }
}

/// One journaled record of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HistoryRow {
    /// Its position in the journal.
    pub lsn: u64,
    /// When it was decided, RFC 3339.
    pub at: String,
    /// The record's name: `created`, `begun`, `starting`, ...
    pub what: String,
    /// The step's path, where it is about one.
    pub step: Option<String>,
    /// The rest of the record.
    pub detail: Json,
}

/// What a run does, as it does it: one JSON object a line under `--json`. All but `output` are sent only when they are
/// durable.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// The run came to be, or is being watched from here on; what its steps are.
    Started {
        /// The run.
        id: RunId,
        /// The runbook.
        runbook: String,
        /// When.
        at: String,
        /// When the run came to be.
        since: String,
        /// The plan: path, kind and title of every step of the file, in order, indented by depth.
        plan: Vec<PlanRow>,
    },
    /// A step changed: it is now as given.
    Step {
        /// The run.
        id: RunId,
        /// When.
        at: String,
        /// The step.
        #[serde(flatten)]
        step: Box<StepView>,
    },
    /// A line of output. May be lost; the log has all.
    Output {
        /// The run.
        id: RunId,
        /// The step's path.
        path: String,
        /// Which stream.
        stream: Stream,
        /// The line.
        line: String,
    },
    /// The run changed its status without having ended, or was asked to cancel.
    Status {
        /// The run.
        id: RunId,
        /// When.
        at: String,
        /// As in [`RunRow::status`].
        status: String,
        /// Why: `cancel requested by user:ana`.
        reason: Option<String>,
    },
    /// The last line: the run ended, or can go no further by itself (`waiting` with a step in doubt).
    Run {
        /// The run.
        id: RunId,
        /// As in [`RunRow::status`].
        status: String,
        /// Its outputs.
        outputs: BTreeMap<String, Json>,
        /// Why it did not end well.
        error: Option<ErrorView>,
    },
}

/// A step of the plan.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PlanRow {
    /// Its path in the file.
    pub path: String,
    /// Its kind.
    pub kind: String,
    /// Its title, where it is plain text.
    pub title: Option<String>,
    /// How deep it is nested, from 0.
    pub depth: usize,
    /// How often it is tried at most: 1 without `retry`.
    pub tries: u32,
}
