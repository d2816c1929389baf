//! The folder itself: its rights, its room, and what lies there without a use.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use super::finding::{Part, Report};
use crate::limits::Threshold;
use crate::store::files::{UNFINISHED, cannot};
use crate::store::{Layout, OpenError, Room};

/// Rights of the group or others by which they could read or change something. That the group gets through the folder is
/// none: a server lets a group come to its socket so.
const OTHERS: u32 = 0o067;

pub(super) fn examine(layout: &Layout, report: &mut Report) -> Result<(), OpenError> {
    let path = layout.path();
    let folder = fs::metadata(path).map_err(cannot("cannot read", path))?;
    if !folder.is_dir() {
        return Err(cannot("cannot use", path)(io::ErrorKind::NotADirectory.into()));
    }
    let mode = folder.permissions().mode();
    if mode & OTHERS != 0 {
        let what =
            format!("other users have rights here (mode {:03o}): parameters, outputs and logs lie open", mode & 0o777);
        report.mendable(Part::Folder, path, what, "`chmod 700`, or `lockstep doctor --repair`");
    }
    let me = rustix::process::geteuid().as_raw();
    if folder.uid() != me && me != 0 {
        let what = format!("it belongs to user {}, and this is user {me}", folder.uid());
        report.note(Part::Folder, path, what, "run lockstep as the owner of the folder");
    }
    for (part, folder) in
        [(Part::Folder, path.to_owned()), (Part::Journal, layout.journal()), (Part::Blobs, layout.blobs())]
    {
        left_over(part, &folder, report);
    }
    let room = Room::at(path).map_err(cannot("cannot examine the disk of", path))?;
    report.room = Some(room);
    let wanted = Threshold::of(room.size).enter;
    if room.free < wanted {
        let what = format!("{} bytes are free on its disk; below {wanted} no new run is started", room.free);
        report.mendable(Part::Folder, path, what, "make room on that disk; runs that are open go on meanwhile");
    }
    Ok(())
}

/// Files that were being made when a process ended. While one holds the folder they may be its own.
fn left_over(part: Part, folder: &Path, report: &mut Report) {
    if report.holder.is_some() {
        return;
    }
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
            let what = "a file that was not finished; nothing uses it";
            report.mendable(part, &entry.path(), what, "the next opening removes it, or `lockstep doctor --repair`");
        }
    }
}
