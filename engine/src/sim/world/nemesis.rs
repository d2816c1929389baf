//! What goes wrong, when its time has come.

use std::mem::take;

use lockstep_dsl::value::Timestamp;

use super::spool::Key;
use super::{Event, World};
use crate::clock::Clock as _;
use crate::driver::{Effect, Input};
use crate::id::{RunId, StepNo};
use crate::sim::scenario::{Ask, Order};
use crate::sim::trouble::{Harm, Trouble};
use crate::store::memory::Fault;
use crate::worker::{Failure, Outcome};

/// Milliseconds that an engine is away, where nothing else is said.
const DOWN: u64 = 150;

/// Trouble that waits for its moment.
#[derive(Debug, Default)]
pub(super) struct Nemesis {
    /// The engine dies when so many more effects have been carried out.
    effects: Option<(u64, Trouble)>,
    /// It dies before an attempt is asked to stop.
    before_stop: bool,
    /// The engine dies after so many effects, counted from its next start.
    after_boot: Option<(u64, Trouble)>,
    /// What happens to the checkpoint before the next start that finds one, and a number that says how.
    image: Option<(Harm, u64)>,
    /// Milliseconds that a turn takes, and until when.
    slow: (u64, u64),
    /// The checkpoint cannot be written until then.
    image_until: u64,
    doubles: bool,
    /// A report that was given comes again when its step runs again.
    stale: bool,
    cancels: u64,
    delays: u64,
    evaluation: u64,
    /// Reports that were given, and were definite.
    pub past: Vec<(Key, StepNo, Outcome)>,
}

impl World<'_> {
    /// Something goes wrong.
    pub(super) fn trouble(&mut self, number: usize) {
        let (_, trouble) = self.scenario.troubles[number];
        if self.healed {
            return;
        }
        let luck = self.fate(&["trouble"], number as u64);
        let hits = self.inflict(trouble, luck);
        if hits {
            self.say(|| format!("trouble: {trouble:?}"));
            self.coverage.trouble(trouble.name());
        }
    }

    /// Says whether it hits now; what only waits for its moment is counted when that has come.
    fn inflict(&mut self, trouble: Trouble, luck: u64) -> bool {
        let alive = self.engine.is_some();
        match trouble {
            Trouble::EngineKilled { down } => self.kill(down),
            Trouble::KilledAmidEffects { effects } => {
                self.nemesis.effects = Some((effects, trouble));
                return false;
            }
            Trouble::KilledBeforeStop => {
                self.nemesis.before_stop = true;
                return false;
            }
            Trouble::KilledInRecovery { after } => {
                self.nemesis.after_boot = Some((after, trouble));
                self.kill(DOWN);
                return false;
            }
            Trouble::EngineClosed { down } => self.close(down),
            Trouble::HostDown { down } => {
                self.say(|| "host: power is lost".to_owned());
                self.lose_engine_to_power();
                self.plan(self.now + down, Event::Boot);
                return true;
            }
            Trouble::Suspended { time } => {
                self.pass_until(self.now + time);
                return true;
            }
            Trouble::WallForward { by } => return self.set_wall(i64::try_from(by).unwrap_or(0)),
            Trouble::WallBack { by } => return self.set_wall(-i64::try_from(by).unwrap_or(0)),
            Trouble::Append(fault) => {
                self.disk.inject(fault);
                return false;
            }
            Trouble::DiskFull { appends } => (0..appends).for_each(|_| self.disk.inject(Fault::NoSpace)),
            Trouble::SlowDisk { turn, time } => {
                self.nemesis.slow = (turn, self.now + time);
                return false;
            }
            Trouble::OpenFails { times } => {
                self.disk.fail_open(times);
                self.kill(DOWN);
            }
            Trouble::ImageFails { time } => {
                self.disk.fail_image(true);
                self.nemesis.image_until = self.now + time;
            }
            Trouble::Image(harm) => {
                self.nemesis.image = Some((harm, luck));
                self.kill(DOWN);
                return false;
            }
            Trouble::SupervisorKilled => return self.kill_supervisor(luck),
            Trouble::CommandPaused { time } => return self.pause_command(luck, time),
            Trouble::ReportDoubled => {
                self.nemesis.doubles = true;
                return false;
            }
            Trouble::ReportDelayed { time } => {
                self.nemesis.delays = time;
                return false;
            }
            Trouble::ReportStale => {
                self.nemesis.stale = true;
                return self.report_again(luck);
            }
            Trouble::CancelAlong { reports } => {
                self.nemesis.cancels = reports;
                return false;
            }
            Trouble::EvaluationDelayed { time } => {
                self.nemesis.evaluation = time;
                return false;
            }
        }
        alive
    }

    fn lose_engine_to_power(&mut self) {
        self.lose_engine();
        self.disk.crash();
        self.clock.reboot(0);
        self.boots += 1;
        self.lose_host();
    }

    fn set_wall(&mut self, by: i64) -> bool {
        let wall = self.clock.now(None).wall;
        self.clock.set_wall(Timestamp(wall.0.saturating_add(by)));
        true
    }

    /// A report comes once more, long after, and says something else.
    fn report_again(&mut self, luck: u64) -> bool {
        let Some(engine) = &self.engine else { return false };
        let number = engine.number;
        let count = self.nemesis.past.len() as u64;
        if count == 0 {
            return false;
        }
        let place = usize::try_from(luck % count).unwrap_or(0);
        let past = self.nemesis.past[place].clone();
        // One that is on its way, or in a frame that is lost, is not an old one.
        if !self.is_reported(past.0) {
            return false;
        }
        self.deliver(number, stale(past));
        true
    }

    /// A step runs again: a report of an attempt before may come now.
    pub(super) fn nemesis_reports_again(&mut self, run: RunId, step: StepNo) {
        if !self.nemesis.stale {
            return;
        }
        let past = self.nemesis.past.iter().rev().find(|(key, of, _)| (key.0, *of) == (run, step)).cloned();
        if let Some(past) = past {
            self.nemesis.stale = false;
            self.coverage.trouble(Trouble::ReportStale.name());
            self.deliver(self.engines, stale(past));
        }
    }

    /// Whether the end of an attempt is durable: its folder is gone.
    fn is_reported(&self, key: Key) -> bool {
        !self.spool.attempts.contains_key(&key)
    }

    /// Milliseconds that this turn takes.
    pub(super) fn nemesis_turn(&mut self) -> u64 {
        if self.nemesis.image_until != 0 && self.now >= self.nemesis.image_until {
            self.nemesis.image_until = 0;
            self.disk.fail_image(false);
        }
        let (slow, until) = self.nemesis.slow;
        if slow == 0 || self.now > until {
            return 0;
        }
        self.coverage.trouble("slow disk");
        slow
    }

    /// Whether the engine dies before this effect; then it is dead.
    pub(super) fn nemesis_kills_before(&mut self, effect: &Effect) -> bool {
        let trouble = match (&mut self.nemesis.effects, effect) {
            (Some((0, trouble)), _) => *trouble,
            (_, Effect::Stop(..)) if self.nemesis.before_stop => Trouble::KilledBeforeStop,
            (Some((left, _)), _) => {
                *left -= 1;
                return false;
            }
            (None, _) => return false,
        };
        if trouble == Trouble::KilledBeforeStop {
            self.nemesis.before_stop = false;
        } else {
            self.nemesis.effects = None;
        }
        self.coverage.trouble(trouble.name());
        self.kill(DOWN);
        true
    }

    pub(super) fn nemesis_before_boot(&mut self) {
        let Some((harm, luck)) = self.nemesis.image else { return };
        let hit = match harm {
            Harm::Lost => self.disk.lose_image(),
            Harm::Damaged => self.disk.damage_image(luck),
            Harm::Old => self.disk.regress_image(),
        };
        if hit {
            self.nemesis.image = None;
            self.coverage.trouble(Trouble::Image(harm).name());
        }
    }

    pub(super) fn nemesis_after_boot(&mut self) {
        if let Some(after) = take(&mut self.nemesis.after_boot) {
            self.nemesis.effects = Some(after);
        }
    }

    pub(super) fn nemesis_doubles(&mut self) -> bool {
        let doubles = take(&mut self.nemesis.doubles);
        if doubles {
            self.coverage.trouble("report doubled");
        }
        doubles
    }

    /// Somebody cancels the run of a report that has just been delivered, where that was to happen.
    pub(super) fn nemesis_cancels(&mut self, key: Key) {
        if self.nemesis.cancels == 0 {
            return;
        }
        self.nemesis.cancels -= 1;
        if let Some(run) = self.ids.iter().position(|id| *id == key.0) {
            self.coverage.trouble("cancel along with a report");
            self.order(Order { at: self.now, run, what: Ask::Cancel });
        }
    }

    /// Milliseconds that this report is late.
    pub(super) fn nemesis_report(&mut self) -> u64 {
        let delay = take(&mut self.nemesis.delays);
        if delay > 0 {
            self.coverage.trouble("report delayed");
        }
        delay
    }

    /// Milliseconds that this answer is late.
    pub(super) fn nemesis_evaluation(&mut self) -> u64 {
        let delay = take(&mut self.nemesis.evaluation);
        if delay > 0 {
            self.coverage.trouble("evaluation delayed");
        }
        delay
    }

    /// From here on nothing goes wrong, and people see every run to its end.
    pub(super) fn heal(&mut self) {
        self.say(|| "nothing goes wrong any more".to_owned());
        self.healed = true;
        self.disk.heal();
        let past = take(&mut self.nemesis.past);
        self.nemesis = Nemesis { past, ..Nemesis::default() };
        for run in 0..self.scenario.runs.len() {
            if !self.scenario.starts(run) {
                continue;
            }
            self.plan(self.now + 1, Event::Order(Order { at: self.now, run, what: Ask::Attend }));
        }
    }
}

/// The same report with another outcome.
fn stale((key, step, outcome): (Key, StepNo, Outcome)) -> Input {
    let other = match outcome {
        Outcome::Succeeded { .. } => Outcome::from(Failure::failed("a report that comes again")),
        Outcome::Failed { outputs, .. } => Outcome::Succeeded { outputs },
        Outcome::Unknown { why } => Outcome::Unknown { why },
    };
    Input::Reported { run: key.0, step, token: key.1, outcome: other }
}
