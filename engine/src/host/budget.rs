//! Holds the folder to its storage budget: where the journal's next segment would not fit, new runs wait until room was made
//! for it, and are refused where none can be.
//!
//! Everything else goes on as ever: what came of runs that are there, a cancel, an approval, whoever looks. The journal
//! takes room a segment at a time, so nothing is held back while what it writes fits into the one that it has.

use crate::api::{Refusal, RefusalKind};
use crate::driver::{Backing, Driver};
use crate::limits::{LEAST_BUDGET, SOFT_FRAME_BYTES, START_PATIENCE_MS};
use crate::store::Growth;

/// Whether new runs are started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// They are.
    Open,
    /// They wait: room is being made.
    Wait,
    /// Those that wait are told why they are not.
    Refuse(Refusal),
}

/// What the folder takes, and may.
#[derive(Debug)]
pub(super) struct Budget {
    /// Bytes that are not gone beyond; `None` for no limit.
    limit: Option<u64>,
    /// What was found when the folder was last looked at.
    found: Option<Found>,
    /// Engine time since when new runs wait.
    since: Option<u64>,
    /// Nothing is left that could be removed.
    is_stuck: bool,
}

#[derive(Clone, Copy, Debug)]
struct Found {
    /// Bytes of all files.
    bytes: u64,
    /// What the journal had begun by then.
    begun: u64,
}

impl Budget {
    /// Of this many bytes, if there is a limit. The journal's own segments take [`LEAST_BUDGET`], whatever is said.
    pub fn new(max: Option<u64>) -> Self {
        Self { limit: max.map(|max| max.max(LEAST_BUDGET)), found: None, since: None, is_stuck: false }
    }

    /// Whether new runs wait.
    pub const fn is_short(&self) -> bool {
        self.since.is_some()
    }

    /// Whether nothing is left that could be removed.
    pub const fn is_stuck(&self) -> bool {
        self.is_stuck
    }

    /// Takes in what the folder took when the journal had begun so many bytes of segments.
    pub const fn take_in(&mut self, bytes: u64, begun: u64) {
        self.found = Some(Found { bytes, begun });
        self.is_stuck = false;
    }

    /// Takes in that nothing can be removed.
    pub const fn give_up(&mut self) {
        self.is_stuck = true;
    }

    /// Bytes that a folder which takes so many is over what leaves room for the next step.
    pub fn over(&self, bytes: u64, reserve: u64) -> u64 {
        self.limit.map_or(0, |limit| (bytes + reserve).saturating_sub(limit))
    }

    /// Says whether new runs are started now.
    pub fn admit<B: Backing>(&mut self, driver: &Driver<B>) -> Admission {
        let now = driver.now().time;
        if !self.is_used_up(driver.growth(), reserve(driver)) {
            self.since = None;
            return Admission::Open;
        }
        let since = *self.since.get_or_insert_with(|| {
            tracing::info!("new runs wait: the storage budget is used up, and room is made first");
            // What could be removed may be another matter by now.
            self.is_stuck = false;
            now
        });
        let overdue = now.saturating_sub(since) >= START_PATIENCE_MS;
        if overdue {
            // Whoever comes now waits as long again.
            self.since = Some(now);
        }
        match self.limit {
            Some(limit) if overdue || self.is_stuck => Admission::Refuse(self.refusal(limit)),
            Some(_) | None => Admission::Wait,
        }
    }

    /// Whether what is about to be written may need a segment for which there is no room. Before the folder was looked at
    /// nothing is known, and that takes less time than a segment.
    fn is_used_up(&self, growth: Growth, reserve: u64) -> bool {
        let Some(Found { bytes, begun }) = self.found else { return false };
        let since = growth.begun.saturating_sub(begun);
        growth.left < SOFT_FRAME_BYTES as u64 && self.over(bytes + since, reserve) > 0
    }

    fn refusal(&self, limit: u64) -> Refusal {
        let taken = self.found.map_or(0, |found| found.bytes);
        let why = if self.is_stuck { "nothing is left that could be removed" } else { "room is being made" };
        Refusal {
            kind: RefusalKind::Store,
            message: format!(
                "the data folder takes {taken} bytes of the {limit} that it may: the run was not started; {why}"
            ),
            help: vec![
                "raise `storage.max` in its `config.yaml`, or try again later; runs that are open go on meanwhile"
                    .to_owned(),
                "`lockstep runs`, `logs`, `cancel` and `resolve` work as ever".to_owned(),
            ],
        }
    }
}

/// Bytes that may be written before new runs can be held back: the journal's next step, and a base beside those that are
/// kept.
pub(super) fn reserve<B: Backing>(driver: &Driver<B>) -> u64 {
    driver.growth().next + driver.base_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1024 * 1024;

    fn budget(max: u64, bytes: u64) -> Budget {
        let mut budget = Budget::new(Some(max));
        budget.take_in(bytes, 0);
        budget
    }

    fn growth(begun: u64, left: u64) -> Growth {
        Growth { begun: begun * MIB, left: left * MIB, next: 32 * MIB }
    }

    #[test]
    fn what_fits_into_the_segment_at_hand_is_not_held_back() {
        let budget = budget(200 * MIB, 170 * MIB);
        assert!(!budget.is_used_up(growth(0, 12), 32 * MIB), "there is room in it");
        assert!(budget.is_used_up(growth(0, 4), 32 * MIB), "the next one does not fit");
        assert!(!budget.is_used_up(growth(0, 4), 16 * MIB));
    }

    #[test]
    fn what_was_begun_since_the_folder_was_looked_at_counts() {
        let budget = budget(200 * MIB, 160 * MIB);
        assert!(!budget.is_used_up(growth(0, 4), 32 * MIB));
        assert!(budget.is_used_up(growth(16, 4), 32 * MIB));
    }

    #[test]
    fn without_a_limit_and_without_knowledge_nothing_is_held_back() {
        assert!(!Budget::new(None).is_used_up(growth(1 << 20, 0), 32 * MIB));
        assert!(!Budget::new(Some(1)).is_used_up(growth(1 << 20, 0), 32 * MIB));
        let small = budget(1, 60 * MIB);
        assert!(!small.is_used_up(growth(0, 4), 32 * MIB), "the journal itself takes as much");
    }

    #[test]
    fn what_is_refused_says_whether_it_helps_to_wait() {
        let mut budget = budget(200 * MIB, 190 * MIB);
        assert!(budget.refusal(200 * MIB).message.ends_with("room is being made"));
        budget.give_up();
        let refusal = budget.refusal(200 * MIB);
        assert!(refusal.message.ends_with("nothing is left that could be removed"), "{refusal:?}");
        assert!(refusal.help[0].contains("`storage.max`"), "{refusal:?}");
    }
}
