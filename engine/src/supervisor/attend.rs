//! Attends a running command: takes its output, feeds it, stops it when asked to, and says how it ended.

use std::fs::File;
use std::io::{self, Read, Write as _};
use std::os::fd::AsFd;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::Signal;

use super::limits::LONGEST_GRACE;
use super::process::Process;
use crate::worker::Stream;
use crate::worker::limits::{DRAIN, GROUP_POLL, PIPE_BYTES};

/// Attends the process to its end.
///
/// When the leader ends, the command has ended; what it left running goes on, and its output is awaited for [`DRAIN`] at
/// most. When a byte comes through `stop` before that, all that descends from it is asked to end by SIGTERM, killed
/// after `grace` by SIGKILL, and awaited.
pub(super) fn attend(
    mut process: Process,
    stdin: Option<String>,
    stop: &File,
    grace: Duration,
    mut take: impl FnMut(Stream, &[u8]),
) -> io::Result<ExitStatus> {
    feed(&mut process, stdin);
    let mut buffer = vec![0; PIPE_BYTES];
    let mut stage = Stage::Running;
    loop {
        process.reap();
        let now = Instant::now();
        stage = stage.next(&process, now);
        let quiet = process.stdout.is_none() && process.stderr.is_none();
        match (stage, process.status) {
            (Stage::Draining { until }, Some(status)) if quiet || until <= now => return Ok(status),
            (Stage::Draining { .. }, None) => return Err(io::Error::from(io::ErrorKind::NotFound)),
            _ => {}
        }
        let ready = wait(&process, stop, &stage, now)?;
        if ready.stdout {
            pull(&mut process.stdout, &mut buffer, |bytes| take(Stream::Stdout, bytes));
        }
        if ready.stderr {
            pull(&mut process.stderr, &mut buffer, |bytes| take(Stream::Stderr, bytes));
        }
        if ready.stop && asked(stop) {
            process.reap();
            // An end that came first is told as it was.
            if process.status.is_none() {
                process.signal(Signal::TERM);
                // A stopped process would not notice.
                process.signal(Signal::CONT);
                stage = Stage::Stopping { kill: Instant::now() + grace.min(LONGEST_GRACE) };
            }
        }
    }
}

/// Whether stopping was asked for.
pub(super) fn asked(mut stop: &File) -> bool {
    matches!(stop.read(&mut [0; 16]), Ok(count) if count > 0)
}

/// Where a command is in its life.
#[derive(Clone, Copy)]
enum Stage {
    /// The leader runs.
    Running,
    /// It was asked to stop.
    Stopping {
        /// When the grace is over.
        kill: Instant,
    },
    /// Only the rest of its output is awaited.
    Draining {
        /// At most until then.
        until: Instant,
    },
}

impl Stage {
    fn next(self, process: &Process, now: Instant) -> Self {
        let draining = Self::Draining { until: now + DRAIN };
        match self {
            Self::Running if process.status.is_some() || process.childless => draining,
            Self::Stopping { .. } if process.childless => draining,
            // Again each time: a process may have been forked meanwhile. What belongs to other users cannot be killed.
            Self::Stopping { kill } if kill <= now && !process.signal(Signal::KILL) && process.status.is_some() => {
                draining
            }
            stage => stage,
        }
    }

    /// How long nothing may happen before it is looked at again.
    fn patience(&self, process: &Process, now: Instant) -> Option<Duration> {
        match self {
            Self::Running if process.handle.is_some() => None,
            // The kernel offers no event for the end of a group, nor older ones for that of a process.
            Self::Running | Self::Stopping { .. } => Some(GROUP_POLL),
            Self::Draining { until } => Some(until.saturating_duration_since(now)),
        }
    }
}

/// What can be read without waiting.
#[derive(Default)]
struct Ready {
    stdout: bool,
    stderr: bool,
    stop: bool,
}

fn wait(process: &Process, stop: &File, stage: &Stage, now: Instant) -> io::Result<Ready> {
    let stop = matches!(stage, Stage::Running).then(|| stop.as_fd());
    let stdout = process.stdout.as_ref().map(AsFd::as_fd);
    let stderr = process.stderr.as_ref().map(AsFd::as_fd);
    let leader = process.handle.as_ref().map(AsFd::as_fd);
    let sources = [stdout, stderr, stop, leader];
    let mut fds: Vec<PollFd<'_>> =
        sources.iter().flatten().map(|fd| PollFd::from_borrowed_fd(*fd, PollFlags::IN)).collect();
    let patience = stage.patience(process, now).map(|patience| Timespec {
        tv_sec: i64::try_from(patience.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: patience.subsec_nanos().into(),
    });
    match poll(&mut fds, patience.as_ref()) {
        Ok(_) => {}
        Err(rustix::io::Errno::INTR) => return Ok(Ready::default()),
        Err(error) => return Err(error.into()),
    }
    let mut seen = fds.iter();
    let mut ready =
        sources.map(|source| source.is_some() && seen.next().is_some_and(|fd| !fd.revents().is_empty())).into_iter();
    let mut next = || ready.next().unwrap_or_default();
    Ok(Ready { stdout: next(), stderr: next(), stop: next() })
}

/// Reads what there is, and forgets a pipe that has come to its end.
fn pull(pipe: &mut Option<impl Read>, buffer: &mut [u8], mut take: impl FnMut(&[u8])) {
    let Some(open) = pipe else { return };
    match open.read(buffer) {
        Ok(0) => *pipe = None,
        Ok(count) => take(&buffer[..count]),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
        Err(_) => *pipe = None,
    }
}

/// Writes standard input beside all else. A command that does not read it all has its reasons.
fn feed(process: &mut Process, text: Option<String>) {
    if let (Some(mut pipe), Some(text)) = (process.stdin.take(), text) {
        std::thread::spawn(move || {
            let _ = pipe.write_all(text.as_bytes());
        });
    }
}
