//! The engine under measurement: the real one, with an action that does nothing.

use std::path::Path;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lockstep_dsl::compile::{NoFiles, compile};
use lockstep_dsl::expr::Sandbox;
use lockstep_dsl::graph::Graph;
use lockstep_dsl::source::Source;
use lockstep_dsl::value::{Map, Timestamp, Value};
use lockstep_engine::api::{Beginning, Reply, Request, Start};
use lockstep_engine::host::{self, EngineHandle, Options, Storage};
use lockstep_engine::id::RunId;
use lockstep_engine::store::journal::JournalStats;
use lockstep_engine::worker::{Action, Attempt, OnProgress, Outcome, StopSignal};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::meter::{memory, processor};
use crate::ending::Failure;

/// A lane holds one run at a time; the action counts in it how often a last step is done.
type Lanes = Arc<Vec<Lane>>;

struct Lane {
    done: Semaphore,
    count: AtomicU32,
    marks: Mutex<Vec<Mark>>,
}

/// So many last steps are done from one mark to the next.
pub const MARK: u32 = 100;

/// What the process had used when a last step was done: noted by the step itself, however late anybody looks.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    /// Processor time so far.
    pub processor: Duration,
    /// Bytes of memory.
    pub memory: u64,
}

impl Mark {
    fn now() -> Self {
        Self { processor: processor(), memory: memory() }
    }
}

impl Lane {
    fn new() -> Self {
        Self { done: Semaphore::new(0), count: AtomicU32::new(0), marks: Mutex::default() }
    }

    fn note(&self) {
        if (self.count.fetch_add(1, Ordering::Relaxed) + 1).is_multiple_of(MARK) {
            self.marks().push(Mark::now());
        }
        self.done.add_permits(1);
    }

    fn marks(&self) -> MutexGuard<'_, Vec<Mark>> {
        self.marks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An engine whose `exec` does nothing. Cloning shares it.
#[derive(Clone)]
pub struct Engine {
    handle: EngineHandle,
    lanes: Lanes,
    number: Arc<AtomicU32>,
}

struct Nothing(Lanes);

impl Action for Nothing {
    fn name(&self) -> &'static str {
        "exec"
    }

    fn run_now(&self, attempt: &Attempt) -> Option<Outcome> {
        if let Some(Value::List(words)) = attempt.input.get("argv")
            && let [Value::String(what), Value::Int(lane)] = words.as_slice()
            && what == "last"
            && let Some(lane) = usize::try_from(*lane).ok().and_then(|lane| self.0.get(lane))
        {
            lane.note();
        }
        Some(Outcome::Succeeded { outputs: Map::new() })
    }

    fn run<'a>(
        &'a self,
        _: &'a Attempt,
        _: StopSignal,
        _: OnProgress,
    ) -> Pin<Box<dyn Future<Output = Outcome> + Send + 'a>> {
        unreachable!("every attempt is run at once")
    }
}

impl Engine {
    /// Opens a folder with room for so many runs at a time that are followed to their ends.
    pub async fn open(data: &Path, lanes: usize) -> Result<Self, Failure> {
        let lanes: Lanes = Arc::new((0..lanes).map(|_| Lane::new()).collect());
        let actions: Vec<Arc<dyn Action>> = vec![Arc::new(Nothing(Arc::clone(&lanes)))];
        let sandbox = Arc::new(Sandbox::new(&[]));
        let options = Options {
            data: data.to_owned(),
            actions,
            expected: None,
            sandbox,
            resume: false,
            storage: Storage::default(),
        };
        Ok(Self { handle: host::open(options).await?, lanes, number: Arc::default() })
    }

    /// Starts a run in a lane; it is durable then.
    pub async fn start(&self, graph: &Arc<Graph>, lane: usize) -> Result<(), Failure> {
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let lane = Value::Int(i64::try_from(lane).unwrap_or(i64::MAX));
        let start = Start {
            // Ids hold 20 bits beside the time: the time is counted on so that each is new.
            id: RunId::new(Timestamp(1_700_000_000_000).0 + i64::from(number >> 20), number & 0xf_ffff),
            graph: Arc::clone(graph),
            params: Map::from([("lane".to_owned(), lane)]),
            by: "user:bench".to_owned(),
            cwd: None,
            environment: None,
            beginning: Beginning::default(),
        };
        match self.handle.call(Request::Start(Box::new(start))).await {
            Reply::Started { .. } => Ok(()),
            Reply::Refused(refusal) => Err(refusal.into()),
            other => panic!("a start is answered by a run, not by {other:?}"),
        }
    }

    /// Runs so many runs in a lane, one after another.
    pub async fn run(&self, graph: &Arc<Graph>, lane: usize, count: usize) -> Result<(), Failure> {
        for _ in 0..count {
            self.start(graph, lane).await?;
            self.steps_done(lane, 1).await;
        }
        Ok(())
    }

    /// Starts runs that are not followed, all at once.
    pub async fn start_many(&self, graph: &Arc<Graph>, count: usize) -> Result<(), Failure> {
        let start = |lane| {
            let (engine, graph) = (self.clone(), Arc::clone(graph));
            tokio::spawn(async move { engine.start(&graph, lane).await })
        };
        join((0..count).map(start).collect()).await
    }

    /// Runs so many runs in each of the first lanes.
    pub async fn run_lanes(&self, graph: &Arc<Graph>, lanes: usize, count: usize) -> Result<(), Failure> {
        let run = |lane| {
            let (engine, graph) = (self.clone(), Arc::clone(graph));
            tokio::spawn(async move { engine.run(&graph, lane, count).await })
        };
        join((0..lanes).map(run).collect()).await
    }

    /// Ends when so many last steps of a lane's run have come.
    pub async fn steps_done(&self, lane: usize, count: u32) {
        self.lanes[lane].done.acquire_many(count).await.expect("a lane is never closed").forget();
    }

    /// Runs it alone, in the first lane: what the process had used at its start, and at each hundredth last step.
    pub async fn marked(&self, graph: &Arc<Graph>) -> Result<Vec<Mark>, Failure> {
        let lane = &self.lanes[0];
        lane.count.store(0, Ordering::Relaxed);
        *lane.marks() = vec![Mark::now()];
        self.start(graph, 0).await?;
        self.idle().await;
        Ok(std::mem::take(&mut *lane.marks()))
    }

    /// Ends when nothing goes on by itself any more.
    pub async fn idle(&self) {
        self.handle.idle().await;
    }

    /// What the journal has done so far.
    pub async fn journal(&self) -> JournalStats {
        self.handle.stats().await.unwrap_or_default()
    }

    /// Closes the folder.
    pub async fn close(self) -> Result<(), Failure> {
        self.handle.close().await.map_err(|stopped| {
            let kind = lockstep_engine::api::RefusalKind::Store;
            lockstep_engine::api::Refusal { kind, message: stopped.to_string(), help: Vec::new() }.into()
        })
    }
}

async fn join(tasks: Vec<JoinHandle<Result<(), Failure>>>) -> Result<(), Failure> {
    for task in tasks {
        task.await.unwrap_or_else(|error| panic!("a task of the bench broke: {error}"))?;
    }
    Ok(())
}

/// What the journal did between two moments.
pub const fn between(before: JournalStats, after: JournalStats) -> JournalStats {
    JournalStats {
        appends: after.appends - before.appends,
        syncs: after.syncs - before.syncs,
        bytes: after.bytes - before.bytes,
    }
}

/// A runbook of so many steps in sequence, each with a `when` and a template, all of effect `once`.
pub fn sequence(steps: usize) -> Arc<Graph> {
    use std::fmt::Write as _;
    let mut text = "runbook: bench/sequence\nparams:\n  lane: int\nsteps:\n".to_owned();
    for number in 1..=steps {
        let what = if number == steps { "last" } else { "next" };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  - id: step{number}\n    exec: [{what}, '${{{{ params.lane }}}}']");
        let _ = writeln!(text, "    when: params.lane >= 0\n    effect: once");
    }
    runbook(&text)
}

/// A runbook of our own.
pub fn runbook(text: &str) -> Arc<Graph> {
    let compiled = compile(&Source::new("bench.yaml", text), &NoFiles, &Sandbox::new(&[]));
    Arc::new(compiled.unwrap_or_else(|wrong| panic!("the bench's runbook is sound: {wrong:?}")).graph)
}
