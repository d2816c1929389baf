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
mod output;
mod params;
mod runbook_file;
mod runtime;
mod secrets;
mod stepping;
mod testing;

use std::io::stderr;
use std::process::ExitCode;

use clap::Parser;
use mimalloc::MiMalloc;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

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
        trace(&context);
        arguments.command.execute(&context)
    });
    if let Err(failure) = &result {
        failure.report();
    }
    ExitCode::from(ending::exit_code(&result))
}

/// What lockstep itself does goes to standard error as far as `LOCKSTEP_LOG` asks for it.
fn trace(context: &Context) {
    let filter = EnvFilter::builder()
        .with_default_directive(LevelFilter::ERROR.into())
        .with_env_var("LOCKSTEP_LOG")
        .from_env_lossy();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr).with_ansi(context.stderr.color).init();
}
