//! What goes over the folder's socket: one JSON object a line.
//!
//! The host greets first. A connection then carries one request, and its answer: one reply, or events until the watched
//! run has ended or can go no further.

use lockstep_engine::api::{Event, Reply};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Programs with another number do not understand each other.
pub const PROTOCOL: u32 = 1;

/// Bytes of one line: a start carries the runbook with the files that travel with it, as numbers.
const LINE_BYTES: u64 = 256 * 1024 * 1024;

/// The first line of a connection, by the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Greeting {
    /// The version of the host's program, for messages.
    pub lockstep: String,
    /// [`PROTOCOL`].
    pub protocol: u32,
    /// Whether the host is a server, which comes back when it goes: its guests do not take its place.
    #[serde(default)]
    pub serves: bool,
}

impl Greeting {
    /// That of this program.
    pub fn own(serves: bool) -> Self {
        Self { lockstep: env!("CARGO_PKG_VERSION").to_owned(), protocol: PROTOCOL, serves }
    }
}

/// What the host answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// The answer to a request.
    Reply(Reply),
    /// Something that a watched run did.
    Event(Event),
}

/// Sends one line.
pub async fn send(to: &mut (impl AsyncWrite + Unpin), object: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(object)?;
    line.push(b'\n');
    to.write_all(&line).await?;
    to.flush().await
}

/// Receives one line; `None` where the other side has gone, also in the middle of a line.
pub async fn receive<T: DeserializeOwned>(from: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<T>> {
    let mut line = Vec::new();
    from.take(LINE_BYTES).read_until(b'\n', &mut line).await?;
    if line.last() != Some(&b'\n') {
        return if line.len() as u64 == LINE_BYTES { Err(io::Error::other("a line is too long")) } else { Ok(None) };
    }
    serde_json::from_slice(&line).map(Some).map_err(io::Error::from)
}
