//! A stopped attempt ends with all its processes, and says how.

use std::sync::Arc;

use lockstep_dsl::value::{Millis, Value};
use lockstep_engine::worker::{OnProgress, Outcome, Progress, Stopper};

use crate::support::{Case, action};

/// Runs the attempt, and stops it as soon as it prints `ready`.
async fn stopped_when_ready(case: &Case) -> Outcome {
    let (stopper, stop) = Stopper::new();
    let seen = case.progress();
    let progress: OnProgress = Arc::new(move |line| {
        let Progress::Line { text, .. } = &line;
        if text == "ready" {
            stopper.stop();
        }
        seen(line);
    });
    action(&case.attempt.action).run(&case.attempt, stop, progress).await
}

fn message(outcome: Outcome) -> String {
    match outcome {
        Outcome::Failed { error, .. } => error.message,
        other => format!("{other:?}"),
    }
}

#[tokio::test]
async fn it_is_asked_to_end_first() {
    let case = Case::shell("trap 'echo cleaning; exit 5' TERM\necho ready\nwhile :; do sleep 0.05; done");
    assert_eq!(message(stopped_when_ready(&case).await), "exit code 5");
    assert!(case.lines().contains(&"cleaning".to_owned()), "{:?}", case.lines());
}

#[tokio::test]
async fn without_a_handler_it_dies_of_sigterm() {
    assert_eq!(message(stopped_when_ready(&Case::shell("echo ready; exec sleep 1000")).await), "killed by SIGTERM");
}

#[tokio::test]
async fn it_is_killed_after_the_grace() {
    let mut case = Case::shell("trap '' TERM\necho ready\nwhile :; do sleep 0.05; done");
    case.attempt.grace = Millis(100);
    assert_eq!(message(stopped_when_ready(&case).await), "killed by SIGKILL");
}

#[tokio::test]
async fn a_stopped_process_is_woken_to_end() {
    let case = Case::shell("trap 'exit 6' TERM\necho ready\nkill -STOP $$\nwhile :; do sleep 0.05; done");
    assert_eq!(message(stopped_when_ready(&case).await), "exit code 6");
}

#[tokio::test]
async fn the_whole_group_ends() {
    // A grandchild that its parent has left, and that does not listen.
    let mut case =
        Case::shell("(sh -c 'trap \"\" TERM; echo $$; echo ready; while :; do sleep 0.05; done' &)\nsleep 1000");
    case.attempt.grace = Millis(300);
    assert_eq!(message(stopped_when_ready(&case).await), "killed by SIGTERM");
    let pid: i32 = case.lines()[0].parse().unwrap();
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    assert!(stat.is_empty() || stat.contains(") Z "), "{stat}");
}

#[tokio::test]
async fn an_end_in_time_is_told_as_it_was() {
    let case = Case::shell("trap 'exit 0' TERM\necho ready\nwhile :; do sleep 0.05; done");
    let Outcome::Succeeded { outputs } = stopped_when_ready(&case).await else { panic!("exit code 0") };
    assert_eq!(outputs["exit_code"], Value::Int(0));
}
