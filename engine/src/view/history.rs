//! Journaled records as rows for people and programs.

use lockstep_dsl::graph::Next;
use lockstep_dsl::value::{Map, Timestamp, Value};
use serde_json::{Value as Json, json};

use crate::api::{ErrorView, Gone, HistoryRow};
use crate::clock::Stamp;
use crate::core::run::{Change, Edit, Items, Record, Resolution, Run, RunError, Settlement};
use crate::id::{Lsn, StepNo};
use crate::worker::Outcome;

/// A record of a run as a row. `run` is the run with the record applied.
///
/// Records that are about no run have no row.
pub fn history_row(lsn: Lsn, at: Stamp, record: &Record, run: &Run) -> Option<HistoryRow> {
    let (what, step, detail) = match record {
        Record::Defined { .. }
        | Record::Checkpointed { .. }
        | Record::Scheduled { .. }
        | Record::SchedulesHeld { .. }
        | Record::Rested { .. }
        | Record::Removed { .. }
        | Record::Lost { loss: None } => return None,
        Record::Lost { loss: Some(loss) } if !loss.runs.contains(&run.id) => return None,
        Record::Lost { loss: Some(loss) } => return Some(gone_row(lsn, at.wall, &Gone::of(loss))),
        Record::Created { definition, params, by, caller, .. } => {
            let params: Map = params.clone();
            let params: Json =
                params.iter().map(|(name, value)| (name.clone(), value.to_json_with_references())).collect();
            let mut detail = json!({ "definition": definition, "params": params, "by": by });
            if let Some(caller) = caller {
                detail["caller"] = json!(caller.run);
            }
            ("created", None, detail)
        }
        Record::Changed { change, .. } => describe(change, run),
    };
    let step = step.filter(|no| run.has(*no)).map(|no| run.path(no));
    Some(HistoryRow { lsn: lsn.0, at: at.wall.to_string(), what: what.to_owned(), step, detail })
}

/// The row that stands for records of a run which are not there any more: `last` is the last of them.
pub fn gone_row(last: Lsn, at: Timestamp, gone: &Gone) -> HistoryRow {
    let (what, detail) = match gone {
        Gone::Retention { .. } => ("removed", json!({ "why": "retention" })),
        Gone::Loss { at, by, file, first, last } => {
            ("lost", json!({ "file": file, "first": first, "last": last, "accepted_by": by, "accepted_at": at }))
        }
    };
    HistoryRow { lsn: last.0, at: at.to_string(), what: what.to_owned(), step: None, detail }
}

/// Rows that name steps by their places in the definition.
const ACTIVATED: &str = "activated";
const LED: &str = "led";
const SKIP_ASKED: &str = "skip_asked";

/// Takes out of a row what it says by the run's definition, where the run had another one when it was journaled.
pub fn without_definition(row: &mut HistoryRow) {
    let said = match row.what.as_str() {
        ACTIVATED => "steps",
        LED => "to",
        SKIP_ASKED => "path",
        _ => return,
    };
    if let Some(detail) = row.detail.as_object_mut() {
        detail.remove(said);
    }
}

fn describe(change: &Change, run: &Run) -> (&'static str, Option<StepNo>, Json) {
    match change {
        Change::Started => ("started", None, json!({})),
        Change::Activated { block, owner } => {
            let steps = run.graph.blocks.get(block.0 as usize).map(|block| &block.steps);
            let steps: Vec<&str> =
                steps.into_iter().flatten().map(|node| run.graph.node(*node).name.as_str()).collect();
            (ACTIVATED, *owner, json!({ "steps": steps }))
        }
        Change::Asked { step, question } => ("asked", *step, json!({ "question": plain(question) })),
        Change::Skipped { step, why } => ("skipped", Some(*step), json!({ "why": plain(why) })),
        Change::Begun { step } => ("begun", Some(*step), json!({})),
        Change::Titled { step, title } => ("titled", Some(*step), json!({ "title": title })),
        Change::Starting { step, token, input } => {
            let input = input.as_ref().map_or(Json::Null, map);
            ("starting", Some(*step), json!({ "token": token.0, "input": input }))
        }
        Change::Stopping { step, cause } => ("stopping", Some(*step), json!({ "cause": plain(cause) })),
        Change::Reported { step, token, outcome } => {
            let mut detail = outcome_json(outcome);
            detail["token"] = token.0.into();
            ("reported", Some(*step), detail)
        }
        Change::Settled { step, result } => ("settled", Some(*step), settlement(result)),
        Change::Delayed { step, until, why, .. } => {
            ("delayed", Some(*step), json!({ "until_engine_ms": until, "why": plain(why) }))
        }
        Change::Doubted { step, why } => ("in_doubt", Some(*step), json!({ "why": why })),
        Change::Probed { step, done } => {
            let outputs = done.as_ref().map_or(Json::Null, map);
            ("probed", Some(*step), json!({ "done": done.is_some(), "outputs": outputs }))
        }
        Change::Resolved { step, how, by } => {
            let (how, outputs) = match how {
                Resolution::Done { outputs } => ("done", map(outputs)),
                Resolution::Failed => ("failed", Json::Null),
                Resolution::Rerun => ("rerun", Json::Null),
            };
            ("resolved", Some(*step), json!({ "how": how, "outputs": outputs, "by": by }))
        }
        Change::Wanted { step, key, limit, .. } => ("wanted", *step, json!({ "key": key, "limit": limit })),
        Change::Locked { step, passes } => ("locked", *step, json!({ "passes": passes })),
        Change::Called { step, run, params, again } => {
            let params: Json =
                params.iter().map(|(name, value)| (name.clone(), value.to_json_with_references())).collect();
            ("called", Some(*step), json!({ "run": run, "params": params, "again": again }))
        }
        Change::Returned { step, returned } => (
            "returned",
            Some(*step),
            json!({
                "run": returned.run, "outcome": returned.outcome.name(), "outputs": map(&returned.outputs),
                "error": error(returned.error.as_deref())
            }),
        ),
        Change::Awaited { step, input } => ("awaiting", Some(*step), json!({ "input": map(input) })),
        Change::Signalled { name, payload, by } => {
            ("signalled", None, json!({ "signal": name, "payload": payload.to_json(), "by": by }))
        }
        Change::Received { step } => ("received", Some(*step), json!({})),
        Change::Paused { by, reason } => ("paused", None, json!({ "by": by, "reason": reason })),
        Change::Unpaused { by } => ("resumed", None, json!({ "by": by })),
        Change::Permitted { step, by } => ("permitted", Some(*step), json!({ "by": by })),
        Change::Held { step, what, .. } => ("held", Some(*step), json!({ "next": plain(what) })),
        Change::Waived { step, node, by, reason } => {
            let path = run.graph.nodes.get(node.0 as usize).map(|node| node.path.as_str());
            (SKIP_ASKED, *step, json!({ "path": path, "by": by, "reason": reason }))
        }
        Change::Voted { step, yes, by, right, comment } => (
            if *yes { "approved" } else { "rejected" },
            Some(*step),
            json!({ "by": by, "right": right, "comment": comment }),
        ),
        Change::Escalated { step } => ("escalated", Some(*step), json!({})),
        Change::FilledIn { step, by, right, answer } => {
            ("answered", Some(*step), json!({ "by": by, "right": right, "answer": map(answer) }))
        }
        Change::Looped { step, items } => {
            let detail = match items {
                Items::List(values) => json!({ "items": values.len() }),
                Items::Range(from, to) => json!({ "from": from, "to": to }),
                Items::File { path, form } => json!({ "file": path, "form": form.name() }),
            };
            ("loop", Some(*step), detail)
        }
        Change::Paged { step, page } => {
            ("page", Some(*step), json!({ "items": page.items.len(), "at": page.at, "last": page.last }))
        }
        Change::ItemStarted { step } => ("item", Some(*step), json!({})),
        Change::ItemEnded { step, activation, end } => {
            let index = run.activations.get(*activation).and_then(|activation| activation.item.as_ref());
            ("item_ended", Some(*step), json!({ "index": index.map(|item| item.index), "end": plain(end) }))
        }
        Change::LoopHalted { step, cancel, cause, error: why } => (
            "loop_halted",
            Some(*step),
            json!({ "cancel": cancel, "cause": plain(cause), "error": error(why.as_deref()) }),
        ),
        Change::LoopOver { step } => ("loop_over", Some(*step), json!({})),
        Change::Halted { activation, cancel, cause } => {
            let owner = run.activations.get(*activation).and_then(|activation| activation.owner);
            ("halted", owner, json!({ "cancel": cancel, "cause": plain(cause) }))
        }
        Change::Ended { step, status, handled, error: why, outputs } => (
            "ended",
            Some(*step),
            json!({
                "status": status.name(), "handled": handled, "error": error(why.as_deref()), "outputs": map(outputs)
            }),
        ),
        Change::Led { step, to } => (LED, Some(*step), json!({ "to": to.map(|to| next(run, to)) })),
        Change::Revisited { step } => ("revisited", Some(*step), json!({})),
        Change::Undoing { step, .. } => ("undoing", Some(*step), json!({})),
        Change::Undone { step, end } => ("undone", Some(*step), json!({ "end": plain(end) })),
        Change::UndoHalted => ("undo_halted", None, json!({})),
        Change::CancelRequested { by, undo } => ("cancel_requested", None, json!({ "by": by, "undo": undo })),
        Change::Finishing { outputs } => {
            ("finishing", None, json!({ "outputs": outputs.as_ref().map_or(Json::Null, map) }))
        }
        Change::Concluded { outcome, error: why, outputs } => (
            "concluded",
            None,
            json!({ "outcome": outcome.name(), "error": error(why.as_deref()), "outputs": map(outputs) }),
        ),
        Change::Finished { outcome, error: why } => {
            ("finished", None, json!({ "outcome": outcome.name(), "error": error(why.as_deref()) }))
        }
        Change::Edited { edit } => {
            let Edit { from, definition, file, params, by } = edit.as_ref();
            let params: Json =
                params.iter().map(|(name, value)| (name.clone(), value.to_json_with_references())).collect();
            let detail = json!({ "definition": definition, "from": from, "file": file, "params": params, "by": by });
            ("edited", None, detail)
        }
        Change::Retried { by } => ("retried", None, json!({ "by": by })),
        Change::Restored { token } => ("restored", None, json!({ "token": token.0 })),
        Change::Quarantined { why } => ("quarantined", None, json!({ "why": why })),
    }
}

/// Where it goes on, as a runbook says it.
fn next(run: &Run, to: Next) -> String {
    match to {
        Next::End => "end".to_owned(),
        Next::Continue => "continue".to_owned(),
        Next::Break => "break".to_owned(),
        Next::Step(node) => run.graph.nodes.get(node.0 as usize).map(|node| node.name.clone()).unwrap_or_default(),
    }
}

/// The name that a plain enum is journaled under.
fn plain(value: &impl serde::Serialize) -> Json {
    serde_json::to_value(value).unwrap_or(Json::Null)
}

fn map(map: &Map) -> Json {
    map.iter().map(|(name, value): (&String, &Value)| (name.clone(), value.to_json())).collect()
}

fn error(error: Option<&RunError>) -> Json {
    error.map_or(Json::Null, |error| plain(&ErrorView::from(error)))
}

fn settlement(result: &Settlement) -> Json {
    match result {
        Settlement::Done { outputs } => json!({ "result": "done", "outputs": map(outputs) }),
        Settlement::Failed { error: why } => json!({ "result": "failed", "error": error(Some(why)) }),
        Settlement::Stopped { cause } => json!({ "result": "stopped", "cause": plain(cause) }),
    }
}

fn outcome_json(outcome: &Outcome) -> Json {
    match outcome {
        Outcome::Succeeded { outputs } => json!({ "outcome": "succeeded", "outputs": map(outputs) }),
        Outcome::Failed { error, outputs } => {
            let mut why = json!({ "kind": error.kind, "message": error.message, "data": error.data.to_json() });
            if error.untouched {
                why["untouched"] = true.into();
            }
            json!({ "outcome": "failed", "error": why, "outputs": map(outputs) })
        }
        Outcome::Unknown { why } => json!({ "outcome": "unknown", "why": why }),
    }
}
