//! A gate: a step arrives at it and waits until the test opens it. Two named pipes, so nobody polls.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;

use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::DEADLINE;

/// Where a step waits for the test.
pub struct Gate {
    arrived: PathBuf,
    open: PathBuf,
}

impl Gate {
    /// Makes the gate's two pipes.
    pub fn new(path: &Path) -> Self {
        let gate = Self { arrived: path.with_extension("arrived"), open: path.with_extension("open") };
        for pipe in [&gate.arrived, &gate.open] {
            mknodat(CWD, pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a named pipe");
        }
        gate
    }

    /// Shell that arrives and waits.
    pub fn script(&self) -> String {
        format!("echo > '{}'; cat '{}'", self.arrived.display(), self.open.display())
    }

    /// Waits until somebody has arrived.
    pub fn arrival(&self) {
        let path = self.arrived.clone();
        // Read to its end, so that nobody writes to a pipe without a reader.
        in_time("a step at the gate", move || std::io::read_to_string(File::open(path)?).map(drop));
    }

    /// Lets those through that wait, or the next that comes.
    pub fn open(&self) {
        let path = self.open.clone();
        in_time("a step that waits at the gate", move || {
            // What waits may be killed before it reads; then it is through as well.
            File::options().write(true).open(path).map(|mut pipe| drop(pipe.write_all(b"\n")))
        });
    }
}

/// Does what may block on a thread of its own, and fails the test if that takes too long.
fn in_time(what: &str, blocking: impl FnOnce() -> std::io::Result<()> + Send + 'static) {
    let (done, is_done) = mpsc::channel();
    thread::spawn(move || done.send(blocking()));
    let result = is_done.recv_timeout(DEADLINE).unwrap_or_else(|_| panic!("waited in vain for {what}"));
    result.unwrap_or_else(|error| panic!("{what}: {error}"));
}
