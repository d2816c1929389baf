//! What a step waits for that somebody outside the run must say.

use lockstep_dsl::value::Timestamp;

use crate::api::{AwaitView, Awaited};
use crate::core::run::{Phase, Run};
use crate::id::StepNo;

/// What the step waits for; `None` where it does not.
pub(super) fn view(run: &Run, no: StepNo) -> Option<AwaitView> {
    let Phase::Awaiting { since } = run.step(no).phase else { return None };
    let what = Awaited::Signal { name: run.awaited_signal(no)?.to_owned() };
    Some(AwaitView { since: since.to_string(), what })
}

/// When it is too late.
pub(super) fn until(run: &Run, no: StepNo) -> Option<String> {
    let Phase::Awaiting { since } = run.step(no).phase else { return None };
    let limit = run.node_of(no).timeout.attempt?;
    let limit = i64::try_from(limit.0).unwrap_or(i64::MAX);
    Some(Timestamp(since.0.saturating_add(limit)).to_string())
}
