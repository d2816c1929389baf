//! What a seed stands for: runbooks, what clients ask, and what goes wrong, all written out before anything happens, so
//! that a part of it can be left out and the rest stays as it was.

use super::random::Dice;
use super::runbook::{Runbook, grammar};
use super::trouble::Trouble;

/// A simulation to be.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// What else is left to chance hangs on this.
    pub seed: u64,
    /// The runbook of each run.
    pub runs: Vec<Runbook>,
    /// What clients ask.
    pub orders: Vec<Order>,
    /// What goes wrong, and when.
    pub troubles: Vec<(u64, Trouble)>,
    /// How the world treats attempts.
    pub mood: Mood,
    /// Whether an engine takes up at its start what a former one left, or waits to be asked.
    pub resumes: bool,
    /// Milliseconds after which nothing goes wrong any more.
    pub heals: u64,
}

/// What random runbooks may hold and clients may ask. A seed of one edition makes up the same for ever, so that seeds in
/// which something did not hold once can be played again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Edition {
    /// Everything but what the next ones have.
    First,
    /// Also steps that wait for people and signals, probes, and undoing.
    Second,
}

impl Edition {
    /// Every edition, oldest first.
    pub const ALL: &[Self] = &[Self::First, Self::Second];

    /// The one that is played where none is named.
    pub const NEWEST: Self = Self::Second;
}

/// A request to be made.
#[derive(Clone, Copy, Debug)]
pub struct Order {
    /// When, in milliseconds.
    pub at: u64,
    /// About which run.
    pub run: usize,
    /// What.
    pub what: Ask,
}

/// What a client asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Start it; asked again until there is an answer.
    Start,
    /// Cancel it.
    Cancel,
    /// Let it go on after its end.
    Retry,
    /// Look at it, then say how a step in doubt goes on.
    Resolve,
    /// Cancel it, and undo what was done.
    CancelUndo,
    /// Send the signal that steps await.
    Signal,
    /// Look at it, then say what a step waits for.
    Say,
    /// Have it begin nothing new.
    Pause,
    /// Let it go on after that.
    Unpause,
    /// Look at it, then have a step not run.
    Skip,
    /// Let it go on after a crash.
    Resume,
    /// Look at it.
    Show,
    /// Look at its history.
    History,
    /// Look at all runs.
    List,
    /// Look at it again and again, and see it to its end.
    Attend,
}

/// How the world treats attempts, in percent.
#[derive(Clone, Copy, Debug)]
pub struct Mood {
    /// They fail.
    pub fails: u64,
    /// They end only when asked to.
    pub hangs: u64,
    /// A request has no answer.
    pub unheard: u64,
    /// They pay no heed when asked to stop.
    pub stubborn: u64,
    /// Milliseconds that the longest take.
    pub longest: u64,
}

impl Scenario {
    /// The scenario of a seed of the newest edition.
    pub fn of(seed: u64) -> Self {
        Self::of_edition(seed, Edition::NEWEST)
    }

    /// The scenario of a seed.
    pub fn of_edition(seed: u64, edition: Edition) -> Self {
        let mut dice = Dice::new(seed);
        let runs: Vec<Runbook> = (0..*dice.weighted(&[(5, 1_u64), (3, 2), (1, 4)]))
            .map(|number| grammar::runbook(&mut dice, edition, format!("random-{number}")))
            .collect();
        // Most that can go wrong is close together, while something happens.
        let horizon = *dice.pick(&[2_000, 20_000, 200_000]);
        let mut orders = orders(&mut dice, runs.len(), horizon);
        let troubles = troubles(&mut dice, horizon);
        let mood = Mood {
            fails: *dice.pick(&[0, 10, 30, 60]),
            hangs: *dice.pick(&[0, 0, 5, 20]),
            unheard: *dice.pick(&[0, 10, 40]),
            stubborn: *dice.pick(&[0, 30, 80]),
            longest: *dice.pick(&[50, 2_000, 60_000]),
        };
        let resumes = dice.percent(60);
        // Drawn last, so that what is drawn before stays what it was.
        orders.extend(interventions(&mut dice, runs.len(), horizon));
        if edition >= Edition::Second {
            orders.extend(words(&mut dice, runs.len(), horizon));
        }
        Self { seed, runs, orders, troubles, mood, resumes, heals: 2 * horizon }
    }
}

impl Scenario {
    /// Whether anybody starts this run.
    pub fn starts(&self, run: usize) -> bool {
        self.orders.iter().any(|order| order.run == run && order.what == Ask::Start)
    }
}

fn orders(dice: &mut Dice, runs: usize, horizon: u64) -> Vec<Order> {
    let mut orders = Vec::new();
    for run in 0..runs {
        orders.push(Order { at: dice.below(horizon / 4), run, what: Ask::Start });
        let asks = [
            (3, Ask::Cancel),
            (3, Ask::Retry),
            (6, Ask::Resolve),
            (3, Ask::Resume),
            (4, Ask::Show),
            (2, Ask::History),
            (1, Ask::List),
        ];
        for _ in 0..dice.below(6) {
            orders.push(Order { at: dice.below(2 * horizon), run, what: *dice.weighted(&asks) });
        }
    }
    orders
}

/// Runs are paused, mostly to be let go on, and steps skipped.
fn interventions(dice: &mut Dice, runs: usize, horizon: u64) -> Vec<Order> {
    let mut orders = Vec::new();
    for run in 0..runs {
        if dice.percent(30) {
            let at = dice.below(horizon);
            orders.push(Order { at, run, what: Ask::Pause });
            if dice.percent(70) {
                orders.push(Order { at: at + dice.below(horizon), run, what: Ask::Unpause });
            }
        }
        if dice.percent(25) {
            orders.push(Order { at: dice.below(2 * horizon), run, what: Ask::Skip });
        }
    }
    orders
}

/// People say what runs wait for, too early, in time or too late, and have what was done undone.
fn words(dice: &mut Dice, runs: usize, horizon: u64) -> Vec<Order> {
    let mut orders = Vec::new();
    for run in 0..runs {
        for _ in 0..dice.below(4) {
            let what = *dice.pick(&[Ask::Say, Ask::Say, Ask::Signal]);
            orders.push(Order { at: dice.below(2 * horizon), run, what });
        }
        if dice.percent(10) {
            orders.push(Order { at: dice.below(2 * horizon), run, what: Ask::CancelUndo });
        }
    }
    orders
}

fn troubles(dice: &mut Dice, horizon: u64) -> Vec<(u64, Trouble)> {
    let kinds = Trouble::all();
    // A seed has few kinds of trouble, so that each is met often.
    let chosen: Vec<(u64, Trouble)> = (0..dice.between(1, 5)).map(|_| (1, *dice.weighted(&kinds))).collect();
    let count = *dice.pick(&[0, 1, 2, 4, 8]);
    (0..count)
        .map(|_| {
            (dice.below(horizon), {
                let trouble = *dice.weighted(&chosen);
                vary(dice, trouble)
            })
        })
        .collect()
}

/// The same trouble with other numbers.
fn vary(dice: &mut Dice, trouble: Trouble) -> Trouble {
    let mut around = |number: u64| dice.between(1, 3 * number);
    match trouble {
        Trouble::EngineKilled { down } => Trouble::EngineKilled { down: around(down) },
        Trouble::KilledAmidEffects { effects } => Trouble::KilledAmidEffects { effects: around(effects) - 1 },
        Trouble::KilledInRecovery { after } => Trouble::KilledInRecovery { after: around(after) },
        Trouble::EngineClosed { down } => Trouble::EngineClosed { down: around(down) },
        Trouble::HostDown { down } => Trouble::HostDown { down: around(down) },
        Trouble::Suspended { time } => Trouble::Suspended { time: around(time) },
        Trouble::WallForward { by } => Trouble::WallForward { by: around(by) },
        Trouble::WallBack { by } => Trouble::WallBack { by: around(by) },
        Trouble::DiskFull { appends } => Trouble::DiskFull { appends: around(appends) },
        Trouble::SlowDisk { turn, time } => Trouble::SlowDisk { turn: around(turn), time: around(time) },
        Trouble::OpenFails { times } => Trouble::OpenFails { times: around(times) },
        Trouble::ImageFails { time } => Trouble::ImageFails { time: around(time) },
        Trouble::CommandPaused { time } => Trouble::CommandPaused { time: around(time) },
        Trouble::ReportDelayed { time } => Trouble::ReportDelayed { time: around(time) },
        Trouble::CancelAlong { reports } => Trouble::CancelAlong { reports: around(reports) },
        Trouble::EvaluationDelayed { time } => Trouble::EvaluationDelayed { time: around(time) },
        same @ (Trouble::KilledBeforeStop
        | Trouble::Append(_)
        | Trouble::Image(_)
        | Trouble::SupervisorKilled
        | Trouble::ReportDoubled
        | Trouble::ReportStale) => same,
    }
}
