//! `lockstep backup`: a copy of the data folder, taken while it is used.

use std::io;
use std::path::PathBuf;

use clap::Args;
use lockstep_engine::backup::{self, BackupError};
use lockstep_engine::doctor::Grade;
use lockstep_engine::store::OpenError;

use crate::context::Context;
use crate::ending::{Ending, Failure};
use crate::output::{self, health, json};

const EXAMPLES: &str = "\
Examples:
  lockstep backup /mnt/backup/lockstep-$(date +%F)
  tar -C /mnt/backup -cf - lockstep-2026-03-01 | zstd > lockstep.tar.zst    to keep it as one file
  lockstep restore /mnt/backup/lockstep-2026-03-01 --data /var/lib/lockstep-2

Nothing need be stopped for it. The copy is examined when it is written; what cannot be read back
is no backup, and exit code 5 says so.";

/// Options of `lockstep backup`.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Options {
    /// A folder that is empty or not there yet.
    #[arg(value_name = "DIR")]
    to: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Takes it.
pub fn execute(options: &Options, context: &Context) -> Result<Ending, Failure> {
    let data = context.data()?;
    let taken = backup::take(data, &options.to);
    let (label, report) = taken.map_err(|error| match error {
        BackupError::Store(OpenError::Io { source, .. })
            if source.kind() == io::ErrorKind::NotFound && !data.exists() =>
        {
            super::no_runs(context)
        }
        error => error.into(),
    })?;
    if options.json {
        json::line(&label)?;
    } else {
        output::print(&format!(
            "backup of {} records of {} runs ({} open), {}, examined\n",
            label.last,
            label.runs,
            label.open,
            health::bytes(label.bytes)
        ))?;
    }
    let damage = report.findings.iter().filter(|finding| finding.grade == Grade::Damage);
    for finding in damage {
        // Standard error may be gone; the backup is what the folder is.
        let _ = output::say(&format!("warning: `{}`: {}", finding.path.display(), finding.what));
    }
    Ok(Ending::Succeeded)
}
