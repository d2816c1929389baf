//! A run under test.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use lockstep_dsl::graph::{Field, Kind};
use lockstep_dsl::value::{Map, Timestamp, Value};
use lockstep_engine::clock::Stamp;
use lockstep_engine::core::run::{
    Answer, Change, Edit, Input, Kept, Look, Opening, Person, Phase, Question, Record, Refused, Resolution, StepStatus,
};
use lockstep_engine::core::{Command, Notice, State};
use lockstep_engine::id::{RunId, StepNo, Token};
use lockstep_engine::worker::{Failure, Outcome};

use crate::plan::Plan;

/// One run, its journal, and the time.
pub struct Case {
    state: State,
    id: RunId,
    now: Stamp,
    journal: Vec<(Record, Stamp)>,
    replica: State,
    replayed: usize,
    answers: BTreeMap<(String, Question), Vec<Answer>>,
    /// What is not answered until the case does.
    withheld: BTreeSet<(String, Question)>,
}

pub fn failure(kind: &str) -> Failure {
    Failure { kind: kind.to_owned(), message: format!("it {kind}"), data: Value::Null, untouched: false }
}

pub fn ok() -> Outcome {
    Outcome::Succeeded { outputs: Map::from([("exit_code".to_owned(), Value::Int(0))]) }
}

/// It never began.
pub fn untouched() -> Outcome {
    Outcome::Failed { error: failure("failed").untouched(), outputs: Map::new() }
}

pub fn failed() -> Outcome {
    Outcome::Failed { error: failure("failed"), outputs: Map::from([("exit_code".to_owned(), Value::Int(1))]) }
}

pub fn unknown() -> Outcome {
    Outcome::Unknown { why: "the host is gone".to_owned() }
}

impl Case {
    /// Starts a run.
    pub fn new(plan: &Plan) -> Self {
        Self::with_answers(plan, Vec::new())
    }

    /// Starts a run whose questions are answered as given, the last answer again and again; every other condition holds.
    pub fn with_answers(plan: &Plan, answers: Vec<((&str, Question), Vec<Answer>)>) -> Self {
        Self::start(plan, answers, &[], Opening::default())
    }

    /// Starts a run of whose questions these are left open.
    pub fn withholding(plan: &Plan, withheld: &[(&str, Question)]) -> Self {
        Self::start(plan, Vec::new(), withheld, Opening::default())
    }

    /// Starts a run that leaves something out, or is paused from its beginning.
    pub fn opened(plan: &Plan, skip: &[&str], from: Option<&str>, stepwise: bool) -> Result<Self, Refused> {
        let skip: Vec<String> = skip.iter().map(|path| (*path).to_owned()).collect();
        let opening = Opening::of(&plan.graph(), &skip, from, stepwise)?;
        Ok(Self::start(plan, Vec::new(), &[], opening))
    }

    fn start(
        plan: &Plan,
        answers: Vec<((&str, Question), Vec<Answer>)>,
        withheld: &[(&str, Question)],
        opening: Opening,
    ) -> Self {
        let graph = Arc::new(plan.graph());
        let id = RunId::new(1_700_000_000_000, 7);
        let mut case = Self {
            state: State::default(),
            id,
            now: Stamp { wall: Timestamp(1_700_000_000_000), time: 1_000, boottime: 1_000, boot: 1 },
            journal: Vec::new(),
            replica: State::default(),
            replayed: 0,
            answers: answers
                .into_iter()
                .map(|((path, question), answers)| ((path.to_owned(), question), answers))
                .collect(),
            withheld: withheld.iter().map(|(path, question)| ((*path).to_owned(), *question)).collect(),
        };
        let hash = graph.hash();
        case.command(Command::Create {
            run: id,
            graph,
            hash,
            params: Map::new(),
            by: "user:test".to_owned(),
            cwd: None,
            opening,
            caller: None,
            tick: None,
            key: None,
        })
        .expect("a new run can start");
        case
    }

    pub fn run(&self) -> Look<'_> {
        self.state.run(self.id).expect("the run is never let go of")
    }

    fn command(&mut self, command: Command) -> Result<(), Refused> {
        let records = self.state.decide(command, self.now)?;
        self.journal.extend(records.into_iter().map(|record| (record, self.now)));
        loop {
            let input = if let Some((step, question)) = self.next_question() {
                Input::Answered { step, question, answer: self.answer(step, question) }
            } else if let Some(Notice::Tell(_, input)) = self.state.next_notice() {
                input
            } else {
                break;
            };
            let records =
                self.state.decide(Command::Run(self.id, input), self.now).expect("an answer is never refused");
            self.journal.extend(records.into_iter().map(|record| (record, self.now)));
        }
        self.check_replay();
        self.check_invariants();
        Ok(())
    }

    fn next_question(&self) -> Option<(Option<StepNo>, Question)> {
        let run = self.run();
        let path = |step: Option<StepNo>| step.map(|step| run.path(step)).unwrap_or_default();
        run.questions.iter().find(|(step, question)| !self.withheld.contains(&(path(*step), *question))).copied()
    }

    fn answer(&mut self, step: Option<StepNo>, question: Question) -> Answer {
        let path = step.map(|step| self.run().path(step)).unwrap_or_default();
        if let Some(answers) = self.answers.get_mut(&(path, question)) {
            return if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() };
        }
        let declared = || Ok(Value::Map(Map::from([("declared".to_owned(), Value::Int(1))])));
        match question {
            Question::Title => Ok("a title".into()),
            Question::Lock => Ok("a key".into()),
            Question::When | Question::Until | Question::While | Question::Retry(_) | Question::Catch(_) => {
                Ok(Value::Bool(true))
            }
            Question::Round => {
                let run = self.run();
                let step = run.step(step.expect("a step's question"));
                Ok(Value::Bool(step.looping.as_ref().is_some_and(|rounds| rounds.next >= 2)))
            }
            Question::Probe => panic!("what a probe found out is said by the case"),
            Question::Page => panic!("no case here reads files"),
            Question::Outputs => declared(),
            Question::RunOutputs => Ok(Value::Map(Map::from([("answer".to_owned(), Value::Int(1))]))),
            Question::Input => Ok(match &self.run().node_of(step.expect("a step's question")).kind {
                Kind::Exec(_) | Kind::Shell(_) | Kind::Http(_) => {
                    Value::Map(Map::from([("argv".to_owned(), Value::List(vec!["true".into()]))]))
                }
                Kind::WaitFor(Field::Const(value)) => value.clone(),
                Kind::Approve(plan) => {
                    let list = |field: &Field| if let Field::Const(list) = field { list.clone() } else { Value::Null };
                    let by = plan.by.iter().map(|by| ("by".to_owned(), list(by)));
                    let to = plan.escalate.iter().map(|escalate| ("to".to_owned(), list(&escalate.to)));
                    Value::Map(by.chain(to).chain([("message".to_owned(), "May I?".into())]).collect())
                }
                Kind::Ask(_) => Value::Map(Map::from([("message".to_owned(), "How?".into())])),
                Kind::AwaitSignal(Field::Const(name)) => Value::Map(Map::from([("signal".to_owned(), name.clone())])),
                Kind::Set(vars) => Value::Map(
                    vars.iter()
                        .filter_map(|(name, field)| match field {
                            Field::Const(value) => Some((name.clone(), value.clone())),
                            _ => None,
                        })
                        .collect(),
                ),
                Kind::Fail { .. } => Value::Map(Map::from([
                    ("kind".to_owned(), "failed".into()),
                    ("message".to_owned(), "on purpose".into()),
                ])),
                Kind::Script(_) => Value::Int(42),
                Kind::Foreach(_) => {
                    Value::Map(Map::from([("range".to_owned(), Value::List(vec![Value::Int(0), Value::Int(3)]))]))
                }
                _ => Value::Null,
            }),
        }
    }

    /// The journal, encoded and read back, replayed into another state gives the same run.
    fn check_replay(&mut self) {
        for (record, at) in &self.journal[self.replayed..] {
            let bytes = rmp_serde::to_vec_named(record).expect("a record has an encoding");
            let record: Record = rmp_serde::from_slice(&bytes).expect("an encoded record can be read");
            self.replica.apply(&record, *at);
        }
        self.replayed = self.journal.len();
        // Packed and unpacked at every moment, the run is the same, and so is what is counted rather than encoded.
        for kept in self.replica.withdraw_open().into_values() {
            assert!(matches!(kept, Kept::Packed(_)));
            assert_eq!((self.replica.next_due(), self.replica.asking().next()), (None, None));
            self.replica.admit_kept(kept);
        }
        let encode = |state: &State| rmp_serde::to_vec(&*state.run(self.id).expect("the run")).expect("an encoding");
        assert!(encode(&self.replica) == encode(&self.state), "replay gives another run: {}", self.line());
        let indexed = |state: &State| {
            let run = state.run(self.id).expect("the run");
            let counted = (run.is_waiting(), run.is_in_doubt(), run.needs_a_word(), state.is_at_rest());
            (counted, state.next_due(), state.asking().collect::<Vec<_>>())
        };
        assert_eq!(indexed(&self.replica), indexed(&self.state), "{}", self.line());
    }

    /// What holds of a run at every moment.
    fn check_invariants(&self) {
        let run = self.run();
        let mut tokens: Vec<Token> = Vec::new();
        for (record, _) in &self.journal {
            if let Record::Changed { change: Change::Starting { token, .. }, .. } = record {
                assert!(tokens.last().is_none_or(|last| last < token), "tokens grow");
                tokens.push(*token);
            }
        }
        for (no, activation) in run.activations.numbered() {
            let open = run.steps_of(no).filter(|step| !run.step(*step).status().is_end()).count();
            assert_eq!(open, activation.open as usize, "open steps of activation {no}");
        }
        if run.is_ended() {
            assert!(run.steps.iter().all(|step| step.status().is_end()), "a run that ended has no open step");
            assert!(run.timers.is_empty() && run.questions.is_empty());
        } else {
            let goes_on = run.steps.iter().any(|step| {
                matches!(
                    step.phase,
                    Phase::Running { .. }
                        | Phase::Delayed { .. }
                        | Phase::InDoubt { .. }
                        | Phase::Awaiting { .. }
                        | Phase::Locking { .. }
                )
            });
            assert!(
                goes_on || run.is_paused() || !run.questions.is_empty(),
                "an open run waits for something: {:#?}",
                self.statuses()
            );
        }
    }

    /// An attempt of the step with this path ends.
    pub fn report(&mut self, path: &str, outcome: Outcome) -> &mut Self {
        let step = self.run().step_by_path(path).unwrap_or_else(|| panic!("no step {path}: {:?}", self.statuses()));
        let (Phase::Running { token, .. } | Phase::InDoubt { token, .. }) = self.run().step(step).phase else {
            panic!("step {path} has no attempt: {:?}", self.statuses());
        };
        self.try_report(step, token, outcome).expect("the report of the current attempt is taken");
        self
    }

    pub fn try_report(&mut self, step: StepNo, token: Token, outcome: Outcome) -> Result<(), Refused> {
        self.command(Command::Run(self.id, Input::Reported { step, token, outcome }))
    }

    pub fn ok(&mut self, path: &str) -> &mut Self {
        self.report(path, ok())
    }

    pub fn fails(&mut self, path: &str) -> &mut Self {
        self.report(path, failed())
    }

    /// Time passes, timer by timer.
    pub fn pass(&mut self, ms: u64) -> &mut Self {
        let end = self.now.time + ms;
        while let Some((due, _)) = self.state.next_due().filter(|(due, _)| *due <= end) {
            self.set_time(due.max(self.now.time));
            self.command(Command::Run(self.id, Input::Due)).expect("time passes");
        }
        self.set_time(end);
        self.command(Command::Run(self.id, Input::Due)).expect("time passes");
        self
    }

    fn set_time(&mut self, time: u64) {
        let passed = time - self.now.time;
        self.now.wall.0 += i64::try_from(passed).expect("a short time");
        self.now.boottime += passed;
        self.now.time = time;
    }

    pub fn cancel(&mut self) -> &mut Self {
        self.try_cancel(false).expect("it can be cancelled");
        self
    }

    /// Cancels it, and perhaps has what was done undone.
    pub fn try_cancel(&mut self, undo: bool) -> Result<(), Refused> {
        self.command(Command::Run(self.id, Input::Cancel { by: "user:test".to_owned(), undo }))
    }

    pub fn resolve(&mut self, path: &str, how: Resolution) -> Result<(), Refused> {
        self.command(Command::Run(self.id, Input::Resolve { step: path.to_owned(), how, by: "user:test".to_owned() }))
    }

    pub fn signal(&mut self, name: &str, payload: i64) -> Result<(), Refused> {
        let (name, payload) = (name.to_owned(), Value::Int(payload));
        self.command(Command::Run(self.id, Input::Signal { name, payload, by: "user:test".to_owned() }))
    }

    pub fn vote(&mut self, path: &str, yes: bool, name: &str, groups: &[&str]) -> Result<(), Refused> {
        let groups = groups.iter().map(|group| (*group).to_owned()).collect();
        let person = Person { name: format!("user:{name}"), groups };
        let comment = (!yes).then(|| "not today".to_owned());
        self.command(Command::Run(self.id, Input::Vote { step: path.to_owned(), yes, person, comment }))
    }

    pub fn fill_in(&mut self, path: &str, answer: i64) -> Result<(), Refused> {
        let person = Person { name: "user:ana".to_owned(), groups: Vec::new() };
        let answer = Map::from([("count".to_owned(), Value::Int(answer))]);
        self.command(Command::Run(self.id, Input::FillIn { step: path.to_owned(), answer, person }))
    }

    pub fn pause(&mut self) -> Result<(), Refused> {
        let reason = Some("lunch".to_owned());
        self.command(Command::Run(self.id, Input::Pause { by: "user:ana".to_owned(), reason }))
    }

    pub fn unpause(&mut self) -> Result<(), Refused> {
        self.command(Command::Run(self.id, Input::Unpause { by: "user:ben".to_owned() }))
    }

    pub fn permit(&mut self, path: &str) -> Result<(), Refused> {
        self.command(Command::Run(self.id, Input::Permit { step: path.to_owned(), by: "user:ben".to_owned() }))
    }

    pub fn skip(&mut self, path: &str) -> Result<(), Refused> {
        let (step, reason) = (path.to_owned(), "done by hand".to_owned());
        self.command(Command::Run(self.id, Input::Skip { step, by: "user:ana".to_owned(), reason }))
    }

    /// An answer that took its time arrives.
    pub fn answer_late(&mut self, path: &str, question: Question, answer: Answer) -> &mut Self {
        let step = self.run().step_by_path(path);
        self.command(Command::Run(self.id, Input::Answered { step, question, answer })).expect("it is not refused");
        self
    }

    pub fn retry(&mut self) -> Result<(), Refused> {
        self.command(Command::Run(self.id, Input::Retry { by: "user:test".to_owned() }))
    }

    /// The run goes on under another plan.
    pub fn edit(&mut self, plan: &Plan) -> Result<(), Refused> {
        let graph = Arc::new(plan.graph());
        let (from, definition) = (self.run().definition.clone(), graph.hash());
        let (file, by) = ("case.yaml".to_owned(), "user:test".to_owned());
        let edit = Box::new(Edit { from, definition, file, params: Map::new(), by });
        self.command(Command::Edit { run: self.id, graph, edit, called: BTreeMap::new() })
    }

    /// Every step with its status, in order of coming to be.
    pub fn statuses(&self) -> Vec<(String, StepStatus)> {
        let run = self.run();
        run.step_numbers().map(|no| (run.path(no), run.step(no).status())).collect()
    }

    /// The statuses in one line: `a succeeded, b failed`.
    pub fn line(&self) -> String {
        let all: Vec<_> = self.statuses().iter().map(|(path, status)| format!("{path} {}", status.name())).collect();
        all.join(", ")
    }

    pub fn status(&self) -> &'static str {
        self.run().status_name()
    }

    /// The paths of what runs with a worker now.
    pub fn running(&self) -> Vec<String> {
        self.run().running().map(|(step, _)| self.run().path(step)).collect()
    }

    /// How long until the next timer, in milliseconds.
    pub fn next_due(&self) -> Option<u64> {
        self.state.next_due().map(|(due, _)| due - self.now.time)
    }

    /// The paths of attempts in the order in which they were granted.
    pub fn granted(&self) -> Vec<String> {
        let run = self.run();
        self.granted_steps().into_iter().map(|step| run.path(step)).collect()
    }

    /// The steps, as far as they are there still, of which an attempt was granted, once for each, in order.
    pub fn granted_steps(&self) -> Vec<StepNo> {
        let run = self.run();
        let granted = self.journal.iter().filter_map(|(record, _)| match record {
            Record::Changed { change: Change::Starting { step, .. }, .. } => Some(*step),
            _ => None,
        });
        granted.filter(|step| run.has(*step)).collect()
    }
}
