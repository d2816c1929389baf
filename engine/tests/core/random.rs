//! Random plans with random outcomes: every run ends, and at every moment the invariants hold that [`Case`] checks.

use lockstep_dsl::graph::{OnError, OnFail};
use lockstep_engine::id::StepNo;
use proptest::prelude::*;

use crate::case::{Case, failed, ok, unknown};
use crate::plan::{Plan, Step, What, block, exec, foreach, plan, repeat, step};

fn leaf() -> impl Strategy<Value = Step> {
    let what = prop_oneof![
        6 => Just(What::Exec),
        1 => Just(What::Script),
        1 => Just(What::Set("v", 1)),
        1 => Just(What::Wait(50)),
        1 => Just(What::Fail),
        1 => Just(What::Finish),
    ];
    (what, any::<[bool; 6]>(), 1..4_u32, prop_oneof![Just(OnError::Fail), Just(OnError::Continue), Just(OnError::Late)])
        .prop_map(|(what, [pure, retry, timeout, needs, until, outputs], tries, on_error)| {
            let mut step = step("s", what).on_error(on_error);
            step.outputs = outputs;
            if pure {
                step = step.pure();
            }
            if retry {
                step = step.retry(tries);
            } else if until && pure {
                step = step.until(20).total(200);
            }
            if timeout {
                step = step.timeout(100);
            }
            if needs {
                step.needs = Some(Vec::new());
            }
            step
        })
}

fn steps(inner: impl Strategy<Value = Step>) -> impl Strategy<Value = Vec<Step>> {
    proptest::collection::vec(inner, 1..4).prop_map(|mut steps| {
        for (no, step) in steps.iter_mut().enumerate() {
            step.name = format!("s{no}");
        }
        steps
    })
}

fn any_step() -> impl Strategy<Value = Step> {
    leaf().boxed().prop_recursive(3, 24, 4, |inner| {
        let on_fail = prop_oneof![Just(OnFail::Stop), Just(OnFail::Cancel), Just(OnFail::Late)];
        prop_oneof![
            3 => inner.clone(),
            1 => (steps(inner.clone()), any::<bool>())
                .prop_map(|(steps, timeout)| if timeout { block("b", steps).timeout(150) } else { block("b", steps) }),
            1 => (steps(inner.clone()), 1..4_u32).prop_map(|(steps, tries)| block("b", steps).retry(tries)),
            1 => (steps(inner.clone()), steps(leaf())).prop_map(|(steps, finally)| block("b", steps).finally(finally)),
            1 => (steps(inner.clone()), 1..4_u64, 0..3_u64, on_fail.clone()).prop_map(
                |(steps, concurrency, tolerate, on_fail)| foreach("e", concurrency, tolerate, on_fail, steps)
            ),
            1 => (steps(inner.clone()), 1..4_u32).prop_map(|(steps, max)| repeat("r", max, steps)),
            1 => (steps(inner.clone()), 1..4_u32)
                .prop_map(|(steps, tries)| foreach("e", 2, 0, OnFail::Stop, steps).retry(tries)),
            1 => (steps(inner.clone()), 1..4_u32).prop_map(|(steps, tries)| repeat("r", 3, steps).retry(tries)),
            1 => (leaf(), steps(inner.clone())).prop_map(|(step, handler)| step.catch(handler)),
            1 => (steps(inner.clone()), steps(inner), on_fail, any::<bool>()).prop_map(|(x, y, on_fail, race)| {
                step("p", What::Parallel(vec![("x", x), ("y", y)], on_fail, race.then_some(1)))
            }),
        ]
    })
}

fn any_plan() -> impl Strategy<Value = Plan> {
    (steps(any_step()), any::<[bool; 4]>()).prop_map(|(steps, [on_failure, finally, timeout, outputs])| {
        let mut plan = plan(steps);
        if on_failure {
            plan = plan.on_failure(vec![exec("page")]);
        }
        if finally {
            plan = plan.finally(vec![exec("tidy"), exec("more")]);
        }
        if timeout {
            plan = plan.timeout(2_000);
        }
        plan.outputs = outputs;
        plan
    })
}

/// Has some step skipped, if one can be.
fn skip_any(case: &mut Case, choice: u8) {
    let paths: Vec<String> = case.statuses().into_iter().map(|(path, _)| path).collect();
    if let Some(path) = paths.get(usize::from(choice) % paths.len().max(1)) {
        // What cannot be skipped is refused, and that changes nothing.
        let _ = case.skip(path);
    }
}

/// The plan with something in it changed for the so-manyth time: a step added, removed or renamed.
fn change_any(plan: &mut Plan, number: usize, choice: u8) {
    let mut steps = &mut plan.steps;
    let mut choice = usize::from(choice);
    // Deeper, where there is something deeper and the choice says so.
    while choice.is_multiple_of(2) {
        choice /= 2;
        let inner =
            steps.iter().position(|step| matches!(step.what, What::Do(_) | What::Foreach(..) | What::Repeat(..)));
        let Some(place) = inner.filter(|_| choice > 0) else { break };
        match &mut steps[place].what {
            What::Do(inner) | What::Foreach(inner, ..) | What::Repeat(inner, _) => steps = inner,
            _ => unreachable!("it was just looked at"),
        }
    }
    let place = (choice / 4) % steps.len().max(1);
    match choice % 4 {
        0 => steps.insert(place, exec(&format!("n{number}"))),
        1 if steps.len() > 1 => drop(steps.remove(place)),
        2 => steps[place].name = format!("r{number}"),
        _ => steps.push(exec(&format!("m{number}")).pure()),
    }
    for step in steps {
        step.needs = step.needs.take().filter(Vec::is_empty);
    }
}

/// The runbook's own steps whose result stays whatever the run does next, with how often an attempt of each was granted.
fn kept(case: &Case) -> Vec<(StepNo, usize)> {
    let (run, granted) = (case.run(), case.granted_steps());
    let main = run.latest.get(&(None, run.graph.main)).copied();
    let well = main.into_iter().flat_map(|main| run.steps_of(main));
    let well = well.filter(|no| run.step(*no).status().name() == "succeeded");
    well.map(|no| (no, granted.iter().filter(|other| **other == no).count())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn a_run_that_is_edited_keeps_what_succeeded_and_ends(
        plan in any_plan(),
        changes in proptest::collection::vec(any::<u8>(), 8),
        choices in proptest::collection::vec(any::<u8>(), 40..120),
    ) {
        let (mut case, mut plan) = (Case::new(&plan), plan);
        let (mut choices, mut changes) = (choices.into_iter().chain(std::iter::repeat(0)), changes.into_iter().enumerate());
        for _ in 0..5_000 {
            if case.run().is_ended() {
                let Some((number, change)) = changes.next().filter(|_| case.status() != "succeeded") else { return Ok(()) };
                let (before, line) = (kept(&case), case.line());
                let mut edited = plan.clone();
                change_any(&mut edited, number, change);
                if case.edit(&edited).is_err() {
                    prop_assert_eq!(case.line(), line, "what is refused changes nothing");
                    case.retry().expect("what did not succeed can be retried");
                } else {
                    plan = edited;
                }
                let after = kept(&case);
                for step in before {
                    prop_assert!(after.contains(&step), "step {} had succeeded: {}", step.0.0, case.line());
                }
                continue;
            }
            let running = case.running();
            let choice = choices.next().unwrap_or(0);
            let doubtful = case.statuses().into_iter().find(|(_, status)| status.name() == "in_doubt");
            match (choice % 8, running.get(usize::from(choice / 8) % running.len().max(1)), doubtful) {
                (0..=4, Some(path), _) => { case.report(path, ok()); }
                (5..=6, Some(path), _) => { case.report(path, failed()); }
                (_, None, Some((path, _))) => { case.report(&path, ok()); }
                (_, _, _) => { case.pass(u64::from(choice) + 25); }
            }
        }
        prop_assert!(false, "the run never ended: {}", case.line());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn every_run_ends(plan in any_plan(), choices in proptest::collection::vec(any::<u8>(), 40..200)) {
        let mut case = Case::new(&plan);
        let mut choices = choices.into_iter().chain(std::iter::repeat(0));
        let mut retried = 0;
        for _ in 0..5_000 {
            if case.run().is_ended() {
                if retried == 2 || case.status() == "succeeded" {
                    return Ok(());
                }
                retried += 1;
                case.retry().expect("what did not succeed can be retried");
                continue;
            }
            let running = case.running();
            let choice = choices.next().unwrap_or(0);
            let doubtful = case.statuses().into_iter().find(|(_, status)| status.name() == "in_doubt");
            match (choice % 16, running.get(usize::from(choice / 16) % running.len().max(1)), doubtful) {
                (0..=6, Some(path), _) => { case.report(path, ok()); }
                (7..=10, Some(path), _) => { case.report(path, failed()); }
                (11, Some(path), _) => { case.report(path, unknown()); }
                (12, _, _) if choice >= 128 => { case.cancel(); }
                (12, _, _) => { let _ = case.pause(); }
                (13, _, _) if choice >= 128 => { skip_any(&mut case, choice); }
                (13, _, _) | (_, None, None) if case.run().is_paused() => { case.unpause().expect("it is paused"); }
                (_, None, Some((path, _))) => { case.report(&path, if choice % 2 == 0 { ok() } else { failed() }); }
                (_, _, _) => { case.pass(u64::from(choice) + 25); }
            }
        }
        prop_assert!(false, "the run never ended: {}", case.line());
    }
}
