//! The suite for the store in a folder.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use tempfile::TempDir;

use super::{Fault, Subject, any_ops, image_keeps_its_entries, keeps_the_promise};
use crate::store::{Folder, Journal};

/// A data folder. A crash is what a killed process leaves: its files at that moment, in another place.
struct OnDisk {
    place: TempDir,
    folder: Option<Folder>,
}

impl OnDisk {
    fn new() -> Self {
        Self { place: tempfile::tempdir().unwrap(), folder: None }
    }
}

impl Subject for OnDisk {
    type Log = Journal;

    fn open(&mut self) -> Journal {
        let folder = self.folder.get_or_insert_with(|| Folder::open(self.place.path()).unwrap());
        folder.log().unwrap()
    }

    fn crash(&mut self) {
        let copy = tempfile::tempdir().unwrap();
        copy_folder(self.place.path(), copy.path());
        self.folder = None;
        self.place = copy;
    }

    fn inject(&mut self, _: Fault) -> bool {
        false
    }
}

pub(super) fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            // A file that the thread for spare segments renames meanwhile is as good as not there.
            let _ = fs::copy(entry.path(), target);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn a_folder_keeps_the_promise(ops in any_ops(30)) {
        keeps_the_promise(&mut OnDisk::new(), &ops);
    }
}

#[test]
fn a_checkpoint_in_sled_keeps_its_entries() {
    let place = tempfile::tempdir().unwrap();
    let folder = Folder::open(place.path()).unwrap();
    image_keeps_its_entries(|| folder.image());
}
