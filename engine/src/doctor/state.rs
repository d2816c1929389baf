//! The checkpoint, held against what the journal says of it.

use super::finding::{Part, Report};
use super::journal::Truth;
use crate::store::Layout;
use crate::store::image::{SET_ASIDE, examine as examine_image};

const REBUILT: &str = "nothing is lost: the next opening makes it anew from the journal, or `lockstep doctor --repair`";

pub(super) fn examine(layout: &Layout, truth: Option<&Truth>, report: &mut Report) {
    let path = layout.state();
    let aside = path.with_extension(SET_ASIDE);
    if aside.exists() {
        let what = "a checkpoint that could not be used, kept to be looked into";
        report.mendable(Part::State, &aside, what, "remove it, or `lockstep doctor --repair`");
    }
    if report.holder.is_some() {
        let what = "the process that holds the folder writes to it, so it was not examined";
        report.note(Part::State, &path, what, "examine it when nothing runs");
        return;
    }
    let (checkpoint, entries) = match examine_image(&path) {
        Ok(Some(checkpoint)) => checkpoint,
        Ok(None) => {
            if truth.is_some_and(|truth| !truth.checkpoints.is_empty()) {
                report.mendable(Part::State, &path, "there is no checkpoint, though there was one", REBUILT);
            }
            return;
        }
        Err(why) => {
            report.mendable(Part::State, &path, format!("the checkpoint cannot be used: {why}"), REBUILT);
            return;
        }
    };
    report.checked.entries = entries;
    let Some(truth) = truth else { return };
    if checkpoint.lsn > truth.last {
        let what = format!(
            "the checkpoint holds what came of record {}, but the journal ends with record {}: either part was put back \
             to an older state",
            checkpoint.lsn.0, truth.last.0
        );
        report.damage(Part::State, &path, 0, what, "compare the folder with its newest backup before it is used");
    } else if !truth.checkpoints.contains(&(checkpoint.lsn, checkpoint.generation, checkpoint.digest)) {
        let what =
            "the journal does not know this checkpoint: it was being made when the process ended, or it is another's";
        report.mendable(Part::State, &path, what, REBUILT);
    }
}
