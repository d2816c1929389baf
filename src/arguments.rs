//! The command line: global options and the list of verbs. Each verb's own options stand in its file under `command/`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::command::{
    answer, approve, backup, bench, cancel, check, completions, doctor, event, graph, history, logs, pause, reject,
    resolve, restore, resume, retry, run, runs, schedule, serve, show, signal, skip, test, what_if, why,
};
use crate::context::Context;
use crate::ending::{Ending, Failure};
use crate::logging::Logging;

/// Runs runbooks so that operators can trust them.
///
/// A runbook is a YAML file of steps. Every step is journaled before it acts, so a run that is cut off in the middle
/// goes on where it was, and nothing runs twice by accident.
#[derive(Debug, Parser)]
#[command(name = "lockstep", version, propagate_version = false, after_long_help = AFTER, max_term_width = 100)]
pub struct Arguments {
    /// What holds for every verb.
    #[command(flatten)]
    pub global: Global,
    /// The verb.
    #[command(subcommand)]
    pub command: Command,
}

const AFTER: &str = "\
A first session:
  lockstep check runbooks/                       find every mistake before anything runs
  lockstep run disk-cleanup.yaml -p mount=/var   run it and watch
  lockstep runs                                  what has run, newest first
  lockstep show last                             one run: steps, outputs, errors
  lockstep logs last                             what its commands printed
  lockstep retry last                            go on with a failed run, keeping what succeeded

Runs are named by any unique beginning of their id, or `last` for the newest.

Exit codes:
  0   it was done, the run succeeded
  1   the run failed, or a case of `lockstep test`
  2   the runbook, the parameters or the command line are wrong; nothing ran
  3   the run is open still: it waits for somebody, is in doubt, or was left to be resumed
  4   the run was cancelled
  5   the data folder cannot be used: locked, damaged, full, newer, no rights
  70  a bug in lockstep

Environment:
  LOCKSTEP_DATA    the data folder, as --data
  NO_COLOR         no colours; CLICOLOR_FORCE=1 colours also into pipes
  LOCKSTEP_LOG     what lockstep itself does, on standard error: `debug`, or `lockstep_engine=trace`";

/// What holds for every verb.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// The data folder: journal, checkpoint and logs [default: `LOCKSTEP_DATA`, else
    /// `$XDG_STATE_HOME/lockstep`, else `~/.local/state/lockstep`].
    #[arg(long, global = true, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// When to paint.
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t = Color::Auto)]
    pub color: Color,
}

/// When to paint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a runbook and watch it.
    Run(run::Options),
    /// Find what is wrong with runbooks, without running anything.
    Check(check::Options),
    /// Play the cases that runbooks are tested with, without touching anything.
    Test(test::Options),
    /// Say what a run would have done under an edited runbook.
    WhatIf(what_if::Options),
    /// Print the steps of a runbook and what they need.
    Graph(graph::Options),
    /// List runs, newest first.
    Runs(runs::Options),
    /// Show one run: steps, outputs, errors.
    Show(show::Options),
    /// Say what a run waits for, and what lets it go on.
    Why(why::Options),
    /// Print what the commands of a run printed.
    Logs(logs::Options),
    /// Print everything that was journaled of a run.
    History(history::Options),
    /// Begin nothing new in a run until it is resumed.
    Pause(pause::Options),
    /// Go on with a run that was paused, or with runs that were cut off.
    Resume(resume::Options),
    /// Cancel a run.
    Cancel(cancel::Options),
    /// Go on with a failed or cancelled run, keeping what succeeded.
    Retry(retry::Options),
    /// Have a step of a run not run.
    Skip(skip::Options),
    /// Say how a step in doubt goes on.
    Resolve(resolve::Options),
    /// Say yes to what a step asks.
    Approve(approve::Options),
    /// Say no to what a step asks.
    Reject(reject::Options),
    /// Fill in what a step asks for.
    Answer(answer::Options),
    /// Tell a run something that a step awaits.
    Signal(signal::Options),
    /// Look at what starts runbooks by itself.
    Schedule(schedule::Options),
    /// Say which events a pattern matches.
    Event(event::Options),
    /// Serve a data folder: carry its runs until told to stop.
    Serve(serve::Options),
    /// Examine the data folder, and repair it.
    Doctor(doctor::Options),
    /// Copy the data folder while it is used.
    Backup(backup::Options),
    /// Make a data folder from a backup.
    Restore(restore::Options),
    /// Measure what durable steps cost on this machine.
    Bench(bench::Options),
    /// Print the completions for a shell.
    Completions(completions::Options),
}

impl Command {
    /// Does it.
    pub fn execute(&self, context: &Context) -> Result<Ending, Failure> {
        match self {
            Self::Run(options) => run::execute(options, context),
            Self::Check(options) => check::execute(options, context),
            Self::Test(options) => test::execute(options, context),
            Self::WhatIf(options) => what_if::execute(options, context),
            Self::Graph(options) => graph::execute(options, context),
            Self::Runs(options) => runs::execute(options, context),
            Self::Show(options) => show::execute(options, context),
            Self::Why(options) => why::execute(options, context),
            Self::Logs(options) => logs::execute(options, context),
            Self::History(options) => history::execute(options, context),
            Self::Pause(options) => pause::execute(options, context),
            Self::Resume(options) => resume::execute(options, context),
            Self::Cancel(options) => cancel::execute(options, context),
            Self::Retry(options) => retry::execute(options, context),
            Self::Skip(options) => skip::execute(options, context),
            Self::Resolve(options) => resolve::execute(options, context),
            Self::Approve(options) => approve::execute(options, context),
            Self::Reject(options) => reject::execute(options, context),
            Self::Answer(options) => answer::execute(options, context),
            Self::Signal(options) => signal::execute(options, context),
            Self::Schedule(options) => schedule::execute(options, context),
            Self::Event(options) => event::execute(options, context),
            Self::Serve(options) => serve::execute(options, context),
            Self::Doctor(options) => doctor::execute(options, context),
            Self::Backup(options) => backup::execute(options, context),
            Self::Restore(options) => restore::execute(options, context),
            Self::Bench(options) => bench::execute(options, context),
            Self::Completions(options) => completions::execute(options),
        }
    }

    /// What it says of its own doings, unless `LOCKSTEP_LOG` asks for something else.
    pub const fn logging(&self) -> Logging {
        match self {
            Self::Serve(options) => options.logging(),
            Self::Run(_)
            | Self::Check(_)
            | Self::Test(_)
            | Self::WhatIf(_)
            | Self::Graph(_)
            | Self::Runs(_)
            | Self::Show(_)
            | Self::Why(_)
            | Self::Logs(_)
            | Self::History(_)
            | Self::Pause(_)
            | Self::Resume(_)
            | Self::Cancel(_)
            | Self::Retry(_)
            | Self::Skip(_)
            | Self::Resolve(_)
            | Self::Approve(_)
            | Self::Reject(_)
            | Self::Answer(_)
            | Self::Signal(_)
            | Self::Schedule(_)
            | Self::Event(_)
            | Self::Doctor(_)
            | Self::Backup(_)
            | Self::Restore(_)
            | Self::Bench(_)
            | Self::Completions(_) => Logging::OF_COMMANDS,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Arguments;

    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }
}
