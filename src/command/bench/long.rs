//! A long run: its last steps beside its first ones, since nothing may grow with a history.

use super::Bench;
use super::ends::Ends;
use super::engine::{Engine, MARK, runbook};
use super::figures::{Report, Unit};
use crate::ending::Failure;
use crate::runtime;

/// The part of the beginning that counts: the steps 1,000 to 2,000. Before them a program warms up.
const EARLY: usize = 1;

/// Measures it.
pub fn measure(bench: &Bench) -> Result<Vec<Report>, Failure> {
    let (steps, runs) = (bench.size(100_000, 10_000), bench.size(3, 1));
    let graph = runbook(&rounds(steps));
    let mut ends = Ends::default();
    for _ in 0..runs {
        let data = bench.data("long")?;
        let marks = runtime::result(async {
            let engine = Engine::open(&data, 1).await?;
            let marks = engine.marked(&graph).await?;
            engine.close().await?;
            Ok(marks)
        })?;
        ends.note(&marks, EARLY, ROUND * MARK);
    }
    Ok(vec![
        Report::new("long", format!("one run of {steps} steps, {runs} times"))
            .with("processor time, steps 1,000 to 2,000", "early_cpu_us_per_step", ends.early(), Unit::Microseconds)
            .with("processor time, the last 1,000 steps", "late_cpu_us_per_step", ends.late(), Unit::Microseconds)
            .with("last / first", "late_ratio", ends.ratio(), Unit::Ratio),
    ])
}

/// Steps of one round.
const ROUND: u32 = 10;

/// A block of ten steps that is repeated until it has come to so many.
fn rounds(steps: usize) -> String {
    let step = |what| {
        format!(
            "      - exec: [{what}, '${{{{ params.lane }}}}']\n        when: params.lane >= 0\n        effect: idempotent\n"
        )
    };
    let inside = step("next").repeat(ROUND as usize - 1) + step("last").as_str();
    format!(
        "runbook: bench/long\nparams:\n  lane: int\nsteps:\n  - set: {{ done: 0 }}\n  - until: vars.done >= {steps}\n    \
         every: 1ms\n    do:\n{inside}      - set: {{ done: '${{{{ vars.done + {ROUND} }}}}' }}\n"
    )
}
