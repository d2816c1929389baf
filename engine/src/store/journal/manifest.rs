//! `MANIFEST`: what is known of segments that were dropped, so that a gap at the beginning is one that somebody meant.
//!
//! A small text: a heading, a line a segment, and the hash of all that. It is written anew, whole, before `HEAD` says that
//! the segments are gone; lines of segments that `HEAD` still counts are of a dropping that was cut off.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::frame::{FRAME_HASH_BYTES, Hash};
use super::head::HeadState;
use crate::fault::{self, Point};
use crate::id::Lsn;
use crate::store::OpenError;
use crate::store::files::{self, cannot, damaged};

/// Its name in the journal's folder.
pub const MANIFEST_FILE: &str = "MANIFEST";
/// Its first line.
pub const MANIFEST_HEADING: &str = "lockstep manifest 1";

const CHECK: &str = "check ";

/// A segment that was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// Its number.
    pub segment: u64,
    /// The position of its first record.
    pub first: Lsn,
    /// The position of its last record.
    pub last: Lsn,
    /// The hash of its last frame.
    pub hash: Hash,
    /// How long its file was.
    pub bytes: u64,
}

/// The path of the file.
pub fn path(folder: &Path) -> PathBuf {
    folder.join(MANIFEST_FILE)
}

/// The segments that were dropped, oldest first.
///
/// # Errors
/// The file is not what was written, or does not lead up to where the journal begins.
pub fn read(folder: &Path, head: &HeadState) -> Result<Vec<Dropped>, OpenError> {
    let path = path(folder);
    let text = match fs::read_to_string(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && head.oldest == 1 => return Ok(Vec::new()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(damaged(&path, 0, "the file is missing, but segments were dropped"));
        }
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            return Err(damaged(&path, 0, "the file is no text"));
        }
        text => text.map_err(cannot("cannot read", &path))?,
    };
    let mut dropped = parse(&text).ok_or_else(|| damaged(&path, 0, "the file is not what was written"))?;
    dropped.retain(|dropped| dropped.segment < head.oldest);
    let end =
        dropped.last().map_or((1, Lsn(0), [0; FRAME_HASH_BYTES]), |last| (last.segment + 1, last.last, last.hash));
    if end != (head.oldest, head.base, head.base_hash) {
        return Err(damaged(&path, 0, "the segments that it names do not lead up to where the journal begins"));
    }
    Ok(dropped)
}

/// All that the file says, whether that leads up to the journal or not.
pub fn read_all(folder: &Path) -> io::Result<Vec<Dropped>> {
    parse(&fs::read_to_string(path(folder))?).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// What can be said of segments that were dropped where the file is not there: that they were.
pub fn without_file(head: &HeadState) -> Vec<Dropped> {
    let dropped = Dropped { segment: head.oldest - 1, first: Lsn(1), last: head.base, hash: head.base_hash, bytes: 0 };
    if head.oldest > 1 { vec![dropped] } else { Vec::new() }
}

/// Writes the file anew.
pub fn write(folder: &Path, dropped: &[Dropped]) -> io::Result<()> {
    let text = format(dropped);
    fault::at(Point::ManifestPut, || files::put_file(folder, MANIFEST_FILE, text.as_bytes()))
}

fn format(dropped: &[Dropped]) -> String {
    let mut text = format!("{MANIFEST_HEADING}\n");
    for Dropped { segment, first, last, hash, bytes } in dropped {
        let hash = hash.iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        let _ = writeln!(text, "segment {segment} records {} {} hash {hash} bytes {bytes}", first.0, last.0);
    }
    let check = blake3::hash(text.as_bytes()).to_hex();
    let _ = writeln!(text, "{CHECK}{check}");
    text
}

fn parse(text: &str) -> Option<Vec<Dropped>> {
    let (body, check) = text.strip_suffix('\n')?.rsplit_once('\n')?;
    let body = format!("{body}\n");
    if check.strip_prefix(CHECK)? != blake3::hash(body.as_bytes()).to_hex().as_str() {
        return None;
    }
    let mut lines = body.lines();
    if lines.next()? != MANIFEST_HEADING {
        return None;
    }
    lines.map(parse_line).collect()
}

fn parse_line(line: &str) -> Option<Dropped> {
    let words: Vec<&str> = line.split(' ').collect();
    let ["segment", segment, "records", first, last, "hash", hash, "bytes", bytes] = words[..] else { return None };
    let mut parsed = [0; FRAME_HASH_BYTES];
    for (byte, at) in parsed.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(hash.get(at..at + 2)?, 16).ok()?;
    }
    Some(Dropped {
        segment: segment.parse().ok()?,
        first: Lsn(first.parse().ok()?),
        last: Lsn(last.parse().ok()?),
        hash: parsed,
        bytes: bytes.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_is_read_back_and_no_changed_byte_is_believed() {
        let folder = tempfile::tempdir().unwrap();
        let dropped = [(1, 1, 70, 9), (2, 71, 5000, 200)].map(|(segment, first, last, fill)| Dropped {
            segment,
            first: Lsn(first),
            last: Lsn(last),
            hash: [fill; FRAME_HASH_BYTES],
            bytes: segment * 1000,
        });
        let head = HeadState { oldest: 3, base: Lsn(5000), base_hash: [200; FRAME_HASH_BYTES], ..HeadState::NEW };
        assert!(read(folder.path(), &head).is_err(), "it is missing");
        assert_eq!(read(folder.path(), &HeadState::NEW).unwrap(), []);
        write(folder.path(), &dropped).unwrap();
        assert_eq!(read(folder.path(), &head).unwrap(), dropped);
        // The dropping of the second was cut off.
        let before = HeadState { oldest: 2, base: Lsn(70), base_hash: [9; FRAME_HASH_BYTES], ..HeadState::NEW };
        assert_eq!(read(folder.path(), &before).unwrap(), dropped[..1]);
        let bytes = fs::read(path(folder.path())).unwrap();
        for place in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[place] ^= 1;
            fs::write(path(folder.path()), changed).unwrap();
            assert!(matches!(read(folder.path(), &head), Err(OpenError::Damaged { .. })), "byte {place}");
        }
    }
}
