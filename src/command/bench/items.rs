//! A `foreach` over many items: its last items beside its first ones, and the memory that they take.

use super::Bench;
use super::engine::{Engine, MARK, Mark, runbook};
use super::figures::{Report, Unit, median, number};
use super::meter::micros;
use crate::ending::Failure;
use crate::runtime;

/// Items that are measured together.
const PART: u32 = 1_000;
/// Parts at each end whose middle one counts: a checkpoint, every five seconds, falls into one of them.
const END: usize = 10;
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
    let items = bench.size(100_000, 10_000);
    let data = bench.data("items")?;
    let graph = runbook(&text(items));
    runtime::result(async move {
        let engine = Engine::open(&data, 1).await?;
        engine.run(&runbook(WARM), 0, 1).await?;
        engine.take_marks(0);
        engine.start(&graph, 0).await?;
        engine.idle().await;
        let marks = engine.take_marks(0);
        engine.close().await?;
        let parts = parts(&marks, PART);
        let end = END.min(parts.len());
        let (early, late) = (median(&mut parts[..end].to_vec()), median(&mut parts[parts.len() - end..].to_vec()));
        let memory = |place: usize| number(marks[place].memory) / 1_048_576.0;
        // By then everything that an item needs has been there.
        let (before, after) = (memory(marks.len() / 10), memory(marks.len() - 1));
        Ok(vec![
            Report::new("items", format!("a foreach over {items} items"))
                .with("processor time of an item, 1,000 at first", "early_cpu_us_per_item", early, Unit::Microseconds)
                .with("processor time of an item, 1,000 at last", "late_cpu_us_per_item", late, Unit::Microseconds)
                .with("last / first", "late_ratio", late / early, Unit::Ratio)
                .with("memory after a tenth of them", "early_memory_mib", before, Unit::Mebibytes)
                .with("memory after all of them", "late_memory_mib", after, Unit::Mebibytes)
                .with("all / a tenth", "memory_ratio", after / before, Unit::Ratio),
        ])
    })
}

/// Processor time of each of so many last steps, in microseconds.
pub fn parts(marks: &[Mark], steps: u32) -> Vec<f64> {
    let each = (steps / MARK) as usize;
    let times: Vec<_> = marks.iter().step_by(each).map(|mark| mark.processor).collect();
    times.windows(2).map(|pair| micros(pair[1].saturating_sub(pair[0])) / number(steps.into())).collect()
}

fn text(items: usize) -> String {
    format!(
        "runbook: bench/items\nparams:\n  lane: int\nsteps:\n  - foreach:\n      in: 0..{items}\n      concurrency: 64\n      \
         results: none\n      do:\n        - exec: [last, '${{{{ params.lane }}}}']\n          when: item >= 0\n          \
         effect: once\n"
    )
}
