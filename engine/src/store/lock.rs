//! The lock on a data folder: one process at a time may write there.
//!
//! It is a `flock` on the file `LOCK`, which the kernel gives up with the process, however that ends. The file holds the
//! id of the process that took it last, to name in messages; nothing is decided from that number.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};

use super::OpenError;
use super::files::cannot;
use crate::fault::{self, Point};
use crate::id::Epoch;

/// The file in the data folder.
pub const LOCK_FILE: &str = "LOCK";

/// Somebody who only looks ([`is_held`]) holds the lock for microseconds; these tries outlast that.
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_millis(5);

/// Digits of the largest process id, and room for more.
const NOTE_BYTES: usize = 10;

/// A lock that is held until it is dropped, and the newest epoch of the log behind it.
#[derive(Debug)]
pub struct Held {
    newest_epoch: Mutex<Epoch>,
    _file: File,
}

impl Held {
    /// Takes the lock on a data folder.
    #[expect(clippy::disallowed_methods, reason = "a blocking flock would wait for a real holder for ever")]
    pub fn take(folder: &Path) -> Result<Self, OpenError> {
        let path = folder.join(LOCK_FILE);
        let open = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
        let file = open.map_err(cannot("cannot open", &path))?;
        for attempt in 1.. {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => break,
                Err(rustix::io::Errno::WOULDBLOCK) if attempt < TRIES => std::thread::sleep(PAUSE),
                Err(rustix::io::Errno::WOULDBLOCK) => {
                    return Err(OpenError::Locked { path: folder.display().to_string() });
                }
                Err(error) => return Err(cannot("cannot lock", &path)(error.into())),
            }
        }
        // On a full disk the number is missing; the lock holds all the same. Always of one length: making the file shorter
        // first would cost more than a sync.
        let note = format!("{:>NOTE_BYTES$}\n", std::process::id());
        let _ = fault::at(Point::LockNote, || file.write_all_at(note.as_bytes(), 0));
        Ok(Self { newest_epoch: Mutex::default(), _file: file })
    }

    /// The epoch of the newest handle on the log; whoever has the guard keeps others from opening and appending.
    pub fn newest_epoch(&self) -> MutexGuard<'_, Epoch> {
        self.newest_epoch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a process (this one too) holds the lock on a data folder.
pub fn is_held(folder: &Path) -> Result<bool, OpenError> {
    let path = folder.join(LOCK_FILE);
    let file = match File::open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        opened => opened.map_err(cannot("cannot open", &path))?,
    };
    match flock(&file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => Ok(false),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(true),
        Err(error) => Err(cannot("cannot lock", &path)(error.into())),
    }
}

/// The id of the process that took the lock last, for messages.
pub fn holder(folder: &Path) -> Option<u32> {
    let mut text = [0; 16];
    let len = File::open(folder.join(LOCK_FILE)).ok()?.read_at(&mut text, 0).ok()?;
    std::str::from_utf8(&text[..len]).ok()?.trim().parse().ok()
}
