//! How random runbooks are made up: only such as the compiler lets through.

use super::{Catch, Effect, Ends, Items, Kind, Next, OnError, Retry, Runbook, Step};
use crate::sim::random::Dice;
use crate::sim::scenario::Edition;

/// Steps of one runbook at most, so that a seed takes milliseconds.
const MAX_STEPS: u64 = 14;

/// Blocks in blocks at most.
const MAX_DEPTH: u64 = 3;

/// Makes up a runbook.
pub fn runbook(dice: &mut Dice, edition: Edition, name: String) -> Runbook {
    let mut grammar = Grammar::new(dice, edition);
    let timeout = grammar.sometimes(Taste::RunTimeout, 30).then(|| grammar.dice.between(20, 600) * 1_000);
    let ceiling = timeout.unwrap_or(HOUR);
    let steps = grammar.block(0, ceiling, Place::Main);
    let on_failure = grammar.extra(Taste::OnFailure, 30);
    let finally = grammar.extra(Taste::Finally, 50);
    let outputs = grammar.dice.percent(20);
    Runbook { name, steps, on_failure, finally, timeout, outputs }
}

const HOUR: u64 = 3_600_000;

/// What a runbook may like to use. A seed leaves a third of them out, so that those it uses meet more often.
#[derive(Clone, Copy)]
enum Taste {
    RunTimeout,
    OnFailure,
    Finally,
    Blocks,
    Parallel,
    Switch,
    Foreach,
    Repeat,
    Needs,
    When,
    Disabled,
    Retry,
    Timeout,
    OnError,
    Catch,
    StepFinally,
    Until,
    Waits,
    Pure,
    Http,
    Finish,
    People,
    Probe,
    Undo,
    Next,
}

/// Where a block stands, and with that what may stand in it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The runbook's own steps, and blocks in them.
    Main,
    /// A branch, where `finish` may not stand.
    Branch,
    /// A handler or what comes last.
    Aside,
    /// What undoes, or where nothing is undone any more.
    Late,
}

impl Place {
    /// Whether names there have to be told from those of other blocks of the same step.
    const fn is_aside(self) -> bool {
        matches!(self, Self::Aside | Self::Late)
    }

    /// Where a handler or an end of a step that stands here is.
    const fn inside(self) -> Self {
        match self {
            Self::Main | Self::Branch | Self::Aside => Self::Aside,
            Self::Late => Self::Late,
        }
    }
}

struct Grammar<'a> {
    dice: &'a mut Dice,
    edition: Edition,
    tastes: u64,
    left: u64,
    named: u64,
}

impl<'a> Grammar<'a> {
    fn new(dice: &'a mut Dice, edition: Edition) -> Self {
        let tastes = dice.next() | dice.next();
        let left = dice.between(1, MAX_STEPS);
        Self { dice, edition, tastes, left, named: 0 }
    }

    /// True so many times in a hundred, and never where the runbook has no taste for it.
    fn sometimes(&mut self, taste: Taste, chance: u64) -> bool {
        let wanted = self.tastes & (1 << taste as u64) != 0;
        self.dice.percent(chance) && wanted
    }

    /// The same, of what the first edition does not have: there nothing is drawn for it.
    fn lately(&mut self, taste: Taste, chance: u64) -> bool {
        self.edition >= Edition::Second && self.sometimes(taste, chance)
    }

    /// A few steps for a handler or an end, or none.
    fn extra(&mut self, taste: Taste, chance: u64) -> Vec<Step> {
        if self.sometimes(taste, chance) {
            self.left += 2;
            self.block(MAX_DEPTH, HOUR, Place::Late)
        } else {
            Vec::new()
        }
    }

    fn block(&mut self, depth: u64, ceiling: u64, place: Place) -> Vec<Step> {
        let count = self.dice.between(1, 4).min(self.left.max(1));
        let mut steps: Vec<Step> = Vec::new();
        let is_graph = self.sometimes(Taste::Needs, 40);
        for number in 0..count {
            let letter = ["a", "b", "c", "d"][usize::try_from(number).unwrap_or(0)];
            // Handlers of one step share their place in paths, so what is in them has names of its own.
            self.named += u64::from(place.is_aside());
            let id = if place.is_aside() { format!("{letter}x{}", self.named) } else { format!("{letter}{depth}") };
            let mut step = self.step(id, depth, ceiling, place);
            if is_graph {
                let needs = steps.iter().filter(|_| self.dice.percent(40)).map(|step| step.id.clone()).collect();
                step.needs = Some(needs);
            }
            steps.push(step);
        }
        if !is_graph && self.lately(Taste::Next, 30) {
            self.lead_on(&mut steps);
        }
        steps
    }

    /// Lets a step of a block go on elsewhere: behind others, or back, so often.
    fn lead_on(&mut self, steps: &mut Vec<Step>) {
        let from = usize::try_from(self.dice.below(steps.len() as u64)).unwrap_or(0);
        let back = self.dice.percent(50);
        if back {
            let target = self.dice.pick(&steps[..=from]).id.clone();
            let mut count = Step::new(format!("{}n", steps[from].id), Kind::Count);
            count.next = Some(Next::To(target));
            steps.insert(from + 1, count);
            return;
        }
        let target = self.dice.pick(&steps[from..]).id.clone();
        let step = &mut steps[from];
        if matches!(step.kind, Kind::Fail | Kind::Finish(_)) || step.disabled {
            return;
        }
        // Where it always led on, what it passes over would never be reached, and the compiler says so.
        step.when.get_or_insert(true);
        step.next = Some(if target == step.id { Next::End } else { Next::To(target) });
    }

    fn step(&mut self, id: String, depth: u64, ceiling: u64, place: Place) -> Step {
        self.left = self.left.saturating_sub(1);
        let is_block = depth < MAX_DEPTH && self.left > 1 && self.sometimes(Taste::Blocks, 35);
        // Settled before the kind, since what is inside must not take longer.
        let limit = self.sometimes(Taste::Timeout, 35).then(|| self.limit(ceiling));
        let inner = limit.unwrap_or(ceiling);
        let kind = if is_block { self.block_kind(depth, inner, place) } else { self.leaf_kind(place) };
        let mut step = Step::new(id, kind);
        if let Some(limit) = limit {
            if step.is_acting() && self.dice.percent(30) {
                step.total = Some(limit);
            } else if step.is_acting() || step.is_block() || step.awaits() {
                step.attempt = Some(limit);
            }
        }
        step.title = self.dice.percent(5);
        self.options(&mut step, ceiling);
        let around = step.total.or(step.attempt).unwrap_or(ceiling);
        self.asides(&mut step, around, place);
        step
    }

    fn limit(&mut self, ceiling: u64) -> u64 {
        (self.dice.between(2, 120) * 500).min(ceiling)
    }

    fn block_kind(&mut self, depth: u64, ceiling: u64, place: Place) -> Kind {
        if self.sometimes(Taste::Switch, 25) {
            return self.switch(depth, ceiling);
        }
        if self.sometimes(Taste::Foreach, 25) {
            return self.foreach(depth, ceiling);
        }
        if self.sometimes(Taste::Repeat, 25) {
            return self.repeat(depth, ceiling);
        }
        if !self.sometimes(Taste::Parallel, 50) {
            return Kind::Do(self.block(depth + 1, ceiling, place));
        }
        let count = self.dice.between(2, 3);
        let branches: Vec<_> = ["left", "middle", "right"]
            .into_iter()
            .take(usize::try_from(count).unwrap_or(1))
            .map(|name| (name.to_owned(), self.block(depth + 1, ceiling, Place::Branch)))
            .collect();
        let on_fail = *self.dice.pick(&["stop", "cancel", "late"]);
        let wins = self.dice.percent(35).then(|| self.dice.between(1, count));
        Kind::Parallel { branches, on_fail, wins }
    }

    fn switch(&mut self, depth: u64, ceiling: u64) -> Kind {
        let value = self.dice.percent(50).then(|| self.dice.percent(50));
        let count = self.dice.between(1, 2);
        let mut cases = Vec::new();
        for number in 1..=count {
            let (name, matches) = match value {
                Some(value) => ((number == 1).to_string(), value == (number == 1)),
                None => (format!("case#{number}"), self.dice.percent(50)),
            };
            cases.push((name, matches, self.block(depth + 1, ceiling, Place::Branch)));
        }
        let otherwise = self.dice.percent(60).then(|| self.block(depth + 1, ceiling, Place::Branch));
        Kind::Switch { value, cases, otherwise }
    }

    fn foreach(&mut self, depth: u64, ceiling: u64) -> Kind {
        let count = self.dice.below(6);
        let items = *self.dice.pick(&[Items::List(count), Items::Range(count), Items::File(count)]);
        Kind::Foreach {
            items,
            concurrency: self.dice.between(1, 3),
            tolerate: self.dice.below(3),
            on_fail: self.dice.pick::<&str>(&["stop", "cancel", "late"]),
            steps: self.block(depth + 1, ceiling, Place::Branch),
        }
    }

    fn repeat(&mut self, depth: u64, ceiling: u64) -> Kind {
        let rounds = self.dice.between(1, 4);
        Kind::Repeat {
            ends: *self.dice.pick(&[Ends::Until, Ends::While]),
            rounds,
            // One in a few comes to no end.
            max: if self.dice.percent(75) { rounds + 1 } else { self.dice.between(1, rounds) },
            every: self.dice.percent(40).then(|| self.dice.between(1, 20) * 100),
            steps: self.block(depth + 1, ceiling, Place::Branch),
        }
    }

    fn leaf_kind(&mut self, place: Place) -> Kind {
        if self.lately(Taste::People, 15) {
            let quorum = self.dice.between(1, 2);
            return self.dice.pick(&[Kind::Await, Kind::Approve(quorum), Kind::Ask]).clone();
        }
        if self.sometimes(Taste::Http, 15) {
            return Kind::Http(self.dice.pick::<&str>(&["GET", "POST", "PUT"]));
        }
        if self.sometimes(Taste::Waits, 15) {
            let ms = self.dice.between(1, 300) * 100;
            return if self.dice.percent(70) { Kind::WaitFor(ms) } else { Kind::WaitUntil(ms) };
        }
        if place == Place::Main && self.sometimes(Taste::Finish, 3) {
            return Kind::Finish(self.dice.percent(50));
        }
        match self.dice.below(100) {
            0..60 => Kind::Exec,
            60..75 => Kind::Shell,
            75..82 => Kind::Set,
            82..89 => Kind::Script(self.dice.percent(40)),
            89..95 => Kind::Assert(self.dice.percent(80)),
            _ => Kind::Fail,
        }
    }

    fn options(&mut self, step: &mut Step, ceiling: u64) {
        if self.sometimes(Taste::When, 20) {
            step.when = Some(self.dice.percent(60));
        }
        if matches!(step.kind, Kind::Fail | Kind::Finish(_)) {
            // What stands behind one that always runs is never reached, and the compiler says so.
            step.when = Some(self.dice.percent(50));
        }
        step.disabled = step.when.is_none() && self.sometimes(Taste::Disabled, 5);
        if step.is_acting() {
            if self.sometimes(Taste::Pure, 40) {
                step.effect = Some(*self.dice.pick(&[Effect::Pure, Effect::Idempotent, Effect::Once]));
            }
            step.outputs = self.dice.percent(10);
            if step.effective() != Effect::Once && self.sometimes(Taste::Until, 25) {
                step.until = Some(self.dice.between(1, 20) * 500);
                step.total = Some(self.limit(ceiling));
                step.attempt = None;
            }
        }
        if step.is_acting() && step.effective() == Effect::Once && self.lately(Taste::Probe, 40) {
            step.probe = Some(self.dice.percent(50));
        }
        let can_retry = step.until.is_none() && (step.is_acting() || step.is_block());
        if can_retry && self.sometimes(Taste::Retry, 30) {
            step.retry = Some(self.retry());
            if step.is_block() {
                step.effect = Some(Effect::Idempotent);
            }
        }
        if !matches!(step.kind, Kind::Finish(_) | Kind::Approve(_)) {
            step.on_error = match self.dice.below(100) {
                0..12 if self.tastes & (1 << Taste::OnError as u64) != 0 => OnError::Continue,
                12..20 if self.tastes & (1 << Taste::OnError as u64) != 0 => OnError::Late,
                _ => OnError::Fail,
            };
        }
    }

    /// Its handlers and what comes at its end, in which nothing may take longer than `ceiling`.
    fn asides(&mut self, step: &mut Step, ceiling: u64, place: Place) {
        // Behind a handler of an approval nothing may go on as if somebody had approved.
        if matches!(step.kind, Kind::Finish(_) | Kind::Approve(_)) {
            return;
        }
        // What a handler does counts as what its step does, and `until` does not repeat what must run once.
        if step.until.is_none() && self.sometimes(Taste::Catch, 15) {
            step.catch = self.handlers(ceiling, place.inside());
        }
        if step.is_block() && self.sometimes(Taste::StepFinally, 25) {
            self.left += 1;
            step.finally = self.block(MAX_DEPTH, ceiling, place.inside());
        }
        let can_undo = place != Place::Late && (step.is_acting() || step.is_block());
        if can_undo && self.lately(Taste::Undo, 30) {
            self.left += 1;
            step.undo = self.block(MAX_DEPTH, HOUR, Place::Late);
        }
    }

    fn retry(&mut self) -> Retry {
        let delay = self.dice.between(0, 40) * 100;
        Retry {
            attempts: self.dice.between(2, 5),
            delay,
            factor: self.dice.between(1, 3),
            max_delay: delay + self.dice.between(0, 60) * 100,
            jitter: self.dice.percent(40),
            when: self.dice.percent(25),
        }
    }

    fn handlers(&mut self, ceiling: u64, place: Place) -> Vec<Catch> {
        let mut handlers = Vec::new();
        if self.dice.percent(40) {
            handlers.push(Catch {
                kind: Some(*self.dice.pick::<&str>(&["timeout", "failed", "lost"])),
                steps: self.handler(ceiling, place),
            });
        }
        if handlers.is_empty() || self.dice.percent(50) {
            handlers.push(Catch { kind: None, steps: self.handler(ceiling, place) });
        }
        handlers
    }

    fn handler(&mut self, ceiling: u64, place: Place) -> Vec<Step> {
        if self.dice.percent(20) {
            return Vec::new();
        }
        self.left += 1;
        self.block(MAX_DEPTH, ceiling, place)
    }
}
