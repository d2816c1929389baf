//! Small graphs by hand.

use lockstep_dsl::graph::{
    Amount, Approve, Ask, Block, BlockId, Catch, Command, Concurrency, Effect, Escalate, Excess, Exec, Expr, ExprId,
    Field, Foreach, Graph, ItemsFrom, Kind, Lock, Next, Node, NodeId, OnError, OnFail, Parallel, Probe, Repeat, Retry,
    Role, Timeout, Until,
};
use lockstep_dsl::source::Location;
use lockstep_dsl::value::{Millis, Value};

/// A step to be.
#[derive(Clone, Debug)]
pub struct Step {
    pub name: String,
    pub what: What,
    pub needs: Option<Vec<String>>,
    pub when: bool,
    pub disabled: bool,
    pub effect: Effect,
    pub retry: Option<(u32, bool)>,
    pub attempt: Option<u64>,
    pub total: Option<u64>,
    pub on_error: OnError,
    pub catch: Vec<(bool, Vec<Step>)>,
    pub finally: Option<Vec<Step>>,
    pub undo: Option<Vec<Step>>,
    pub outputs: bool,
    pub next: Option<To>,
    pub on_error_next: Option<To>,
    pub catch_next: Option<To>,
    /// One step, or none.
    pub probe: Vec<Step>,
    pub rules: Vec<u32>,
    pub until: Option<u64>,
    /// The key that it holds; `?` is asked for.
    pub lock: Option<(&'static str, u32)>,
}

/// Where it goes on: the step of the whole plan with this name, or what the word says.
pub type To = &'static str;

/// What it does.
#[derive(Clone, Debug)]
pub enum What {
    Exec,
    Script,
    Set(&'static str, i64),
    Wait(u64),
    /// For a signal with this name.
    Signal(&'static str),
    /// For so many approvals by these; whether by who asked for the run; after a minute also by `group:leads`.
    Approve(u32, &'static [&'static str], bool),
    /// For an answer.
    Ask,
    Fail,
    Finish,
    Do(Vec<Step>),
    Parallel(Vec<(&'static str, Vec<Step>)>, OnFail, Option<u32>),
    /// Over three items, unless the case answers otherwise: so many at once, so many may fail.
    Foreach(Vec<Step>, u64, u64, OnFail),
    /// Two rounds, unless the case answers otherwise, and at most so many.
    Repeat(Vec<Step>, u32),
}

pub fn step(name: &str, what: What) -> Step {
    Step {
        name: name.to_owned(),
        what,
        needs: None,
        when: false,
        disabled: false,
        effect: Effect::Once,
        retry: None,
        attempt: None,
        total: None,
        on_error: OnError::Fail,
        catch: Vec::new(),
        finally: None,
        undo: None,
        outputs: false,
        next: None,
        on_error_next: None,
        catch_next: None,
        probe: Vec::new(),
        rules: Vec::new(),
        until: None,
        lock: None,
    }
}

pub fn exec(name: &str) -> Step {
    step(name, What::Exec)
}

pub fn block(name: &str, steps: Vec<Step>) -> Step {
    step(name, What::Do(steps))
}

pub fn foreach(name: &str, concurrency: u64, tolerate: u64, on_fail: OnFail, steps: Vec<Step>) -> Step {
    step(name, What::Foreach(steps, concurrency, tolerate, on_fail))
}

pub fn repeat(name: &str, max: u32, steps: Vec<Step>) -> Step {
    step(name, What::Repeat(steps, max))
}

pub fn parallel(name: &str, on_fail: OnFail, branches: Vec<(&'static str, Vec<Step>)>) -> Step {
    step(name, What::Parallel(branches, on_fail, None))
}

impl Step {
    pub fn needs(mut self, needs: &[&str]) -> Self {
        self.needs = Some(needs.iter().map(|need| (*need).to_owned()).collect());
        self
    }
    pub fn lock(self, key: &'static str) -> Self {
        self.lock_of(key, 1)
    }
    pub fn lock_of(mut self, key: &'static str, limit: u32) -> Self {
        self.lock = Some((key, limit));
        self
    }
    pub fn when(mut self) -> Self {
        self.when = true;
        self
    }
    pub fn disabled(mut self) -> Self {
        self.disabled = true;
        self
    }
    pub fn pure(mut self) -> Self {
        self.effect = Effect::Pure;
        self
    }
    /// So many tries, one second apart at first, doubling.
    pub fn retry(mut self, attempts: u32) -> Self {
        self.retry = Some((attempts, false));
        self
    }
    pub fn retry_when(mut self, attempts: u32) -> Self {
        self.retry = Some((attempts, true));
        self
    }
    pub fn timeout(mut self, ms: u64) -> Self {
        self.attempt = Some(ms);
        self
    }
    pub fn total(mut self, ms: u64) -> Self {
        self.total = Some(ms);
        self
    }
    pub fn on_error(mut self, on_error: OnError) -> Self {
        self.on_error = on_error;
        self
    }
    pub fn catch(mut self, steps: Vec<Step>) -> Self {
        self.catch.push((false, steps));
        self
    }
    pub fn catch_when(mut self, steps: Vec<Step>) -> Self {
        self.catch.push((true, steps));
        self
    }
    pub fn finally(mut self, steps: Vec<Step>) -> Self {
        self.finally = Some(steps);
        self
    }
    pub fn undo(mut self, steps: Vec<Step>) -> Self {
        self.undo = Some(steps);
        self
    }
    pub fn next(mut self, to: To) -> Self {
        self.next = Some(to);
        self
    }
    pub fn on_error_next(mut self, to: To) -> Self {
        self.on_error = OnError::Continue;
        self.on_error_next = Some(to);
        self
    }
    /// For all entries of `catch`.
    pub fn catch_next(mut self, to: To) -> Self {
        self.catch_next = Some(to);
        self
    }
    /// A probe, a command.
    pub fn probe(mut self) -> Self {
        self.probe = vec![exec("look").pure()];
        self
    }
    /// A rule of `retry` with a condition for so many tries, one second apart at first; one of several.
    pub fn rule(mut self, attempts: u32) -> Self {
        self.rules.push(attempts);
        self
    }
    pub fn outputs(mut self) -> Self {
        self.outputs = true;
        self
    }
    pub fn until(mut self, every: u64) -> Self {
        self.until = Some(every);
        self
    }
}

/// A runbook to be.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    pub steps: Vec<Step>,
    pub on_failure: Option<Vec<Step>>,
    pub finally: Option<Vec<Step>>,
    pub outputs: bool,
    pub timeout: Option<u64>,
    pub concurrency: Option<(u32, Excess)>,
}

pub fn plan(steps: Vec<Step>) -> Plan {
    Plan { steps, ..Plan::default() }
}

impl Plan {
    pub fn concurrency(mut self, limit: u32, excess: Excess) -> Self {
        self.concurrency = Some((limit, excess));
        self
    }
    pub fn on_failure(mut self, steps: Vec<Step>) -> Self {
        self.on_failure = Some(steps);
        self
    }
    pub fn finally(mut self, steps: Vec<Step>) -> Self {
        self.finally = Some(steps);
        self
    }
    pub fn outputs(mut self) -> Self {
        self.outputs = true;
        self
    }
    pub fn timeout(mut self, ms: u64) -> Self {
        self.timeout = Some(ms);
        self
    }

    /// The graph.
    pub fn graph(&self) -> Graph {
        let mut graph = Graph {
            runbook: "test/case".to_owned(),
            file: "case.yaml".to_owned(),
            timeout: self.timeout.map(Millis),
            concurrency: self.concurrency.map(|(limit, excess)| Concurrency {
                key: Field::Const("a key".into()),
                limit,
                excess,
            }),
            ..Graph::empty()
        };
        graph.main = lower(&mut graph, None, Role::Main, &self.steps);
        graph.on_failure = self.on_failure.as_ref().map(|steps| lower(&mut graph, None, Role::OnFailure, steps));
        graph.finally = self.finally.as_ref().map(|steps| lower(&mut graph, None, Role::Finally, steps));
        if self.outputs {
            let output = expr(&mut graph, "1");
            graph.outputs.push(("answer".to_owned(), output));
        }
        lead(&mut graph);
        graph
    }
}

/// Puts in where steps go on: while a graph is made, its labels hold what each says, by the step's number.
fn lead(graph: &mut Graph) {
    let said = std::mem::take(&mut graph.labels);
    let find = |name: &str| match name {
        "end" => Next::End,
        "continue" => Next::Continue,
        "break" => Next::Break,
        _ => Next::Step(NodeId(graph.nodes.iter().zip(0..).find(|(node, _)| node.name == name).expect("a step").1)),
    };
    let found: Vec<_> = said.iter().map(|(place, name)| (place.clone(), find(name))).collect();
    for (place, next) in found {
        let (step, what) = place.split_once(' ').expect("a number and a key");
        let node = &mut graph.nodes[step.parse::<usize>().expect("a number")];
        match what {
            "next" => node.next = Some(next),
            "on_error" => node.on_error_next = Some(next),
            _ => node.catch.iter_mut().for_each(|entry| entry.next = Some(next)),
        }
    }
}

fn expr(graph: &mut Graph, source: &str) -> ExprId {
    let id = ExprId(u32::try_from(graph.exprs.len()).expect("few expressions"));
    graph.exprs.push(Expr {
        source: source.to_owned(),
        statements: false,
        lines: vec![Location::default()],
        condition: false,
        steps: Vec::new(),
        names: Vec::new(),
    });
    id
}

fn lower(graph: &mut Graph, owner: Option<NodeId>, role: Role, steps: &[Step]) -> BlockId {
    let id = BlockId(u32::try_from(graph.blocks.len()).expect("few blocks"));
    graph.blocks.push(Block { owner, role, steps: Vec::new() });
    let ids: Vec<NodeId> = steps.iter().map(|step| lower_step(graph, id, step)).collect();
    for (place, step) in steps.iter().enumerate() {
        graph.nodes[ids[place].0 as usize].needs = match &step.needs {
            None => place.checked_sub(1).map(|before| ids[before]).into_iter().collect(),
            Some(needs) => needs
                .iter()
                .map(|need| ids[steps.iter().position(|other| other.name == *need).expect("a step of the block")])
                .collect(),
        };
    }
    graph.blocks[id.0 as usize].steps = ids;
    id
}

fn lower_step(graph: &mut Graph, block: BlockId, step: &Step) -> NodeId {
    let path = match graph.block(block).owner {
        Some(owner) => format!("{}/{}", graph.node(owner).path, step.name),
        None => step.name.clone(),
    };
    let id = NodeId(u32::try_from(graph.nodes.len()).expect("few steps"));
    let constant = |value: Value| Field::Const(value);
    graph.nodes.push(Node {
        id: Some(step.name.clone()),
        name: step.name.clone(),
        path,
        title: None,
        block,
        kind: Kind::Set(Vec::new()),
        needs: Vec::new(),
        when: None,
        disabled: step.disabled.then(|| "not today".to_owned()),
        effect: step.effect,
        retry: Vec::new(),
        timeout: Timeout { attempt: step.attempt.map(Millis), total: step.total.map(Millis), grace: Millis(10_000) },
        on_error: step.on_error,
        catch: Vec::new(),
        finally: None,
        on_error_next: None,
        next: None,
        undo: None,
        probe: None,
        outputs: Vec::new(),
        taken: Vec::new(),
        env: Vec::new(),
        until: None,
        lock: step.lock.map(|(key, limit)| {
            let key = if key == "?" { Field::Text(Vec::new()) } else { constant(key.into()) };
            Lock { key, limit }
        }),
        at: Location::default(),
    });
    let kind = match &step.what {
        What::Exec => Kind::Exec(Exec {
            argv: Field::List(vec![constant("true".into())]),
            command: Command { cwd: None, stdin: None, expect: Vec::new() },
        }),
        What::Script => Kind::Script(expr(graph, "1")),
        What::Set(name, value) => Kind::Set(vec![((*name).to_owned(), constant(Value::Int(*value)))]),
        What::Wait(ms) => Kind::WaitFor(constant(Value::Duration(Millis(*ms)))),
        What::Signal(name) => Kind::AwaitSignal(constant((*name).into())),
        What::Ask => Kind::Ask(Box::new(Ask { message: constant("How?".into()), fields: Vec::new(), by: None })),
        What::Approve(quorum, by, own) => {
            let list = |names: &[&str]| constant(Value::List(names.iter().map(|name| Value::from(*name)).collect()));
            Kind::Approve(Box::new(Approve {
                message: constant("May I?".into()),
                by: (!by.is_empty()).then(|| list(by)),
                quorum: *quorum,
                own: *own,
                escalate: Some(Escalate { after: Millis(60_000), to: list(&["group:leads"]) }),
            }))
        }
        What::Fail => Kind::Fail { message: constant("on purpose".into()), kind: None, data: None },
        What::Finish => Kind::Finish { outputs: None },
        What::Do(steps) => Kind::Do(lower(graph, Some(id), Role::Do, steps)),
        What::Foreach(steps, concurrency, tolerate, on_fail) => Kind::Foreach(Box::new(Foreach {
            items: ItemsFrom::Value(constant(Value::Null)),
            name: "item".to_owned(),
            concurrency: Amount::Count(*concurrency),
            tolerate: Amount::Count(*tolerate),
            batch: None,
            on_fail: *on_fail,
            results: true,
            body: lower(graph, Some(id), Role::Item, steps),
        })),
        What::Repeat(steps, max) => Kind::Repeat(Repeat {
            goes_on: None,
            until: Some(expr(graph, "true")),
            every: Some(Millis(20)),
            max: *max,
            body: lower(graph, Some(id), Role::Round, steps),
        }),
        What::Parallel(branches, on_fail, wins) => {
            let branches = branches
                .iter()
                .map(|(name, steps)| {
                    ((*name).to_owned(), lower(graph, Some(id), Role::Branch((*name).to_owned()), steps))
                })
                .collect();
            Kind::Parallel(Parallel { branches, on_fail: *on_fail, wins: *wins })
        }
    };
    for (what, to) in [("next", step.next), ("on_error", step.on_error_next), ("catch", step.catch_next)] {
        if let Some(to) = to {
            graph.labels.insert(format!("{} {what}", id.0), to.to_owned());
        }
    }
    let when = step.when.then(|| expr(graph, "true"));
    let rules = step.rules.iter().map(|attempts| (*attempts, true));
    let retry: Vec<Retry> = step
        .retry
        .into_iter()
        .chain(rules)
        .map(|(attempts, when)| Retry {
            attempts,
            delay: Millis(1_000),
            factor: 2.0,
            max_delay: Millis(3_000),
            jitter: false,
            when: when.then(|| expr(graph, "true")),
        })
        .collect();
    let catch = step
        .catch
        .iter()
        .zip(0..)
        .map(|((when, steps), index)| Catch {
            when: when.then(|| expr(graph, "true")),
            block: lower(graph, Some(id), Role::Catch(index), steps),
            next: None,
        })
        .collect();
    let finally = step.finally.as_ref().map(|steps| lower(graph, Some(id), Role::StepFinally, steps));
    let undo = step.undo.as_ref().map(|steps| lower(graph, Some(id), Role::Undo, steps));
    let probe = (!step.probe.is_empty()).then(|| lower(graph, Some(id), Role::Probe, &step.probe));
    let outputs = if step.outputs { vec![("declared".to_owned(), expr(graph, "1"))] } else { Vec::new() };
    let until = step.until.map(|every| Until { until: expr(graph, "true"), every: Millis(every) });
    let node = &mut graph.nodes[id.0 as usize];
    node.kind = kind;
    node.when = when;
    node.retry = retry;
    node.catch = catch;
    node.finally = finally;
    node.undo = undo;
    node.probe = probe.map(|block| Probe { block, done: None, outputs: Vec::new() });
    node.outputs = outputs;
    node.until = until;
    id
}
