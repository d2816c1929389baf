//! A disk that is full: a small tmpfs of its own.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::embedded::{append, frame_after, read_all};
use crate::store::{AppendError, Blobs, Folder, Image, ShardLog};

/// A mounted file system of a few MiB; mounting takes root.
struct SmallDisk(TempDir);

impl SmallDisk {
    fn new(bytes: u64) -> Self {
        let place = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={bytes},mode=0700"), "lockstep-test"])
            .arg(place.path())
            .output()
            .expect("this test needs the program `mount`");
        let why = String::from_utf8_lossy(&mounted.stderr);
        assert!(mounted.status.success(), "this test must be able to mount a tmpfs, so run it as root: {why}");
        Self(place)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("-l").arg(self.path()).status();
        assert!(unmounted.is_ok_and(|status| status.success()), "the tmpfs can be unmounted");
    }
}

#[test]
fn a_full_disk_refuses_a_frame_and_takes_it_when_there_is_room() {
    let disk = SmallDisk::new(2 * 1024 * 1024);
    let path = disk.path().join("data");
    let filler = disk.path().join("filler");
    let folder = Folder::open(&path).unwrap();
    let mut log = folder.log().unwrap();
    fs::write(&filler, vec![1; 1024 * 1024]).unwrap();

    let mut frames = Vec::new();
    let refused = loop {
        let frame = frame_after(log.head().last, 5000);
        match log.append(log.head().last, &frame) {
            Ok(()) => frames.push(frame),
            Err(refused) => break refused,
        }
        assert!(frames.len() < 1000, "the disk fills up");
    };
    assert!(matches!(refused, AppendError::NoSpace(_)), "{refused}");
    let again = log.append(log.head().last, &frame_after(log.head().last, 5000));
    assert!(matches!(again, Err(AppendError::NoSpace(_))), "and again: {again:?}");
    // A small frame still fits into what is left of the segment.
    frames.push(append(&mut log, 10));
    assert_eq!(read_all(&path).unwrap(), frames);

    fs::remove_file(&filler).unwrap();
    frames.push(append(&mut log, 5000));
    drop(log);
    drop(folder.log().unwrap());
    assert_eq!(read_all(&path).unwrap(), frames);
}

#[test]
fn on_a_full_disk_a_checkpoint_and_a_blob_fail_and_the_log_goes_on() {
    let disk = SmallDisk::new(1024 * 1024);
    let path = disk.path().join("data");
    let folder = Folder::open(&path).unwrap();
    let mut log = folder.log().unwrap();
    fs::write(disk.path().join("filler"), vec![1; 700 * 1024]).unwrap();

    let large = vec![7; 200_000];
    let refused = folder.blobs().put(&large);
    assert!(matches!(refused, Err(AppendError::NoSpace(_))), "{refused:?}");
    assert_eq!(fs::read_dir(folder.layout().blobs()).unwrap().count(), 0, "no half blob is left");
    let mut entries = (0..100_u8).map(|key| (vec![key], Some(vec![key; 9000])));
    let mut image = folder.image();
    image.checkpoint(log.head().last, &mut entries).unwrap_err();
    append(&mut log, 1000);
    append(&mut log, 1000);
    drop(image);
    drop(log);
    assert_eq!(read_all(&path).unwrap().len(), 2);
    assert_eq!(folder.log().unwrap().head().last.0, 2);
}

#[test]
fn a_folder_that_does_not_fit_can_be_opened_once_it_does() {
    let disk = SmallDisk::new(1024 * 1024);
    let path = disk.path().join("data");
    let filler = disk.path().join("filler");
    fs::write(&filler, vec![1; 900 * 1024]).unwrap();
    let refused = Folder::open(&path).and_then(|folder| folder.log());
    assert!(refused.unwrap_err().to_string().contains("No space left"));
    fs::remove_file(&filler).unwrap();
    append(&mut Folder::open(&path).unwrap().log().unwrap(), 10);
    assert_eq!(read_all(&path).unwrap().len(), 1);
}
