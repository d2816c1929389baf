//! What a runbook compiles to: defaults, order, names and effects as the engine sees them.

use lockstep_dsl::expr::Sandbox;
use lockstep_dsl::graph::{Effect, Field, Graph, Kind, Node};
use lockstep_dsl::source::Source;
use lockstep_dsl::value::{Millis, Value};
use lockstep_dsl::{NoFiles, compile};

fn graph(text: &str) -> Graph {
    let source = Source::new("test.yaml", text);
    match compile(&source, &NoFiles, &Sandbox::new(&[])) {
        Ok(compiled) => compiled.graph,
        Err(diagnostics) => panic!("{diagnostics:#?}"),
    }
}

fn node<'g>(graph: &'g Graph, path: &str) -> &'g Node {
    graph.nodes.iter().find(|node| node.path == path).unwrap_or_else(|| panic!("there is no step {path}"))
}

fn needs(graph: &Graph, path: &str) -> Vec<String> {
    node(graph, path).needs.iter().map(|id| graph.node(*id).path.clone()).collect()
}

#[test]
fn a_step_needs_the_one_before_it_unless_it_says_otherwise() {
    let graph = graph(
        "runbook: a
steps:
  - { id: first, shell: 'true' }
  - { id: second, exec: ['true'] }
  - { id: alone, shell: 'true', needs: [] }
  - { id: both, shell: 'true', needs: [first, alone] }
",
    );
    assert!(needs(&graph, "first").is_empty());
    assert_eq!(needs(&graph, "second"), ["first"]);
    assert!(needs(&graph, "alone").is_empty());
    assert_eq!(needs(&graph, "both"), ["first", "alone"]);
}

#[test]
fn defaults_hold_for_acting_steps_that_say_nothing_else() {
    let graph = graph(
        "runbook: a
defaults: { timeout: 10m, retry: 2 }
steps:
  - { id: plain, shell: 'true' }
  - { id: own, shell: 'true', timeout: { total: 1h }, retry: 5 }
  - { id: pure, set: { a: 1 } }
",
    );
    let plain = node(&graph, "plain");
    assert_eq!((plain.timeout.attempt, plain.retry[0].attempts), (Some(Millis(600_000)), 2));
    let own = node(&graph, "own");
    assert_eq!((own.timeout.attempt, own.timeout.total), (Some(Millis(600_000)), Some(Millis(3_600_000))));
    assert_eq!(own.retry[0].attempts, 5);
    assert_eq!((own.retry[0].delay, own.retry[0].max_delay), (Millis(1_000), Millis(300_000)));
    assert!(own.retry[0].jitter);
    let pure = node(&graph, "pure");
    assert_eq!((pure.timeout.attempt, pure.retry.len()), (None, 0));
}

#[test]
fn without_defaults_an_attempt_has_an_hour_and_a_process_ten_seconds_to_go() {
    let graph = graph("runbook: a\nsteps:\n  - { shell: 'true' }\n  - { do: [{ shell: 'true' }] }\n");
    let shell = node(&graph, "shell#1");
    assert_eq!((shell.timeout.attempt, shell.timeout.grace), (Some(Millis(3_600_000)), Millis(10_000)));
    assert_eq!(node(&graph, "do#2").timeout.attempt, None);
}

#[test]
fn a_block_has_the_strongest_effect_inside_it() {
    let graph = graph(
        "runbook: a
steps:
  - { id: get, http: 'https://example.org' }
  - { id: post, http: { method: POST, url: 'https://example.org' } }
  - id: outer
    do:
      - { set: { a: 1 } }
      - { id: inner, do: [{ id: list, shell: ls, effect: pure }] }
      - { id: read, http: 'https://example.org' }
  - { id: quiet, do: [{ shell: 'true' }], effect: idempotent }
",
    );
    let effect = |path: &str| node(&graph, path).effect;
    assert_eq!(effect("get"), Effect::Idempotent);
    assert_eq!(effect("post"), Effect::Once);
    assert_eq!(effect("outer/inner"), Effect::Pure);
    assert_eq!(effect("outer"), Effect::Idempotent);
    assert_eq!((effect("quiet"), effect("quiet/shell#1")), (Effect::Idempotent, Effect::Once));
}

#[test]
fn the_environment_of_a_block_holds_inside_and_the_inner_one_wins() {
    let graph = graph(
        "runbook: a
steps:
  - id: outer
    env: { A: one, B: NO }
    do:
      - { id: inner, shell: 'true', env: { A: two } }
",
    );
    let text = |value: &str| Field::Const(Value::from(value));
    assert_eq!(node(&graph, "outer/inner").env, [("B".to_owned(), text("NO")), ("A".to_owned(), text("two"))]);
}

#[test]
fn paths_name_every_block_between() {
    let graph = graph(
        "runbook: a
steps:
  - id: fan
    parallel:
      branches:
        left: [{ shell: 'true' }]
        right: [{ id: fetch, shell: 'true' }]
  - id: block
    do: [{ shell: 'true' }]
    catch: [{ steps: [{ id: tell, shell: 'true' }] }]
    finally: [{ id: tidy, shell: 'true' }]
on_failure: [{ shell: 'true' }]
finally: [{ id: tidy, shell: 'true' }]
",
    );
    let paths: Vec<&str> = graph.nodes.iter().map(|node| node.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "fan",
            "fan/left/shell#1",
            "fan/right/fetch",
            "block",
            "block/shell#1",
            "block/catch/tell",
            "block/finally/tidy",
            "on_failure/shell#1",
            "finally/tidy"
        ]
    );
}

#[test]
fn plain_scalars_are_text_where_text_is_wanted_and_typed_elsewhere() {
    let graph = graph(
        "runbook: a
steps:
  - { id: run, exec: [echo, NO, 017, 1.10, { a: 1 }] }
  - { id: set, set: { n: 1, f: 0.5, t: true, word: NO, version: 1.2.3, quoted: '1' } }
",
    );
    let Kind::Exec(exec) = &node(&graph, "run").kind else { panic!("an exec") };
    let Field::Const(Value::List(arguments)) = &exec.argv else { panic!("a constant list") };
    assert_eq!(arguments[1..4], [Value::from("NO"), Value::from("017"), Value::from("1.10")]);
    assert!(matches!(&arguments[4], Value::Map(map) if map["a"] == Value::Int(1)));
    let Kind::Set(set) = &node(&graph, "set").kind else { panic!("a set") };
    let values: Vec<&Field> = set.iter().map(|(_, field)| field).collect();
    let expected = [
        Value::Int(1),
        Value::Float(0.5),
        Value::Bool(true),
        Value::from("NO"),
        Value::from("1.2.3"),
        Value::from("1"),
    ]
    .map(Field::Const);
    assert_eq!(values, expected.iter().collect::<Vec<_>>());
}

#[test]
fn the_same_text_gives_the_same_hash_under_any_file_name() {
    let text = "runbook: a\nsteps: [{ shell: 'true' }]\n";
    let compile =
        |name: &str| compile(&Source::new(name, text), &NoFiles, &Sandbox::new(&[])).expect("it compiles").graph;
    assert_eq!(compile("a.yaml").hash(), compile("/tmp/b.yaml").hash());
    assert_ne!(graph("runbook: a\nsteps: [{ shell: 'false' }]\n").hash(), compile("a.yaml").hash());
}
