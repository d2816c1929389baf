//! `lockstep signal`: tells a run something by name; the step that awaits it goes on.

use clap::Args;
use lockstep_dsl::value::{Map, Value};
use lockstep_engine::api::Request;

use super::one_run::OneRun;
use super::word;
use crate::context::Context;
use crate::ending::{Ending, Failure};

const EXAMPLES: &str = "\
Examples:
  lockstep signal last deployed                          the step with `await: { signal: deployed }` goes on
  lockstep signal last deployed -p version=1.4 -p ok=true     `steps.x.payload.version` is 1.4
  lockstep signal last deployed --payload '[1, 2]'       any JSON

A signal that no step awaits yet is kept for the first that does; of several with one name the
oldest is taken first. Who sent it is journaled.

A run that nobody carries is taken up, and followed until it has ended or waits again; the exit code
is then the run's. One that another process carries goes on there: this command ends when the signal
is durable.";

/// Options of `lockstep signal`.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Options {
    /// Which run, and for whom.
    #[command(flatten)]
    one: OneRun,
    /// The signal's name.
    name: String,
    /// A part of what it carries: JSON, else text.
    #[arg(short, long = "param", value_name = "NAME=VALUE")]
    param: Vec<String>,
    /// What it carries, as JSON.
    #[arg(long, value_name = "JSON", conflicts_with = "param")]
    payload: Option<String>,
}

/// Sends it.
pub fn execute(options: &Options, context: &Context) -> Result<Ending, Failure> {
    let payload = payload(options)?;
    word::say(&options.one, context, |run| Request::Signal {
        run,
        name: options.name.clone(),
        payload,
        by: context.by.clone(),
    })
}

fn payload(options: &Options) -> Result<Value, Failure> {
    if let Some(text) = &options.payload {
        let json = serde_json::from_str(text).map_err(|error| {
            Failure::usage(format!("`--payload {text}` is not JSON: {error}"))
                .help("for a text write `--payload '\"text\"'`, or give its parts with `-p NAME=VALUE`")
        })?;
        return Ok(Value::from_json(json));
    }
    if options.param.is_empty() {
        return Ok(Value::Null);
    }
    let parts: Result<Map, Failure> = options.param.iter().map(|text| word::part("-p", text)).collect();
    parts.map(Value::Map)
}
