//! A `foreach` over many items: its last items beside its first ones, and the memory that they take.

use super::Bench;
use super::ends::Ends;
use super::engine::{Engine, MARK, runbook};
use super::figures::{Report, Unit, median, number};
use crate::ending::Failure;
use crate::runtime;

/// The part of the beginning that counts: the first 1,000 items.
const EARLY: usize = 0;
/// Ends when the first checkpoint has been made, and with it what sled takes.
const WARM: &str = "\
runbook: bench/warm
params:
  lane: int
steps:
  - wait: 6s
  - exec: [last, '${{ params.lane }}']
";

/// Measures it.
pub fn measure(bench: &Bench) -> Result<Vec<Report>, Failure> {
    let (items, runs) = (bench.size(100_000, 10_000), bench.size(3, 1));
    let graph = runbook(&text(items));
    let mut ends = Ends::default();
    let (mut before, mut after) = (vec![], vec![]);
    for _ in 0..runs {
        let data = bench.data("items")?;
        let marks = runtime::result(async {
            let engine = Engine::open(&data, 1).await?;
            engine.run(&runbook(WARM), 0, 1).await?;
            let marks = engine.marked(&graph).await?;
            engine.close().await?;
            Ok(marks)
        })?;
        ends.note(&marks, EARLY, MARK);
        let memory = |place: usize| number(marks[place].memory) / 1_048_576.0;
        // By then everything has been there that takes memory once: a segment was sealed, a base was made.
        before.push(memory(marks.len() / 2));
        after.push(memory(marks.len() - 1));
    }
    let (before, after) = (median(&mut before), median(&mut after));
    Ok(vec![
        Report::new("items", format!("a foreach over {items} items, {runs} times"))
            .with("processor time, the first 1,000 items", "early_cpu_us_per_item", ends.early(), Unit::Microseconds)
            .with("processor time, the last 1,000 items", "late_cpu_us_per_item", ends.late(), Unit::Microseconds)
            .with("last / first", "late_ratio", ends.ratio(), Unit::Ratio)
            .with("memory after half of them", "half_memory_mib", before, Unit::Mebibytes)
            .with("memory after all of them", "late_memory_mib", after, Unit::Mebibytes)
            .with("all / half", "memory_ratio", after / before, Unit::Ratio),
    ])
}

fn text(items: usize) -> String {
    format!(
        "runbook: bench/items\nparams:\n  lane: int\nsteps:\n  - foreach:\n      in: 0..{items}\n      concurrency: 64\n      \
         results: none\n      do:\n        - exec: [last, '${{{{ params.lane }}}}']\n          when: item >= 0\n          \
         effect: once\n"
    )
}
