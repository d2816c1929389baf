//! `lockstep resolve`: a person says what became of a step in doubt, and the run goes on.

use clap::{Args, ValueEnum};
use lockstep_dsl::value::Map;
use lockstep_engine::api::Request;
use lockstep_engine::core::run::Resolution;

use super::one_run::OneRun;
use super::word;
use crate::context::Context;
use crate::ending::{Ending, Failure};
use crate::follow::Follower;
use crate::host::Session;
use crate::runtime;

const EXAMPLES: &str = "\
Examples:
  lockstep resolve last deploy done                     it took effect: go on behind it
  lockstep resolve last dump done --output bytes=1024   with what later steps use, as JSON or text
  lockstep resolve last deploy failed                   it did not: `catch` and `on_error` act
  lockstep resolve last deploy rerun                    run it once more

A step is in doubt when it must not run twice (`effect: once`) and nobody knows whether it took
effect, since lockstep was killed while it ran. `lockstep logs RUN STEP` shows what it printed until
then. Who resolved what is journaled.";

/// Options of `lockstep resolve`.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Options {
    /// Which run, and for whom.
    #[command(flatten)]
    one: OneRun,
    /// The path of the step, as `show` prints it.
    step: String,
    /// What became of it.
    #[arg(value_enum)]
    how: How,
    /// An output of the step that is done: JSON, else text.
    #[arg(long = "output", value_name = "NAME=VALUE")]
    outputs: Vec<String>,
}

/// What became of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum How {
    /// It took effect.
    Done,
    /// It did not, or not as it should.
    Failed,
    /// It is to run once more.
    Rerun,
}

/// Resolves it.
pub fn execute(options: &Options, context: &Context) -> Result<Ending, Failure> {
    let how = resolution(options)?;
    runtime::run(async {
        let session = Session::open(context).await?;
        let mut follower = Follower::new(context, session, options.one.json)?;
        let id = follower.view(&options.one.run).await?.id;
        let request = Request::Resolve { run: id.to_string(), step: options.step.clone(), how, by: context.by.clone() };
        follower.call(request).await?;
        follower.follow(&[id]).await
    })
}

fn resolution(options: &Options) -> Result<Resolution, Failure> {
    match options.how {
        How::Done => {
            let outputs: Result<Map, Failure> =
                options.outputs.iter().map(|text| word::part("--output", text)).collect();
            Ok(Resolution::Done { outputs: outputs? })
        }
        _ if !options.outputs.is_empty() => {
            Err(Failure::usage("`--output` goes with `done` only: what failed or runs again has no outputs yet"))
        }
        How::Failed => Ok(Resolution::Failed),
        How::Rerun => Ok(Resolution::Rerun),
    }
}
