//! `lockstep why`: what a run waits for.

use clap::Args;

use super::one_run::OneRun;
use crate::context::Context;
use crate::ending::{Ending, Failure};
use crate::output::{self, json, why};

const EXAMPLES: &str = "\
Examples:
  lockstep why last
  lockstep why 06bq --json | jq -r '.waits[].unblock[].command'

Of every step that holds the run up: what it waits for, since when and until when, who or what lets it
go on, as the very command, and what comes then. Of a run that has ended: how.

Exits with 0 whatever the run waits for.";

/// Options of `lockstep why`.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Options {
    /// Which run, and for whom.
    #[command(flatten)]
    one: OneRun,
}

/// Says it.
pub fn execute(options: &Options, context: &Context) -> Result<Ending, Failure> {
    let view = options.one.look(context)?;
    let why = why::why(&view, context);
    if options.one.json {
        json::line(&why)?;
    } else {
        output::print(&why::text(&why, &view, context.stdout))?;
    }
    Ok(Ending::Succeeded)
}
