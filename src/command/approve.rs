//! `lockstep approve`: says yes to what a step asks.

use clap::Args;
use lockstep_engine::api::Request;

use super::one_run::OneRun;
use super::word;
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
    /// Which run, and for whom.
    #[command(flatten)]
    one: OneRun,
    /// The path of the step, as `show` prints it.
    step: String,
    /// What you say to it.
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,
}

/// Approves it.
pub fn execute(options: &Options, context: &Context) -> Result<Ending, Failure> {
    vote(&options.one, &options.step, options.comment.clone(), true, context)
}

/// Says yes or no.
pub fn vote(
    one: &OneRun,
    step: &str,
    comment: Option<String>,
    yes: bool,
    context: &Context,
) -> Result<Ending, Failure> {
    let person = context.person()?;
    word::say(one, context, |run| Request::Vote { run, step: step.to_owned(), yes, person, comment })
}
