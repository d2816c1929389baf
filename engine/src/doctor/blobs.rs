//! Large values: each file must hold the bytes whose hash is its name.

use std::fs;

use super::finding::{Part, Report};
use crate::store::Blobs as _;
use crate::store::Layout;
use crate::store::blobs::{FileBlobs, is_hash};
use crate::store::files::UNFINISHED;

pub(super) fn examine(layout: &Layout, report: &mut Report) {
    let folder = layout.blobs();
    let blobs = FileBlobs::new(folder.clone());
    for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(UNFINISHED) {
            continue;
        }
        report.checked.blobs += 1;
        if !is_hash(&name) {
            report.note(Part::Blobs, &entry.path(), "not a file of lockstep", "look where it belongs");
        } else if blobs.get(&name).is_none() && entry.path().exists() {
            let what = "the bytes do not match their hash: the value is lost, and what needs it says so";
            report.damage(Part::Blobs, &entry.path(), 0, what, "put the file back from a backup");
        }
    }
}
