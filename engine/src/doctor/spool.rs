//! The folders of attempts, held against the attempts that the journal says are running.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::finding::{Part, Report};
use super::journal::Truth;
use crate::driver::Places;
use crate::id::{RunId, Token};
use crate::store::Layout;
use crate::supervisor::exit::NoExit;
use crate::supervisor::spool::{Lock, Spool};

pub(super) fn examine(layout: &Layout, truth: &Truth, report: &mut Report) {
    let places = Places { logs: layout.logs(), spool: layout.spool() };
    let wanted = wanted(&places, truth);
    for entry in fs::read_dir(&places.spool).into_iter().flatten().flatten() {
        report.checked.spooled += 1;
        let path = entry.path();
        let spool = Spool::new(&path);
        match wanted.get(&path) {
            // A process that holds the folder makes and removes such folders all the time.
            _ if report.holder.is_some() => {}
            Some(None) => {}
            Some(Some((run, token))) => match spool.exit() {
                Some(Ok(_)) | None => {}
                Some(Err(NoExit::Damaged)) => {
                    let what = format!(
                        "how attempt {} of run {} ended was written here and is damaged: its outcome is unknown",
                        token.0, run
                    );
                    let advice = "`lockstep resume` repeats the step if its effect allows it, else puts it in doubt";
                    report.damage(Part::Spool, &path.join("exit"), 0, what, advice);
                }
                Some(Err(newer @ NoExit::Newer { .. })) => {
                    report.note(Part::Spool, &path.join("exit"), newer.to_string(), "use the newer lockstep");
                }
            },
            // Kept until its run has succeeded, or its logs are removed.
            None if is_of_secrets(&path) => {}
            None if matches!(spool.lock(), Ok(Lock::Held)) => {
                let what = "a supervisor lives here, of an attempt that the journal does not know as running";
                report.note(Part::Spool, &path, what, "it ends with its command; look at it with `ps`");
            }
            None => {
                let what = "left over by an attempt that has ended; nothing uses it";
                report.mendable(Part::Spool, &path, what, "the next opening removes it, or `lockstep doctor --repair`");
            }
        }
    }
}

/// Whether a folder holds what the steps of a run have learned.
fn is_of_secrets(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().ends_with(b"-secrets"))
}

/// The folders that open runs need: of an attempt, or of a run's files.
pub(super) fn wanted(places: &Places, truth: &Truth) -> BTreeMap<PathBuf, Option<(RunId, Token)>> {
    let mut wanted = BTreeMap::new();
    for run in truth.whole.state.runs().filter(|run| !run.is_ended()) {
        wanted.insert(places.files(run.id), None);
        wanted.extend(run.running().map(|(_, token)| (places.attempt(run.id, token), Some((run.id, token)))));
    }
    wanted
}
