//! Those who watch runs, and what they are sent.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::handle::Events;
use super::mailbox::Mailbox;
use crate::api::Event;
use crate::core::run::{Run, StepStatus};
use crate::id::{RunId, StepNo};
use crate::view::{self, plan, run_error, step_view};
use crate::worker::Progress;

/// Everybody who watches a run. Cloning shares it: lines of output come from other threads.
#[derive(Clone, Default)]
pub(super) struct Watchers(Arc<Mutex<BTreeMap<RunId, Vec<Watcher>>>>);

struct Watcher {
    mailbox: Arc<Mailbox>,
    /// The status sent last.
    status: &'static str,
    /// How often the run had been asked to cancel when it was sent last.
    cancels: u32,
}

impl Watchers {
    /// Begins to watch a run: sends what it is now, and remembers the watcher where more will come.
    pub fn add(&self, run: &Run, interrupted: bool, at: &str, logs: &Path) -> Events {
        let mailbox = Arc::new(Mailbox::default());
        mailbox.put(Event::Started {
            id: run.id,
            runbook: run.graph.runbook.clone(),
            at: at.to_owned(),
            plan: plan(&run.graph),
        });
        let mut watcher = Watcher { mailbox: Arc::clone(&mailbox), status: view::status(run), cancels: cancels(run) };
        if watcher.cancels > 0 {
            watcher.mailbox.put(status_event(run, at));
        }
        watcher.send(run, &(0..).map(StepNo).take(run.steps.len()).collect(), interrupted, at, logs);
        if mailbox.is_read() {
            self.all().entry(run.id).or_default().push(watcher);
        }
        Events(mailbox)
    }

    /// Sends what changed in a run.
    pub fn changed(&self, run: &Run, steps: &BTreeSet<StepNo>, at: &str, logs: &Path) {
        let mut all = self.all();
        let Some(watchers) = all.get_mut(&run.id) else { return };
        for watcher in watchers.iter_mut() {
            watcher.send(run, steps, false, at, logs);
        }
        watchers.retain(|watcher| watcher.mailbox.is_read());
        if watchers.is_empty() {
            all.remove(&run.id);
        }
    }

    /// Sends a line of output.
    pub fn line(&self, run: RunId, path: &str, progress: Progress) {
        let Progress::Line { stream, text } = progress;
        for watcher in self.all().get(&run).into_iter().flatten() {
            let line = text.clone();
            watcher.mailbox.put(Event::Output { id: run, path: path.to_owned(), stream, line });
        }
    }

    /// Says to every watcher why runs stand still.
    pub fn say(&self, status: &str, reason: &str, at: &str) {
        for (id, watchers) in self.all().iter() {
            for watcher in watchers {
                watcher.mailbox.put(Event::Status {
                    id: *id,
                    at: at.to_owned(),
                    status: status.to_owned(),
                    reason: Some(reason.to_owned()),
                });
            }
        }
    }

    /// Says that nothing more will come.
    pub fn complete(&self) {
        for watcher in std::mem::take(&mut *self.all()).into_values().flatten() {
            watcher.mailbox.complete();
        }
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<RunId, Vec<Watcher>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watcher {
    fn send(&mut self, run: &Run, steps: &BTreeSet<StepNo>, interrupted: bool, at: &str, logs: &Path) {
        let status = view::status(run);
        if !run.is_ended() && (status != self.status || cancels(run) != self.cancels) {
            self.mailbox.put(status_event(run, at));
        }
        self.status = status;
        self.cancels = cancels(run);
        for no in steps {
            if run.step(*no).status() == StepStatus::Pending {
                continue;
            }
            let step = Box::new(step_view(run, *no, logs));
            self.mailbox.put(Event::Step { id: run.id, at: at.to_owned(), step });
        }
        if run.is_ended() || run.is_stuck_in_doubt() || run.quarantined.is_some() || interrupted {
            let outputs = if run.is_ended() { &run.outputs } else { &BTreeMap::new() };
            self.mailbox.put(Event::Run {
                id: run.id,
                status: status.to_owned(),
                outputs: outputs.iter().map(|(name, value)| (name.clone(), value.to_json())).collect(),
                error: run_error(run),
            });
        }
    }
}

fn cancels(run: &Run) -> u32 {
    run.cancel.as_ref().map_or(0, |(_, times)| *times)
}

fn status_event(run: &Run, at: &str) -> Event {
    let reason = run.cancel.as_ref().map(|(by, times)| match times {
        1 => format!("cancel requested by {by}"),
        _ => format!("cancel requested by {by}, `finally` is cut short"),
    });
    Event::Status { id: run.id, at: at.to_owned(), status: view::status(run).to_owned(), reason }
}
