//! What people and programs read of us. Standard output carries what was asked for, standard error what Lockstep itself
//! has to say.
//!
//! Nothing that a command or a runbook wrote reaches a terminal with its control characters.

pub mod json;
mod screen;
mod style;
pub mod text;

use std::io::{self, Write};
use std::ops::ControlFlow;

pub use style::Style;

use crate::ending::Failure;

/// Writes to standard output at once. That nobody reads it any more is no failure.
pub fn print(text: &str) -> Result<(), Failure> {
    print_bytes(text.as_bytes()).map(drop)
}

/// Writes bytes as they are to standard output at once. `Break` says that nobody reads it any more.
pub fn print_bytes(bytes: &[u8]) -> Result<ControlFlow<()>, Failure> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(ControlFlow::Continue(())),
        Err(error) if is_gone(&error) => Ok(ControlFlow::Break(())),
        Err(source) => Err(Failure::System { doing: "cannot write to standard output".to_owned(), source }),
    }
}

/// Writes lines to standard error at once.
pub fn say(text: &str) -> io::Result<()> {
    let mut stderr = io::stderr().lock();
    stderr.write_all(format!("{text}\n").as_bytes())?;
    stderr.flush()
}

/// Whether nobody reads the stream any more: the pipe is broken, or the terminal is gone.
fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe || error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error())
}

/// Columns of the terminal, for text that wraps by itself.
pub fn screen_columns() -> usize {
    screen::Size::now().columns
}
