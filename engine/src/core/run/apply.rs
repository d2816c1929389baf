//! How a record changes a run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use lockstep_dsl::graph::Graph;
use lockstep_dsl::value::{Map, Timestamp};

use super::record::Change;
use super::state::{Run, RunStatus};
use crate::clock::Stamp;
use crate::id::{RunId, Token};

impl Run {
    /// A run in which nothing has happened.
    pub fn new(id: RunId, definition: String, graph: Arc<Graph>, params: Map, by: String, created: Timestamp) -> Self {
        Self {
            id,
            definition,
            graph,
            params,
            by,
            created,
            started: None,
            ended: None,
            status: RunStatus::Queued,
            steps: Vec::new(),
            activations: Vec::new(),
            latest: BTreeMap::new(),
            token: Token(0),
            questions: BTreeSet::new(),
            timers: BTreeSet::new(),
            cancel: None,
            finishing: None,
            outcome: None,
            error: None,
            outputs: Map::new(),
            quarantined: None,
        }
    }

    /// Applies one change; `at` is the stamp of its frame.
    pub fn apply(&mut self, change: &Change, at: Stamp) {
        let _ = (change, at);
    }
}
