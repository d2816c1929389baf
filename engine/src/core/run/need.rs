//! What steps of a block wait for: the steps they need that have not ended.
//!
//! Where a `retry` of the run keeps a step that had ended while one that it needs runs again, who needs the kept one waits
//! for the other: needs are followed through what has ended.

use std::collections::BTreeSet;
use std::sync::Arc;

use lockstep_dsl::graph::NodeId;

use super::state::{ActivationNo, Run};
use crate::id::StepNo;

impl Run {
    /// A step has ended: who waits for it waits for one less.
    pub(super) fn count_need(&mut self, no: StepNo) {
        let (node, activation) = (self.step(no).node, self.step(no).activation);
        let links = Arc::clone(&self.links);
        let mut is_plain = true;
        for dependent in links.dependents(node) {
            let dependent = self.step_in(activation, *dependent);
            is_plain &= !self.step(dependent).status().is_end();
            let step = self.step_mut(dependent);
            step.missing = step.missing.saturating_sub(1);
        }
        if !is_plain {
            for dependent in self.beyond(node, activation) {
                let step = self.step_mut(dependent);
                step.missing = step.missing.saturating_sub(1);
            }
        }
    }

    /// The steps that may start now that a step has ended, as far as this one goes.
    pub(super) fn freed_by(&self, no: StepNo) -> Vec<StepNo> {
        let (node, activation) = (self.step(no).node, self.step(no).activation);
        let direct = self.links.dependents(node).iter().map(|dependent| self.step_in(activation, *dependent));
        let direct: Vec<StepNo> = direct.collect();
        let is_plain = direct.iter().all(|dependent| !self.step(*dependent).status().is_end());
        let beyond = if is_plain { Vec::new() } else { self.beyond(node, activation) };
        let all = direct.into_iter().chain(beyond);
        all.filter(|dependent| self.step(*dependent).missing == 0).collect()
    }

    /// Counts anew what the steps of an activation wait for.
    pub(super) fn recount_needs(&mut self, no: ActivationNo) {
        let graph = Arc::clone(&self.graph);
        for step in self.steps_of(no) {
            let mut seen: BTreeSet<NodeId> = BTreeSet::new();
            let mut left: Vec<NodeId> = graph.node(self.step(step).node).needs.clone();
            let mut missing = 0_u32;
            while let Some(need) = left.pop() {
                if !seen.insert(need) {
                    continue;
                }
                if self.step(self.step_in(no, need)).status().is_end() {
                    left.extend(&graph.node(need).needs);
                } else {
                    missing += 1;
                }
            }
            self.step_mut(step).missing = missing;
        }
    }

    /// The steps that wait for a step of this node though they do not need it: what they need was kept, and needs it.
    fn beyond(&self, node: NodeId, activation: ActivationNo) -> Vec<StepNo> {
        let mut seen: BTreeSet<NodeId> = self.links.dependents(node).iter().copied().collect();
        let mut left: Vec<NodeId> = seen.iter().copied().collect();
        let mut found = Vec::new();
        while let Some(kept) = left.pop() {
            if !self.step(self.step_in(activation, kept)).status().is_end() {
                continue;
            }
            for dependent in self.links.dependents(kept) {
                if !seen.insert(*dependent) {
                    continue;
                }
                left.push(*dependent);
                let step = self.step_in(activation, *dependent);
                if !self.step(step).status().is_end() {
                    found.push(step);
                }
            }
        }
        found.sort();
        found
    }
}
