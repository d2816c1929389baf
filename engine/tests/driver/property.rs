//! Random runbooks with random outcomes and crashes: every run ends, and what the journal says is what is in memory.

use std::fmt::{self, Write as _};

use lockstep_dsl::value::Map;
use lockstep_engine::core::run::{Resolution, StepStatus};
use lockstep_engine::encode::encode;
use proptest::prelude::*;

use crate::case::{Case, Dies, Does};

/// A step of a random runbook.
#[derive(Clone, Debug)]
enum Plan {
    Exec { outcomes: Vec<Result<(), bool>>, options: &'static str },
    Do(Vec<Plan>),
    Parallel(Vec<Vec<Plan>>, &'static str),
    Wait,
}

fn plan() -> impl Strategy<Value = Plan> {
    let outcome = prop_oneof![4 => Just(Ok(())), 2 => Just(Err(true)), 1 => Just(Err(false))];
    let options = prop_oneof![
        Just(""),
        Just("effect: idempotent"),
        Just("retry: 2"),
        Just("on_error: continue"),
        Just("on_error: late"),
        Just("timeout: 1m"),
        Just("catch: [{ steps: [{ exec: [mend] }] }]"),
    ];
    let exec = (prop::collection::vec(outcome, 1..4), options)
        .prop_map(|(outcomes, options)| Plan::Exec { outcomes, options });
    let leaf = prop_oneof![8 => exec, 1 => Just(Plan::Wait)];
    leaf.prop_recursive(3, 12, 3, |inner| {
        let block = prop::collection::vec(inner, 1..3);
        let on_fail = prop_oneof![Just("stop"), Just("cancel"), Just("late")];
        prop_oneof![
            block.clone().prop_map(Plan::Do),
            (prop::collection::vec(block, 1..3), on_fail).prop_map(|(branches, fail)| Plan::Parallel(branches, fail)),
        ]
    })
}

/// The text of a block, and what its commands do by path.
fn write(plans: &[Plan], indent: usize, path: &str, text: &mut String, scripts: &mut Vec<(String, Vec<Does>)>) {
    let pad = " ".repeat(indent);
    for (number, plan) in plans.iter().enumerate() {
        let id = format!("s{number}");
        let path = if path.is_empty() { id.clone() } else { format!("{path}/{id}") };
        line(text, format_args!("{pad}- id: {id}"));
        match plan {
            Plan::Exec { outcomes, options } => {
                line(text, format_args!("{pad}  exec: [x]"));
                if !options.is_empty() {
                    line(text, format_args!("{pad}  {options}"));
                }
                let does = outcomes.iter().map(|outcome| match outcome {
                    Ok(()) => Does::Prints(""),
                    Err(true) => Does::Exits(1),
                    Err(false) => Does::IsLost,
                });
                scripts.push((path, does.collect()));
            }
            Plan::Do(inner) => {
                line(text, format_args!("{pad}  finally: [{{ exec: [tidy] }}]\n{pad}  do:"));
                write(inner, indent + 4, &path, text, scripts);
            }
            Plan::Parallel(branches, on_fail) => {
                line(text, format_args!("{pad}  parallel:\n{pad}    on_fail: {on_fail}\n{pad}    branches:"));
                for (number, branch) in branches.iter().enumerate() {
                    line(text, format_args!("{pad}      b{number}:"));
                    write(branch, indent + 8, &format!("{path}/b{number}"), text, scripts);
                }
            }
            Plan::Wait => line(text, format_args!("{pad}  wait: 90s")),
        }
    }
}

fn line(text: &mut String, line: fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("text takes all that is written");
}

/// Lets the run go on to its end; a person resolves what is in doubt.
fn to_the_end(case: &mut Case) {
    for _ in 0..100 {
        case.settle();
        if !case.is_alive() {
            return;
        }
        let view = case.view();
        let Some(doubted) = view.steps.iter().find(|step| step.status == StepStatus::InDoubt) else { return };
        case.resolve(&doubted.path, Resolution::Done { outputs: Map::new() });
    }
    panic!("the run does not end");
}

/// The bytes of the run in memory.
fn bytes(case: &mut Case) -> Vec<u8> {
    let id = case.view().id;
    encode(&*case.driver().run(id).expect("the run is in memory"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn every_run_ends_and_the_journal_says_all(
        plans in prop::collection::vec(plan(), 1..4),
        crash in prop::option::of((1_u64..12, prop::bool::ANY)),
    ) {
        let (mut text, mut scripts) = ("runbook: random\nsteps:\n".to_owned(), Vec::new());
        write(&plans, 2, "", &mut text, &mut scripts);
        text.push_str("finally:\n  - exec: [last]\n");
        let mut case = Case::of(&text);
        case.disk.fail_image(true);
        for (path, does) in scripts {
            case = case.step(&path, does);
        }
        if let Some((append, before)) = crash {
            case = case.dies_at(append, if before { Dies::BeforeEffects } else { Dies::AfterEffects });
        }
        case.start();
        to_the_end(&mut case);
        if !case.is_alive() {
            case.open();
            case.resume();
            to_the_end(&mut case);
        }
        let view = case.view();
        prop_assert!(view.ended.is_some(), "{text}\n{view:#?}");
        prop_assert!(view.steps.iter().all(|step| step.status.is_end()), "{text}\n{view:#?}");
        let live = bytes(&mut case);
        case.crash();
        case.open();
        prop_assert_eq!(bytes(&mut case), live, "{}", text);
    }
}
