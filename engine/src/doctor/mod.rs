//! The examination of a data folder: every file in it is read and held against what the journal says.
//!
//! An examination takes no lock and changes nothing, so it may run beside an engine; what an engine changes just then is
//! left out and said to be. A [`repair`] takes the lock, and does only what loses nothing: all that it removes or makes
//! anew is left over, or follows from the journal. What cannot be mended without loss is left as it is, until a person
//! [accepts the loss](accept_loss).

mod accept;
mod bases;
mod blobs;
mod finding;
mod floor;
mod journal;
mod logs;
mod loss;
mod place;
mod repair;
mod spool;
mod state;

use std::path::Path;

pub use self::accept::accept_loss;
pub use self::finding::{Checked, Finding, Grade, Part, Report};
pub use self::floor::Floor;
pub use self::loss::{Losses, LostRecords};
pub use self::repair::repair;

use self::journal::Truth;
use crate::store::folder::Folder;
use crate::store::{Layout, OpenError};

/// Examines the data folder at `path`.
///
/// # Errors
/// There is no data folder, or one of a newer program; a damaged one is a finding.
pub fn examine(path: &Path) -> Result<Report, OpenError> {
    let layout = Layout::new(path);
    let mut report = Report::new(path);
    let held = Folder::is_held(path)?;
    report.holder = held.then(|| Folder::lock_holder(path));
    place::examine(&layout, &mut report)?;
    let truth = Truth::read(&layout, &mut report)?;
    state::examine(&layout, truth.as_ref(), &mut report);
    bases::examine(&layout, truth.as_ref(), &mut report);
    blobs::examine(&layout, &mut report);
    if let Some(truth) = &truth {
        spool::examine(&layout, truth, &mut report);
        logs::examine(&layout, truth, &mut report);
    }
    if truth.is_none() && !held {
        report.losses = loss::survey(&layout);
    }
    report.floor = Floor::measure(path).ok();
    if !held && Folder::is_held(path)? {
        // What began meanwhile may have changed anything between two looks at it.
        report.findings.retain(|finding| finding.grade == Grade::Damage);
        report.note(Part::Folder, path, "a process began to use the folder during the examination", "examine it again");
    }
    Ok(report)
}
