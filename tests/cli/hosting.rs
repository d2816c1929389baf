//! One folder, several commands, no server: hosts, guests, and what becomes of them.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};

use rustix::process::Signal;

use crate::harness::{Case, Process};

/// A runbook of three steps, the middle one waits at the gate.
fn gated(script: &str, effect: &str) -> String {
    format!(
        "params: {{ name: string }}
steps:
  - {{ id: before, exec: [echo, '${{{{ params.name }}}}'] }}
  - {{ id: gate, effect: {effect}, shell: \"{script}\" }}
  - {{ id: after, shell: 'echo end >> ends' }}
outputs: {{ name: steps.before.stdout }}
"
    )
}

/// Starts a run with its own gate.
fn start(case: &Case, name: &str) -> Process {
    let mut command = case.run_command(&["--json"]);
    command.args(["-p", &format!("name={name}")]);
    Process::start(command)
}

#[test]
fn ten_at_once_all_succeed() {
    let case = Case::new().runbook(
        "params: { n: int }\nsteps:\n  - { id: a, exec: [echo, '${{ params.n * 2 }}'] }\n  - { id: b, shell: 'echo $N', env: { N: '${{ steps.a.stdout }}' } }\noutputs: { n: steps.b.stdout }\n",
    );
    let runs: Vec<_> = (0..10)
        .map(|number| {
            let mut command = case.run_command(&["--json"]);
            command.args(["-p", &format!("n={number}")]);
            Process::start(command)
        })
        .collect();
    for (number, run) in runs.into_iter().enumerate() {
        run.outcome(&case).succeeds().output("n", (number * 2).to_string());
    }
    assert_eq!(case.runs().iter().filter(|run| run["status"] == "succeeded").count(), 10);
    assert!(!case.data().join("socket").exists(), "the last host took its socket away");
}

#[test]
fn a_host_stays_until_its_guests_runs_have_ended_and_says_so() {
    let case = Case::new();
    let (first, second) = (case.gate("first"), case.gate("second"));
    let case = case
        .runbook(&gated(&first.script(), "once"))
        .file("guest.yaml", format!("runbook: guest\n{}", gated(&second.script(), "once")));
    let mut host = start(&case, "host");
    first.arrival();
    let mut guest = Process::start(case.command(["run", "guest.yaml", "-p", "name=guest", "--json"]));
    second.arrival();
    first.open();
    host.event("its own end", |event| event["type"] == "run");
    host.says("waiting for 1 run of other terminals");
    // Others ask the host as long as it stays.
    assert_eq!(case.runs().iter().filter(|run| run["status"] == "running" && run["interrupted"] == false).count(), 1);
    second.open();
    guest.event("the guest's end", |event| event["type"] == "run" && event["status"] == "succeeded");
    guest.outcome(&case).exits(0);
    host.outcome(&case).exits(0);
}

#[test]
fn a_guests_secret_is_read_where_the_guest_stands() {
    let case = Case::new();
    let gate = case.gate("gate");
    let case = case.runbook(&gated(&gate.script(), "once")).file(
        "guest.yaml",
        "runbook: guest
params: { token: { type: secret, default: 'env:TOKEN' } }
steps:
  - { id: pass, shell: 'printf %s \"$GIVEN\" > seen', env: { GIVEN: '${{ params.token }}' } }
",
    );
    let mut host = case.run_command(&["--json", "-p", "name=host"]);
    host.env("TOKEN", "the-hosts-own");
    let host = Process::start(host);
    gate.arrival();
    let mut guest = case.command(["run", "guest.yaml", "--json"]);
    guest.env("TOKEN", "what-the-guest-means");
    Process::start(guest).outcome(&case).exits(0);
    assert_eq!(case.read("seen"), "what-the-guest-means");
    // One that the guest does not have is not taken from the host either.
    let mut guest = case.command(["run", "guest.yaml", "--json"]);
    guest.env_remove("TOKEN");
    Process::start(guest).outcome(&case).exits(1);
    gate.open();
    host.outcome(&case).exits(0);
    let anywhere = std::process::Command::new("grep")
        .args(["--recursive", "--text", "--quiet", "what-the-guest-means"])
        .arg(case.data())
        .status();
    assert!(anywhere.is_ok_and(|status| !status.success()), "no value of a secret is written to the data folder");
}

#[test]
fn a_guest_takes_over_when_the_host_is_killed() {
    let case = Case::new();
    let (first, second) = (case.gate("first"), case.gate("second"));
    let case = case
        .runbook(&gated(&first.script(), "once"))
        .file("guest.yaml", format!("runbook: guest\n{}", gated(&second.script(), "once")));
    let mut host = start(&case, "host");
    let host_run = host.id();
    first.arrival();
    let mut guests: Vec<_> =
        (0..1).map(|_| Process::start(case.command(["run", "guest.yaml", "-p", "name=guest", "--json"]))).collect();
    second.arrival();
    host.kill();
    // The command of the guest's run outlives the host that started it, and is picked up.
    second.open();
    let guest = guests.pop().unwrap();
    let outcome = guest.outcome(&case);
    outcome.succeeds().output("name", "guest").says("this one goes on in its place").step("gate", "succeeded");
    let starts = outcome.events().iter().filter(|event| event["type"] == "started").count();
    assert_eq!(starts, 1, "what was said before is not said again");
    // The killed host's own run is left alone until somebody asks for it.
    let left = case.show(&host_run);
    assert_eq!((&left["status"], &left["interrupted"]), (&"running".into(), &true.into()), "{left:#}");
}

#[test]
fn a_run_goes_on_whose_host_went_between_taking_it_and_being_watched() {
    let case = Case::new();
    let gate = case.gate("gate");
    let case = case.runbook(&gated(&gate.script(), "once")).file(
        "guest.yaml",
        "runbook: guest\nsteps: [{ id: a, shell: 'echo x >> begun; echo done' }]\noutputs: { a: steps.a.stdout }\n",
    );
    let host = start(&case, "host");
    gate.arrival();
    let (listens, is_asked) = (case.data().join("its-socket"), case.data().join("socket"));
    fs::rename(&is_asked, &listens).unwrap();
    let listener = UnixListener::bind(&is_asked).unwrap();
    let guest = Process::start(case.command(["run", "guest.yaml", "--json"]));
    // Whatever the guest asks is asked for it, until its run is started and the host gone; only then is it told.
    let (mut to_guest, answer) = listener
        .incoming()
        .find_map(|stream| {
            let mut guest = BufReader::new(stream.unwrap());
            let mut host = BufReader::new(UnixStream::connect(&listens).unwrap());
            guest.get_mut().write_all(line(&mut host).as_bytes()).unwrap();
            let request = line(&mut guest);
            host.get_mut().write_all(request.as_bytes()).unwrap();
            let answer = if request.is_empty() { String::new() } else { line(&mut host) };
            if request.starts_with("{\"start\"") {
                return Some((guest.into_inner(), answer));
            }
            // It may only have knocked.
            let _ = guest.get_mut().write_all(answer.as_bytes());
            None
        })
        .unwrap();
    host.kill();
    drop(listener);
    to_guest.write_all(answer.as_bytes()).unwrap();
    guest.outcome(&case).succeeds().output("a", "done");
    assert_eq!(case.read("begun"), "x\n");
}

/// One line with its end; nothing if there is none.
fn line(from: &mut impl BufRead) -> String {
    let mut line = String::new();
    from.read_line(&mut line).unwrap();
    line
}

#[test]
fn nine_guests_survive_their_host() {
    let case = Case::new();
    let gate = case.gate("host");
    let case = case.runbook(&gated(&gate.script(), "once")).file(
        "guest.yaml",
        "runbook: guest\nsteps:\n  - { id: a, effect: idempotent, shell: 'echo x >> arrivals; exec sleep 0.2' }\n  - { id: b, effect: idempotent, shell: 'echo b' }\n",
    );
    let mut host = start(&case, "host");
    gate.arrival();
    let guests: Vec<_> = (0..9)
        .map(|_| {
            let mut guest = Process::start(case.command(["run", "guest.yaml", "--json"]));
            guest.id();
            guest
        })
        .collect();
    host.id();
    host.kill();
    for guest in guests {
        guest.outcome(&case).succeeds();
    }
    assert_eq!(case.runs().iter().filter(|run| run["status"] == "succeeded").count(), 9);
}

#[test]
fn a_new_run_names_what_was_cut_off_and_leaves_it_alone() {
    let case = Case::new();
    let gate = case.gate("gate");
    let case = case
        .runbook(&gated(&gate.script(), "idempotent"))
        .file("other.yaml", "runbook: other\nsteps: [{ shell: 'true' }]\n");
    let mut run = start(&case, "cut");
    let id = run.id();
    gate.arrival();
    run.kill();
    let other = case.lockstep(["run", "other.yaml", "--json"]);
    other.succeeds().says(&format!("1 run was cut off: {id}")).says(&format!("`lockstep resume {id}`"));
    assert_eq!(case.show(&id)["interrupted"], true);
    assert_eq!(case.show(&id)["steps"][1]["status"], "running", "nothing was done about it");
}

#[test]
fn the_socket_is_for_its_owner_and_works_under_a_long_path() {
    let case = Case::new();
    let gate = case.gate("gate");
    let long = case.path("").join("a-long-name-of-a-folder-".repeat(6)).join("and-another-".repeat(8));
    let case = case.data_folder(long).runbook(&gated(&gate.script(), "once"));
    let host = start(&case, "host");
    gate.arrival();
    let mode = fs::metadata(case.data().join("socket")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(case.runs()[0]["interrupted"], false, "the host is asked over its socket");
    gate.open();
    host.outcome(&case).succeeds();
}

#[test]
fn a_killed_guest_leaves_its_run_with_the_host() {
    let case = Case::new();
    let (first, second) = (case.gate("first"), case.gate("second"));
    let case = case
        .runbook(&gated(&first.script(), "once"))
        .file("guest.yaml", format!("runbook: guest\n{}", gated(&second.script(), "once")));
    let host = start(&case, "host");
    first.arrival();
    let mut guest = Process::start(case.command(["run", "guest.yaml", "-p", "name=guest", "--json"]));
    let id = guest.id();
    second.arrival();
    guest.kill();
    first.open();
    second.open();
    host.outcome(&case).succeeds();
    assert_eq!(case.show(&id)["status"], "succeeded");
}

#[test]
fn a_stopped_host_is_named() {
    let case = Case::new();
    let gate = case.gate("gate");
    let case = case.runbook(&gated(&gate.script(), "once"));
    let mut host = start(&case, "host");
    let id = host.id();
    gate.arrival();
    host.signal(Signal::STOP);
    // Looking needs nobody's answer.
    assert_eq!(case.show(&id)["interrupted"], true);
    start(&case, "guest").outcome(&case).exits(5).says("is it stopped?").says("process ");
    host.signal(Signal::CONT);
    gate.open();
    host.outcome(&case).succeeds();
}

#[test]
fn a_run_works_where_it_was_asked_for_whoever_carries_it() {
    let case = Case::new();
    let gate = case.gate("gate");
    let case = case.runbook(&gated(&gate.script(), "once")).file("guest/where.yaml", "runbook: where\nsteps: [{ id: a, shell: pwd }, { id: b, exec: { argv: [pwd], cwd: inner } }]\noutputs: { a: steps.a.stdout, b: steps.b.stdout }\n").file("guest/inner/x", "");
    let host = start(&case, "host");
    gate.arrival();
    let folder = fs::canonicalize(case.path("guest")).unwrap();
    let mut guest = case.command(["run", "where.yaml", "--json"]);
    guest.current_dir(&folder);
    let outcome = case.outcome(guest);
    outcome.succeeds().output("a", folder.to_str().unwrap()).output("b", folder.join("inner").to_str().unwrap());
    gate.open();
    host.outcome(&case).succeeds();
}
