//! Changes of a checkpoint, cut into parts that sled takes well.

use crate::store::EntryChange;

/// Changes that are put at once: what sled makes of a batch it lets go of only when the batch is done, several times the
/// bytes of all the pages that it changes. A checkpoint of no more than this is all there or not at all.
pub const CHANGES_AT_ONCE: usize = 2_048;

/// Some changes.
#[derive(Debug)]
pub enum Part {
    /// More follow.
    More(Vec<EntryChange>),
    /// The last ones, or none.
    Last(Vec<EntryChange>),
}

/// All changes, in parts, of which the last says so.
pub fn parts<I: Iterator<Item = EntryChange>>(changes: I) -> impl Iterator<Item = Part> {
    let mut left = Some(changes.peekable());
    std::iter::from_fn(move || {
        let changes = left.as_mut()?;
        let part = changes.by_ref().take(CHANGES_AT_ONCE).collect();
        Some(if changes.peek().is_some() {
            Part::More(part)
        } else {
            left = None;
            Part::Last(part)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_part_is_the_last() {
        let told = |count: usize| -> Vec<(usize, bool)> {
            let changes = std::iter::repeat_n((Vec::new(), None), count);
            let each = |part| match part {
                Part::More(part) => (part.len(), false),
                Part::Last(part) => (part.len(), true),
            };
            parts(changes).map(each).collect()
        };
        let full = CHANGES_AT_ONCE;
        assert_eq!(told(0), [(0, true)]);
        assert_eq!(told(full), [(full, true)]);
        assert_eq!(told(full + 1), [(full, false), (1, true)]);
    }
}
