//! What the end of something long costs beside its beginning.

use super::engine::Mark;
use super::figures::{median, number};
use super::meter::micros;

/// Steps or items that are measured together.
pub const PART: u32 = 1_000;

/// Medians over several runs, in microseconds of processor time a step.
#[derive(Debug, Default)]
pub struct Ends {
    early: Vec<f64>,
    late: Vec<f64>,
    ratios: Vec<f64>,
}

impl Ends {
    /// Takes in a run. `early` is the part of its beginning that counts, from 0; its end is its last part. Between two
    /// marks are so many steps, of which [`PART`] is a multiple.
    pub fn note(&mut self, marks: &[Mark], early: usize, steps_a_mark: u32) {
        let parts = parts(marks, (PART / steps_a_mark) as usize);
        let (early, late) = (parts[early], parts[parts.len() - 1]);
        self.early.push(early);
        self.late.push(late);
        self.ratios.push(late / early);
    }

    /// At the beginning.
    pub fn early(&mut self) -> f64 {
        median(&mut self.early)
    }

    /// At the end.
    pub fn late(&mut self) -> f64 {
        median(&mut self.late)
    }

    /// The end of a run by its beginning.
    pub fn ratio(&mut self) -> f64 {
        median(&mut self.ratios)
    }
}

/// Processor time of a step in each part, in microseconds.
fn parts(marks: &[Mark], marks_a_part: usize) -> Vec<f64> {
    let times: Vec<_> = marks.iter().step_by(marks_a_part).map(|mark| mark.processor).collect();
    times.windows(2).map(|pair| micros(pair[1].saturating_sub(pair[0])) / number(PART.into())).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::command::bench::engine::MARK;

    #[test]
    fn the_second_thousand_steps_stand_beside_the_last() {
        // Ten steps a last step, so a mark every thousand: they take 9, 1, 2 and 3 ms.
        let marks = [0, 9, 10, 12, 15].map(|ms| Mark { processor: Duration::from_millis(ms), memory: 0 });
        let mut ends = Ends::default();
        ends.note(&marks, 1, 10 * MARK);
        assert_eq!((ends.early(), ends.late(), ends.ratio()), (1.0, 3.0, 3.0));
    }
}
