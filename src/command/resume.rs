//! `lockstep resume`: goes on with a run that was paused, or with runs that were cut off, and watches until they have ended.

use clap::Args;
use lockstep_engine::api::Request;

use crate::command::run::interrupted;
use crate::context::Context;
use crate::ending::{Ending, Failure};
use crate::follow::Follower;
use crate::host::Session;
use crate::{output, runtime};

const EXAMPLES: &str = "\
Examples:
  lockstep resume                 every run that was cut off by a crash, a reboot or a second Ctrl-C
  lockstep resume 06bq3v8zk7dm    this one
  lockstep resume last            the newest

A run that a person paused goes on when it is named, whether it was cut off as well or not. Without a
name only what was cut off is taken up: a run that is paused is attended, and stays paused.

A command that was running when lockstep died may or may not have taken effect. A step with
`effect: pure` or `idempotent` is repeated; one with `effect: once`, the default of commands, is in
doubt: it waits for `lockstep resolve`.

A run that goes on already is watched; of one that has ended the end is shown. The exit code is the
run's; of several runs that of the one that needs a person most.";

/// Options of `lockstep resume`.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Options {
    /// The run; without it, all that were cut off, and none that is paused goes on.
    run: Option<String>,
    /// Print one JSON object a line.
    #[arg(long)]
    json: bool,
}

/// Goes on with them.
pub fn execute(options: &Options, context: &Context) -> Result<Ending, Failure> {
    runtime::run(async {
        let session = Session::open(context).await?;
        let mut follower = Follower::new(context, session, options.json)?;
        let (runs, paused) = match &options.run {
            Some(run) => {
                let view = follower.view(run).await?;
                (vec![view.id], view.paused.map(|_| view.id))
            }
            None => (interrupted(&mut follower).await?.iter().map(|row| row.id).collect(), None),
        };
        if runs.is_empty() {
            // Standard error may be gone; there is nothing to do in any case.
            let _ = output::say("lockstep: no run was cut off");
        }
        for run in &runs {
            let request = Request::Resume { run: run.to_string(), by: context.by.clone() };
            follower.call(request).await?;
        }
        if let Some(run) = paused {
            follower.call(Request::Unpause { run: run.to_string(), by: context.by.clone() }).await?;
        }
        follower.follow(&runs).await
    })
}
