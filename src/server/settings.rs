//! What a server is told: the command line, and behind it `config.yaml` of the data folder.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::config::{self, Limits};
use crate::ending::Failure;
use crate::host::Terms;

/// What the command line says; it goes before the configuration.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// The folder of runbooks.
    pub runbooks: Option<PathBuf>,
    /// Where to listen for HTTP.
    pub listen: Option<SocketAddr>,
}

/// How the data folder is served.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The folder of runbooks, absolute.
    pub runbooks: Option<PathBuf>,
    /// Where to listen for HTTP.
    pub listen: Option<SocketAddr>,
    /// On which terms other commands are let in.
    pub terms: Terms,
    /// What clients of the HTTP listener may take.
    pub limits: Limits,
}

impl Settings {
    /// All that is said.
    pub fn read(given: &Given, data: &Path) -> Result<Self, Failure> {
        let server = config::read(data)?.server;
        let configured = server.runbooks.map(|runbooks| data.join(runbooks));
        let runbooks = given.runbooks.clone().or(configured).map(|folder| absolute(&folder)).transpose()?;
        let Terms { last_words, .. } = Terms::default();
        let last_words = server.drain.map_or(last_words, |drain| Duration::from_millis(drain.0));
        let terms = Terms { serves: true, group: server.socket_group, last_words };
        Ok(Self { runbooks, listen: given.listen.or(server.listen), terms, limits: server.limits })
    }
}

fn absolute(folder: &Path) -> Result<PathBuf, Failure> {
    folder.canonicalize().map_err(|error| {
        Failure::usage(format!("the folder of runbooks `{}` cannot be used: {error}", folder.display()))
            .help("name a folder that is there with `--runbooks DIR`, or `server.runbooks` in `config.yaml`")
    })
}
