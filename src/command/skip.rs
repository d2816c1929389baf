//! `lockstep skip`: has a step of a run not run, for a reason that is journaled.

use clap::Args;
use lockstep_engine::api::Request;

use super::one_run::OneRun;
use super::word;
use crate::context::Context;
use crate::ending::{Ending, Failure};

const EXAMPLES: &str = "\
Examples:
  lockstep skip last warm_cache --reason 'the cache is warm'    it will not run
  lockstep skip last roll/web --reason 'web-3 is out of order'  a step in a block
  lockstep skip last notify --reason 'told them by phone'       also of a run that has failed there:
                                                                it goes on behind that step

A step that has not begun is skipped when its turn comes, one that waits or is in doubt at once, one
that failed when its run goes on, as by `lockstep retry`. What needs it sees `skipped`, and its outputs
are (). What runs is not skipped, nor what has ended well; nor a step that asks for an approval, since
nobody would have approved what comes behind it. Who skipped what, and why, is journaled.";

/// Options of `lockstep skip`.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Options {
    /// Which run, and for whom.
    #[command(flatten)]
    one: OneRun,
    /// The path of the step, as `show` prints it.
    step: String,
    /// Why, for whoever looks at it.
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

/// Has it skipped.
pub fn execute(options: &Options, context: &Context) -> Result<Ending, Failure> {
    word::say(&options.one, context, |run| Request::Skip {
        run,
        step: options.step.clone(),
        by: context.by.clone(),
        reason: options.reason.clone(),
    })
}
