//! The program `lockstep`: reads the command line, hands over to one verb, and turns what came of it into an exit code.
//!
//! No rule of the engine lives in this crate. Read on in `command/run.rs`.

mod arguments;
mod bug;
mod command;
mod config;
mod context;
mod drawing;
mod ending;
mod follow;
mod host;
mod interrupt;
mod keyboard;
mod logging;
mod output;
mod params;
mod runbook_file;
mod runtime;
mod secrets;
mod server;
mod stepping;
mod testing;
mod users;

use std::process::ExitCode;

use clap::Parser;
use mimalloc::MiMalloc;

use crate::arguments::Arguments;
use crate::context::Context;

/// What one thread takes and another gives back, as the engine and the checkpoint's thread do all the time, libc's
/// allocator keeps in pieces, and takes longer for: `docs/performance.md` has the figures.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    // Before all else: a supervisor needs nothing of what follows, and there is one for every command.
    if let Some(code) = lockstep_engine::supervisor::entered() {
        return code;
    }
    bug::explain_panics();
    let result = bug::guard(|| {
        let arguments = Arguments::parse();
        let context = Context::new(&arguments.global)?;
        arguments.command.logging().begin(context.stderr);
        arguments.command.execute(&context)
    });
    if let Err(failure) = &result {
        failure.report();
    }
    ExitCode::from(ending::exit_code(&result))
}
