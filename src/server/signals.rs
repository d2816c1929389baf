//! What signals ask of a server.

use tokio::signal::unix::{Signal, SignalKind};

use crate::ending::Failure;
use crate::interrupt::{arrival, listen};

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// To stop.
    Stop,
    /// To read the runbooks again.
    Reload,
}

/// The signals that a server listens to.
#[derive(Debug)]
pub struct Signals {
    interrupt: Option<Signal>,
    terminate: Option<Signal>,
    hangup: Option<Signal>,
}

impl Signals {
    /// Listens from here on.
    pub fn listen() -> Result<Self, Failure> {
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hangup: listen(SignalKind::hangup())?,
        })
    }

    /// What the next signal asks for.
    pub async fn next(&mut self) -> Word {
        tokio::select! {
            () = arrival(&mut self.interrupt) => Word::Stop,
            () = arrival(&mut self.terminate) => Word::Stop,
            () = arrival(&mut self.hangup) => Word::Reload,
        }
    }

    /// Ends when it is asked to stop.
    pub async fn stop(&mut self) {
        while self.next().await != Word::Stop {}
    }
}
