//! Kind `call`, and the runbooks that travel with a graph because its steps call them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Effect, Field, Graph, Kind, Node, NodeId, Role};

/// `call`: a run of another runbook.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// The runbook: a place in [`Graph::called`].
    pub runbook: u32,
    /// Its parameters, in file order; those that are left out have their defaults.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub params: Vec<(String, Field)>,
    /// Whether the step ends with the run that it calls; else it ends as soon as that has started.
    pub wait: bool,
    /// The names of the outputs that the runbook declares.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<String>,
}

/// A runbook that steps of a graph call, as it was when the graph was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Called {
    /// As the runbook that calls it names it: `storage/disk-cleanup`, `./cleanup.yaml`.
    pub target: String,
    /// [`Graph::hash`] of it.
    pub hash: String,
    /// The runbook itself.
    #[serde(with = "shared")]
    pub graph: Arc<Graph>,
}

impl Graph {
    /// The runbook that a `call` calls.
    pub fn called_by(&self, call: &Call) -> &Called {
        &self.called[call.runbook as usize]
    }

    /// How many runbooks travel with the graph, and how deep their calls are nested: 0 and 0 where it calls none.
    pub fn calls(&self) -> (usize, usize) {
        let inner = self.called.iter().map(|called| called.graph.calls());
        inner.fold((0, 0), |(count, depth), (more, deeper)| (count + 1 + more, depth.max(1 + deeper)))
    }

    /// The strongest effect of what its steps do; what compensates or finds out is no part of it.
    pub fn effect(&self) -> Effect {
        self.doing().map(|(_, node)| node.effect).max().unwrap_or(Effect::Pure)
    }

    /// A step that must run once and that a second run of the same would repeat: nothing undoes it, and no block around
    /// it says that it may be repeated.
    pub fn once(&self) -> Option<&Node> {
        self.doing().map(|(_, node)| node).find(|node| {
            let acts = match &node.kind {
                Kind::Call(call) => self.called_by(call).graph.once().is_some(),
                kind => kind.is_acting(),
            };
            acts && node.effect == Effect::Once
                && self.with_around(node).all(|around| around.undo.is_none() && around.effect == Effect::Once)
        })
    }

    /// The steps that stand in no `undo` and no `probe`.
    fn doing(&self) -> impl Iterator<Item = (NodeId, &Node)> {
        let does = |(_, node): &(NodeId, &Node)| {
            !self.with_around(node).any(|node| matches!(self.block(node.block).role, Role::Undo | Role::Probe))
        };
        (0..).map(NodeId).zip(&self.nodes).filter(does)
    }

    /// A step and those that it stands in, innermost first.
    fn with_around<'a>(&'a self, node: &'a Node) -> impl Iterator<Item = &'a Node> {
        std::iter::successors(Some(node), |node| self.block(node.block).owner.map(|owner| self.node(owner)))
    }
}

/// What is shared in memory, written as itself.
mod shared {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::Graph;

    pub fn serialize<S: Serializer>(graph: &Arc<Graph>, serializer: S) -> Result<S::Ok, S::Error> {
        graph.as_ref().serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<Graph>, D::Error> {
        Graph::deserialize(deserializer).map(Arc::new)
    }
}
