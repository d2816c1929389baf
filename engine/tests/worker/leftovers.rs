//! What a dead engine left running is found and ended before an attempt is repeated.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use lockstep_engine::id::{RunId, Token};
use lockstep_engine::worker::leftover::{end_leftovers, find};

fn start(script: &str, run: RunId, token: Token) -> std::process::Child {
    let mut child = Command::new("setsid")
        .args(["sh", "-c", script])
        .env("LOCKSTEP_RUN", run.to_string())
        .env("LOCKSTEP_TOKEN", token.0.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .expect("setsid and sh");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
    assert_eq!(line, "ready\n");
    child
}

#[tokio::test]
async fn all_processes_of_the_attempt_end_and_no_others() {
    let run = RunId::new(1_700_000_000_001, std::process::id());
    let deaf = "trap '' TERM; (while :; do sleep 0.05; done) & echo ready; while :; do sleep 0.05; done";
    let mut child = start(deaf, run, Token(7));
    let mut other = start("echo ready; exec sleep 1000", run, Token(70));
    assert!(find(run, Token(7)).len() >= 2);
    let ended = tokio::spawn(end_leftovers(run, Token(7), Duration::from_millis(100)));
    assert!(ended.await.unwrap() >= 2);
    assert_eq!(find(run, Token(7)), []);
    assert_eq!(find(run, Token(70)).len(), 1);
    assert_eq!(end_leftovers(run, Token(70), Duration::from_secs(10)).await, 1);
    child.wait().unwrap();
    other.wait().unwrap();
    assert_eq!(end_leftovers(run, Token(7), Duration::from_millis(100)).await, 0);
}
