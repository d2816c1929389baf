//! The definitions that runs were started with lately, so that starting one again costs no hash of its whole text.

use std::collections::VecDeque;
use std::sync::Arc;

use lockstep_dsl::graph::Graph;

use crate::encode::encode;
use crate::limits::MAX_RECENT_DEFINITIONS;

/// A definition, and what is worked out from its text.
#[derive(Clone, Debug)]
pub(super) struct Definition {
    pub graph: Arc<Graph>,
    /// [`Graph::hash`].
    pub hash: Arc<str>,
    /// Bytes of its record.
    pub bytes: usize,
}

/// The last definitions, newest first. A cache: what is not in it is worked out again.
#[derive(Debug, Default)]
pub(super) struct Definitions(VecDeque<Definition>);

impl Definitions {
    /// The definition for a graph. One that is equal to a known one becomes that, so that runs share it.
    pub fn of(&mut self, graph: &Arc<Graph>) -> Definition {
        let known = self.0.iter().position(|known| Arc::ptr_eq(&known.graph, graph) || known.graph == *graph);
        if let Some(known) = known.and_then(|place| self.0.remove(place)) {
            self.0.push_front(known.clone());
            return known;
        }
        let bytes = encode(graph.as_ref()).len();
        let definition = Definition { graph: Arc::clone(graph), hash: graph.hash().into(), bytes };
        self.0.truncate(MAX_RECENT_DEFINITIONS - 1);
        self.0.push_front(definition.clone());
        definition
    }
}
