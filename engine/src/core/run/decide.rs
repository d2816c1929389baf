//! What follows from an input.

use std::sync::Arc;

use lockstep_dsl::graph::{Kind, Switch, Taken};
use lockstep_dsl::param::secret_reference;
use lockstep_dsl::value::{Map, Value};

use super::approval::Person;
use super::call::Returned;
use super::claim::Denial;
use super::error::RunError;
use super::opening::Opening;
use super::record::{Change, Delay, Question, Resolution, Settlement, Skip, StopCause};
use super::state::{Phase, Run, RunStatus, Timer};
use super::turn::Turn;
use crate::clock::Stamp;
use crate::fault::{self, Bug};
use crate::id::{StepNo, Token};
use crate::limits::RESTORED_TOKENS;
use crate::worker::{Failure, Outcome};

/// What the evaluator says to a [`Question`].
pub type Answer = Result<Value, Failure>;

/// Something that happened to a run.
#[derive(Clone, Debug)]
pub enum Input {
    /// It may start.
    Start {
        /// How.
        opening: Opening,
        /// The key that it needs for that, where it shares one with other runs.
        key: Option<String>,
    },
    /// The step, or the run itself, has the key that it waits for.
    Locked {
        /// The step; `None` for the run itself.
        step: Option<StepNo>,
        /// Whether a step around it, or who called the run, has it.
        passes: bool,
    },
    /// The step, or the run itself, will not get the key that it waits for.
    Denied {
        /// The step; `None` for the run itself.
        step: Option<StepNo>,
        /// Why not.
        why: Denial,
    },
    /// The evaluator answers. An answer to a question that is not open any more changes nothing.
    Answered {
        /// The step; `None` for the run itself.
        step: Option<StepNo>,
        /// The question.
        question: Question,
        /// The answer.
        answer: Answer,
    },
    /// A worker says how an attempt ended. After a crash the driver says `Outcome::Unknown` for what no worker has.
    Reported {
        /// The step.
        step: StepNo,
        /// The attempt's token; a superseded one is refused.
        token: Token,
        /// How it ended.
        outcome: Outcome,
    },
    /// Time has passed: whatever is due by the stamp happens.
    Due,
    /// Somebody asks for the run to be cancelled.
    Cancel {
        /// Who.
        by: String,
        /// Whether what was done is to be undone.
        undo: bool,
    },
    /// A person says how a step in doubt goes on.
    Resolve {
        /// The step's path.
        step: String,
        /// How.
        how: Resolution,
        /// Who.
        by: String,
    },
    /// Somebody sends a signal.
    Signal {
        /// Its name.
        name: String,
        /// What it carries.
        payload: Value,
        /// Who.
        by: String,
    },
    /// A person asks for nothing new to begin.
    Pause {
        /// Who.
        by: String,
        /// Why.
        reason: Option<String>,
    },
    /// A person lets a run that is paused go on.
    Unpause {
        /// Who.
        by: String,
    },
    /// A person lets one step begin in a run that is paused.
    Permit {
        /// The step's path.
        step: String,
        /// Who.
        by: String,
    },
    /// A person says that a step is not to run.
    Skip {
        /// The step's path.
        step: String,
        /// Who.
        by: String,
        /// Why.
        reason: String,
    },
    /// A person says yes or no to what a step asks.
    Vote {
        /// The step's path.
        step: String,
        /// Whether they approve.
        yes: bool,
        /// Who.
        person: Person,
        /// What they say to it.
        comment: Option<String>,
    },
    /// The run that a step called has ended.
    Returned {
        /// The step.
        step: StepNo,
        /// How.
        returned: Returned,
    },
    /// A person fills in what a step asks for.
    FillIn {
        /// The step's path.
        step: String,
        /// The answer, in the types that the step asks for.
        answer: Map,
        /// Who.
        person: Person,
    },
    /// A person asks for a failed or cancelled run to go on.
    Retry {
        /// Who.
        by: String,
    },
    /// The data folder is a copy that was restored: the one that it was taken of may live on, with workers.
    Restored,
    /// Deciding about the run panicked.
    Quarantine {
        /// The panic's message.
        why: String,
    },
}

/// Why an input changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There is no such run, or it ended and was let go of.
    #[error("there is no such open run")]
    NoSuchRun,
    /// The token is not that of the step's current attempt.
    #[error("the attempt was superseded")]
    Superseded,
    /// It cannot be done to the run as it is; the text says why.
    #[error("{0}")]
    NotNow(String),
    /// The same, and what can be done.
    #[error("{why}")]
    Instead {
        /// Why not.
        why: String,
        /// What to do instead.
        instead: String,
    },
}

/// Decides what follows from an input. Every change is applied to `run` as it is decided, and noted in `changes`.
///
/// # Errors
/// The input cannot be followed; then nothing has changed.
pub fn decide(run: &mut Run, input: Input, now: Stamp, changes: &mut Vec<Change>) -> Result<(), Refused> {
    let mut turn = Turn::new(run, now, changes);
    if let Some(why) = turn.run.standstill() {
        return turn.while_quarantined(&input, &why);
    }
    match input {
        Input::Start { opening, key } => turn.start(opening, key),
        Input::Locked { step, passes } => turn.locked(step, passes),
        Input::Denied { step, why } => turn.denied(step, &why),
        Input::Answered { step: Some(step), question, answer } => turn.answered(step, question, answer),
        Input::Answered { step: None, question, answer } => turn.run_answered(question, answer),
        Input::Reported { step, token, outcome } => turn.reported(step, token, outcome)?,
        Input::Due => turn.due(),
        Input::Cancel { by, undo } => turn.cancel(by, undo)?,
        Input::Resolve { step, how, by } => turn.resolve(&step, &how, by)?,
        Input::Signal { name, payload, by } => turn.signal(name, payload, by)?,
        Input::Pause { by, reason } => turn.pause(by, reason)?,
        Input::Unpause { by } => turn.unpause(by)?,
        Input::Permit { step, by } => turn.permit(&step, by)?,
        Input::Skip { step, by, reason } => turn.waive(&step, by, reason)?,
        Input::Vote { step, yes, person, comment } => turn.vote(&step, yes, &person, comment)?,
        Input::FillIn { step, answer, person } => turn.fill_in(&step, answer, &person)?,
        Input::Returned { step, returned } => turn.returned(step, returned)?,
        Input::Retry { by } => turn.retry(by)?,
        Input::Restored => turn.restored()?,
        Input::Quarantine { why } => turn.emit(Change::Quarantined { why }),
    }
    turn.drain();
    Ok(())
}

impl Turn<'_> {
    /// Of a run that our own bug or a loss stopped, a person can only get rid.
    fn while_quarantined(&mut self, input: &Input, why: &str) -> Result<(), Refused> {
        match input {
            Input::Cancel { by, .. } if !self.run.is_ended() => {
                self.emit(Change::CancelRequested { by: by.clone(), undo: false });
                let error = RunError::new("failed", why.to_owned(), "");
                self.end_run(Some(Box::new(error)));
                Ok(())
            }
            Input::Start { .. }
            | Input::Locked { .. }
            | Input::Denied { .. }
            | Input::Answered { .. }
            | Input::Reported { .. }
            | Input::Due
            | Input::Cancel { .. }
            | Input::Resolve { .. }
            | Input::Signal { .. }
            | Input::Pause { .. }
            | Input::Unpause { .. }
            | Input::Permit { .. }
            | Input::Skip { .. }
            | Input::Vote { .. }
            | Input::FillIn { .. }
            | Input::Returned { .. }
            | Input::Retry { .. }
            | Input::Restored
            | Input::Quarantine { .. } => Err(Refused::NotNow(format!("{why}; it can only be cancelled"))),
        }
    }

    fn start(&mut self, opening: Opening, key: Option<String>) {
        if self.run.status != RunStatus::Queued {
            return;
        }
        if let Some(key) = key {
            self.queue(key, Some(opening).filter(|opening| !opening.is_plain()));
            return;
        }
        self.emit(Change::Started);
        self.open(&opening);
    }

    fn answered(&mut self, step: StepNo, question: Question, answer: Answer) {
        if !self.run.questions.contains(&(Some(step), question)) {
            return;
        }
        match (question, answer) {
            (Question::When, Ok(Value::Bool(true))) => self.begin(step),
            (Question::When, Ok(Value::Bool(false))) => self.skip(step, Skip::When),
            (Question::When, answer) => {
                self.emit(Change::Begun { step });
                self.refuse_answer(step, question, answer.err());
            }
            (Question::Title, Ok(Value::String(title))) => self.titled(step, Some(title)),
            (Question::Title, _) => self.titled(step, None),
            (Question::Lock, Ok(Value::String(key))) => self.want(step, key),
            (Question::Input, Ok(value)) => {
                let graph = Arc::clone(&self.run.graph);
                self.rendered(step, &graph.node(self.run.step(step).node).kind, value);
            }
            (Question::Outputs, Ok(Value::Map(outputs))) => {
                self.settle(step, Settlement::Done { outputs });
                self.finish(step);
            }
            (Question::Until, Ok(Value::Bool(true))) => self.until_holds(step),
            (Question::Until, Ok(Value::Bool(false))) => self.next_round(step),
            // A failed try has little to look at; that `until` cannot be worked out then means "not yet".
            (Question::Until, Err(_)) if self.run.step(step).error.is_some() => self.next_round(step),
            (Question::While, Ok(Value::Bool(true))) => self.begin_round(step),
            (Question::While, Ok(Value::Bool(false))) | (Question::Round, Ok(Value::Bool(true))) => {
                self.rounds_over(step);
            }
            (Question::Round, Ok(Value::Bool(false))) => self.after_round(step),
            (Question::Page, answer) => self.page_read(step, answer),
            (Question::Probe, answer) => self.probe_answered(step, answer),
            (Question::Retry(entry), Ok(Value::Bool(true))) => self.try_again(step, entry),
            (Question::Retry(entry), Ok(Value::Bool(false))) => self.retry_from(step, entry + 1),
            (Question::Catch(entry), Ok(Value::Bool(true))) => self.handle(step, entry),
            (Question::Catch(entry), Ok(Value::Bool(false))) => self.catch_from(step, entry + 1),
            (
                Question::Lock
                | Question::Input
                | Question::Outputs
                | Question::Until
                | Question::While
                | Question::Round
                | Question::Retry(_)
                | Question::Catch(_)
                | Question::RunOutputs,
                answer,
            ) => self.refuse_answer(step, question, answer.err()),
        }
    }

    /// An expression of the step could not be worked out: that is the step's failure, on top of the one it was about.
    pub(super) fn refuse_answer(&mut self, step: StepNo, question: Question, failure: Option<Failure>) {
        let failure = failure.unwrap_or_else(|| unfit(question));
        let mut error = self.error_of(step, &failure);
        error.cause.clone_from(&self.run.step(step).error);
        self.settle_error(step, error);
        match question {
            Question::Catch(_) => self.finish(step),
            Question::Input | Question::While | Question::Round => self.failed(step),
            // The attempt did what it should: it is not repeated because of what was asked about it.
            Question::When
            | Question::Title
            | Question::Lock
            | Question::Outputs
            | Question::Until
            | Question::Retry(_)
            | Question::RunOutputs
            | Question::Probe
            | Question::Page => {
                self.catch_from(step, 0);
            }
        }
    }

    /// The step's input is there: an acting step starts its attempt, any other does what it does.
    fn rendered(&mut self, step: StepNo, kind: &Kind, value: Value) {
        match (kind, value) {
            (Kind::Shell(_) | Kind::Exec(_) | Kind::Http(_), Value::Map(input)) => self.grant(step, Some(input)),
            (Kind::WaitFor(_), Value::Duration(length)) => {
                let until = self.now.time.saturating_add(length.0);
                self.emit(Change::Delayed { step, until, why: Delay::Wait, rule: None });
            }
            (Kind::WaitUntil(_), Value::Time(at)) => {
                let ahead = u64::try_from(at.0.saturating_sub(self.now.wall.0)).unwrap_or(0);
                let until = self.now.time.saturating_add(ahead);
                self.emit(Change::Delayed { step, until, why: Delay::Wait, rule: None });
            }
            (Kind::AwaitSignal(_) | Kind::Approve(_) | Kind::Ask(_), Value::Map(input)) => {
                self.begin_to_await(step, input);
            }
            (Kind::Script(_), value) => {
                let mut outputs = match &value {
                    Value::Map(map) => map.clone(),
                    _ => Map::new(),
                };
                outputs.insert("value".to_owned(), value);
                self.done(step, outputs);
            }
            (Kind::Set(_), Value::Map(outputs)) => self.done(step, outputs),
            (Kind::Assert { .. }, Value::Map(answer)) => {
                if answer.get("ok") == Some(&Value::Bool(true)) {
                    self.done(step, Map::new());
                } else {
                    let error = self.error(step, "assertion", text_of(&answer, "message"));
                    self.settle_error(step, error);
                    self.failed(step);
                }
            }
            (Kind::Fail { .. }, Value::Map(answer)) => {
                let kind = text_of(&answer, "kind");
                let mut error = self.error(step, &kind, text_of(&answer, "message"));
                error.data = answer.get("data").cloned().unwrap_or_default();
                self.settle_error(step, error);
                self.failed(step);
            }
            (Kind::Call(call), Value::Map(answer)) => self.call(step, call, &answer),
            (Kind::Foreach(_), value) => self.loop_over(step, &value),
            (Kind::Switch(switch), Value::Int(case)) => self.choose(step, switch, case),
            (Kind::Finish { .. }, Value::Map(outputs)) => self.finish_run(step, Some(outputs)),
            (Kind::Finish { .. }, Value::Null) => self.finish_run(step, None),
            (
                Kind::Shell(_)
                | Kind::Exec(_)
                | Kind::Http(_)
                | Kind::WaitFor(_)
                | Kind::WaitUntil(_)
                | Kind::AwaitSignal(_)
                | Kind::Approve(_)
                | Kind::Ask(_)
                | Kind::Call(_)
                | Kind::Set(_)
                | Kind::Assert { .. }
                | Kind::Do(_)
                | Kind::Parallel(_)
                | Kind::Switch(_)
                | Kind::Repeat(_)
                | Kind::Fail { .. }
                | Kind::Finish { .. },
                _,
            ) => self.refuse_answer(step, Question::Input, None),
        }
    }

    /// A `switch` knows which of its cases is to run, counted over all of them.
    fn choose(&mut self, step: StepNo, switch: &Switch, case: i64) {
        let block =
            usize::try_from(case).ok().and_then(|case| switch.all().nth(case)).map(|case| (case.block, case.next));
        match block {
            Some(_) if self.is_halted(step) => self.stopped(step, StopCause::Failure),
            Some((block, next)) => {
                self.lead(step, next);
                self.activate(block, Some(step));
            }
            None => self.refuse_answer(step, Question::Input, None),
        }
    }

    fn reported(&mut self, step: StepNo, token: Token, outcome: Outcome) -> Result<(), Refused> {
        let stopping = match self.run.steps.get(step.0).map(|step| &step.phase) {
            Some(Phase::Running { token: current, stopping })
                if *current == token || fault::planted(Bug::TokenNotCompared) =>
            {
                *stopping
            }
            Some(Phase::InDoubt { token: current, .. }) if *current == token => {
                if matches!(outcome, Outcome::Unknown { .. }) {
                    return Ok(());
                }
                None
            }
            _ => return Err(Refused::Superseded),
        };
        // What an attempt gave goes into the change as it is: it may be large, and what follows needs none of it.
        let then = match (stopping, &outcome) {
            (Some(cause), outcome) => Then::Stopped(cause, outcome.clone()),
            (None, Outcome::Succeeded { .. }) => Then::Succeeded,
            (None, Outcome::Failed { .. }) => Then::Failed,
            (None, Outcome::Unknown { why }) => Then::Lost(why.clone()),
        };
        self.emit(Change::Reported { step, token, outcome });
        match then {
            Then::Stopped(cause, outcome) => self.stopped_attempt(step, cause, outcome),
            Then::Succeeded => self.succeeded(step),
            Then::Failed => self.failed(step),
            Then::Lost(why) => self.lost(step, why),
        }
        Ok(())
    }

    /// Raises the run's tokens beyond any that the other folder may give out. What came of the attempts that were running
    /// is known there only.
    fn restored(&mut self) -> Result<(), Refused> {
        let before = self.run.token;
        self.emit(Change::Restored { token: Token(before.0.saturating_add(RESTORED_TOKENS)) });
        let running: Vec<_> = self.run.running().collect();
        for (step, token) in running {
            let why = "the data folder was restored from a backup that was taken while the attempt ran".to_owned();
            self.reported(step, token, Outcome::Unknown { why })?;
        }
        Ok(())
    }

    fn due(&mut self) {
        while let Some((due, timer)) = self.run.timers.first().copied() {
            if due > self.now.time {
                return;
            }
            match timer {
                Timer::Delay(step) => self.delay_over(step),
                Timer::Attempt(step) => self.limit_reached(step, StopCause::Timeout),
                Timer::Total(step) => self.limit_reached(step, StopCause::Total),
                Timer::Run => self.run_limit_reached(),
                Timer::Escalate(step) => self.emit(Change::Escalated { step }),
                Timer::Tail => self.tail_limit_reached(),
            }
            self.drain();
            assert!(
                !self.run.timers.contains(&(due, timer)),
                "a timer that has fired is gone: {timer:?} of run {}",
                self.run.id
            );
        }
    }

    fn resolve(&mut self, path: &str, how: &Resolution, by: String) -> Result<(), Refused> {
        let Some(step) = self.run.step_by_path(path) else {
            return Err(Refused::NotNow(format!("run {} has no step `{path}`", self.run.id)));
        };
        if !matches!(self.phase(step), Phase::InDoubt { .. }) {
            let status = self.run.step(step).status().name();
            return Err(Refused::NotNow(format!("step `{path}` is not in doubt, it is {status}")));
        }
        let path = self.run.path(step);
        let how = referred(how, &self.run.node_of(step).taken).map_err(Refused::NotNow)?;
        tracing::info!(run = %self.run.id, step = path, by, "step in doubt resolved");
        self.emit(Change::Resolved { step, how: how.clone(), by });
        match how {
            // The person's outputs are what later steps use; there is no result to compute declared ones from.
            Resolution::Done { .. } => self.finish(step),
            // A person who says that it failed does not ask for another try.
            Resolution::Failed => self.catch_from(step, 0),
            Resolution::Rerun => self.grant(step, None),
        }
        Ok(())
    }

    pub(super) fn retry(&mut self, by: String) -> Result<(), Refused> {
        self.run.may_be_retried()?;
        self.emit(Change::Retried { by });
        let gate = self.run.gate.as_deref().cloned();
        let main = self.run.latest.get(&(None, self.run.graph.main)).copied();
        match (gate, main) {
            (Some(gate), _) if self.run.graph.concurrency.is_some() => self.queue(gate.key, None),
            (_, Some(main)) => self.enter(main),
            // It was turned away before it began.
            (gate, None) => {
                self.emit(Change::Started);
                self.open(&gate.unwrap_or_default().opening);
            }
        }
        Ok(())
    }
}

/// What a person says of a step in doubt, with references in place of secret outputs: their values are never journaled.
fn referred(how: &Resolution, taken: &[Taken]) -> Result<Resolution, String> {
    let Resolution::Done { outputs } = how else { return Ok(how.clone()) };
    let is_secret = |name: &str| taken.iter().any(|taken| taken.secret && taken.name == name);
    let refer = |(name, value): (&String, &Value)| match value {
        value if !is_secret(name) || matches!(value, Value::Secret(_)) => Ok((name.clone(), value.clone())),
        value => {
            let reference = secret_reference(&value.to_text().unwrap_or_default());
            Ok((name.clone(), reference.map_err(|why| format!("output `{name}` {why}"))?))
        }
    };
    Ok(Resolution::Done { outputs: outputs.iter().map(refer).collect::<Result<Map, String>>()? })
}

/// What follows from the end of an attempt.
enum Then {
    Stopped(StopCause, Outcome),
    Succeeded,
    Failed,
    Lost(String),
}

/// What an evaluator's answer of the wrong shape is: a fault of ours, told apart from the runbook's.
pub(super) fn unfit(question: Question) -> Failure {
    Failure {
        kind: "invalid".to_owned(),
        message: format!("the value does not fit here ({question:?})"),
        data: Value::Null,
        untouched: false,
    }
}

/// A text in an answer.
fn text_of(answer: &Map, key: &str) -> String {
    answer.get(key).and_then(|value| value.to_text().ok()).unwrap_or_default()
}
