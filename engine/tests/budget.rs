//! The storage budget of an engine that is asked for more than it allows, however long it takes to make room: each story in
//! a process of its own, in which bases take their time, or are not done before somebody lets them.

#![expect(clippy::unwrap_used, reason = "a test whose own preparations fail should stop right there")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use lockstep_dsl::compile::{NoFiles, compile};
use lockstep_dsl::expr::Sandbox;
use lockstep_dsl::graph::Graph;
use lockstep_dsl::source::Source;
use lockstep_dsl::value::{Map, Timestamp};
use lockstep_engine::api::{Beginning, Gone, RefusalKind, Reply, Request, RunView, Start};
use lockstep_engine::doctor::{Grade, examine};
use lockstep_engine::host::{self, EngineHandle, Options, Storage};
use lockstep_engine::id::RunId;

const MAX: u64 = 96 * 1024 * 1024;
/// Bytes of each run's parameter, which does not become shorter when it is compressed.
const NOTE: usize = 64 * 1024;
/// They take half as much again as there may be.
const RUNS: u32 = 2_400;
const OPEN: &str = "runbook: open\nsteps: [{ id: a, set: { kept: 7 } }, { id: b, wait: 1h }]\n";
const LARGE: &str = "runbook: large\nparams: { note: string }\nsteps: [{ id: a, set: { x: 1 } }]\n";

/// Tells the process which story is its own: the data folder.
const DATA: &str = "LOCKSTEP_TEST_BUDGET_DATA";
/// The file that lets the bases go on which hang.
const RELEASE: &str = "LOCKSTEP_FAULTS_RELEASE";

#[test]
fn runs_wait_until_there_is_room_and_no_state_goes() {
    tell("every_run_starts", &[("LOCKSTEP_FAULTS", "base.rename=before:delay")]);
}

#[test]
fn runs_are_refused_where_no_room_comes_and_everything_else_goes_on() {
    tell("no_room_comes", &[("LOCKSTEP_FAULTS", "base.rename=before:hang")]);
}

/// Tells a story in a process of its own.
#[track_caller]
fn tell(story: &str, environment: &[(&str, &str)]) {
    let folder = tempfile::tempdir().unwrap();
    let told = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", story, "--nocapture"])
        .env(DATA, folder.path().join("data"))
        .env(RELEASE, folder.path().join("release"))
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    let said = [told.stdout, told.stderr].concat();
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&said));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_run_starts() {
    let Some(data) = std::env::var_os(DATA).map(PathBuf::from) else { return };
    let mut world = World::open(&data).await;
    for number in 1..=RUNS {
        let reply = world.start(number).await;
        assert!(matches!(reply, Reply::Started { .. }), "{reply:?}");
    }
    assert!(world.most > MAX / 2, "{} bytes come near the budget", world.most);
    world.holds(RUNS).await;
    world.engine.close().await.unwrap();
    assert!(size(&data) <= MAX);
    let world = World::of(&data, host::open(options(&data)).await.unwrap());
    world.holds(RUNS).await;
    world.engine.close().await.unwrap();
    let report = examine(&data).unwrap();
    assert!(report.worst() < Some(Grade::Damage), "{:?}", report.findings);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_room_comes() {
    let Some(data) = std::env::var_os(DATA).map(PathBuf::from) else { return };
    let mut world = World::open(&data).await;
    let mut started = 0;
    let refusal = loop {
        match world.start(started + 1).await {
            Reply::Started { .. } => started += 1,
            Reply::Refused(refusal) => break refusal,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(refusal.kind, RefusalKind::Store);
    assert!(refusal.message.ends_with("the run was not started; room is being made"), "{refusal:?}");
    assert!(refusal.help[0].contains("`storage.max`"), "{refusal:?}");
    let least = u32::try_from(MAX / 2 / NOTE as u64 / 2).unwrap();
    assert!(started > least, "what fits is started: {started}");
    // What is there is told and goes on.
    world.is_open().await;
    let again = world.ask_for(started).await;
    assert!(matches!(again, Reply::Started { .. }), "it is there already: {again:?}");
    let cancel = Request::Cancel { run: open_run().to_string(), by: "user:ana".to_owned(), undo: false };
    assert!(matches!(world.engine.call(cancel).await, Reply::Done));
    assert_eq!(world.show(open_run()).await.status, "cancelled");
    assert!(world.most <= MAX);

    std::fs::write(std::env::var_os(RELEASE).unwrap(), "").unwrap();
    let reply = world.start(started + 1).await;
    assert!(matches!(reply, Reply::Started { .. }), "there is room again: {reply:?}");
    world.engine.close().await.unwrap();
}

/// An engine with a budget, and the most that its folder was seen to take.
struct World {
    data: PathBuf,
    engine: EngineHandle,
    graph: Arc<Graph>,
    most: u64,
}

impl World {
    /// A new folder, with a run that stays open.
    async fn open(data: &Path) -> Self {
        let mut world = Self::of(data, host::open(options(data)).await.unwrap());
        let graph = std::mem::replace(&mut world.graph, graph(OPEN));
        assert!(matches!(world.start(0).await, Reply::Started { .. }));
        world.graph = graph;
        world
    }

    fn of(data: &Path, engine: EngineHandle) -> Self {
        Self { data: data.to_owned(), engine, graph: graph(LARGE), most: 0 }
    }

    /// Asks for a run and waits for the answer; looks at the folder all the while.
    async fn start(&mut self, number: u32) -> Reply {
        let (engine, request) = (self.engine.clone(), self.request(number));
        let mut answer = std::pin::pin!(engine.call(request));
        let mut looks = tokio::time::interval(Duration::from_millis(10));
        let reply = loop {
            tokio::select! {
                biased;
                reply = &mut answer => break reply,
                _ = looks.tick() => self.look(),
            }
        };
        self.look();
        reply
    }

    async fn ask_for(&self, number: u32) -> Reply {
        self.engine.call(self.request(number)).await
    }

    fn request(&self, number: u32) -> Request {
        let mut params = Map::new();
        if number > 0 {
            params.insert("note".into(), noise(number.into(), NOTE).into());
        }
        Request::Start(Box::new(Start {
            id: run(number),
            graph: Arc::clone(&self.graph),
            params,
            by: "user:ana".to_owned(),
            cwd: None,
            environment: None,
            beginning: Beginning::default(),
        }))
    }

    fn look(&mut self) {
        self.most = self.most.max(size(&self.data));
        assert!(self.most <= MAX, "{} bytes", self.most);
    }

    async fn show(&self, run: RunId) -> RunView {
        match self.engine.call(Request::Show { run: run.to_string() }).await {
            Reply::Run(view) => *view,
            other => panic!("the run cannot be shown: {other:?}"),
        }
    }

    /// The run that stays open is whole.
    async fn is_open(&self) {
        let view = self.show(open_run()).await;
        assert_eq!((view.status.as_str(), &view.steps[0].outputs["kept"]), ("waiting", &7.into()));
    }

    /// Every run is listed; of the oldest that has ended no more is left.
    async fn holds(&self, runs: u32) {
        let all = Request::Runs { limit: 5_000, status: None, runbook: None };
        let Reply::Runs(rows) = self.engine.call(all).await else { panic!("no list") };
        assert_eq!(rows.len(), 1 + runs as usize);
        let view = self.show(run(1)).await;
        assert!(matches!(view.gone, Some(Gone::Retention { at: Some(_) })), "{view:?}");
        assert_eq!((view.status.as_str(), view.steps.len()), ("succeeded", 0));
        assert_eq!(self.show(open_run()).await.steps[0].outputs["kept"], 7);
        assert_eq!(self.show(run(runs)).await.status, "succeeded");
    }
}

fn options(data: &Path) -> Options {
    Options {
        data: data.to_owned(),
        actions: Vec::new(),
        expected: None,
        sandbox: Arc::new(Sandbox::new(&[])),
        resume: false,
        storage: Storage { max: Some(MAX), ..Storage::default() },
    }
}

fn graph(runbook: &str) -> Arc<Graph> {
    let compiled = compile(&Source::new("budget.yaml", runbook), &NoFiles, &Sandbox::new(&[]));
    Arc::new(compiled.expect("the runbook compiles").graph)
}

fn run(number: u32) -> RunId {
    RunId::new(Timestamp(1_700_000_000_000).0, number)
}

fn open_run() -> RunId {
    run(0)
}

/// Bytes of all files below a folder.
fn size(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let size_of = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => size(&entry.path()),
        // What goes just then does not count.
        metadata => metadata.map_or(0, |metadata| metadata.len()),
    };
    entries.map(size_of).sum()
}

/// Text that does not become shorter when it is compressed.
fn noise(seed: u64, bytes: usize) -> String {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(b'!' + u8::try_from(state >> 32 & 63).expect("six bits"))
    });
    next.take(bytes).collect()
}
