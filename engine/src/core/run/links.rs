//! What is looked up in a graph again and again, worked out once.

use lockstep_dsl::graph::{Graph, NodeId};

/// Lookups that a graph's own form would make slow in a long block.
#[derive(Debug, Default)]
pub struct Links {
    /// For every node its place in its block.
    places: Vec<u32>,
    /// For every node those of its block that need it.
    dependents: Vec<Vec<NodeId>>,
    /// For every node whether a step inside it has an `undo`.
    undo_inside: Vec<bool>,
}

impl Links {
    /// Works them out.
    pub fn new(graph: &Graph) -> Self {
        let count = graph.nodes.len();
        let mut links =
            Self { places: vec![0; count], dependents: vec![Vec::new(); count], undo_inside: vec![false; count] };
        for node in graph.nodes.iter().filter(|node| node.undo.is_some()) {
            let mut owner = graph.block(node.block).owner;
            while let Some(around) = owner {
                links.undo_inside[around.0 as usize] = true;
                owner = graph.block(graph.node(around).block).owner;
            }
        }
        for block in &graph.blocks {
            for (place, node) in (0..).zip(&block.steps) {
                links.places[node.0 as usize] = place;
                for need in &graph.node(*node).needs {
                    links.dependents[need.0 as usize].push(*node);
                }
            }
        }
        links
    }

    /// The node's place in its block.
    pub fn place(&self, node: NodeId) -> u32 {
        self.places[node.0 as usize]
    }

    /// Whether a step inside it has an `undo`.
    pub fn has_undo_inside(&self, node: NodeId) -> bool {
        self.undo_inside[node.0 as usize]
    }

    /// The nodes of its block that need it, in file order.
    pub fn dependents(&self, node: NodeId) -> &[NodeId] {
        &self.dependents[node.0 as usize]
    }
}
