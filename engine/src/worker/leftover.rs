//! Ends what an attempt has left running when its engine died: before the attempt is repeated, nothing of it may live.
//!
//! A process belongs to an attempt when its environment names the run and the token. That finds children in groups and
//! sessions of their own too, but not processes that have dropped their environment, as `sudo` makes them do, nor those
//! of other users, whose environment the engine may not read.

use std::fs;
use std::time::Duration;

use rustix::process::{Pid, Signal};

use super::limits::GROUP_POLL;
use crate::id::{RunId, Token};

/// Asks all processes of the attempt to end by SIGTERM, kills what is left after `grace` by SIGKILL, and returns when
/// none is left. Says how many there were at first.
pub async fn end_leftovers(run: RunId, token: Token, grace: Duration) -> usize {
    let found = find(run, token);
    for process in &found {
        signal(*process, Signal::TERM);
        signal(*process, Signal::CONT);
    }
    let gone = async {
        while !find(run, token).is_empty() {
            tokio::time::sleep(GROUP_POLL).await;
        }
    };
    if tokio::time::timeout(grace, gone).await.is_err() {
        // Looked for again each time: a process may have been forked meanwhile.
        loop {
            let left = find(run, token);
            if left.is_empty() {
                break;
            }
            for process in left {
                signal(process, Signal::KILL);
            }
            tokio::time::sleep(GROUP_POLL).await;
        }
    }
    found.len()
}

/// The living processes of an attempt.
pub fn find(run: RunId, token: Token) -> Vec<Pid> {
    let marks = [format!("LOCKSTEP_RUN={run}"), format!("LOCKSTEP_TOKEN={}", token.0)];
    let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
    let belongs = |entry: fs::DirEntry| {
        let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
        // That of a zombie is empty.
        let environment = fs::read(entry.path().join("environ")).ok()?;
        let has = |mark: &String| environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes());
        marks.iter().all(has).then(|| Pid::from_raw(pid))?
    };
    processes.flatten().filter_map(belongs).collect()
}

fn signal(process: Pid, signal: Signal) {
    if let Err(error) = rustix::process::kill_process(process, signal)
        && error != rustix::io::Errno::SRCH
    {
        tracing::warn!(pid = %process.as_raw_nonzero(), ?signal, %error, "cannot signal a process that was left behind");
    }
}
