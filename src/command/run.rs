//! `lockstep run`: compiles a runbook, starts a run of it, and watches until it has ended.

use std::collections::BTreeSet;
use std::collections::hash_map::RandomState;
use std::env;
use std::ffi::OsString;
use std::hash::BuildHasher;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use jiff::Timestamp;
use lockstep_dsl::graph::{Graph, Kind};
use lockstep_engine::api::{Beginning, INTERRUPTED, Reply, Request, RunRow, Start};
use lockstep_engine::id::RunId;

use crate::context::Context;
use crate::ending::{Ending, Failure};
use crate::follow::Follower;
use crate::host::Session;
use crate::keyboard::Keyboard;
use crate::output::text::count;
use crate::server::library::{self, Book};
use crate::{output, params, runbook_file, runtime, secrets};

const EXAMPLES: &str = "\
Examples:
  lockstep run disk-cleanup.yaml                        what it requires is asked for by an error
  lockstep run deploy.yaml -p version=1.2.3 -p hosts='[web-1, web-2]'
  lockstep run deploy.yaml --params prod.yaml -p notes=@notes.txt
  lockstep run backup.yaml -p password=env:PGPASSWORD   a secret is given as where it is read
  lockstep run deploy.yaml --step                       each step begins when you say so
  lockstep run deploy.yaml --from migrate --skip notify those before `migrate` are skipped, and `notify`
  lockstep run storage/disk-cleanup -p mount=/var       by name, where `lockstep serve` knows it
  lockstep run deploy.yaml --json | jq -r 'select(.type==\"run\").status'

Everything that is wrong with the runbook and the parameters is said before anything runs.

On a terminal the steps are shown as a tree that moves, elsewhere as one line for each thing that
happens, with --json as one object a line, the last one
{\"type\":\"run\",\"id\",\"status\",\"outputs\",\"error\"}.

With --step the run is paused from its beginning, and each `y` lets one step begin, also inside of
blocks. What is left out by --from, --skip or an `s` is `skipped`, and its outputs are (); what asks
for an approval is never left out. Who said so is journaled.

Signals:
  Ctrl-C, SIGTERM  ask for a cancel: commands end, `finally` runs; exit code 4
  a second one     leaves at once; the cancel stands, `lockstep resume` finishes it; exit code 3
  SIGHUP           leaves without a cancel, as the terminal is gone; exit code 3
  SIGKILL          loses nothing that was acknowledged; `lockstep resume` goes on

Several runs at once share one process: the first carries those of other terminals and stays until
they have ended.";

/// Options of `lockstep run`.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Options {
    /// The runbook: its file, or its name where a server of the data folder knows it.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Its parameters.
    #[command(flatten)]
    params: params::Parameters,
    /// Ask at the terminal before each step: run it, skip it, run all that is left, or cancel.
    #[arg(long, conflicts_with = "json")]
    step: bool,
    /// Begin with this step of the runbook's own: those before it in the file are skipped.
    #[arg(long, value_name = "ID")]
    from: Option<String>,
    /// Skip the step with this path; may be given again for others.
    #[arg(long, value_name = "PATH")]
    skip: Vec<String>,
    /// Print one JSON object a line.
    #[arg(long)]
    json: bool,
}

/// Runs it.
pub fn execute(options: &Options, context: &Context) -> Result<Ending, Failure> {
    if options.step && !(output::is_on_terminal(false) && Keyboard::is_there()) {
        return Err(Failure::usage("`--step` asks at the terminal, and there is none")
            .help("without it, `lockstep pause RUN` and `lockstep skip RUN STEP` have a run do less"));
    }
    let (graph, cwd) = runbook(&options.file, context)?;
    let params = params::resolve(&options.params, &graph, context.stderr)?;
    runtime::run(async {
        let session = Session::open_expecting(context, first_action(&graph)).await?;
        let mut follower = Follower::new(context, session, options.json)?;
        name_interrupted(&mut follower, context).await?;
        let id = new_id();
        let environment = Some(secrets::environment(&graph, &params));
        let beginning = Beginning { skip: options.skip.clone(), from: options.from.clone(), stepwise: options.step };
        let (by, cwd) = (context.by.clone(), Some(cwd));
        let start = Start { id, graph, params, by, cwd, environment, beginning };
        follower.call(Request::Start(Box::new(start))).await?;
        if options.step {
            follower.ask_for_each_step()?;
        }
        follower.follow(&[id]).await
    })
}

/// The action of the first step, if that is a command.
fn first_action(graph: &Graph) -> Option<&'static str> {
    let first = graph.node(*graph.block(graph.main).steps.first()?);
    // Both are started the same way.
    matches!(first.kind, Kind::Shell(_) | Kind::Exec(_)).then_some("exec")
}

/// The runbook, and the folder in which its commands run: this one for a file, its own for one that a server of the data
/// folder knows by name.
fn runbook(file: &Path, context: &Context) -> Result<(Arc<Graph>, String), Failure> {
    if !file.exists()
        && let Some(name) = file.to_str()
        && let Some(book) = known(name, context)?
    {
        let folder = book.folder().display().to_string();
        return Ok((book.graph, folder));
    }
    Ok((Arc::new(runbook_file::load(file, context.stderr)?), working_folder()?))
}

/// What a server keeps of the runbook with this name.
fn known(name: &str, context: &Context) -> Result<Option<Book>, Failure> {
    match library::find(context.data()?, name) {
        Ok(book) => Ok(book),
        // A folder that cannot be looked into cannot be opened either, and that says it better.
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Ok(None),
        Err(error) => Err(Failure::system(format!("cannot read what the server keeps of `{name}`"))(error)),
    }
}

/// Runs that were cut off do not go on by themselves: their ids are said, and how to go on.
async fn name_interrupted(follower: &mut Follower<'_>, context: &Context) -> Result<(), Failure> {
    const NAMED: usize = 5;
    let mut interrupted = interrupted(follower).await?;
    // One that waits for somebody goes no further by being resumed.
    interrupted.retain(|row| !(row.awaits || row.in_doubt && row.status == "waiting"));
    if interrupted.is_empty() {
        return Ok(());
    }
    let named: Vec<_> = interrupted.iter().take(NAMED).map(|row| row.id.to_string()).collect();
    let more = interrupted.len() - named.len();
    let and_more = if more > 0 { format!(" and {more} more") } else { String::new() };
    // Standard error may be gone; the run starts all the same.
    let _ = output::say(&format!(
        "lockstep: {} cut off: {}{and_more}; `{}` goes on",
        if interrupted.len() == 1 {
            "1 run was".to_owned()
        } else {
            format!("{} were", count(interrupted.len(), "run"))
        },
        named.join(", "),
        context.command(
            if interrupted.len() == 1 { format!("resume {}", named[0]) } else { "resume".to_owned() }.as_str()
        ),
    ));
    Ok(())
}

/// The open runs that nobody carries, oldest first.
pub async fn interrupted(follower: &mut Follower<'_>) -> Result<Vec<RunRow>, Failure> {
    let request = Request::Runs { limit: usize::MAX, status: Some(INTERRUPTED.to_owned()), runbook: None };
    let Reply::Runs(mut rows) = follower.call(request).await? else { return Ok(Vec::new()) };
    // What another one called goes on with that.
    let open: BTreeSet<RunId> = rows.iter().map(|row| row.id).collect();
    rows.retain(|row| row.caller.is_none_or(|caller| !open.contains(&caller)));
    rows.reverse();
    Ok(rows)
}

/// An id for a run that begins now.
fn new_id() -> RunId {
    let random = RandomState::new().hash_one(std::process::id());
    RunId::new(Timestamp::now().as_millisecond(), (random >> 32) as u32)
}

/// Where this command was called: commands of the run work there, whoever carries or resumes it.
fn working_folder() -> Result<String, Failure> {
    let folder = env::current_dir().map_err(Failure::system("cannot find the working directory"))?;
    let no_text =
        |folder: OsString| Failure::usage(format!("the working directory `{}` is not UTF-8", folder.display()));
    folder.into_os_string().into_string().map_err(no_text)
}
