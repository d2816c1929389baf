//! What is written to the journal: every change of the engine's state, and nothing else.
//!
//! Records are `MessagePack` with named fields. Add fields as optional; never rename or reuse one: old journals are read
//! for ever.

use lockstep_dsl::graph::{BlockId, Graph, Next, NodeId};
use lockstep_dsl::value::{Map, Value};
use serde::{Deserialize, Serialize};

use super::call::{Caller, Returned};
use super::edit::Edit;
pub use super::error::RunError;
use super::looping::{ItemEnd, Items, Page};
use super::loss::Loss;
use super::opening::Opening;
use super::pause::Hold;
pub use super::question::Question;
pub use super::status::{RunOutcome, Skip, StepStatus};
pub use super::undo::UndoEnd;
use crate::core::schedule::{ClockJump, ScheduleChange, ScheduleName, Tick};
use crate::id::{Lsn, RunId, StepNo, Token};
use crate::worker::Outcome;

/// One record of the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Record {
    /// A definition that runs refer to by its hash. Written before the first run that uses it.
    #[serde(rename = "def")]
    Defined {
        /// [`Graph::hash`].
        hash: String,
        /// The graph.
        graph: Box<Graph>,
    },
    /// A run came to be. The answer to whoever asked for it is given when this is durable.
    #[serde(rename = "new")]
    Created {
        /// The run.
        run: RunId,
        /// Its definition's hash.
        definition: String,
        /// Resolved parameters; secrets are references.
        params: Map,
        /// Who asked: `user:ana`.
        by: String,
        /// Where it was asked for: the folder in which commands without a `cwd` run.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cwd: Option<String>,
        /// The step that called it, where one did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        caller: Option<Caller>,
        /// The runbook's file, as a path from `cwd`: the definition may name another with the same text. `None` for a run that
        /// another one called, and from a program that wrote it only where the definition was known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        file: Option<String>,
        /// The tick that started it; what became of that is journaled in the same frame.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tick: Option<Box<Tick>>,
    },
    /// A run changed.
    #[serde(rename = "run")]
    Changed {
        /// The run.
        run: RunId,
        /// How.
        change: Change,
    },
    /// The open state up to `lsn` is in the image.
    #[serde(rename = "ckpt")]
    Checkpointed {
        /// The image holds the state after this record.
        lsn: Lsn,
        /// The image's generation.
        generation: u64,
        /// Digest over all entries.
        digest: [u8; 32],
    },
    /// Records were lost, and a person has accepted it: stands in the position of the first of them. Written by `doctor`
    /// into a journal that it makes anew, never by an engine; a crash after it leaves that journal or the damaged one.
    #[serde(rename = "lost")]
    Lost {
        /// What was lost; `None` in the positions behind the first, which only keep their numbers.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        loss: Option<Box<Loss>>,
    },
    /// Runs that had ended are not kept any longer: their rows are gone, and whatever is made anew from the journal is without
    /// them. Written on behalf of retention, only of runs that are not in memory; a crash right after it leaves their
    /// logs, which go later.
    #[serde(rename = "remove")]
    Removed {
        /// The runs.
        runs: Vec<RunId>,
    },
    /// A schedule changed.
    #[serde(rename = "sched")]
    Scheduled {
        /// The schedule.
        schedule: ScheduleName,
        /// How.
        change: ScheduleChange,
    },
    /// The wall clock was set by so much that no schedule is due until a person says so; or they have, or it was set back.
    #[serde(rename = "clock")]
    SchedulesHeld {
        /// What it showed; `None` once it is believed again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        held: Option<ClockJump>,
    },
    /// No run is open and no schedule is enrolled. Written when the engine is closed, so that the next one need not read what came before; it is
    /// read only as the very last record of the journal.
    #[serde(rename = "rest")]
    Rested {
        /// The newest run that ever was.
        newest: Option<RunId>,
        /// Bytes of records behind the last checkpoint.
        unchecked: u64,
    },
}

/// How a run changed. All are written by [`super::decide`]; where it matters, the comment says what a crash right after
/// one leaves behind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Change {
    /// Queued → running. After a crash the run goes on from here.
    #[serde(rename = "start")]
    Started,
    /// A block's steps came to be, all pending.
    #[serde(rename = "act")]
    Activated {
        /// The block.
        block: BlockId,
        /// The step it runs for; `None` for the runbook's own blocks.
        owner: Option<StepNo>,
    },
    /// The evaluator owes an answer. After a crash it is asked again.
    #[serde(rename = "ask")]
    Asked {
        /// For this step; `None` for the run itself.
        step: Option<StepNo>,
        /// What.
        question: Question,
    },
    /// A step will not run.
    #[serde(rename = "skip")]
    Skipped {
        /// The step.
        step: StepNo,
        /// Why.
        why: Skip,
    },
    /// A step's `when` held, or it has none: it runs from here on.
    #[serde(rename = "begin")]
    Begun {
        /// The step.
        step: StepNo,
    },
    /// The title that people see of a step is known, or cannot be worked out.
    #[serde(rename = "title")]
    Titled {
        /// The step.
        step: StepNo,
        /// The title.
        title: Option<String>,
    },
    /// An attempt is granted to a worker, who hears of it only when this is durable. After a crash its outcome is
    /// unknown unless the worker knows better.
    #[serde(rename = "go")]
    Starting {
        /// The step.
        step: StepNo,
        /// The attempt's fencing token.
        token: Token,
        /// Rendered input; `None` when it is the same as for the attempt before.
        input: Option<Map>,
    },
    /// An attempt was asked to stop. After a crash it is asked again.
    #[serde(rename = "stop")]
    Stopping {
        /// The step.
        step: StepNo,
        /// Why.
        cause: StopCause,
    },
    /// An attempt ended. Accepted only with the step's current token.
    #[serde(rename = "end")]
    Reported {
        /// The step.
        step: StepNo,
        /// The attempt's token.
        token: Token,
        /// How.
        outcome: Outcome,
    },
    /// A step that needs no worker, or a block, came to a result; what follows from it is decided next.
    #[serde(rename = "res")]
    Settled {
        /// The step.
        step: StepNo,
        /// Its result.
        result: Settlement,
    },
    /// A step waits for a point in engine time.
    #[serde(rename = "wait")]
    Delayed {
        /// The step.
        step: StepNo,
        /// Engine time in milliseconds.
        until: u64,
        /// What for.
        why: Delay,
        /// Of several `retry` rules the one that is for the failure.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rule: Option<u32>,
    },
    /// Nobody knows whether the attempt's effect took place, and it must not be repeated by itself. A person, or the
    /// attempt's own late report, says how to go on.
    #[serde(rename = "doubt")]
    Doubted {
        /// The step.
        step: StepNo,
        /// What is known.
        why: String,
    },
    /// A step's probe found out whether its effect took place.
    #[serde(rename = "probed")]
    Probed {
        /// The step.
        step: StepNo,
        /// Its outputs where it did; `None` where it did not.
        done: Option<Map>,
    },
    /// A person said how a step in doubt goes on.
    #[serde(rename = "solve")]
    Resolved {
        /// The step.
        step: StepNo,
        /// How.
        how: Resolution,
        /// Who.
        by: String,
    },
    /// A step, or the run itself, wants a key. After a crash it waits on, in its place.
    #[serde(rename = "want")]
    Wanted {
        /// The step; `None` for the run itself, which begins when it has the key.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        step: Option<StepNo>,
        /// The key.
        key: String,
        /// How many may hold it at a time.
        limit: u32,
        /// Where it stands among all that want one: the lowest number is served first.
        place: u64,
        /// How the run begins then, where not simply at its beginning.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        opening: Option<Box<Opening>>,
    },
    /// Who wanted a key has it, until the step or run ends. After a crash it holds it on.
    #[serde(rename = "lock")]
    Locked {
        /// The step; `None` for the run itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        step: Option<StepNo>,
        /// Whether a step around it, or who called the run, has it already.
        #[serde(default, skip_serializing_if = "is_false")]
        passes: bool,
    },
    /// A step calls another runbook. The run that it calls comes to be in the same frame, or goes on in it, so after a
    /// crash it is found again and never begun twice.
    #[serde(rename = "call")]
    Called {
        /// The step.
        step: StepNo,
        /// The run that it calls.
        run: RunId,
        /// Its parameters, resolved; none where it goes on.
        #[serde(default, skip_serializing_if = "Map::is_empty")]
        params: Map,
        /// Whether it goes on, since the run that called it was retried.
        #[serde(default, skip_serializing_if = "is_false")]
        again: bool,
    },
    /// The run that a step called has ended, in the same frame.
    #[serde(rename = "return")]
    Returned {
        /// The step.
        step: StepNo,
        /// How it ended.
        returned: Returned,
    },
    /// A step waits for somebody outside the run to say something. After a crash it waits on.
    #[serde(rename = "await")]
    Awaited {
        /// The step.
        step: StepNo,
        /// What it waits for, rendered.
        input: Map,
    },
    /// Somebody sent the run a signal. It is kept until a step takes it.
    #[serde(rename = "signal")]
    Signalled {
        /// Its name.
        name: String,
        /// What it carries.
        payload: Value,
        /// Who.
        by: String,
    },
    /// The oldest signal of the name that a step waits for is that step's.
    #[serde(rename = "take")]
    Received {
        /// The step.
        step: StepNo,
    },
    /// A person has said yes or no to what a step asks. Only who may is journaled, and nobody twice.
    #[serde(rename = "vote")]
    Voted {
        /// The step.
        step: StepNo,
        /// Whether they approve.
        yes: bool,
        /// Who.
        by: String,
        /// The entry of the step's list by which they may: `group:sre`. `None` where everybody may.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        right: Option<String>,
        /// What they said to it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        comment: Option<String>,
    },
    /// Nobody has answered for so long that others may, too.
    #[serde(rename = "escal")]
    Escalated {
        /// The step.
        step: StepNo,
    },
    /// A person has filled in what a step asks for.
    #[serde(rename = "fill")]
    FilledIn {
        /// The step.
        step: StepNo,
        /// Who.
        by: String,
        /// The entry of the step's list by which they may.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        right: Option<String>,
        /// The answer, in the types that the step asks for.
        answer: Map,
    },
    /// A `foreach` knows what it runs over. After a crash it goes on with the same items.
    #[serde(rename = "loop")]
    Looped {
        /// The step.
        step: StepNo,
        /// The items, or where they come from.
        items: Items,
    },
    /// A page of the file over which a `foreach` runs was read. After a crash it is not read again.
    #[serde(rename = "page")]
    Paged {
        /// The step.
        step: StepNo,
        /// What is on it.
        page: Box<Page>,
    },
    /// The next item of a `foreach` begins: its steps came to be, all pending; or one that did not end well goes on.
    #[serde(rename = "item")]
    ItemStarted {
        /// The `foreach`.
        step: StepNo,
    },
    /// An item of a `foreach` came to its end.
    #[serde(rename = "itemend")]
    ItemEnded {
        /// The `foreach`.
        step: StepNo,
        /// The item's activation.
        activation: u32,
        /// How.
        end: ItemEnd,
    },
    /// A `foreach` or `repeat` begins no further item or round.
    #[serde(rename = "loophalt")]
    LoopHalted {
        /// The step.
        step: StepNo,
        /// Whether what runs in it is cancelled too.
        cancel: bool,
        /// Why.
        cause: StopCause,
        /// Why further items cannot be read.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<Box<RunError>>,
    },
    /// The last item or round is over: what came of all is the step's outputs.
    #[serde(rename = "loopover")]
    LoopOver {
        /// The step.
        step: StepNo,
    },
    /// A block starts nothing any more.
    #[serde(rename = "halt")]
    Halted {
        /// Its activation.
        activation: u32,
        /// Whether what runs in it is cancelled too.
        cancel: bool,
        /// Why.
        cause: StopCause,
    },
    /// A step came to its end; nothing changes it any more but a `retry` of the run.
    #[serde(rename = "done")]
    Ended {
        /// The step.
        step: StepNo,
        /// How.
        status: StepStatus,
        /// Whether a failure was handled.
        handled: bool,
        /// Why it failed or was cancelled.
        error: Option<Box<RunError>>,
        /// What is added to its outputs: those that it declares.
        outputs: Map,
    },
    /// Where it goes on when this step has ended well is known: something in it, a case or a handler says so.
    #[serde(rename = "next")]
    Led {
        /// The step.
        step: StepNo,
        /// Where it goes on; `None` where the step itself says it.
        to: Option<Next>,
    },
    /// A run goes on with a step that it has come to before: it, and those behind it, are visited again.
    #[serde(rename = "back")]
    Revisited {
        /// The last visit of the step.
        step: StepNo,
    },
    /// A block whose failure is to be retried undoes first what was done in it. After a crash it goes on with what is
    /// left.
    #[serde(rename = "undoing")]
    Undoing {
        /// The block's step.
        step: StepNo,
        /// The entry of its `retry` that is for the failure.
        entry: u32,
    },
    /// A step's `undo` came to its end.
    #[serde(rename = "undone")]
    Undone {
        /// The step.
        step: StepNo,
        /// How.
        end: UndoEnd,
    },
    /// What else was to be undone will not be: a person or the limit of time stopped it.
    #[serde(rename = "undohalt")]
    UndoHalted,
    /// A person asked for nothing new to begin. What runs ends; after a crash it is paused still.
    #[serde(rename = "pause")]
    Paused {
        /// Who.
        by: String,
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// A person let a run that was paused go on.
    #[serde(rename = "unpause")]
    Unpaused {
        /// Who.
        by: String,
    },
    /// A person let one step begin in a run that is paused.
    #[serde(rename = "permit")]
    Permitted {
        /// The step.
        step: StepNo,
        /// Who.
        by: String,
    },
    /// A step would go on if the run were not paused.
    #[serde(rename = "hold")]
    Held {
        /// The step.
        step: StepNo,
        /// What comes next.
        what: Hold,
        /// The rendered input of the attempt that is held back; `None` where it is there already.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        input: Option<Map>,
    },
    /// A person said that a step is not to run. What makes it skipped is a record of its own, perhaps much later.
    #[serde(rename = "waive")]
    Waived {
        /// The step; `None` for every visit that its block still comes to.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        step: Option<StepNo>,
        /// The step of the file.
        node: NodeId,
        /// Who.
        by: String,
        /// Why.
        reason: String,
    },
    /// Somebody asked for the run to be cancelled; the second time cuts `finally` short. A cancel ends a pause.
    #[serde(rename = "cancel")]
    CancelRequested {
        /// Who.
        by: String,
        /// Whether what was done is to be undone.
        #[serde(default, skip_serializing_if = "is_false")]
        undo: bool,
    },
    /// A `finish` step ended the run well.
    #[serde(rename = "finish")]
    Finishing {
        /// In place of the runbook's outputs.
        outputs: Option<Map>,
    },
    /// How the run will end is known; `on_failure` and `finally` are still to come.
    #[serde(rename = "concl")]
    Concluded {
        /// How.
        outcome: RunOutcome,
        /// Why.
        error: Option<Box<RunError>>,
        /// Its outputs.
        outputs: Map,
    },
    /// The run came to its end.
    #[serde(rename = "over")]
    Finished {
        /// How.
        outcome: RunOutcome,
        /// Why it did not end well.
        error: Option<Box<RunError>>,
    },
    /// A person asked for a failed or cancelled run to go on, keeping what succeeded.
    #[serde(rename = "retry")]
    Retried {
        /// Who.
        by: String,
    },
    /// A run that did not end well has another definition from here on, which is journaled before; that it goes on
    /// stands in the same frame.
    #[serde(rename = "edit")]
    Edited {
        /// Which, from whom.
        edit: Box<Edit>,
    },
    /// The data folder was restored from a backup: tokens up to this one may be given out in the folder that the backup
    /// was taken of, so the next one given out here is higher.
    #[serde(rename = "rest")]
    Restored {
        /// The last token that may be another's.
        token: Token,
    },
    /// A decision about the run panicked: nothing is decided for it any more.
    #[serde(rename = "quar")]
    Quarantined {
        /// The panic's message.
        why: String,
    },
}

/// Why something is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StopCause {
    /// Somebody cancelled the run.
    #[serde(rename = "cancel")]
    Cancel,
    /// The attempt's or block's own limit of time.
    #[serde(rename = "timeout")]
    Timeout,
    /// The step's limit over all attempts.
    #[serde(rename = "total")]
    Total,
    /// A limit of time of a block around it.
    #[serde(rename = "enclosing")]
    Enclosing,
    /// The run's limit of time.
    #[serde(rename = "run_timeout")]
    RunTimeout,
    /// Another step failed.
    #[serde(rename = "failure")]
    Failure,
    /// Enough branches won.
    #[serde(rename = "won")]
    Won,
    /// A `finish` step ended the run.
    #[serde(rename = "finish")]
    Finish,
    /// A step in a loop's body ended the loop.
    #[serde(rename = "break")]
    Break,
}

/// The result of a step that needs no worker, or of a block.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Settlement {
    /// Well.
    #[serde(rename = "ok")]
    Done {
        /// What it produced.
        outputs: Map,
    },
    /// Not well.
    #[serde(rename = "err")]
    Failed {
        /// Why.
        error: Box<RunError>,
    },
    /// It was stopped before it came to a result.
    #[serde(rename = "stopped")]
    Stopped {
        /// Why.
        cause: StopCause,
    },
}

/// What a delayed step waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Delay {
    /// The time that a `wait` step names.
    #[serde(rename = "wait")]
    Wait,
    /// The next try after a failure.
    #[serde(rename = "retry")]
    Retry,
    /// The next try of `until`.
    #[serde(rename = "until")]
    Until,
    /// The next round of a `repeat`.
    #[serde(rename = "round")]
    Round,
}

/// How a step in doubt goes on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Resolution {
    /// Its effect took place.
    #[serde(rename = "done")]
    Done {
        /// The outputs that later steps use.
        outputs: Map,
    },
    /// It did not, and the step has failed.
    #[serde(rename = "failed")]
    Failed,
    /// It is to be run again.
    #[serde(rename = "rerun")]
    Rerun,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over references")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

impl Record {
    /// The run that it is about, where it is about one.
    pub const fn run(&self) -> Option<RunId> {
        match self {
            Self::Created { run, .. } | Self::Changed { run, .. } => Some(*run),
            Self::Defined { .. }
            | Self::Checkpointed { .. }
            | Self::Rested { .. }
            | Self::Scheduled { .. }
            | Self::SchedulesHeld { .. }
            | Self::Lost { .. }
            | Self::Removed { .. } => None,
        }
    }

    /// The hash of the definition that must be known before it is applied: that of a run or schedule which comes to be,
    /// or goes on under another one.
    pub fn needs_definition(&self) -> Option<&str> {
        match self {
            Self::Created { definition, .. } => Some(definition),
            Self::Changed { change: Change::Edited { edit }, .. } => Some(&edit.definition),
            Self::Scheduled { change: ScheduleChange::Enrolled(enrollment), .. } => Some(&enrollment.definition),
            Self::Defined { .. }
            | Self::Changed { .. }
            | Self::Scheduled { .. }
            | Self::SchedulesHeld { .. }
            | Self::Checkpointed { .. }
            | Self::Rested { .. }
            | Self::Lost { .. }
            | Self::Removed { .. } => None,
        }
    }
}
