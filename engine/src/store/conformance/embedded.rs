//! The suite for the store in a folder, and what only a folder has: a lock, a format, readers beside a writer.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use proptest::prelude::*;
use tempfile::TempDir;

use super::{Fault, Subject, any_ops, blobs_keep_their_bytes, image_keeps_its_entries, keeps_the_promise};
use crate::clock::Stamp;
use crate::id::Lsn;
use crate::store::journal::segment::FIRST_SEGMENT_BYTES;
use crate::store::{Blobs, Folder, Frame, Frames, Image, Journal, Layout, OpenError, Order, ShardLog, open_read_only};

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

    fn seal(&mut self, log: &mut Journal) {
        log.seal();
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

/// A frame of one record behind `last`.
pub(super) fn frame_after(last: Lsn, len: usize) -> Frame {
    let first = Lsn(last.0 + 1);
    let fill = u8::try_from(first.0 % 251).unwrap() + 1;
    Frame { first, stamp: Stamp { time: first.0, ..Stamp::default() }, records: vec![vec![fill; len]] }
}

pub(super) fn append(log: &mut Journal, len: usize) -> Frame {
    let last = log.head().last;
    let frame = frame_after(last, len);
    log.append(last, &frame).unwrap();
    frame
}

pub(super) fn read_all(path: &Path) -> Result<Vec<Frame>, OpenError> {
    let mut frames = Vec::new();
    open_read_only(path)?.journal.read(Lsn(0), &mut |frame| {
        frames.push(frame);
        true
    })?;
    Ok(frames)
}

proptest! {
    // Nothing is kept of failures: it is also played with bugs planted, and has to fail then.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(40) })]

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

#[test]
fn blobs_in_files_keep_their_bytes() {
    let place = tempfile::tempdir().unwrap();
    let folder = Folder::open(place.path()).unwrap();
    blobs_keep_their_bytes(|| folder.blobs());
}

#[test]
fn asking_for_a_checkpoint_that_was_never_made_opens_no_database() {
    let place = tempfile::tempdir().unwrap();
    let folder = Folder::open(place.path()).unwrap();
    let mut image = folder.image();
    assert_eq!((image.load(), image.get(b"a").unwrap()), (None, None));
    image.scan(b"", Order::Up, &mut |_, _| panic!("there is no entry")).unwrap();
    drop(image);
    assert!(!folder.layout().state().exists());
}

#[test]
fn an_append_is_one_sync_in_the_current_segment() {
    let place = tempfile::tempdir().unwrap();
    let mut log = Folder::open(place.path()).unwrap().log().unwrap();
    for _ in 0..100 {
        append(&mut log, 200);
    }
    log.rest();
    let mut stats = log.stats();
    assert_eq!((stats.appends, stats.syncs), (100, 100));
    // Also where it goes on in the next segment.
    while stats.bytes < 2 * FIRST_SEGMENT_BYTES {
        append(&mut log, 20_000);
        stats = log.stats();
    }
    assert_eq!(stats.appends, stats.syncs);
}

#[test]
fn a_short_log_keeps_no_spare_segment_and_a_long_one_does() {
    let place = tempfile::tempdir().unwrap();
    let folder = Folder::open(place.path()).unwrap();
    let segments = || fs::read_dir(folder.layout().journal()).unwrap().count() - 1;
    let mut log = folder.log().unwrap();
    append(&mut log, 1000);
    drop(log);
    assert_eq!(segments(), 1);
    let mut log = folder.log().unwrap();
    for _ in 0..8 {
        append(&mut log, 50_000);
    }
    drop(log);
    assert!(segments() >= 2);
    assert_eq!(read_all(place.path()).unwrap().len(), 9);
}

#[test]
fn a_frame_longer_than_a_segment_gets_one_of_its_own() {
    let place = tempfile::tempdir().unwrap();
    let folder = Folder::open(place.path()).unwrap();
    let mut log = folder.log().unwrap();
    let mut frames = vec![append(&mut log, 100_000)];
    frames.push(append(&mut log, 3_000_000));
    frames.push(append(&mut log, 100));
    drop(log);
    drop(folder.log().unwrap());
    assert_eq!(read_all(place.path()).unwrap(), frames);
}

#[test]
fn only_one_of_many_gets_the_folder() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("new/data");
    let opened: Vec<_> = std::thread::scope(|scope| {
        let openers: Vec<_> = (0..10).map(|_| scope.spawn(|| Folder::open(&path))).collect();
        openers.into_iter().map(|opener| opener.join().unwrap()).collect()
    });
    assert_eq!(opened.iter().filter(|folder| folder.is_ok()).count(), 1);
    let locked = |folder: &Result<Folder, OpenError>| matches!(folder, Err(OpenError::Locked { .. }));
    assert_eq!(opened.iter().filter(|folder| locked(folder)).count(), 9, "{opened:?}");
    assert!(Folder::is_held(&path).unwrap());
    assert_eq!(Folder::lock_holder(&path), Some(std::process::id()));
    drop(opened);
    assert!(!Folder::is_held(&path).unwrap());
    assert!(!Folder::is_held(&place.path().join("none")).unwrap());
}

#[test]
fn the_lock_lasts_as_long_as_the_log() {
    let place = tempfile::tempdir().unwrap();
    let log = Folder::open(place.path()).unwrap().log().unwrap();
    assert!(matches!(Folder::open(place.path()), Err(OpenError::Locked { .. })));
    drop(log);
    Folder::open(place.path()).unwrap();
}

#[test]
fn a_folder_of_somebody_else_is_left_alone() {
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("thesis.tex"), "x").unwrap();
    let refused = Folder::open(place.path()).unwrap_err();
    assert!(refused.to_string().contains("thesis.tex"), "{refused}");
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1, "nothing was written into it");
    assert!(open_read_only(place.path()).is_err());
}

#[test]
fn a_newer_folder_is_left_alone() {
    let place = tempfile::tempdir().unwrap();
    drop(Folder::open(place.path()).unwrap());
    fs::write(place.path().join("FORMAT"), "lockstep 2\n").unwrap();
    assert!(matches!(Folder::open(place.path()), Err(OpenError::Newer { found: 2, known: 1, .. })));
    assert!(matches!(open_read_only(place.path()), Err(OpenError::Newer { .. })));
    for text in ["", "lockstep 0\n", "lockstep\n", "\u{fffd}"] {
        fs::write(place.path().join("FORMAT"), text).unwrap();
        assert!(matches!(Folder::open(place.path()), Err(OpenError::Damaged { .. })), "{text:?}");
    }
}

#[test]
fn a_journal_without_a_format_is_damage() {
    let place = tempfile::tempdir().unwrap();
    drop(Folder::open(place.path()).unwrap().log().unwrap());
    fs::remove_file(place.path().join("FORMAT")).unwrap();
    assert!(matches!(Folder::open(place.path()), Err(OpenError::Damaged { .. })));
}

#[test]
fn a_fenced_handle_cannot_replace_a_segment() {
    let place = tempfile::tempdir().unwrap();
    let folder = Folder::open(place.path()).unwrap();
    let mut older = folder.log().unwrap();
    // Enough for the older handle to begin making a spare.
    append(&mut older, 100_000);
    let mut newer = folder.log().unwrap();
    for _ in 0..10 {
        append(&mut newer, 100_000);
    }
    older.trim(newer.head().last).unwrap();
    drop(older);
    drop(newer);
    assert_eq!(read_all(place.path()).unwrap().len(), 11);
    assert_eq!(folder.log().unwrap().head().last, Lsn(11));
}

#[test]
fn nothing_is_readable_for_others() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("data");
    let folder = Folder::open(&path).unwrap();
    append(&mut folder.log().unwrap(), 10);
    folder.blobs().put(b"large").unwrap();
    let mut seen = 0;
    let mut folders = vec![path];
    while let Some(path) = folders.pop() {
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700, "{}", path.display());
        for entry in fs::read_dir(&path).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else {
                assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{}", entry.path().display());
                seen += 1;
            }
        }
    }
    assert!(seen >= 5);
}

#[test]
fn a_folder_that_is_not_there_is_not_made_by_looking() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("none");
    let Err(OpenError::Io { source, .. }) = open_read_only(&path) else { panic!("there is nothing to read") };
    assert_eq!(source.kind(), std::io::ErrorKind::NotFound);
    assert!(!path.exists());
    drop(Folder::open(&path).unwrap());
    assert_eq!(read_all(&path).unwrap(), [], "opened, but nothing was ever written");
}

#[test]
fn readers_beside_a_writer_see_a_prefix_and_change_nothing() {
    let place = tempfile::tempdir().unwrap();
    let mut log = Folder::open(place.path()).unwrap().log().unwrap();
    let written = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let mut seen = 0;
                    loop {
                        let last = written.load(Ordering::Acquire);
                        let frames = read_all(place.path()).unwrap();
                        assert!(frames.len() >= seen, "what was seen stays");
                        let mut before = Lsn(0);
                        for frame in &frames {
                            assert_eq!(*frame, frame_after(before, 3000));
                            before = frame.last();
                        }
                        seen = frames.len();
                        if last {
                            return seen;
                        }
                    }
                })
            })
            .collect();
        for _ in 0..300 {
            append(&mut log, 3000);
        }
        written.store(true, Ordering::Release);
        for reader in readers {
            assert_eq!(reader.join().unwrap(), 300);
        }
    });
    append(&mut log, 10);
}

#[test]
fn reading_begins_where_it_is_asked_to() {
    let place = tempfile::tempdir().unwrap();
    let mut log = Folder::open(place.path()).unwrap().log().unwrap();
    for _ in 0..40 {
        append(&mut log, 30_000);
    }
    for from in [0, 1, 2, 20, 39, 40, 41] {
        let mut seen = Vec::new();
        log.read(Lsn(from), &mut |frame| {
            seen.push(frame.first.0);
            true
        })
        .unwrap();
        assert_eq!(seen, (from.max(1)..=40).collect::<Vec<_>>());
        let mut first = Vec::new();
        open_read_only(place.path())
            .unwrap()
            .journal
            .read(Lsn(from), &mut |frame| {
                first.push(frame.first.0);
                false
            })
            .unwrap();
        assert_eq!(first, seen.into_iter().take(1).collect::<Vec<_>>());
    }
}

#[test]
fn what_a_killed_process_left_half_made_is_cleaned_up() {
    let place = tempfile::tempdir().unwrap();
    let layout = Layout::new(place.path());
    let mut log = Folder::open(place.path()).unwrap().log().unwrap();
    let frame = append(&mut log, 10);
    drop(log);
    let leftovers = [layout.journal().join("tmp-0000000002.segment"), layout.blobs().join("tmp-abc")];
    for leftover in &leftovers {
        fs::write(leftover, [0; 1000]).unwrap();
    }
    drop(Folder::open(place.path()).unwrap().log().unwrap());
    assert!(leftovers.iter().all(|leftover| !leftover.exists()));
    assert_eq!(read_all(place.path()).unwrap(), [frame]);

    // Killed after HEAD was made and before the first segment was.
    let fresh = tempfile::tempdir().unwrap();
    drop(Folder::open(fresh.path()).unwrap().log().unwrap());
    fs::remove_file(Layout::new(fresh.path()).journal().join("0000000001.segment")).unwrap();
    append(&mut Folder::open(fresh.path()).unwrap().log().unwrap(), 10);
    assert_eq!(read_all(fresh.path()).unwrap().len(), 1);
}

#[cfg(feature = "proof")]
#[test]
fn a_fence_that_is_not_checked_is_caught() {
    use crate::fault::Bug;
    assert!(crate::fault::is_caught(Bug::FenceNotChecked, a_folder_keeps_the_promise), "{:?}", Bug::FenceNotChecked);
}
