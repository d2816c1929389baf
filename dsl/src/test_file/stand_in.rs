//! Runbooks that a case does not have played: a single step stands in for all of theirs.
//!
//! A mock of a `call` says what comes of the run that it calls. There is such a run still, with the parameters that it is
//! given, but in place of the runbook's own steps it has one that does what the mock says: with the strongest effect of
//! theirs, so that a crash leaves behind what it would leave behind of the runbook.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::mock::Mocks;
use crate::graph::{
    Block, BlockId, Called, Command, Exec, Expr, ExprId, Field, Graph, Kind, Node, NodeId, OnError, Role, Timeout,
};
use crate::source::Location;
use crate::value::Value;

/// The last part of the path of a step that stands in for a runbook; no step of a runbook can be called so.
pub const STAND_IN: &str = "(mock)";

/// The name under which the outputs of the runbook read that step.
const ID: &str = "mock";

/// The output of that step: the outputs of the runbook, by name.
pub const STAND_IN_OUTPUTS: &str = "value";

/// The graph with stand-ins for the runbooks the calls of which are mocked.
///
/// What there was keeps its place: steps, blocks and expressions of a graph have the same numbers as before.
pub fn with_stand_ins(graph: &Graph, mocks: &[Mocks]) -> Graph {
    let mocked = mocks.iter().map(|mocks| mocks.path.value.names()).collect();
    replaced(graph, "", &mocked).unwrap_or_else(|| graph.clone())
}

/// The graph with its stand-ins; `None` where it needs none. `prefix` stands before the paths of its steps.
fn replaced(graph: &Graph, prefix: &str, mocked: &BTreeSet<String>) -> Option<Graph> {
    let mut replaced = None;
    for (place, node) in graph.nodes.iter().enumerate() {
        let Kind::Call(call) = &node.kind else { continue };
        let path = format!("{prefix}{}", node.path);
        let called = graph.called_by(call);
        let inner = if mocked.contains(&path) {
            stand_in(&called.graph)
        } else if let Some(inner) = self::replaced(&called.graph, &format!("{path}/"), mocked) {
            inner
        } else {
            continue;
        };
        let new: &mut Graph = replaced.get_or_insert_with(|| graph.clone());
        let number = index(new.called.len());
        new.called.push(Called { target: called.target.clone(), hash: inner.hash(), graph: Arc::new(inner) });
        if let Kind::Call(call) = &mut new.nodes[place].kind {
            call.runbook = number;
        }
    }
    replaced
}

/// A runbook with the parameters and outputs of another, and one step that is not among its own.
fn stand_in(runbook: &Graph) -> Graph {
    let (step, main) = (NodeId(index(runbook.nodes.len())), BlockId(index(runbook.blocks.len())));
    let mut graph = Graph { main, on_failure: None, finally: None, timeout: None, env: Vec::new(), ..runbook.clone() };
    graph.blocks.push(Block { owner: None, role: Role::Main, steps: vec![step] });
    graph.nodes.push(node(main, runbook));
    for (name, output) in &mut graph.outputs {
        let source = format!("steps.{ID}.{STAND_IN_OUTPUTS}?.{name}");
        *output = ExprId(index(graph.exprs.len()));
        graph.exprs.push(Expr {
            source,
            statements: false,
            lines: vec![Location::default()],
            condition: false,
            steps: vec![(ID.to_owned(), step)],
            names: Vec::new(),
        });
    }
    graph
}

/// The step: an attempt of a command, which a rehearsal never carries out.
fn node(block: BlockId, runbook: &Graph) -> Node {
    let argv = Field::Const(Value::List(vec![Value::String(runbook.runbook.clone())]));
    let command = Command { cwd: None, stdin: None, expect: Vec::new() };
    Node {
        id: Some(ID.to_owned()),
        name: STAND_IN.to_owned(),
        path: STAND_IN.to_owned(),
        title: None,
        block,
        kind: Kind::Exec(Exec { argv, command }),
        needs: Vec::new(),
        when: None,
        disabled: None,
        effect: runbook.effect(),
        retry: Vec::new(),
        timeout: Timeout::default(),
        on_error: OnError::Fail,
        on_error_next: None,
        next: None,
        catch: Vec::new(),
        finally: None,
        undo: None,
        probe: None,
        outputs: Vec::new(),
        taken: Vec::new(),
        env: Vec::new(),
        until: None,
        lock: None,
        at: Location::default(),
    }
}

/// A place in a graph.
fn index(length: usize) -> u32 {
    u32::try_from(length).expect("a runbook is of a bounded size")
}
