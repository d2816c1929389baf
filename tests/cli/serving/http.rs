//! The network listener: what it tells, and what becomes of clients that are slow, silent, greedy or wrong.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use rustix::process::Signal;
use serde_json::Value as Json;

use super::{HELLO, ready, stop};
use crate::harness::{Case, DEADLINE, Process};

/// An answer.
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn json(&self) -> Json {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{:?}: {error}", self.body))
    }
}

/// Serves the case, and says where.
fn serve(case: &Case, more: &[&str]) -> (Process, SocketAddr) {
    serve_with(case, more, &[])
}

/// The same, with variables in the environment.
fn serve_with(case: &Case, more: &[&str], environment: &[(&str, &str)]) -> (Process, SocketAddr) {
    let mut command = case.command(["serve", "--listen", "127.0.0.1:0"]);
    command.args(more).envs(environment.iter().copied());
    let mut server = ready(command);
    let line = server.said("listening for HTTP");
    (server, line.split("address=").nth(1).unwrap().trim().parse().unwrap())
}

fn connect(to: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.set_write_timeout(Some(DEADLINE)).unwrap();
    stream
}

/// Asks, with a head and a body as they are.
fn ask(to: SocketAddr, request: &str) -> Answer {
    let mut stream = connect(to);
    stream.write_all(request.as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.to_lowercase(), body: body.to_owned() }
}

/// Asks until the answer is what is waited for, or it is too late for that.
fn first(ask: impl Fn() -> Answer, is_it: impl Fn(&Answer) -> bool) -> Answer {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let answer = ask();
        if is_it(&answer) || Instant::now() > deadline {
            return answer;
        }
    }
}

fn get(to: SocketAddr, path: &str) -> Answer {
    ask(to, &format!("GET {path} HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n"))
}

#[test]
fn health_and_readiness_say_how_the_server_is() {
    let case = Case::new()
        .runbook(HELLO)
        .file("books/good.yaml", format!("runbook: good\n{HELLO}"))
        .file("books/bad.yaml", "runbook: bad\nsteps: 1\n");
    let (server, at) = serve(&case, &["--runbooks", "books"]);
    let health = get(at, "/healthz");
    assert_eq!((health.status, health.json()["status"].as_str()), (200, Some("ok")));
    assert!(health.head.contains("content-type: application/json"), "{}", health.head);
    let ready = get(at, "/readyz").json();
    assert_eq!((&ready["status"], &ready["runbooks"]["loaded"]), (&"ready".into(), &1.into()), "{ready:#}");
    assert_eq!(ready["runbooks"]["broken"][0]["file"], "bad.yaml", "{ready:#}");
    assert_eq!(ready["runbooks"]["broken"][0]["kept"], Json::Null);
    let head = ask(at, "HEAD /healthz HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n");
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    stop(&case, server);
    assert!(TcpStream::connect(at).is_err(), "nobody listens any more");
}

#[test]
fn what_is_not_there_and_what_is_asked_wrongly_is_said_in_json() {
    let case = Case::new();
    let (server, at) = serve(&case, &[]);
    let nowhere = get(at, "/runs");
    assert_eq!(nowhere.status, 404);
    assert_eq!(nowhere.json()["error"]["help"], "there are `GET /healthz`, `GET /readyz`, `GET /metrics`");
    let wrong = ask(at, "POST /healthz HTTP/1.1\r\nHost: here\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}");
    assert_eq!(wrong.status, 405);
    assert!(wrong.head.contains("allow: get,head"), "{}", wrong.head);
    assert!(wrong.json()["error"]["message"].is_string());
    assert_eq!(ask(at, "nonsense\r\n\r\n").status, 400);
    stop(&case, server);
}

#[test]
fn metrics_count_what_was_done() {
    let case = Case::new().runbook(HELLO).file("fails.yaml", "runbook: fails\nsteps: [{ fail: it does }]\n");
    let (server, at) = serve(&case, &[]);
    case.run().succeeds();
    case.lockstep(["run", "fails.yaml", "--json"]).exits(1);
    get(at, "/nowhere");
    let metrics = get(at, "/metrics");
    assert!(metrics.head.contains("content-type: application/openmetrics-text"), "{}", metrics.head);
    let value = |name: &str| {
        let line = metrics.body.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name} in\n{}", metrics.body)).parse::<f64>().unwrap()
    };
    for (name, expected) in [
        ("lockstep_runs_started_total", 2.0),
        ("lockstep_runs_ended_total{status=\"succeeded\"}", 1.0),
        ("lockstep_runs_ended_total{status=\"failed\"}", 1.0),
        ("lockstep_runs_ended_total{status=\"cancelled\"}", 0.0),
        ("lockstep_steps_ended_total", 2.0),
        ("lockstep_attempts_started_total", 1.0),
        ("lockstep_attempts_running", 0.0),
        ("lockstep_requests_waiting", 0.0),
        ("lockstep_http_answers_total{route=\"other\",status=\"404\"}", 1.0),
    ] {
        assert!((value(name) - expected).abs() < f64::EPSILON, "{name} is {}, not {expected}", value(name));
    }
    // One sync at least for the start of each run, and one for its end.
    assert!(value("lockstep_journal_syncs_total") >= 3.0);
    assert!(value("lockstep_journal_bytes_total") > 100.0);
    let turns = value("lockstep_turn_duration_seconds_count");
    assert!((value("lockstep_turn_duration_seconds_bucket{le=\"+Inf\"}") - turns).abs() < f64::EPSILON && turns > 1.0);
    assert!(metrics.body.contains(&format!("lockstep_build_info{{version=\"{}\"}} 1", env!("CARGO_PKG_VERSION"))));
    assert!(metrics.body.ends_with("# EOF\n"));
    stop(&case, server);
}

#[test]
fn clients_that_never_finish_their_request_lose_their_connections_and_nobody_else_theirs() {
    let limits = "server: { limits: { connections: 4, header_timeout: 1s } }\n";
    let case = Case::new().file("data/config.yaml", limits);
    let (server, at) = serve(&case, &[]);
    // As many as there is room for: each sends half of a head, and goes on with a byte now and then.
    let mut slow: Vec<TcpStream> = (0..4)
        .map(|_| {
            let mut stream = connect(at);
            stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: here\r\nX-Slow: ").unwrap();
            stream
        })
        .collect();
    // Who comes now waits until their time is up, and is answered.
    assert_eq!(get(at, "/healthz").status, 200);
    for stream in &mut slow {
        let mut rest = Vec::new();
        // It was closed, in order or not; either way nothing more is to be had.
        let read = stream.read_to_end(&mut rest);
        assert!(read.is_err() || !rest.starts_with(b"HTTP/1.1 200"), "{rest:?}");
    }
    stop(&case, server);
}

#[test]
fn what_is_too_large_is_refused_before_it_is_read() {
    let case = Case::new().file("data/config.yaml", "server: { limits: { body: 1KiB } }\n");
    let (server, at) = serve(&case, &[]);
    let large = ask(at, "POST /healthz HTTP/1.1\r\nHost: here\r\nContent-Length: 1000000000\r\n\r\n");
    assert_eq!(large.status, 413);
    assert_eq!(large.json()["error"]["help"], "a body may have 1024 bytes");
    let header = "x".repeat(64 * 1024);
    let mut stream = connect(at);
    // It may close the connection before all of it was sent.
    let _ = stream.write_all(format!("GET /healthz HTTP/1.1\r\nHost: here\r\nX-Long: {header}\r\n\r\n").as_bytes());
    let mut text = Vec::new();
    let _ = stream.read_to_end(&mut text);
    assert!(text.is_empty() || text.starts_with(b"HTTP/1.1 431"), "{}", String::from_utf8_lossy(&text));
    assert_eq!(get(at, "/healthz").status, 200);
    stop(&case, server);
}

#[test]
fn a_server_whose_engine_does_not_answer_is_not_well() {
    let case = Case::new().runbook(HELLO);
    // The engine's thread stands still in the middle of a write; the watchdog wants to hear of it ten times a second.
    let hangs = [("LOCKSTEP_FAULTS", "journal.append=before:hang"), ("WATCHDOG_USEC", "300000")];
    let (mut server, at) = serve_with(&case, &["--runbooks", "."], &hangs);
    let run = case.start();
    let sick = first(|| get(at, "/healthz"), |answer| answer.status != 200);
    assert_eq!((sick.status, sick.json()["status"].as_str()), (503, Some("stuck")));
    assert_eq!(get(at, "/readyz").status, 503);
    // A reload that cannot come to its end does not keep it from being stopped.
    server.signal(Signal::HUP);
    server.signal(Signal::TERM);
    server.says("stopping");
    server.kill();
    // Nothing was acknowledged, and the guest was waiting for just that.
    run.signal(Signal::INT);
    run.outcome(&case).exits(3).says("interrupted before there was an answer");
}

#[test]
fn a_server_that_can_store_nothing_is_not_ready_and_says_so() {
    // What is to be stored here is the schedule: a run would only be refused.
    let runbook = format!("runbook: tick\ntriggers: [{{ cron: '0 3 * * *' }}]\n{HELLO}");
    let case = Case::new().runbook(HELLO).file("books/tick.yaml", runbook);
    let full = [("LOCKSTEP_FAULTS", "journal.append=before:nospace")];
    let (server, at) = serve_with(&case, &["--runbooks", "books"], &full);
    let ready = first(|| get(at, "/readyz"), |answer| answer.status != 200);
    assert_eq!(ready.status, 503);
    assert!(ready.body.contains("nothing can be stored"), "{}", ready.body);
    assert!(get(at, "/metrics").body.contains("lockstep_store_full 1"));
    assert_eq!(get(at, "/healthz").status, 200, "a restart would not help");
    server.kill();
}

#[test]
fn an_address_that_is_taken_is_said() {
    let case = Case::new();
    let (server, at) = serve(&case, &[]);
    let other = case.command(["serve", "--data", "other", "--listen", &at.to_string()]);
    Process::start(other).outcome(&case).exits(5).says(&format!("cannot listen on {at}"));
    case.lockstep(["serve", "--listen", "7420"]).exits(2).says("127.0.0.1:7420");
    stop(&case, server);
}
