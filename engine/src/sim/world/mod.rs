//! The simulated world: one engine at a time over a disk that survives it, supervisors and requests, clients, a clock,
//! and what goes wrong.
//!
//! One thread and one queue of events, ordered by time and then by the order in which they were planned. The driver is
//! the very one of the program; all that a process does around it (`host/service.rs`) is done here, in the same order:
//! turn, carry out, tend, carry out.

mod attempts;
mod client;
mod end;
mod engine;
mod files;
mod nemesis;
mod spool;

use std::collections::BTreeMap;
use std::sync::Arc;

use lockstep_dsl::compile::{NoFiles, compile};
use lockstep_dsl::expr::Sandbox;
use lockstep_dsl::graph::Graph;
use lockstep_dsl::source::Source;
use lockstep_dsl::value::Timestamp;

use self::client::Clients;
use self::engine::Engine;
use self::nemesis::Nemesis;
use self::spool::{Key, Spool};
use super::coverage::Coverage;
use super::evidence::{Asked, Evidence};
use super::random::fate;
use super::runbook::{Runbook, text};
use super::scenario::{Order, Scenario};
use super::trace::Trace;
use crate::clock::ManualClock;
use crate::driver::{Input, Turn};
use crate::eval::Evaluator;
use crate::id::{Lsn, RunId};
use crate::store::memory::MemoryDisk;
use crate::worker::Outcome;

/// When every world begins.
const BEGIN: Timestamp = Timestamp(1_700_000_000_000);

/// Events after which a world is given up: something goes round in circles.
const MAX_EVENTS: u64 = 60_000;

/// A checkpoint is asked for fewer times than this before it is told that it is there.
const SLOW_IMAGE: u64 = 4;

/// Milliseconds after the healing within which every run must have come to its end.
const MAX_CALM: u64 = 14 * 24 * 3_600_000;

/// What came of a simulation.
#[derive(Debug)]
pub struct Outcomes {
    /// What the checker is given.
    pub evidence: Evidence,
    /// What was reached.
    pub coverage: Coverage,
    /// A hash over all that happened.
    pub trace: u64,
    /// What happened, for people; empty unless asked for.
    pub log: Vec<(u64, String)>,
}

/// Lets a scenario happen. `log`: whether it is written down for people.
///
/// # Errors
/// A runbook of it does not compile: what the compiler says.
pub fn simulate(scenario: &Scenario, log: bool) -> Result<Outcomes, String> {
    let graphs = scenario.runs.iter().map(|runbook| graph(runbook).map(Arc::new)).collect::<Result<_, _>>()?;
    Ok(World::new(scenario, graphs, log).run())
}

/// Compiles a random runbook.
///
/// # Errors
/// What the compiler says.
pub fn graph(runbook: &Runbook) -> Result<Graph, String> {
    let text = text::text(runbook);
    let compiled = compile(&Source::new("random.yaml", text.as_str()), &NoFiles, &Sandbox::new(&[]));
    compiled.map(|compiled| compiled.graph).map_err(|diagnostics| {
        let said: Vec<&str> = diagnostics.iter().map(|diagnostic| diagnostic.message.as_str()).collect();
        format!("{}\n{text}", said.join("; "))
    })
}

/// Something that is going to happen.
#[derive(Debug)]
enum Event {
    /// The engine is started.
    Boot,
    /// The engine takes a turn.
    Turn(u64),
    /// What a turn led to is carried out.
    Follow(u64, Box<Turn>),
    /// An attempt begins.
    Begin(Key, u64),
    /// An attempt ends.
    End(Key, u64),
    /// The exit record of an attempt is synced.
    Sync(Key),
    /// The engine hears of the end of an attempt.
    Report(u64, Key, Outcome),
    /// An answer of the evaluator comes, or a report that nobody waits for any more.
    Deliver(u64, Box<Input>),
    /// A client asks.
    Order(Order),
    /// Something goes wrong.
    Trouble(usize),
    /// From here on nothing goes wrong.
    Heal,
}

struct World<'a> {
    scenario: &'a Scenario,
    graphs: Vec<Arc<Graph>>,
    ids: Vec<RunId>,
    now: u64,
    /// Events so far; orders those of the same moment.
    planned: u64,
    queue: BTreeMap<(u64, u64), Event>,
    disk: MemoryDisk,
    clock: ManualClock,
    evaluator: Evaluator,
    engine: Option<Engine>,
    /// Engines so far.
    engines: u64,
    boots: u64,
    spool: Spool,
    clients: Clients,
    nemesis: Nemesis,
    healed: bool,
    /// Frames that were written down.
    seen: usize,
    evidence: Evidence,
    coverage: Coverage,
    trace: Trace,
    log: Option<Vec<(u64, String)>>,
}

impl<'a> World<'a> {
    fn new(scenario: &'a Scenario, graphs: Vec<Arc<Graph>>, log: bool) -> Self {
        let ids: Vec<RunId> =
            (0..scenario.runs.len()).map(|run| RunId::new(BEGIN.0 + i64::try_from(run).unwrap_or(0), 7)).collect();
        let plans = ids.iter().map(RunId::to_string).zip(scenario.runs.iter().cloned()).collect();
        let mut world = Self {
            scenario,
            graphs,
            ids,
            now: 0,
            planned: 0,
            queue: BTreeMap::new(),
            disk: MemoryDisk::new(),
            clock: ManualClock::new(BEGIN),
            evaluator: Evaluator::new(Arc::new(Sandbox::new(&[]))),
            engine: None,
            engines: 0,
            boots: 1,
            spool: Spool::default(),
            clients: Clients::default(),
            nemesis: Nemesis::default(),
            healed: false,
            seen: 0,
            evidence: Evidence { plans, troubles: scenario.troubles.len(), ..Evidence::default() },
            coverage: Coverage::default(),
            trace: Trace::default(),
            log: log.then(Vec::new),
        };
        world.disk.slow_image(SLOW_IMAGE);
        world.plan(0, Event::Boot);
        for order in &scenario.orders {
            world.plan(order.at, Event::Order(*order));
        }
        for (number, (at, _)) in scenario.troubles.iter().enumerate() {
            world.plan(*at, Event::Trouble(number));
        }
        world.plan(scenario.heals, Event::Heal);
        world
    }

    /// From the first event to the last.
    fn run(mut self) -> Outcomes {
        let mut events = 0;
        while let Some((at, event)) = self.next_event() {
            events += 1;
            self.pass_until(at);
            if events > MAX_EVENTS || self.now > self.scenario.heals.saturating_add(MAX_CALM) {
                break;
            }
            if let Some(event) = event {
                self.happen(event);
            } else {
                self.poke();
            }
        }
        self.finish();
        let Self { evidence, coverage, trace, log, .. } = self;
        Outcomes { evidence, coverage, trace: trace.value(), log: log.unwrap_or_default() }
    }

    /// The next event and its time; no event when the engine wakes by itself.
    fn next_event(&mut self) -> Option<(u64, Option<Event>)> {
        let planned = self.queue.first_key_value().map(|((at, _), _)| *at);
        let wakes = self.wakes_at();
        match (planned, wakes) {
            (None, None) => None,
            (Some(at), wakes) if wakes.is_none_or(|wakes| at <= wakes) => {
                self.queue.pop_first().map(|(_, event)| (at, Some(event)))
            }
            (_, wakes) => wakes.map(|at| (at, None)),
        }
    }

    fn happen(&mut self, event: Event) {
        self.trace.add(&[self.now, number_of(&event), self.disk.durable().0]);
        match event {
            Event::Boot => self.boot(),
            Event::Turn(engine) => self.turn(engine),
            Event::Follow(engine, turn) => self.follow(engine, *turn),
            Event::Begin(key, plan) => self.begin(key, plan),
            Event::End(key, plan) => self.end(key, plan),
            Event::Sync(key) => self.sync(key),
            Event::Report(engine, key, outcome) => self.report(engine, key, outcome),
            Event::Deliver(engine, input) => self.deliver(engine, *input),
            Event::Order(order) => self.order(order),
            Event::Trouble(number) => self.trouble(number),
            Event::Heal => self.heal(),
        }
    }

    fn plan(&mut self, at: u64, event: Event) {
        self.planned += 1;
        self.queue.insert((at, self.planned), event);
    }

    fn pass_until(&mut self, at: u64) {
        if at > self.now {
            self.clock.advance(at - self.now);
            self.now = at;
        }
    }

    /// A number that hangs on the seed and these names.
    fn fate(&self, names: &[&str], number: u64) -> u64 {
        fate(self.scenario.seed, names, number)
    }

    fn durable(&self) -> u64 {
        self.disk.durable().0
    }

    fn say(&mut self, text: impl FnOnce() -> String) {
        if let Some(log) = &mut self.log {
            log.push((self.now, text()));
        }
    }

    /// Takes note of what has become durable.
    fn observe(&mut self) {
        if self.log.is_none() {
            return;
        }
        for frame in self.disk.frames_behind(self.seen) {
            self.seen += 1;
            for (lsn, bytes) in (frame.first.0..).map(Lsn).zip(&frame.records) {
                self.say(|| super::timeline::record(lsn, bytes));
            }
        }
    }

    /// Notes a request.
    fn note_asked(&mut self, what: &'static str, run: String) -> (usize, String) {
        let place = self.evidence.asked.len();
        let by = format!("user:c{place}");
        let asked_at = self.durable();
        self.evidence.asked.push(Asked { by: by.clone(), what, run, asked_at, answer: None });
        (place, by)
    }
}

const fn number_of(event: &Event) -> u64 {
    match event {
        Event::Boot => 1,
        Event::Turn(_) => 2,
        Event::Follow(..) => 3,
        Event::Begin(..) => 4,
        Event::End(..) => 5,
        Event::Sync(_) => 6,
        Event::Report(..) => 7,
        Event::Deliver(..) => 8,
        Event::Order(_) => 9,
        Event::Trouble(_) => 10,
        Event::Heal => 11,
    }
}
