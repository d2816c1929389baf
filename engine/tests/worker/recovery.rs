//! What a new engine makes of a command that an old one started. An engine that dies is a future that is dropped: its
//! end of the line to the supervisor closes, and nobody watches any more.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use lockstep_dsl::value::{Millis, Value};
use lockstep_engine::worker::leftover::find;
use lockstep_engine::worker::{OnProgress, Outcome, Progress, Recovered, Stopper, Stream};
use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Case, action};

/// A command that notes when it begins and ends, and waits in between until it is let go.
const GATED: &str =
    "echo begin >> \"$NOTES\"\necho ready\nread -r line < \"$GATE\"\necho \"after $line\"\necho end >> \"$NOTES\"";

fn gated() -> Case {
    let case = Case::shell(GATED);
    let gate = case.path("gate");
    rustix::fs::mknodat(rustix::fs::CWD, &gate, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0).expect("a pipe");
    let (notes, gate) = (case.path("notes").display().to_string(), gate.display().to_string());
    case.env("NOTES", Value::from(notes)).env("GATE", Value::from(gate))
}

/// Starts the attempt under an engine that dies when the command has printed `ready`.
async fn orphan(case: &Case) {
    let (ready, is_ready) = tokio::sync::oneshot::channel();
    let ready = std::sync::Mutex::new(Some(ready));
    let seen = case.progress();
    let progress: OnProgress = Arc::new(move |line| {
        let Progress::Line { text, .. } = &line;
        if text == "ready"
            && let Some(ready) = ready.lock().expect("no panic").take()
        {
            ready.send(()).expect("somebody waits");
        }
        seen(line);
    });
    let (_stopper, stop) = Stopper::new();
    let action = action(&case.attempt.action);
    tokio::select! {
        outcome = action.run(&case.attempt, stop, progress) => panic!("it ended before: {outcome:?}"),
        heard = is_ready => heard.expect("the command is ready"),
    }
}

async fn recover(case: &Case, this_boot: bool) -> Outcome {
    let (_stopper, stop) = Stopper::new();
    let of = Recovered { attempt: &case.attempt, this_boot };
    action(&case.attempt.action).recover(of, stop, case.progress()).await
}

fn let_go(case: &Case) {
    fs::write(case.path("gate"), "go\n").expect("the command reads");
}

/// Waits until the supervisor that holds a `task` file locked is gone.
async fn supervisor_has_left(task: fs::File) {
    let locked = tokio::task::spawn_blocking(move || {
        rustix::fs::flock(&task, rustix::fs::FlockOperation::LockExclusive).map(|()| drop(task))
    });
    locked.await.expect("no panic").expect("the lock is free");
}

fn notes(case: &Case) -> String {
    fs::read_to_string(case.path("notes")).unwrap_or_default()
}

fn why(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Unknown { why } => why,
        other => panic!("{other:?}"),
    }
}

/// The supervisor of a case, by its command line.
fn supervisor(case: &Case) -> Pid {
    let folder = case.attempt.folder.display().to_string();
    let is_it = |entry: &fs::DirEntry| {
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).any(|argument| argument == folder.as_bytes())
    };
    let entry = fs::read_dir("/proc").expect("Linux").flatten().find(is_it).expect("a supervisor lives");
    let number = entry.file_name().to_str().and_then(|name| name.parse().ok()).expect("a number");
    Pid::from_raw(number).expect("not 0")
}

fn kill_supervisor(case: &Case) {
    kill_process(supervisor(case), Signal::KILL).expect("it lives");
}

#[tokio::test]
async fn a_command_that_still_runs_is_awaited() {
    let case = gated();
    orphan(&case).await;
    let before = case.lines();
    assert_eq!(before, ["ready"]);
    let gate = case.path("gate");
    // Not before the log has been looked at: what is there by then was seen by those who watched the first engine.
    let release = async { tokio::task::spawn_blocking(move || fs::write(gate, "go\n")).await };
    let (outcome, released) = tokio::join!(recover(&case, true), release);
    released.unwrap().unwrap();
    let Outcome::Succeeded { outputs } = outcome else { panic!("{outcome:?}") };
    assert_eq!(outputs["stdout"], Value::from("ready\nafter go"));
    assert_eq!(case.logged(Stream::Stdout), b"ready\nafter go\n");
    assert_eq!(notes(&case), "begin\nend\n");
    assert_eq!(case.lines(), ["ready", "after go"], "who watches sees every line once");
}

#[tokio::test]
async fn a_command_that_has_ended_meanwhile_is_not_started_again() {
    let case = gated();
    orphan(&case).await;
    let_go(&case);
    supervisor_has_left(fs::File::open(case.attempt.folder.join("task")).unwrap()).await;
    assert!(case.attempt.folder.join("exit").exists(), "the supervisor writes the end down before it leaves");
    for _ in 0..2 {
        // Also on another boot: what was written down stays true.
        let outcome = recover(&case, false).await;
        assert!(matches!(outcome, Outcome::Succeeded { .. }), "{outcome:?}");
    }
    assert_eq!(notes(&case), "begin\nend\n");
}

#[tokio::test]
async fn it_is_stopped_after_its_engine_has_died() {
    let case = gated();
    orphan(&case).await;
    let (stopper, stop) = Stopper::new();
    stopper.stop();
    let of = Recovered { attempt: &case.attempt, this_boot: true };
    let outcome = action("shell").recover(of, stop, case.progress()).await;
    let Outcome::Failed { error, .. } = outcome else { panic!("{outcome:?}") };
    assert_eq!(error.message, "killed by SIGTERM");
    assert_eq!(notes(&case), "begin\n");
}

#[tokio::test]
async fn what_a_killed_supervisor_left_is_ended_before_anything_else() {
    let case = gated();
    orphan(&case).await;
    kill_supervisor(&case);
    assert!(!find(case.attempt.run, case.attempt.token).is_empty(), "the command outlives its supervisor");
    let outcome = recover(&case, true).await;
    assert!(why(&outcome).starts_with("the supervisor of the command was killed; "), "{outcome:?}");
    assert_eq!(find(case.attempt.run, case.attempt.token), []);
    assert_eq!(notes(&case), "begin\n");
}

#[tokio::test]
async fn an_engine_that_watches_hears_of_it() {
    let case = gated();
    let (ready, is_ready) = tokio::sync::oneshot::channel();
    let ready = std::sync::Mutex::new(Some(ready));
    let progress: OnProgress = Arc::new(move |_| {
        ready.lock().expect("no panic").take().map(|ready| ready.send(()));
    });
    let (_stopper, stop) = Stopper::new();
    let action = action("shell");
    let (outcome, ()) = tokio::join!(action.run(&case.attempt, stop, progress), async {
        is_ready.await.expect("the command is ready");
        kill_supervisor(&case);
    });
    assert!(why(&outcome).contains("signal: 9"), "{outcome:?}");
    assert_eq!(find(case.attempt.run, case.attempt.token), []);
}

#[tokio::test]
async fn what_has_certainly_not_begun_is_started() {
    let case = gated();
    let released = std::thread::spawn({
        let gate = case.path("gate");
        move || fs::write(gate, "go\n")
    });
    assert!(matches!(recover(&case, true).await, Outcome::Succeeded { .. }));
    released.join().unwrap().unwrap();
    // The supervisor was never told what to run: the engine died while it wrote.
    let case = Case::shell("echo ran");
    fs::create_dir(&case.attempt.folder).unwrap();
    fs::write(case.attempt.folder.join("task"), "{\"format\"").unwrap();
    assert!(matches!(recover(&case, true).await, Outcome::Succeeded { .. }));
}

#[tokio::test]
async fn after_another_boot_nobody_knows() {
    let case = gated();
    let outcome = recover(&case, false).await;
    assert_eq!(why(&outcome), "the machine was started anew while the command ran");
    let case = gated();
    orphan(&case).await;
    kill_supervisor(&case);
    let task = case.attempt.folder.join("task");
    let mut json: serde_json::Value = serde_json::from_slice(&fs::read(&task).unwrap()).unwrap();
    json["boot"] = "00000000-0000-4000-8000-000000000000".into();
    fs::write(&task, json.to_string()).unwrap();
    let outcome = recover(&case, true).await;
    assert!(why(&outcome).starts_with("the machine was started anew while the command ran"), "{outcome:?}");
    assert_eq!(find(case.attempt.run, case.attempt.token), []);
}

/// The worst that a lost file may do is to leave a step in doubt.
#[tokio::test]
async fn no_single_file_that_is_lost_makes_a_command_begin_twice() {
    for file in ["task", "begun", "exit", "script", "output", "stop"] {
        let case = gated();
        orphan(&case).await;
        kill_supervisor(&case);
        remove(&case.attempt.folder.join(file));
        let outcome = recover(&case, true).await;
        assert!(matches!(outcome, Outcome::Unknown { .. }), "without {file}: {outcome:?}");
        assert_eq!(notes(&case), "begin\n", "without {file}");
    }
    let case = gated();
    orphan(&case).await;
    kill_supervisor(&case);
    fs::remove_dir_all(&case.attempt.folder).unwrap();
    let outcome = recover(&case, true).await;
    assert!(matches!(outcome, Outcome::Unknown { .. }), "{outcome:?}");
    assert_eq!(notes(&case), "begin\n");
}

#[tokio::test]
async fn an_end_that_is_damaged_or_of_a_newer_program_is_unknown() {
    for (bytes, says) in [(&b"LSEXIT\x01garbage"[..], "damaged"), (&b"LSEXIT\x09"[..], "a newer lockstep")] {
        let case = Case::shell("echo ran");
        fs::create_dir(&case.attempt.folder).unwrap();
        fs::write(case.attempt.folder.join("exit"), bytes).unwrap();
        let outcome = recover(&case, true).await;
        assert!(why(&outcome).contains(says), "{outcome:?}");
    }
}

#[tokio::test]
async fn what_left_the_group_for_a_session_of_its_own_ends_too() {
    let script = "setsid sh -c 'trap \"\" TERM; setsid sh -c \"trap : TERM; while :; do sleep 0.05; done\" & echo $$; \
                  echo ready; while :; do sleep 0.05; done' &\nsleep 1000";
    let mut case = Case::shell(script);
    case.attempt.grace = Millis(200);
    orphan(&case).await;
    assert!(find(case.attempt.run, case.attempt.token).len() >= 3);
    let (stopper, stop) = Stopper::new();
    stopper.stop();
    let of = Recovered { attempt: &case.attempt, this_boot: true };
    let outcome = action("shell").recover(of, stop, case.progress()).await;
    assert!(matches!(&outcome, Outcome::Failed { error, .. } if error.message == "killed by SIGTERM"), "{outcome:?}");
    assert_eq!(find(case.attempt.run, case.attempt.token), []);
}

#[tokio::test]
async fn what_runs_on_in_the_background_is_left_alone_at_a_normal_end() {
    let case = Case::shell("sleep 1000 > /dev/null 2>&1 &\necho $!");
    let outputs = case.outputs().await;
    let Value::Int(pid) = outputs["json"] else { panic!("a number: {outputs:?}") };
    let left = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    assert_eq!(find(case.attempt.run, case.attempt.token), [left]);
    kill_process(left, Signal::KILL).unwrap();
}

#[tokio::test]
async fn nothing_secret_lies_in_the_folder() {
    let case = gated();
    let token = case.secret("token", "correct horse battery");
    let case = case.env("TOKEN", crate::support::secret(token.clone())).input("stdin", crate::support::secret(token));
    orphan(&case).await;
    for entry in fs::read_dir(&case.attempt.folder).unwrap().flatten() {
        if entry.file_type().unwrap().is_file() {
            let text = String::from_utf8_lossy(&fs::read(entry.path()).unwrap()).into_owned();
            assert!(!text.contains("horse"), "{}: {text}", entry.path().display());
        }
    }
    let environment = fs::read(format!("/proc/{}/environ", supervisor(&case).as_raw_nonzero())).unwrap();
    assert!(!String::from_utf8_lossy(&environment).contains("horse"));
    let_go(&case);
    assert!(matches!(recover(&case, true).await, Outcome::Succeeded { .. }));
}

#[tokio::test]
async fn a_supervisor_leaves_when_its_folder_is_gone() {
    let case = Case::shell("true");
    case.outputs().await;
    let locked = fs::File::open(case.attempt.folder.join("task")).unwrap();
    fs::remove_dir_all(&case.attempt.folder).unwrap();
    supervisor_has_left(locked).await;
}

fn remove(path: &Path) {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => panic!("{}: {error}", path.display()),
        _ => {}
    }
}
