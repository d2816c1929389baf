//! Memory of runs that wait.

use std::sync::Arc;

use lockstep_dsl::graph::Graph;

use super::Bench;
use super::engine::{Engine, runbook};
use super::figures::{Report, Unit, number};
use super::meter::{Meter, memory, micros, most_memory};
use crate::ending::Failure;
use crate::runtime;

/// A run that waits for a day, having done something before.
pub const RUNBOOK: &str = "\
runbook: bench/waiting
params:
  lane: int
steps:
  - set: { place: 'lane ${{ params.lane }}' }
  - id: nap
    wait: 1d
  - exec: [nothing, '${{ vars.place }}']
";

/// Starts that are asked for at a time.
const AT_A_TIME: usize = 512;

/// Measures it.
pub fn measure(bench: &Bench) -> Result<Vec<Report>, Failure> {
    let runs = bench.size(1_000_000, 20_000);
    let data = bench.data("waiting")?;
    let graph = runbook(RUNBOOK);
    runtime::result(async move {
        let engine = Engine::open(&data, 0).await?;
        start_all(&engine, &graph, AT_A_TIME).await?;
        let before = memory();
        let meter = Meter::start();
        start_all(&engine, &graph, runs).await?;
        let used = meter.used();
        let after = memory();
        engine.close().await?;
        let most = most_memory();
        let meter = Meter::start();
        let engine = Engine::open(&data, 0).await?;
        let opening = meter.used();
        let opened = memory();
        engine.close().await?;
        let bytes = number(after.saturating_sub(before));
        let count = number(runs as u64);
        Ok(vec![
            Report::new("waiting", format!("{runs} runs that wait"))
                .with("memory of the process", "memory_mib", mebibytes(after), Unit::Mebibytes)
                .with("memory a run", "bytes_per_run", bytes / count, Unit::Bytes)
                .with("processor time to start one", "start_cpu_us", micros(used.processor) / count, Unit::Microseconds)
                .with("most memory until the folder is closed", "most_memory_mib", mebibytes(most), Unit::Mebibytes)
                .with("opening the folder again", "open_ms", micros(opening.time) / 1e3, Unit::Milliseconds)
                .with("memory of the process then", "opened_memory_mib", mebibytes(opened), Unit::Mebibytes),
        ])
    })
}

fn mebibytes(bytes: u64) -> f64 {
    number(bytes) / 1_048_576.0
}

/// Starts so many runs, some at a time.
pub async fn start_all(engine: &Engine, graph: &Arc<Graph>, runs: usize) -> Result<(), Failure> {
    let mut left = runs;
    while left > 0 {
        let some = left.min(AT_A_TIME);
        engine.start_many(graph, some).await?;
        left -= some;
    }
    Ok(())
}
