//! `lockstep bench`: what durable steps cost on this machine, beside what the disk alone costs.
//!
//! Everything runs on the real engine over a real folder, with real runbooks; only what the steps do is nothing at all,
//! since it is the engine that is measured. Counts (syncs, bytes, processor time) say more than times, which depend on
//! the disk: beside each time stands the floor, measured in the same run.

mod ends;
mod engine;
mod figures;
mod floor;
mod items;
mod long;
mod meter;
mod reopen;
mod runs;
mod start;
mod steps;
mod waiting;

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use self::figures::Report;
use crate::context::Context;
use crate::ending::{Ending, Failure};
use crate::output;
use crate::output::json;

const EXAMPLES: &str = "\
Examples:
  lockstep bench                       everything; some minutes, and 4 GB of disk for a while
  lockstep bench --quick               everything, small; a few seconds each
  lockstep bench steps                 one run of many steps, one after another
  lockstep bench runs                  runs of ten steps: 1, 64 and 1,000 at a time
  lockstep bench --data /mnt/disk      on the disk that holds this folder
  lockstep bench runs --json | jq .    one object a line, all numbers

It works in a folder of its own, `bench-<process>`, inside the data folder, and removes it at the end. The steps act in
this process and do nothing; their `effect` is `once`, each has a `when` and a template, and the start and the end of
each are journaled. The floor is an append of the same bytes with `fdatasync`, in a file that has its size already. Times
are medians of interleaved pairs. Run it on a quiet machine: whatever else runs counts.";

/// Options of `lockstep bench`.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Options {
    /// What to measure; everything where nothing is named.
    #[arg(value_name = "NAME", value_enum)]
    names: Vec<Measure>,
    /// Less of everything: for a first look.
    #[arg(long)]
    quick: bool,
    /// Print one JSON object a line.
    #[arg(long)]
    json: bool,
}

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
enum Measure {
    /// Memory of runs that wait: 1,000,000 of them.
    Waiting,
    /// Steps of one run, one after another, beside the disk's own time.
    Steps,
    /// Runs of ten steps, 1, 64 and 1,000 at a time.
    Runs,
    /// The last steps of a long run beside its first ones.
    Long,
    /// The last items of a long `foreach` beside its first ones, and the memory that it takes.
    Items,
    /// Opening a folder with 100,000 open runs, with and without its checkpoint.
    Reopen,
    /// Starting the program, and a run of one command.
    Start,
}

/// What a measure needs to know.
struct Bench {
    /// A folder of its own, removed at the end.
    folder: PathBuf,
    /// The data folder, where it was not there before: removed as well.
    made: Option<PathBuf>,
    quick: bool,
}

/// Measures and prints.
pub fn execute(options: &Options, context: &Context) -> Result<Ending, Failure> {
    let mut names = options.names.clone();
    if names.is_empty() {
        names = Measure::value_variants().to_vec();
    }
    // Memory first, while the process is small.
    names.sort_unstable();
    names.dedup();
    let bench = Bench::new(context.data()?, options.quick)?;
    for name in names {
        for report in bench.measure(name)? {
            if options.json {
                json::line(&report.to_json())?;
            } else {
                output::print(&report.to_text())?;
            }
        }
    }
    Ok(Ending::Succeeded)
}

impl Bench {
    fn new(data: &Path, quick: bool) -> Result<Self, Failure> {
        let folder = data.join(format!("bench-{}", std::process::id()));
        let made = (!data.exists()).then(|| data.to_owned());
        fs::create_dir_all(&folder).map_err(Failure::system(format!("cannot make `{}`", folder.display())))?;
        Ok(Self { folder, made, quick })
    }

    fn measure(&self, name: Measure) -> Result<Vec<Report>, Failure> {
        match name {
            Measure::Waiting => waiting::measure(self),
            Measure::Steps => steps::measure(self),
            Measure::Runs => runs::measure(self),
            Measure::Long => long::measure(self),
            Measure::Items => items::measure(self),
            Measure::Reopen => reopen::measure(self),
            Measure::Start => start::measure(self),
        }
    }

    /// A data folder for one measure; made anew.
    fn data(&self, name: &str) -> Result<PathBuf, Failure> {
        let data = self.folder.join(name);
        if data.exists() {
            fs::remove_dir_all(&data).map_err(Failure::system(format!("cannot remove `{}`", data.display())))?;
        }
        Ok(data)
    }

    /// One of two numbers: the one for a full measurement, or the one for a quick look.
    const fn size(&self, full: usize, quick: usize) -> usize {
        if self.quick { quick } else { full }
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.folder) {
            tracing::warn!(folder = %self.folder.display(), %error, "the bench's folder cannot be removed");
        }
        if let Some(data) = &self.made {
            // Somebody else may have put something there meanwhile.
            let _ = fs::remove_dir(data);
        }
    }
}
