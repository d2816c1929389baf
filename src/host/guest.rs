//! The guest's mouth: asks whoever listens on the folder's socket.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lockstep_engine::api::{Event, Refusal, Reply, Request};
use tokio::io::BufReader;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

use super::socket;
use super::wire::{self, Answer, Greeting, PROTOCOL};

/// How long a host may take to greet. One that takes longer is stopped, or the machine is.
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks for a folder's host.
#[derive(Clone, Debug)]
pub struct Guest {
    folder: PathBuf,
}

/// Why there was no answer.
#[derive(Debug)]
pub enum Silence {
    /// Nobody listens: nothing was asked.
    Nobody,
    /// Somebody listens who does not greet: nothing was asked.
    Mute,
    /// A program of another version, which speaks another protocol, holds the folder: nothing was asked.
    Stranger(String),
    /// The connection broke behind the question.
    Broken(io::Error),
}

/// A host that has greeted.
#[derive(Debug)]
struct Connection {
    read: BufReader<OwnedReadHalf>,
    write: OwnedWriteHalf,
    /// Whether it is a server.
    serves: bool,
}

/// Events of a watched run.
#[derive(Debug)]
pub struct Watching {
    read: BufReader<OwnedReadHalf>,
    /// Closing it would say that we have gone.
    _write: OwnedWriteHalf,
    first: Option<Event>,
}

impl Guest {
    /// A guest of the folder's host, whoever that is.
    pub fn of(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Whether a host listens, and then whether it is a server.
    pub async fn greet(&self) -> Result<bool, Silence> {
        self.connect().await.map(|connection| connection.serves)
    }

    /// Asks for something.
    pub async fn call(&self, request: &Request) -> Result<Reply, Silence> {
        let Connection { mut read, mut write, .. } = self.connect().await?;
        wire::send(&mut write, request).await.map_err(Silence::Broken)?;
        match wire::receive(&mut read).await.map_err(Silence::Broken)? {
            Some(Answer::Reply(reply)) => Ok(reply),
            Some(Answer::Event(_)) | None => Err(Silence::Broken(io::ErrorKind::UnexpectedEof.into())),
        }
    }

    /// Watches a run, `patient` also while it only waits for somebody.
    pub async fn watch(&self, run: &str, patient: bool) -> Result<Result<Watching, Refusal>, Silence> {
        let Connection { mut read, mut write, .. } = self.connect().await?;
        let request = Request::Watch { run: run.to_owned(), patient };
        wire::send(&mut write, &request).await.map_err(Silence::Broken)?;
        match wire::receive(&mut read).await.map_err(Silence::Broken)? {
            Some(Answer::Event(event)) => Ok(Ok(Watching { read, _write: write, first: Some(event) })),
            Some(Answer::Reply(Reply::Refused(refusal))) => Ok(Err(refusal)),
            Some(Answer::Reply(_)) | None => Err(Silence::Broken(io::ErrorKind::UnexpectedEof.into())),
        }
    }

    async fn connect(&self) -> Result<Connection, Silence> {
        let greeted = async {
            // Why nobody can be reached does not matter: whoever takes the folder then is told what is wrong with it.
            let stream = socket::connect(&self.folder).await.map_err(|_| Silence::Nobody)?;
            let (read, write) = stream.into_split();
            let mut read = BufReader::new(read);
            // A host that ends between our knock and its greeting has not been asked anything.
            let greeting: Greeting = wire::receive(&mut read).await.ok().flatten().ok_or(Silence::Nobody)?;
            let serves = greeting.serves;
            if greeting.protocol == PROTOCOL {
                Ok(Connection { read, write, serves })
            } else {
                Err(Silence::Stranger(greeting.lockstep))
            }
        };
        tokio::time::timeout(PATIENCE, greeted).await.unwrap_or(Err(Silence::Mute))
    }
}

impl Watching {
    /// The next event; `None` behind the last one, or when the host has gone.
    pub async fn next(&mut self) -> Option<Event> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        match wire::receive(&mut self.read).await {
            Ok(Some(Answer::Event(event))) => Some(event),
            Ok(Some(Answer::Reply(_)) | None) | Err(_) => None,
        }
    }
}
