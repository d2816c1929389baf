//! Large values, each in a file named by the BLAKE3 hash of its bytes.
//!
//! A blob is durable before the frame that names it. What a file holds is checked whenever it is read, so a damaged blob
//! is a missing one, never a wrong value.

use std::fs::{self, File};
use std::io;
use std::path::PathBuf;

use super::{AppendError, Blobs, files};
use crate::fault::{self, Point};

const HASH_CHARS: usize = 64;

/// Blobs in a folder.
#[derive(Debug)]
pub struct FileBlobs {
    folder: PathBuf,
}

impl FileBlobs {
    /// The blobs in a folder. Many may read at once; only the holder of the lock may put.
    pub(crate) const fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    fn try_put(&self, hash: &str, bytes: &[u8]) -> io::Result<()> {
        if self.get(hash).is_some() {
            // The process that wrote it may have ended before it was durable.
            fault::at(Point::BlobSync, || File::open(self.folder.join(hash))?.sync_all())?;
            return files::sync_folder(&self.folder);
        }
        fault::at(Point::BlobPut, || files::put_file(&self.folder, hash, bytes))
    }
}

impl Blobs for FileBlobs {
    fn put(&mut self, bytes: &[u8]) -> Result<String, AppendError> {
        let hash = blake3::hash(bytes).to_hex().to_string();
        match self.try_put(&hash, bytes) {
            Ok(()) => Ok(hash),
            Err(error) if files::is_no_space(&error) => Err(AppendError::NoSpace(error.to_string())),
            Err(error) => Err(AppendError::Failed(format!("cannot write the blob `{hash}`: {error}"))),
        }
    }

    fn get(&self, hash: &str) -> Option<Vec<u8>> {
        // Only a hash is ever made part of a path.
        let bytes = if is_hash(hash) { fs::read(self.folder.join(hash)).ok()? } else { return None };
        (blake3::hash(&bytes).to_hex().as_str() == hash).then_some(bytes)
    }
}

/// Whether a name is that of a blob.
pub(crate) fn is_hash(name: &str) -> bool {
    name.len() == HASH_CHARS && name.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_blob_is_missing_and_can_be_put_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut blobs = FileBlobs::new(folder.path().to_owned());
        let hash = blobs.put(b"large").unwrap();
        assert_eq!(blobs.get(&hash).as_deref(), Some(&b"large"[..]));
        fs::write(folder.path().join(&hash), b"lorge").unwrap();
        assert_eq!(blobs.get(&hash), None);
        assert_eq!(blobs.put(b"large").unwrap(), hash);
        assert_eq!(blobs.get(&hash).as_deref(), Some(&b"large"[..]));
    }

    #[test]
    fn a_name_that_is_no_hash_reads_no_file() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("secret"), b"x").unwrap();
        let blobs = FileBlobs::new(folder.path().join("blobs"));
        for name in ["../secret", "", "secret", &"A".repeat(64), &format!("../{}", "a".repeat(61))] {
            assert_eq!(blobs.get(name), None);
        }
    }
}
