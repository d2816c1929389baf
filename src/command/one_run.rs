//! What every verb takes that is about one run: which, and whether its answer is for a program.

use clap::Args;
use lockstep_engine::api::{Reply, Request, RunView};

use crate::context::Context;
use crate::ending::Failure;
use crate::host::look;

/// Options of a verb that is about one run.
#[derive(Debug, Args)]
pub struct OneRun {
    /// The run.
    pub run: String,
    /// Print one JSON object a line.
    #[arg(long)]
    pub json: bool,
}

impl OneRun {
    /// The run, whole, without taking it up.
    pub fn look(&self, context: &Context) -> Result<RunView, Failure> {
        look_at(&self.run, context)
    }
}

/// The run that a person named so, whole, without taking it up.
pub fn look_at(run: &str, context: &Context) -> Result<RunView, Failure> {
    match look(context, &Request::Show { run: run.to_owned() })? {
        Some(Reply::Run(view)) => Ok(*view),
        Some(other) => panic!("a request to show a run is answered by the run, not by {other:?}"),
        None => Err(super::no_runs(context)),
    }
}
