//! `lockstep why`: what a run waits for.

use clap::Args;
use lockstep_engine::api::{Reply, Request};

use super::one_run::OneRun;
use crate::context::Context;
use crate::ending::{Ending, Failure};
use crate::host::look;
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
    match look(context, &Request::Show { run: options.one.run.clone() })? {
        Some(Reply::Run(view)) if options.one.json => json::line(&why::why(&view, context))?,
        Some(Reply::Run(view)) => output::print(&why::text(&why::why(&view, context), &view, context.stdout))?,
        Some(other) => panic!("a request to show a run is answered by the run, not by {other:?}"),
        None => return Err(super::no_runs(context)),
    }
    Ok(Ending::Succeeded)
}
