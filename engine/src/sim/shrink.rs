//! Makes a failing scenario small: leaves out whatever it also fails without.

use super::campaign::judge;
use super::runbook::{Kind, OnError, Runbook, Step};
use super::scenario::{Ask, Scenario};

/// Simulations that one shrinking may take.
const MAX_TRIES: u32 = 3_000;

/// The smallest scenario that was found in which the same invariant does not hold.
pub fn shrink(scenario: &Scenario, invariant: &str) -> Scenario {
    shrink_while(scenario, |smaller| judge(smaller).violations.iter().any(|found| found.invariant == invariant))
}

/// The smallest scenario that was found for which this still holds.
pub fn shrink_while(scenario: &Scenario, holds: impl Fn(&Scenario) -> bool) -> Scenario {
    let mut smallest = scenario.clone();
    let mut tries = MAX_TRIES;
    let mut again = true;
    while again && tries > 0 {
        again = false;
        for cut in CUTS {
            let mut place = 0;
            while tries > 0 {
                let mut smaller = smallest.clone();
                if !cut(&mut smaller, place) {
                    break;
                }
                tries -= 1;
                if holds(&smaller) {
                    smallest = smaller;
                    again = true;
                } else {
                    place += 1;
                }
            }
        }
    }
    smallest
}

/// Leaves something out. Says whether there was something at that place.
type Cut = fn(&mut Scenario, usize) -> bool;

const CUTS: [Cut; 7] = [nothing_wrong, no_run, no_trouble, no_order, no_step, no_block, no_option];

/// All troubles at once, while all that happens is still there: later one of them may be what makes up for the rest.
fn nothing_wrong(scenario: &mut Scenario, place: usize) -> bool {
    let there = place == 0 && !scenario.troubles.is_empty();
    if there {
        scenario.troubles.clear();
    }
    there
}

fn no_run(scenario: &mut Scenario, place: usize) -> bool {
    // The first stands for itself: a scenario without any has nothing to fail.
    if place >= scenario.runs.len() || scenario.runs.len() == 1 {
        return false;
    }
    // Left in its place, so that the others keep their names, but never started.
    let before = scenario.orders.len();
    scenario.orders.retain(|order| order.run != place);
    if before == scenario.orders.len() {
        return place + 1 < scenario.runs.len() && no_run(scenario, place + 1);
    }
    true
}

fn no_trouble(scenario: &mut Scenario, place: usize) -> bool {
    take_out(&mut scenario.troubles, place)
}

fn no_order(scenario: &mut Scenario, place: usize) -> bool {
    let mut others: Vec<usize> = Vec::new();
    for (number, order) in scenario.orders.iter().enumerate() {
        if order.what != Ask::Start {
            others.push(number);
        }
    }
    others.get(place).is_some_and(|number| take_out(&mut scenario.orders, *number))
}

fn no_step(scenario: &mut Scenario, place: usize) -> bool {
    let mut left = place;
    scenario.runs.iter_mut().any(|runbook| {
        let lists = [(1, &mut runbook.steps), (0, &mut runbook.on_failure), (0, &mut runbook.finally)];
        lists.into_iter().any(|(keep, steps)| take_step(steps, keep, &mut left))
    })
}

/// Takes the step with this number out, counted through all lists inside; a list keeps so many.
fn take_step(steps: &mut Vec<Step>, keep: usize, left: &mut usize) -> bool {
    let mut place = 0;
    while place < steps.len() {
        if *left == 0 {
            if steps.len() <= keep {
                return false;
            }
            steps.remove(place);
            return true;
        }
        *left -= 1;
        let bodies = bodies(&steps[place]);
        let inner = steps[place].blocks_mut();
        if inner.into_iter().enumerate().any(|(number, inner)| take_step(inner, usize::from(number < bodies), left)) {
            return true;
        }
        place += 1;
    }
    false
}

/// How many of a step's lists are what it does, and so must not be empty.
fn bodies(step: &Step) -> usize {
    step.blocks().len() - step.catch.len() - 2
}

/// Puts what is in a block in the place of it.
fn no_block(scenario: &mut Scenario, place: usize) -> bool {
    let mut left = place;
    scenario.runs.iter_mut().any(|runbook| {
        [&mut runbook.steps, &mut runbook.on_failure, &mut runbook.finally]
            .into_iter()
            .any(|steps| unwrap_block(steps, &mut left))
    })
}

fn unwrap_block(steps: &mut Vec<Step>, left: &mut usize) -> bool {
    for place in 0..steps.len() {
        if steps[place].is_block() {
            if *left == 0 {
                let mut block = steps.remove(place);
                let mut inner = std::mem::take(block.blocks_mut()[0]);
                for step in &mut inner {
                    step.id = format!("{}{}", block.id, step.id);
                    step.needs = None;
                }
                steps.splice(place..place, inner);
                return true;
            }
            *left -= 1;
        }
        if steps[place].blocks_mut().into_iter().any(|inner| unwrap_block(inner, left)) {
            return true;
        }
    }
    false
}

fn no_option(scenario: &mut Scenario, place: usize) -> bool {
    let mut left = place;
    scenario.runs.iter_mut().any(|runbook| {
        let own: [fn(&mut Runbook) -> bool; 2] =
            [|runbook| runbook.timeout.take().is_some(), |runbook| std::mem::take(&mut runbook.outputs)];
        for clear in own {
            let mut without = runbook.clone();
            if clear(&mut without) {
                if left == 0 {
                    *runbook = without;
                    return true;
                }
                left -= 1;
            }
        }
        let lists = [&mut runbook.steps, &mut runbook.on_failure, &mut runbook.finally];
        lists.into_iter().any(|steps| clear_option(steps, &mut left))
    })
}

fn clear_option(steps: &mut [Step], left: &mut usize) -> bool {
    steps.iter_mut().any(|step| {
        let before = step.clone();
        for option in OPTIONS {
            let mut without = before.clone();
            if option(&mut without) {
                if *left == 0 {
                    *step = without;
                    return true;
                }
                *left -= 1;
            }
        }
        step.blocks_mut().into_iter().any(|inner| clear_option(inner, left))
    })
}

/// Clears an option. Says whether it was there.
type Clear = fn(&mut Step) -> bool;

const OPTIONS: [Clear; 15] = [
    |step| std::mem::take(&mut step.title),
    |step| step.needs.take().is_some(),
    |step| step.when.take().is_some(),
    |step| std::mem::take(&mut step.disabled),
    |step| step.retry.take().is_some(),
    |step| step.until.take().is_some(),
    |step| step.attempt.take().is_some(),
    |step| step.until.is_none() && step.total.take().is_some(),
    |step| std::mem::replace(&mut step.on_error, OnError::Fail) != OnError::Fail,
    |step| !std::mem::take(&mut step.catch).is_empty(),
    |step| std::mem::take(&mut step.outputs),
    |step| step.probe.take().is_some(),
    |step| !matches!(step.kind, Kind::Count) && step.next.take().is_some(),
    |step| !std::mem::take(&mut step.undo).is_empty(),
    |step| step.probe.is_none() && step.effect.take().is_some(),
];

fn take_out<T>(list: &mut Vec<T>, place: usize) -> bool {
    let there = place < list.len();
    if there {
        list.remove(place);
    }
    there
}
