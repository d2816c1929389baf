//! A command's place at a data folder: host of it, or guest of its host, whichever is free.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use lockstep_engine::api::{Event, Refusal, Reply, Request};
use lockstep_engine::host::{self, EngineHandle, Events, Options, Stopped};
use lockstep_engine::store::OpenError;
use lockstep_engine::store::folder::Folder;
use lockstep_engine::worker::Action;
use lockstep_engine::worker::command::{Exec, Shell};
use lockstep_engine::worker::launch::Launcher;
use tokio::time::Instant;

use super::guest::{Guest, Silence, Watching};
use super::server::{Guests, Server};
use super::terms::Terms;
use crate::config;
use crate::context::Context;
use crate::ending::Failure;
use crate::runbook_file;

/// How long the folder may be locked while nobody listens: a host that begins or ends takes less.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long the guests of a server wait for it to come back: it is restarted, or replaced by a newer one.
const SERVER_PATIENCE: Duration = Duration::from_mins(1);

/// Between two tries to become host or guest.
const PAUSE: Duration = Duration::from_millis(20);

/// A place at a data folder.
#[derive(Debug)]
pub struct Session {
    folder: PathBuf,
    place: Place,
    moves: u32,
}

#[derive(Debug)]
enum Place {
    Host { engine: EngineHandle, server: Server },
    Guest { guest: Guest, of_server: bool },
}

/// Asks the engine, wherever it is. Cloning asks the same one.
#[derive(Clone, Debug)]
pub enum Caller {
    /// In this process.
    Host(EngineHandle),
    /// In the host's.
    Guest(Guest),
}

/// What a watched run does.
#[derive(Debug)]
pub enum Update {
    /// Heard in this process.
    Here(Events),
    /// Heard over the socket.
    There(Box<Watching>),
}

impl Session {
    /// Takes a place at the folder of this command.
    pub async fn open(context: &Context) -> Result<Self, Failure> {
        Self::open_expecting(context, None).await
    }

    /// The same for a command that is about to use an action first of all.
    pub async fn open_expecting(context: &Context, action: Option<&str>) -> Result<Self, Failure> {
        let place = take_place(context.data()?, action).await?;
        Ok(Self { folder: context.data()?.to_owned(), place, moves: 0 })
    }

    /// Takes a new place after the host has gone. A server is waited for: what it carries goes on when it is back, and whoever
    /// took its place would keep it from the folder.
    pub async fn reopen(&mut self) -> Result<(), Failure> {
        self.place = if self.is_guest_of_server() {
            await_server(&self.folder).await?
        } else {
            take_place(&self.folder, None).await?
        };
        self.moves += 1;
        Ok(())
    }

    /// How often the host has changed since this session began. An engine that has just taken the folder leaves runs
    /// alone until it is asked to go on with them.
    pub const fn moves(&self) -> u32 {
        self.moves
    }

    /// Whether the engine runs in this process.
    pub const fn is_host(&self) -> bool {
        matches!(self.place, Place::Host { .. })
    }

    /// Whether a server is asked, which comes back when it goes.
    pub const fn is_guest_of_server(&self) -> bool {
        matches!(self.place, Place::Guest { of_server: true, .. })
    }

    /// Who to ask.
    pub fn caller(&self) -> Caller {
        match &self.place {
            Place::Host { engine, .. } => Caller::Host(engine.clone()),
            Place::Guest { guest, .. } => Caller::Guest(guest.clone()),
        }
    }

    /// Asks for something; a refusal is a failure. A host that goes away is followed by the next one, unless the
    /// request may have been done and must not be done twice.
    pub async fn call(&mut self, request: Request) -> Result<Reply, Failure> {
        loop {
            match self.caller().call(&request).await {
                Ok(Reply::Refused(refusal)) => return Err(refusal.into()),
                Ok(reply) => return Ok(reply),
                Err(Silence::Nobody) => self.reopen().await?,
                Err(Silence::Broken(_)) if is_repeatable(&request) => self.reopen().await?,
                Err(Silence::Broken(error)) => return Err(Failure::AnswerLost(error.to_string())),
                Err(silence @ (Silence::Mute | Silence::Stranger(_))) => return Err(self.unanswered(&silence)),
            }
        }
    }

    /// Watches a run, named as in requests, `patient` also while it only waits for somebody.
    pub async fn watch(&mut self, run: &str, patient: bool) -> Result<Update, Failure> {
        loop {
            let watched = match &self.place {
                Place::Host { engine, .. } => Ok(engine.watch(run, patient).await.map(Update::Here)),
                Place::Guest { guest, .. } => {
                    guest.watch(run, patient).await.map(|watched| watched.map(|it| Update::There(Box::new(it))))
                }
            };
            match watched {
                Ok(watched) => return watched.map_err(Failure::from),
                Err(Silence::Nobody | Silence::Broken(_)) => self.reopen().await?,
                Err(silence @ (Silence::Mute | Silence::Stranger(_))) => return Err(self.unanswered(&silence)),
            }
        }
    }

    /// Why the engine in this process has stopped, if it is here and has.
    pub async fn stopped(&self) -> Option<Failure> {
        let Place::Host { engine, .. } = &self.place else { return None };
        match tokio::time::timeout(Duration::ZERO, engine.stopped()).await {
            Ok(Stopped::Store(message)) => Some(store_failure(message)),
            Ok(Stopped::Closed) | Err(_) => None,
        }
    }

    /// Ends when no run in this process goes on by itself; at once for a guest.
    pub async fn idle(&self) {
        if let Place::Host { engine, .. } = &self.place {
            engine.idle().await;
        }
    }

    /// Gives up the place, or gives the session back where a guest has asked for something to be done at the last moment:
    /// nobody else could watch it yet. A host lets its guests read what is theirs, stops the engine and frees the folder.
    pub async fn close(self) -> Result<Option<Self>, Failure> {
        let Place::Host { engine, server } = self.place else { return Ok(None) };
        let guests = server.deafen().await;
        let closed = engine.close_idle().await;
        if matches!(closed, Ok(false)) {
            let server = listen(&self.folder, &engine, guests, Terms::default())?;
            return Ok(Some(Self { place: Place::Host { engine, server }, ..self }));
        }
        guests.dismiss().await;
        match closed {
            Ok(_) | Err(Stopped::Closed) => Ok(None),
            Err(Stopped::Store(message)) => Err(store_failure(message)),
        }
    }

    fn unanswered(&self, silence: &Silence) -> Failure {
        unanswered(&self.folder, silence)
    }
}

impl Caller {
    /// Asks for something.
    pub async fn call(&self, request: &Request) -> Result<Reply, Silence> {
        match self {
            Self::Host(engine) => Ok(engine.call(request.clone()).await),
            Self::Guest(guest) => guest.call(request).await,
        }
    }
}

impl Update {
    /// The next event; `None` behind the last one, or when the engine has gone.
    pub async fn next(&mut self) -> Option<Event> {
        match self {
            Self::Here(events) => events.next().await,
            Self::There(watching) => watching.next().await,
        }
    }
}

/// Guest if somebody listens, else host; in turns while the folder is locked by somebody who does not listen yet, or
/// not any more.
async fn take_place(folder: &Path, expected: Option<&str>) -> Result<Place, Failure> {
    let deadline = Instant::now() + PATIENCE;
    let guest = Guest::of(folder);
    loop {
        match guest.greet().await {
            Ok(of_server) => return Ok(Place::Guest { guest, of_server }),
            Err(Silence::Nobody | Silence::Broken(_)) => {}
            Err(silence @ (Silence::Mute | Silence::Stranger(_))) => return Err(unanswered(folder, &silence)),
        }
        let mut options = options(folder, Resume::WhenAsked)?;
        options.expected = expected.map(str::to_owned);
        match host::open(options).await {
            Ok(engine) => {
                let server = listen(folder, &engine, Guests::default(), Terms::default())?;
                return Ok(Place::Host { engine, server });
            }
            Err(OpenError::Locked { .. }) if Instant::now() < deadline => tokio::time::sleep(PAUSE).await,
            Err(OpenError::Locked { .. }) => return Err(unanswered(folder, &Silence::Nobody)),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Guest of the server that comes back.
async fn await_server(folder: &Path) -> Result<Place, Failure> {
    let deadline = Instant::now() + SERVER_PATIENCE;
    let guest = Guest::of(folder);
    loop {
        match guest.greet().await {
            Ok(of_server) => return Ok(Place::Guest { guest, of_server }),
            Err(Silence::Nobody | Silence::Broken(_)) if Instant::now() < deadline => tokio::time::sleep(PAUSE).await,
            Err(Silence::Nobody | Silence::Broken(_)) => return Err(Failure::ServerGone(folder.to_owned())),
            Err(silence @ (Silence::Mute | Silence::Stranger(_))) => return Err(unanswered(folder, &silence)),
        }
    }
}

/// Listens in a folder that this process holds.
pub(super) fn listen(folder: &Path, engine: &EngineHandle, guests: Guests, terms: Terms) -> Result<Server, Failure> {
    Server::listen(folder, engine.clone(), guests, terms)
        .map_err(Failure::system(format!("cannot listen in `{}`", folder.display())))
}

fn unanswered(folder: &Path, silence: &Silence) -> Failure {
    Failure::Unanswered {
        folder: folder.to_owned(),
        holder: Folder::lock_holder(folder),
        why: match silence {
            Silence::Nobody => "which does not listen on the folder's socket".to_owned(),
            Silence::Mute => "which does not answer on the folder's socket; is it stopped?".to_owned(),
            Silence::Stranger(version) => {
                format!("lockstep {version}, which speaks another protocol than this version")
            }
            Silence::Broken(error) => format!("which broke off: {error}"),
        },
    }
}

pub(super) fn store_failure(message: String) -> Failure {
    Refusal { kind: lockstep_engine::api::RefusalKind::Store, message, help: Vec::new() }.into()
}

/// Whether a request may be made again when nobody knows whether it was done.
const fn is_repeatable(request: &Request) -> bool {
    match request {
        Request::Start(_)
        | Request::Resume { .. }
        | Request::Watch { .. }
        | Request::Runs { .. }
        | Request::Show { .. }
        | Request::History { .. }
        // The same triggers twice are enrolled once, and what is gone is not withdrawn again.
        | Request::Enroll(_)
        | Request::Withdraw { .. }
        | Request::StartSchedules { .. }
        | Request::PauseSchedule { .. }
        | Request::ResumeSchedule { .. }
        | Request::Ticks { .. }
        | Request::Schedules { .. } => true,
        // The second cancel cuts `finally` short; a second signal would be taken by another step; the
        // others would be refused as no longer possible.
        Request::Cancel { .. }
        | Request::Retry { .. }
        | Request::RetryEdited { .. }
        | Request::Resolve { .. }
        | Request::Signal { .. }
        | Request::Pause { .. }
        | Request::Unpause { .. }
        | Request::Permit { .. }
        | Request::Skip { .. }
        | Request::Vote { .. }
        | Request::Answer { .. } => false,
    }
}

/// What becomes of runs that a former engine left open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Resume {
    /// They wait until somebody asks for them.
    WhenAsked,
    /// They go on by themselves.
    AtOnce,
}

/// An engine over the folder with everything that steps can do.
pub(super) fn options(folder: &Path, resume: Resume) -> Result<Options, Failure> {
    let storage = config::read(folder)?.storage;
    lockstep_stdlib::install_tls();
    let launcher = Launcher::this_program();
    let commands: [Arc<dyn Action>; 2] = [Arc::new(Shell::new(launcher.clone())), Arc::new(Exec::new(launcher))];
    let actions = commands.into_iter().chain(lockstep_stdlib::actions()).collect();
    let (data, sandbox, resume) = (folder.to_owned(), runbook_file::sandbox(), resume == Resume::AtOnce);
    Ok(Options { data, actions, expected: None, sandbox, resume, storage })
}
