//! The room on the data folder's disk: when it grows short, new runs are refused, and what is left is for those that are
//! open: their ends, their logs, a cancel.

use std::path::PathBuf;

use crate::api::{Refusal, RefusalKind};
use crate::limits::Threshold;
use crate::store::Room;

/// Watches the room.
#[derive(Debug)]
pub(super) struct Space {
    folder: PathBuf,
    /// It was short when it was last looked at.
    short: bool,
}

impl Space {
    /// The room where a folder lies.
    pub const fn of(folder: PathBuf) -> Self {
        Self { folder, short: false }
    }

    /// Looks. Where room is short, why no new run is started.
    pub fn shortage(&mut self) -> Option<Refusal> {
        // A system that does not say how much is free is met with the errors of its writes.
        let Room { free, size } = Room::at(&self.folder).ok()?;
        let threshold = Threshold::of(size);
        let wanted = if self.short { threshold.leave } else { threshold.enter };
        let short = free < wanted;
        if short != self.short {
            tracing::warn!(free, wanted, short, "the room on the disk of the data folder");
        }
        self.short = short;
        short.then(|| self.refusal(free, threshold.leave))
    }

    fn refusal(&self, free: u64, wanted: u64) -> Refusal {
        Refusal {
            kind: RefusalKind::Store,
            message: format!(
                "the disk of `{}` is short of space: {free} bytes are free, and new runs are started from {wanted} on",
                self.folder.display()
            ),
            help: vec![
                format!("make room for {} bytes on that disk; runs that are open go on meanwhile", wanted - free),
                "`lockstep runs`, `logs`, `cancel` and `resolve` work as ever".to_owned(),
            ],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_disk_needs_a_part_of_it_and_a_large_one_a_number() {
        let small = Threshold::of(24 << 20);
        assert!(small.enter < 2 << 20 && small.leave > small.enter, "{small:?}");
        assert_eq!(Threshold::of(1 << 40).enter, 64 << 20);
        assert_eq!(Threshold::of(0), Threshold { enter: 0, leave: 0 });
    }

    #[test]
    fn what_is_refused_says_how_much_is_missing() {
        let space = Space::of(PathBuf::from("/data"));
        let refusal = space.refusal(10, 25);
        assert_eq!(refusal.kind, RefusalKind::Store);
        assert!(refusal.help[0].contains("15 bytes"), "{refusal:?}");
    }
}
