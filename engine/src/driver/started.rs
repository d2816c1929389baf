//! Which runs exist, answered from memory where the question is about a recent one.

use std::collections::BTreeSet;

use crate::id::RunId;
use crate::limits::MAX_RECENT_RUNS;

/// The ids above a floor that were ever created. What is below is the image's to know, which is a question to another
/// thread: asked at every start, it would cost more than the start.
#[derive(Debug, Default)]
pub(super) struct Started {
    /// Every id above this one that was created is in `recent`.
    floor: Option<RunId>,
    recent: BTreeSet<RunId>,
}

impl Started {
    /// Of a store in which no id is above this one.
    pub const fn from(floor: Option<RunId>) -> Self {
        Self { floor, recent: BTreeSet::new() }
    }

    /// A run was created. Noting it twice changes nothing.
    pub fn note(&mut self, id: RunId) {
        if Some(id) <= self.floor {
            return;
        }
        self.recent.insert(id);
        if self.recent.len() > MAX_RECENT_RUNS {
            self.floor = self.recent.pop_first().max(self.floor);
        }
    }

    /// Whether the run exists; `None` where that is not known here.
    pub fn knows(&self, id: RunId) -> Option<bool> {
        (Some(id) > self.floor).then(|| self.recent.contains(&id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u32) -> RunId {
        RunId::new(1_700_000_000_000, number)
    }

    #[test]
    fn what_is_old_is_not_known_and_what_is_new_is() {
        let mut started = Started::from(Some(id(5)));
        assert_eq!((started.knows(id(5)), started.knows(id(6))), (None, Some(false)));
        started.note(id(7));
        started.note(id(3));
        assert_eq!((started.knows(id(7)), started.knows(id(6)), started.knows(id(3))), (Some(true), Some(false), None));
        let more = u32::try_from(MAX_RECENT_RUNS).unwrap();
        (8..8 + more).for_each(|number| started.note(id(number)));
        assert_eq!((started.knows(id(7)), started.knows(id(8))), (None, Some(true)));
    }
}
