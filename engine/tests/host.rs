//! The engine as a process has it: a data folder, real commands, callers with a handle.

use std::path::Path;
use std::sync::Arc;

use lockstep_dsl::compile::{NoFiles, compile};
use lockstep_dsl::expr::Sandbox;
use lockstep_dsl::source::Source;
use lockstep_dsl::value::{Map, Timestamp};
use lockstep_engine::api::{Beginning, Event, RefusalKind, Reply, Request, RunView, Start};
use lockstep_engine::core::run::{Resolution, StepStatus};
use lockstep_engine::host::{self, EngineHandle, Options, ReadOnly, Storage};
use lockstep_engine::id::RunId;
use lockstep_engine::store::OpenError;
use lockstep_engine::worker::Action;
use lockstep_engine::worker::command::{Exec, Shell};
use lockstep_engine::worker::launch::Launcher;

fn launcher() -> Launcher {
    Launcher::program(env!("CARGO_BIN_EXE_lockstep-supervise"))
}

async fn open(data: &Path) -> EngineHandle {
    let actions: Vec<Arc<dyn Action>> = vec![Arc::new(Exec::new(launcher())), Arc::new(Shell::new(launcher()))];
    let sandbox = Arc::new(Sandbox::new(&[]));
    host::open(Options {
        data: data.to_owned(),
        actions,
        expected: None,
        sandbox,
        resume: false,
        storage: Storage::default(),
    })
    .await
    .expect("the folder opens")
}

async fn start(engine: &EngineHandle, number: u32, runbook: &str) -> RunId {
    let compiled =
        compile(&Source::new("host.yaml", runbook), &NoFiles, &Sandbox::new(&[])).expect("the runbook compiles");
    let id = RunId::new(Timestamp(1_700_000_000_000).0, number);
    let start = Start {
        id,
        graph: Arc::new(compiled.graph),
        params: Map::new(),
        by: "user:ana".to_owned(),
        cwd: None,
        environment: None,
        beginning: Beginning::default(),
    };
    match engine.call(Request::Start(Box::new(start))).await {
        Reply::Started { run } => run,
        other => panic!("the run did not start: {other:?}"),
    }
}

async fn show(engine: &EngineHandle, run: RunId) -> RunView {
    shown(engine.call(Request::Show { run: run.to_string() }).await)
}

fn shown(reply: Reply) -> RunView {
    match reply {
        Reply::Run(view) => *view,
        other => panic!("the run cannot be shown: {other:?}"),
    }
}

/// Everything that a watcher is sent, to the last event.
async fn watch(engine: &EngineHandle, run: RunId) -> Vec<Event> {
    let mut events = engine.watch(&run.to_string(), false).await.expect("the run is there");
    let mut seen = Vec::new();
    while let Some(event) = events.next().await {
        seen.push(event);
    }
    seen
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_watched_from_its_beginning_to_its_end_and_found_again() {
    let data = tempfile::tempdir().unwrap();
    let engine = open(data.path()).await;
    let run = start(
        &engine,
        1,
        "
runbook: hello
steps:
  - id: greet
    shell: echo hello; echo more >&2
  - id: after
    exec: ['true']
",
    )
    .await;
    let events = watch(&engine, run).await;
    assert!(matches!(&events[0], Event::Started { plan, .. } if plan.len() == 2), "{events:?}");
    let Some(Event::Run { status, error: None, .. }) = events.last() else { panic!("{events:?}") };
    assert_eq!(status, "succeeded");
    engine.idle().await;
    let view = show(&engine, run).await;
    let Event::Started { since, .. } = &events[0] else { panic!("{events:?}") };
    assert_eq!(*since, view.created, "a run's time is counted from when it came to be, whenever it is watched");
    assert_eq!(view.steps[0].outputs["stdout"], "hello");
    let log = &view.steps[0].logs[0];
    assert!(Path::new(log).is_file(), "{log}");
    assert_eq!(std::fs::read_dir(data.path().join("spool")).unwrap().count(), 0, "nothing is left of the attempts");
    engine.close().await.expect("it closes");
    assert!(matches!(engine.call(Request::Show { run: "last".to_owned() }).await, Reply::Refused(_)));

    let looked = ReadOnly::open(data.path()).expect("the folder can be read");
    assert_eq!(shown(looked.call(&Request::Show { run: "last".to_owned() })).status, "succeeded");
    let engine = open(data.path()).await;
    assert_eq!(show(&engine, run).await.steps, view.steps);
    // An ended run is watched as well.
    assert!(matches!(watch(&engine, run).await.last(), Some(Event::Run { .. })));
    engine.close().await.expect("it closes");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_is_to_close_when_idle_goes_on_with_what_was_asked_since() {
    let data = tempfile::tempdir().unwrap();
    let gate = tempfile::tempdir().unwrap();
    let go = gate.path().join("go");
    rustix::fs::mkfifoat(rustix::fs::CWD, &go, rustix::fs::Mode::RWXU).unwrap();
    let engine = open(data.path()).await;
    engine.idle().await;
    // Whoever asked to close did so before this was asked, or just now.
    let run =
        start(&engine, 3, &format!("runbook: late\nsteps:\n  - id: late\n    shell: cat {}\n", go.display())).await;
    assert!(!engine.close_idle().await.expect("it goes on"), "a run goes on");
    let opened = tokio::task::spawn_blocking(move || std::fs::write(go, "went on"));
    assert!(matches!(watch(&engine, run).await.last(), Some(Event::Run { status, .. }) if status == "succeeded"));
    opened.await.unwrap().unwrap();
    engine.idle().await;
    assert!(engine.close_idle().await.expect("it closes"), "nothing goes on");
    assert!(matches!(engine.call(Request::Show { run: "last".to_owned() }).await, Reply::Refused(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_of_which_nobody_knows_the_end_is_in_doubt_until_a_person_says() {
    let data = tempfile::tempdir().unwrap();
    let engine = open(data.path()).await;
    let run = start(&engine, 2, "runbook: long\nsteps:\n  - id: nap\n    shell: echo up; exec sleep 1000\n").await;
    let mut events = engine.watch("last", false).await.unwrap();
    loop {
        match events.next().await.expect("it goes on") {
            Event::Output { line, .. } if line == "up" => break,
            _ => {}
        }
    }
    engine.close().await.expect("it closes");
    // What is written there of the command's end is nothing that can be read.
    std::fs::write(data.path().join(format!("spool/{run}-1/exit")), "damaged").unwrap();
    assert!(events.next().await.is_none(), "a watcher hears that the engine is gone");

    let looked = ReadOnly::open(data.path()).unwrap();
    let view = shown(looked.call(&Request::Show { run: run.to_string() }));
    assert_eq!((view.status.as_str(), view.interrupted), ("running", true));
    assert_eq!(looked.interrupted().collect::<Vec<_>>(), [run]);

    let engine = open(data.path()).await;
    assert!(show(&engine, run).await.interrupted);
    engine.idle().await;
    let by = "user:ana".to_owned();
    assert!(matches!(engine.call(Request::Resume { run: run.to_string(), by: by.clone() }).await, Reply::Done));
    let events = watch(&engine, run).await;
    assert!(matches!(events.last(), Some(Event::Run { status, .. }) if status == "waiting"), "{events:?}");
    assert_eq!(show(&engine, run).await.steps[0].status, StepStatus::InDoubt);
    let how = Resolution::Done { outputs: Map::new() };
    let resolve = Request::Resolve { run: run.to_string(), step: "nap".to_owned(), how, by };
    assert!(matches!(engine.call(resolve).await, Reply::Done));
    engine.idle().await;
    assert_eq!(show(&engine, run).await.status, "succeeded");
    engine.close().await.expect("it closes");
}

#[tokio::test]
async fn a_cancelled_command_is_gone_and_finally_runs() {
    let data = tempfile::tempdir().unwrap();
    let engine = open(data.path()).await;
    let runbook = "
runbook: long
steps:
  - id: nap
    exec: [sleep, '1000']
finally:
  - id: tidy
    exec: ['true']
";
    let run = start(&engine, 3, runbook).await;
    let cancel = Request::Cancel { run: run.to_string(), by: "user:ana".to_owned(), undo: false };
    assert!(matches!(engine.call(cancel).await, Reply::Done));
    engine.idle().await;
    let view = show(&engine, run).await;
    assert_eq!((view.status.as_str(), view.cancelled_by.as_deref()), ("cancelled", Some("user:ana")));
    let statuses: Vec<_> = view.steps.iter().map(|step| (step.path.as_str(), step.status)).collect();
    assert_eq!(statuses, [("nap", StepStatus::Cancelled), ("finally/tidy", StepStatus::Succeeded)]);
    engine.close().await.expect("it closes");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_runs_at_once_all_succeed() {
    let data = tempfile::tempdir().unwrap();
    let engine = open(data.path()).await;
    let mut runs = Vec::new();
    for number in 0..20 {
        runs.push(start(&engine, 100 + number, "runbook: quick\nsteps:\n  - exec: ['true']\n").await);
    }
    engine.idle().await;
    let all = Request::Runs { limit: 100, status: Some("succeeded".to_owned()), runbook: None };
    let Reply::Runs(rows) = engine.call(all).await else { panic!("no rows") };
    runs.sort();
    runs.reverse();
    assert_eq!(rows.iter().map(|row| row.id).collect::<Vec<_>>(), runs);
    engine.close().await.expect("it closes");
}

#[tokio::test]
async fn a_folder_has_one_engine() {
    let data = tempfile::tempdir().unwrap();
    let engine = open(data.path()).await;
    let options = Options {
        data: data.path().to_owned(),
        actions: Vec::new(),
        expected: None,
        sandbox: Arc::new(Sandbox::new(&[])),
        resume: false,
        storage: Storage::default(),
    };
    assert!(matches!(host::open(options).await, Err(OpenError::Locked { .. })));
    engine.close().await.expect("it closes");
    open(data.path()).await.close().await.expect("once closed, the folder is free");
}

#[tokio::test]
async fn what_cannot_be_done_is_said() {
    let data = tempfile::tempdir().unwrap();
    let engine = open(data.path()).await;
    let refusal = engine.watch("last", false).await.expect_err("there is no run");
    assert_eq!(refusal.kind, RefusalKind::Invalid);
    let cancel = Request::Cancel { run: "zzz".to_owned(), by: "user:ana".to_owned(), undo: false };
    assert!(matches!(engine.call(cancel).await, Reply::Refused(refusal) if refusal.kind == RefusalKind::Invalid));
    engine.close().await.expect("it closes");
    assert!(ReadOnly::open(data.path().join("nothing")).is_err());
}
