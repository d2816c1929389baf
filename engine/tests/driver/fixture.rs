//! A data folder that version 1 of the format wrote, opened for ever: sealed and dropped segments, bases, a manifest, an
//! image and a blob.
//!
//! The folder is kept as one compressed file. It is made anew only when the format changes before it was released:
//! `UPDATE_EXPECT=1 cargo test --workspace --all-features --test driver fixture`.

#![expect(clippy::unwrap_used, reason = "a test whose own preparations fail should stop right there")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Once;

use lockstep_engine::host::ReadOnly;
use lockstep_engine::id::Lsn;
use lockstep_engine::store::journal::segment::SEALED_MAGIC;
use lockstep_engine::store::{Blobs, Folder, Frames};
use serde_json::Value as Json;

use crate::folder::{Engine, told};

/// Names and bytes of all files; `told` is what the folder has to tell.
type Archive = BTreeMap<String, Vec<u8>>;

const TOLD: &str = "told";
const BLOB: &[u8] = b"a large value, in a manner of speaking";

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/driver/folder-v1.lz4")
}

/// Lays the folder out; gives what it has to tell.
fn lay_out(place: &Path) -> Vec<String> {
    static MADE: Once = Once::new();
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        MADE.call_once(regenerate);
    }
    let bytes = lz4_flex::block::decompress_size_prepended(&fs::read(file()).unwrap()).unwrap();
    let mut archive: Archive = rmp_serde::from_slice(&bytes).unwrap();
    let told = archive.remove(TOLD).unwrap();
    for folder in ["journal", "state", "bases", "blobs", "logs", "spool"] {
        fs::create_dir_all(place.join(folder)).unwrap();
    }
    for (name, bytes) in archive {
        fs::create_dir_all(place.join(&name).parent().unwrap()).unwrap();
        fs::write(place.join(name), bytes).unwrap();
    }
    serde_json::from_slice(&told).unwrap()
}

fn interrupted(told: &[String]) -> Vec<String> {
    told.iter().map(|told| told.replace("\"interrupted\":false", "\"interrupted\":true")).collect()
}

/// All that is expected is told. What later programs tell beside it is new and no loss.
fn tells(told: &[String], expected: &[String]) {
    let parse = |told: &[String]| -> Vec<Json> {
        interrupted(told).iter().map(|told| serde_json::from_str(told).unwrap()).collect()
    };
    let (told, expected) = (parse(told), parse(expected));
    assert_eq!(told.len(), expected.len());
    for (told, expected) in told.iter().zip(&expected) {
        assert!(holds(told, expected) || tells_what_is_left(told, expected), "{told}\ndoes not tell\n{expected}");
    }
}

/// The program that wrote the folder told nothing of a run whose history had been dropped; later ones tell that, and how
/// it ended.
fn tells_what_is_left(told: &Json, expected: &Json) -> bool {
    let dropped = expected["refused"]["message"].as_str().is_some_and(|why| why.contains("is not kept any more"));
    let shown = told["run"]["gone"]["why"] == "retention" && told["run"]["ended"].is_string();
    let listed = told["history"][0]["what"] == "removed" && told["history"][0]["detail"]["why"] == "retention";
    let nothing = expected["history"].as_array().is_some_and(Vec::is_empty);
    dropped && (shown || listed) || nothing && listed
}

fn holds(told: &Json, expected: &Json) -> bool {
    match (told, expected) {
        (Json::Object(told), Json::Object(expected)) => {
            expected.iter().all(|(name, expected)| told.get(name).is_some_and(|told| holds(told, expected)))
        }
        (Json::Array(told), Json::Array(expected)) => {
            told.len() == expected.len() && told.iter().zip(expected).all(|(told, expected)| holds(told, expected))
        }
        (told, expected) => told == expected,
    }
}

#[test]
fn a_folder_of_version_1_is_read_for_ever() {
    let place = tempfile::tempdir().unwrap();
    let expected = lay_out(place.path());
    assert!(fs::read(place.path().join("journal/0000000002.segment")).unwrap().starts_with(&SEALED_MAGIC));
    let looked = ReadOnly::open(place.path()).unwrap();
    tells(&told(|request| looked.call(&request)), &expected);
    let log = Folder::open(place.path()).unwrap().log().unwrap();
    assert!(log.dropped().unwrap().len() == 1 && log.oldest() > Lsn(1) && log.segments().unwrap()[0].sealed);
    for segment in log.segments().unwrap() {
        log.verify_segment(segment.number).unwrap();
    }
    drop(log);
    assert_eq!(fs::read_dir(place.path().join("bases")).unwrap().count(), 2);
    let blobs = Folder::open(place.path()).unwrap().blobs();
    assert_eq!(blobs.get(blake3::hash(BLOB).to_hex().as_str()).as_deref(), Some(BLOB));
    let mut engine = Engine::open(place.path()).unwrap();
    tells(&told(|request| engine.ask(request)), &expected);
}

#[test]
fn a_folder_of_version_1_is_read_without_its_image() {
    let place = tempfile::tempdir().unwrap();
    let expected = lay_out(place.path());
    fs::remove_dir_all(place.path().join("state")).unwrap();
    let mut engine = Engine::open(place.path()).unwrap();
    tells(&told(|request| engine.ask(request)), &expected);
}

/// Writes the file that the tests read.
fn regenerate() {
    let place = tempfile::tempdir().unwrap();
    Folder::open(place.path()).unwrap().blobs().put(BLOB).unwrap();
    let mut engine = Engine::open(place.path()).unwrap();
    let mut forget = Lsn(0);
    for number in 0..75 {
        engine.start_noting(number, if number % 10 == 0 { "1000h" } else { "1s" }, &"note ".repeat(4_000));
        engine.pass(2_000);
        if number == 20 {
            forget = engine.driver.last();
        }
    }
    let mut driver = engine.driver;
    driver.forget_before(forget).unwrap();
    driver.make_base();
    drop(driver.close([]));
    drop(driver);
    Folder::open(place.path()).unwrap().log().unwrap().seal();
    let mut engine = Engine::open(place.path()).unwrap();
    engine.start_noting(80, "1s", "after the first base");
    engine.pass(2_000);
    engine.driver.make_base();
    engine.start_noting(81, "1s", "after the second base");
    engine.pass(8_000);
    engine.driver.close([]);
    drop(engine);

    let mut archive = Archive::new();
    collect(place.path(), place.path(), &mut archive);
    let mut engine = Engine::open(place.path()).unwrap();
    archive.insert(TOLD.to_owned(), serde_json::to_vec(&told(|request| engine.ask(request))).unwrap());
    let bytes = lz4_flex::block::compress_prepend_size(&rmp_serde::to_vec(&archive).unwrap());
    fs::write(file(), bytes).unwrap();
}

/// All files but those that say nothing: the lock, and spare segments.
fn collect(root: &Path, folder: &Path, archive: &mut Archive) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            collect(root, &path, archive);
            continue;
        }
        let bytes = fs::read(&path).unwrap();
        let spare = path.extension().is_some_and(|it| it == "segment") && bytes[40..].iter().all(|byte| *byte == 0);
        if !spare && entry.file_name() != "LOCK" {
            archive.insert(path.strip_prefix(root).unwrap().display().to_string(), bytes);
        }
    }
}
