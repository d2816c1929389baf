//! `lockstep restore`: a data folder from a backup.

use std::path::PathBuf;

use clap::Args;
use lockstep_engine::backup;

use crate::context::Context;
use crate::ending::{Ending, Failure};
use crate::output::{self, json};

const EXAMPLES: &str = "\
Examples:
  lockstep restore /mnt/backup/lockstep-2026-03-01 --data /var/lib/lockstep-2
  lockstep runs --status interrupted --data /var/lib/lockstep-2    what was open then

The data folder must be empty or not there yet. It is an older truth: what ran since the backup was
taken is not known in it, and would run again. So look before you resume. A step whose attempt was
running then is repeated if its effect allows that, and in doubt otherwise; nothing that still runs
for the old folder is ever believed in the new one.";

/// Options of `lockstep restore`.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Options {
    /// The backup.
    #[arg(value_name = "BACKUP")]
    from: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Restores it.
pub fn execute(options: &Options, context: &Context) -> Result<Ending, Failure> {
    let label = backup::restore(&options.from, context.data()?)?;
    if options.json {
        json::line(&label)?;
    } else {
        output::print(&format!(
            "restored {} records of {} runs as they were at {}\n",
            label.last, label.runs, label.taken
        ))?;
        if label.open > 0 {
            output::print(&format!(
                "{} runs were open: see `{}`, then `{}`\n",
                label.open,
                context.command("runs --status interrupted"),
                context.command("resume RUN")
            ))?;
        }
    }
    Ok(Ending::Succeeded)
}
