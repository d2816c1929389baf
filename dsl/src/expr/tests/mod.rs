//! Tests of expressions as a whole.

mod analysis;
mod evaluation;

use super::*;
use crate::graph::{self, Expr, ExprId, Graph};
use crate::source::Location;
use crate::value::{Map, SecretPart, SecretRef, SecretText, Timestamp, Value};

/// A graph that holds expressions and modules and nothing else.
fn graph(exprs: Vec<Expr>, modules: Vec<graph::Module>) -> Graph {
    Graph { modules, exprs, ..Graph::empty() }
}

/// An expression whose text begins at line 10, column 5 of its file.
fn expr(source: &str, statements: bool) -> Expr {
    let lines = (0..).zip(source.split('\n')).map(|(line, _)| Location { line: 10 + line, column: 5 });
    Expr {
        source: source.to_owned(),
        statements,
        lines: lines.collect(),
        condition: false,
        steps: Vec::new(),
        names: Vec::new(),
    }
}

fn module(name: &str, text: &str) -> graph::Module {
    graph::Module { name: name.to_owned(), import: format!("./{name}.rhai"), text: Some(text.to_owned()) }
}

fn json(text: &str) -> Value {
    Value::from_json(serde_json::from_str(text).expect("valid JSON"))
}

fn secret() -> Value {
    Value::Secret(SecretText(vec![SecretPart::Reference(SecretRef::Env("TOKEN".to_owned()))]))
}

/// The names that tests use.
fn scope() -> Scope<'static> {
    let now = Timestamp(1_767_312_000_000);
    Scope::at(now)
        .with("params", json(r#"{"host": "web-1", "limit": 85, "paths": ["/a", "/b"], "ratio": 0.5}"#))
        .with(
            "steps",
            [(
                "before",
                [
                    ("stdout", Branch::from(Value::from(" 97% "))),
                    ("status", Branch::from(Value::from("succeeded"))),
                    ("error", Branch::from(Value::Null)),
                    ("json", Branch::from(json(r#"{"disks": [{"name": "sda", "used": 97}], "none": null}"#))),
                ]
                .into_iter()
                .collect::<Branch>(),
            )]
            .into_iter()
            .collect::<Branch>(),
        )
        .with("token", secret())
        .with("secrets", Value::Map(Map::from([("db".to_owned(), secret())])))
}

fn run(source: &str, statements: bool) -> Result<Value, EvalError> {
    let program = Program::new(&Sandbox::new(&[]), &graph(vec![expr(source, statements)], Vec::new()));
    program.expect(source).eval(ExprId(0), &scope(), &Budget::default())
}

/// The value of an expression.
fn eval(source: &str) -> Result<Value, EvalError> {
    run(source, false)
}

/// The value of a script.
fn script(source: &str) -> Result<Value, EvalError> {
    run(source, true)
}

/// Why an expression is refused when it is evaluated.
fn fails(source: &str) -> String {
    match eval(source) {
        Err(error) => format!("{}: {}", error.kind(), error.message),
        Ok(value) => panic!("`{source}` gives {value:?}"),
    }
}
