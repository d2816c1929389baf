//! Runs of ten steps, several at a time: what they share a sync for.

use super::Bench;
use super::engine::{Engine, between, sequence};
use super::figures::{Report, Unit, median, number};
use super::floor::Floor;
use super::meter::{Meter, micros};
use crate::ending::Failure;
use crate::runtime;

/// Steps of a run.
const STEPS: usize = 10;

/// Runs at a time.
const IN_FLIGHT: [usize; 3] = [1, 64, 1_000];

/// Measures it.
pub fn measure(bench: &Bench) -> Result<Vec<Report>, Failure> {
    IN_FLIGHT.into_iter().map(|lanes| in_flight(bench, lanes)).collect()
}

fn in_flight(bench: &Bench, lanes: usize) -> Result<Report, Failure> {
    let rounds = bench.size(7, 3);
    let runs = match lanes {
        1 => bench.size(50, 10),
        64 => bench.size(20, 3),
        _ => bench.size(20, 2),
    };
    let data = bench.data("runs")?;
    let mut floor = Floor::new(&bench.folder)?;
    let graph = sequence(STEPS);
    runtime::result(async move {
        let engine = Engine::open(&data, lanes).await?;
        engine.run_lanes(&graph, lanes, 1).await?;
        engine.idle().await;
        let steps = number((lanes * runs * STEPS) as u64);
        let (mut rates, mut processor, mut floors) = (vec![], vec![], vec![]);
        let before = engine.journal().await;
        for _ in 0..rounds {
            let began = engine.journal().await;
            let meter = Meter::start();
            engine.run_lanes(&graph, lanes, runs).await?;
            engine.idle().await;
            let used = meter.used();
            let done = between(began, engine.journal().await);
            rates.push(steps / used.time.as_secs_f64());
            processor.push(micros(used.processor) / steps);
            let bytes = usize::try_from(done.bytes / done.appends.max(1)).unwrap_or(1);
            let append = floor.appends(50, bytes)?;
            // What the disk alone would let through: the same frames, and nothing between them.
            floors.push(steps / (append.as_secs_f64() * number(done.appends)));
        }
        let done = between(before, engine.journal().await);
        let all = steps * number(rounds as u64);
        engine.close().await?;
        Ok(Report::new("runs", format!("{lanes} at a time, {STEPS} steps each, {rounds} rounds of {}", lanes * runs))
            .with("steps", "steps_per_second", median(&mut rates), Unit::PerSecond)
            .with("floor: the same frames, nothing else", "floor_per_second", median(&mut floors), Unit::PerSecond)
            .with("processor time a step", "cpu_us_per_step", median(&mut processor), Unit::Microseconds)
            .with("syncs a step", "syncs_per_step", number(done.syncs) / all, Unit::Count)
            .with("bytes a step", "bytes_per_step", number(done.bytes) / all, Unit::Bytes))
    })
}
