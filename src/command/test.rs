//! `lockstep test`: plays the cases of runbooks on the real engine, in virtual time and without touching anything.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use clap::{Args, Subcommand};
use lockstep_dsl::diagnostic::{self, Diagnostic};
use lockstep_dsl::graph::Graph;
use lockstep_engine::eval::Evaluator;
use lockstep_engine::limits::EVALUATION_STACK_BYTES;
use lockstep_engine::rehearsal::Reached;
use serde_json::json;

use super::record;
use crate::context::Context;
use crate::ending::{Ending, Failure};
use crate::output::text::count;
use crate::output::{self, json};
use crate::runbook_file;
use crate::testing::coverage::{Coverage, ReachedFiles, Share};
use crate::testing::crash::{self, Crashes};
use crate::testing::judge::judge;
use crate::testing::junit;
use crate::testing::play::{prepare, refused};
use crate::testing::report::{self, Outcome, SuiteOutcome};
use crate::testing::suite::{self, Suite, Unusable};
use crate::testing::watch::Files;

const EXAMPLES: &str = "\
Examples:
  lockstep test runbooks/                     every `*.test.yaml` below a folder
  lockstep test disk-cleanup.yaml             the cases in `disk-cleanup.test.yaml` beside it
  lockstep test runbooks/ --filter approval   only cases whose name holds this text
  lockstep test runbooks/ --coverage-min 100  fail unless every step and every branch is covered
  lockstep test runbooks/ --junit report.xml  also for a build server
  lockstep test runbooks/ --watch             again whenever a file changes
  lockstep test runbooks/ --crash-everywhere  kill the engine at every durable write of every case

No command is run and no request is sent: steps do what the case says under `mock`, and time jumps to
whatever is next. Exits with 0 if every case holds, with 1 if one does not, with 2 if a file is wrong.";

/// Options of `lockstep test`.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub struct Options {
    /// What else can be done with tests.
    #[command(subcommand)]
    verb: Option<Verb>,
    /// Files of cases, runbooks that have one, or folders.
    #[arg(value_name = "PATH", default_value = ".")]
    paths: Vec<PathBuf>,
    /// Play only the cases whose name holds this text; of them no coverage is said.
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Fail when less than this percentage of the steps and branches of any runbook is covered.
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100), conflicts_with = "filter")]
    coverage_min: Option<u8>,
    /// Also write a report in `JUnit`'s form.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Play every case again with the engine killed at each of its durable writes, and again with the host lost.
    #[arg(long)]
    crash_everywhere: bool,
    /// Play them again whenever a file changes that stands with them, until Ctrl-C.
    #[arg(long)]
    watch: bool,
    /// Print one JSON object a line.
    #[arg(long)]
    json: bool,
}

/// What else can be done with tests.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Turn a run that took place into a case.
    Record(record::Options),
}

/// Plays them.
pub fn execute(options: &Options, context: &Context) -> Result<Ending, Failure> {
    if let Some(Verb::Record(options)) = &options.verb {
        return record::execute(options, context);
    }
    if !options.watch {
        return once(options, context);
    }
    loop {
        let files = Files::look(&options.paths);
        if let Err(failure) = once(options, context) {
            failure.report();
        }
        // Standard error may be gone; who watches sees the outcome.
        let _ = output::say("lockstep: waiting for a file to change; Ctrl-C ends");
        files.wait_for_change(&options.paths);
    }
}

/// Plays them once.
fn once(options: &Options, context: &Context) -> Result<Ending, Failure> {
    let suites = load(options, context)?;
    let outcomes = play_all(&suites, options);
    let played: usize = outcomes.iter().map(|outcome| outcome.cases.len()).sum();
    if played == 0 {
        let filter = options.filter.as_deref().unwrap_or_default();
        return Err(Failure::usage(format!("no case has `{filter}` in its name, so nothing was tested")));
    }
    tell(&outcomes, options, context)?;
    if let Some(path) = &options.junit {
        let doing = format!("cannot write `{}`", path.display());
        std::fs::write(path, junit::document(&outcomes)).map_err(Failure::system(doing))?;
    }
    let uncovered = uncovered(&outcomes, options);
    for line in &uncovered {
        // Standard error may be gone; the exit code says enough.
        let _ = output::say(&format!("error: {line}"));
    }
    let failed: usize = outcomes.iter().map(SuiteOutcome::failed).sum();
    Ok(if failed == 0 && uncovered.is_empty() { Ending::Succeeded } else { Ending::TestFailed })
}

/// Everything that is wrong with any file is said before any case is played.
fn load(options: &Options, context: &Context) -> Result<Vec<Suite>, Failure> {
    let mut suites = Vec::new();
    let mut wrong = 0;
    for path in suite::find(&options.paths)? {
        match Suite::load(&path) {
            Ok(suite) => suites.push(suite),
            Err(Unusable::Failure(failure)) => return Err(failure),
            Err(Unusable::Wrong(diagnostics)) => {
                wrong += 1;
                say(&diagnostics, options, context)?;
            }
        }
    }
    if wrong > 0 {
        return Err(Failure::Invalid(format!("{} cannot be tested with; nothing was played", count(wrong, "file"))));
    }
    Ok(suites)
}

fn say(diagnostics: &[Diagnostic], options: &Options, context: &Context) -> Result<(), Failure> {
    if options.json {
        return diagnostics.iter().try_for_each(|diagnostic| json::line(&diagnostic::to_json(diagnostic)));
    }
    output::print(&format!("{}\n", runbook_file::render(diagnostics, context.stdout)))
}

/// Plays every case that is asked for, as many at a time as the machine has processors.
fn play_all(suites: &[Suite], options: &Options) -> Vec<SuiteOutcome> {
    let is_meant = |name: &str| options.filter.as_ref().is_none_or(|filter| name.contains(filter));
    let numbered = suites.iter().enumerate();
    let queue: VecDeque<(usize, usize)> = numbered
        .flat_map(|(place, suite)| {
            let cases = suite.file.cases.iter().enumerate();
            cases.filter(|(_, case)| is_meant(&case.name.value)).map(move |(number, _)| (place, number))
        })
        .collect();
    let workers = thread::available_parallelism().map_or(1, usize::from).min(queue.len().max(1));
    let queue = Mutex::new(queue);
    let done = Mutex::new(Vec::new());
    let evaluator = Evaluator::new(runbook_file::sandbox());
    thread::scope(|scope| {
        for _ in 0..workers {
            let work = || {
                loop {
                    let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                    let Some((place, number)) = next else { return };
                    let played = play(&suites[place], number, &evaluator, options.crash_everywhere);
                    done.lock().unwrap_or_else(PoisonError::into_inner).push(((place, number), played));
                }
            };
            // Expressions may be nested as deeply as in the engine.
            let spawned = thread::Builder::new().stack_size(EVALUATION_STACK_BYTES).spawn_scoped(scope, work);
            drop(spawned);
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(place, _)| *place);
    let mut outcomes: Vec<SuiteOutcome> = suites.iter().map(empty).collect();
    let mut reached = ReachedFiles::default();
    for ((place, _), (outcome, new)) in done {
        outcomes[place].cases.push(outcome);
        for (file, new) in &new {
            reached.add(file, new);
        }
    }
    if options.filter.is_none() {
        let tested: Vec<&Graph> = suites.iter().map(|suite| suite.graph.as_ref()).collect();
        for (outcome, graph) in outcomes.iter_mut().zip(&tested) {
            outcome.coverage = Some(reached.coverage(graph));
            outcome.called = reached.of_called(graph, &tested);
        }
    }
    outcomes.retain(|outcome| !outcome.cases.is_empty());
    outcomes
}

fn empty(suite: &Suite) -> SuiteOutcome {
    SuiteOutcome {
        file: suite.path.display().to_string(),
        runbook: suite.graph.runbook.clone(),
        cases: Vec::new(),
        coverage: None,
        called: Vec::new(),
    }
}

/// Plays one case. Also says what it reached, by the files of runbooks.
fn play(suite: &Suite, number: usize, evaluator: &Evaluator, everywhere: bool) -> (Outcome, BTreeMap<String, Reached>) {
    let case = &suite.file.cases[number];
    let began = Instant::now();
    let prepared = prepare(&suite.graph, case);
    let story = match &prepared {
        Ok(prepared) => prepared.play(evaluator, None),
        Err(why) => refused(why),
    };
    let mut differences = judge(case, &story);
    let mut crashes = Crashes::default();
    if let Ok(prepared) = &prepared
        && everywhere
        && differences.is_empty()
    {
        crashes = crash::everywhere(prepared, evaluator, &story);
        differences.append(&mut crashes.wrong);
    }
    let outcome = Outcome {
        name: case.name.value.clone(),
        line: suite.source.location(case.name.span.start).line,
        differences,
        steps: story.path().len(),
        elapsed: story.elapsed,
        took: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
        crashes: (crashes.tried, crashes.possible),
    };
    (outcome, story.reached)
}

fn tell(outcomes: &[SuiteOutcome], options: &Options, context: &Context) -> Result<(), Failure> {
    if !options.json {
        for outcome in outcomes {
            output::print(&format!("{}\n", report::suite(outcome, context.stdout)))?;
        }
        return output::print(&report::summary(outcomes, context.stdout));
    }
    for outcome in outcomes {
        for case in &outcome.cases {
            json::line(&json!({
                "type": "case",
                "file": outcome.file,
                "line": case.line,
                "runbook": outcome.runbook,
                "name": case.name,
                "ok": case.differences.is_empty(),
                "differences": case.differences,
                "steps": case.steps,
                "elapsed_ms": case.elapsed,
                "took_ms": case.took,
                "crashes": case.crashes.0,
            }))?;
        }
        for (file, runbook, Coverage { steps, branches, missed }) in outcome.coverages() {
            let share = |share: &Share| json!({ "reached": share.reached, "all": share.all });
            json::line(&json!({
                "type": "coverage",
                "file": file,
                "runbook": runbook,
                "steps": share(steps),
                "branches": share(branches),
                "missed": missed,
            }))?;
        }
    }
    let cases: usize = outcomes.iter().map(|outcome| outcome.cases.len()).sum();
    let failed: usize = outcomes.iter().map(SuiteOutcome::failed).sum();
    json::line(&json!({ "type": "test", "files": outcomes.len(), "cases": cases, "failed": failed }))
}

/// Runbooks of which less is covered than is asked for.
fn uncovered(outcomes: &[SuiteOutcome], options: &Options) -> Vec<String> {
    let Some(least) = options.coverage_min.map(usize::from) else { return Vec::new() };
    let below = |outcome: &SuiteOutcome| {
        let file = Path::new(&outcome.file).display();
        let too_little = outcome.coverages().filter_map(|(_, runbook, coverage)| {
            let percent = coverage.steps.and(coverage.branches).percent();
            (percent < least)
                .then(|| format!("{file} covers {percent} % of `{runbook}`, at least {least} % are asked for"))
        });
        too_little.collect::<Vec<_>>()
    };
    outcomes.iter().flat_map(below).collect()
}
