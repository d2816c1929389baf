//! What a run of one step costs beside what it cannot do without: starting the program, and starting `true`.
//!
//! `cargo bench --bench start` prints medians of interleaved pairs, their ratio, and the disk's own sync time.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Interleaved pairs; an odd number has a median.
const PAIRS: usize = 101;

const RUNBOOK: &str = "runbook: bench/one-step\nsteps:\n  - exec: ['true']\n";

fn main() {
    let folder = TempDir::new_in(".").expect("a folder on the disk of this checkout");
    let runbook = folder.path().join("one-step.yaml");
    std::fs::write(&runbook, RUNBOOK).expect("a runbook");
    let program = env!("CARGO_BIN_EXE_lockstep");
    let data = folder.path().join("data");

    let mut fresh = Vec::new();
    let mut used = Vec::new();
    let mut floor = Vec::new();
    let mut syncs = Vec::new();
    for pair in 0..PAIRS {
        let fresh_data = folder.path().join(format!("data-{pair}"));
        floor.push(timed(Command::new(program).arg("--version")) + timed(&mut Command::new("true")));
        fresh.push(timed(Command::new(program).args(["run", "--data"]).arg(&fresh_data).arg(&runbook)));
        used.push(timed(Command::new(program).args(["run", "--data"]).arg(&data).arg(&runbook)));
        syncs.push(sync_time(folder.path()));
    }

    let (fresh, used, floor, sync) = (median(&mut fresh), median(&mut used), median(&mut floor), median(&mut syncs));
    println!("medians of {PAIRS} interleaved pairs");
    println!("  lockstep --version, and true       {}", milliseconds(floor));
    println!("  one step, a folder in use          {}   {:.2} times that", milliseconds(used), ratio(used, floor));
    println!("  one step, a new folder             {}   {:.2} times that", milliseconds(fresh), ratio(fresh, floor));
    println!("  append of 4 KiB and fdatasync      {}", milliseconds(sync));
}

fn timed(command: &mut Command) -> Duration {
    let began = Instant::now();
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    let took = began.elapsed();
    assert!(status.is_ok_and(|status| status.success()), "{command:?} succeeds");
    took
}

/// How long the disk takes for an append and its `fdatasync`, in a file that has its size already.
fn sync_time(folder: &Path) -> Duration {
    let path = folder.join("sync");
    let mut file = File::create(&path).expect("a file");
    file.write_all(&vec![0; 64 * 1024]).and_then(|()| file.sync_all()).expect("a file of zeros");
    let mut file = File::options().write(true).open(&path).expect("the file again");
    let began = Instant::now();
    file.write_all(&[1; 4096]).and_then(|()| file.sync_data()).expect("a durable write");
    began.elapsed()
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn ratio(one: Duration, other: Duration) -> f64 {
    one.as_secs_f64() / other.as_secs_f64()
}

fn milliseconds(time: Duration) -> String {
    format!("{:7.2} ms", time.as_secs_f64() * 1000.0)
}
