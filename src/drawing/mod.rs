//! A step graph as text, for people and for programs that draw.
//!
//! All three say the same: every step with its kind, what it needs, and which steps belong to which block.

mod dot;
mod mermaid;
mod text;

pub use dot::dot;
pub use mermaid::mermaid;
pub use text::text;

use lockstep_dsl::graph::{Block, BlockId, Graph, Node, NodeId, Role};

/// The blocks of a step in the order of the file: what it does, then its handlers.
fn blocks_of(node: &Node) -> Vec<BlockId> {
    node.kind.blocks().into_iter().chain(node.handlers()).collect()
}

/// The runbook's own blocks with their names.
fn own_blocks(graph: &Graph) -> Vec<(&'static str, BlockId)> {
    let own = [("steps", Some(graph.main)), ("on_failure", graph.on_failure), ("finally", graph.finally)];
    own.into_iter().filter_map(|(name, block)| block.map(|block| (name, block))).collect()
}

/// What a block is called: `branch web`, `catch`.
fn block_name(block: &Block) -> String {
    match &block.role {
        Role::Main => "steps".to_owned(),
        Role::OnFailure => "on_failure".to_owned(),
        Role::Finally | Role::StepFinally => "finally".to_owned(),
        Role::Do => "do".to_owned(),
        Role::Branch(name) => format!("branch {name}"),
        Role::Case(name) => format!("case {name}"),
        Role::Round => "each round".to_owned(),
        Role::Item => "each item".to_owned(),
        Role::Catch(_) => "catch".to_owned(),
        Role::Undo => "undo".to_owned(),
        Role::Probe => "probe".to_owned(),
    }
}

/// `deploy: exec`, and what is special about the step.
fn label(node: &Node) -> String {
    format!("{}: {}", node.name, node.kind.name())
}

/// Pairs of steps, the needed one first, in the order of the file.
fn needs(graph: &Graph) -> impl Iterator<Item = (NodeId, NodeId)> + '_ {
    (0..).map(NodeId).zip(&graph.nodes).flat_map(|(id, node)| node.needs.iter().map(move |needed| (*needed, id)))
}

/// Steps that begin a block, with the step whose block it is.
fn entries(graph: &Graph) -> impl Iterator<Item = (NodeId, NodeId)> + '_ {
    graph.blocks.iter().filter_map(|block| Some((block.owner?, block))).flat_map(|(owner, block)| {
        block.steps.iter().filter(|step| graph.node(**step).needs.is_empty()).map(move |step| (owner, *step))
    })
}
