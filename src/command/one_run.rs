//! What every verb takes that is about one run: which, and whether its answer is for a program.

use clap::Args;

/// Options of a verb that is about one run.
#[derive(Debug, Args)]
pub struct OneRun {
    /// The run.
    pub run: String,
    /// Print one JSON object a line.
    #[arg(long)]
    pub json: bool,
}
