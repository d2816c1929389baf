//! A long run: its last steps beside its first ones, since nothing may grow with a history.

use super::Bench;
use super::engine::{Engine, runbook};
use super::figures::{Report, Unit, median, number};
use super::items::parts;
use crate::ending::Failure;
use crate::runtime;

/// Steps that are measured together.
const PART: u32 = 1_000;
/// Parts at each end whose middle one counts: a checkpoint, every five seconds, falls into one of them.
const END: usize = 9;

/// Measures it.
pub fn measure(bench: &Bench) -> Result<Vec<Report>, Failure> {
    let steps = bench.size(100_000, 10_000);
    let data = bench.data("long")?;
    let graph = runbook(&rounds(steps));
    runtime::result(async move {
        let engine = Engine::open(&data, 1).await?;
        engine.start(&graph, 0).await?;
        engine.idle().await;
        let marks = engine.take_marks(0);
        engine.close().await?;
        let parts: Vec<_> = parts(&marks, PART / ROUND).iter().map(|part| part / number(ROUND.into())).collect();
        let end = END.min(parts.len() - 1);
        let (first, last) = (&parts[1..=end], &parts[parts.len() - end..]);
        let (early, late) = (median(&mut first.to_vec()), median(&mut last.to_vec()));
        Ok(vec![
            Report::new("long", format!("one run of {steps} steps"))
                .with("processor time, 1,000 steps at first", "early_cpu_us_per_step", early, Unit::Microseconds)
                .with("processor time, 1,000 steps at last", "late_cpu_us_per_step", late, Unit::Microseconds)
                .with("last / first", "late_ratio", late / early, Unit::Ratio),
        ])
    })
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
