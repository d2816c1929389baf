//! `server`: how `lockstep serve` serves the folder.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use lockstep_dsl::scalar;
use lockstep_dsl::value::Millis;
use lockstep_dsl::yaml::Node;

use super::reader::Reader;
use crate::users;

/// How the folder is served; what is left out is as `lockstep serve --help` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Server {
    /// The folder of runbooks that it knows by name; a relative path is one from the data folder.
    pub runbooks: Option<PathBuf>,
    /// Where it listens for HTTP.
    pub listen: Option<SocketAddr>,
    /// The number of the group that may ask over the folder's socket, beside the folder's user and root.
    pub socket_group: Option<u32>,
    /// How long a server that stops waits for those whom it answers.
    pub drain: Option<Millis>,
    /// What one client, and all together, may take.
    pub limits: Limits,
}

/// What clients of the HTTP listener may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at the same time. More wait in the kernel's queue until one of these ends.
    pub connections: usize,
    /// How long a client may take to send the head of a request, and be silent between two.
    pub header_timeout: Duration,
    /// How long a request may take from its head to the end of its answer.
    pub request_timeout: Duration,
    /// Bytes of a request's body.
    pub body: u64,
}

impl Default for Limits {
    /// Those of few clients that mean well: a scraper, a load balancer, whoever sends alerts.
    fn default() -> Self {
        Self {
            connections: 256,
            header_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(30),
            body: 1024 * 1024,
        }
    }
}

/// Reads it; what is wrong is left out.
pub fn read(reader: &mut Reader<'_>, node: &Node) -> Server {
    let Some(mapping) = reader.expect_map("server", node) else { return Server::default() };
    let mut server = Server::default();
    let Server { runbooks, listen, socket_group, drain, limits } = &mut server;
    reader.map(
        "server",
        mapping,
        &mut [
            ("runbooks", &mut |reader, node| *runbooks = reader.expect("runbooks", node, |text| Ok(text.into()))),
            ("listen", &mut |reader, node| *listen = reader.expect("listen", node, address)),
            ("socket_group", &mut |reader, node| *socket_group = reader.expect("socket_group", node, group)),
            ("drain", &mut |reader, node| *drain = reader.expect("drain", node, scalar::duration)),
            ("limits", &mut |reader, node| read_limits(reader, node, limits)),
        ],
    );
    server
}

fn read_limits(reader: &mut Reader<'_>, node: &Node, limits: &mut Limits) {
    let Some(mapping) = reader.expect_map("limits", node) else { return };
    let Limits { connections, header_timeout, request_timeout, body } = limits;
    reader.map(
        "limits",
        mapping,
        &mut [
            ("connections", &mut |reader, node| set(connections, reader.expect("connections", node, number))),
            ("header_timeout", &mut |reader, node| set(header_timeout, reader.expect("header_timeout", node, time))),
            ("request_timeout", &mut |reader, node| set(request_timeout, reader.expect("request_timeout", node, time))),
            ("body", &mut |reader, node| set(body, reader.expect("body", node, size))),
        ],
    );
}

fn set<T>(to: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *to = value;
    }
}

/// An address to listen on, as a configuration or the command line has it.
pub fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| format!("`{text}` is no address; write one with its port, such as `127.0.0.1:7420`"))
}

fn group(name: &str) -> Result<u32, String> {
    users::group_id(name).ok_or_else(|| format!("this machine has no group `{name}`"))
}

fn number(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|number| *number > 0).ok_or_else(|| format!("`{text}` is no number above 0"))
}

fn time(text: &str) -> Result<Duration, String> {
    let time = scalar::duration(text)?;
    if time.0 == 0 { Err("must be more than nothing".to_owned()) } else { Ok(Duration::from_millis(time.0)) }
}

fn size(text: &str) -> Result<u64, String> {
    scalar::size(text).and_then(|bytes| u64::try_from(bytes).map_err(|error| error.to_string()))
}
