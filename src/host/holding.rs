//! A server's place at a data folder: its host until it is told to stop, and nobody's guest.

use std::path::{Path, PathBuf};
use std::time::Duration;

use lockstep_engine::host::{self, EngineHandle, Stopped};
use lockstep_engine::store::OpenError;
use lockstep_engine::store::folder::Folder;
use tokio::time::Instant;

use super::guest::{Guest, Silence};
use super::server::{Guests, Server};
use super::session::{Resume, listen, options, store_failure};
use super::terms::Terms;
use crate::ending::Failure;

/// How long another process may hold the folder: a server that is replaced takes less to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// Between two tries.
const PAUSE: Duration = Duration::from_millis(20);

/// A data folder that this process serves.
#[derive(Debug)]
pub struct Holding {
    engine: EngineHandle,
    server: Server,
}

impl Holding {
    /// Takes the folder, goes on with the runs that were cut off there, and listens on its socket.
    pub async fn take(folder: &Path, terms: Terms) -> Result<Self, Failure> {
        let deadline = Instant::now() + PATIENCE;
        let mut said = false;
        loop {
            match host::open(options(folder, Resume::AtOnce)?).await {
                Ok(engine) => {
                    let server = listen(folder, &engine, Guests::default(), terms)?;
                    return Ok(Self { engine, server });
                }
                // Another server does not end by itself.
                Err(OpenError::Locked { .. })
                    if Instant::now() < deadline && !matches!(Guest::of(folder).greet().await, Ok(true)) =>
                {
                    if !std::mem::replace(&mut said, true) {
                        let holder = Folder::lock_holder(folder);
                        tracing::info!(folder = %folder.display(), holder, "waiting for who holds the data folder");
                    }
                    tokio::time::sleep(PAUSE).await;
                }
                Err(OpenError::Locked { .. }) => return Err(in_use(folder).await),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The engine.
    pub const fn engine(&self) -> &EngineHandle {
        &self.engine
    }

    /// Takes no more requests, lets what is being committed end, and gives the folder up. Commands live on under their
    /// supervisors, and the next engine picks them up.
    pub async fn close(self) -> Result<(), Failure> {
        let guests = self.server.deafen().await;
        let closed = self.engine.close().await;
        guests.dismiss().await;
        closed.map_err(|why| match why {
            Stopped::Closed => store_failure(why.to_string()),
            Stopped::Store(message) => store_failure(message),
        })
    }
}

/// Who does not give the folder up.
async fn in_use(folder: &Path) -> Failure {
    let why = match Guest::of(folder).greet().await {
        Ok(true) => "which serves it already".to_owned(),
        Ok(false) => "which carries runs that were started without a server, until they have ended".to_owned(),
        Err(Silence::Stranger(version)) => format!("which is lockstep {version}"),
        Err(Silence::Nobody | Silence::Mute | Silence::Broken(_)) => "which does not give it up".to_owned(),
    };
    Failure::Unanswered { folder: PathBuf::from(folder), holder: Folder::lock_holder(folder), why }
}
