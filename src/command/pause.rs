//! `lockstep pause`: has a run begin nothing new until somebody lets it go on.

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
  lockstep pause last                                  what runs ends; nothing new begins
  lockstep pause 06bq --reason 'the change window is over'
  lockstep resume 06bq                                 it goes on where it stands

While a run is paused a command that runs goes on to its end, and so do waits and what people are
asked for. No step begins, no attempt is made again, nothing is undone. The timeout of the run and
those of blocks stand still; that of a command that runs and of a question to people does not.
`lockstep skip`, `resolve`, `approve`, `signal` and `cancel` work as ever; a cancel ends the pause.

A run that was cut off is first taken up again, so that what still runs of it is attended here. Exits
with 0 when the pause is durable and nothing of a run that was taken up here runs any more.";

/// Options of `lockstep pause`.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Options {
    /// Which run, and for whom.
    #[command(flatten)]
    one: OneRun,
    /// Why, for whoever looks at it: journaled, and shown by `show` and `why`.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

/// Pauses it.
pub fn execute(options: &Options, context: &Context) -> Result<Ending, Failure> {
    runtime::run(async {
        let session = Session::open(context).await?;
        let mut follower = Follower::new(context, session, options.one.json)?.impatient();
        let id = follower.view(&options.one.run).await?.id;
        let (by, reason) = (context.by.clone(), options.reason.clone());
        follower.call(Request::Pause { run: id.to_string(), by, reason }).await?;
        // Standard error may be gone; the pause stands.
        let _ = output::say(&format!(
            "lockstep: paused run {id}; `{}` lets it go on",
            context.command(&format!("resume {id}"))
        ));
        if !follower.is_host() {
            return Ok(Ending::Succeeded);
        }
        match follower.follow(&[id]).await? {
            Ending::StillOpen => Ok(Ending::Succeeded),
            other => Ok(other),
        }
    })
}
