//! What callers in this process hold of the engine.

use std::path::PathBuf;
use std::sync::Arc;

use lockstep_dsl::expr::Sandbox;
use tokio::sync::{mpsc, oneshot, watch};

use super::mailbox::Mailbox;
use super::meter::{Figures, Meter};
use super::retention::Storage;
use crate::api::{Event, Refusal, RefusalKind, Reply, Request};
use crate::store::journal::JournalStats;
use crate::worker::Action;

/// What an engine is opened with.
pub struct Options {
    /// The data folder; made when it is not there.
    pub data: PathBuf,
    /// What steps can do, each under its own name.
    pub actions: Vec<Arc<dyn Action>>,
    /// The one of them that is to be expected first, if it is known: it gets ready while the folder is opened.
    pub expected: Option<String>,
    /// What expressions may use: the modules of the standard library.
    pub sandbox: Arc<Sandbox>,
    /// Whether runs that a former engine left open go on at once. Otherwise each waits, shown as interrupted, until
    /// [`Request::Resume`] or another request to change it.
    pub resume: bool,
    /// What the data folder may hold.
    pub storage: Storage,
}

/// An engine that runs in this process. Cloning shares it.
#[derive(Clone, Debug)]
pub struct EngineHandle {
    pub(super) calls: mpsc::Sender<Call>,
    /// Why the engine stopped, once it has.
    pub(super) stopped: watch::Receiver<Option<Stopped>>,
    /// What it has done.
    pub(super) meter: Arc<Meter>,
}

/// Why an engine takes no more requests.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stopped {
    /// It was closed.
    #[error("the engine was closed")]
    Closed,
    /// The store does not take what is decided; what was answered is durable all the same. Exit code 5.
    #[error("{0}")]
    Store(String),
}

/// Something asked of the engine's task.
pub(super) enum Call {
    /// A request with one answer.
    Request(Request, oneshot::Sender<Reply>),
    /// Events of a run, from its beginning; whether also while it waits for somebody.
    Watch(String, bool, oneshot::Sender<Result<Events, Refusal>>),
    /// Answered when nothing goes on by itself any more.
    Idle(oneshot::Sender<()>),
    /// What the journal has done so far.
    Stats(oneshot::Sender<JournalStats>),
    /// To come to an end.
    Close(oneshot::Sender<()>),
    /// The same if no run goes on by itself, else nothing. Says which.
    CloseIdle(oneshot::Sender<bool>),
}

/// What a watched run does. Dropping it ends the watching.
#[derive(Debug)]
pub struct Events(pub(super) Arc<Mailbox>);

impl Events {
    /// The next event; `None` behind the last one ([`Event::Run`]), or when the engine has stopped.
    pub async fn next(&mut self) -> Option<Event> {
        self.0.take().await
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

impl EngineHandle {
    /// Asks for something and waits for the answer, which is given only for what is durable. [`Request::Watch`] is
    /// refused here: see [`EngineHandle::watch`].
    pub async fn call(&self, request: Request) -> Reply {
        let (answer, answered) = oneshot::channel();
        if self.calls.send(Call::Request(request, answer)).await.is_err() {
            return Reply::Refused(self.refusal());
        }
        answered.await.unwrap_or_else(|_| Reply::Refused(self.refusal()))
    }

    /// Watches a run, named as in requests: first what it is now, then what it does, and `patient` also while it only
    /// waits for what somebody was expected to say.
    pub async fn watch(&self, run: &str, patient: bool) -> Result<Events, Refusal> {
        let (answer, answered) = oneshot::channel();
        if self.calls.send(Call::Watch(run.to_owned(), patient, answer)).await.is_err() {
            return Err(self.refusal());
        }
        answered.await.unwrap_or_else(|_| Err(self.refusal()))
    }

    /// Ends when no run goes on by itself any more: each has ended, is interrupted, or waits for a person. Ends also
    /// when the engine stops.
    pub async fn idle(&self) {
        let (answer, answered) = oneshot::channel();
        if self.calls.send(Call::Idle(answer)).await.is_ok() {
            // An engine that has stopped is idle as well.
            let _ = answered.await;
        }
    }

    /// What this engine's journal has done on the way of commits so far: appends, syncs, bytes. `None` when the engine
    /// has stopped.
    pub async fn stats(&self) -> Option<JournalStats> {
        let (answer, answered) = oneshot::channel();
        self.calls.send(Call::Stats(answer)).await.ok()?;
        answered.await.ok()
    }

    /// What this engine has done since it was opened, and what waits now. Asks nobody: also one that is stuck is told of.
    pub fn figures(&self) -> Figures {
        self.meter.read()
    }

    /// Stops the engine: nothing new starts, the open state is checkpointed, the folder is given up. Runs that are
    /// open stay open, and are interrupted from here on.
    ///
    /// # Errors
    /// The store had failed before.
    pub async fn close(&self) -> Result<(), Stopped> {
        let (answer, answered) = oneshot::channel();
        if self.calls.send(Call::Close(answer)).await.is_ok() {
            let _ = answered.await;
        }
        match self.stopped().await {
            Stopped::Closed => Ok(()),
            store @ Stopped::Store(_) => Err(store),
        }
    }

    /// Stops the engine as [`EngineHandle::close`] does if no run goes on by itself, also none that was asked for since
    /// [`EngineHandle::idle`] ended. Whether it has stopped.
    ///
    /// # Errors
    /// The store had failed before.
    pub async fn close_idle(&self) -> Result<bool, Stopped> {
        let (answer, answered) = oneshot::channel();
        if self.calls.send(Call::CloseIdle(answer)).await.is_ok() && answered.await.is_ok_and(|is_idle| !is_idle) {
            return Ok(false);
        }
        match self.stopped().await {
            Stopped::Closed => Ok(true),
            store @ Stopped::Store(_) => Err(store),
        }
    }

    /// Ends when the engine has stopped, and says why.
    pub async fn stopped(&self) -> Stopped {
        let mut stopped = self.stopped.clone();
        match stopped.wait_for(Option::is_some).await {
            Ok(why) => why.clone().unwrap_or(Stopped::Closed),
            Err(_) => Stopped::Store("the engine's task has ended without saying why".to_owned()),
        }
    }

    fn refusal(&self) -> Refusal {
        let why = self.stopped.borrow().clone().unwrap_or(Stopped::Closed);
        Refusal { kind: RefusalKind::Store, message: why.to_string(), help: Vec::new() }
    }
}
