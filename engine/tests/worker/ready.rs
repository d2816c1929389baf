//! Supervisors that are started before they are needed.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lockstep_dsl::value::Value;
use lockstep_engine::worker::command::{Exec, Shell};
use lockstep_engine::worker::{Action, Outcome, Stopper};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};
use tokio::sync::Mutex;

use crate::support::{Case, launcher};

/// For what takes microseconds.
const DEADLINE: Duration = Duration::from_secs(10);

/// Held by each test: one that looks for what has become ready sees its own alone.
static ALONE: Mutex<()> = Mutex::const_new(());

/// The supervisors of this process that were told nothing when they were started.
fn untold() -> BTreeSet<i32> {
    let own = |entry: fs::DirEntry| {
        let line = fs::read(entry.path().join("cmdline")).ok()?;
        let status = fs::read_to_string(entry.path().join("status")).ok()?;
        let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim().parse::<u32>().ok()?;
        let is_own = line == b"lockstep\0__supervise\0" && parent == std::process::id();
        is_own.then(|| entry.file_name().to_str()?.parse().ok()).flatten()
    };
    fs::read_dir("/proc").expect("Linux").flatten().filter_map(own).collect()
}

/// Has a supervisor ready, and gives its process.
fn ready(action: &dyn Action) -> Pid {
    let before = untold();
    action.get_ready();
    action.get_ready();
    // A program that has just been started has no command line for a moment.
    let deadline = Instant::now() + DEADLINE;
    let new = loop {
        let new: Vec<i32> = untold().difference(&before).copied().collect();
        if !new.is_empty() || Instant::now() > deadline {
            break new;
        }
        std::thread::yield_now();
    };
    assert_eq!(new.len(), 1, "one is enough: {new:?}");
    Pid::from_raw(new[0]).expect("not 0")
}

/// Runs a command that says which process its supervisor is.
async fn supervisor_of(case: &Case, action: &impl Action) -> String {
    let (_stopper, stop) = Stopper::new();
    let outcome = action.run(&case.attempt, stop, case.progress()).await;
    let Outcome::Succeeded { outputs } = outcome else { panic!("{outcome:?}") };
    let Value::String(said) = &outputs["stdout"] else { panic!("{outputs:?}") };
    said.clone()
}

async fn await_end(pid: Pid) {
    // One that is not there any more has ended and was waited for.
    let Ok(process) = pidfd_open(pid, PidfdFlags::empty()) else { return };
    let ended = tokio::task::spawn_blocking(move || poll(&mut [PollFd::new(&process, PollFlags::IN)], None));
    ended.await.expect("no panic").expect("a process can be awaited");
}

#[tokio::test]
async fn a_command_runs_under_the_supervisor_that_is_ready_and_the_next_one_under_its_own() {
    let _alone = ALONE.lock().await;
    let shell = Shell::new(launcher());
    let ready = ready(&shell).to_string();
    let case = Case::shell("echo \"$PPID\"");
    assert_eq!(supervisor_of(&case, &shell).await, ready);
    let next = Case::shell("echo \"$PPID\"");
    assert_ne!(supervisor_of(&next, &shell).await, ready);
}

#[tokio::test]
async fn the_commands_of_one_launcher_share_the_supervisor_that_is_ready() {
    let _alone = ALONE.lock().await;
    let launcher = launcher();
    let ready = ready(&Exec::new(launcher.clone())).to_string();
    let case = Case::shell("echo \"$PPID\"");
    assert_eq!(supervisor_of(&case, &Shell::new(launcher)).await, ready);
}

#[tokio::test]
async fn a_supervisor_that_was_ready_and_is_gone_is_replaced() {
    let _alone = ALONE.lock().await;
    let shell = Shell::new(launcher());
    let ready = ready(&shell);
    kill_process(ready, Signal::KILL).expect("it lives");
    await_end(ready).await;
    let case = Case::shell("echo \"$PPID\"");
    assert_ne!(supervisor_of(&case, &shell).await, ready.to_string());
}

#[tokio::test]
async fn a_supervisor_that_nobody_needs_ends_with_its_engine() {
    let _alone = ALONE.lock().await;
    let shell: Arc<dyn Action> = Arc::new(Shell::new(launcher()));
    let ready = ready(shell.as_ref());
    drop(shell);
    await_end(ready).await;
}
