//! The engine in a process: the driver on a task of its own, the workers beside it, and callers with a handle.
//!
//! Nothing is decided here. Requests, reports and timers become inputs of the driver's next turn; what the turn says
//! is to be done is done after it.

#![expect(dead_code, reason = "the task behind the handle lands with the driver")]

mod handle;
mod mailbox;

pub use handle::{EngineHandle, Events, Options, Stopped};

use crate::store::OpenError;

/// Opens the engine over a data folder and recovers what a former one left.
///
/// # Errors
/// The folder is held by another process, damaged, written by a newer program, or cannot be used.
#[expect(clippy::unused_async, reason = "opening is a task of the caller's runtime")]
pub async fn open(options: Options) -> Result<EngineHandle, OpenError> {
    let source = std::io::Error::from(std::io::ErrorKind::Unsupported);
    Err(OpenError::Io { action: "cannot open", path: options.data.display().to_string(), source })
}
