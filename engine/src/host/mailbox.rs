//! Events on their way to one watcher, who may be slow.
//!
//! The engine never waits for a watcher. Below a limit every event is kept; beyond it a step's older unread state gives
//! way to its newer one and lines of output are dropped, so a watcher that falls behind sees fewer states but always
//! the last.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::api::Event;
use crate::limits::MAX_UNREAD_EVENTS;

/// The unread events of one watcher.
#[derive(Debug, Default)]
pub(super) struct Mailbox {
    state: Mutex<State>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct State {
    unread: VecDeque<Event>,
    /// Nothing more will be put in.
    complete: bool,
    /// Nobody reads any more.
    abandoned: bool,
}

impl Mailbox {
    /// Puts an event in; never waits.
    pub(super) fn put(&self, event: Event) {
        let mut state = self.state();
        if state.complete || state.abandoned {
            return;
        }
        if state.unread.len() >= MAX_UNREAD_EVENTS {
            match &event {
                Event::Output { .. } => return,
                Event::Step { step, .. } => state
                    .unread
                    .retain(|unread| !matches!(unread, Event::Step { step: older, .. } if older.path == step.path)),
                Event::Started { .. } | Event::Status { .. } | Event::Run { .. } => {}
            }
        }
        state.complete = matches!(event, Event::Run { .. });
        state.unread.push_back(event);
        drop(state);
        self.arrived.notify_one();
    }

    /// Says that nothing more will come.
    pub(super) fn complete(&self) {
        self.state().complete = true;
        self.arrived.notify_one();
    }

    /// Says that nobody reads any more.
    pub(super) fn abandon(&self) {
        let mut state = self.state();
        state.abandoned = true;
        state.unread.clear();
    }

    /// Whether putting events in has still a use.
    pub(super) fn is_read(&self) -> bool {
        let state = self.state();
        !state.abandoned && !state.complete
    }

    /// The next event; `None` when nothing more will come.
    pub(super) async fn take(&self) -> Option<Event> {
        loop {
            let arrived = self.arrived.notified();
            {
                let mut state = self.state();
                if let Some(event) = state.unread.pop_front() {
                    return Some(event);
                }
                if state.complete {
                    return None;
                }
            }
            arrived.await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
