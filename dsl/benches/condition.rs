//! What a condition costs beside the same condition under Rhai's own evaluation: processor time of this thread, in
//! interleaved pairs, so that what else the machine does touches both alike. Ours may cost twice as much at most.

use std::fs;
use std::hint::black_box;

use lockstep_dsl::expr::{Budget, Program, Sandbox, Scope};
use lockstep_dsl::graph::{Expr, ExprId, Graph};
use lockstep_dsl::source::Location;
use lockstep_dsl::value::{Map, Timestamp, Value};
use rhai::{Dynamic, Engine};

/// Conditions as runbooks have them.
const CONDITIONS: [&str; 6] = [
    "params.ready",
    "steps.check.exit_code == 0",
    "steps.check.exit_code != 0 && params.retries < 3",
    "params.mode == \"hard\" || steps.check.stdout.contains(\"full\")",
    "params.limit * 2 + 1 > steps.check.exit_code + 10 && !params.dry",
    "params.hosts.len() > 2 && params.hosts[0] == \"web-1\"",
];

const PAIRS: usize = 41;
const ROUNDS: usize = 20_000;
const MAX_RATIO: f64 = 2.0;

fn main() {
    let params: [(&str, Value); 6] = [
        ("ready", true.into()),
        ("dry", false.into()),
        ("retries", 2.into()),
        ("limit", 85.into()),
        ("mode", "soft".into()),
        ("hosts", Value::List(["web-1", "web-2", "web-3"].map(Value::from).into())),
    ];
    let check: [(&str, Value); 2] = [("exit_code", 1.into()), ("stdout", "disk 97% full".into())];
    let map = |entries: &[(&str, Value)]| -> Map {
        entries.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
    };
    let params = Value::Map(map(&params));
    let steps = Value::Map(Map::from([("check".to_owned(), Value::Map(map(&check)))]));
    let scope = Scope::at(Timestamp(0)).with("params", &params).with("steps", &steps);
    let mut theirs = rhai::Scope::new();
    theirs.push_constant_dynamic("params", dynamic(&params));
    theirs.push_constant_dynamic("steps", dynamic(&steps));
    let engine = Engine::new();
    let mut worst = 0.0_f64;
    for source in CONDITIONS {
        let program = Program::new(&Sandbox::new(&[]), &graph(source)).expect("a condition");
        let ast = engine.compile_expression(source).expect("a condition");
        let ours = || {
            let value = program.eval(ExprId(0), &scope, &Budget::default()).expect("a value");
            black_box(value);
        };
        let mut rhai = || {
            let value: bool = engine.eval_ast_with_scope(&mut theirs, &ast).expect("a value");
            black_box(value);
        };
        let mut pairs: Vec<(f64, u64, u64)> = (0..PAIRS)
            .map(|_| {
                let (one, other) = (time(&ours), time_mut(&mut rhai));
                (ratio(one, other), one, other)
            })
            .collect();
        pairs.sort_by(|one, other| one.0.total_cmp(&other.0));
        let (median, one, other) = pairs[PAIRS / 2];
        let each = |time: u64| time / ROUNDS as u64;
        println!("{median:5.2}  {:6} ns  {:6} ns  {source}", each(one), each(other));
        worst = worst.max(median);
    }
    println!("worst ratio to Rhai: {worst:.2} (at most {MAX_RATIO})");
    assert!(worst <= MAX_RATIO, "a condition costs more than twice what it costs under Rhai alone");
}

#[expect(clippy::cast_precision_loss, reason = "nanoseconds of a few milliseconds")]
fn ratio(one: u64, other: u64) -> f64 {
    one as f64 / other as f64
}

fn time(run: &impl Fn()) -> u64 {
    time_mut(&mut || run())
}

/// Nanoseconds of processor time of so many rounds.
fn time_mut(run: &mut impl FnMut()) -> u64 {
    let before = processor_time();
    for _ in 0..ROUNDS {
        run();
    }
    processor_time() - before
}

fn processor_time() -> u64 {
    let status = fs::read_to_string("/proc/thread-self/schedstat").expect("Linux says how long a thread ran");
    status.split(' ').next().and_then(|number| number.parse().ok()).expect("the first field is nanoseconds")
}

fn graph(source: &str) -> Graph {
    let expr = Expr {
        source: source.to_owned(),
        statements: false,
        lines: vec![Location { line: 1, column: 1 }],
        condition: true,
        steps: Vec::new(),
        names: Vec::new(),
    };
    Graph { exprs: vec![expr], ..Graph::empty() }
}

/// A value as Rhai has it.
fn dynamic(value: &Value) -> Dynamic {
    match value {
        Value::Bool(value) => (*value).into(),
        Value::Int(value) => (*value).into(),
        Value::Float(value) => (*value).into(),
        Value::String(text) => text.clone().into(),
        Value::List(values) => Dynamic::from_array(values.iter().map(dynamic).collect()),
        Value::Map(map) => Dynamic::from_map(map.iter().map(|(key, value)| (key.into(), dynamic(value))).collect()),
        Value::Null | Value::Duration(_) | Value::Time(_) | Value::Secret(_) => Dynamic::UNIT,
    }
}
