//! `lockstep history`: everything that was journaled of a run.

use clap::Args;
use lockstep_engine::api::{Reply, Request};

use super::one_run::OneRun;
use crate::context::Context;
use crate::ending::{Ending, Failure};
use crate::host::look;
use crate::output::{self, human, json};

const EXAMPLES: &str = "\
Examples:
  lockstep history last             one line a record: position, time, what, step
  lockstep history last --json      with everything that the record holds

What is listed was durable before anything was done because of it.";

/// Options of `lockstep history`.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Options {
    /// Which run, and for whom.
    #[command(flatten)]
    one: OneRun,
}

/// Prints it.
pub fn execute(options: &Options, context: &Context) -> Result<Ending, Failure> {
    match look(context, &Request::History { run: options.one.run.clone() })? {
        Some(Reply::History(rows)) if options.one.json => rows.iter().try_for_each(json::line)?,
        Some(Reply::History(rows)) => output::print(&human::history(&rows, context.stdout))?,
        Some(other) => panic!("a request for a history is answered by one, not by {other:?}"),
        None => return Err(super::no_runs(context)),
    }
    Ok(Ending::Succeeded)
}
