//! How many steps of a run are in the phases that it is asked about again and again, counted as they change.

use super::slab::Slab;
use super::state::{Phase, Step};

/// How many steps are in some phases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// An attempt runs, or an answer or a decision is awaited.
    pub busy: u32,
    /// They wait for time.
    pub delayed: u32,
    /// They wait for a person who knows what became of them.
    pub doubted: u32,
    /// They wait for somebody outside the run.
    pub awaiting: u32,
    /// They wait for runs that they called.
    pub calling: u32,
    /// They wait for keys that others hold.
    pub locking: u32,
}

impl Tally {
    /// Over all steps.
    pub fn of(steps: &Slab<Step>) -> Self {
        let mut tally = Self::default();
        for step in steps.iter() {
            if let Some(count) = tally.count(&step.phase) {
                *count += 1;
            }
        }
        tally
    }

    /// A step in this phase is let go of.
    pub fn let_go(&mut self, phase: &Phase) {
        if let Some(count) = self.count(phase) {
            *count -= 1;
        }
    }

    /// The step's phase is another one from now on.
    pub fn change(&mut self, before: &Phase, after: &Phase) {
        self.let_go(before);
        if let Some(count) = self.count(after) {
            *count += 1;
        }
    }

    fn count(&mut self, phase: &Phase) -> Option<&mut u32> {
        match phase {
            Phase::Running { .. } | Phase::Asking(_) | Phase::Deciding => Some(&mut self.busy),
            Phase::Delayed { .. } => Some(&mut self.delayed),
            Phase::InDoubt { .. } => Some(&mut self.doubted),
            Phase::Awaiting { .. } => Some(&mut self.awaiting),
            Phase::Calling { .. } => Some(&mut self.calling),
            Phase::Locking { .. } => Some(&mut self.locking),
            Phase::Pending | Phase::Held { .. } | Phase::Inside | Phase::Ended { .. } => None,
        }
    }
}
