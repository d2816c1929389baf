//! The plan of a run: the steps of its file, before any of them has run.

use lockstep_dsl::graph::{BlockId, Graph};

use crate::api::PlanRow;

/// Every step of the file in order, blocks before what is in them.
pub fn plan(graph: &Graph) -> Vec<PlanRow> {
    let mut rows = Vec::with_capacity(graph.nodes.len());
    let own = [Some(graph.main), graph.on_failure, graph.finally];
    // Steps still to be shown, the next one last.
    let mut left = Vec::new();
    push(graph, own.into_iter().flatten(), 0, &mut left);
    while let Some((node, depth)) = left.pop() {
        let step = graph.node(node);
        rows.push(PlanRow {
            path: step.path.clone(),
            kind: step.kind.name().to_owned(),
            title: step.title.as_ref().and_then(super::plain_text),
            depth,
            tries: step.retry.iter().map(|retry| retry.attempts).max().unwrap_or(1),
        });
        push(graph, step.kind.blocks().into_iter().chain(step.handlers()), depth + 1, &mut left);
    }
    rows
}

fn push(
    graph: &Graph,
    blocks: impl Iterator<Item = BlockId>,
    depth: usize,
    left: &mut Vec<(lockstep_dsl::graph::NodeId, usize)>,
) {
    let steps: Vec<_> = blocks.flat_map(|block| &graph.block(block).steps).map(|node| (*node, depth)).collect();
    left.extend(steps.into_iter().rev());
}
