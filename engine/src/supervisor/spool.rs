//! The folder of an attempt, through which a supervisor and an engine find each other.
//!
//! ```text
//! task       the command; its supervisor holds a lock on this file for as long as it lives
//! script     the text of a `shell` step
//! output     $LOCKSTEP_OUTPUT
//! stop       a pipe: a byte in it asks for the command to be stopped
//! begun      the command has begun, or was about to
//! exit       how it ended; it appears whole
//! ```

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, FlockOperation, Mode, OFlags, flock, mknodat};

use super::exit::{self, NoExit};
use super::limits::EXIT_BYTES;
use super::task::{Origin, Task};
use crate::fault::{self, Point};
use crate::worker::Outcome;

/// An attempt's folder, whether it is there or not.
#[derive(Clone, Debug)]
pub(crate) struct Spool(PathBuf);

/// Who holds the lock of a folder.
#[derive(Debug)]
pub(crate) enum Lock {
    /// A supervisor lives.
    Held,
    /// None lives, nor can one begin while this is held.
    Free(#[expect(dead_code, reason = "holding it is its use")] Option<File>),
}

impl Spool {
    /// The folder at this path.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self(folder.into())
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The script's text.
    pub fn script(&self) -> PathBuf {
        self.0.join("script")
    }

    /// `$LOCKSTEP_OUTPUT`.
    pub fn output(&self) -> PathBuf {
        self.0.join("output")
    }

    /// Writes the script's text.
    pub fn write_script(&self, text: &str) -> io::Result<()> {
        fault::at(Point::SpoolScript, || fs::write(self.script(), text))
    }

    /// Makes the folder anew. Only the engine's user looks into it: a script may hold what is nobody else's business.
    pub fn create(&self) -> io::Result<()> {
        let make = |recursive| DirBuilder::new().recursive(recursive).mode(0o700).create(&self.0);
        fault::at(Point::SpoolCreate, || {
            match make(false) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    // Of an attempt that certainly did not begin.
                    fs::remove_dir_all(&self.0)?;
                    make(true)?;
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => make(true)?,
                Err(error) => return Err(error),
            }
            fs::write(self.output(), "")?;
            Ok(mknodat(CWD, self.0.join("stop"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)?)
        })
    }

    /// Writes the task. The file that is given back is locked, and becomes the supervisor's standard input.
    pub fn write_task(&self, task: &Task) -> io::Result<File> {
        let path = self.0.join("task");
        let mut file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)?;
        flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        let text = serde_json::to_vec_pretty(task)?;
        fault::at(Point::SpoolTask, || file.write_all(&text))?;
        Ok(file)
    }

    /// The boot that the task was written in, whatever its format; `None` where it cannot be read.
    pub fn boot(&self) -> Option<String> {
        let origin: Origin = serde_json::from_slice(&fs::read(self.0.join("task")).ok()?).ok()?;
        Some(origin.boot)
    }

    /// Asks whether a supervisor lives; if none does, none will for as long as the answer is held.
    pub fn lock(&self) -> io::Result<Lock> {
        let file = match File::open(self.0.join("task")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Lock::Free(None)),
            opened => opened?,
        };
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Lock::Free(Some(file))),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(Lock::Held),
            Err(error) => Err(error.into()),
        }
    }

    /// Notes that the command begins.
    pub fn mark_begun(&self) -> io::Result<()> {
        let path = self.0.join("begun");
        let note = || OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path).map(drop);
        fault::at(Point::SpoolBegun, note)
    }

    /// Whether the command has begun, or was about to.
    pub fn has_begun(&self) -> io::Result<bool> {
        self.0.join("begun").try_exists()
    }

    /// The end through which requests to stop are read and written: opening it waits for nobody, and what was written
    /// stays as long as it is open anywhere.
    pub fn stop_pipe(&self) -> io::Result<File> {
        let flags = OFlags::NONBLOCK.bits().cast_signed();
        OpenOptions::new().read(true).write(true).custom_flags(flags).open(self.0.join("stop"))
    }

    /// Asks for the command to be stopped. What is given back is to be held until the attempt has ended: a supervisor
    /// that is just beginning has not opened the pipe yet.
    pub fn ask_to_stop(&self) -> io::Result<File> {
        let mut pipe = self.stop_pipe()?;
        pipe.write_all(&[1])?;
        Ok(pipe)
    }

    /// Writes down how the command ended.
    pub fn write_exit(&self, outcome: &Outcome) -> io::Result<()> {
        let unfinished = self.0.join("exit.unfinished");
        fault::at(Point::SpoolExit, || {
            let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
            file.write_all(&exit::encode(outcome))
        })?;
        fault::at(Point::SpoolRename, || fs::rename(&unfinished, self.0.join("exit")))
    }

    /// Makes what was written of the end survive a loss of power.
    pub fn sync_exit(&self) -> io::Result<()> {
        fault::at(Point::SpoolSync, || {
            File::open(self.0.join("exit"))?.sync_all()?;
            File::open(&self.0)?.sync_all()
        })
    }

    /// Whether the end still lies here: it is removed when it is durable elsewhere.
    pub fn has_exit(&self) -> bool {
        self.0.join("exit").exists()
    }

    /// How the command ended; `None` where nothing says so.
    pub fn exit(&self) -> Option<Result<Outcome, NoExit>> {
        let file = File::open(self.0.join("exit")).ok()?;
        let mut bytes = Vec::new();
        let read = file.take(EXIT_BYTES as u64).read_to_end(&mut bytes);
        Some(read.map_err(|_| NoExit::Damaged).and_then(|_| exit::decode(&bytes)))
    }
}
