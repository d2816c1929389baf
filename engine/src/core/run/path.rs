//! Paths of steps in a run.

use std::fmt::Write as _;

use lockstep_dsl::graph::Role;

use super::state::Run;
use crate::fault::{self, Bug};
use crate::id::StepNo;

impl Run {
    /// The step's path in the run: names of blocks, branches and steps joined by `/`; an item or round has its index in
    /// brackets behind the loop's name; a revisit has `~2` behind its name, steps of handlers stand below `catch`, `finally` and `undo`, the runbook's own below `on_failure` and `finally`.
    pub fn path(&self, no: StepNo) -> String {
        let step = self.step(no);
        let activation = &self.activations[step.activation];
        let mut path = activation.owner.map(|owner| self.path(owner)).unwrap_or_default();
        if let Some(item) = &activation.item {
            let _ = write!(path, "[{}]", item.index);
        }
        let mut push = |part: &str| {
            if !path.is_empty() {
                path.push('/');
            }
            path.push_str(part);
        };
        match &self.graph.block(activation.block).role {
            Role::Main | Role::Do | Role::Round | Role::Item => {}
            Role::Branch(name) | Role::Case(name) => push(name),
            Role::Catch(_) => push("catch"),
            Role::OnFailure => push("on_failure"),
            Role::Finally | Role::StepFinally => push("finally"),
            Role::Undo => push("undo"),
            Role::Probe => push("probe"),
        }
        push(&self.graph.node(step.node).name);
        let visit = step.visit.max(activation.visit);
        if visit > 1 {
            let _ = write!(path, "~{visit}");
        }
        path
    }

    /// The key of the step's attempts, `LOCKSTEP_KEY`: the same for all attempts of one visit, and another one for every
    /// round of `until`.
    pub fn key(&self, no: StepNo) -> String {
        let path = self.path(no);
        if fault::planted(Bug::KeyPerAttempt) {
            return format!("{}/{path}#{}", self.id, self.step(no).grants.len());
        }
        match self.step(no).rounds {
            0 => format!("{}/{path}", self.id),
            round => format!("{}/{path}@{}", self.id, round + 1),
        }
    }

    /// The step with this path; also by its bare name where only one step of the run has that name.
    pub fn step_by_path(&self, path: &str) -> Option<StepNo> {
        self.step_numbers().find(|no| self.path(*no) == path).or_else(|| {
            let mut named = self.step_numbers().filter(|no| self.node_of(*no).name == path);
            match (named.next(), named.next()) {
                (Some(only), None) => Some(only),
                _ => None,
            }
        })
    }
}
