//! Plays a case: runs the program on it, and collects what differs from what is expected.

use std::fs;
use std::path::Path;

use serde_json::Value as Json;

use super::case_file::{CaseFile, Expect, Request, Run};
use super::compare::Differences;
use super::crashes::Recordings;
use super::server::{Asked, Server};
use crate::harness::{Case, Outcome};

/// Every difference of every run of a case. With `recordings` each run is kept there under the case's name.
pub fn play(file: &CaseFile, recordings: Option<(&Recordings, &str)>) -> Vec<String> {
    let runs = file.runs();
    let several = runs.len() > 1;
    let mut all = Vec::new();
    for (number, run) in runs.iter().enumerate() {
        let keep = |case: &Case, id: &str, differences: &mut Differences| {
            if let Some((recordings, name)) = recordings {
                recordings.keep(&format!("{name}#{}", number + 1), id, file, case, differences);
            }
        };
        let differences = play_run(file, run, keep);
        if several && !differences.is_empty() {
            all.push(format!("run {} with {:?}:", number + 1, run.params));
        }
        all.extend(differences);
    }
    all
}

fn play_run(file: &CaseFile, run: &Run, keep: impl Fn(&Case, &str, &mut Differences)) -> Vec<String> {
    let server = file.server.clone().map(Server::start);
    let mut case = Case::new().runbook(&file.runbook);
    for (name, text) in &file.files {
        case = case.file(name, text);
    }
    for (name, value) in &run.environment {
        case = case.env(name, value);
    }
    for (name, value) in &run.params {
        case = case.param(name, value);
    }
    if let Some(server) = &server {
        case = case.param("server", &server.url());
    }

    let mut outcome = case.run();
    let mut differences = Differences::default();
    if !file.groups.is_empty() {
        let by = case.show("last")["by"].as_str().unwrap_or_default().replace("user:", "");
        let groups = file.groups.iter().map(|group| format!("  {group}: ['{by}']\n")).collect::<Vec<_>>();
        fs::write(case.data().join("config.yaml"), format!("groups:\n{}", groups.concat()))
            .expect("the folder is there");
    }
    for act in &run.acts {
        let told = case.lockstep(act.command());
        match &act.refused {
            Some(text) => {
                differences.equal("exit code of what is refused", &2.into(), &told.code().into());
                differences.holds("what is refused", text, &told.stderr);
            }
            None => outcome = told,
        }
    }
    let expect = &run.expect;
    let (code, status) = expect.status.parts();
    differences.equal("exit code", &code.into(), &outcome.code().into());
    for text in &expect.says {
        differences.holds("standard error", text, &outcome.stderr);
    }
    match status {
        None => differences.equal("standard output", &"".into(), &outcome.stdout.clone().into()),
        Some(status) if outcome.stdout.is_empty() => {
            differences.add(format!("expected a run that is {status}, found none"));
        }
        Some(status) => {
            differences.equal("status", &status.into(), &outcome.run()["status"]);
            compare_run(&mut differences, &case, &outcome, expect);
        }
    }
    for (name, text) in &expect.files {
        let found = fs::read(case.path(name)).ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        differences.equal(&format!("files.{name}"), &text.clone().into(), &found.into());
    }
    if let Some(requests) = &expect.requests {
        compare_requests(&mut differences, requests, &server.map(|server| server.asked()).unwrap_or_default());
    }
    if status.is_some() && !outcome.stdout.is_empty() {
        keep(&case, &outcome.id(), &mut differences);
    }
    let differences = differences.into_list();
    if !differences.is_empty() && !outcome.stderr.is_empty() {
        let said = format!("it said: {}", outcome.stderr.trim_end().replace('\n', "\n    "));
        return differences.into_iter().chain([said]).collect();
    }
    differences
}

fn compare_run(differences: &mut Differences, case: &Case, outcome: &Outcome, expect: &Expect) {
    let last = outcome.run();
    let shown = case.show(&outcome.id());
    for field in ["id", "status", "outputs", "error"] {
        differences.equal(&format!("show's {field}"), &last[field], &shown[field]);
    }
    if let Some(outputs) = &expect.outputs {
        let outputs = outputs.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        differences.equal("outputs", &Json::Object(outputs), &last["outputs"]);
    }
    match &expect.error {
        Some(error) => differences.error("error", error, &last["error"]),
        None if last["status"] == "succeeded" => differences.equal("error", &Json::Null, &last["error"]),
        None => {}
    }

    let steps = shown["steps"].as_array().cloned().unwrap_or_default();
    let paths: Vec<&str> = steps.iter().filter_map(|step| step["path"].as_str()).collect();
    for (path, expected) in &expect.steps {
        match steps.iter().find(|step| step["path"] == path.as_str()) {
            Some(step) => differences.step(&format!("steps.{path}"), &expected.0, step),
            None => differences.add(format!("steps.{path}: expected a step, found only {}", paths.join(", "))),
        }
    }
    for path in &expect.no_steps {
        if paths.contains(&path.as_str()) {
            differences.add(format!("steps.{path}: expected no such step"));
        }
    }
    if !expect.order.is_empty() {
        let order = starts(outcome, &expect.order);
        differences.equal("order", &expect.order.clone().into(), &order.into());
    }
    for (path, text) in &expect.logs {
        let log = case.lockstep(["logs", &outcome.id(), path]);
        differences.holds(&format!("logs.{path}"), text, &log.stdout);
    }
    if !expect.nowhere.is_empty() {
        compare_everywhere(differences, case, outcome, &expect.nowhere);
    }
}

/// These of the steps that started, in the order of their first starts.
fn starts(outcome: &Outcome, of: &[String]) -> Vec<String> {
    let mut order: Vec<String> = Vec::new();
    for event in outcome.events() {
        let path = event["path"].as_str().unwrap_or_default().to_owned();
        if event["type"] == "step" && !event["started"].is_null() && of.contains(&path) && !order.contains(&path) {
            order.push(path);
        }
    }
    order
}

/// Texts must be nowhere: not printed, not shown, in no file of the data folder.
fn compare_everywhere(differences: &mut Differences, case: &Case, outcome: &Outcome, texts: &[String]) {
    let id = outcome.id();
    let mut places = vec![
        ("standard output".to_owned(), outcome.stdout.clone().into_bytes()),
        ("standard error".to_owned(), outcome.stderr.clone().into_bytes()),
    ];
    for verb in [&["show", &id][..], &["show", &id, "--json"], &["history", &id], &["logs", &id], &["runs"]] {
        places.push((format!("`lockstep {}`", verb[0]), case.lockstep(verb).stdout.clone().into_bytes()));
    }
    files(case.data(), &mut places);
    for text in texts {
        for (place, bytes) in &places {
            if bytes.windows(text.len()).any(|window| window == text.as_bytes()) {
                differences.add(format!("nowhere: {text:?} is in {place}"));
            }
        }
    }
}

fn files(folder: &Path, places: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, places);
        } else if path.is_file() {
            let bytes = fs::read(&path).unwrap_or_default();
            places.push((path.display().to_string(), bytes));
        }
    }
}

fn compare_requests(differences: &mut Differences, expected: &[Request], asked: &[Asked]) {
    let line = |method: &str, path: &str| format!("{method} {path}");
    let lines: Vec<String> = expected.iter().map(|request| line(&request.method, &request.path)).collect();
    let found: Vec<String> = asked.iter().map(|request| line(&request.method, &request.path)).collect();
    differences.equal("requests", &lines.into(), &found.into());
    for (number, (expected, asked)) in expected.iter().zip(asked).enumerate() {
        for (name, value) in &expected.headers {
            let found = asked.headers.get(name).cloned();
            differences.equal(&format!("requests.{number}.headers.{name}"), &value.clone().into(), &found.into());
        }
        if let Some(body) = &expected.body {
            differences.equal(&format!("requests.{number}.body"), &body.clone().into(), &asked.body.clone().into());
        }
    }
}
