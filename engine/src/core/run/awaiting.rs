//! Steps that wait for somebody outside the run: what they have in common, whoever that is and whatever they say.

use lockstep_dsl::graph::Kind;
use lockstep_dsl::value::{Map, Value};

use super::approval::{Approval, Person};
use super::decide::Refused;
use super::record::{Change, StopCause};
use super::state::{Phase, Run, Timer};
use super::tally::Tally;
use super::turn::Turn;
use crate::clock::Stamp;
use crate::id::StepNo;

/// In the rendered input of a step: who may answer.
pub const BY: &str = "by";

/// In the rendered input of a step: who may answer as well when nobody has for long.
pub const TO: &str = "to";

impl Turn<'_> {
    /// The step waits from here on; a signal that came before is taken at once.
    pub fn begin_to_await(&mut self, step: StepNo, input: Map) {
        if self.is_halted(step) {
            self.stopped(step, StopCause::Failure);
            return;
        }
        self.emit(Change::Awaited { step, input });
        self.receive(step);
    }

    /// The step that waits under this path for what `is` says, as `what` names it.
    pub fn asked(&self, path: &str, what: &str, is: impl Fn(&Kind) -> bool) -> Result<StepNo, Refused> {
        let Some(step) = self.run.step_by_path(path) else {
            return Err(Refused::NotNow(format!("run {} has no step `{path}`", self.run.id)));
        };
        if !is(&self.run.node_of(step).kind) || !matches!(self.phase(step), Phase::Awaiting { .. }) {
            let status = self.run.step(step).status().name();
            return Err(Refused::NotNow(format!("step `{path}` waits for no {what}, it is {status}")));
        }
        let limits = [Timer::Attempt(step), Timer::Total(step), Timer::Run];
        if limits.iter().any(|limit| self.run.armed.get(limit).is_some_and(|due| *due <= self.now.time)) {
            return Err(Refused::NotNow(format!("it is too late: the time in which step `{path}` waits is over")));
        }
        Ok(step)
    }

    /// The entry of the step's list by which a person may answer; `None` where everybody may.
    pub fn right(&self, step: StepNo, person: &Person) -> Result<Option<String>, Refused> {
        let allowed = self.run.allowed(step);
        if allowed.is_empty() {
            return Ok(None);
        }
        let right = allowed.iter().find(|allowed| person.is(allowed));
        right.map(|right| Some((*right).to_owned())).ok_or_else(|| {
            let path = self.run.path(step);
            Refused::NotNow(format!("{} may not answer step `{path}`, only {} may", person.name, allowed.join(" or ")))
        })
    }
}

impl Run {
    /// Whether nothing happens to the run any more without a person, but that limits of time are reached.
    pub fn is_at_rest(&self) -> bool {
        self.is_ended() || self.quarantined.is_some() || self.needs_a_word()
    }

    /// Whether the run is open and cannot go on until somebody outside says something, a run that it called ends, or a key
    /// that it waits for is free: nothing runs, and no time is waited for but limits.
    pub fn needs_a_word(&self) -> bool {
        let Tally { busy, delayed, doubted, awaiting, calling, locking } = self.tally;
        let needs = doubted + awaiting + calling + locking > 0 || self.is_paused() || self.is_queued();
        !self.is_ended() && self.questions.is_empty() && needs && busy + delayed == 0
    }

    /// Whether all that it cannot go on without is what somebody was expected to say, and nothing is in doubt.
    pub fn only_awaits(&self) -> bool {
        self.needs_a_word() && self.tally.doubted == 0 && self.quarantined.is_none()
    }

    /// The steps that wait for somebody outside the run, those first that have waited longest.
    pub fn awaiting(&self) -> Vec<StepNo> {
        if self.tally.awaiting == 0 {
            return Vec::new();
        }
        let waiting = self.steps.numbered().filter_map(|(no, step)| match step.phase {
            Phase::Awaiting { since } => Some((since, StepNo(no))),
            _ => None,
        });
        let mut waiting: Vec<_> = waiting.collect();
        waiting.sort_unstable();
        waiting.into_iter().map(|(_, no)| no).collect()
    }

    /// The step waits for somebody outside from here on.
    pub(super) fn begin_to_await(&mut self, no: StepNo, input: &Map, at: Stamp) {
        self.set_phase(no, Phase::Awaiting { since: at.wall });
        let node = self.node_of(no);
        let limit = node.timeout.attempt;
        let escalates = match &node.kind {
            Kind::Approve(approve) => approve.escalate.as_ref().map(|escalate| escalate.after),
            _ => None,
        };
        let is_vote = matches!(node.kind, Kind::Approve(_));
        let step = self.step_mut(no);
        step.input.clone_from(input);
        step.result = None;
        step.approval = is_vote.then(|| Box::new(Approval::default()));
        if let Some(limit) = limit.filter(|_| !self.is_limited(Timer::Attempt(no))) {
            self.limit(Timer::Attempt(no), limit, at);
        }
        if let Some(after) = escalates {
            self.arm(at.time.saturating_add(after.0), Timer::Escalate(no));
        }
    }

    /// Who may answer a step now; nobody in particular where everybody may.
    pub fn allowed(&self, no: StepNo) -> Vec<&str> {
        let step = self.step(no);
        let escalated = step.approval.as_ref().is_some_and(|approval| approval.escalated);
        let further = step.input.get(TO).filter(|_| escalated);
        match step.input.get(BY) {
            None => Vec::new(),
            Some(by) => names(by).chain(further.into_iter().flat_map(names)).collect(),
        }
    }
}

fn names(list: &Value) -> impl Iterator<Item = &str> {
    let list = if let Value::List(list) = list { list.as_slice() } else { &[] };
    list.iter().filter_map(|name| match name {
        Value::String(name) => Some(name.as_str()),
        _ => None,
    })
}
