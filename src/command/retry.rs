//! `lockstep retry`: goes on with a failed or cancelled run, and watches until it has ended.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use lockstep_dsl::graph::Graph;
use lockstep_engine::api::{Edition, Request, RunView};

use super::one_run::OneRun;
use crate::context::Context;
use crate::ending::{Ending, Failure};
use crate::follow::Follower;
use crate::host::Session;
use crate::{params, runbook_file, runtime};

const EXAMPLES: &str = "\
Examples:
  lockstep retry last             goes on at the first step that failed; what succeeded is kept
  lockstep retry 06bq3v8zk7dm
  lockstep retry last --edited    the same, after the file that it was started from was corrected
  lockstep retry last --edited fixed.yaml -p region=eu

Without --edited the run keeps the text of its runbook. With it, it goes on under the corrected
text: what is kept of the run must stand there as it was; whatever does not is named, and nothing
is done. The run keeps its parameters; one that is new is given by -p, or has a default.";

/// Options of `lockstep retry`.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Options {
    /// Which run, and for whom.
    #[command(flatten)]
    one: OneRun,
    /// Go on under the corrected runbook: FILE, or else the file that the run was started from.
    #[arg(long, value_name = "FILE", num_args = 0..=1)]
    #[expect(clippy::option_option, reason = "the option, and its value: both may be left out")]
    edited: Option<Option<PathBuf>>,
    /// Parameters that are new in it.
    #[command(flatten)]
    params: params::Parameters,
}

/// Goes on with it.
pub fn execute(options: &Options, context: &Context) -> Result<Ending, Failure> {
    if options.edited.is_none() && !options.params.is_empty() {
        return Err(Failure::usage(
            "a run keeps its parameters: `-p` is for those that are new in a corrected runbook",
        )
        .help("`--edited` goes on under one"));
    }
    runtime::run(async {
        let session = Session::open(context).await?;
        let mut follower = Follower::new(context, session, options.one.json)?;
        let view = follower.view(&options.one.run).await?;
        let (run, by) = (view.id.to_string(), context.by.clone());
        let request = match &options.edited {
            None => Request::Retry { run, by },
            Some(file) => {
                let edition = Box::new(edition(options, file.as_deref(), &view, context)?);
                Request::RetryEdited { run, edition, by }
            }
        };
        follower.call(request).await?;
        follower.follow(&[view.id]).await
    })
}

/// The corrected runbook of a run.
fn edition(options: &Options, file: Option<&Path>, view: &RunView, context: &Context) -> Result<Edition, Failure> {
    let folder = view.cwd.as_deref().map(Path::new);
    let here = std::env::current_dir().map_err(Failure::system("cannot find the working directory"))?;
    let stands_there = folder.is_none_or(|folder| folder == here);
    // As the run says it, where that is the same file.
    let from_run = |path: PathBuf| if stands_there { path } else { folder.unwrap_or(&here).join(path) };
    let path = match (file, &view.file) {
        (Some(file), _) => file.to_owned(),
        (None, Some(file)) => from_run(PathBuf::from(file)),
        (None, None) => {
            let gone = format!("what run {} did is not kept any more, so it cannot go on", view.id);
            return Err(Failure::usage(gone));
        }
    };
    let graph = runbook_file::load_for(&path, context.stderr, "the run stays as it was")?;
    let params = params::resolve(&options.params, &new_in(&graph, view), context.stderr)?;
    let file = if stands_there { path } else { here.join(path) };
    Ok(Edition { graph: Arc::new(graph), file: file.display().to_string(), params })
}

/// The runbook with those parameters alone that the run does not have.
fn new_in(graph: &Graph, view: &RunView) -> Graph {
    let params = graph.params.iter().filter(|param| !view.params.contains_key(&param.name)).cloned().collect();
    Graph { params, ..graph.clone() }
}
