//! Opening a folder that holds many open runs.

use super::Bench;
use super::engine::{Engine, runbook};
use super::figures::{Report, Unit};
use super::meter::{Meter, micros};
use super::waiting::{RUNBOOK, start_all};
use crate::ending::Failure;
use crate::runtime;
use std::fs;

/// Measures it.
pub fn measure(bench: &Bench) -> Result<Vec<Report>, Failure> {
    let runs = bench.size(100_000, 10_000);
    let data = bench.data("reopen")?;
    let graph = runbook(RUNBOOK);
    runtime::result(async move {
        let engine = Engine::open(&data, 0).await?;
        start_all(&engine, &graph, runs).await?;
        engine.close().await?;
        let with = opening(&data).await?;
        let state = data.join("state");
        fs::remove_dir_all(&state).map_err(Failure::system(format!("cannot remove `{}`", state.display())))?;
        let without = opening(&data).await?;
        Ok(vec![
            Report::new("reopen", format!("a folder with {runs} open runs"))
                .with("with its checkpoint", "open_ms", with.time, Unit::Milliseconds)
                .with("  processor time", "open_cpu_ms", with.processor, Unit::Milliseconds)
                .with("with the checkpoint deleted", "open_without_checkpoint_ms", without.time, Unit::Milliseconds)
                .with("  processor time", "open_without_checkpoint_cpu_ms", without.processor, Unit::Milliseconds)
                .with("without / with", "without_ratio", without.time / with.time, Unit::Ratio),
        ])
    })
}

/// What opening takes, in milliseconds.
struct Opening {
    time: f64,
    processor: f64,
}

async fn opening(data: &std::path::Path) -> Result<Opening, Failure> {
    let meter = Meter::start();
    let engine = Engine::open(data, 0).await?;
    let used = meter.used();
    engine.close().await?;
    Ok(Opening { time: micros(used.time) / 1e3, processor: micros(used.processor) / 1e3 })
}
