//! `lockstep test record`: turns a run that took place into a case.

use std::path::PathBuf;

use clap::Args;
use lockstep_dsl::graph::Graph;
use lockstep_dsl::source::Source;
use lockstep_dsl::test_file::{self, PathPattern, TestFile};
use lockstep_engine::api::{HistoryRow, Reply, Request, RunView};
use lockstep_engine::eval::Evaluator;
use lockstep_engine::rehearsal::Story;

use crate::context::Context;
use crate::ending::{Ending, Failure};
use crate::host::look;
use crate::output::{self, words};
use crate::runbook_file;
use crate::testing::judge::judge;
use crate::testing::play::{prepare, refused};
use crate::testing::record::Recorded;

const EXAMPLES: &str = "\
Examples:
  lockstep test record last disk-cleanup.yaml > disk-cleanup.test.yaml
  lockstep test record 06bq3v8z deploy.yaml --name 'goes back when it does not get well'

The case is played once before it is printed, so that it holds. What commands printed stands in it as the journal has it:
masked where a secret was. Read it before you keep it.";

/// Options of `lockstep test record`.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Options {
    /// The run.
    run: String,
    /// Its runbook.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// What the case is called.
    #[arg(long, value_name = "TEXT", default_value = "as recorded")]
    name: String,
}

/// Prints the case.
pub fn execute(options: &Options, context: &Context) -> Result<Ending, Failure> {
    let (view, rows) = read(&options.run, context)?;
    let graph = runbook_file::load(&options.file, context.stderr)?;
    if graph.runbook != view.runbook {
        let message = format!("run {} is of `{}`, `{}` is another runbook", view.id, view.runbook, graph.runbook);
        return Err(Failure::usage(message));
    }
    let began = began(&rows, &graph);
    let recorded = Recorded::of(view, &rows, &graph);
    let (_, story) = replay(&recorded.text(&options.name, None), &graph)?;
    // Steps of one moment may have begun in another order, and then the order is nobody's to expect.
    let path = (story.path() == began).then_some(began.as_slice());
    let text = recorded.text(&options.name, path);
    output::print(&text)?;
    let (file, story) = replay(&text, &graph)?;
    let wrong = test_file::check(&file, &Source::new(RECORDED, text.as_str()), &graph);
    if let Some(first) = wrong.first() {
        return Err(Failure::Invalid(format!(
            "what was recorded is no case of `{}`: {}",
            graph.runbook, first.message
        )));
    }
    let differences = judge(&file.cases[0], &story);
    if differences.is_empty() {
        return Ok(Ending::Succeeded);
    }
    // Standard error may be gone; the exit code says enough.
    let _ = output::say(&format!("lockstep: played again, this differs:\n  {}", differences.join("\n  ")));
    Ok(Ending::TestFailed)
}

/// What the text of a case that was recorded is called in messages.
const RECORDED: &str = "recorded.test.yaml";

/// What a case is made of that was journaled of runs which the run called.
const OF_CALLED: &[&str] =
    &["starting", "stopping", "reported", "loop", "resolved", "approved", "rejected", "answered", "skip_asked"];

/// A run and all that was journaled of it, with what the runs that it called did: their steps have the path of the call
/// before their own.
pub fn read(run: &str, context: &Context) -> Result<(RunView, Vec<HistoryRow>), Failure> {
    let view = match look(context, &Request::Show { run: run.to_owned() })? {
        Some(Reply::Run(view)) => *view,
        Some(other) => panic!("a request for a run is answered by one, not by {other:?}"),
        None => return Err(super::no_runs(context)),
    };
    if let Some(gone) = &view.gone {
        return Err(Failure::usage(format!("run {} cannot be played again: {}", view.id, words::gone(gone))));
    }
    if let Some(edit) = view.edits.last() {
        let edited = words::edited(edit);
        let why = format!("run {} is of several texts, and no one of them did all that it did: {edited}", view.id);
        return Err(Failure::usage(why));
    }
    let mut rows = history(&view.id.to_string(), context)?;
    let mut called = calls(&rows);
    while let Some((run, path)) = called.pop() {
        let inner = history(&run, context)?.into_iter().map(|row| {
            let step = row.step.map(|step| format!("{path}/{step}"));
            let mut detail = row.detail;
            if let Some(own) = detail["path"].as_str().filter(|_| row.what == "skip_asked") {
                detail["path"] = format!("{path}/{own}").into();
            }
            HistoryRow { step, detail, ..row }
        });
        let inner: Vec<HistoryRow> = inner.collect();
        called.extend(calls(&inner));
        rows.extend(inner.into_iter().filter(|row| OF_CALLED.contains(&row.what.as_str())));
    }
    rows.sort_by_key(|row| row.lsn);
    Ok((view, rows))
}

/// The runs that were called, each with the path of the step.
fn calls(rows: &[HistoryRow]) -> Vec<(String, String)> {
    let first = rows.iter().filter(|row| row.what == "called" && row.detail["again"] != true);
    first.filter_map(|row| Some((row.detail["run"].as_str()?.to_owned(), row.step.clone()?))).collect()
}

fn history(run: &str, context: &Context) -> Result<Vec<HistoryRow>, Failure> {
    match look(context, &Request::History { run: run.to_owned() })? {
        Some(Reply::History(rows)) => Ok(rows),
        other => panic!("a request for a history is answered by one, not by {other:?}"),
    }
}

/// The steps that began and hold no others, in order.
pub fn began(rows: &[HistoryRow], graph: &Graph) -> Vec<String> {
    let is_block = |path: &str| {
        let names = PathPattern::parse(path).map(|pattern| pattern.names()).unwrap_or_default();
        graph.nodes.iter().any(|node| node.path == names && !node.kind.blocks().is_empty())
    };
    let begun = rows.iter().filter(|row| row.what == "begun").filter_map(|row| row.step.clone());
    begun.filter(|path| !is_block(path)).collect()
}

/// Plays the only case of a text on a graph.
pub fn replay(text: &str, graph: &Graph) -> Result<(TestFile, Story), Failure> {
    let source = Source::new(RECORDED, text);
    let unreadable = |found: Vec<lockstep_dsl::diagnostic::Diagnostic>| {
        let why = found.first().map(|first| first.message.clone()).unwrap_or_default();
        Failure::Invalid(format!("what was recorded cannot be written as a case: {why}"))
    };
    let file = test_file::read(&source, &runbook_file::sandbox()).map_err(unreadable)?;
    let evaluator = Evaluator::new(runbook_file::sandbox());
    let story = match prepare(graph, &file.cases[0]) {
        Ok(prepared) => prepared.play(&evaluator, None),
        Err(why) => refused(&why),
    };
    Ok((file, story))
}
