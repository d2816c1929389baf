//! `next`: it goes on elsewhere than with the step behind.
//!
//! Steps that are passed over are skipped. Going back makes new visits of the step and of those behind it. To leave a
//! block, its other steps are passed over, and the step that it belongs to, when it has ended well, goes on in its place.

use std::sync::Arc;

use lockstep_dsl::graph::{Kind, Next, Role};

use super::error::RunError;
use super::record::{Change, Skip, StopCause};
use super::state::{Phase, Run};
use super::turn::{Turn, Work};
use crate::id::StepNo;
use crate::limits::MAX_REVISITS;

impl Turn<'_> {
    /// A case or a handler says where it goes on behind the step.
    pub fn lead(&mut self, step: StepNo, to: Option<Next>) {
        if self.run.step(step).led != to {
            self.emit(Change::Led { step, to });
        }
    }

    /// Where it goes on behind a step that has ended well, if not with the one behind it.
    pub fn goes_on(&self, step: StepNo, by_on_error: bool) -> Option<Next> {
        let node = self.run.node_of(step);
        let on_error = node.on_error_next.filter(|_| by_on_error);
        on_error.or(self.run.step(step).led).or(node.next)
    }

    /// The error of a step that would lead back once too often.
    pub fn beyond_limit(&self, step: StepNo, next: Next) -> Option<RunError> {
        let is_back = self.place_of(step, next).is_some_and(|(own, target)| target <= own);
        (is_back && self.run.revisits >= MAX_REVISITS).then(|| {
            let message = format!("a run goes back {MAX_REVISITS} times at most, and this would be once more");
            self.error(step, "limit", message)
        })
    }

    /// A step has ended well, and it goes on elsewhere.
    pub fn follow(&mut self, step: StepNo, next: Next) {
        let no = self.run.step(step).activation;
        let activation = &self.run.activations[no];
        if activation.halt.is_some() {
            self.ended(step);
            return;
        }
        let owner = activation.owner;
        let role = self.run.graph.block(activation.block).role.clone();
        if let Some((own, target)) = self.place_of(step, next) {
            if target <= own {
                self.go_back(activation.at(target));
            } else {
                self.pass_over(step, own + 1, target);
            }
            return;
        }
        // The step that the block belongs to goes on in its place, when it has ended.
        let is_body = matches!(role, Role::Item | Role::Round);
        match (next, owner) {
            (Next::Break, Some(owner)) if is_body => self.break_off(step, owner),
            (Next::Continue, _) if is_body => self.pass_over(step, 0, u32::MAX),
            (Next::End, _) | (_, None) => self.pass_over(step, 0, u32::MAX),
            (Next::Break | Next::Continue | Next::Step(_), Some(owner)) => {
                self.lead(owner, Some(next));
                self.pass_over(step, 0, u32::MAX);
            }
        }
    }

    /// The places in their block of a step and of where it goes on, where that is in the same block.
    fn place_of(&self, step: StepNo, next: Next) -> Option<(u32, u32)> {
        let Next::Step(target) = next else { return None };
        let node = self.run.step(step).node;
        let is_here = self.run.graph.node(node).block == self.run.graph.node(target).block;
        is_here.then(|| (self.run.links.place(node), self.run.links.place(target)))
    }

    /// Skips what has not begun from one place of a step's block up to another, which is then next.
    fn pass_over(&mut self, step: StepNo, from: u32, to: u32) {
        let steps: Vec<_> = self.run.steps_of(self.run.step(step).activation).collect();
        let between = (0..).zip(steps).filter(|(place, _)| (from..to).contains(place)).map(|(_, step)| step);
        let passed: Vec<StepNo> = between.filter(|step| matches!(self.phase(*step), Phase::Pending)).collect();
        if passed.is_empty() {
            self.ended(step);
        }
        for step in passed {
            self.skip(step, Skip::Passed);
        }
    }

    fn go_back(&mut self, target: StepNo) {
        let no = self.run.step(target).activation;
        let place = self.run.links.place(self.run.step(target).node);
        self.emit(Change::Revisited { step: target });
        self.push(Work::Ready(self.run.activations[no].at(place)));
    }

    /// The loop around a step ends with it.
    fn break_off(&mut self, step: StepNo, owner: StepNo) {
        self.pass_over(step, 0, u32::MAX);
        if matches!(self.run.node_of(owner).kind, Kind::Foreach(_)) {
            self.stop_items(owner, true, StopCause::Break);
        } else {
            self.emit(Change::LoopHalted { step: owner, cancel: true, cause: StopCause::Break, error: None });
        }
    }
}

impl Run {
    /// It goes on with a step that it has come to before.
    pub(super) fn revisit(&mut self, no: StepNo) {
        self.revisits += 1;
        let activation = self.step(no).activation;
        let links = Arc::clone(&self.links);
        let from = links.place(self.step(no).node);
        let behind: Vec<StepNo> = self.steps_of(activation).skip(from as usize).collect();
        for step in behind {
            if self.step(step).status().is_end() {
                self.visit_again(step);
                self.activations[activation].open += 1;
            }
        }
        self.recount_needs(activation);
    }
}
