//! `lockstep runs`: what has run, newest first.

use clap::Args;
use lockstep_engine::api::{Reply, Request};

use crate::context::Context;
use crate::ending::{Ending, Failure};
use crate::host::look;
use crate::output::{self, human, json};

const EXAMPLES: &str = "\
Examples:
  lockstep runs                              the newest 20
  lockstep runs --status failed --limit 5    the last five that failed
  lockstep runs --status interrupted         those that were cut off
  lockstep runs --runbook storage/disk-cleanup
  lockstep runs --json | jq -r .id";

/// Options of `lockstep runs`.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Options {
    /// Only runs in this state.
    #[arg(long, value_name = "STATUS", value_parser = ["queued", "running", "waiting", "paused", "succeeded", "failed", "cancelled", "interrupted"])]
    status: Option<String>,
    /// Only runs of this runbook.
    #[arg(long, value_name = "NAME")]
    runbook: Option<String>,
    /// At most so many.
    #[arg(long, value_name = "NUMBER", default_value_t = 20)]
    limit: usize,
    /// Print one JSON object a line.
    #[arg(long)]
    json: bool,
}

/// Lists them.
pub fn execute(options: &Options, context: &Context) -> Result<Ending, Failure> {
    let request =
        Request::Runs { limit: options.limit, status: options.status.clone(), runbook: options.runbook.clone() };
    let rows = match look(context, &request)? {
        Some(Reply::Runs(rows)) => rows,
        Some(other) => panic!("a request for runs is answered by runs, not by {other:?}"),
        None => Vec::new(),
    };
    if options.json {
        rows.iter().try_for_each(json::run_row)?;
    } else if rows.is_empty() {
        let filtered = options.status.is_some() || options.runbook.is_some();
        output::print(if filtered { "no such runs\n" } else { "no runs yet\n" })?;
    } else {
        output::print(&human::runs(&rows, context.stdout))?;
    }
    Ok(Ending::Succeeded)
}
