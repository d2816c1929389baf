//! The verbs, one a file. Each has its options and an `execute` that reads from top to bottom.

pub mod cancel;
pub mod check;
pub mod completions;
pub mod graph;
pub mod history;
pub mod logs;
pub mod resolve;
pub mod resume;
pub mod retry;
pub mod run;
pub mod runs;
pub mod show;

use lockstep_engine::api::{Reply, Request, RunView};
use lockstep_engine::id::RunId;

use crate::context::Context;
use crate::ending::Failure;
use crate::host::Session;

/// One run, whole, by the name that a person gave it.
async fn view_of(session: &mut Session, run: &str) -> Result<RunView, Failure> {
    match session.call(Request::Show { run: run.to_owned() }).await? {
        Reply::Run(view) => Ok(*view),
        other => panic!("a request to show a run is answered by the run, not by {other:?}"),
    }
}

/// The id of the run that a person means.
async fn id_of(session: &mut Session, run: &str) -> Result<RunId, Failure> {
    Ok(view_of(session, run).await?.id)
}

/// What is said to who asks for a run where there is none at all.
fn no_runs(context: &Context) -> Failure {
    Failure::usage(format!("there are no runs in `{}`", context.data.display()))
        .help("`lockstep run FILE` makes one; `--data DIR` names another folder")
}
