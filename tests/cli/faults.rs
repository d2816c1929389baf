//! Things that go wrong outside: each has a clear message, the right exit code, and loses nothing.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use rustix::fs::{FlockOperation, flock};

use crate::harness::{Case, Process};

const HELLO: &str = "steps: [{ id: a, shell: 'echo hello' }]\noutputs: { text: steps.a.stdout }\n";

#[test]
fn a_folder_locked_by_a_stranger_is_named_with_its_process() {
    let case = Case::new().runbook(HELLO);
    case.run().succeeds();
    let lock = File::options().write(true).open(case.data().join("LOCK")).unwrap();
    flock(&lock, FlockOperation::LockExclusive).unwrap();
    case.run().exits(5).says("is in use by process").says("does not listen").says("--data DIR");
    case.lockstep(["cancel", "last"]).exits(5);
    // Looking takes no lock.
    case.lockstep(["runs"]).exits(0).prints("succeeded");
    drop(lock);
    case.run().succeeds();
}

#[test]
fn what_a_dead_host_left_is_no_obstacle() {
    let case = Case::new().runbook(HELLO);
    case.run().succeeds();
    drop(std::os::unix::net::UnixListener::bind(case.data().join("socket")).unwrap());
    assert!(case.data().join("socket").exists());
    case.lockstep(["runs"]).exits(0).prints("succeeded");
    case.run().succeeds();
}

#[test]
fn a_folder_of_a_newer_version_is_left_alone() {
    let case = Case::new().runbook(HELLO);
    case.run().succeeds();
    let format = case.data().join("FORMAT");
    let written = fs::read_to_string(&format).unwrap();
    fs::write(&format, "lockstep 99\n").unwrap();
    case.run().exits(5).says("has format 99").says("use a newer lockstep");
    case.lockstep(["show", "last"]).exits(5).says("has format 99");
    assert_eq!(fs::read_to_string(&format).unwrap(), "lockstep 99\n");
    fs::write(&format, written).unwrap();
    case.run().succeeds();
}

#[test]
fn a_folder_of_somebody_else_is_not_taken() {
    let case = Case::new().runbook(HELLO).file("data/photo.jpg", "x");
    case.run().exits(5).says("photo.jpg");
    let names: Vec<_> = fs::read_dir(case.data()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["photo.jpg"]);
    let case = Case::new().runbook(HELLO).file("data", "a file");
    case.run().exits(5);
}

#[test]
fn damage_is_named_with_file_and_offset_and_nothing_is_changed() {
    let case = Case::new();
    let gate = case.gate("gate");
    let case = case.runbook(&format!("steps:\n  - exec: [echo, hello]\n  - shell: \"{}\"\n", gate.script()));
    let run = case.start();
    gate.arrival();
    run.kill();
    // In the middle of what was acknowledged: later frames follow.
    let (segment, place) = damage(case.data());
    let bytes = fs::read(&segment).unwrap();
    case.run().exits(5).says("is damaged at byte").says(&segment.display().to_string());
    case.lockstep(["show", "last"]).exits(5).says("is damaged at byte");
    assert_eq!(fs::read(&segment).unwrap(), bytes);

    let mut mended = bytes;
    mended[place] ^= 1;
    fs::write(&segment, mended).unwrap();
    let resume = Process::start(case.command(["resume", "--json"]));
    gate.open();
    resume.outcome(&case).exits(0);
}

/// A closed journal says itself that no run is open, and then is not read for a new one.
#[test]
fn damage_to_what_is_over_is_said_to_whoever_asks_for_it() {
    let case = Case::new().runbook(HELLO);
    case.run().succeeds();
    let (segment, place) = damage(case.data());
    let before = fs::read(&segment).unwrap();
    case.lockstep(["show", "last"]).exits(5).says("is damaged at byte").says(&segment.display().to_string());
    case.lockstep(["runs"]).exits(5).says("is damaged at byte");
    case.run().succeeds();
    case.lockstep(["runs"]).exits(5).says("is damaged at byte");
    assert_eq!(fs::read(&segment).unwrap()[..=place], before[..=place]);
}

/// Changes a bit of the first frame that names what is printed; says where.
fn damage(data: &Path) -> (std::path::PathBuf, usize) {
    let segment = journal_files(data).into_iter().next().expect("a journal has a segment");
    let mut bytes = fs::read(&segment).unwrap();
    let place = bytes.windows(5).position(|window| window == b"hello").expect("the journal holds the command");
    bytes[place] ^= 1;
    fs::write(&segment, &bytes).unwrap();
    (segment, place)
}

#[test]
fn a_full_disk_is_said_and_what_was_acknowledged_stays() {
    // A file system of its own in a name space of its own needs no rights.
    let case = Case::new().runbook(HELLO);
    fs::create_dir(case.data()).unwrap();
    let script = r#"
        mount -t tmpfs -o size=24m tmpfs "$LOCKSTEP_DATA"
        "$0" run runbook.yaml --json || exit 100
        dd if=/dev/zero of="$LOCKSTEP_DATA/ballast" bs=64k 2>/dev/null
        "$0" run runbook.yaml --json 2>&1; echo "full: $?"
        "$0" runs --json || exit 101
        rm "$LOCKSTEP_DATA/ballast"
        "$0" resume --json 2>&1; echo "resumed: $?"
        "$0" run runbook.yaml --json; echo "again: $?"
        "$0" runs
    "#;
    let program = case.command(Vec::<String>::new());
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script]).arg(program.get_program());
    command.current_dir(case.path("")).env("LOCKSTEP_DATA", case.data()).env("HOME", case.path(""));
    let outcome = Process::start(command).outcome(&case);
    outcome.exits(0).prints("again: 0");
    let full = outcome.stdout.split("full: ").nth(1).and_then(|rest| rest.chars().next());
    // Room that was set aside may let the run itself through; then the step says that there was none for it.
    match full {
        Some('1' | '5') => drop(outcome.prints("space")),
        other => assert_eq!(other, Some('0'), "{}", outcome.stdout),
    }
}

#[test]
fn a_folder_without_rights_is_said() {
    let case = Case::new().runbook(HELLO);
    case.run().succeeds();
    let as_nobody = |data: &Path| {
        let run = case.run_command(&["--json", "--data", &data.display().to_string()]);
        let mut command = unprivileged();
        command.arg(run.get_program()).args(run.get_args()).current_dir(case.path(""));
        command.env("HOME", "/nonexistent");
        Process::start(command)
    };
    // Others may come as far as the folder itself.
    fs::set_permissions(case.path(""), fs::Permissions::from_mode(0o755)).unwrap();
    let closed = case.path("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).unwrap();
    as_nobody(&closed.join("data")).outcome(&case).exits(5).says("ermission denied").says("--data DIR");
    as_nobody(&closed).outcome(&case).exits(5).says("ermission denied");
    if rustix::process::getuid().is_root() {
        // The folder of another user.
        as_nobody(case.data()).outcome(&case).exits(5).says("ermission denied");
    }
}

/// `setpriv` that gives root's rights away; a user without them needs none.
fn unprivileged() -> Command {
    let mut command = Command::new("setpriv");
    if rustix::process::getuid().is_root() {
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    }
    command
}

fn journal_files(data: &Path) -> Vec<std::path::PathBuf> {
    let mut files: Vec<_> = fs::read_dir(data.join("journal")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| fs::read(file).is_ok_and(|bytes| bytes.windows(5).any(|window| window == b"hello")));
    files.sort();
    files
}
