//! What this process has used: time, processor, memory.

use std::fs;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// Time and processor time from one moment to another.
#[derive(Debug)]
pub struct Meter {
    begun: Instant,
    processor: Duration,
}

/// What was used meanwhile.
#[derive(Clone, Copy, Debug)]
pub struct Used {
    /// On the clock.
    pub time: Duration,
    /// Of all processors together, user and system.
    pub processor: Duration,
}

impl Meter {
    /// From now on.
    pub fn start() -> Self {
        Self { begun: Instant::now(), processor: processor() }
    }

    /// Until now.
    pub fn used(&self) -> Used {
        Used { time: self.begun.elapsed(), processor: processor().saturating_sub(self.processor) }
    }
}

/// Processor time of all threads of this process so far.
pub fn processor() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Bytes of memory that this process has at the moment.
pub fn memory() -> u64 {
    const PAGE_BYTES: u64 = 4096;
    let sizes = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    sizes.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * PAGE_BYTES
}

/// The most memory that this process has had so far, in bytes.
pub fn most_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or(0) * 1024
}

/// Microseconds.
pub fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
