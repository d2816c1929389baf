//! A case: a folder with runbooks, a data folder, and the program run in it.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};
use serde_json::Value as Json;
use tempfile::TempDir;

use super::{DEADLINE, Gate, Outcome, Process, Terminal};

/// The file that [`Case::runbook`] writes.
const RUNBOOK: &str = "runbook.yaml";

/// A folder of its own, with everything that a test needs in it.
pub struct Case {
    folder: TempDir,
    data: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
}

impl Case {
    /// An empty folder, and a data folder that does not exist yet.
    pub fn new() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let data = folder.path().join("data");
        Self { folder, data, arguments: Vec::new(), environment: Vec::new() }
    }

    /// Writes the runbook that [`Case::run`] runs. Without a `runbook:` line it is called `test`.
    pub fn runbook(self, text: &str) -> Self {
        let is_named = text.lines().any(|line| line.starts_with("runbook:"));
        let text = if is_named { text.to_owned() } else { format!("runbook: test\n{text}") };
        self.file(RUNBOOK, text)
    }

    /// Writes a file beside it.
    pub fn file(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a file in the case's folder")).expect("folders in the case's folder");
        fs::write(path, content).expect("a file in the case's folder");
        self
    }

    /// Gives a parameter to every later run.
    pub fn param(self, name: &str, value: &str) -> Self {
        self.argument("-p").argument(&format!("{name}={value}"))
    }

    /// Gives an argument to every later run.
    pub fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// Sets a variable of the environment for everything that is run later.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Takes another data folder.
    pub fn data_folder(mut self, data: PathBuf) -> Self {
        self.data = data;
        self
    }

    /// A path in the case's folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The data folder.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// What a file in the case's folder holds; nothing if it is not there.
    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// A gate that steps and tests meet at.
    pub fn gate(&self, name: &str) -> Gate {
        Gate::new(&self.path(name))
    }

    /// Runs the runbook to its end.
    pub fn run(&self) -> Outcome<'_> {
        self.outcome(self.run_command(&["--json"]))
    }

    /// Starts running the runbook, its events as JSON.
    pub fn start(&self) -> Process {
        Process::start(self.run_command(&["--json"]))
    }

    /// Starts running the runbook on a terminal of this size.
    pub fn terminal(&self, columns: u16, rows: u16) -> Terminal {
        Terminal::start(&self.run_command(&[]), columns, rows)
    }

    /// Runs a verb to its end.
    pub fn lockstep<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(&self, arguments: I) -> Outcome<'_> {
        self.outcome(self.command(arguments))
    }

    /// Runs any command to its end.
    pub fn outcome(&self, command: Command) -> Outcome<'_> {
        Process::start(command).outcome(self)
    }

    /// The command line of a run, to be changed or started.
    pub fn run_command(&self, more: &[&str]) -> Command {
        let mut command = self.command(["run", RUNBOOK]);
        command.args(&self.arguments).args(more);
        command
    }

    /// The command line of a verb, to be changed or started.
    pub fn command<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(&self, arguments: I) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lockstep"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path())
            .env("LANG", "C.UTF-8")
            .env("LOCKSTEP_DATA", &self.data)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        command
    }

    /// Kills the supervisors of all commands of the case, but not the commands.
    #[track_caller]
    pub fn kill_supervisors(&self) {
        let killed = signal(self.supervisors(), Signal::KILL);
        assert!(killed > 0, "no supervisor lives");
    }

    /// Asks the supervisors of all commands of the case to end.
    #[track_caller]
    pub fn end_supervisors(&self) {
        let asked = signal(self.supervisors(), Signal::TERM);
        assert!(asked > 0, "no supervisor lives");
    }

    fn supervisors(&self) -> Vec<Pid> {
        let spool = self.data.join("spool");
        let mut supervisors = find_all("cmdline", |arguments| arguments.get(1) == Some(&&b"__supervise"[..]));
        // Its task is its standard input, whenever it was given it.
        let task = |pid: &Pid| std::fs::read_link(format!("/proc/{}/fd/0", pid.as_raw_nonzero()));
        supervisors.retain(|pid| task(pid).is_ok_and(|task| task.starts_with(&spool)));
        supervisors
    }

    /// Waits until no supervisor of the case lives any more.
    pub fn await_supervisors(&self) {
        let deadline = Instant::now() + DEADLINE;
        for pid in self.supervisors() {
            // One that cannot be opened is gone already.
            let Ok(handle) = pidfd_open(pid, PidfdFlags::empty()) else { continue };
            let left = deadline.saturating_duration_since(Instant::now());
            let left = Timespec::try_from(left).expect("a short time");
            let ended =
                poll(&mut [PollFd::new(&handle, PollFlags::IN)], Some(&left)).expect("a process can be awaited");
            assert!(ended > 0, "waited in vain for the end of a supervisor");
        }
    }

    /// The run as `show --json` shows it.
    pub fn show(&self, run: &str) -> Json {
        let outcome = self.lockstep(["show", run, "--json"]);
        outcome.exits(0);
        serde_json::from_str(&outcome.stdout).expect("`show --json` prints one object")
    }

    /// The runs as `runs --json` lists them, newest first.
    pub fn runs(&self) -> Vec<Json> {
        let outcome = self.lockstep(["runs", "--json", "--limit", "1000"]);
        outcome.exits(0);
        outcome.stdout.lines().map(|line| serde_json::from_str(line).expect("a run a line")).collect()
    }
}

impl Drop for Case {
    /// A command that waits for a test that is over would wait for ever.
    fn drop(&mut self) {
        let mut mark = b"LOCKSTEP_OUTPUT=".to_vec();
        mark.extend(self.data.as_os_str().as_encoded_bytes());
        signal(
            find_all("environ", |variables| variables.iter().any(|variable| variable.starts_with(&mark))),
            Signal::KILL,
        );
    }
}

/// All processes of which a file in `/proc` says so.
fn find_all(file: &str, is_meant: impl Fn(&[&[u8]]) -> bool) -> Vec<Pid> {
    let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
    let meant = processes.flatten().filter(|entry| {
        let text = fs::read(entry.path().join(file)).unwrap_or_default();
        is_meant(&text.split(|byte| *byte == 0).collect::<Vec<_>>())
    });
    meant.filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?)).collect()
}

/// Signals processes; gives the number of those that were there.
fn signal(pids: Vec<Pid>, signal: Signal) -> usize {
    pids.into_iter().filter(|pid| kill_process(*pid, signal).is_ok()).count()
}
