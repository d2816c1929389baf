//! What clients are told: only what is durable, and all of it.

use serde_json::Value as Json;

use super::{Case, Findings};
use crate::sim::evidence::{Answer, Asked, Record};

/// The record that a request leads to, and who asked stands in.
const LEADS_TO: &[(&str, &str)] = &[
    ("start", "new"),
    ("cancel", "cancel"),
    ("retry", "retry"),
    ("resolve", "solve"),
    ("pause", "pause"),
    ("unpause", "unpause"),
    ("skip", "waive"),
    ("signal", "signal"),
    ("vote", "vote"),
    ("answer", "fill"),
];

fn led_to<'a>(case: &'a Case<'_>, asked: &Asked) -> Option<&'a Record> {
    let (_, what) = LEADS_TO.iter().find(|(request, _)| *request == asked.what)?;
    let by = Some(asked.by.as_str());
    case.evidence.journal.iter().find(|record| record.what == *what && record.text("by") == by)
}

/// What was promised is in the journal, and was durable when it was promised.
pub fn acknowledged_is_durable(case: &Case<'_>, findings: &mut Findings) {
    for asked in &case.evidence.asked {
        let Some(Answer { durable, reply }) = &asked.answer else { continue };
        if reply.get("started").is_some() {
            // Asked again, a start is answered as the first time, whoever asked then.
            let created = case.runs.get(asked.run.as_str()).and_then(|records| records.first());
            let there = created.is_some_and(|record| record.what == "new" && record.lsn <= *durable);
            findings.unless(there, || format!("{} was told that run {} was started", asked.by, asked.run));
        } else if reply.as_str() == Some("done") && LEADS_TO.iter().any(|(request, _)| *request == asked.what) {
            let there = led_to(case, asked).is_some_and(|record| record.lsn <= *durable);
            findings.unless(there, || format!("{}'s {} of run {} was done", asked.by, asked.what, asked.run));
        }
    }
}

/// What was refused for what it is has left nothing in the journal.
pub fn refused_changes_nothing(case: &Case<'_>, findings: &mut Findings) {
    for asked in &case.evidence.asked {
        let Some(Answer { reply, .. }) = &asked.answer else { continue };
        if reply.pointer("/refused/kind").and_then(Json::as_str) == Some("invalid")
            && let Some(record) = led_to(case, asked)
        {
            findings.add(format!("{}'s {} was refused, and is record {}", asked.by, asked.what, record.lsn));
        }
    }
}

/// A run is shown as the durable journal says, and so is its history: as it was at some moment between the question and
/// the answer, which waits where the disk is full.
pub fn reads_show_the_durable(case: &Case<'_>, findings: &mut Findings) {
    for asked in &case.evidence.asked {
        let Some(Answer { durable, reply }) = &asked.answer else { continue };
        if let Some(shown) = reply.get("run") {
            view(case, asked, *durable, shown, findings);
        } else if let Some(rows) = reply.get("history").and_then(Json::as_array) {
            history(case, asked, *durable, rows, findings);
        }
    }
}

/// The records of a run up to each moment between a question and its answer; the last moment first.
fn moments<'a>(records: &'a [&'a Record], asked: &Asked, durable: u64) -> impl Iterator<Item = &'a [&'a Record]> {
    let count = |until: u64| records.partition_point(|record| record.lsn <= until);
    (count(asked.asked_at.min(durable))..=count(durable)).rev().map(|count| &records[..count])
}

/// Whether a run has ended, and the paths and statuses of its steps.
type Shown = (bool, Vec<(String, String)>);

fn view(case: &Case<'_>, asked: &Asked, durable: u64, shown: &Json, findings: &mut Findings) {
    let Some(records) = case.runs.get(asked.run.as_str()) else {
        findings.add(format!("{} was shown run {}, which is not in the journal", asked.by, asked.run));
        return;
    };
    let ended = shown.get("ended").is_some_and(|ended| !ended.is_null());
    let steps = shown.get("steps").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
    let seen = sorted(ended, steps.iter().map(|step| (text(step, "path"), text(step, "status"))).collect());
    let mut at_last = None;
    for known in moments(records, asked, durable) {
        let run = case.replay_run(known, |_, _| {});
        let steps = run.steps.iter().enumerate();
        let steps = steps.map(|(number, step)| (run.path(number), step.status.name().to_owned())).collect();
        let was = sorted(run.ended.is_some(), steps);
        if was == seen {
            return;
        }
        at_last.get_or_insert(was);
    }
    let Some((was_ended, was)) = at_last else { return };
    findings.unless(ended == was_ended, || {
        format!("{} was shown run {} as ended: {ended}, at {durable} it was: {was_ended}", asked.by, asked.run)
    });
    findings.unless(seen.1 == was, || {
        let differs = seen.1.iter().zip(&was).find(|(seen, was)| seen != was);
        format!("{} was shown run {} otherwise than it was at {durable}: {differs:?}", asked.by, asked.run)
    });
}

fn sorted(ended: bool, mut steps: Vec<(String, String)>) -> Shown {
    steps.sort();
    (ended, steps)
}

fn history(case: &Case<'_>, asked: &Asked, durable: u64, rows: &[Json], findings: &mut Findings) {
    let shown: Vec<u64> = rows.iter().filter_map(|row| row.get("lsn").and_then(Json::as_u64)).collect();
    let records = case.runs.get(asked.run.as_str()).map(Vec::as_slice).unwrap_or_default();
    let is_known =
        moments(records, asked, durable).any(|known| known.iter().map(|record| record.lsn).eq(shown.clone()));
    findings.unless(is_known, || {
        let known: Vec<u64> = records.iter().map(|record| record.lsn).filter(|lsn| *lsn <= durable).collect();
        format!("{} was shown the records {shown:?} of run {}, at {durable} there were {known:?}", asked.by, asked.run)
    });
}

fn text(json: &Json, name: &str) -> String {
    json.get(name).and_then(Json::as_str).unwrap_or_default().to_owned()
}
