//! `lockstep doctor`: whether the data folder is sound, and what to do where it is not.

use std::io;

use clap::Args;
use lockstep_engine::doctor::{self, Finding, Grade, Report};
use lockstep_engine::store::OpenError;

use crate::config;
use crate::context::Context;
use crate::ending::{Ending, Failure};
use crate::output::{self, health};

const EXAMPLES: &str = "\
Examples:
  lockstep doctor               read every file of the data folder and say what is wrong with it
  lockstep doctor --repair      and mend what can be mended without loss
  lockstep doctor --accept-loss give up what of the journal cannot be read, and keep all the rest
  lockstep doctor --json | jq 'select(.grade == \"damage\")'

Without `--repair` nothing is changed, and nothing need be stopped for it. With it the folder must
be free: what was not finished is removed, what attempts left that are over too, and a checkpoint
that cannot be used is made anew from the journal.

A journal that is damaged in its middle is not opened, and nothing of it is thrown away: a backup
is the better way out (`lockstep restore`). Where there is none, `--accept-loss` makes a new journal
of every record that is whole, notes in it what was lost and who accepted that, and keeps the
damaged one beside. Runs of which something was lost stand still from then on and can only be
cancelled; all others go on. What would be lost is said without the flag.

Exit codes: 0 it is sound; 1 something is out of order and can be mended without loss; 5 something
that was stored is lost or changed. After `--repair` and `--accept-loss`: what is left then.";

/// Options of `lockstep doctor`.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Options {
    /// Mend what can be mended without loss.
    #[arg(long)]
    repair: bool,
    /// Give up what of the journal cannot be read any more, keep the rest, and mend what can be mended.
    #[arg(long)]
    accept_loss: bool,
    /// Print one JSON object a line: the findings, and a last one of type `doctor`.
    #[arg(long)]
    json: bool,
}

/// Examines, and repairs if that is asked for.
pub fn execute(options: &Options, context: &Context) -> Result<Ending, Failure> {
    config::read(context.data()?)?;
    let before = examine(context)?;
    if options.accept_loss && before.losses.is_some() {
        return accept(before, options, context);
    }
    if options.accept_loss {
        let why = match before.holder {
            Some(_) => "another process holds the folder: end it first",
            None => "the journal can be read to its end, so there is nothing to accept",
        };
        // Standard error may be gone; the report says enough.
        let _ = output::say(&format!("lockstep: {why}"));
    }
    let (report, repaired) = if options.repair && before.worst() > Some(Grade::Note) {
        doctor::repair(context.data()?)?;
        let after = examine(context)?;
        let is_left = |finding: &Finding| after.findings.iter().any(|left| left.path == finding.path);
        let repaired = before.findings.into_iter().filter(|finding| finding.grade == Grade::Mendable);
        let repaired = repaired.filter(|finding| !is_left(finding)).collect();
        (after, repaired)
    } else {
        (before, Vec::new())
    };
    tell(&report, &repaired, options, context)
}

/// Accepts the loss, and says what the folder is like then.
fn accept(before: Report, options: &Options, context: &Context) -> Result<Ending, Failure> {
    doctor::accept_loss(context.data()?, &context.by)?;
    let after = examine(context)?;
    let accepted = before.findings.into_iter().filter(|finding| finding.grade >= Grade::Mendable);
    let is_left =
        |finding: &Finding| after.findings.iter().any(|left| left.path == finding.path && left.grade == finding.grade);
    let accepted: Vec<Finding> = accepted.filter(|finding| !is_left(finding)).collect();
    tell(&after, &accepted, options, context)
}

/// Prints the report; the exit code says the worst of it.
fn tell(report: &Report, repaired: &[Finding], options: &Options, context: &Context) -> Result<Ending, Failure> {
    if options.json {
        health::json(report, repaired)?;
    } else {
        output::print(&health::text(report, repaired, context.stdout))?;
    }
    Ok(match report.worst() {
        None | Some(Grade::Note) => Ending::Succeeded,
        Some(Grade::Mendable) => Ending::OutOfOrder,
        Some(Grade::Damage) => Ending::Damaged,
    })
}

fn examine(context: &Context) -> Result<Report, Failure> {
    doctor::examine(context.data()?).map_err(|error| match error {
        OpenError::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => super::no_runs(context),
        error => error.into(),
    })
}
