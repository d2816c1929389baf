//! `did you mean`.

use crate::limits;

/// A name with more slips is another name.
const MOST_SLIPS: usize = 4;

/// The candidate that the name was probably meant to be.
pub fn suggest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if name.len() > limits::SUGGESTION_BYTES {
        return None;
    }
    let name = name.to_lowercase();
    let letters: Vec<char> = name.chars().collect();
    // One slip in a short name, one more for every four letters.
    let allowed = (1 + letters.len() / 4).min(MOST_SLIPS);
    candidates
        .into_iter()
        .filter(|candidate| candidate.len() <= limits::SUGGESTION_BYTES)
        .take(limits::SUGGESTIONS)
        .filter_map(|candidate| {
            let other: Vec<char> = candidate.to_lowercase().chars().collect();
            // A name of one or two letters is near to everything.
            let allowed = allowed.min(letters.len().saturating_sub(1));
            distance(&letters, &other, allowed).map(|distance| (distance, candidate))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// The least number of slips that make one name of another (a letter left out, put in, taken for another, or two that
/// changed places), if it is at most `most`. Only what lies so near to the diagonal is looked at.
fn distance<T: PartialEq>(from: &[T], to: &[T], most: usize) -> Option<usize> {
    if from.len().abs_diff(to.len()) > most {
        return None;
    }
    let far = most + 1;
    // The last three rows of the table; `row[j]` is the distance of what is read of `from` to the first `j` of `to`.
    let mut before = vec![far; to.len() + 1];
    let mut above: Vec<usize> = (0..=to.len()).map(|at| at.min(far)).collect();
    let mut row = vec![far; to.len() + 1];
    for i in 1..=from.len() {
        row.fill(far);
        row[0] = i.min(far);
        for j in i.saturating_sub(most).max(1)..=(i + most).min(to.len()) {
            let taken = above[j - 1] + usize::from(from[i - 1] != to[j - 1]);
            let mut slips = taken.min(above[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && slips > before[j - 2] + 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1] {
                slips = before[j - 2] + 1;
            }
            row[j] = slips.min(far);
        }
        if row.iter().chain(&above).all(|slips| *slips > most) {
            return None;
        }
        std::mem::swap(&mut before, &mut above);
        std::mem::swap(&mut above, &mut row);
    }
    Some(above[to.len()]).filter(|slips| *slips <= most)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use proptest::prelude::*;

    use super::{MOST_SLIPS, distance, suggest};
    use crate::limits::SUGGESTION_BYTES;

    thread_local! {
        static LOOKS: Cell<usize> = const { Cell::new(0) };
    }

    /// A letter that counts how often it is looked at.
    struct Counted(char);

    impl PartialEq for Counted {
        fn eq(&self, other: &Self) -> bool {
            LOOKS.set(LOOKS.get() + 1);
            self.0 == other.0
        }
    }

    #[test]
    fn long_names_that_are_nearly_alike_cost_little() {
        let name = |letters: &str| letters.chars().cycle().take(SUGGESTION_BYTES).map(Counted).collect::<Vec<_>>();
        for (from, to) in [("x", "x"), ("x", "xxy"), ("xy", "yx"), ("abcd", "abdc"), ("x", "y")] {
            LOOKS.set(0);
            let _ = distance(&name(from), &name(to), MOST_SLIPS);
            // Each place may be looked at as it is and, twice, for two letters that changed places.
            let most = 3 * SUGGESTION_BYTES * (2 * MOST_SLIPS + 1);
            assert!(LOOKS.get() <= most, "{} looks for {from} and {to}", LOOKS.get());
        }
    }

    proptest! {
        #[test]
        fn the_distance_is_that_of_the_whole_table(from in "[ab-]{0,9}", to in "[ab-]{0,9}", most in 0..6usize) {
            let letters = |text: &str| text.chars().collect::<Vec<_>>();
            let whole = strsim::osa_distance(&from, &to);
            prop_assert_eq!(distance(&letters(&from), &letters(&to), most), (whole <= most).then_some(whole));
        }
    }

    #[test]
    fn slips_are_recognised_and_other_words_are_not() {
        let names = ["build", "deploy", "timeout", "when"];
        assert_eq!(suggest("biuld", names), Some("build"));
        assert_eq!(suggest("Deploy", names), Some("deploy"));
        assert_eq!(suggest("time_out", names), Some("timeout"));
        assert_eq!(suggest("wehn", names), Some("when"));
        assert_eq!(suggest("x", names), None);
        assert_eq!(suggest("restart", names), None);
        assert_eq!(suggest("", names), None);
    }
}
