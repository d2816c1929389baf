//! A program that runs while the test looks at it.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value as Json;

use super::{Case, DEADLINE, Outcome};

/// A program that was started. It is killed with the test.
pub struct Process {
    child: Child,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
    seen: String,
    errors: String,
}

impl Process {
    /// Starts a command; what it prints is collected, whether the test reads it or not.
    pub fn start(mut command: Command) -> Self {
        let started = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = started.unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        let stdout = lines(child.stdout.take().expect("standard output is piped"));
        let stderr = lines(child.stderr.take().expect("standard error is piped"));
        Self { child, stdout, stderr, seen: String::new(), errors: String::new() }
    }

    /// Waits for an event of a run, and gives it.
    pub fn event(&mut self, what: &str, is_it: impl Fn(&Json) -> bool) -> Json {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(line) = self.stdout.recv_timeout(left) else {
                let errors: String = self.stderr.try_iter().collect();
                panic!("waited in vain for {what}; it printed:\n{}\nand on standard error:\n{errors}", self.seen);
            };
            self.seen.push_str(&line);
            let event: Json = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line:?}: {error}"));
            if is_it(&event) {
                return event;
            }
        }
    }

    /// Waits until the run has started, and gives its id.
    pub fn id(&mut self) -> String {
        let started = self.event("the run's start", |event| event["type"] == "started");
        started["id"].as_str().expect("a run has an id").to_owned()
    }

    /// Waits until standard error holds a text.
    pub fn says(&mut self, text: &str) {
        self.said(text);
    }

    /// Waits until a line on standard error holds a text, and gives the first that does.
    pub fn said(&mut self, text: &str) -> String {
        self.said_times(text, 1)
    }

    /// Waits until so many lines on standard error hold a text, and gives the last of them.
    pub fn said_times(&mut self, text: &str, times: usize) -> String {
        let deadline = Instant::now() + DEADLINE;
        loop {
            if let Some(line) = self.errors.lines().filter(|line| line.contains(text)).nth(times - 1) {
                return line.to_owned();
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(line) = self.stderr.recv_timeout(left) else {
                panic!("waited in vain for {text:?} on standard error; there was:\n{}", self.errors);
            };
            self.errors.push_str(&line);
        }
    }

    /// Its process id.
    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().try_into().expect("a process id")).expect("a process id is not 0")
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("the process is there to be signalled");
    }

    /// Kills it as a crash would, and waits until it is dead.
    pub fn kill(mut self) {
        self.child.kill().expect("the process is there to be killed");
        let status = self.exit();
        assert_eq!(status.signal(), Some(9), "it had ended before: {status}");
    }

    /// Waits for its end.
    pub fn outcome(mut self, case: &Case) -> Outcome<'_> {
        let status = self.exit();
        let mut rest: String = std::mem::take(&mut self.seen);
        rest.extend(self.stdout.iter());
        let mut errors = std::mem::take(&mut self.errors);
        errors.extend(self.stderr.iter());
        Outcome::new(case, status, rest, errors)
    }

    fn exit(&mut self) -> ExitStatus {
        let id = self.child.id();
        let (done, is_done) = mpsc::channel();
        // The thread waits on the process without reaping it, so that its id stays its own until then.
        thread::spawn(move || {
            let id = Pid::from_raw(id.try_into().unwrap_or(0));
            let options = rustix::process::WaitIdOptions::EXITED | rustix::process::WaitIdOptions::NOWAIT;
            let waited = id.map(|id| rustix::process::waitid(rustix::process::WaitId::Pid(id), options));
            done.send(waited.is_some_and(|waited| waited.is_ok()))
        });
        let ended = is_done.recv_timeout(DEADLINE);
        if ended.is_err() {
            let errors: String = self.stderr.try_iter().collect();
            let printed: String = self.stdout.try_iter().collect();
            panic!("it does not end; it printed:\n{}{printed}\nand on standard error:\n{errors}", self.seen);
        }
        self.child.wait().expect("the process has ended")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It has ended already if the test went well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Lines as they come, with their ends.
fn lines(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (send, receive) = mpsc::channel();
    thread::spawn(move || {
        let mut stream = BufReader::new(stream);
        loop {
            let mut line = Vec::new();
            match stream.read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => return,
                Ok(_) => {
                    if send.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                        return;
                    }
                }
            }
        }
    });
    receive
}
