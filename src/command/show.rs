//! `lockstep show`: one run, whole.

use clap::Args;

use super::one_run::OneRun;
use crate::context::Context;
use crate::ending::{Ending, Failure};
use crate::output::{self, human, json};

const EXAMPLES: &str = "\
Examples:
  lockstep show last
  lockstep show 06bq               any unique beginning of an id will do
  lockstep show last --json | jq '.steps[] | select(.status==\"failed\")'

With --json it is one object:
  {\"id\",\"runbook\",\"status\",\"params\",\"outputs\",\"error\",\"steps\":[{\"path\",\"status\",...}]}

Exits with 0 whatever became of the run: its status is in what is shown.";

/// Options of `lockstep show`.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Options {
    /// Which run, and for whom.
    #[command(flatten)]
    one: OneRun,
}

/// Shows it.
pub fn execute(options: &Options, context: &Context) -> Result<Ending, Failure> {
    let view = options.one.look(context)?;
    if options.one.json {
        json::line(&view)?;
    } else {
        output::print(&human::run(&view, context))?;
    }
    Ok(Ending::Succeeded)
}
