//! Steps of one run, one after another: a sync each, and what the rest adds to it.

use super::Bench;
use super::engine::{Engine, between, sequence};
use super::figures::{Report, Unit, median, number};
use super::floor::Floor;
use super::meter::{Meter, micros};
use crate::ending::Failure;
use crate::runtime;

/// Measures it.
pub fn measure(bench: &Bench) -> Result<Vec<Report>, Failure> {
    let (pairs, steps) = (bench.size(21, 5), bench.size(500, 100));
    let count = u32::try_from(steps).unwrap_or(u32::MAX);
    let data = bench.data("steps")?;
    let mut floor = Floor::new(&bench.folder)?;
    let graph = sequence(steps);
    runtime::result(async move {
        let engine = Engine::open(&data, 1).await?;
        // Warm: the program is compiled, the segments have their size.
        engine.run(&graph, 0, 1).await?;
        let (mut times, mut floors, mut ratios, mut processor) = (vec![], vec![], vec![], vec![]);
        let before = engine.journal().await;
        for _ in 0..pairs {
            let began = engine.journal().await;
            let meter = Meter::start();
            engine.run(&graph, 0, 1).await?;
            let used = meter.used();
            let done = between(began, engine.journal().await);
            let bytes = usize::try_from(done.bytes / done.appends.max(1)).unwrap_or(1);
            let append = micros(floor.appends(count, bytes)?);
            let step = micros(used.time) / f64::from(count);
            times.push(step);
            floors.push(append);
            ratios.push(append / step);
            processor.push(micros(used.processor) / f64::from(count));
        }
        let done = between(before, engine.journal().await);
        engine.close().await?;
        let all = number((pairs * steps) as u64);
        // Beside its steps a run has one more frame: the one with which it begins.
        let syncs = (number(done.syncs) - number(pairs as u64)) / all;
        Ok(vec![
            Report::new("steps", format!("one run of {steps} steps in sequence, {pairs} interleaved pairs"))
                .with("a step", "step_us", median(&mut times), Unit::Microseconds)
                .with("floor: append and fdatasync", "floor_us", median(&mut floors), Unit::Microseconds)
                .with("floor / step", "floor_ratio", median(&mut ratios), Unit::Ratio)
                .with("syncs a step", "syncs_per_step", syncs, Unit::Count)
                .with("bytes a step", "bytes_per_step", number(done.bytes) / all, Unit::Bytes)
                .with("processor time a step", "cpu_us_per_step", median(&mut processor), Unit::Microseconds),
        ])
    })
}
