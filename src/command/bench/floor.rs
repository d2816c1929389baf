//! What the disk alone costs: appends with `fdatasync`.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::ending::Failure;

/// A file that has its size already, so that a sync writes data and nothing else.
#[derive(Debug)]
pub struct Floor {
    file: File,
    offset: u64,
}

const FILE_BYTES: usize = 16 * 1024 * 1024;

impl Floor {
    /// Makes the file in a folder.
    pub fn new(folder: &Path) -> Result<Self, Failure> {
        let path = folder.join("floor");
        let fail = Failure::system(format!("cannot write `{}`", path.display()));
        let make = || {
            let mut file = File::create(&path)?;
            file.write_all(&vec![0; FILE_BYTES])?;
            file.sync_all()?;
            Ok(file)
        };
        make().map_err(fail).map(|file| Self { file, offset: 0 })
    }

    /// The mean time of so many appends of so many bytes, each synced.
    pub fn appends(&mut self, count: u32, bytes: usize) -> Result<Duration, Failure> {
        let block = vec![1; bytes];
        let begun = Instant::now();
        for _ in 0..count {
            if self.offset + block.len() as u64 > FILE_BYTES as u64 {
                self.offset = 0;
            }
            let appended = self.file.write_all_at(&block, self.offset).and_then(|()| self.file.sync_data());
            appended.map_err(Failure::system("cannot write to the disk"))?;
            self.offset += block.len() as u64;
        }
        Ok(begun.elapsed() / count.max(1))
    }
}
