//! `lockstep serve`: a host that stays, who may ask it, and what becomes of runs while it goes and comes back.

mod http;
mod library;
mod manager;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::UnixStream;
use std::process::Command;

use rustix::process::Signal;

use crate::harness::{Case, Process};

/// Serves the case's data folder; ready when this returns.
fn serve(case: &Case) -> Process {
    ready(case.command(["serve"]))
}

/// Starts a server, and waits until it is ready.
fn ready(command: Command) -> Process {
    let mut server = Process::start(command);
    server.says("ready: serving the data folder");
    server
}

fn stop(case: &Case, server: Process) {
    server.signal(Signal::TERM);
    server.outcome(case).exits(0).says("stopped");
}

const HELLO: &str = "steps: [{ id: a, exec: [echo, hi] }]\noutputs: { a: steps.a.stdout }\n";

#[test]
fn all_verbs_ask_the_server_and_it_stays() {
    let case = Case::new().runbook(HELLO);
    let server = serve(&case);
    let id = case.run().succeeds().output("a", "hi").id();
    let view = case.show(&id);
    assert_eq!(view["status"], "succeeded");
    let asks = format!(
        "runbook: asks\nsteps:\n  - {{ id: ok, approve: {{ message: well?, by: ['{}'], self: true }} }}\n  - {{ id: it, await: {{ signal: s }} }}\n",
        view["by"].as_str().unwrap()
    );
    let case = case.file("asks.yaml", asks);
    case.lockstep(["logs", &id]).exits(0).prints("hi");
    case.lockstep(["history", &id]).exits(0).prints("created");
    let asks = case.lockstep(["run", "asks.yaml", "--json"]);
    let asks = asks.exits(3).id();
    case.lockstep(["why", &asks]).exits(0).prints("well?");
    case.lockstep(["pause", &asks]).exits(0);
    case.lockstep(["resume", &asks, "--json"]).exits(3);
    case.lockstep(["approve", &asks, "ok"]).exits(0);
    case.lockstep(["signal", &asks, "s"]).exits(0);
    case.lockstep(["resume", &asks, "--json"]).exits(0);
    case.lockstep(["run", "asks.yaml", "--json"]).exits(3);
    case.lockstep(["cancel", "last"]).exits(0);
    assert_eq!(case.runs().len(), 3);
    assert!(case.data().join("socket").exists(), "a server stays when nothing goes on");
    stop(&case, server);
    assert!(!case.data().join("socket").exists());
}

#[test]
fn a_restart_in_mid_command_keeps_the_process_every_line_and_the_run() {
    let case = Case::new();
    let (first, second) = (case.gate("first"), case.gate("second"));
    let case = case.runbook(&format!(
        "steps:\n  - id: talk\n    shell: \"echo $$; echo one; ({}) > /dev/null; echo two; ({}) > /dev/null; echo three; echo $$\"\n  - {{ id: after, exec: [echo, '${{{{ steps.talk.stdout }}}}'] }}\noutputs: {{ said: steps.after.stdout }}\n",
        first.script(),
        second.script()
    ));
    let server = serve(&case);
    let mut follower = case.start();
    let run = follower.id();
    first.arrival();
    // As systemd does with `KillMode=process`: the main process only.
    server.signal(Signal::TERM);
    server.outcome(&case).exits(0).says("commands that run go on under their supervisors");
    follower.says("waiting for it to come back");
    // What it says while no server is there is not lost.
    first.open();
    second.arrival();
    assert_eq!(case.show(&run)["interrupted"], true);
    let server = serve(&case);
    second.open();
    let outcome = follower.outcome(&case);
    outcome.succeeds();
    let said = outcome.run()["outputs"]["said"].as_str().unwrap().to_owned();
    let lines: Vec<_> = said.lines().collect();
    assert_eq!(lines[1..4], ["one", "two", "three"]);
    assert_eq!((lines[0], lines.len()), (lines[4], 5), "the same process to its end");
    assert_eq!(outcome.step_view("talk")["attempts"], 1);
    stop(&case, server);
}

#[test]
fn a_killed_server_leaves_what_it_carried_to_the_next_one() {
    let case = Case::new();
    let gate = case.gate("gate");
    let case = case
        .runbook(&format!("steps:\n  - {{ id: a, shell: \"{}\" }}\n  - {{ id: b, exec: [echo, b] }}\n", gate.script()));
    let server = serve(&case);
    let mut follower = case.start();
    let run = follower.id();
    gate.arrival();
    server.kill();
    follower.says("waiting for it to come back");
    follower.signal(Signal::INT);
    follower.outcome(&case).exits(3).says("left run").says("it goes on in the server");
    gate.open();
    case.await_supervisors();
    let server = serve(&case);
    // Nobody asks for it: under a server runs go on by themselves.
    case.lockstep(["resume", &run, "--json"]).succeeds();
    stop(&case, server);
    assert_eq!(case.show(&run)["status"], "succeeded");
}

#[test]
fn runs_that_were_cut_off_go_on_when_a_server_starts() {
    let case = Case::new();
    let gate = case.gate("gate");
    let case = case.runbook(&format!(
        "steps:\n  - {{ id: a, shell: \"{}\" }}\n  - {{ id: b, shell: 'echo done > done' }}\n",
        gate.script()
    ));
    let mut run = case.start();
    let id = run.id();
    gate.arrival();
    run.kill();
    let mut server = serve(&case);
    gate.open();
    server.says(&format!("run={id}"));
    server.says("run ended");
    assert_eq!(case.show(&id)["status"], "succeeded");
    stop(&case, server);
}

#[test]
fn a_second_signal_stops_at_once() {
    // The server would wait this long for somebody who does not read.
    let case = Case::new().file("data/config.yaml", "server: { drain: 10m }\n").runbook(
        "steps: [{ id: a, shell: 'while :; do echo a rather long line that fills what nobody reads; done' }]\n",
    );
    let mut server = serve(&case);
    let mut follower = case.start();
    let run = follower.id();
    follower.event("output", |event| event["type"] == "output");
    let mut deaf = UnixStream::connect(case.data().join("socket")).unwrap();
    writeln!(deaf, "{{\"watch\":{{\"run\":\"{run}\"}}}}").unwrap();
    let mut greeting = String::new();
    BufReader::new(deaf.try_clone().unwrap()).read_line(&mut greeting).unwrap();
    assert!(greeting.contains("\"serves\":true"), "{greeting}");
    for _ in 0..2000 {
        follower.event("output", |event| event["type"] == "output");
    }
    server.signal(Signal::TERM);
    server.says("stopping");
    server.signal(Signal::TERM);
    server.outcome(&case).exits(3).says("stopped at once");
    follower.kill();
    drop(deaf);
    case.lockstep(["cancel", &run]).exits(0);
}

#[test]
fn a_folder_that_is_in_use_is_waited_for_and_then_named() {
    let case = Case::new();
    let gate = case.gate("gate");
    let case = case.runbook(&format!("steps: [{{ id: a, shell: \"{}\" }}]\n", gate.script()));
    let host = case.start();
    gate.arrival();
    case.lockstep(["serve"]).exits(5).says("which carries runs that were started without a server");
    let mut server = Process::start(case.command(["serve"]));
    server.says("waiting for who holds the data folder");
    gate.open();
    host.outcome(&case).succeeds();
    server.says("ready");
    case.lockstep(["serve"]).exits(5).says("which serves it already");
    stop(&case, server);
}

#[test]
fn who_asks_is_who_the_kernel_says() {
    if !rustix::process::getuid().is_root() {
        return;
    }
    // A server of an unprivileged user, and guests who say that they are somebody else.
    let case = Case::new().runbook("steps: [{ id: a, await: { signal: s } }]\n");
    open_to_all(&case);
    fs::create_dir(case.data()).unwrap();
    chown(case.data(), Some(NOBODY), Some(NOBODY)).unwrap();
    fs::set_permissions(case.data(), fs::Permissions::from_mode(0o700)).unwrap();
    let mut server = Process::start(as_user(NOBODY, &[], &case.command(["serve"])));
    server.says("ready");
    let run = Process::start(as_user(NOBODY, &[], &case.run_command(&["--json"]))).outcome(&case);
    let id = run.exits(3).id();
    assert_eq!(case.show(&id)["by"], "user:nobody");

    // Somebody who gets as far as the socket is turned away, whatever they call themselves.
    fs::set_permissions(case.data(), fs::Permissions::from_mode(0o711)).unwrap();
    fs::set_permissions(case.data().join("socket"), fs::Permissions::from_mode(0o666)).unwrap();
    let stranger = |verb: &[&str]| Process::start(as_user(STRANGER, &[], &case.command(verb))).outcome(&case);
    stranger(&["runs"]).exits(5).says("may not ask here").says("belongs to `nobody`");
    stranger(&["run", "runbook.yaml"]).exits(5).says("may not ask here");
    stranger(&["cancel", &id]).exits(5).says("may not ask here");
    assert_eq!(case.show(&id)["cancelled_by"], serde_json::Value::Null);
    server.says("a guest was turned away");

    server.signal(Signal::TERM);
    server.outcome(&case).exits(0);
}

#[test]
fn a_group_that_is_let_in_may_ask_and_reads_nothing_else() {
    if !rustix::process::getuid().is_root() {
        return;
    }
    // The group `daemon` has number 1 on every Linux.
    let case = Case::new().runbook(HELLO).file("data/config.yaml", "server: { socket_group: daemon }\n");
    open_to_all(&case);
    let server = serve(&case);
    let member = |verb: &[&str]| Process::start(as_user(STRANGER, &["--groups=1"], &case.command(verb))).outcome(&case);
    let run = member(&["run", "runbook.yaml", "--json"]);
    let id = run.succeeds().id();
    assert_eq!(case.show(&id)["by"], format!("user:{STRANGER}"));
    let others = Process::start(as_user(STRANGER, &[], &case.command(["runs"]))).outcome(&case);
    others.exits(5).says("ermission denied");
    for (name, mode) in [("", 0o710), ("socket", 0o660), ("journal", 0o700), ("logs", 0o700)] {
        let found = fs::metadata(case.data().join(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!(found, mode, "{name} has mode {found:o}");
    }
    case.lockstep(["doctor"]).exits(0).does_not_print("other users have rights");
    stop(&case, server);
}

/// The user nobody.
const NOBODY: u32 = 65534;

/// A user that no list names.
const STRANGER: u32 = 64001;

/// Lets every user come as far as the case's own folder, and read what the test wrote there.
fn open_to_all(case: &Case) {
    fs::set_permissions(case.path(""), fs::Permissions::from_mode(0o755)).unwrap();
}

/// The same command as another user, without root's rights.
fn as_user(uid: u32, groups: &[&str], of: &Command) -> Command {
    let mut command = Command::new("setpriv");
    command.arg(format!("--reuid={uid}")).arg(format!("--regid={uid}"));
    if groups.is_empty() {
        command.arg("--clear-groups");
    }
    command.args(groups).arg(of.get_program()).args(of.get_args());
    command.current_dir(of.get_current_dir().expect("a command of the case has a folder"));
    command.env_clear().envs(of.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command
}
