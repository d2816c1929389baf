//! The bases: each must be the checkpoint that the journal says it is.

use super::finding::{Part, Report};
use super::journal::Truth;
use crate::id::Lsn;
use crate::store::base::KEPT_BASES;
use crate::store::folder::bases_in;
use crate::store::{Layout, OpenError, StoredBases as _};

const MADE_ANEW: &str = "nothing is lost: `lockstep doctor --repair` makes new ones from the journal";

pub(super) fn examine(layout: &Layout, truth: Option<&Truth>, report: &mut Report) {
    if report.holder.is_some() {
        // The process that holds the folder makes and removes them, and checks each.
        return;
    }
    let bases = bases_in(layout);
    let list = match bases.list() {
        Ok(list) => list,
        Err(error) => return report.mendable(Part::Bases, &layout.bases(), error.to_string(), MADE_ANEW),
    };
    let mut sound = 0;
    for base in list {
        let path = bases.path(base.lsn);
        let what = match bases.verify(base.lsn) {
            Ok(checkpoint) => {
                report.checked.bases += 1;
                let known = truth.is_none_or(|truth| {
                    let record = (checkpoint.lsn, checkpoint.generation, checkpoint.digest);
                    // Its record may have been dropped since.
                    Lsn(base.lsn.0 + 1) < truth.oldest || truth.checkpoints.contains(&record)
                });
                if known {
                    sound += 1;
                    continue;
                }
                "the journal does not know this base".to_owned()
            }
            Err(OpenError::Damaged { what, offset, .. }) => format!("{what} (at byte {offset})"),
            Err(error @ (OpenError::Io { .. } | OpenError::Newer { .. } | OpenError::Locked { .. })) => {
                error.to_string()
            }
        };
        report.mendable(Part::Bases, &path, what, MADE_ANEW);
    }
    if truth.is_some_and(|truth| truth.oldest > Lsn(1)) && sound < KEPT_BASES {
        let what =
            format!("{sound} of {KEPT_BASES} bases are left, and the journal's beginning was dropped on their account");
        report.mendable(Part::Bases, &layout.bases(), what, MADE_ANEW);
    }
}
