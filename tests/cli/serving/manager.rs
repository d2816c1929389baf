//! The service manager: what it is told over a real socket, the unit, and what a log for programs looks like.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::Instant;

use rustix::process::Signal;
use serde_json::Value as Json;

use super::{HELLO, stop};
use crate::harness::{Case, DEADLINE, Process};

/// Where a service manager listens.
struct Manager(UnixDatagram);

impl Manager {
    fn new(case: &Case) -> Self {
        let socket = UnixDatagram::bind(case.path("notify")).unwrap();
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        Self(socket)
    }

    /// Serves under this manager.
    fn serve(case: &Case, more: &[(&str, &str)]) -> Process {
        let mut command = case.command(["serve", "--runbooks", "books"]);
        command.env("NOTIFY_SOCKET", case.path("notify")).envs(more.iter().copied());
        Process::start(command)
    }

    /// The next message, as its lines.
    fn hears(&self) -> Vec<String> {
        let mut bytes = [0; 4096];
        let length = self.0.recv(&mut bytes).expect("waited in vain for a message to the service manager");
        String::from_utf8_lossy(&bytes[..length]).lines().map(str::to_owned).collect()
    }

    /// The next message that is no sign of life.
    fn hears_news(&self) -> Vec<String> {
        loop {
            let message = self.hears();
            if message != ["WATCHDOG=1"] {
                return message;
            }
        }
    }
}

#[test]
fn the_service_manager_hears_when_it_is_ready_reloads_and_stops() {
    let case = Case::new().file("books/a.yaml", format!("runbook: a\n{HELLO}"));
    let manager = Manager::new(&case);
    let server = Manager::serve(&case, &[]);
    assert_eq!(manager.hears(), ["READY=1", "STATUS=serving 1 runbook"]);
    let case = case.file("books/b.yaml", "runbook: b\nsteps: 1\n");
    server.signal(Signal::HUP);
    let reloading = manager.hears();
    assert!(reloading[0] == "RELOADING=1" && reloading[1].starts_with("MONOTONIC_USEC="), "{reloading:?}");
    assert_eq!(manager.hears(), ["READY=1", "STATUS=serving 1 runbook, 1 file broken"]);
    server.signal(Signal::TERM);
    assert_eq!(manager.hears(), ["STOPPING=1", "STATUS=stopping"]);
    server.outcome(&case).exits(0);
}

#[test]
fn the_watchdog_hears_of_it_only_while_the_engine_answers() {
    let case = Case::new().runbook(HELLO).file("books/a.yaml", format!("runbook: a\n{HELLO}"));
    let manager = Manager::new(&case);
    // Every 100 ms; when the folder takes its first run, the engine's thread stands still in the middle of a write.
    let release = case.path("release");
    let hangs = [
        ("WATCHDOG_USEC", "300000"),
        ("LOCKSTEP_FAULTS", "journal.append=before:hang"),
        ("LOCKSTEP_FAULTS_RELEASE", release.to_str().unwrap()),
    ];
    let mut server = Manager::serve(&case, &hangs);
    assert_eq!(manager.hears_news()[0], "READY=1");
    for _ in 0..5 {
        assert_eq!(manager.hears(), ["WATCHDOG=1"]);
    }
    let run = case.start();
    // Signs of life stop: for ten times as long as one may take, none comes.
    manager.0.set_read_timeout(Some(std::time::Duration::from_secs(1))).unwrap();
    let deadline = Instant::now() + DEADLINE;
    let mut bytes = [0; 64];
    while manager.0.recv(&mut bytes).is_ok() {
        assert!(Instant::now() < deadline, "it says that all is well while the engine stands still");
    }
    manager.0.set_read_timeout(Some(DEADLINE)).unwrap();
    fs::write(&release, "").unwrap();
    assert_eq!(manager.hears(), ["WATCHDOG=1"]);
    run.outcome(&case).succeeds();
    server.says("run ended");
    stop(&case, server);
}

#[test]
fn systemd_takes_the_unit() {
    let case = Case::new();
    let unit = include_str!("../../../contrib/lockstep.service");
    for line in ["Type=notify", "KillMode=process", "OOMPolicy=continue", "WatchdogSec=1min"] {
        assert!(unit.lines().any(|found| found == line), "the unit does not say {line}");
    }
    let unit = unit.replace("/usr/bin/lockstep", env!("CARGO_BIN_EXE_lockstep"));
    let verify = |unit: &str| {
        fs::write(case.path("lockstep.service"), unit).unwrap();
        let mut command = Command::new("systemd-analyze");
        command.args(["--man=no", "verify"]).arg(case.path("lockstep.service"));
        Process::start(command).outcome(&case)
    };
    verify(&unit).exits(0).says_nothing();
    // It does see what is wrong.
    verify(&unit.replace("KillMode=", "KillMod=")).says("Unknown key");
    // What the unit starts is understood by the program itself.
    let start = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
    let arguments: Vec<&str> = start.split(' ').skip(1).filter(|word| !word.starts_with('/')).collect();
    assert_eq!(arguments, ["serve", "--data", "--runbooks", "--listen", "127.0.0.1:7420"]);
}

#[test]
fn a_log_for_programs_is_one_object_a_line() {
    let case = Case::new().runbook(HELLO);
    let mut server = Process::start(case.command(["serve", "--log-format", "json"]));
    server.says("ready");
    let id = case.run().succeeds().id();
    server.says("run ended");
    server.signal(Signal::TERM);
    let outcome = server.outcome(&case);
    let lines: Vec<Json> = outcome.exits(0).stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of =
        |message: &str| lines.iter().find(|line| line["message"] == message).unwrap_or_else(|| panic!("{lines:#?}"));
    let (started, ended) = (of("run started"), of("run ended"));
    assert_eq!((&started["run"], &started["runbook"]), (&id.as_str().into(), &"test".into()), "{started}");
    assert_eq!((&ended["status"], &ended["level"]), (&"succeeded".into(), &"INFO".into()), "{ended}");
    assert!(ended["timestamp"].is_string());
}
