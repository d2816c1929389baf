//! What runs again: after a retry of the run, and where a `next` leads back.

use super::{Activation, Role, Run, Status, Step};

/// What a retry of the run does to a step.
enum Fate {
    /// It ended well.
    Kept,
    /// It goes on inside.
    Inside,
    /// It runs again.
    Again,
    /// It was undone, and is visited anew.
    Anew,
}

impl Run {
    /// A person asked for the run to go on: what did not end well runs again.
    pub(super) fn reopen(&mut self) {
        self.ended = None;
        self.cancels = 0;
        self.undo_cancels = 0;
        self.finishing = false;
        if let Some(main) = self.main() {
            self.reopen_block(main);
        }
    }

    pub(super) fn reopen_block(&mut self, activation: usize) {
        self.activations[activation].halted = None;
        for (place, number) in self.steps_of(activation).into_iter().enumerate() {
            match self.fate(number) {
                Fate::Kept => {}
                Fate::Anew => {
                    let waived = std::mem::take(&mut self.steps[number].waived);
                    let new = self.visit_again(place, number);
                    self.steps[new].waived = waived;
                }
                Fate::Again => {
                    self.rewind(number);
                    self.steps[number].status = Status::Pending;
                }
                Fate::Inside => {
                    self.rewind(number);
                    self.steps[number].status = Status::Running;
                    let undone = self.inside(number).into_iter().filter(|inner| self.is_undone_in(*inner));
                    let undone: Vec<usize> = undone.filter(|inner| self.block(*inner).role == Role::Item).collect();
                    let looping = &mut self.steps[number].looping;
                    looping.unwell.extend(undone);
                    looping.reopen();
                    for body in self.bodies(number) {
                        self.reopen_block(body);
                    }
                }
            }
        }
    }

    fn rewind(&mut self, number: usize) {
        let step = &mut self.steps[number];
        step.retries = 0;
        step.handled = false;
        step.reopened = true;
    }

    /// What a retry of the run does to a step.
    fn fate(&self, number: usize) -> Fate {
        let step = &self.steps[number];
        let undone_inside = self.holds_undone(number);
        let is_repeat = self.role_of_any(step.node, &Role::Round);
        let has_bodies = !self.bodies(number).is_empty() || step.looping.known;
        match step.status {
            Status::Undone => Fate::Anew,
            status if status.is_end() && is_repeat && undone_inside => Fate::Anew,
            Status::Succeeded if undone_inside => Fate::Inside,
            Status::Failed if step.handled && undone_inside && has_bodies => Fate::Inside,
            Status::Failed if step.handled && undone_inside => Fate::Again,
            Status::Succeeded | Status::Skipped(false) => Fate::Kept,
            Status::Failed if step.handled => Fate::Kept,
            Status::Failed | Status::Cancelled if has_bodies => Fate::Inside,
            _ => Fate::Again,
        }
    }

    /// The last activations of what is a step's own, without handlers and items.
    fn bodies(&self, number: usize) -> Vec<usize> {
        let mut bodies = self.inside(number);
        bodies.retain(|activation| matches!(self.block(*activation).role, Role::Body(_) | Role::Round));
        bodies
    }

    /// Whether a step of an activation, or something in one, was undone.
    fn is_undone_in(&self, activation: usize) -> bool {
        let counts = !matches!(self.block(activation).role, Role::Undo | Role::Probe);
        let mut steps = self.steps_of(activation).into_iter();
        counts && steps.any(|step| self.steps[step].status == Status::Undone || self.holds_undone(step))
    }

    /// Whether something that ran last inside a step was undone: of a loop in any item or round of its last try.
    fn holds_undone(&self, number: usize) -> bool {
        let is_last = |activation: usize| {
            let Activation { block, visit, .. } = self.activations[activation];
            match self.definition.blocks[block].role {
                Role::Round => self.steps[number].looping.visit == visit,
                // A handler counts while its failure stands.
                Role::Catch => self.steps[number].handled && self.is_latest(activation),
                Role::Main
                | Role::OnFailure
                | Role::Finally
                | Role::Body(_)
                | Role::Item
                | Role::StepFinally
                | Role::Undo
                | Role::Probe => self.is_latest(activation),
            }
        };
        let owned = (0..self.activations.len()).filter(|inner| self.activations[*inner].owner == Some(number));
        owned.filter(|inner| is_last(*inner)).any(|inner| self.is_undone_in(inner))
    }

    fn role_of_any(&self, node: usize, role: &Role) -> bool {
        self.definition.blocks.iter().any(|block| block.owner == Some(node as u64) && block.role == *role)
    }

    /// A step is visited again, as a new one in its place.
    fn visit_again(&mut self, place: usize, number: usize) -> usize {
        let Step { node, activation, visit, .. } = self.steps[number];
        let visit = visit.max(self.activations[activation].visit) + 1;
        let new = self.steps.len();
        self.steps.push(Step::pending(node, activation, visit));
        self.activations[activation].again.insert(place, new);
        if let Some(owner) = self.activations[activation].owner {
            let looping = &mut self.steps[owner].looping;
            looping.deepest = looping.deepest.max(visit);
        }
        new
    }

    /// A `next` led back: a step, and those behind it that have ended, are visited again.
    pub(super) fn revisit(&mut self, number: usize) {
        let Some(activation) = self.steps.get(number).map(|step| step.activation) else { return };
        let steps = self.steps_of(activation);
        let from = steps.iter().position(|step| *step == number).unwrap_or(steps.len());
        for (place, step) in steps.into_iter().enumerate().skip(from) {
            if self.steps[step].status.is_end() {
                let _ = self.visit_again(place, step);
            }
        }
    }
}
