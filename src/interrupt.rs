//! What signals ask of a command that follows runs.
//!
//! Ctrl-C and SIGTERM ask for the runs to be cancelled, a second one to leave at once. SIGHUP, the end of the terminal,
//! asks to leave without a cancel: nobody has said that the runs are unwanted. What was ignored when we were started
//! (`nohup`, a shell's background) stays ignored.

use std::fs;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::ending::Failure;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// To cancel; asked a second time, to leave.
    Cancel,
    /// To leave.
    Leave,
}

/// The signals that are listened to.
#[derive(Debug)]
pub struct Interrupts {
    interrupt: Option<Signal>,
    terminate: Option<Signal>,
    hangup: Option<Signal>,
}

impl Interrupts {
    /// Listens from here on.
    pub fn listen() -> Result<Self, Failure> {
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hangup: listen(SignalKind::hangup())?,
        })
    }

    /// What the next signal asks for.
    pub async fn next(&mut self) -> Wish {
        tokio::select! {
            () = arrival(&mut self.interrupt) => Wish::Cancel,
            () = arrival(&mut self.terminate) => Wish::Cancel,
            () = arrival(&mut self.hangup) => Wish::Leave,
        }
    }
}

/// Listens to a signal, unless this process was started to ignore it.
pub fn listen(kind: SignalKind) -> Result<Option<Signal>, Failure> {
    let is_ignored = ignored_signals() & (1 << (kind.as_raw_value() - 1)) != 0;
    let signal = (!is_ignored).then(|| signal(kind)).transpose();
    signal.map_err(Failure::system("cannot listen to signals"))
}

/// Ends when the signal comes; never, if it is ignored.
pub async fn arrival(signal: &mut Option<Signal>) {
    if let Some(signal) = signal
        && signal.recv().await.is_some()
    {
        return;
    }
    std::future::pending::<()>().await;
}

/// A bit for each signal that this process was started to ignore.
fn ignored_signals() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}
