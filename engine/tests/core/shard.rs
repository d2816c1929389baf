//! Several runs under test, which hold keys against each other.

use std::collections::BTreeMap;
use std::sync::Arc;

use lockstep_dsl::graph::Kind;
use lockstep_dsl::value::{Map, Timestamp, Value};
use lockstep_engine::clock::Stamp;
use lockstep_engine::core::run::{
    Answer, Input, Kept, Look, Opening, Phase, Question, Record, Refused, Resolution, Standing,
};
use lockstep_engine::core::{Command, Notice, State};
use lockstep_engine::id::RunId;
use lockstep_engine::worker::Outcome;

use crate::case::{failed, ok};
use crate::plan::Plan;

/// Runs, numbered in the order in which they were started, their journal, and the time.
pub struct Shard {
    state: State,
    now: Stamp,
    journal: Vec<(Record, Stamp)>,
    replica: State,
    replayed: usize,
    runs: Vec<RunId>,
    /// What a key is that is asked for; `a key` where nothing is said.
    pub key: Answer,
}

impl Shard {
    pub fn new() -> Self {
        Self {
            state: State::default(),
            now: Stamp { wall: Timestamp(1_700_000_000_000), time: 1_000, boottime: 1_000, boot: 1 },
            journal: Vec::new(),
            replica: State::default(),
            replayed: 0,
            runs: Vec::new(),
            key: Ok("a key".into()),
        }
    }

    /// Starts a run and gives its number; a little later than the one before.
    pub fn start(&mut self, plan: &Plan) -> usize {
        self.start_with(plan, Opening::default())
    }

    pub fn start_with(&mut self, plan: &Plan, opening: Opening) -> usize {
        self.pass(1);
        let number = self.runs.len();
        let run = RunId::new(self.now.wall.0, u32::try_from(number).expect("few runs"));
        self.runs.push(run);
        let graph = Arc::new(plan.graph());
        let key = graph.concurrency.as_ref().map(|_| "a key".to_owned());
        let (hash, by) = (graph.hash(), "user:test".to_owned());
        let create = Command::Create {
            run,
            graph,
            hash,
            params: Map::new(),
            by,
            cwd: None,
            opening,
            caller: None,
            key,
            tick: None,
        };
        self.command(create).expect("a new run can start");
        number
    }

    pub fn run(&self, number: usize) -> Look<'_> {
        self.state.run(self.runs[number]).expect("no run is let go of")
    }

    pub fn id(&self, number: usize) -> RunId {
        self.runs[number]
    }

    /// `running`, `waiting`, ...
    pub fn status(&self, number: usize) -> &'static str {
        self.run(number).status_name()
    }

    /// Every step of a run with its status, in one line.
    pub fn line(&self, number: usize) -> String {
        let run = self.run(number);
        let step = |no| format!("{} {}", run.path(no), run.step(no).status().name());
        run.step_numbers().map(step).collect::<Vec<_>>().join(", ")
    }

    /// The message of a run's error.
    pub fn error(&self, number: usize) -> String {
        self.run(number).error.as_ref().map(|error| format!("{}: {}", error.kind, error.message)).unwrap_or_default()
    }

    /// Who holds a key now: `0 step`, `1` for the run itself.
    pub fn holders(&self) -> Vec<String> {
        self.claims(Standing::Holds)
    }

    /// Who waits for one.
    pub fn waiting(&self) -> Vec<String> {
        self.claims(Standing::Waits)
    }

    fn claims(&self, standing: Standing) -> Vec<String> {
        let mut found = Vec::new();
        for (number, id) in self.runs.iter().enumerate() {
            let run = self.run(number);
            for (step, claim) in self.state.locks().of_run(*id).filter(|(_, claim)| claim.standing == standing) {
                let path = step.map_or_else(|| "itself".to_owned(), |step| run.path(step));
                found.push(format!("{number} {path} {}", claim.key));
            }
        }
        found
    }

    pub fn input(&mut self, number: usize, input: Input) -> Result<(), Refused> {
        self.command(Command::Run(self.runs[number], input))
    }

    pub fn report(&mut self, number: usize, path: &str, outcome: Outcome) -> &mut Self {
        let run = self.run(number);
        let step = run.step_by_path(path).unwrap_or_else(|| panic!("no step {path}: {}", self.line(number)));
        let (Phase::Running { token, .. } | Phase::InDoubt { token, .. }) = run.step(step).phase else {
            panic!("step {path} of {number} has no attempt: {}", self.line(number));
        };
        drop(run);
        self.input(number, Input::Reported { step, token, outcome }).expect("the report is taken");
        self
    }

    pub fn ok(&mut self, number: usize, path: &str) -> &mut Self {
        self.report(number, path, ok())
    }

    pub fn fails(&mut self, number: usize, path: &str) -> &mut Self {
        self.report(number, path, failed())
    }

    pub fn cancel(&mut self, number: usize) -> &mut Self {
        self.input(number, Input::Cancel { by: "user:test".to_owned(), undo: false }).expect("it can be cancelled");
        self
    }

    pub fn pause(&mut self, number: usize) -> &mut Self {
        self.input(number, Input::Pause { by: "user:test".to_owned(), reason: None }).expect("it can be paused");
        self
    }

    pub fn unpause(&mut self, number: usize) -> &mut Self {
        self.input(number, Input::Unpause { by: "user:test".to_owned() }).expect("it is paused");
        self
    }

    pub fn retry(&mut self, number: usize) -> Result<(), Refused> {
        self.input(number, Input::Retry { by: "user:test".to_owned() })
    }

    pub fn skip(&mut self, number: usize, path: &str) -> Result<(), Refused> {
        let (step, reason) = (path.to_owned(), "done by hand".to_owned());
        self.input(number, Input::Skip { step, by: "user:test".to_owned(), reason })
    }

    pub fn resolve(&mut self, number: usize, path: &str, how: Resolution) -> Result<(), Refused> {
        self.input(number, Input::Resolve { step: path.to_owned(), how, by: "user:test".to_owned() })
    }

    /// Time passes, timer by timer.
    pub fn pass(&mut self, ms: u64) -> &mut Self {
        let end = self.now.time + ms;
        while let Some((due, run)) = self.state.next_due().filter(|(due, _)| *due <= end) {
            self.set_time(due.max(self.now.time));
            self.command(Command::Run(run, Input::Due)).expect("time passes");
        }
        self.set_time(end);
        self
    }

    fn set_time(&mut self, time: u64) {
        let passed = time - self.now.time;
        self.now.wall.0 += i64::try_from(passed).expect("a short time");
        self.now.boottime += passed;
        self.now.time = time;
    }

    /// The engine is gone, and another one opens what it left: nobody carries any run.
    pub fn crash(&mut self) -> Vec<Kept> {
        let mut left: Vec<Kept> = self.state.withdraw_open().into_values().collect();
        left.sort_by_key(|kept| kept.look().id);
        left
    }

    /// Somebody carries a run on.
    pub fn take_up(&mut self, kept: Kept) {
        self.state.admit_kept(kept);
        self.hand_out();
    }

    fn command(&mut self, command: Command) -> Result<(), Refused> {
        let records = self.state.decide(command, self.now)?;
        self.journal.extend(records.into_iter().map(|record| (record, self.now)));
        self.hand_out();
        self.check();
        Ok(())
    }

    /// Answers what is asked, and lets the locks say what they have to, until nothing is left.
    fn hand_out(&mut self) {
        loop {
            let asked = self.state.asking().next().and_then(|id| Some((id, *self.state.run(id)?.questions.first()?)));
            let (run, input) = if let Some((id, (step, question))) = asked {
                let answer = match question {
                    Question::Lock => self.key.clone(),
                    Question::Input => {
                        let run = self.state.run(id).expect("who asks is there");
                        match &run.node_of(step.expect("a step's question")).kind {
                            Kind::Exec(_) => Ok(Value::Map(Map::from([("argv".to_owned(), Value::Null)]))),
                            Kind::WaitFor(lockstep_dsl::graph::Field::Const(value)) => Ok(value.clone()),
                            Kind::Foreach(_) => {
                                let range = Value::List(vec![Value::Int(0), Value::Int(3)]);
                                Ok(Value::Map(Map::from([("range".to_owned(), range)])))
                            }
                            _ => Ok(Value::Null),
                        }
                    }
                    _ => Ok(Value::Bool(true)),
                };
                (id, Input::Answered { step, question, answer })
            } else {
                match self.state.next_notice() {
                    Some(Notice::Tell(run, input)) => (run, input),
                    Some(Notice::MakeRoom { runs, for_run }) => {
                        for run in runs {
                            let cancel = Input::Cancel { by: format!("run:{for_run}"), undo: false };
                            let records = self.state.decide(Command::Run(run, cancel), self.now);
                            let records = records.expect("who is in the way can be cancelled");
                            self.journal.extend(records.into_iter().map(|record| (record, self.now)));
                        }
                        continue;
                    }
                    None => return,
                }
            };
            let records = self.state.decide(Command::Run(run, input), self.now).expect("it is not refused");
            self.journal.extend(records.into_iter().map(|record| (record, self.now)));
        }
    }

    /// What holds at every moment: replay gives the same runs and the same holders, and nobody holds too much.
    fn check(&mut self) {
        for (record, at) in &self.journal[self.replayed..] {
            let bytes = rmp_serde::to_vec_named(record).expect("a record has an encoding");
            let record: Record = rmp_serde::from_slice(&bytes).expect("an encoded record can be read");
            self.replica.apply(&record, *at);
        }
        self.replayed = self.journal.len();
        let mut held: BTreeMap<(bool, String), Vec<u32>> = BTreeMap::new();
        for id in self.runs.iter().copied() {
            let encode = |state: &State| {
                let run = state.run(id).expect("the run");
                let claims: Vec<_> = state.locks().of_run(id).map(|(step, claim)| (step, claim.clone())).collect();
                rmp_serde::to_vec(&(&*run, claims)).expect("an encoding")
            };
            if self.state.has(id) && self.replica.has(id) {
                assert!(encode(&self.replica) == encode(&self.state), "replay gives another run {id}");
            }
            for (step, claim) in self.state.locks().of_run(id) {
                if claim.standing == Standing::Holds {
                    held.entry((step.is_none(), claim.key.clone())).or_default().push(claim.limit);
                }
            }
        }
        for (key, limits) in held {
            let most = limits.iter().min().copied().unwrap_or_default() as usize;
            assert!(limits.len() <= most, "{key:?} is held {} times, {most} may", limits.len());
        }
    }

    /// The number and path of what is with a worker.
    pub fn running(&self) -> Vec<(usize, String)> {
        let of = |number: usize| {
            let run = self.run(number);
            run.running().map(|(step, _)| (number, run.path(step))).collect::<Vec<_>>()
        };
        (0..self.runs.len()).flat_map(of).collect()
    }
}
