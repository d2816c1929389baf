//! Runs attempts as tasks of this process.
//!
//! Every attempt that was started or taken up ends in exactly one [`Ended`], also when it is stopped, when nobody knows its action,
//! and when the action panics. Knows nothing of graphs, retries or deadlines.

use std::collections::{BTreeMap, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::runtime::Handle;
use tokio::sync::mpsc::UnboundedSender;

use super::limits::{PROGRESS_BURST, PROGRESS_PER_SECOND};
use super::{Action, Attempt, Failure, OnProgress, Outcome, Progress, Recovered, StopSignal, Stopper};
use crate::id::{RunId, Token};

/// An attempt has ended.
#[derive(Debug)]
pub struct Ended {
    /// Its run.
    pub run: RunId,
    /// Its token.
    pub token: Token,
    /// How.
    pub outcome: Outcome,
}

/// Hears what all attempts say: run, step's path, token, and the line.
pub type OnAnyProgress = Arc<dyn Fn(RunId, &str, Token, Progress) + Send + Sync>;

/// The actions this process knows, and the attempts that it runs. Cloning shares them.
#[derive(Clone)]
pub struct LocalWorkers(Arc<Shared>);

struct Shared {
    actions: BTreeMap<&'static str, Arc<dyn Action>>,
    running: Mutex<HashMap<(RunId, Token), Stopper>>,
    /// Unbounded, but an attempt sends once: it holds no more than have been started.
    ended: UnboundedSender<Ended>,
    progress: OnAnyProgress,
}

impl LocalWorkers {
    /// Workers for these actions. Outcomes go to `ended`, lines of output to `progress`, of which there are never more
    /// than a person can follow.
    pub fn new(
        actions: impl IntoIterator<Item = Arc<dyn Action>>,
        ended: UnboundedSender<Ended>,
        progress: OnAnyProgress,
    ) -> Self {
        let actions = actions.into_iter().map(|action| (action.name(), action)).collect();
        Self(Arc::new(Shared { actions, running: Mutex::default(), ended, progress }))
    }

    /// Whether there is an action of this name.
    pub fn knows(&self, action: &str) -> bool {
        self.0.actions.contains_key(action)
    }

    /// Whether attempts of this action use a folder of their own.
    pub fn uses_folder(&self, action: &str) -> bool {
        self.0.actions.get(action).is_some_and(|action| action.uses_folder())
    }

    /// Attempts that run now. The caller keeps them at [`super::limits::MAX_RUNNING_ATTEMPTS`].
    pub fn running(&self) -> usize {
        self.0.running().len()
    }

    /// Starts an attempt on a runtime; returns at once.
    ///
    /// # Panics
    /// When an attempt of this run and token runs already: the engine has granted it twice.
    pub fn start(&self, attempt: Attempt, runtime: &Handle) {
        if let Some(outcome) = self.0.run_now(&attempt) {
            self.0.end(attempt.run, attempt.token, outcome);
            return;
        }
        self.spawn(attempt, Begin::Fresh, runtime);
    }

    /// Takes up an attempt that a former engine granted: as [`Self::start`], but what became of it is found out first.
    /// `this_boot`: whether the machine has been up since it was granted.
    ///
    /// # Panics
    /// As [`Self::start`].
    pub fn recover(&self, attempt: Attempt, this_boot: bool, runtime: &Handle) {
        self.spawn(attempt, Begin::Recovered { this_boot }, runtime);
    }

    fn spawn(&self, attempt: Attempt, begin: Begin, runtime: &Handle) {
        let (run, token) = (attempt.run, attempt.token);
        let (stopper, stop) = Stopper::new();
        let twice = self.0.running().insert((run, token), stopper);
        assert!(twice.is_none(), "attempt {} of run {run} was granted twice", token.0);
        let shared = Arc::clone(&self.0);
        runtime.spawn(async move {
            let task = tokio::spawn(run_attempt(Arc::clone(&shared), attempt, begin, stop));
            let outcome =
                task.await.unwrap_or_else(|error| Outcome::Unknown { why: format!("the worker broke: {error}") });
            shared.running().remove(&(run, token));
            shared.end(run, token, outcome);
        });
    }

    /// Asks an attempt to stop. Says whether it runs; its outcome comes in any case.
    pub fn stop(&self, run: RunId, token: Token) -> bool {
        let running = self.0.running();
        let stopper = running.get(&(run, token));
        stopper.inspect(|stopper| stopper.stop()).is_some()
    }
}

impl Shared {
    /// Runs an attempt here and now if its action can.
    fn run_now(&self, attempt: &Attempt) -> Option<Outcome> {
        let action = self.actions.get(attempt.action.as_str())?;
        let run = AssertUnwindSafe(|| action.run_now(attempt));
        catch_unwind(run).unwrap_or_else(|_| Some(Outcome::Unknown { why: "the worker broke".to_owned() }))
    }

    fn end(&self, run: RunId, token: Token, outcome: Outcome) {
        if self.ended.send(Ended { run, token, outcome }).is_err() {
            tracing::debug!(%run, token = token.0, "an attempt ended after the engine");
        }
    }

    fn running(&self) -> std::sync::MutexGuard<'_, HashMap<(RunId, Token), Stopper>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where an attempt comes from.
#[derive(Clone, Copy)]
enum Begin {
    Fresh,
    Recovered { this_boot: bool },
}

async fn run_attempt(shared: Arc<Shared>, attempt: Attempt, begin: Begin, stop: StopSignal) -> Outcome {
    let Some(action) = shared.actions.get(attempt.action.as_str()) else {
        let why = format!("this worker has no action `{}`", attempt.action);
        return match begin {
            Begin::Fresh => Failure::invalid(why).into(),
            // One that had it may have begun.
            Begin::Recovered { .. } => Outcome::Unknown { why },
        };
    };
    let (run, token, path) = (attempt.run, attempt.token, attempt.step.clone());
    let limit = Mutex::new(Limit::new(Instant::now()));
    let report = Arc::clone(&shared.progress);
    let progress: OnProgress = Arc::new(move |progress| {
        if limit.lock().unwrap_or_else(PoisonError::into_inner).admits(Instant::now()) {
            report(run, &path, token, progress);
        }
    });
    match begin {
        Begin::Fresh => action.run(&attempt, stop, progress).await,
        Begin::Recovered { this_boot } => {
            action.recover(Recovered { attempt: &attempt, this_boot }, stop, progress).await
        }
    }
}

/// Lets through [`PROGRESS_BURST`] at once, and [`PROGRESS_PER_SECOND`] in the long run.
struct Limit {
    left: f64,
    last: Instant,
}

impl Limit {
    fn new(now: Instant) -> Self {
        Self { left: f64::from(PROGRESS_BURST), last: now }
    }

    fn admits(&mut self, now: Instant) -> bool {
        let earned = now.saturating_duration_since(self.last).as_secs_f64() * f64::from(PROGRESS_PER_SECOND);
        self.left = (self.left + earned).min(f64::from(PROGRESS_BURST));
        self.last = now;
        let admitted = self.left >= 1.0;
        if admitted {
            self.left -= 1.0;
        }
        admitted
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn progress_is_limited_and_recovers() {
        let start = Instant::now();
        let mut limit = Limit::new(start);
        let admitted = (0..10_000).filter(|_| limit.admits(start)).count();
        assert_eq!(admitted, PROGRESS_BURST as usize);
        let later = start + Duration::from_secs(1);
        assert_eq!((0..10_000).filter(|_| limit.admits(later)).count(), PROGRESS_PER_SECOND as usize);
    }
}
