//! Those who watch runs, and what they are sent.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::handle::Events;
use super::mailbox::Mailbox;
use crate::api::Event;
use crate::core::run::{Run, StepStatus};
use crate::driver::{Backing, Driver};
use crate::id::{RunId, StepNo};
use crate::limits::{MAX_UNHEARD_LINES, MAX_UNHEARD_RUNS};
use crate::view::{self, plan, run_error, step_view};
use crate::worker::Progress;

/// Everybody who watches a run. Cloning shares it: lines of output come from other threads.
#[derive(Clone, Default)]
pub(super) struct Watchers(Arc<Mutex<All>>);

#[derive(Default)]
struct All {
    watchers: BTreeMap<RunId, Vec<Watcher>>,
    /// The last lines that runs said while nobody watched, so that who starts a run and then watches it misses none.
    unheard: VecDeque<(RunId, VecDeque<Event>)>,
}

/// Whether a run can go on by itself, with all that it called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stands {
    /// It can, or has ended.
    Goes,
    /// Not until somebody says what they were expected to say.
    Awaits,
    /// Not until somebody says what became of something.
    Stuck,
}

impl Stands {
    /// How a run stands.
    pub fn of<B: Backing>(driver: &Driver<B>, run: &Run) -> Self {
        if !driver.needs_a_word(run) {
            Self::Goes
        } else if driver.only_awaits(run) {
            Self::Awaits
        } else {
            Self::Stuck
        }
    }
}

struct Watcher {
    mailbox: Arc<Mailbox>,
    /// The status sent last.
    status: &'static str,
    /// How often the run had been asked to cancel when it was sent last.
    cancels: u32,
    /// Whether it hears on while the run only waits for what somebody was expected to say.
    patient: bool,
}

impl Watchers {
    /// Begins to watch a run: sends what it is now, and remembers the watcher where more will come.
    pub fn add(
        &self,
        run: &Run,
        (patient, interrupted): (bool, bool),
        stands: Stands,
        at: &str,
        logs: &Path,
    ) -> Events {
        let mailbox = Arc::new(Mailbox::default());
        mailbox.put(Event::Started {
            id: run.id,
            runbook: run.graph.runbook.clone(),
            at: at.to_owned(),
            since: run.created.to_string(),
            plan: plan(&run.graph),
        });
        let (status, cancels) = (view::status(run), cancels(run));
        let mut watcher = Watcher { mailbox: Arc::clone(&mailbox), status, cancels, patient };
        let mut all = self.all();
        all.take_unheard(run.id).into_iter().for_each(|line| mailbox.put(line));
        if watcher.cancels > 0 || run.is_paused() || run.is_queued() {
            watcher.mailbox.put(status_event(run, at));
        }
        watcher.send(run, &run.step_numbers().collect::<Vec<_>>(), (stands, interrupted), at, logs);
        if mailbox.is_read() {
            all.watchers.entry(run.id).or_default().push(watcher);
        }
        Events(mailbox)
    }

    /// The runs that are watched; `None` where none is.
    pub fn watched(&self) -> Option<BTreeSet<RunId>> {
        let all = self.all();
        (!all.watchers.is_empty()).then(|| all.watchers.keys().copied().collect())
    }

    /// Sends what changed in a run, its steps in this order.
    pub fn changed(&self, run: &Run, steps: &[StepNo], stands: Stands, at: &str, logs: &Path) {
        let mut all = self.all();
        let Some(watchers) = all.watchers.get_mut(&run.id) else { return };
        for watcher in watchers.iter_mut() {
            watcher.send(run, steps, (stands, false), at, logs);
        }
        watchers.retain(|watcher| watcher.mailbox.is_read());
        if watchers.is_empty() {
            all.watchers.remove(&run.id);
        }
    }

    /// Sends a line of output.
    pub fn line(&self, run: RunId, path: &str, progress: Progress) {
        let Progress::Line { stream, text } = progress;
        let event = Event::Output { id: run, path: path.to_owned(), stream, line: text };
        let mut all = self.all();
        match all.watchers.get(&run) {
            Some(watchers) => watchers.iter().for_each(|watcher| watcher.mailbox.put(event.clone())),
            None => all.keep_unheard(run, event),
        }
    }

    /// Says to every watcher why runs stand still.
    pub fn say(&self, status: &str, reason: &str, at: &str) {
        for (id, watchers) in &self.all().watchers {
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
        for watcher in std::mem::take(&mut self.all().watchers).into_values().flatten() {
            watcher.mailbox.complete();
        }
    }

    fn all(&self) -> MutexGuard<'_, All> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl All {
    fn keep_unheard(&mut self, run: RunId, line: Event) {
        let mut lines = self.take_unheard(run);
        if lines.len() == MAX_UNHEARD_LINES {
            lines.pop_front();
        }
        lines.push_back(line);
        if self.unheard.len() == MAX_UNHEARD_RUNS {
            self.unheard.pop_front();
        }
        self.unheard.push_back((run, lines));
    }

    fn take_unheard(&mut self, run: RunId) -> VecDeque<Event> {
        let place = self.unheard.iter().position(|(id, _)| *id == run);
        place.and_then(|place| self.unheard.remove(place)).map(|(_, lines)| lines).unwrap_or_default()
    }
}

impl Watcher {
    fn send(&mut self, run: &Run, steps: &[StepNo], (stands, interrupted): (Stands, bool), at: &str, logs: &Path) {
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
        let is_stuck = match stands {
            Stands::Goes => false,
            Stands::Awaits => !self.patient,
            Stands::Stuck => true,
        };
        if run.is_ended() || is_stuck || run.quarantined.is_some() || interrupted {
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
    let cancel = run.cancel.as_ref().map(|(by, times)| match times {
        1 => format!("cancel requested by {by}"),
        _ => format!("cancel requested by {by}, `finally` is cut short"),
    });
    let pause = run.paused.as_deref().map(|pause| match &pause.reason {
        Some(reason) => format!("paused by {}: {reason}", pause.by),
        None => format!("paused by {}", pause.by),
    });
    let queue = run.wanted(None).map(|claim| format!("waits for its turn among the runs with key `{}`", claim.key));
    let reason = pause.or(cancel).or(queue);
    Event::Status { id: run.id, at: at.to_owned(), status: view::status(run).to_owned(), reason }
}
