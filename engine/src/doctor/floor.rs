//! What a durable write costs on a disk: the floor under every step that acts.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};
use serde::Serialize;

/// Bytes of one write: what the frame of a small step takes.
const BLOCK_BYTES: usize = 512;
/// Writes that are measured.
const WRITES: usize = 33;

/// The cost of a write and an `fdatasync` into zeros that are there already, as the journal makes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Floor {
    /// How many were measured.
    pub writes: usize,
    /// The median, in microseconds.
    pub median_us: u64,
    /// The slowest, in microseconds.
    pub slowest_us: u64,
}

impl Floor {
    /// Measures in a file without a name in this folder: nothing is left behind, whatever happens.
    pub fn measure(folder: &Path) -> io::Result<Self> {
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::open(folder, flags, Mode::RUSR | Mode::WUSR)?);
        file.write_all_at(&vec![0; BLOCK_BYTES * WRITES], 0)?;
        file.sync_all()?;
        let mut times = Vec::with_capacity(WRITES);
        for offset in (0..).step_by(BLOCK_BYTES).take(WRITES) {
            let begun = Instant::now();
            file.write_all_at(&[1; BLOCK_BYTES], offset)?;
            file.sync_data()?;
            times.push(begun.elapsed());
        }
        times.sort_unstable();
        let us = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        Ok(Self { writes: WRITES, median_us: us(times[WRITES / 2]), slowest_us: us(times[WRITES - 1]) })
    }
}
