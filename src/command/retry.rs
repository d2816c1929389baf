//! `lockstep retry`: goes on with a failed or cancelled run, and watches until it has ended.

use clap::Args;
use lockstep_engine::api::Request;

use super::one_run::OneRun;
use crate::context::Context;
use crate::ending::{Ending, Failure};
use crate::follow::Follower;
use crate::host::Session;
use crate::runtime;

const EXAMPLES: &str = "\
Examples:
  lockstep retry last             goes on at the first step that failed; what succeeded is kept
  lockstep retry 06bq3v8zk7dm

The run keeps the text of its runbook and its parameters: start a new run for a corrected file.";

/// Options of `lockstep retry`.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Options {
    /// Which run, and for whom.
    #[command(flatten)]
    one: OneRun,
}

/// Goes on with it.
pub fn execute(options: &Options, context: &Context) -> Result<Ending, Failure> {
    runtime::run(async {
        let session = Session::open(context).await?;
        let mut follower = Follower::new(context, session, options.one.json)?;
        let id = follower.view(&options.one.run).await?.id;
        let request = Request::Retry { run: id.to_string(), by: context.by.clone() };
        follower.call(request).await?;
        follower.follow(&[id]).await
    })
}
