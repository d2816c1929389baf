//! What a step waits for that somebody outside the run must say.

use lockstep_dsl::graph::{Kind, Param};
use lockstep_dsl::value::{Millis, Timestamp, Value};

use crate::api::{AwaitView, Awaited, FieldView};
use crate::core::run::{Claim, Phase, Run, Step};
use crate::id::StepNo;

/// What the step waits for; `None` where it does not.
pub(super) fn view(run: &Run, no: StepNo) -> Option<AwaitView> {
    if let Phase::Calling { run: called, .. } = run.step(no).phase {
        let Kind::Call(call) = &run.node_of(no).kind else { return None };
        let runbook = run.graph.called_by(call).graph.runbook.clone();
        return Some(AwaitView { what: Awaited::Call { run: called, runbook } });
    }
    if let Some(claim) = run.wanted(Some(no)) {
        return Some(of_claim(claim));
    }
    let Phase::Awaiting { since } = run.step(no).phase else { return None };
    let step = run.step(no);
    let message = || step.input.get("message").and_then(|message| message.to_text().ok()).unwrap_or_default();
    let by = || run.allowed(no).into_iter().map(str::to_owned).collect();
    let what = match &run.node_of(no).kind {
        Kind::Approve(plan) => {
            let votes = step.approval.as_ref().map(|approval| approval.votes.as_slice()).unwrap_or_default();
            let is_ahead = step.approval.as_ref().is_some_and(|approval| !approval.escalated);
            let escalates = plan.escalate.as_ref().filter(|_| is_ahead);
            Awaited::Approval {
                message: message(),
                by: by(),
                quorum: plan.quorum,
                approved: votes.iter().map(|vote| vote.by.clone()).collect(),
                escalates: escalates.map(|escalate| later(since, escalate.after)),
            }
        }
        Kind::Ask(ask) => {
            Awaited::Answer { message: message(), by: by(), fields: ask.fields.iter().map(field).collect() }
        }
        Kind::AwaitSignal(_) => Awaited::Signal { name: run.awaited_signal(no)?.to_owned() },
        Kind::Shell(_)
        | Kind::Exec(_)
        | Kind::Http(_)
        | Kind::Script(_)
        | Kind::Set(_)
        | Kind::Assert { .. }
        | Kind::WaitFor(_)
        | Kind::WaitUntil(_)
        | Kind::Call(_)
        | Kind::Do(_)
        | Kind::Parallel(_)
        | Kind::Switch(_)
        | Kind::Foreach(_)
        | Kind::Repeat(_)
        | Kind::Fail { .. }
        | Kind::Finish { .. } => return None,
    };
    Some(AwaitView { what })
}

/// A key that is waited for; who holds it is not seen from here.
pub(super) fn of_claim(claim: &Claim) -> AwaitView {
    AwaitView { what: Awaited::Lock { key: claim.key.clone(), holders: Vec::new(), ahead: 0 } }
}

/// Since when the step waits for somebody, or is in doubt.
pub(super) fn since(step: &Step) -> Option<String> {
    match &step.phase {
        Phase::Awaiting { since }
        | Phase::Calling { since, .. }
        | Phase::Locking { since }
        | Phase::InDoubt { since, .. } => Some(since.to_string()),
        Phase::Pending
        | Phase::Asking(_)
        | Phase::Deciding
        | Phase::Running { .. }
        | Phase::Delayed { .. }
        | Phase::Held { .. }
        | Phase::Inside
        | Phase::Ended { .. } => None,
    }
}

/// When it is too late.
pub(super) fn until(run: &Run, no: StepNo) -> Option<String> {
    let (Phase::Awaiting { since } | Phase::Calling { since, .. }) = run.step(no).phase else { return None };
    Some(later(since, run.node_of(no).timeout.attempt?))
}

fn later(since: Timestamp, by: Millis) -> String {
    let by = i64::try_from(by.0).unwrap_or(i64::MAX);
    Timestamp(since.0.saturating_add(by)).to_string()
}

fn field(field: &Param) -> FieldView {
    FieldView {
        name: field.name.clone(),
        kind: field.kind.name().to_owned(),
        description: field.description.clone(),
        optional: field.optional || field.default.is_some(),
        choices: field.choices.iter().flatten().map(Value::to_json).collect(),
    }
}
