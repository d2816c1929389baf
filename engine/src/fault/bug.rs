//! The registry of planted bugs: mistakes that the suites must catch.

#[cfg(feature = "proof")]
use std::cell::Cell;
#[cfg(feature = "proof")]
use std::sync::OnceLock;

/// The variable of the environment that plants a bug in the whole process and its supervisors.
#[cfg(feature = "proof")]
pub(super) const PLANTED: &str = "LOCKSTEP_PLANTED";

/// Declares the bugs: the enum, all of them, their names, the file that each is planted in, and what it does.
macro_rules! bugs {
    ($($bug:ident = $name:literal in $file:literal: $what:literal,)+) => {
        /// A mistake. Each is planted in exactly one file, and caught by at least one suite; tests compare.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Bug {
            $(#[doc = $what] $bug,)+
        }

        impl Bug {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$bug),+];

            /// Its name in the environment and in reports.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$bug => $name,)+ }
            }

            /// The file that it is planted in, from the root of the repository.
            pub const fn file(self) -> &'static str {
                match self { $(Self::$bug => $file,)+ }
            }

            /// What is wrong with it there, in a sentence.
            pub const fn what(self) -> &'static str {
                match self { $(Self::$bug => $what,)+ }
            }

            /// The bug of this name.
            pub fn of_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|bug| bug.name() == name)
            }
        }
    };
}

bugs! {
    NoSync = "no-sync" in "engine/src/store/journal/mod.rs":
        "A frame is answered for without having been synced.",
    RetriedSync = "retried-sync" in "engine/src/store/journal/mod.rs":
        "A sync that failed is tried again, and its success believed.",
    LastFrameNotAgain = "last-frame-not-again" in "engine/src/store/journal/recovery.rs":
        "Opening takes the last frame as durable because it can be read.",
    TokenReused = "token-reused" in "engine/src/core/run/step.rs":
        "An attempt that repeats another gets its token.",
    TriesNotCounted = "tries-not-counted" in "engine/src/core/run/apply.rs":
        "A failed attempt is not counted.",
    CancelStopsNothing = "cancel-stops-nothing" in "engine/src/core/run/conclude.rs":
        "A cancel is noted, and what has not started starts.",
    HaltIgnored = "halt-ignored" in "engine/src/core/run/step.rs":
        "A block in which a step failed starts further steps.",
    BlockEndsTwice = "block-ends-twice" in "engine/src/core/run/block.rs":
        "A block whose `finally` runs ends when its last step is looked at again.",
    EditNotCompared = "edit-not-compared" in "engine/src/core/run/edit.rs":
        "A run goes on under a corrected runbook in which steps are others that had succeeded.",
    TimersTooEarly = "timers-too-early" in "engine/src/core/run/step.rs":
        "A delay is half as long as it should be.",
    AnswerBeforeDurable = "answer-before-durable" in "engine/src/driver/commit.rs":
        "Answers are given before their frame is appended.",
    UnknownBelieved = "unknown-believed" in "engine/src/driver/commit.rs":
        "An append of which nobody knows is taken as done.",
    FullAnswered = "full-answered" in "engine/src/driver/commit.rs":
        "With no room on the disk, what was asked for is answered as done.",
    ImageBelieved = "image-believed" in "engine/src/driver/recovery.rs":
        "A checkpoint is believed though the journal does not vouch for it.",
    AttemptsNotRecovered = "attempts-not-recovered" in "engine/src/driver/recovery.rs":
        "Nobody finds out what became of the attempts of a former engine.",
    TimersForgotten = "timers-forgotten" in "engine/src/driver/recovery.rs":
        "A run that is taken up has lost its timers.",
    StopForgotten = "stop-forgotten" in "engine/src/driver/effect.rs":
        "An attempt that was asked to stop is not asked again after a crash.",
    ChangeNotInImage = "change-not-in-image" in "engine/src/driver/checkpoint.rs":
        "A run that changed is not part of the next checkpoint.",
    TickAlone = "tick-alone" in "engine/src/driver/fire.rs":
        "The run of a tick and the row that says so are two frames.",
    WatermarkFalls = "watermark-falls" in "engine/src/core/schedule/state.rs":
        "An edit of a schedule sets its watermark, also where that was further already.",
    EndLostToRefusal = "end-lost-to-refusal" in "engine/src/driver/request.rs":
        "A request that is refused lets go of a run that ended in the same turn.",
    OrderByHash = "order-by-hash" in "engine/src/driver/ask.rs":
        "Runs are asked in the order of a hash table.",
    SegmentFolderNotSynced = "segment-folder-not-synced" in "engine/src/store/journal/segment.rs":
        "The name of a new segment is not synced before frames are answered for in it.",
    FenceNotChecked = "fence-not-checked" in "engine/src/store/journal/mod.rs":
        "A handle appends to a log that somebody has opened since.",
    TornFrameAccepted = "torn-frame-accepted" in "engine/src/store/journal/frame.rs":
        "A frame is taken as whole though its hash does not match.",
    HeadIgnored = "head-ignored" in "engine/src/store/journal/walk.rs":
        "The log may end before what HEAD says was acknowledged.",
    ImageWithoutDigest = "image-without-digest" in "engine/src/store/image/tree.rs":
        "A checkpoint is believed though its entries do not match its digest.",
    StartBeforeIntent = "start-before-intent" in "engine/src/driver/commit.rs":
        "Attempts are started though the frame that grants them was not stored.",
    UnknownIsFailure = "unknown-is-failure" in "engine/src/driver/commit.rs":
        "A write of which nobody knows whether it took place is taken for one that did not.",
    TimerByWallClock = "timer-by-wall-clock" in "engine/src/clock.rs":
        "Timers count what the wall clock says.",
    TokenNotCompared = "token-not-compared" in "engine/src/core/run/decide.rs":
        "A report is taken from an attempt that was superseded.",
    OnceRepeated = "once-repeated" in "engine/src/core/run/step.rs":
        "A step that must run once is run again when its outcome is unknown.",
    QuorumNotCounted = "quorum-not-counted" in "engine/src/core/run/approval.rs":
        "One approval is enough, whatever the quorum.",
    UndoOldestFirst = "undo-oldest-first" in "engine/src/core/run/undo.rs":
        "What was done first is undone first.",
    ProbeNotAsked = "probe-not-asked" in "engine/src/core/run/probe.rs":
        "A step whose probe says neither is run again.",
    OneTryTooMany = "one-try-too-many" in "engine/src/core/run/step.rs":
        "A step is tried once more than it may be.",
    KeyPerAttempt = "key-per-attempt" in "engine/src/core/run/path.rs":
        "The key contains the attempt, so that a repeated one looks new to the world.",
    MaskedByChunk = "masked-by-chunk" in "engine/src/worker/mask.rs":
        "A secret that comes in two chunks is not masked.",
    ExitIgnored = "exit-ignored" in "engine/src/worker/recover.rs":
        "How a command ended while no engine lived is not read.",
    BegunIgnored = "begun-ignored" in "engine/src/worker/recover.rs":
        "A command whose supervisor was killed counts as one that never began.",
    OtherBootIgnored = "other-boot-ignored" in "engine/src/worker/recover.rs":
        "What lies in the spool is believed after the machine was started anew.",
    FilesBelieved = "files-believed" in "engine/src/host/pinned.rs":
        "The files of a run are taken as whole because their folder is there.",
}

#[cfg(feature = "proof")]
thread_local! {
    /// Planted in this thread only, so that tests beside it see nothing of it.
    static HERE: Cell<Option<Bug>> = const { Cell::new(None) };
}

/// Plants a bug in this thread until what is given back is dropped; one at a time.
#[cfg(feature = "proof")]
pub fn plant(bug: Bug) -> Planted {
    Planted { before: HERE.replace(Some(bug)) }
}

/// A bug that is planted in this thread.
#[cfg(feature = "proof")]
#[derive(Debug)]
pub struct Planted {
    before: Option<Bug>,
}

#[cfg(feature = "proof")]
impl Drop for Planted {
    fn drop(&mut self) {
        HERE.set(self.before);
    }
}

#[cfg(feature = "proof")]
pub(super) fn is_planted(bug: Bug) -> bool {
    static EVERYWHERE: OnceLock<Option<Bug>> = OnceLock::new();
    let everywhere = EVERYWHERE.get_or_init(|| {
        let name = std::env::var(PLANTED).ok()?;
        Some(Bug::of_name(&name).unwrap_or_else(|| panic!("{PLANTED}={name}: no bug has this name")))
    });
    *everywhere == Some(bug) || HERE.get() == Some(bug)
}

#[cfg(all(test, feature = "proof"))]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_bug_has_a_name_of_its_own() {
        let names: BTreeSet<_> = Bug::ALL.iter().map(|bug| bug.name()).collect();
        assert_eq!(names.len(), Bug::ALL.len());
        assert!(Bug::ALL.iter().all(|bug| Bug::of_name(bug.name()) == Some(*bug)));
    }

    #[test]
    fn a_bug_is_planted_in_one_thread_and_for_a_while() {
        let planted = plant(Bug::NoSync);
        assert!(is_planted(Bug::NoSync) && !is_planted(Bug::RetriedSync));
        assert!(!std::thread::spawn(|| is_planted(Bug::NoSync)).join().unwrap());
        drop(planted);
        assert!(!is_planted(Bug::NoSync));
    }
}
