//! What people and programs are shown of runs: a run's state, turned into the rows and views of the [`api`](crate::api).
//!
//! Shows, and changes nothing. A secret is shown as its reference in parameters, and as `***` elsewhere.

mod awaits;
mod history;
mod holders;
mod plan;
mod schedule;
mod ticks;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use lockstep_dsl::graph::{BlockId, Field};
use lockstep_dsl::value::{Map, Timestamp};
use serde_json::Value as Json;

pub use self::history::{gone_row, history_row, without_definition};
pub use self::holders::name_holders;
pub use self::plan::plan;
pub use self::schedule::{named_schedule, schedule_view, schedule_views};
pub use self::ticks::ticks_view;

use crate::api::{AwaitView, Awaited, EditView, ErrorView, Gone, PauseView, RunRow, RunView, SkipView, StepView};
use crate::core::run::{Delay, Edited, Phase, Run, Skip};
use crate::id::{RunId, StepNo};

/// One line about a run.
pub fn run_row(run: &Run, interrupted: bool) -> RunRow {
    RunRow {
        id: run.id,
        runbook: run.graph.runbook.clone(),
        status: status(run).to_owned(),
        interrupted: interrupted && !run.is_ended(),
        in_doubt: run.is_in_doubt(),
        awaits: run.only_awaits() && run.calling().next().is_none() && !run.waits_for_key(),
        caller: run.caller.map(|caller| caller.run),
        created: run.created,
        ended: run.ended,
        by: run.by.clone(),
    }
}

/// The run's status. One that is quarantined goes nowhere by itself, so it waits.
pub fn status(run: &Run) -> &'static str {
    if run.quarantined.is_some() && !run.is_ended() { "waiting" } else { run.status_name() }
}

/// A run, whole; `logs` is the folder under which all logs are.
pub fn run_view(run: &Run, interrupted: bool, logs: &Path) -> RunView {
    RunView {
        id: run.id,
        runbook: run.graph.runbook.clone(),
        status: status(run).to_owned(),
        interrupted: interrupted && !run.is_ended(),
        params: run.params.iter().map(|(name, value)| (name.clone(), value.to_json_with_references())).collect(),
        outputs: if run.is_ended() { json_map(&run.outputs) } else { BTreeMap::new() },
        error: run_error(run),
        steps: in_order(run).into_iter().map(|no| step_view(run, no, logs)).collect(),
        by: run.by.clone(),
        definition: run.definition.clone(),
        created: run.created.to_string(),
        started: run.started.as_ref().map(Timestamp::to_string),
        ended: run.ended.as_ref().map(Timestamp::to_string),
        caller: run.caller.map(|caller| caller.run),
        file: Some(run.file.as_ref().unwrap_or(&run.graph.file).clone()),
        cwd: run.cwd.clone(),
        edits: run.edits.iter().map(edit_view).collect(),
        cancelled_by: run.cancel.as_ref().map(|(by, _)| by.clone()),
        paused: run.paused.as_deref().map(|pause| PauseView {
            by: pause.by.clone(),
            reason: pause.reason.clone(),
            since: pause.since.to_string(),
        }),
        queue: run.wanted(None).map(|claim| Box::new(awaits::of_claim(claim))),
        queued: run.wanted(None).map(|claim| claim.since.to_string()),
        gone: None,
    }
}

/// A run of which only the row in the lists is left, and why.
pub fn row_view(row: &RunRow, definition: &str, gone: Gone) -> RunView {
    RunView {
        id: row.id,
        runbook: row.runbook.clone(),
        status: row.status.clone(),
        interrupted: row.interrupted,
        params: BTreeMap::new(),
        outputs: BTreeMap::new(),
        error: None,
        steps: Vec::new(),
        by: row.by.clone(),
        definition: definition.to_owned(),
        created: row.created.to_string(),
        started: None,
        ended: row.ended.as_ref().map(Timestamp::to_string),
        caller: row.caller,
        file: None,
        cwd: None,
        edits: Vec::new(),
        cancelled_by: None,
        paused: None,
        queue: None,
        queued: None,
        gone: Some(gone),
    }
}

fn edit_view(edit: &Edited) -> EditView {
    EditView { by: edit.by.clone(), at: edit.at.to_string(), from: edit.from.clone() }
}

/// Why a run does not end well, or goes no further.
pub fn run_error(run: &Run) -> Option<ErrorView> {
    run.error.as_deref().map(ErrorView::from).or_else(|| {
        let why = run.quarantined.as_ref()?;
        Some(ErrorView {
            kind: "quarantined".to_owned(),
            message: if run.lost {
                format!("records of this run were lost, and nobody can say where it stands: {why}")
            } else {
                format!("deciding about this run failed, which is a bug of lockstep: {why}")
            },
            step: String::new(),
            attempt: 0,
            data: Json::Null,
            cause: None,
        })
    })
}

/// One visit of a step; `logs` is the folder under which all logs are.
pub fn step_view(run: &Run, no: StepNo, logs: &Path) -> StepView {
    let step = run.step(no);
    let node = run.node_of(no);
    let until = match &step.phase {
        Phase::Delayed { wall, .. } => Some(wall.to_string()),
        Phase::Awaiting { .. } | Phase::Calling { .. } => awaits::until(run, no),
        Phase::Pending
        | Phase::Asking(_)
        | Phase::Deciding
        | Phase::Running { .. }
        | Phase::Held { .. }
        | Phase::Locking { .. }
        | Phase::Inside
        | Phase::InDoubt { .. }
        | Phase::Ended { .. } => None,
    };
    let awaits = awaits::view(run, no).map(Box::new);
    StepView {
        path: run.path(no),
        kind: node.kind.name().to_owned(),
        title: step.title.clone().or_else(|| node.title.as_ref().and_then(plain_text)),
        status: step.status(),
        reason: reason(run, no, awaits.as_deref()),
        attempts: step.attempts,
        handled: step.handled,
        outputs: json_map(&step.outputs),
        error: step.error.as_deref().map(ErrorView::from),
        started: step.started.as_ref().map(Timestamp::to_string),
        ended: step.ended.as_ref().map(Timestamp::to_string),
        until,
        since: awaits::since(step),
        needs: needs(run, no),
        awaits,
        skip: run.waiver(no).map(|waiver| {
            let (by, reason) = (waiver.by.clone(), waiver.reason.clone());
            Box::new(SkipView { by, reason, at: waiver.at.to_string() })
        }),
        logs: (1..=step.grants.len()).map(|grant| log_path(logs, run.id, no, grant).display().to_string()).collect(),
    }
}

/// The paths of the steps that a pending step still needs.
fn needs(run: &Run, no: StepNo) -> Vec<String> {
    let step = run.step(no);
    if !matches!(step.phase, Phase::Pending) || step.missing == 0 {
        return Vec::new();
    }
    let needed = run.node_of(no).needs.iter().map(|need| run.step_in(step.activation, *need));
    needed.filter(|need| !run.step(*need).status().is_end()).map(|need| run.path(need)).collect()
}

/// The log of a step's attempt, counted from 1 over all that were granted.
pub fn log_path(logs: &Path, run: RunId, step: StepNo, grant: usize) -> PathBuf {
    logs.join(run.to_string()).join(format!("{}-{grant}.log", step.0))
}

fn reason(run: &Run, no: StepNo, awaits: Option<&AwaitView>) -> Option<String> {
    let text = match &run.step(no).phase {
        Phase::Ended { skip: Some(Skip::When), .. } => "when",
        Phase::Ended { skip: Some(Skip::Disabled), .. } => "disabled",
        Phase::Ended { skip: Some(Skip::Unreached), .. } => "unreached",
        Phase::Ended { skip: Some(Skip::Passed), .. } => "passed",
        Phase::Ended { skip: Some(Skip::Person), .. } => "person",
        Phase::InDoubt { why, .. } => why,
        Phase::Held { .. } => "held",
        Phase::Pending if run.holds(no) && run.is_held_back(no) => "held",
        Phase::Awaiting { .. } => match &awaits?.what {
            Awaited::Signal { .. } => "signal",
            Awaited::Approval { .. } => "approval",
            Awaited::Answer { .. } => "answer",
            Awaited::Call { .. } | Awaited::Lock { .. } => return None,
        },
        Phase::Calling { stopping: None, .. } => "call",
        Phase::Locking { .. } => "lock",
        Phase::Delayed { why: Delay::Wait, .. } => "wait",
        Phase::Delayed { why: Delay::Retry, .. } => "retry",
        Phase::Delayed { why: Delay::Until, .. } => "until",
        Phase::Delayed { why: Delay::Round, .. } => "round",
        Phase::Running { stopping: Some(_), .. } | Phase::Calling { stopping: Some(_), .. } => "stopping",
        Phase::Running { stopping: None, .. }
        | Phase::Pending
        | Phase::Asking(_)
        | Phase::Deciding
        | Phase::Inside
        | Phase::Ended { skip: None, .. } => return None,
    };
    Some(text.to_owned())
}

/// Text without expressions.
fn plain_text(field: &Field) -> Option<String> {
    match field {
        Field::Const(value) => value.to_text().ok(),
        Field::Expr(_) | Field::Text(_) | Field::List(_) | Field::Map(_) => None,
    }
}

fn json_map(map: &Map) -> BTreeMap<String, Json> {
    map.iter().map(|(name, value)| (name.clone(), value.to_json())).collect()
}

/// Every step that has come to be, in order of the file, visits of one block one after another.
fn in_order(run: &Run) -> Vec<StepNo> {
    let own = [Some(run.graph.main), run.graph.on_failure, run.graph.finally];
    let mut order = Vec::with_capacity(run.steps.len());
    // Steps that are still to be walked, the next one last: a run may be nested deeper than a stack allows.
    let mut left: Vec<StepNo> = Vec::new();
    for block in own.into_iter().flatten() {
        // `on_failure` and `finally` run again when a person retries the run.
        let visits = run.activations.numbered().filter(|(_, visit)| visit.owner.is_none() && visit.block == block);
        left.extend(visits.flat_map(|(no, _)| run.visits_of(no)));
    }
    left.reverse();
    while let Some(no) = left.pop() {
        order.push(no);
        let node = run.node_of(no);
        let blocks: Vec<BlockId> = node.kind.blocks().into_iter().chain(node.handlers()).collect();
        let place = |inner: &u32| blocks.iter().position(|block| *block == run.activations[*inner].block);
        let mut inside = run.step(no).inner.clone();
        inside
            .sort_by_key(|inner| (place(inner), run.activations[*inner].item.as_ref().map(|item| item.index), *inner));
        let steps: Vec<_> = inside.into_iter().flat_map(|inner| run.visits_of(inner)).collect();
        left.extend(steps.into_iter().rev());
    }
    order
}
