//! A run in a world of its own: a disk that can be made to fail, a clock that stands still until it is moved, and
//! commands whose outcomes are scripted by the path of their step.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use lockstep_dsl::compile::{NoFiles, compile};
use lockstep_dsl::expr::Sandbox;
use lockstep_dsl::graph::Graph;
use lockstep_dsl::source::Source;
use lockstep_dsl::value::{Map, Timestamp, Value};
use lockstep_engine::api::{Beginning, Edition, Reply, Request, RunView, Start, StepView};
use lockstep_engine::clock::ManualClock;
use lockstep_engine::core::run::{Question, Resolution, StepStatus};
use lockstep_engine::driver::{Caller, Driver, Effect, Input, Places, Turn};
use lockstep_engine::eval::Evaluator;
use lockstep_engine::id::{RunId, StepNo, Token};
use lockstep_engine::store::OpenError;
use lockstep_engine::store::memory::MemoryDisk;
use lockstep_engine::worker::{Attempt, Failure, Outcome};

pub const NOON: Timestamp = Timestamp(1_700_000_000_000);

/// What a command does.
#[derive(Clone, Debug)]
pub enum Does {
    /// Ends well, with this on standard output.
    Prints(&'static str),
    /// Ends with an exit code.
    Exits(i64),
    /// Nobody learns how it ended.
    IsLost,
    /// Runs until it is asked to stop.
    Hangs,
}

/// An attempt that began in the world.
#[derive(Clone, Debug, PartialEq)]
pub struct Begun {
    /// The step's path.
    pub step: String,
    pub number: u32,
    pub token: u64,
    pub key: String,
    pub once: bool,
    pub input: Map,
    /// How long after the case began, in milliseconds.
    pub after: u64,
}

/// The world, and the driver in it.
pub struct Case {
    pub disk: MemoryDisk,
    pub clock: ManualClock,
    graph: Graph,
    driver: Option<Driver<MemoryDisk>>,
    run: RunId,
    scripts: BTreeMap<String, VecDeque<Does>>,
    running: Vec<(StepNo, Attempt, Does)>,
    /// Everything that began, in order.
    pub begun: Vec<Begun>,
    /// Every answer to a request, in order.
    pub replies: Vec<Reply>,
    /// How often something was evaluated outside of a turn.
    pub evaluations: usize,
    callers: u64,
    elapsed: u64,
    /// The engine dies with the append of this number: before what it leads to is done, or after.
    dies: Option<(u64, Dies)>,
}

/// When an engine dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dies {
    /// The frame is durable, nothing has come of it yet.
    BeforeEffects,
    /// Its effects have begun.
    AfterEffects,
}

/// The graph of a runbook.
pub fn graph(runbook: &str) -> Graph {
    match compile(&Source::new("case.yaml", runbook), &NoFiles, &Sandbox::new(&[])) {
        Ok(compiled) => compiled.graph,
        Err(diagnostics) => panic!("the case's runbook does not compile: {diagnostics:#?}"),
    }
}

impl Case {
    /// A case of a runbook, nothing started.
    pub fn of(runbook: &str) -> Self {
        Self::of_graph(graph(runbook))
    }

    /// A case of a graph, nothing started.
    pub fn of_graph(graph: Graph) -> Self {
        let mut case = Self {
            disk: MemoryDisk::new(),
            clock: ManualClock::new(NOON),
            graph,
            driver: None,
            run: RunId::new(NOON.0, 7),
            scripts: BTreeMap::new(),
            running: Vec::new(),
            begun: Vec::new(),
            replies: Vec::new(),
            evaluations: 0,
            callers: 0,
            elapsed: 0,
            dies: None,
        };
        case.open();
        case
    }

    /// The graph with something changed in it that no compiler would have let through.
    pub fn of_broken(runbook: &str, breaks: impl FnOnce(&mut Graph)) -> Self {
        let mut graph = Self::of(runbook).graph;
        breaks(&mut graph);
        Self::of_graph(graph)
    }

    /// The request that starts another run, of another runbook.
    pub fn start_other(runbook: &str, number: u32) -> Request {
        let graph = Self::of(runbook).graph;
        let id = RunId::new(NOON.0, number);
        Request::Start(Box::new(Start {
            id,
            graph: Arc::new(graph),
            params: Map::new(),
            by: "user:ben".to_owned(),
            cwd: None,
            environment: None,
            beginning: Beginning::default(),
        }))
    }

    /// The same runbook in a new world.
    pub fn again(&self) -> Self {
        Self::of_graph(self.graph.clone())
    }

    /// Says what the attempts of a step do, one after another; the last of it for all further ones. Without a script a
    /// command succeeds.
    pub fn step(mut self, path: &str, does: impl IntoIterator<Item = Does>) -> Self {
        self.scripts.insert(path.to_owned(), does.into_iter().collect());
        self
    }

    /// Opens the driver over the disk.
    pub fn open(&mut self) {
        self.try_open().expect("the store opens");
    }

    /// Opens the driver over the disk if it can be opened.
    pub fn try_open(&mut self) -> Result<(), OpenError> {
        let places = Places { logs: "/data/logs".into(), spool: "/data/spool".into() };
        let opened = Driver::open(
            self.disk.clone(),
            Box::new(self.clock.clone()),
            Evaluator::new(std::sync::Arc::new(Sandbox::new(&[]))),
            places,
        );
        self.driver = Some(opened?);
        Ok(())
    }

    /// The engine dies at this append.
    pub fn dies_at(mut self, append: u64, when: Dies) -> Self {
        self.dies = Some((append, when));
        self
    }

    /// Whether the engine is there.
    pub fn is_alive(&self) -> bool {
        self.driver.is_some()
    }

    pub fn driver(&mut self) -> &mut Driver<MemoryDisk> {
        self.driver.as_mut().expect("the driver is open")
    }

    /// The engine dies, and commands with it; what was not synced is lost.
    pub fn crash(&mut self) {
        self.driver = None;
        self.dies = None;
        self.running.clear();
        self.disk.crash();
    }

    /// Asks for something and takes the turns that follow from it at once.
    pub fn ask(&mut self, request: Request) -> Reply {
        let before = self.replies.len();
        self.send(request);
        self.replies.get(before).expect("a request is answered in its turn").clone()
    }

    /// Asks for something; the engine may die before it answers.
    pub fn send(&mut self, request: Request) {
        self.callers += 1;
        self.turn([Input::Request { caller: Caller(self.callers), request }]);
    }

    /// The request that starts the run.
    pub fn start_request(&self) -> Request {
        self.start_request_with(Map::new())
    }

    /// The request that starts the run, with parameters.
    pub fn start_request_with(&self, params: Map) -> Request {
        let start = Start {
            id: self.run,
            graph: Arc::new(self.graph.clone()),
            params,
            by: "user:ana".to_owned(),
            cwd: None,
            environment: None,
            beginning: Beginning::default(),
        };
        Request::Start(Box::new(start))
    }

    /// Starts the run.
    pub fn start(&mut self) {
        let request = self.start_request();
        self.send(request);
        match self.replies.last() {
            Some(Reply::Started { run }) => assert_eq!(*run, self.run),
            None => assert!(!self.is_alive(), "a request is answered in its turn"),
            other => panic!("the run did not start: {other:?}"),
        }
    }

    pub fn resume(&mut self) -> Reply {
        let run = self.run.to_string();
        self.ask(Request::Resume { run, by: "user:ana".to_owned() })
    }

    pub fn cancel(&mut self) -> Reply {
        let run = self.run.to_string();
        self.ask(Request::Cancel { run, by: "user:ana".to_owned(), undo: false })
    }

    pub fn retry(&mut self) -> Reply {
        let run = self.run.to_string();
        self.ask(Request::Retry { run, by: "user:ana".to_owned() })
    }

    /// The request that has the run go on under another runbook, with parameters that are new there.
    pub fn edit_request(&self, runbook: &str, params: Map) -> Request {
        let mut request = Self::edit_of(self.run, graph(runbook));
        if let Request::RetryEdited { edition, .. } = &mut request {
            edition.params = params;
        }
        request
    }

    /// The request that has a run go on under another runbook.
    pub fn edit_of(run: RunId, graph: Graph) -> Request {
        let (graph, file, params) = (Arc::new(graph), "corrected.yaml".to_owned(), Map::new());
        let edition = Box::new(Edition { graph, file, params });
        Request::RetryEdited { run: run.to_string(), edition, by: "user:ben".to_owned() }
    }

    pub fn edit(&mut self, runbook: &str) -> Reply {
        let request = self.edit_request(runbook, Map::new());
        self.ask(request)
    }

    pub fn resolve(&mut self, step: &str, how: Resolution) {
        let run = self.run.to_string();
        self.send(Request::Resolve { run, step: step.to_owned(), how, by: "user:ana".to_owned() });
    }

    /// One turn, and those that are due at once.
    pub fn turn(&mut self, inputs: impl IntoIterator<Item = Input>) {
        let turn = self.driver().turn(inputs);
        let mut again = self.follow(turn);
        while again && self.is_alive() {
            let turn = self.driver().turn([]);
            again = self.follow(turn);
        }
        if self.is_alive() {
            let turn = self.driver().tend();
            self.follow(turn);
        }
    }

    fn follow(&mut self, turn: Turn) -> bool {
        let dies = self.dies.filter(|(append, _)| self.disk.appends() >= *append);
        if let Some((_, Dies::BeforeEffects)) = dies {
            self.crash();
            return false;
        }
        let mut again = turn.again;
        for effect in turn.effects {
            match effect {
                Effect::Answer(_, reply) => self.replies.push(reply),
                Effect::Start { step, attempt } => self.begin(step, *attempt),
                Effect::Recover { step, attempt, .. } => {
                    let why = "the engine stopped while the command ran".to_owned();
                    let (run, token) = (attempt.run, attempt.token);
                    let input = Input::Reported { run, step, token, outcome: Outcome::Unknown { why } };
                    let turn = self.driver().turn([input]);
                    self.follow(turn);
                }
                Effect::Stop(run, token) => {
                    let stopped =
                        self.running.iter_mut().find(|(_, attempt, _)| (attempt.run, attempt.token) == (run, token));
                    if let Some((_, _, does)) = stopped {
                        *does = Does::Exits(143);
                    }
                }
                Effect::Forget(..) | Effect::Ended(_) => {}
                Effect::ReadPage(read) => {
                    let answer = read.read();
                    let (run, step, question) = (read.run, Some(read.step), Question::Page);
                    let turn = self.driver().turn([Input::Evaluated { run, step, question, answer }]);
                    again |= self.follow(turn);
                }
                Effect::Evaluate(evaluation) => {
                    self.evaluations += 1;
                    let answer = self.driver().evaluator().clone().answer(&evaluation, &|| false);
                    let (step, question) = (evaluation.step, evaluation.question);
                    let input = Input::Evaluated { run: evaluation.run.id, step, question, answer };
                    let turn = self.driver().turn([input]);
                    self.follow(turn);
                }
            }
        }
        if dies.is_some() {
            self.crash();
            return false;
        }
        again
    }

    fn begin(&mut self, step: StepNo, attempt: Attempt) {
        let script = self.scripts.entry(attempt.step.clone()).or_insert_with(|| [Does::Prints("")].into());
        let does = if script.len() > 1 { script.pop_front() } else { script.front().cloned() };
        self.begun.push(Begun {
            step: attempt.step.clone(),
            number: attempt.number,
            token: attempt.token.0,
            key: attempt.key.clone(),
            once: attempt.once,
            input: attempt.input.clone(),
            after: self.elapsed,
        });
        self.running.push((step, attempt, does.expect("a script has something to do")));
    }

    /// The first running command that ends by itself ends. Says whether there was one.
    pub fn end_one(&mut self) -> bool {
        if self.running.iter().all(|(_, _, does)| matches!(does, Does::Hangs)) {
            return false;
        }
        let report = self.next_report();
        self.turn([report]);
        true
    }

    /// The report of the first running command that ends by itself.
    pub fn next_report(&mut self) -> Input {
        let ends = |(_, _, does): &(StepNo, Attempt, Does)| !matches!(does, Does::Hangs);
        let place = self.running.iter().position(ends).expect("a command ends");
        let (step, attempt, does) = self.running.remove(place);
        Input::Reported { run: attempt.run, step, token: attempt.token, outcome: outcome(&does) }
    }

    /// A report of an attempt that is not running any more, or was never.
    pub fn report(&mut self, step: u32, token: u64, does: &Does) {
        let input = Input::Reported { run: self.run, step: StepNo(step), token: Token(token), outcome: outcome(does) };
        self.turn([input]);
    }

    /// Lets time pass, turning the driver whenever it wants to be.
    pub fn pass(&mut self, millis: u64) {
        let end = self.elapsed + millis;
        while self.elapsed < end {
            let now = self.driver().now().time;
            let due = self.driver().next_wake().map_or(u64::MAX, |due| due.saturating_sub(now).max(1));
            let step = due.min(end - self.elapsed);
            self.clock.advance(step);
            self.elapsed += step;
            self.turn([]);
            while self.end_one() {}
        }
    }

    /// Lets commands end and time pass until nothing happens by itself any more.
    pub fn settle(&mut self) -> &mut Self {
        for _ in 0..100_000 {
            if !self.is_alive() {
                return self;
            }
            if self.end_one() {
                continue;
            }
            if self.driver().is_idle() {
                return self;
            }
            let now = self.driver().now().time;
            let Some(due) = self.driver().next_wake() else {
                panic!("nothing is due, but the run goes on: {:#?}", self.view())
            };
            let step = due.saturating_sub(now).max(1);
            self.clock.advance(step);
            self.elapsed += step;
            self.turn([]);
        }
        panic!("the run does not come to rest: {:#?}", self.view());
    }

    /// A step in doubt, of this run or one that it called, with its run.
    pub fn doubted(&mut self) -> Option<(RunId, String)> {
        let Reply::Runs(rows) = self.ask(Request::Runs { limit: 100, status: None, runbook: None }) else {
            panic!("runs are listed")
        };
        rows.into_iter().find_map(|row| {
            let run = self.driver().run(row.id)?;
            let doubted = run.step_numbers().find(|no| run.step(*no).status() == StepStatus::InDoubt)?;
            Some((row.id, run.path(doubted)))
        })
    }

    /// The whole run, as people are shown it.
    pub fn view(&mut self) -> RunView {
        let run = self.run.to_string();
        match self.ask(Request::Show { run }) {
            Reply::Run(view) => *view,
            other => panic!("the run cannot be shown: {other:?}"),
        }
    }

    pub fn status(&mut self) -> String {
        self.view().status
    }

    /// The status of a step, by its path.
    pub fn status_of(&mut self, path: &str) -> StepStatus {
        self.find(path).status
    }

    pub fn find(&mut self, path: &str) -> StepView {
        let view = self.view();
        let paths: Vec<String> = view.steps.iter().map(|step| step.path.clone()).collect();
        let found = view.steps.into_iter().find(|step| step.path == path);
        found.unwrap_or_else(|| panic!("there is no step `{path}` in {paths:?}"))
    }

    /// What began and how the run stands: `a b b: succeeded`.
    pub fn story(&mut self) -> String {
        let status = self.status();
        format!("{}: {status}", self.path().join(" "))
    }

    /// The paths of the steps whose commands began, in order, attempts as often as there were.
    pub fn path(&self) -> Vec<&str> {
        self.begun.iter().map(|begun| begun.step.as_str()).collect()
    }
}

fn outcome(does: &Does) -> Outcome {
    match does {
        Does::Prints(text) => Outcome::Succeeded {
            outputs: Map::from([("stdout".to_owned(), Value::from(*text)), ("exit_code".to_owned(), Value::Int(0))]),
        },
        Does::Exits(code) => Outcome::Failed {
            error: Failure {
                kind: "failed".to_owned(),
                message: format!("exited with code {code}"),
                data: Value::Map(Map::from([("exit_code".to_owned(), Value::Int(*code))])),
                untouched: false,
            },
            outputs: Map::from([("exit_code".to_owned(), Value::Int(*code))]),
        },
        Does::IsLost => Outcome::Unknown { why: "the host is gone".to_owned() },
        Does::Hangs => unreachable!("a command that hangs does not end"),
    }
}
