//! What steps cost, in counts that no noise can touch: frames, records, bytes.

use std::sync::Arc;

use lockstep_dsl::value::Map;
use lockstep_engine::api::{Beginning, Request, Start};
use lockstep_engine::driver::{Caller, Effect, Input};
use lockstep_engine::id::{Lsn, RunId};
use lockstep_engine::store::{Frame, Frames};
use lockstep_engine::worker::Outcome;

use crate::case::{Case, NOON, graph};

/// The frames of a run that went through, from the one that created it.
fn frames_of(runbook: &str) -> Vec<Frame> {
    let mut case = Case::of(runbook);
    case.start();
    case.settle();
    let mut frames = Vec::new();
    let read = case.disk.log().read(Lsn(1), &mut |frame| {
        frames.push(frame);
        true
    });
    read.expect("the journal can be read");
    frames
}

fn bytes(frame: &Frame) -> usize {
    frame.records.iter().map(Vec::len).sum()
}

#[test]
fn steps_without_a_worker_ride_along() {
    let acting = "  - exec: ['true']\n".repeat(5);
    let computing = "  - exec: ['true']\n  - set: { a: 1 }\n  - script: 1 + 1\n  - assert: 1 < 2\n".repeat(5);
    let few = frames_of(&format!("runbook: few\nsteps:\n{acting}"));
    let many = frames_of(&format!("runbook: many\nsteps:\n{computing}"));
    assert_eq!(few.len(), many.len(), "a step that only computes costs no frame of its own");
}

#[test]
fn the_frame_of_a_step_does_not_grow_with_the_steps_before_it() {
    let steps = "  - exec: ['true', '${{ run.id }}']\n    when: run.by != \"\"\n".repeat(400);
    let frames = frames_of(&format!("runbook: long\nsteps:\n{steps}"));
    assert!(frames.len() >= 401, "{} frames", frames.len());
    let (early, late) = (&frames[10], &frames[390]);
    assert_eq!(early.records.len(), late.records.len());
    // Numbers of steps and tokens are a little longer.
    assert!(bytes(late) <= bytes(early) + 32, "{} bytes after {}", bytes(late), bytes(early));
    assert!(bytes(late) <= 512, "{} bytes", bytes(late));
}

#[test]
fn runs_that_go_on_at_once_share_their_frames() {
    const RUNS: u32 = 200;
    const STEPS: usize = 10;
    let text = format!("runbook: ten\nsteps:\n{}", "  - exec: ['true']\n".repeat(STEPS));
    let graph = Arc::new(graph(&text));
    let mut case = Case::of(&text);
    let start = |number: u32| {
        let id = RunId::new(NOON.0, number);
        let (graph, by) = (Arc::clone(&graph), "user:ana".to_owned());
        let start =
            Start { id, graph, params: Map::new(), by, cwd: None, environment: None, beginning: Beginning::default() };
        Input::Request { caller: Caller(u64::from(number)), request: Request::Start(Box::new(start)) }
    };
    let before = case.disk.appends();
    let mut inputs: Vec<_> = (0..RUNS).map(start).collect();
    let mut steps = 0;
    loop {
        let turn = case.driver().turn(std::mem::take(&mut inputs));
        for effect in turn.effects {
            if let Effect::Start { step, attempt } = effect {
                let outcome = Outcome::Succeeded { outputs: Map::new() };
                inputs.push(Input::Reported { run: attempt.run, step, token: attempt.token, outcome });
                steps += 1;
            }
        }
        if inputs.is_empty() && !turn.again {
            break;
        }
    }
    assert_eq!(steps, RUNS as usize * STEPS);
    let frames = case.disk.appends() - before;
    // New runs come in some at a time, so that they do not hold up the others.
    assert!(frames <= 20, "{frames} frames for {steps} steps");
    assert!(case.driver().is_idle(), "every run has ended");
}

#[test]
fn a_run_that_waits_is_counted_as_going_on_and_goes_on_in_time() {
    let mut case = Case::of("runbook: nap\nsteps:\n  - wait: 1h\n  - exec: ['true']\n");
    case.start();
    assert!(!case.driver().is_idle());
    assert_eq!(case.view().status, "waiting");
    case.settle();
    assert_eq!(case.view().status, "succeeded");
    assert!(case.driver().is_idle());
}
