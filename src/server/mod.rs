//! `lockstep serve`: a host that stays.
//!
//! It opens the engine over the data folder, takes up what was cut off, and answers on the folder's socket until it is told
//! to stop. Beside the engine it keeps a library of runbooks, tells the service manager how it is, and answers programs over
//! HTTP; each of these is a room of its own here and knows nothing of the others. What the server is told (signals) and
//! what happens to it (the engine has stopped) meet in one loop.
//!
//! It never ends a command: those live on under their supervisors, also when it is killed.

mod http;
mod librarian;
pub mod library;
mod manager;
mod pulse;
mod settings;
mod signals;

pub use settings::Given;

use std::path::Path;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::context::Context;
use crate::ending::{Ending, Failure};
use crate::host::Holding;
use crate::output::text::count;
use crate::runtime;

use self::http::{Listener, Metrics, State};
use self::librarian::Librarian;
use self::manager::Watchdog;
use self::pulse::Pulse;
use self::settings::Settings;
use self::signals::{Signals, Word};

/// Serves the data folder until it is told to stop.
pub fn serve(given: &Given, context: &Context) -> Result<Ending, Failure> {
    let data = context.data()?;
    runtime::run(async {
        let mut signals = Signals::listen()?;
        let settings = Settings::read(given, data)?;
        let server = tokio::select! {
            server = Server::start(&settings, data) => server?,
            () = signals.stop() => return Ok(Ending::Succeeded),
        };
        server.stay(&mut signals).await;
        let stopped = tokio::select! {
            stopped = server.stop(&settings) => stopped,
            () = signals.stop() => {
                tracing::warn!("stopped at once; nothing that was acknowledged is lost");
                return Ok(Ending::StillOpen);
            }
        };
        stopped?;
        tracing::info!("stopped; commands that run go on under their supervisors");
        Ok(Ending::Succeeded)
    })
}

/// A server that is up.
struct Server {
    holding: Holding,
    librarian: Option<Librarian>,
    listener: Option<Listener>,
    stopping: watch::Sender<bool>,
}

impl Server {
    /// Takes the folder and whatever else it needs, and says that it is ready.
    async fn start(settings: &Settings, data: &Path) -> Result<Self, Failure> {
        let bound = match settings.listen {
            Some(address) => Some(http::bind(address).await?),
            None => None,
        };
        let holding = Holding::take(data, settings.terms).await?;
        let librarian = match &settings.runbooks {
            Some(folder) => Some(Librarian::start(folder, data, holding.engine().clone()).await?),
            None => None,
        };
        let (stopping, is_stopping) = watch::channel(false);
        let state = State {
            engine: holding.engine().clone(),
            pulse: Pulse::start(holding.engine().clone(), Watchdog::of_environment()),
            library: librarian.as_ref().map(Librarian::status),
            metrics: Arc::new(Metrics::default()),
            stopping: is_stopping,
        };
        let listener = bound.map(|bound| listen(bound, &state, settings));
        let server = Self { holding, librarian, listener, stopping };
        manager::ready(&status(server.librarian.as_ref()));
        tracing::info!(
            data = %data.display(),
            pid = std::process::id(),
            version = env!("CARGO_PKG_VERSION"),
            "ready: serving the data folder"
        );
        Ok(server)
    }

    /// Ends when the server is to stop, or has to. Nothing that it does meanwhile keeps it from hearing that.
    async fn stay(&self, signals: &mut Signals) {
        let mut reloads = JoinSet::new();
        loop {
            tokio::select! {
                word = signals.next() => match word {
                    Word::Stop => {
                        tracing::info!("stopping: no more requests are taken");
                        return;
                    }
                    Word::Reload => drop(reloads.spawn(reload(self.librarian.clone()))),
                },
                // Nobody waits for what these returned.
                Some(_) = reloads.join_next() => {}
                // Why it has is said when it is closed.
                _ = self.holding.engine().stopped() => return,
            }
        }
    }

    /// Lets everything come to its end, the engine last.
    async fn stop(self, settings: &Settings) -> Result<(), Failure> {
        self.stopping.send_replace(true);
        manager::stopping();
        let closed = self.holding.close().await;
        if let Some(listener) = self.listener {
            listener.close(settings.terms.last_words).await;
        }
        closed
    }
}

/// Has the runbooks read again.
async fn reload(librarian: Option<Librarian>) {
    manager::reloading();
    if let Some(librarian) = &librarian {
        librarian.reload().await;
    }
    manager::ready(&status(librarian.as_ref()));
}

/// One line for whoever asks the service manager.
fn status(librarian: Option<&Librarian>) -> String {
    let Some(librarian) = librarian else { return "serving".to_owned() };
    let status = Arc::clone(&librarian.status().borrow());
    let broken = match status.broken.len() {
        0 => String::new(),
        broken => format!(", {} broken", count(broken, "file")),
    };
    format!("serving {}{broken}", count(status.runbooks, "runbook"))
}

fn listen(bound: TcpListener, state: &State, settings: &Settings) -> Listener {
    match bound.local_addr() {
        Ok(address) => tracing::info!(%address, "listening for HTTP"),
        Err(error) => tracing::warn!(%error, "nobody knows where this listens"),
    }
    Listener::start(bound, http::router(state, settings.limits), settings.limits)
}
