//! `lockstep answer`: fills in what a step asks for.

use std::collections::BTreeMap;

use clap::Args;
use lockstep_engine::api::Request;

use super::one_run::OneRun;
use super::word;
use crate::context::Context;
use crate::ending::{Ending, Failure};
use crate::params::read_option;

const EXAMPLES: &str = "\
Examples:
  lockstep answer last which -p version=1.4 -p canary=true   the step `which` goes on with these
  lockstep answer last note -p text=@notes.txt               the text of a file
  lockstep answer last plug-it-in                            it is done: nothing is to be filled in

What is asked for, in which types, stands in the runbook: `ask: { message, fields }`, and `lockstep
show RUN` prints it. An answer that does not fit is refused with all that is wrong, and the step waits
on. Who answered is journaled.";

/// Options of `lockstep answer`.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Options {
    /// Which run, and for whom.
    #[command(flatten)]
    one: OneRun,
    /// The path of the step, as `show` prints it.
    step: String,
    /// A field, by its declared type: text as it is, numbers and booleans as in YAML, lists and maps as JSON or YAML.
    /// `NAME=@FILE` takes the text of a file without its last newline; `NAME=@@x` is the text `@x`.
    #[arg(short, long = "param", value_name = "NAME=VALUE")]
    param: Vec<String>,
}

/// Answers it.
pub fn execute(options: &Options, context: &Context) -> Result<Ending, Failure> {
    let mut fields = BTreeMap::new();
    for text in &options.param {
        let (name, value) = read_option(text).map_err(Failure::usage)?;
        if fields.insert(name.clone(), value).is_some() {
            return Err(Failure::usage(format!("field `{name}` is given twice")));
        }
    }
    let person = context.person()?;
    word::say(&options.one, context, |run| Request::Answer { run, step: options.step.clone(), fields, person })
}
