//! `incident/restart-unhealthy-service` against a real process on a port.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::process::{Server, free_port};
use super::run::Run;

#[test]
fn a_service_that_is_well_is_left_alone() {
    let service = Service::answering(200);
    let before = service.pid();
    let run = service.restart().finish();

    assert_eq!(run.succeeded(), &json!({ "restarted": false, "code_before": 200, "code_after": 200 }));
    assert_eq!(service.pid(), before);
}

#[test]
fn a_service_that_answers_with_errors_is_restarted_and_the_evidence_is_kept() {
    let service = Service::answering(503);
    let before = service.pid();
    let run = service.restart().finish();

    assert_eq!(run.succeeded(), &json!({ "restarted": true, "code_before": 503, "code_after": 200 }));
    assert_ne!(service.pid(), before);
    assert!(!Path::new(&format!("/proc/{before}/exe")).exists(), "the sick process still runs");
    assert_eq!(run.step("health")["attempts"], 3, "one bad answer is not enough");
    assert_eq!(run.log("evidence/log/tail"), "the log of the service\n");
    assert!(run.log("evidence/processes/list").contains("python3"));
}

#[test]
fn a_service_that_is_not_there_at_all_is_started() {
    let service = Service::stopped();
    let run = service.restart().finish();

    let outputs = run.succeeded();
    assert_eq!((&outputs["restarted"], &outputs["code_before"]), (&json!(true), &json!(null)));
    assert_eq!(run.step("stop")["status"], "failed", "there was nothing to stop, which is no reason to give up");
}

#[test]
fn missing_evidence_does_not_stand_in_the_way() {
    let service = Service::answering(503);
    let run = service.restart_with(json!(["/no/such/program"])).finish();

    assert_eq!(run.succeeded()["restarted"], true);
}

#[test]
fn a_service_that_cannot_be_started_fails_the_run_with_its_log() {
    let service = Service::answering(503);
    service.script("start", "echo 'no such module: shop' >&2; exit 3");
    let run = service.restart().finish();

    let error = run.failed();
    assert_eq!(error["step"], "start");
    assert_eq!(error["data"]["exit_code"], 3);
    assert_eq!(run.step("start")["attempts"], 2);
    assert_eq!(run.log("on_failure/log"), "the log of the service\n");
}

#[test]
fn a_service_that_stays_unwell_fails_the_run() {
    let service = Service::answering(503);
    service.script("start", &service.launch(500, ""));
    let run = service.restart().finish();

    let error = run.failed();
    assert_eq!((&error["step"], &error["kind"]), (&json!("healthy"), &json!("timeout")));
}

#[test]
fn a_service_that_comes_up_and_falls_over_again_fails_the_run() {
    let service = Service::answering(503);
    service.script("start", &service.launch(200, "1"));
    let run = service.restart().finish();

    assert_eq!(run.failed()["step"], "settled");
}

/// A service with commands that start it, stop it and print its log, as an operator would have them.
struct Service {
    folder: TempDir,
    port: u16,
    sick: Option<Server>,
}

impl Service {
    /// It runs, answers like this, and would be well after a restart.
    fn answering(code: u16) -> Self {
        let mut service = Self::stopped();
        fs::write(service.folder.path().join("code"), code.to_string()).expect("a file");
        let mut python = Command::new("python3");
        python.arg(program()).arg(service.folder.path()).arg(service.port.to_string());
        service.sick = Some(Server::start(&mut python, "listening"));
        service
    }

    /// It does not run, and would be well if it did.
    fn stopped() -> Self {
        let service = Self { folder: tempfile::tempdir().expect("a temporary folder"), port: free_port(), sick: None };
        service.script("start", &service.launch(200, ""));
        service.script("stop", "kill $(cat pid)");
        service.script("logs", "echo the log of the service");
        service
    }

    /// The script that starts it so that it answers like this; it goes on when the script has ended.
    fn launch(&self, code: u16, answers: &str) -> String {
        let Self { port, .. } = self;
        let program = program();
        format!("echo {code} >code; setsid --fork python3 {program} . {port} {answers} </dev/null >/dev/null 2>&1")
    }

    fn script(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), format!("cd '{}'\n{text}\n", self.folder.path().display()))
            .expect("a file");
    }

    fn restart(&self) -> Run {
        self.restart_with(self.command("logs"))
    }

    fn restart_with(&self, logs: Value) -> Run {
        Run::of("incident/restart-unhealthy-service")
            .param("service", "shop")
            .param("url", format!("http://127.0.0.1:{}/health", self.port))
            .param("stop", self.command("stop"))
            .param("start", self.command("start"))
            .param("logs", logs)
            .param("settle", "1s")
    }

    fn command(&self, script: &str) -> Value {
        json!(["sh", "-eu", self.folder.path().join(script)])
    }

    fn pid(&self) -> String {
        fs::read_to_string(self.folder.path().join("pid")).expect("the service wrote its process id")
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // What the runbook started is nobody's child any more; it may have ended by itself.
        let _ = Command::new("sh").arg(self.folder.path().join("stop")).output();
    }
}

fn program() -> &'static str {
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/runbooks/service.py")
}
