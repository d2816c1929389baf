//! What people and programs read of us. Standard output carries what was asked for, standard error what Lockstep itself
//! has to say.
//!
//! Nothing that a command or a runbook wrote reaches a terminal with its control characters.

pub mod health;
pub mod human;
pub mod json;
mod line;
mod live;
mod plain;
pub mod schedules;
mod screen;
mod story;
mod style;
mod summary;
pub mod text;
pub mod ticks;
mod tree;
pub mod why;
pub mod words;

use std::io::{self, IsTerminal, Write};
use std::ops::ControlFlow;

use lockstep_engine::api::Event;
use lockstep_engine::id::RunId;

pub use style::{Style, Tone};

use crate::context::Context;
use crate::ending::Failure;

/// Shows what runs do while they do it.
pub trait Watcher {
    /// Something happened.
    fn event(&mut self, event: &Event) -> Result<(), Failure>;

    /// Lockstep itself says something: that a cancel was asked for, that the run can be resumed.
    fn note(&mut self, text: &str);

    /// Some time has passed: what moves may be drawn anew.
    fn tick(&mut self) {}

    /// Nothing more will happen: what is drawn is drawn for the last time, and a summary follows.
    fn close(&mut self) -> Result<(), Failure> {
        Ok(())
    }
}

/// The watcher for a command: JSON where it is asked for, a live tree on a terminal, else plain lines.
pub fn watcher(context: &Context, json: bool) -> Box<dyn Watcher> {
    if json {
        return Box::new(json::Json);
    }
    if is_on_terminal(json) { Box::new(live::Live::new(context)) } else { Box::new(plain::Plain::new(context)) }
}

/// Whether a person sees what is printed as it moves.
pub fn is_on_terminal(json: bool) -> bool {
    let is_dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb" || term.is_empty());
    !json && io::stdout().is_terminal() && !is_dumb
}

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

/// The run that an event is about.
pub const fn event_run(event: &Event) -> RunId {
    match event {
        Event::Started { id, .. }
        | Event::Step { id, .. }
        | Event::Output { id, .. }
        | Event::Status { id, .. }
        | Event::Run { id, .. } => *id,
    }
}

/// Whether nobody reads the stream any more: the pipe is broken, or the terminal is gone.
fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe || error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error())
}

/// Columns of the terminal, for text that wraps by itself.
pub fn screen_columns() -> usize {
    screen::Size::now().columns
}
