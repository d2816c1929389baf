//! Attempts with the workers of this process: which step each is for, and those that wait for room.

use std::collections::{HashMap, HashSet, VecDeque};
use std::path::Path;
use std::sync::Arc;

use lockstep_dsl::graph::Graph;
use lockstep_dsl::value::{Map, Value};
use tokio::runtime::Handle;
use tokio::sync::mpsc::UnboundedSender;

use super::pinned;
use crate::api::SecretEnvironment;
use crate::driver::Input;
use crate::id::{RunId, StepNo, Token};
use crate::worker::limits::MAX_RUNNING_ATTEMPTS;
use crate::worker::local::{Ended, LocalWorkers, OnAnyProgress};
use crate::worker::{Action, Attempt, Failure, Outcome};

/// The attempts of this engine.
pub(super) struct Attempts {
    workers: LocalWorkers,
    /// The engine's own thread, for an attempt that is alone: no other thread has to wake up for it, twice, which on an
    /// idle machine takes longer than a write to the disk.
    own: Handle,
    /// The threads that several attempts share.
    shared: Handle,
    ended: UnboundedSender<Ended>,
    steps: HashMap<(RunId, Token), StepNo>,
    /// Attempts that may have a folder, and whose end is not durable yet.
    folders: HashSet<(RunId, Token)>,
    waiting: VecDeque<Attempt>,
    /// The variables that secrets of runs started here are read from.
    environments: HashMap<RunId, Arc<SecretEnvironment>>,
    /// Attempts with the workers.
    running: usize,
}

impl Attempts {
    /// None yet. `own` is the runtime of the thread that drives the engine.
    pub fn new(
        actions: Vec<Arc<dyn Action>>,
        ended: UnboundedSender<Ended>,
        progress: OnAnyProgress,
        (own, shared): (Handle, Handle),
    ) -> Self {
        let workers = LocalWorkers::new(actions, ended.clone(), progress);
        Self {
            workers,
            own,
            shared,
            ended,
            steps: HashMap::new(),
            folders: HashSet::new(),
            waiting: VecDeque::new(),
            environments: HashMap::new(),
            running: 0,
        }
    }

    /// How many are with the workers.
    pub const fn running(&self) -> usize {
        self.running
    }

    /// How many wait for room.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Remembers what the secrets of a run are read from, as long as this engine lives: an ended run may be retried.
    pub fn remember(&mut self, run: RunId, environment: SecretEnvironment) {
        self.environments.insert(run, Arc::new(environment));
    }

    /// Starts an attempt, or keeps it until there is room for it. `asked` is the run that somebody asked for: this one, or
    /// the one that called it.
    pub fn start(&mut self, step: StepNo, mut attempt: Attempt, graph: Option<Arc<Graph>>, asked: RunId) {
        attempt.environment = self.environments.get(&asked).cloned();
        let (run, token) = (attempt.run, attempt.token);
        self.steps.insert((run, token), step);
        if let (Some(folder), Some(graph)) = (&attempt.files, graph)
            && let Err(error) = pinned::lay_out(folder, &graph.files)
        {
            self.not_begun(run, token, "failed", format!("the run's files cannot be written: {error}"));
            return;
        }
        self.waiting.push_back(attempt);
        self.fill();
    }

    /// Looks after an attempt that a former engine granted; it may run already, so it does not wait for room.
    pub fn recover(
        &mut self,
        step: StepNo,
        mut attempt: Attempt,
        graph: Option<Arc<Graph>>,
        (asked, this_boot): (RunId, bool),
    ) {
        attempt.environment = self.environments.get(&asked).cloned();
        self.steps.insert((attempt.run, attempt.token), step);
        if let (Some(folder), Some(graph)) = (&attempt.files, graph)
            && let Err(error) = pinned::lay_out(folder, &graph.files)
        {
            // Only an attempt that has not begun misses them, and says so.
            tracing::warn!(run = %attempt.run, %error, "the run's files cannot be written");
        }
        self.running += 1;
        self.folders.insert((attempt.run, attempt.token));
        self.workers.recover(attempt, this_boot, &self.shared);
    }

    /// Lets go of an attempt whose end is durable. Says whether it may have left a folder.
    pub fn forget(&mut self, run: RunId, token: Token) -> bool {
        self.folders.remove(&(run, token))
    }

    /// Asks an attempt to stop; one that still waits has certainly not begun.
    pub fn stop(&mut self, run: RunId, token: Token) {
        let waits = |attempt: &Attempt| attempt.run == run && attempt.token == token;
        if let Some(place) = self.waiting.iter().position(waits) {
            self.waiting.remove(place);
            self.not_begun(run, token, "cancelled", "it was stopped before it began".to_owned());
        } else {
            self.workers.stop(run, token);
        }
    }

    /// The report of an attempt that has ended, as the driver takes it.
    pub fn ended(&mut self, ended: Ended) -> Option<Input> {
        let Ended { run, token, outcome } = ended;
        self.running = self.running.saturating_sub(1);
        self.fill();
        let step = self.steps.remove(&(run, token))?;
        Some(Input::Reported { run, step, token, outcome })
    }

    fn fill(&mut self) {
        while self.running < MAX_RUNNING_ATTEMPTS {
            let Some(attempt) = self.waiting.pop_front() else { return };
            self.running += 1;
            if self.workers.uses_folder(&attempt.action) {
                self.folders.insert((attempt.run, attempt.token));
            }
            let runtime = if self.running == 1 { &self.own } else { &self.shared };
            self.workers.start(attempt, runtime);
        }
    }

    /// Reports an attempt that the workers never saw.
    fn not_begun(&mut self, run: RunId, token: Token, kind: &str, message: String) {
        let error = Failure { kind: kind.to_owned(), message, data: Value::Null, untouched: true };
        self.running += 1;
        // The receiver is the service that calls this.
        let _ = self.ended.send(Ended { run, token, outcome: Outcome::Failed { error, outputs: Map::new() } });
    }
}

/// Removes a folder of the spool. What cannot be removed is removed at the next start.
pub(super) fn remove(folder: &Path) {
    if let Err(error) = pinned::remove(folder) {
        tracing::warn!(folder = %folder.display(), %error, "a folder of the spool cannot be removed");
    }
}
