//! What can go wrong in a simulation.

use crate::store::memory::Fault;

/// One thing that goes wrong, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// `kill -9` of the engine; its supervisors live.
    EngineKilled {
        /// Milliseconds until it is started again.
        down: u64,
    },
    /// The same after so many of the effects of the next turn.
    KilledAmidEffects {
        /// Effects that are carried out before.
        effects: u64,
    },
    /// The same right before the next attempt is asked to stop.
    KilledBeforeStop,
    /// `kill -9`, and again so soon after it was started that it is still recovering.
    KilledInRecovery {
        /// Effects that are carried out between its start and the second kill.
        after: u64,
    },
    /// The engine is closed in good order, and started again.
    EngineClosed {
        /// Milliseconds until it is started again.
        down: u64,
    },
    /// Power is lost: engine, supervisors and commands die, and what was not synced is gone.
    HostDown {
        /// Milliseconds until the machine is up, by the wall clock.
        down: u64,
    },
    /// The machine sleeps.
    Suspended {
        /// Milliseconds.
        time: u64,
    },
    /// Somebody sets the wall clock forward.
    WallForward {
        /// Milliseconds.
        by: u64,
    },
    /// Somebody sets the wall clock back.
    WallBack {
        /// Milliseconds.
        by: u64,
    },
    /// The next append meets this.
    Append(Fault),
    /// The disk is full for so many appends.
    DiskFull {
        /// Appends.
        appends: u64,
    },
    /// The disk is slow.
    SlowDisk {
        /// Milliseconds a turn.
        turn: u64,
        /// Milliseconds that it lasts.
        time: u64,
    },
    /// The log cannot be opened the next times; the engine is killed so that it must.
    OpenFails {
        /// Openings.
        times: u64,
    },
    /// The checkpoint cannot be written for a while.
    ImageFails {
        /// Milliseconds.
        time: u64,
    },
    /// The engine is killed, and something happens to its checkpoint; to the next one, where there is none yet.
    Image(Harm),
    /// A supervisor is killed alone; its command runs on.
    SupervisorKilled,
    /// A command stands still.
    CommandPaused {
        /// Milliseconds.
        time: u64,
    },
    /// The next report comes twice.
    ReportDoubled,
    /// The next report comes late.
    ReportDelayed {
        /// Milliseconds.
        time: u64,
    },
    /// A report that was given before comes once more, with another outcome: now, or when its step runs again.
    ReportStale,
    /// The next reports each come together with a request to cancel their run.
    CancelAlong {
        /// Reports.
        reports: u64,
    },
    /// The next answer of a long evaluation comes late.
    EvaluationDelayed {
        /// Milliseconds.
        time: u64,
    },
}

impl Trouble {
    /// As reports spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::EngineKilled { .. } => "engine killed",
            Self::KilledAmidEffects { .. } => "killed amid effects",
            Self::KilledBeforeStop => "killed before a stop",
            Self::KilledInRecovery { .. } => "killed in recovery",
            Self::EngineClosed { .. } => "engine closed",
            Self::HostDown { .. } => "host down",
            Self::Suspended { .. } => "suspended",
            Self::WallForward { .. } => "wall clock forward",
            Self::WallBack { .. } => "wall clock back",
            Self::Append(fault) => fault.name(),
            Self::DiskFull { .. } => "disk full",
            Self::SlowDisk { .. } => "slow disk",
            Self::OpenFails { .. } => "open fails",
            Self::ImageFails { .. } => "image fails",
            Self::Image(Harm::Lost) => "image lost",
            Self::Image(Harm::Damaged) => "image damaged",
            Self::Image(Harm::Old) => "image old",
            Self::SupervisorKilled => "supervisor killed",
            Self::CommandPaused { .. } => "command paused",
            Self::ReportDoubled => "report doubled",
            Self::ReportDelayed { .. } => "report delayed",
            Self::ReportStale => "report stale",
            Self::CancelAlong { .. } => "cancel along with a report",
            Self::EvaluationDelayed { .. } => "evaluation delayed",
        }
    }

    /// One of every kind, with its weight.
    pub fn all() -> Vec<(u64, Self)> {
        let appends = Fault::ALL.into_iter().map(|fault| (3, Self::Append(fault)));
        [
            (14, Self::EngineKilled { down: 100 }),
            (6, Self::KilledAmidEffects { effects: 1 }),
            (4, Self::KilledBeforeStop),
            (5, Self::KilledInRecovery { after: 3 }),
            (4, Self::EngineClosed { down: 100 }),
            (8, Self::HostDown { down: 30_000 }),
            (3, Self::Suspended { time: 60_000 }),
            (2, Self::WallForward { by: 3_600_000 }),
            (2, Self::WallBack { by: 3_600_000 }),
            (3, Self::DiskFull { appends: 3 }),
            (3, Self::SlowDisk { turn: 40, time: 5_000 }),
            (2, Self::OpenFails { times: 2 }),
            (2, Self::ImageFails { time: 10_000 }),
            (2, Self::Image(Harm::Lost)),
            (6, Self::Image(Harm::Damaged)),
            (2, Self::Image(Harm::Old)),
            (6, Self::SupervisorKilled),
            (4, Self::CommandPaused { time: 20_000 }),
            (4, Self::ReportDoubled),
            (4, Self::ReportDelayed { time: 2_000 }),
            (6, Self::ReportStale),
            (5, Self::CancelAlong { reports: 2 }),
            (10, Self::EvaluationDelayed { time: 5_000 }),
        ]
        .into_iter()
        .chain(appends)
        .collect()
    }
}

/// What happens to a checkpoint while no engine looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harm {
    /// It is gone.
    Lost,
    /// It opens as if nothing were wrong, and something in it is.
    Damaged,
    /// It is the one that was there before.
    Old,
}
