//! `lockstep approve`: says yes to what a step asks.

use clap::Args;

use super::word::Vote;
use crate::context::Context;
use crate::ending::{Ending, Failure};

const EXAMPLES: &str = "\
Examples:
  lockstep approve last ok                               the step `ok` goes on, if that is enough
  lockstep approve 06bq3v8zk7dm ok --comment 'CHG-1204'  what is said to it is kept

Who may approve, and how many must, stands in the runbook: `approve: { message, by, quorum }`. You are
the user of this machine, and in the groups that `config.yaml` of the data folder puts you in. Who
asked for the run cannot approve it unless the step has `self: true`.

A run that nobody carries is taken up, and followed until it has ended or waits again; the exit code
is then the run's. One that another process carries goes on there.";

/// Options of `lockstep approve`.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Options {
    /// What is said.
    #[command(flatten)]
    vote: Vote,
}

/// Approves it.
pub fn execute(options: &Options, context: &Context) -> Result<Ending, Failure> {
    options.vote.say(true, context)
}
