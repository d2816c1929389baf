//! A long run: its last steps beside its first ones, since nothing may grow with a history.

use super::Bench;
use super::engine::{Engine, runbook};
use super::figures::{Report, Unit, number};
use super::meter::{Meter, micros};
use crate::ending::Failure;
use crate::runtime;

/// Steps that are measured together.
const PART: usize = 1_000;

/// Measures it.
pub fn measure(bench: &Bench) -> Result<Vec<Report>, Failure> {
    let steps = bench.size(100_000, 10_000);
    let data = bench.data("long")?;
    let graph = runbook(&rounds(steps));
    runtime::result(async move {
        let engine = Engine::open(&data, 1).await?;
        engine.start(&graph, 0).await?;
        let mut parts = Vec::new();
        for _ in 0..steps / PART {
            let meter = Meter::start();
            engine.steps_done(0, PART / ROUND).await;
            parts.push(micros(meter.used().processor) / number(PART as u64));
        }
        engine.idle().await;
        engine.close().await?;
        let (early, late) = (parts[1], parts[parts.len() - 1]);
        Ok(vec![
            Report::new("long", format!("one run of {steps} steps"))
                .with("processor time, steps 1,000 to 2,000", "early_cpu_us_per_step", early, Unit::Microseconds)
                .with("processor time, the last 1,000", "late_cpu_us_per_step", late, Unit::Microseconds)
                .with("last / first", "late_ratio", late / early, Unit::Ratio),
        ])
    })
}

/// Steps of one round.
const ROUND: usize = 10;

/// A block of ten steps that is repeated until it has come to so many.
fn rounds(steps: usize) -> String {
    let step = |what| {
        format!(
            "      - exec: [{what}, '${{{{ params.lane }}}}']\n        when: params.lane >= 0\n        effect: idempotent\n"
        )
    };
    let inside = step("next").repeat(ROUND - 1) + step("last").as_str();
    format!(
        "runbook: bench/long\nparams:\n  lane: int\nsteps:\n  - set: {{ done: 0 }}\n  - until: vars.done >= {steps}\n    \
         every: 1ms\n    do:\n{inside}      - set: {{ done: '${{{{ vars.done + {ROUND} }}}}' }}\n"
    )
}
