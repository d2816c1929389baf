//! Sealed segments: the same frames in less room, found by whose they are, and no changed bit unnoticed.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::damage::{names_a_place, with_flipped};
use super::embedded::{append, copy_folder, read_all};
use super::one_run_is_found_among_others;
use crate::clock::Stamp;
use crate::core::run::{Change, Record, Subject};
use crate::encode::encode;
use crate::id::{Lsn, RunId};
use crate::store::journal::segment::{FIRST_SEGMENT_BYTES, SEALED_MAGIC};
use crate::store::{Folder, Frame, Frames, Journal, OpenError, ShardLog, open_read_only};

fn segment(place: &Path, number: u64) -> PathBuf {
    place.join(format!("journal/{number:010}.segment"))
}

fn is_sealed(place: &Path, number: u64) -> bool {
    fs::read(segment(place, number)).unwrap().starts_with(&SEALED_MAGIC)
}

/// A record of one of a few runs, as long as those of real ones.
fn append_change(log: &mut Journal, number: u32) -> Frame {
    let run = RunId::new(1_700_000_000_000, number % 5);
    let by = format!("somebody who asked for number {number}, and gave a reason");
    let record = encode(&Record::Changed { run, change: Change::CancelRequested { by, undo: false } });
    let last = log.head().last;
    let frame = Frame { first: Lsn(last.0 + 1), stamp: Stamp::default(), records: vec![record; 3] };
    log.append(last, &frame).unwrap();
    frame
}

/// A folder whose first segment is full, and sealed.
fn sealed_folder() -> (TempDir, Vec<Frame>) {
    let place = tempfile::tempdir().unwrap();
    let mut log = Folder::open(place.path()).unwrap().log().unwrap();
    let mut frames = Vec::new();
    while log.stats().bytes < FIRST_SEGMENT_BYTES + 5000 {
        frames.push(append_change(&mut log, u32::try_from(frames.len()).unwrap()));
    }
    log.seal();
    drop(log);
    assert!(is_sealed(place.path(), 1) && !is_sealed(place.path(), 2));
    (place, frames)
}

#[test]
fn a_run_is_found_among_others_in_a_folder() {
    let place = tempfile::tempdir().unwrap();
    one_run_is_found_among_others(Folder::open(place.path()).unwrap().log().unwrap(), Journal::seal);
}

#[test]
fn a_sealed_segment_is_smaller_and_holds_the_same() {
    let (place, frames) = sealed_folder();
    let size = fs::metadata(segment(place.path(), 1)).unwrap().len();
    assert!(size * 2 < FIRST_SEGMENT_BYTES, "{size} of {FIRST_SEGMENT_BYTES} bytes are left");
    assert_eq!(read_all(place.path()).unwrap(), frames);
    let mut log = Folder::open(place.path()).unwrap().log().unwrap();
    assert_eq!(log.head().last, frames.last().unwrap().last());
    append(&mut log, 10);
}

#[test]
fn full_segments_are_sealed_while_appends_go_on() {
    let place = tempfile::tempdir().unwrap();
    let mut log = Folder::open(place.path()).unwrap().log().unwrap();
    let mut frames = Vec::new();
    while !is_sealed(place.path(), 1) {
        frames.push(append_change(&mut log, u32::try_from(frames.len()).unwrap()));
        assert!(log.stats().bytes < 64 * FIRST_SEGMENT_BYTES, "it is sealed some time");
    }
    assert_eq!(read_all(place.path()).unwrap(), frames);
    let stats = log.stats();
    assert_eq!(stats.appends, stats.syncs, "no append pays for it");
}

#[test]
fn many_short_handles_do_not_leave_everything_unsealed() {
    let place = tempfile::tempdir().unwrap();
    for _ in 0..8 {
        let mut log = Folder::open(place.path()).unwrap().log().unwrap();
        (0..3).for_each(|_| drop(append(&mut log, 200_000)));
    }
    assert!(is_sealed(place.path(), 1));
    assert_eq!(read_all(place.path()).unwrap().len(), 24);
}

#[test]
fn whatever_a_kill_leaves_of_sealing_is_one_form_or_the_other() {
    let place = tempfile::tempdir().unwrap();
    let mut log = Folder::open(place.path()).unwrap().log().unwrap();
    let mut frames = Vec::new();
    while log.stats().bytes < FIRST_SEGMENT_BYTES + 5000 {
        frames.push(append_change(&mut log, u32::try_from(frames.len()).unwrap()));
    }
    // Before it is renamed: half of a pack lies beside the segment.
    let before = tempfile::tempdir().unwrap();
    copy_folder(place.path(), before.path());
    log.seal();
    let pack = fs::read(segment(place.path(), 1)).unwrap();
    fs::write(before.path().join("journal/tmp-1-sealing-1"), &pack[..pack.len() / 2]).unwrap();
    // After it: nobody has said so yet.
    let after = tempfile::tempdir().unwrap();
    copy_folder(place.path(), after.path());
    for left in [before.path(), after.path()] {
        assert_eq!(read_all(left).unwrap(), frames);
        let mut log = Folder::open(left).unwrap().log().unwrap();
        log.seal();
        append_change(&mut log, 0);
        drop(log);
        assert!(is_sealed(left, 1));
        assert_eq!(read_all(left).unwrap()[..frames.len()], frames);
        assert!(!left.join("journal/tmp-1-sealing-1").exists());
    }
}

#[test]
fn a_damaged_segment_is_not_sealed() {
    let place = tempfile::tempdir().unwrap();
    let folder = Folder::open(place.path()).unwrap();
    let mut log = folder.log().unwrap();
    (0..2).for_each(|_| drop(append(&mut log, 100_000)));
    with_flipped(&segment(place.path(), 1), 50_000, 2, || {
        append(&mut log, 100_000);
        log.seal();
        assert!(!is_sealed(place.path(), 1));
        let refused = log.read(Lsn(1), &mut |_| true).unwrap_err();
        assert!(names_a_place(&refused), "{refused}");
    });
    log.seal();
    assert!(is_sealed(place.path(), 1));
}

#[test]
fn no_flipped_bit_in_a_sealed_segment_goes_unnoticed() {
    let (place, frames) = sealed_folder();
    let file = segment(place.path(), 1);
    let size = fs::metadata(&file).unwrap().len();
    let run = Subject::Run(RunId::new(1_700_000_000_000, 3));
    let mine: Vec<_> = frames.iter().skip(3).step_by(5).cloned().collect();
    let read_mine = || -> Result<Vec<Frame>, OpenError> {
        let mut seen = Vec::new();
        open_read_only(place.path())?.journal.read_of(&run, Lsn(1)..=Lsn(u64::MAX), &mut |frame| {
            seen.push(frame);
            true
        })?;
        Ok(seen)
    };
    assert_eq!(read_mine().unwrap(), mine);
    let mut named = 0;
    for offset in (0..size).filter(|offset| *offset < 400 || offset % 97 == 0 || size - offset < 400) {
        with_flipped(&file, offset, u8::try_from(offset % 8).unwrap(), || {
            let verified = Folder::open(place.path()).unwrap().log().and_then(|log| log.verify_segment(1));
            let Err(OpenError::Damaged { path, what, .. }) = &verified else { panic!("byte {offset}: {verified:?}") };
            assert!(path.ends_with("0000000001.segment"), "{path}");
            named += u32::from(what.contains(" of the runs "));
            match read_all(place.path()) {
                Ok(read) => assert_eq!(read, frames, "byte {offset}"),
                Err(error) => assert!(names_a_place(&error), "byte {offset}: {error}"),
            }
            match read_mine() {
                Ok(read) => assert_eq!(read, mine, "byte {offset}"),
                Err(error) => assert!(names_a_place(&error), "byte {offset}: {error}"),
            }
        });
    }
    assert!(named > 100, "the runs that are concerned are named: {named}");
}

#[test]
fn a_log_that_ends_behind_a_sealed_segment_is_damaged() {
    let (place, _) = sealed_folder();
    // HEAD is that of before the second segment, as after a kill; then the second one is emptied.
    let killed = tempfile::tempdir().unwrap();
    copy_folder(place.path(), killed.path());
    let mut second = fs::read(segment(killed.path(), 2)).unwrap();
    second[40..].fill(0);
    fs::write(segment(killed.path(), 2), second).unwrap();
    assert!(names_a_place(&Folder::open(killed.path()).unwrap().log().unwrap_err()));
}
