//! What of a runbook no case has reached.
//!
//! A *step* is covered when it ran. A *branch* is a place where a run can go two ways: a `when` that held and one that did
//! not, each case of a `switch`, each `catch`, and an `on_error` that let a failure pass. Steps that are disabled are left
//! out, with all that is in them. Runbooks that are called count too, as far as they are played.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use lockstep_dsl::graph::{BlockId, Graph, Node, NodeId, OnError, Role};
use lockstep_engine::rehearsal::Reached;

use super::report::CalledCoverage;

/// What is covered of a runbook.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Steps that ran.
    pub steps: Share,
    /// Branches that were taken.
    pub branches: Share,
    /// What was not reached, in the order of the file.
    pub missed: Vec<String>,
}

/// What all cases together have reached, by the files of runbooks: those that are tested, and those that they call.
#[derive(Clone, Debug, Default)]
pub struct ReachedFiles(BTreeMap<PathBuf, Reached>);

impl ReachedFiles {
    /// Adds what one case has reached of a runbook.
    pub fn add(&mut self, file: &str, reached: &Reached) {
        self.0.entry(place(file)).or_default().merge(reached);
    }

    /// What is covered of a runbook.
    pub fn coverage(&self, graph: &Graph) -> Coverage {
        let nothing = Reached::default();
        Coverage::of(graph, self.0.get(&place(&graph.file)).unwrap_or(&nothing))
    }

    /// What is covered of the runbooks that one calls, also those that these call. Left out are those that were not played,
    /// since their calls are mocked, and those that have cases of their own.
    pub fn of_called(&self, graph: &Graph, tested: &[&Graph]) -> Vec<CalledCoverage> {
        let mut found = BTreeMap::new();
        self.collect_called(graph, &mut found);
        for graph in tested {
            found.remove(&place(&graph.file));
        }
        found.into_values().collect()
    }

    fn collect_called(&self, graph: &Graph, found: &mut BTreeMap<PathBuf, CalledCoverage>) {
        for called in graph.called.iter().map(|called| &called.graph) {
            let coverage = self.coverage(called);
            if coverage.steps.reached > 0 {
                let (file, runbook) = (called.file.clone(), called.runbook.clone());
                found.insert(place(&file), CalledCoverage { file, runbook, coverage });
            }
            self.collect_called(called, found);
        }
    }
}

/// A file, however its path is written.
fn place(file: &str) -> PathBuf {
    fs::canonicalize(file).unwrap_or_else(|_| PathBuf::from(file))
}

/// So many of so many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// Reached.
    pub reached: usize,
    /// In all.
    pub all: usize,
}

impl Share {
    fn count(&mut self, reached: bool) {
        self.all += 1;
        self.reached += usize::from(reached);
    }

    /// In percent, rounded down so that 100 means all.
    pub fn percent(self) -> usize {
        (self.reached * 100).checked_div(self.all).unwrap_or(100)
    }

    /// Both together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self { reached: self.reached + other.reached, all: self.all + other.all }
    }
}

impl Coverage {
    /// What all cases together have reached of a graph.
    pub fn of(graph: &Graph, reached: &Reached) -> Self {
        let mut coverage = Self::default();
        for (number, node) in (0..).zip(&graph.nodes) {
            if !is_disabled(graph, node) {
                coverage.node(graph, reached, NodeId(number), node);
            }
        }
        coverage
    }

    fn node(&mut self, graph: &Graph, reached: &Reached, id: NodeId, node: &Node) {
        let ran = reached.ran.contains(&id);
        self.steps.count(ran);
        if !ran {
            self.missed.push(format!("step `{}` never runs", node.path));
        }
        if node.when.is_some() {
            self.branch(ran, node, "its `when` never holds");
            self.branch(reached.passed_over.contains(&id), node, "its `when` never fails to hold");
        }
        for block in node.kind.blocks() {
            if let Role::Case(name) = &graph.block(block).role {
                self.block(reached, node, block, &format!("the case `{name}` is never chosen"));
            }
        }
        for (number, entry) in (1..).zip(&node.catch) {
            let which = if node.catch.len() > 1 { format!("its handler {number}") } else { "its `catch`".to_owned() };
            self.block(reached, node, entry.block, &format!("{which} never handles anything"));
        }
        if node.on_error != OnError::Fail {
            self.branch(reached.failed.contains(&id), node, "it never fails, so `on_error` is not tried");
        }
    }

    fn block(&mut self, reached: &Reached, node: &Node, block: BlockId, missed: &str) {
        self.branch(reached.blocks.contains(&block), node, missed);
    }

    fn branch(&mut self, reached: bool, node: &Node, missed: &str) {
        self.branches.count(reached);
        if !reached {
            self.missed.push(format!("step `{}`: {missed}", node.path));
        }
    }
}

/// Whether a step, or one around it, is disabled.
fn is_disabled(graph: &Graph, node: &Node) -> bool {
    let mut node = node;
    loop {
        if node.disabled.is_some() {
            return true;
        }
        match graph.block(node.block).owner {
            Some(owner) => node = graph.node(owner),
            None => return false,
        }
    }
}
