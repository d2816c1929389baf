//! A run that took place, as a case.
//!
//! What its attempts did becomes mocks, what people did becomes acts, and what came of it becomes what is expected.
//! Secrets are not in a journal, so they are not in the case either: they stand there as the references they are, and
//! what commands printed is masked.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use jiff::Timestamp;
use lockstep_dsl::graph::{Graph, Kind, ParamType, Taken};
use lockstep_dsl::test_file::PathPattern;
use lockstep_engine::api::{HistoryRow, RunView};
use lockstep_engine::worker::limits::OUTPUT_BYTES;
use serde_json::{Value as Json, json};

use super::flow::{flow, plain};

/// Longer than any timeout: an attempt that was stopped would have gone on.
const GOES_ON: &str = "520w";

/// Bytes of a file that a `foreach` ran over which a case may hold.
const FILE_BYTES: u64 = 256 * 1024;

/// What a run did.
pub struct Recorded {
    view: RunView,
    /// By path, attempt by attempt.
    mocks: BTreeMap<String, Vec<Json>>,
    /// Paths in the order in which they were seen.
    order: Vec<String>,
    acts: Vec<Json>,
    /// Groups by which people could answer, with these people.
    groups: BTreeMap<String, BTreeSet<String>>,
    params: serde_json::Map<String, Json>,
    /// Of a run that is open, until when it is known what it did: milliseconds from its beginning.
    until: Option<i64>,
}

/// An attempt that was granted and not reported yet.
struct Open {
    path: String,
    began: i64,
    stopped: bool,
}

impl Recorded {
    /// Reads what a run of a runbook did from its journal.
    pub fn of(view: RunView, rows: &[HistoryRow], graph: &Graph) -> Self {
        let begins = rows.first().map_or(0, |row| millis(&row.at));
        // Times are rounded to milliseconds, and each record may have been decided up to one later than it says.
        let rounded = i64::try_from(rows.len()).unwrap_or_default();
        let last = rows.last().map_or(0, |row| millis(&row.at).saturating_add(rounded));
        let mut recorded = Self {
            mocks: BTreeMap::new(),
            order: Vec::new(),
            acts: Vec::new(),
            groups: BTreeMap::new(),
            params: params(&view, graph),
            until: view.ended.is_none().then_some(last.saturating_sub(begins).max(0)),
            view,
        };
        // Each run counts its tokens for itself, and steps of runs that it called stand among its own.
        let mut open: BTreeMap<(String, u64), Open> = BTreeMap::new();
        let mut before: Option<&HistoryRow> = None;
        for row in rows {
            // Who has a step of a run that failed skipped has the run go on.
            let goes_on = before.replace(row).is_some_and(|before| before.what == "skip_asked");
            let after = format!("{}ms", millis(&row.at).saturating_sub(begins).max(0));
            let path = row.step.clone().unwrap_or_default();
            let detail = &row.detail;
            match row.what.as_str() {
                "starting" => {
                    let token = detail["token"].as_u64().unwrap_or_default();
                    open.insert((path.clone(), token), Open { path, began: millis(&row.at), stopped: false });
                }
                "stopping" => {
                    let meant = open.values_mut().filter(|open| open.path == path);
                    meant.for_each(|open| open.stopped = true);
                }
                "reported" => {
                    let token = detail["token"].as_u64().unwrap_or_default();
                    let Some(open) = open.remove(&(path, token)) else { continue };
                    let took = millis(&row.at).saturating_sub(open.began).max(0);
                    let parts = taken(graph, &open.path);
                    recorded.add(&open.path, attempt(detail, &parts, took, open.stopped));
                }
                "loop" => recorded.file(&path, detail),
                "cancel_requested" => {
                    recorded.acts.push(json!({ "after": after, "by": detail["by"], "cancel": true }));
                }
                "paused" => recorded.acts.push(json!({ "after": after, "by": detail["by"], "pause": true })),
                "resumed" => recorded.acts.push(json!({ "after": after, "by": detail["by"], "resume": true })),
                "skip_asked" => {
                    let step = row.step.as_deref().map_or_else(|| detail["path"].clone(), Json::from);
                    let reason = &detail["reason"];
                    recorded.acts.push(json!({ "after": after, "by": detail["by"], "skip": step, "reason": reason }));
                }
                "approved" => recorded.word("approve", &after, &path, detail),
                "rejected" => recorded.word("reject", &after, &path, detail),
                "answered" => recorded.word("answer", &after, &path, detail),
                "retried" if goes_on => {}
                "retried" => recorded.acts.push(json!({ "after": after, "by": detail["by"], "retry": true })),
                "signalled" => {
                    let mut act = json!({ "after": after, "by": detail["by"], "signal": detail["signal"] });
                    if !detail["payload"].is_null() {
                        act["payload"] = detail["payload"].clone();
                    }
                    recorded.acts.push(act);
                }
                "resolved" => {
                    let mut act = json!({ "after": after, "by": detail["by"] });
                    if let Some(how) = detail["how"].as_str() {
                        act[how] = path.into();
                    }
                    if detail["how"] == "done" && detail["outputs"].as_object().is_some_and(|map| !map.is_empty()) {
                        act["outputs"] = detail["outputs"].clone();
                    }
                    recorded.acts.push(act);
                }
                _ => {}
            }
        }
        recorded
    }

    /// What a person said to a step that waited; `verb` is how a case says it.
    fn word(&mut self, verb: &str, after: &str, path: &str, detail: &Json) {
        let mut act = json!({ "after": after, "by": detail["by"], verb: path });
        if !detail["comment"].is_null() {
            act["comment"] = detail["comment"].clone();
        }
        let fields = detail["answer"].as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
        let fields: serde_json::Map<String, Json> = fields.map(|(name, value)| (name.clone(), value.clone())).collect();
        if !fields.is_empty() {
            act["fields"] = fields.into();
        }
        if let (Some(group), Some(by)) =
            (detail["right"].as_str().and_then(|right| right.strip_prefix("group:")), detail["by"].as_str())
        {
            let user = by.strip_prefix("user:").unwrap_or(by);
            self.groups.entry(group.to_owned()).or_default().insert(user.to_owned());
        }
        self.acts.push(act);
    }

    fn add(&mut self, path: &str, mock: Json) {
        if !self.mocks.contains_key(path) {
            self.order.push(path.to_owned());
        }
        self.mocks.entry(path.to_owned()).or_default().push(mock);
    }

    /// The file that a `foreach` ran over, if it is there still.
    fn file(&mut self, path: &str, detail: &Json) {
        let Some(file) = detail["file"].as_str().map(Path::new) else { return };
        let small = file.metadata().is_ok_and(|data| data.is_file() && data.len() <= FILE_BYTES);
        let text = std::fs::read_to_string(file).ok().filter(|_| small);
        let gone =
            || json!({ "error": { "kind": "invalid", "message": "the file was not there when this was recorded" } });
        self.add(path, text.map_or_else(gone, |text| json!({ "file": text })));
    }

    /// The text of a file of tests with the run as its only case. `path`: the steps that began, in order, where that is
    /// to be expected.
    pub fn text(&self, name: &str, path: Option<&[String]>) -> String {
        let view = &self.view;
        let mut text = format!("test: {}\ncases:\n  - name: {}\n", plain(&view.runbook), plain(name));
        let _ = writeln!(text, "    begins: {}\n    by: {}", plain(&view.created), plain(&view.by));
        if !self.params.is_empty() {
            let _ = writeln!(text, "    params: {}", flow(&Json::Object(self.params.clone())));
        }
        if !self.groups.is_empty() {
            let _ = writeln!(text, "    groups: {}", flow(&json!(self.groups)));
        }
        if !self.mocks.is_empty() {
            text.push_str("    mock:\n");
        }
        for path in &self.order {
            let attempts = &self.mocks[path];
            if let [only] = attempts.as_slice() {
                let _ = writeln!(text, "      {}: {}", plain(path), flow(only));
                continue;
            }
            let _ = writeln!(text, "      {}:", plain(path));
            for one in attempts {
                let _ = writeln!(text, "        - {}", flow(one));
            }
        }
        if !self.acts.is_empty() {
            text.push_str("    acts:\n");
        }
        for act in &self.acts {
            let _ = writeln!(text, "      - {}", flow(act));
        }
        if let Some(until) = self.until {
            let _ = writeln!(text, "    until: {until}ms");
        }
        let _ = writeln!(text, "    expect:\n      status: {}", view.status);
        if let Some(path) = path {
            let _ = writeln!(text, "      path: {}", flow(&json!(path)));
        }
        let id = view.id.to_string();
        // What holds the run's own id is another in every run.
        let outputs: serde_json::Map<String, Json> = view
            .outputs
            .iter()
            .filter(|(_, value)| !value.to_string().contains(&id))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        if !outputs.is_empty() {
            let _ = writeln!(text, "      outputs: {}", flow(&Json::Object(outputs)));
        }
        if let Some(error) = &view.error {
            let mut expected = json!({ "kind": error.kind });
            if !error.step.is_empty() {
                expected["step"] = error.step.as_str().into();
            }
            let _ = writeln!(text, "      error: {}", flow(&expected));
        }
        text
    }
}

/// The parameters as a case gives them. A default that holds the run's own id is another in every run.
fn params(view: &RunView, graph: &Graph) -> serde_json::Map<String, Json> {
    let id = view.id.to_string();
    let declared = |name: &String| graph.params.iter().find(|param| param.name == *name);
    let given = view.params.iter().filter(|(name, value)| {
        let is_own = declared(name).is_some_and(|param| param.default.is_some()) && value.to_string().contains(&id);
        !value.is_null() && !is_own
    });
    let typed = |(name, value): (&String, &Json)| match declared(name).map(|param| &param.kind) {
        Some(ParamType::Size) if value.is_i64() => (name.clone(), format!("{value}B").into()),
        Some(_) | None => (name.clone(), value.clone()),
    };
    given.map(typed).collect()
}

/// What one attempt did.
fn attempt(detail: &Json, taken: &[Taken], took: i64, stopped: bool) -> Json {
    let mut mock = json!({});
    if stopped {
        mock["after"] = GOES_ON.into();
        return mock;
    }
    if took > 0 {
        mock["after"] = format!("{took}ms").into();
    }
    let outputs = &told(&detail["outputs"], taken);
    let error = &detail["error"];
    if detail["outcome"] == "unknown" {
        mock["error"] = json!({ "kind": "lost", "message": detail["why"] });
    } else if let Some(code) = outputs["exit_code"].as_i64() {
        if code != 0 {
            mock["exit_code"] = code.into();
        }
        for name in ["stdout", "stderr"] {
            if let Some(said) = outputs[name].as_str().filter(|said| !said.is_empty()) {
                // The newline at the end is not in outputs, and one is taken away again. As much as an output may hold is
                // as much as a file of tests may.
                let ends = if said.len() < OUTPUT_BYTES { "\n" } else { "" };
                mock[name] = format!("{said}{ends}").into();
            }
        }
        if !taken.is_empty() && !outputs["json"].is_null() {
            mock["json"] = outputs["json"].clone();
        }
        if outputs["truncated"] == true {
            // Of standard output that was cut there are no lines.
            let is_long = |name: &str| outputs[name].as_str().is_some_and(|said| said.len() + 4 > OUTPUT_BYTES);
            mock["truncated"] = match (outputs["lines"].is_null(), is_long("stderr")) {
                (true, true) => "both",
                (true, false) => "stdout",
                (false, _) => "stderr",
            }
            .into();
        }
        let own = ["exit_code", "stdout", "stderr", "lines", "json", "truncated"];
        let written: serde_json::Map<String, Json> = outputs
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(name, _)| !own.contains(&name.as_str()))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        if !written.is_empty() {
            mock["outputs"] = written.into();
        }
    } else if let Some(code) = outputs["code"].as_u64() {
        mock["code"] = code.into();
        if let Some(headers) = outputs["headers"].as_object().filter(|headers| !headers.is_empty()) {
            mock["headers"] = headers.clone().into();
        }
        if !taken.is_empty() && !outputs["json"].is_null() {
            mock["json"] = outputs["json"].clone();
        } else if let Some(body) = outputs["body"].as_str().filter(|body| !body.is_empty()) {
            mock["body"] = body.into();
        }
    } else {
        mock["error"] = json!({ "kind": error["kind"], "message": error["message"] });
        for name in ["data", "untouched"] {
            if !error[name].is_null() {
                mock["error"][name] = error[name].clone();
            }
        }
    }
    mock
}

/// What is taken from the result of the step at a path, which may stand in a runbook that is called.
fn taken(graph: &Graph, path: &str) -> Vec<Taken> {
    let names = PathPattern::parse(path).map(|pattern| pattern.names()).unwrap_or_default();
    let own = graph.nodes.iter().find(|node| node.path == names).map(|node| node.taken.clone());
    let called = || {
        graph.nodes.iter().find_map(|node| {
            let Kind::Call(call) = &node.kind else { return None };
            let inside = names.strip_prefix(node.path.as_str())?.strip_prefix('/')?;
            Some(taken(&graph.called_by(call).graph, inside))
        })
    };
    own.or_else(called).unwrap_or_default()
}

/// A result of which parts were taken, with these in the places that they were taken from: secrets are masked there.
fn told(outputs: &Json, taken: &[Taken]) -> Json {
    let mut told = outputs.clone();
    let Some(map) = told.as_object_mut() else { return told };
    let values: Vec<_> = taken.iter().filter_map(|taken| Some((&taken.path, map.remove(&taken.name)?))).collect();
    for (path, value) in values {
        let mut place = &mut told;
        for name in path {
            place = &mut place[name.as_str()];
        }
        *place = value;
    }
    told
}

fn millis(at: &str) -> i64 {
    at.parse::<Timestamp>().map_or(0, Timestamp::as_millisecond)
}
