//! `lockstep reject`: says no to what a step asks.

use clap::Args;

use super::approve::vote;
use super::one_run::OneRun;
use crate::context::Context;
use crate::ending::{Ending, Failure};

const EXAMPLES: &str = "\
Examples:
  lockstep reject last ok                            the step `ok` fails with an error `rejected`
  lockstep reject last ok --comment 'not on Friday'  what is said to it is in the error

One no ends the question, however many have approved. Who may say so stands in the runbook.";

/// Options of `lockstep reject`.
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

/// Rejects it.
pub fn execute(options: &Options, context: &Context) -> Result<Ending, Failure> {
    vote(&options.one, &options.step, options.comment.clone(), false, context)
}
