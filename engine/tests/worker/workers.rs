//! The workers of a process: each attempt ends once.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use lockstep_dsl::value::Value;
use lockstep_engine::worker::command::{Exec, Shell};
use lockstep_engine::worker::local::{Ended, LocalWorkers, OnAnyProgress};
use lockstep_engine::worker::{Action, Attempt, OnProgress, Outcome, StopSignal};
use tokio::runtime::Handle;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::support::{Case, launcher};

struct Broken;

impl Action for Broken {
    fn name(&self) -> &'static str {
        "broken"
    }

    fn run<'a>(
        &'a self,
        _attempt: &'a Attempt,
        _stop: StopSignal,
        _progress: OnProgress,
    ) -> Pin<Box<dyn Future<Output = Outcome> + Send + 'a>> {
        Box::pin(async { panic!("on purpose") })
    }
}

fn workers(progress: OnAnyProgress) -> (LocalWorkers, UnboundedReceiver<Ended>) {
    let (sender, ended) = unbounded_channel();
    let actions: [Arc<dyn Action>; 3] =
        [Arc::new(Shell::new(launcher())), Arc::new(Exec::new(launcher())), Arc::new(Broken)];
    (LocalWorkers::new(actions, sender, progress), ended)
}

#[tokio::test]
async fn every_attempt_ends_once_with_its_token() {
    let (workers, mut ended) = workers(Arc::new(|_, _, _, _| {}));
    let cases: Vec<_> = (0..20).map(|number| Case::shell(&format!("exit {number}"))).collect();
    for case in &cases {
        workers.start(case.attempt.clone(), &Handle::current());
    }
    for _ in &cases {
        let end = ended.recv().await.unwrap();
        let number = cases.iter().position(|case| case.attempt.token == end.token).unwrap();
        let (Outcome::Succeeded { outputs } | Outcome::Failed { outputs, .. }) = end.outcome else { panic!("an end") };
        assert_eq!(outputs["exit_code"], Value::Int(number.try_into().unwrap()));
    }
    assert_eq!(workers.running(), 0);
}

#[tokio::test]
async fn a_stop_reaches_the_attempt_it_names() {
    let (sender, mut ready) = unbounded_channel();
    let (workers, mut ended) =
        workers(Arc::new(move |_, step, token, _| sender.send((step.to_owned(), token)).unwrap()));
    let case = Case::shell("echo ready; exec sleep 1000");
    workers.start(case.attempt.clone(), &Handle::current());
    assert_eq!(ready.recv().await.unwrap(), ("block/step".to_owned(), case.attempt.token));
    assert!(workers.stop(case.attempt.run, case.attempt.token));
    let end = ended.recv().await.unwrap();
    assert!(matches!(end.outcome, Outcome::Failed { error, .. } if error.message == "killed by SIGTERM"));
    assert!(!workers.stop(case.attempt.run, case.attempt.token));
}

#[tokio::test]
async fn an_unknown_action_is_invalid_and_a_panic_is_an_unknown_outcome() {
    let (workers, mut ended) = workers(Arc::new(|_, _, _, _| {}));
    assert!(workers.knows("shell") && !workers.knows("slack/post"));
    workers.start(Case::new("slack/post").attempt, &Handle::current());
    let end = ended.recv().await.unwrap();
    assert!(matches!(end.outcome, Outcome::Failed { error, .. } if error.kind == "invalid"));
    workers.start(Case::new("broken").attempt, &Handle::current());
    assert!(matches!(ended.recv().await.unwrap().outcome, Outcome::Unknown { .. }));
}
