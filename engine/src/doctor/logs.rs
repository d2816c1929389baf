//! The logs of attempts that are over: each must read to its end.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::finding::{Part, Report};
use super::journal::Truth;
use crate::core::run::{Phase, Run, Step};
use crate::driver::Places;
use crate::id::StepNo;
use crate::store::Layout;
use crate::supervisor::spool::Spool;
use crate::view::log_path;
use crate::worker::log::{LogReader, Rest};
use crate::worker::retired::retired;

const CUT: &str = "what comes before it can be read: `lockstep logs` says where the log breaks off";

pub(super) fn examine(layout: &Layout, truth: &Truth, report: &mut Report) {
    let places = Places { logs: layout.logs(), spool: layout.spool() };
    let logs = &places.logs;
    let mut known: BTreeSet<PathBuf> = BTreeSet::new();
    for run in truth.whole.state.runs() {
        known.insert(logs.join(run.id.to_string()));
        examine_run(&places, &run, report);
    }
    for id in truth.whole.past.keys() {
        let folder = logs.join(id.to_string());
        match truth.past_run(*id) {
            Some(run) => examine_run(&places, &run, report),
            None => examine_all(&folder, report),
        }
        known.insert(folder);
    }
    for path in fs::read_dir(logs).into_iter().flatten().flatten().map(|entry| entry.path()) {
        if !known.contains(&path) && report.holder.is_none() {
            let what = "logs of a run that the journal does not know";
            report.note(Part::Logs, &path, what, "keep them if somebody may miss them, or remove the folder");
        }
    }
}

/// The logs of every attempt of a run that is over.
fn examine_run(places: &Places, run: &Run, report: &mut Report) {
    if retired(&places.logs.join(run.id.to_string())).is_some() {
        return;
    }
    for (no, step) in run.steps.numbered().map(|(no, step)| (StepNo(no), step)) {
        for grant in over(places, run, step) {
            examine_log(&log_path(&places.logs, run.id, no, grant), report);
        }
    }
}

/// The logs that are there of a run whose attempts nobody knows any more.
fn examine_all(folder: &Path, report: &mut Report) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    for path in entries.filter(|path| path.extension().is_some_and(|end| end == "log")) {
        examine_log(&path, report);
    }
}

/// The attempts of a step that are over, counted from 1.
fn over(places: &Places, run: &Run, step: &Step) -> std::ops::RangeInclusive<usize> {
    let runs = match step.phase {
        // It may have ended while no engine lived.
        Phase::Running { token, .. } if !run.is_ended() => {
            !matches!(Spool::new(places.attempt(run.id, token)).exit(), Some(Ok(_)))
        }
        _ => false,
    };
    1..=step.grants.len() - usize::from(runs && !step.grants.is_empty())
}

fn examine_log(path: &Path, report: &mut Report) {
    let (offset, file, what): (u64, PathBuf, String) = match read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let what = "there is no log of this attempt: it never began, or the log was removed";
            return report.note(Part::Logs, path, what, "put it back from a backup if it is missed");
        }
        Ok(Rest::Ended) => {
            report.checked.logs += 1;
            return;
        }
        Ok(Rest::Nothing) => {
            report.checked.logs += 1;
            let what = "the log has no end: its attempt was killed, or the file was cut";
            return report.note(Part::Logs, path, what, CUT);
        }
        Ok(Rest::Broken { path, offset }) => {
            (offset, path, "what follows was cut short by a crash, or is damaged".to_owned())
        }
        Err(error) => (0, path.to_owned(), format!("the log cannot be read: {error}")),
    };
    report.checked.logs += 1;
    report.damage(Part::Logs, &file, offset, what, CUT);
}

/// Reads a log as far as it goes.
fn read(path: &Path) -> io::Result<Rest> {
    let mut reader = LogReader::open(path)?;
    while reader.next_entry()?.is_some() {}
    Ok(reader.rest())
}
