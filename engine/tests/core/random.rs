//! Random plans with random outcomes: every run ends, and at every moment the invariants hold that [`Case`] checks.

use lockstep_dsl::graph::{OnError, OnFail};
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
