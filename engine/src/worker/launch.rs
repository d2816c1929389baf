//! Starts supervisors, and is this engine's end of their lines.
//!
//! Starting a program takes longer than all else that an attempt needs. So one supervisor can be had *ready*: a process
//! that has been started and told nothing, and so may run nothing. It is told its folder, and given the task file that is
//! locked for it, over its line. When nobody needs it, it ends with its line.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};

use super::Outcome;
use crate::fault;
use crate::supervisor::limits::EXIT_BYTES;
use crate::supervisor::process::INHERITED;
use crate::supervisor::spool::Spool;
use crate::supervisor::task::{Private, Task};
use crate::supervisor::{ARGUMENT, exit, handover};

/// How a supervisor is started: a program whose `main` asks [`crate::supervisor::entered`] first of all. Cloning shares the
/// one that is ready.
#[derive(Clone, Debug)]
pub struct Launcher {
    program: PathBuf,
    ready: Arc<Mutex<Option<Line>>>,
}

/// A supervisor that this engine has started.
#[derive(Debug)]
pub(super) struct Line {
    socket: UnixStream,
    child: Child,
    /// What came behind the bytes that say that the log has grown.
    last_word: Vec<u8>,
}

/// What came over a line.
pub(super) enum News {
    /// The log has grown.
    More,
    /// Nothing comes any more: the end is written down, or the supervisor is gone.
    Over,
}

impl Launcher {
    /// Supervisors are this very program, also when its file has been replaced since by a newer one.
    pub fn this_program() -> Self {
        Self::program("/proc/self/exe")
    }

    /// Supervisors are this program.
    pub fn program(program: impl Into<PathBuf>) -> Self {
        Self { program: program.into(), ready: Arc::default() }
    }

    /// Has a supervisor ready for the next command, if none is. One that cannot be started now is started when it is
    /// needed, and what is wrong is said then. To be called on the runtime on which that command is awaited.
    pub(super) fn get_ready(&self) {
        let mut ready = self.ready();
        if ready.is_none() {
            *ready = self.spawn(None, Stdio::null()).ok();
        }
    }

    fn ready(&self) -> std::sync::MutexGuard<'_, Option<Line>> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a supervisor for the task, and tells it all. An error means that nothing has begun.
    pub(super) async fn start(&self, spool: &Spool, task: &Task, private: &Private) -> io::Result<Line> {
        let locked = spool.write_task(task)?;
        let ready = self.ready().take();
        let mut line = match ready.map(|ready| ready.hand_over(&locked, spool)) {
            Some(Ok(line)) => line,
            // It was told nothing: it is gone, or goes now.
            Some(Err(error)) => {
                tracing::debug!(%error, "a supervisor that was ready is not");
                self.spawn(Some(spool.path()), locked.into())?
            }
            None => self.spawn(Some(spool.path()), locked.into())?,
        };
        // A supervisor that is gone already says why, or nothing has begun.
        if let Err(error) = line.socket.write_all(&private.encode()).await {
            tracing::debug!(%error, "a supervisor did not hear what it is to run");
        }
        Ok(line)
    }

    /// Starts a supervisor: of the attempt in a folder, whose locked task is its standard input, or one that is to be
    /// told.
    fn spawn(&self, folder: Option<&Path>, task: Stdio) -> io::Result<Line> {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let mut command = std::process::Command::new(&self.program);
        // The folder also for those who list processes.
        command.arg0("lockstep").arg(ARGUMENT).args(folder);
        let inherited =
            INHERITED.iter().chain(&fault::VARIABLES).filter_map(|name| Some((*name, std::env::var_os(name)?)));
        // A group of its own: what a terminal sends when it is interrupted or closed is not for the command.
        command.env_clear().envs(inherited.collect::<Vec<(&str, OsString)>>()).process_group(0);
        // Dropped with `command` below, so that the supervisor alone holds the lock.
        command.stdin(task).stdout(OwnedFd::from(theirs)).stderr(Stdio::null());
        let child = Command::from(command).spawn()?;
        Ok(Line { socket: UnixStream::from_std(ours)?, child, last_word: Vec::new() })
    }
}

impl Line {
    /// Tells a supervisor that is ready which folder is its own, and gives it the locked task. An error means that it has
    /// heard nothing.
    fn hand_over(self, locked: &File, spool: &Spool) -> io::Result<Self> {
        handover::send(&self.socket, locked, spool.path())?;
        Ok(self)
    }

    /// Waits for something to come.
    pub async fn news(&mut self) -> News {
        let mut bytes = [0; 4096];
        match self.socket.read(&mut bytes).await {
            Ok(0) | Err(_) => News::Over,
            Ok(count) => {
                let said = &bytes[..count];
                let begins = if self.last_word.is_empty() { said.iter().position(|byte| *byte != 0) } else { Some(0) };
                let said = begins.map_or(&[][..], |begins| &said[begins..]);
                self.last_word
                    .extend_from_slice(&said[..said.len().min(EXIT_BYTES.saturating_sub(self.last_word.len()))]);
                News::More
            }
        }
    }

    /// How the command ended, where its supervisor has no room to write it down.
    pub fn outcome(&self) -> Option<Outcome> {
        exit::decode(&self.last_word).ok()
    }

    /// Lets go of a supervisor that has done its work. It is reaped when it ends.
    pub fn release(mut self) {
        tokio::spawn(async move { self.child.wait().await });
    }

    /// Waits for the end of a supervisor that came to nothing, and says what is known of it.
    pub async fn why(mut self) -> String {
        let ended = self.child.wait().await;
        match (self.last_word.is_empty(), ended) {
            (false, _) => String::from_utf8_lossy(&self.last_word).into_owned(),
            (true, Ok(status)) => format!("its supervisor ended: {status}"),
            (true, Err(error)) => format!("its supervisor ended: {error}"),
        }
    }
}
