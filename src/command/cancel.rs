//! `lockstep cancel`: asks for a run to be cancelled.

use clap::Args;
use lockstep_engine::api::Request;

use super::one_run::OneRun;
use crate::context::Context;
use crate::ending::{Ending, Failure};
use crate::follow::Follower;
use crate::host::Session;
use crate::{output, runtime};

const EXAMPLES: &str = "\
Examples:
  lockstep cancel 06bq3v8zk7dm    its commands end by SIGTERM, or SIGKILL after their grace;
                                  then `finally` runs
  lockstep cancel last            a second time cuts `finally` short
  lockstep cancel last --undo     what was done is undone before `finally`

A run that was cut off is first taken up again, so that its `finally` runs here. Exits with 0 when
the cancel is durable and, for a run that was taken up here, done.";

/// Options of `lockstep cancel`.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Options {
    /// Which run, and for whom.
    #[command(flatten)]
    one: OneRun,
    /// Also undo what was done, as if the run had failed: newest first, by the steps' `undo`.
    #[arg(long)]
    undo: bool,
}

/// Cancels it.
pub fn execute(options: &Options, context: &Context) -> Result<Ending, Failure> {
    runtime::run(async {
        let session = Session::open(context).await?;
        let mut follower = Follower::new(context, session, options.one.json)?;
        let id = follower.view(&options.one.run).await?.id;
        let request = Request::Cancel { run: id.to_string(), by: context.by.clone(), undo: options.undo };
        follower.call(request).await?;
        // Standard error may be gone; the cancel stands.
        let _ = output::say(&format!("lockstep: cancelling run {id}"));
        if !follower.is_host() {
            return Ok(Ending::Succeeded);
        }
        match follower.follow(&[id]).await? {
            Ending::RunCancelled => Ok(Ending::Succeeded),
            other => Ok(other),
        }
    })
}
