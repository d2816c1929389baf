//! Schedules under whatever can happen to them: random triggers, edits around a tick, pauses, crashes at any frame, disks
//! that fail, clocks that are set, lost images. No tick is lost, none starts two runs, and each stands in the ledger once.
//!
//! The checker reads the journal, and works the ticks out by walking the minutes of zones whose offset never changes: it
//! shares no code with what it checks.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use lockstep_dsl::expr::Sandbox;
use lockstep_dsl::graph::{Due, Trigger};
use lockstep_dsl::value::Timestamp;
use lockstep_engine::api::{Enroll, Reply, Request};
use lockstep_engine::clock::ManualClock;
use lockstep_engine::core::run::Record;
use lockstep_engine::core::schedule::{Row, ScheduleChange, ScheduleName, TickEnd};
use lockstep_engine::driver::{Caller, Driver, Effect, Input, Places};
use lockstep_engine::encode::decode;
use lockstep_engine::eval::Evaluator;
use lockstep_engine::fault::{Bug, is_caught};
use lockstep_engine::id::RunId;
use lockstep_engine::store::memory::{Fault, MemoryDisk};

use crate::case::{NOON, graph};

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;

/// Ticks that are played: some in the gate, a million where the long form is asked for.
fn wanted() -> usize {
    if std::env::var("LOCKSTEP_FORM").is_ok_and(|form| form == "long") { 1_000_000 } else { 10_000 }
}

#[test]
fn no_tick_is_lost_or_doubled_and_each_stands_in_the_ledger() {
    let (mut ticks, mut fired, mut seed) = (0, 0, 1);
    while ticks < wanted() {
        let told = play(seed);
        ticks += told.ticks;
        fired += told.fired;
        seed += 1;
    }
    println!("{ticks} ticks in {} stories, {fired} of them started a run: none was lost, none doubled", seed - 1);
    assert!(fired * 10 > ticks, "hardly anything happened");
}

#[test]
fn mistakes_about_ticks_are_caught() {
    for bug in [Bug::TickAlone, Bug::WatermarkFalls] {
        let suite = || {
            for seed in 1..=SEEDS_OF_A_BUG {
                play(seed);
            }
        };
        assert!(is_caught(bug, suite), "{bug:?}");
    }
}

/// Stories within which a mistake must be noticed.
const SEEDS_OF_A_BUG: u64 = 60;

/// What came of a story.
struct Told {
    ticks: usize,
    fired: usize,
}

fn play(seed: u64) -> Told {
    let mut world = World::new(seed);
    for _ in 0..150 {
        world.act();
    }
    world.end();
    check(seed, &world)
}

/// Numbers from a seed.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn one_in(&mut self, of: u64) -> bool {
        self.below(of) == 0
    }

    fn of<'a, T: ?Sized>(&mut self, all: &[&'a T]) -> &'a T {
        all[usize::try_from(self.below(all.len() as u64)).expect("a place")]
    }
}

/// An engine that is served, and what is done to it.
struct World {
    dice: Dice,
    disk: MemoryDisk,
    clock: ManualClock,
    driver: Option<Driver<MemoryDisk>>,
    /// The triggers, as the runbook has them now.
    triggers: BTreeMap<&'static str, String>,
    wait: &'static str,
    callers: u64,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut world = Self {
            dice: Dice(seed),
            disk: MemoryDisk::new(),
            clock: ManualClock::new(NOON),
            driver: None,
            triggers: BTreeMap::new(),
            wait: "1s",
            callers: 0,
        };
        for id in ["a", "b", "c"] {
            let trigger = world.trigger(id);
            world.triggers.insert(id, trigger);
        }
        world.open();
        world
    }

    fn trigger(&mut self, id: &str) -> String {
        let now = self.clock_now();
        let dice = &mut self.dice;
        let mut text = format!("id: {id}, ");
        let due = dice.below(8);
        let _ = match due {
            0..=3 => write!(text, "every: {}", dice.of(&["2m", "7m", "13m", "1h", "3h"])),
            4..=6 => {
                let minute = dice.of(&["*", "0", "17", "42", "59"]);
                let hour = dice.of(&["*", "*", "3", "23"]);
                let weekday = dice.of(&["*", "*", "1", "0"]);
                let zone = dice.of(&["UTC", "Asia/Kathmandu", "Asia/Kolkata"]);
                write!(text, "cron: '{minute} {hour} * * {weekday}', timezone: {zone}")
            }
            _ => {
                let at = Timestamp(now.0 + i64::try_from(dice.below(6 * HOUR)).expect("hours"));
                write!(text, "at: '{at}'")
            }
        };
        let catchup = dice.of(&["none", "last", "last", "all"]);
        let _ = write!(text, ", catchup: {catchup}");
        if catchup != "none" && dice.one_in(3) {
            let _ = write!(text, ", within: {}", dice.of(&["30m", "5h"]));
        }
        let _ = write!(text, ", overlap: {}", dice.of(&["allow", "skip", "queue", "cancel_previous"]));
        if dice.one_in(3) {
            let _ = write!(text, ", jitter: {}", dice.of(&["1s", "40s", "5m"]));
        }
        if dice.one_in(12) {
            text.push_str(", enabled: false");
        }
        text
    }

    fn clock_now(&self) -> Timestamp {
        self.driver.as_ref().map_or(NOON, |driver| driver.now().wall)
    }

    fn open(&mut self) {
        let places = Places { logs: "/data/logs".into(), spool: "/data/spool".into() };
        let evaluator = Evaluator::new(Arc::new(Sandbox::new(&[])));
        let opened = Driver::open(self.disk.clone(), Box::new(self.clock.clone()), evaluator, places);
        self.driver = Some(opened.expect("the store opens"));
        self.enroll();
        self.ask(Request::StartSchedules { by: "service:play".to_owned() });
        if !self.dice.one_in(4) {
            let left: Vec<RunId> = self.driver.as_ref().into_iter().flat_map(Driver::interrupted).collect();
            for run in left {
                self.ask(Request::Resume { run: run.to_string(), by: "service:play".to_owned() });
            }
        }
    }

    fn enroll(&mut self) {
        let mut text = "runbook: play\n".to_owned();
        if !self.triggers.is_empty() {
            text.push_str("triggers:\n");
        }
        for trigger in self.triggers.values() {
            let _ = writeln!(text, "  - {{ {trigger} }}");
        }
        let _ = writeln!(text, "steps:\n  - wait: {}", self.wait);
        let enroll = Enroll { graph: Arc::new(graph(&text)), cwd: None, by: "service:play".to_owned() };
        self.ask(Request::Enroll(Box::new(enroll)));
    }

    fn ask(&mut self, request: Request) {
        self.callers += 1;
        self.turn([Input::Request { caller: Caller(self.callers), request }]);
    }

    /// One turn and those that follow at once. An engine whose store has failed is done with.
    fn turn(&mut self, inputs: impl IntoIterator<Item = Input>) {
        let Some(driver) = &mut self.driver else { return };
        let mut turn = driver.turn(inputs);
        loop {
            for effect in &turn.effects {
                if let Effect::Answer(_, Reply::Refused(refusal)) = effect {
                    let expected = ["paused", "stop", "store", "log", "append", "disk", "open", "room", "sync", "held"];
                    assert!(expected.iter().any(|word| refusal.message.contains(word)), "{refusal:?}");
                }
            }
            if !turn.again || driver.halted().is_some() {
                break;
            }
            turn = driver.turn([]);
        }
        drop(driver.tend());
        if driver.halted().is_some() {
            self.crash(0);
        }
    }

    fn crash(&mut self, away: u64) {
        self.driver = None;
        if self.dice.one_in(2) {
            self.disk.crash();
        } else {
            self.disk.kill();
        }
        self.disk.heal();
        self.clock.advance(away);
        self.open();
    }

    /// Lets time pass, turning the driver whenever it wants to be.
    fn pass(&mut self, millis: u64) {
        let mut left = millis;
        while left > 0 {
            let Some(driver) = &self.driver else { return };
            let now = driver.now().time;
            let due = driver.next_wake().map_or(u64::MAX, |due| due.saturating_sub(now).max(1));
            let step = due.min(left);
            self.clock.advance(step);
            left -= step;
            self.turn([]);
        }
    }

    /// Lets time pass until about when something is due next.
    fn pass_to_tick(&mut self) {
        let Some(driver) = &self.driver else { return };
        let ahead = driver.next_wake().map_or(MINUTE, |due| due.saturating_sub(driver.now().time));
        let about = [ahead.saturating_sub(1), ahead, ahead.saturating_sub(400), ahead + 1, ahead + 600];
        let place = usize::try_from(self.dice.below(5)).expect("a place");
        self.pass(about[place].max(1));
    }

    fn act(&mut self) {
        match self.dice.below(20) {
            0..=7 => {
                let millis = 1 + self.dice.below(40 * MINUTE);
                self.pass(millis);
            }
            8..=9 => self.pass_to_tick(),
            10..=12 => self.edit(),
            13..=14 => {
                let away = if self.dice.one_in(2) { 0 } else { self.dice.below(6 * HOUR) };
                self.crash(away);
            }
            15 => {
                let faults = [Fault::Fail, Fault::Torn, Fault::FailWritten, Fault::UnknownLost, Fault::UnknownWritten];
                self.disk.pass(usize::try_from(self.dice.below(4)).expect("a few"));
                self.disk.inject(faults[usize::try_from(self.dice.below(5)).expect("a place")]);
            }
            16..=17 => self.pause(),
            18 => {
                let by = i64::try_from(1 + self.dice.below(20 * HOUR)).expect("hours");
                let wall = self.clock_now().0;
                self.clock.set_wall(Timestamp(if self.dice.one_in(2) { wall + by } else { wall - by }));
                self.turn([]);
            }
            _ => {
                if let Some(driver) = &mut self.driver {
                    driver.make_base();
                }
                if self.dice.one_in(2) {
                    self.driver = None;
                    self.disk.crash();
                    self.disk.heal();
                    self.disk.lose_image();
                    self.open();
                }
            }
        }
    }

    fn edit(&mut self) {
        if self.dice.one_in(2) {
            self.pass_to_tick();
        }
        let id = *self.dice.of(&[&"a", &"b", &"c"]);
        if self.dice.one_in(6) {
            self.triggers.remove(id);
        } else if self.dice.one_in(3) {
            self.wait = self.dice.of(&["1s", "4m", "2h"]);
        } else {
            let trigger = self.trigger(id);
            self.triggers.insert(id, trigger);
        }
        self.enroll();
        if self.dice.one_in(2) {
            self.pass(SECOND);
        }
    }

    fn pause(&mut self) {
        let id = *self.dice.of(&[&"a", &"b", &"c"]);
        if !self.triggers.contains_key(id) {
            return;
        }
        let (schedule, by) = (format!("play:{id}"), "user:ana".to_owned());
        let request = if self.dice.one_in(3) {
            Request::PauseSchedule { schedule, by, reason: None }
        } else {
            Request::ResumeSchedule { schedule: Some(schedule), by }
        };
        self.ask(request);
    }

    /// Faults stop; what is due is dealt with.
    fn end(&mut self) {
        self.disk.heal();
        self.crash(0);
        self.pass(21 * HOUR);
    }
}

/// What the journal says of one schedule.
#[derive(Default)]
struct Story {
    trigger: Option<Trigger>,
    /// Up to where its ticks were dealt with.
    watermark: i64,
    /// Where the trigger that it has began.
    begin: i64,
    rows: Vec<Row>,
    /// Every tick that there was.
    ticks: BTreeSet<i64>,
}

/// Holds the journal against the rules.
fn check(seed: u64, world: &World) -> Told {
    let mut stories: BTreeMap<ScheduleName, Story> = BTreeMap::new();
    let mut started: BTreeSet<(ScheduleName, i64)> = BTreeSet::new();
    for frame in world.disk.frames() {
        let (mut runs, mut fired) = (BTreeSet::new(), BTreeSet::new());
        for bytes in &frame.records {
            match decode(bytes).expect("a record") {
                Record::Created { run, tick: Some(tick), .. } => {
                    let key = (tick.schedule.clone(), tick.at.0);
                    assert!(started.insert(key), "seed {seed}: a second run of {} at {}", tick.schedule, tick.at);
                    runs.insert((tick.schedule, tick.at.0, run));
                }
                Record::Scheduled { schedule, change } => {
                    if let ScheduleChange::Ticked(Row { from, end: TickEnd::Fired { run }, .. }) = &change {
                        fired.insert((schedule.clone(), from.0, *run));
                    }
                    let at = format!("seed {seed}, {schedule}");
                    stories.entry(schedule).or_default().take(&at, change, frame.stamp.wall.0);
                }
                _ => {}
            }
        }
        assert_eq!(runs, fired, "seed {seed}: runs and what the ledger says of them in one frame");
    }
    let now = world.driver.as_ref().expect("it is open").now().wall.0;
    let (mut ticks, mut count) = (0, 0);
    for (name, mut story) in stories {
        let at = format!("seed {seed}, {name}");
        let driver = world.driver.as_ref().expect("it is open");
        let schedule = driver.schedules().get(&name).expect("it is there");
        if story.trigger.is_some() {
            // What the jitter may still hold back.
            let jitter = story.trigger.as_ref().and_then(|trigger| trigger.jitter).map_or(0, |jitter| jitter.0);
            let settled = now - i64::try_from(jitter).expect("minutes");
            let trigger = story.trigger.clone().expect("it is enrolled");
            assert_eq!(brute(&trigger, story.watermark, settled), [0; 0], "{at}: due, and nobody cares");
            story.close(&at);
        }
        assert_eq!(schedule.watermark.0, story.watermark, "{at}: the watermark is that of its records");
        let waiting: BTreeSet<i64> = schedule.queue.iter().map(|tick| tick.0).collect();
        for tick in &story.ticks {
            let tells = |row: &&Row| row.from.0 <= *tick && *tick <= row.last().0;
            let ends = story.rows.iter().filter(tells).filter(|row| row.end != TickEnd::Queued).count();
            let expected = usize::from(!waiting.contains(tick));
            assert_eq!(ends, expected, "{at}: the ends of the tick {}", Timestamp(*tick));
        }
        for row in &story.rows {
            if let TickEnd::Fired { .. } = row.end {
                assert!(story.ticks.contains(&row.from.0), "{at}: a run at {}, which is no tick", row.from);
                count += 1;
            }
        }
        ticks += story.ticks.len();
    }
    Told { ticks, fired: count }
}

impl Story {
    fn take(&mut self, at: &str, change: ScheduleChange, wall: i64) {
        match change {
            ScheduleChange::Ticked(row) => {
                assert!(
                    row.from.0 > self.begin || self.ticks.contains(&row.from.0),
                    "{at}: a row of the past: {row:?}"
                );
                self.watermark = self.watermark.max(row.last().0);
                self.rows.push(row);
            }
            ScheduleChange::Enrolled(enrollment) => {
                if let Some(before) = self.trigger.take() {
                    assert_eq!(brute(&before, self.watermark, enrollment.from.0), [0; 0], "{at}: lost by an edit");
                    self.trigger = Some(before);
                    self.close(at);
                }
                self.watermark = self.watermark.max(enrollment.from.0);
                self.begin = self.watermark;
                self.trigger = Some(enrollment.trigger);
            }
            ScheduleChange::Withdrawn { .. } => {
                let before = self.trigger.clone().expect("it was enrolled");
                assert_eq!(brute(&before, self.watermark, wall), [0; 0], "{at}: lost by being withdrawn");
                self.close(at);
                self.trigger = None;
            }
            ScheduleChange::Paused { .. } | ScheduleChange::Resumed { .. } => {}
        }
    }

    /// The trigger is followed no further than to the watermark.
    fn close(&mut self, at: &str) {
        let trigger = self.trigger.as_ref().expect("it was enrolled");
        let ticks = brute(trigger, self.begin, self.watermark);
        let before = self.ticks.len();
        self.ticks.extend(&ticks);
        assert_eq!(self.ticks.len(), before + ticks.len(), "{at}: a tick twice");
        self.begin = self.watermark;
    }
}

/// The ticks behind one instant, up to another one, found by looking at every second or minute.
fn brute(trigger: &Trigger, behind: i64, up_to: i64) -> Vec<i64> {
    let minute = 60_000;
    match &trigger.due {
        Due::At(at) => Some(at.0).filter(|at| behind < *at && *at <= up_to).into_iter().collect(),
        Due::Every(length) => {
            let length = i64::try_from(length.0).expect("a length");
            let last = up_to - up_to.rem_euclid(length);
            let mut ticks: Vec<i64> =
                std::iter::successors(Some(last), |at| Some(at - length)).take_while(|at| *at > behind).collect();
            ticks.reverse();
            ticks
        }
        Due::Cron(line) => {
            let fields: Vec<&str> = line.split(' ').collect();
            let offset = match trigger.timezone.as_str() {
                "UTC" => 0,
                "Asia/Kathmandu" => 345,
                "Asia/Kolkata" => 330,
                other => panic!("{other} is not one of the zones that are played"),
            };
            let is = |field: &str, value: i64| field == "*" || field.parse() == Ok(value);
            let first = (behind + minute).div_euclid(minute);
            (first..=up_to.div_euclid(minute))
                .filter(|number| {
                    let local = number + offset;
                    // The first of January 1970 was a Thursday.
                    let (of_hour, of_day) = (local.rem_euclid(60), local.div_euclid(60).rem_euclid(24));
                    let weekday = (local.div_euclid(60 * 24) + 4).rem_euclid(7);
                    is(fields[0], of_hour) && is(fields[1], of_day) && is(fields[4], weekday)
                })
                .map(|number| number * minute)
                .collect()
        }
    }
}
