//! Durable steps of many runs at a time, as a share of what the disk alone lets through.
//!
//! `cargo bench --bench runs` has `lockstep bench runs` measure both in one process and prints their ratio: the same
//! frames, appended and synced by a loop that does nothing else, are the floor.

use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

fn main() {
    let folder = TempDir::new_in(".").expect("a folder on the disk of this checkout");
    let mut bench = Command::new(env!("CARGO_BIN_EXE_lockstep"));
    bench.args(["bench", "runs", "--json", "--data"]).arg(folder.path()).stderr(Stdio::inherit());
    let output = bench.output().expect("the program starts");
    assert!(output.status.success(), "{bench:?} ends with {}", output.status);
    let text = String::from_utf8(output.stdout).expect("JSON is UTF-8");
    for line in text.lines() {
        let report: Value = serde_json::from_str(line).expect("each line is an object");
        let number = |key: &str| report[key].as_f64().unwrap_or(f64::NAN);
        let (steps, floor) = (number("steps_per_second"), number("floor_per_second"));
        println!("{}", report["case"].as_str().unwrap_or_default());
        println!("  steps a second            {steps:10.0}   {:.4} of the floor", steps / floor);
        println!("  processor time a step     {:10.1} \u{b5}s", number("cpu_us_per_step"));
        println!("  syncs a step              {:10.4}", number("syncs_per_step"));
    }
}
