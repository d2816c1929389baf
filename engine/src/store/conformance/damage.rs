//! What a changed byte, a cut-off file or a torn write does to a folder: nothing, or an error that names the place;
//! never a silent loss of what is known to be acknowledged, and never a panic.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use tempfile::TempDir;

use super::embedded::{append, copy_folder, frame_after, read_all};
use crate::id::{Epoch, Lsn};
use crate::store::journal::frame;
use crate::store::{Folder, Frame, Frames, Image, OpenError, ShardLog};

/// A folder of 12 small frames, written by three handles; the last one was closed.
fn closed_folder() -> (TempDir, Vec<Frame>) {
    let place = tempfile::tempdir().unwrap();
    let mut frames = Vec::new();
    for _ in 0..3 {
        let mut log = Folder::open(place.path()).unwrap().log().unwrap();
        frames.extend((0..4).map(|len| append(&mut log, len * 20)));
    }
    (place, frames)
}

/// The same, but the last process was killed: HEAD knows the first 8 frames only.
fn killed_folder() -> (TempDir, Vec<Frame>) {
    let (place, mut frames) = closed_folder();
    let mut log = Folder::open(place.path()).unwrap().log().unwrap();
    frames.extend((0..4).map(|len| append(&mut log, len * 20)));
    let copy = tempfile::tempdir().unwrap();
    copy_folder(place.path(), copy.path());
    (copy, frames)
}

fn segment(place: &Path) -> PathBuf {
    place.join("journal/0000000001.segment")
}

/// Where the frames end.
fn used(place: &Path) -> usize {
    let bytes = fs::read(segment(place)).unwrap();
    bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1
}

/// Changes one bit, asks, and changes it back.
pub(super) fn with_flipped<R>(file: &Path, offset: u64, bit: u8, ask: impl FnOnce() -> R) -> R {
    let open = OpenOptions::new().read(true).write(true).open(file).unwrap();
    let mut byte = [0];
    open.read_exact_at(&mut byte, offset).unwrap();
    open.write_all_at(&[byte[0] ^ (1 << bit)], offset).unwrap();
    let answer = ask();
    open.write_all_at(&byte, offset).unwrap();
    answer
}

pub(super) fn names_a_place(error: &OpenError) -> bool {
    matches!(error, OpenError::Damaged { .. } | OpenError::Newer { .. })
}

#[test]
fn no_flipped_bit_loses_anything_in_a_closed_folder() {
    let (place, frames) = closed_folder();
    let end = used(place.path()) as u64;
    let files = [(segment(place.path()), end + 200), (place.path().join("journal/HEAD"), 4096 + 200)];
    let mut damaged = 0;
    for (file, end) in files {
        for offset in 0..end {
            match with_flipped(&file, offset, u8::try_from(offset % 8).unwrap(), || read_all(place.path())) {
                Ok(read) => assert_eq!(read, frames, "byte {offset} of {}", file.display()),
                Err(error) => {
                    assert!(names_a_place(&error), "byte {offset}: {error}");
                    damaged += 1;
                }
            }
        }
    }
    assert!(damaged > 1000, "bytes of frames are protected: {damaged} flips were seen");
    assert_eq!(read_all(place.path()).unwrap(), frames);
}

#[test]
fn a_flipped_bit_after_a_kill_costs_at_most_the_last_frame() {
    let (place, frames) = killed_folder();
    let last = frame::encoded_len(frames.last().unwrap()) as u64;
    let end = used(place.path()) as u64;
    for offset in 0..end {
        match with_flipped(&segment(place.path()), offset, 3, || read_all(place.path())) {
            Ok(read) if offset + last < end => assert_eq!(read, frames, "byte {offset} of {end}"),
            // The last frame may have been torn before it was acknowledged: nothing on the disk tells the difference.
            Ok(read) => assert!(read == frames || read == frames[..frames.len() - 1], "byte {offset} of {end}"),
            Err(error) => assert!(names_a_place(&error), "byte {offset}: {error}"),
        }
    }
}

#[test]
fn a_file_that_is_cut_or_gone_is_damage() {
    let (place, _) = closed_folder();
    for file in [segment(place.path()), place.path().join("journal/HEAD")] {
        let bytes = fs::read(&file).unwrap();
        for keep in [0, 1, 39, 40, 100, used(place.path()), bytes.len() - 1].map(|keep| keep.min(bytes.len() - 1)) {
            fs::write(&file, &bytes[..keep]).unwrap();
            match read_all(place.path()) {
                // Of HEAD, the first slot is enough.
                Ok(read) => assert!(keep >= 100 && file.ends_with("HEAD") && read.len() == 12),
                Err(error) => assert!(names_a_place(&error), "{error}"),
            }
        }
        fs::remove_file(&file).unwrap();
        assert!(names_a_place(&read_all(place.path()).unwrap_err()));
        assert!(names_a_place(&Folder::open(place.path()).unwrap().log().unwrap_err()));
        fs::write(&file, &bytes).unwrap();
    }
}

#[test]
fn damage_stops_the_opening_and_changes_nothing() {
    let (place, frames) = closed_folder();
    let middle = (used(place.path()) / 2) as u64;
    with_flipped(&segment(place.path()), middle, 0, || {
        let before = fs::read(segment(place.path())).unwrap();
        let refused = Folder::open(place.path()).unwrap().log().unwrap_err();
        let OpenError::Damaged { path, offset, .. } = &refused else { panic!("{refused}") };
        assert!(path.ends_with("0000000001.segment") && *offset <= middle && middle - offset < 300, "{refused}");
        assert_eq!(fs::read(segment(place.path())).unwrap(), before);
    });
    assert_eq!(read_all(place.path()).unwrap(), frames);
}

#[test]
fn an_older_copy_of_the_segments_is_noticed() {
    let (place, _) = closed_folder();
    let old = fs::read(segment(place.path())).unwrap();
    append(&mut Folder::open(place.path()).unwrap().log().unwrap(), 10);
    fs::write(segment(place.path()), old).unwrap();
    assert!(names_a_place(&Folder::open(place.path()).unwrap().log().unwrap_err()));
}

#[test]
fn a_whole_frame_of_another_journal_is_noticed() {
    let (place, frames) = closed_folder();
    let (other, _) = closed_folder();
    // The other journal parts from this one at frame 11: as long, but with another record.
    let lens: Vec<u64> = frames.iter().map(|frame| frame::encoded_len(frame) as u64).collect();
    let ten: u64 = 40 + lens[..10].iter().sum::<u64>();
    let mut foreign = Vec::new();
    let mut prev = {
        let bytes = fs::read(segment(other.path())).unwrap();
        let ninth = usize::try_from(ten - lens[9]).unwrap();
        let frame::Parsed::Whole(raw) = frame::parse(&bytes[ninth..]) else { panic!("a whole frame") };
        raw.hash
    };
    for mut frame in frames[10..].iter().cloned() {
        frame.records[0].fill(99);
        let mut bytes = Vec::new();
        prev = frame::encode(&frame, Epoch(3), prev, &mut bytes);
        foreign.push(bytes);
    }
    let whole = fs::read(segment(place.path())).unwrap();
    let file = OpenOptions::new().write(true).open(segment(place.path())).unwrap();
    // One of its frames in the middle, its last one, and both: then only HEAD knows better.
    for put in [[true, false], [false, true], [true, true]] {
        for (bytes, offset) in
            foreign.iter().zip([ten, ten + lens[10]]).zip(put).filter_map(|(it, put)| put.then_some(it))
        {
            file.write_all_at(bytes, offset).unwrap();
        }
        assert!(names_a_place(&read_all(place.path()).unwrap_err()), "{put:?}");
        file.write_all_at(&whole, 0).unwrap();
    }
    assert_eq!(read_all(place.path()).unwrap(), frames);
}

/// The bytes of the frame that would come next.
fn next_frame(frames: &[Frame]) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Its chain is not right, but a torn frame is refused for its hash before that.
    frame::encode(&frame_after(frames.last().unwrap().last(), 9000), Epoch(9), [1; 16], &mut bytes);
    bytes
}

proptest! {
    // Nothing is kept of failures: it is also played with bugs planted, and has to fail then.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(40) })]

    /// A write is torn where sectors end, in any order.
    #[test]
    fn a_torn_frame_is_dropped_and_written_over(sectors in prop::collection::vec(any::<bool>(), 18), len in 0..300_usize) {
        prop_assume!(sectors.contains(&false));
        let (place, mut frames) = killed_folder();
        let offset = used(place.path()).next_multiple_of(8);
        let file = OpenOptions::new().write(true).open(segment(place.path())).unwrap();
        let torn = next_frame(&frames);
        for (number, (_, bytes)) in sectors.iter().zip(torn.chunks(512)).enumerate().filter(|(_, (here, _))| **here) {
            file.write_all_at(bytes, (offset + number * 512) as u64).unwrap();
        }
        let mut log = Folder::open(place.path()).unwrap().log().unwrap();
        prop_assert_eq!(log.head().last, frames.last().unwrap().last());
        frames.push(append(&mut log, len));
        drop(log);
        prop_assert_eq!(used(place.path()).next_multiple_of(8), offset + frame::encoded_len(frames.last().unwrap()));
        prop_assert_eq!(read_all(place.path()).unwrap(), frames);
    }

    #[test]
    fn any_changed_bytes_are_survived(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        killed: bool,
    ) {
        let (place, frames) = if killed { killed_folder() } else { closed_folder() };
        let mut bytes = fs::read(segment(place.path())).unwrap();
        let end = used(place.path());
        for (offset, byte) in changes {
            bytes[offset.index(end + 500)] = byte;
        }
        fs::write(segment(place.path()), &bytes).unwrap();
        match Folder::open(place.path()).unwrap().log() {
            Ok(log) => {
                let lost = frames.len() as u64 - log.head().last.0;
                prop_assert!(lost == 0 || killed && lost <= 4, "{} frames are gone", lost);
                let mut read = Vec::new();
                log.read(Lsn(0), &mut |frame| { read.push(frame); true }).unwrap();
                prop_assert_eq!(&read[..], &frames[..read.len()]);
            }
            Err(error) => prop_assert!(names_a_place(&error), "{}", error),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// sled may err, panic or say nothing; the image says what was written, or that there is none.
    #[test]
    fn a_damaged_checkpoint_is_none(offset: prop::sample::Index, bit in 0..8_u8) {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::open(place.path()).unwrap();
        let mut entries = (0..50_u8).map(|key| (vec![key], Some(vec![key; 100])));
        let mut image = folder.image();
        image.checkpoint(Lsn(7), &mut entries).unwrap();
        let written = image.load();
        prop_assert!(written.is_some());
        drop(image);
        let file = folder.layout().state().join("db");
        let used = fs::read(&file).unwrap().iter().rposition(|byte| *byte != 0).unwrap() + 1;
        let loaded = with_flipped(&file, offset.index(used) as u64, bit, || folder.image().load());
        prop_assert!(loaded.is_none() || loaded == written);
        let mut image = folder.image();
        image.checkpoint(Lsn(8), &mut std::iter::empty()).unwrap();
        prop_assert_eq!(image.load().unwrap().lsn, Lsn(8));
    }
}

#[cfg(feature = "proof")]
#[test]
fn mistakes_about_damage_are_caught() {
    use crate::fault::Bug;
    assert!(
        crate::fault::is_caught(Bug::HeadIgnored, an_older_copy_of_the_segments_is_noticed),
        "{:?}",
        Bug::HeadIgnored
    );
    assert!(
        crate::fault::is_caught(Bug::TornFrameAccepted, a_torn_frame_is_dropped_and_written_over),
        "{:?}",
        Bug::TornFrameAccepted
    );
}
