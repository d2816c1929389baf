//! Starting: the program alone, and a run of one command.

use std::env;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use super::Bench;
use super::figures::{Report, Unit, median};
use super::floor::Floor;
use super::meter::micros;
use crate::ending::Failure;

const RUNBOOK: &str = "runbook: bench/one-step\nsteps:\n  - exec: ['true']\n";

/// Measures it.
pub fn measure(bench: &Bench) -> Result<Vec<Report>, Failure> {
    let pairs = bench.size(101, 11);
    let program = env::current_exe().map_err(Failure::system("cannot find this program"))?;
    let data = bench.data("start")?;
    let runbook = bench.folder.join("one-step.yaml");
    fs::write(&runbook, RUNBOOK).map_err(Failure::system(format!("cannot write `{}`", runbook.display())))?;
    let mut floor = Floor::new(&bench.folder)?;
    let (mut version, mut run, mut syncs) = (vec![], vec![], vec![]);
    for _ in 0..pairs {
        version.push(milliseconds(Command::new(&program).arg("--version"))?);
        run.push(one_step(&program, &data, &runbook)?);
        syncs.push(micros(floor.appends(1, 4096)?));
    }
    let (version, run) = (median(&mut version), median(&mut run));
    Ok(vec![
        Report::new("start", format!("{pairs} interleaved pairs"))
            .with("lockstep --version", "version_ms", version, Unit::Milliseconds)
            .with("lockstep run of one exec: ['true']", "run_ms", run, Unit::Milliseconds)
            .with("run / version", "run_ratio", run / version, Unit::Ratio)
            .with("floor: append of 4 KiB and fdatasync", "floor_us", median(&mut syncs), Unit::Microseconds),
    ])
}

fn one_step(program: &Path, data: &Path, runbook: &Path) -> Result<f64, Failure> {
    milliseconds(Command::new(program).arg("run").arg("--data").arg(data).arg(runbook))
}

fn milliseconds(command: &mut Command) -> Result<f64, Failure> {
    let begun = Instant::now();
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    let took = micros(begun.elapsed()) / 1e3;
    let status = status.map_err(Failure::system("cannot start this program again"))?;
    if status.success() {
        Ok(took)
    } else {
        Err(Failure::System { doing: format!("{command:?} fails"), source: std::io::Error::other(status.to_string()) })
    }
}
