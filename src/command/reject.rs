//! `lockstep reject`: says no to what a step asks.

use clap::Args;

use super::word::Vote;
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
    /// What is said.
    #[command(flatten)]
    vote: Vote,
}

/// Rejects it.
pub fn execute(options: &Options, context: &Context) -> Result<Ending, Failure> {
    options.vote.say(false, context)
}
