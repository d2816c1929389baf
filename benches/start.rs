//! What a run of one step costs beside what it cannot do without: starting the program, a supervisor of `true`, and the
//! syncs that make it durable.
//!
//! `cargo bench --bench start` prints medians of interleaved rounds, with the parts of that floor, and how many times
//! the floor a run takes. `strace` counts the syncs.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use lockstep_dsl::value::{Map, Millis, Value};
use lockstep_engine::id::{RunId, Token};
use lockstep_engine::worker::command::Exec;
use lockstep_engine::worker::launch::Launcher;
use lockstep_engine::worker::{Action, Attempt, Outcome, Stopper};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// Interleaved rounds; an odd number has a median.
const ROUNDS: usize = 101;
/// Runs that a folder with a history holds.
const HISTORY: usize = 1_000;

const RUNBOOK: &str = "runbook: bench/one-step\nsteps:\n  - exec: ['true']\n";

fn main() {
    let bench = Bench::new();
    let [used, old] = ["used", "old"].map(|name| bench.folder.path().join(name));
    bench.run(&used);
    for _ in 0..HISTORY {
        bench.run(&old);
    }
    let syncs_used = bench.syncs(&used);
    let syncs_new = bench.syncs(&bench.folder.path().join("counted"));

    let mut times: [Vec<Duration>; 6] = Default::default();
    for round in 0..ROUNDS {
        let new = bench.folder.path().join(format!("new-{round}"));
        let taken = [
            timed(Command::new(bench.program).arg("--version")),
            bench.supervisor(round),
            bench.sync(),
            bench.run(&used),
            bench.run(&old),
            bench.run(&new),
        ];
        times.iter_mut().zip(taken).for_each(|(times, time)| times.push(time));
    }

    let [version, supervisor, sync, used, old, new] = times.map(median);
    let floor = |syncs: u32| version + supervisor + sync * syncs;
    println!("medians of {ROUNDS} interleaved rounds");
    println!("  lockstep --version                   {}", milliseconds(version));
    println!("  a supervisor of `true`               {}", milliseconds(supervisor));
    println!("  append of 4 KiB and fdatasync        {}", milliseconds(sync));
    println!("  the floor: both, and {syncs_used} such syncs    {}", milliseconds(floor(syncs_used)));
    for (what, time, syncs) in [
        ("one step, a folder in use            ", used, syncs_used),
        ("one step, a folder of 1,000 runs     ", old, syncs_used),
        ("one step, a new folder               ", new, syncs_new),
    ] {
        let ratio = time.as_secs_f64() / floor(syncs).as_secs_f64();
        println!("  {what}{}   {ratio:.2} times its floor of {syncs} syncs", milliseconds(time));
    }
}

/// What all rounds share.
struct Bench {
    program: &'static str,
    /// On the disk of this checkout.
    folder: TempDir,
    runbook: PathBuf,
    exec: Exec,
    runtime: Runtime,
}

impl Bench {
    fn new() -> Self {
        let folder = TempDir::new_in(".").expect("a folder on the disk of this checkout");
        let runbook = folder.path().join("one-step.yaml");
        std::fs::write(&runbook, RUNBOOK).expect("a runbook");
        let program = env!("CARGO_BIN_EXE_lockstep");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        Self { program, folder, runbook, exec: Exec::new(Launcher::program(program)), runtime }
    }

    fn run(&self, data: &Path) -> Duration {
        timed(Command::new(self.program).args(["run", "--data"]).arg(data).arg(&self.runbook))
    }

    /// The syncs of a run.
    fn syncs(&self, data: &Path) -> u32 {
        let trace = self.folder.path().join("trace");
        let mut strace = Command::new("strace");
        strace.args(["--follow-forks", "--trace=fsync,fdatasync", "--quiet=all", "--output"]).arg(&trace);
        timed(strace.arg(self.program).args(["run", "--data"]).arg(data).arg(&self.runbook));
        let trace = std::fs::read_to_string(trace).expect("a trace");
        let count = trace.lines().filter(|line| line.contains("sync(")).count();
        count.try_into().expect("a few")
    }

    /// From the task of an attempt to its outcome, as the engine has it done: the program is started once more, it runs
    /// `true`, writes its log and its record of the end.
    fn supervisor(&self, round: usize) -> Duration {
        let attempt = Attempt {
            run: RunId::new(1_700_000_000_000, 0),
            runbook: "bench/one-step".to_owned(),
            step: "exec#1".to_owned(),
            action: "exec".to_owned(),
            input: Map::from([("argv".to_owned(), Value::List(vec![Value::from("true")]))]),
            taken: Vec::new(),
            secrets: Vec::new(),
            environment: None,
            key: "bench".to_owned(),
            token: Token(1),
            number: 1,
            once: true,
            grace: Millis(1_000),
            folder: self.folder.path().join(format!("spool-{round}")),
            log: self.folder.path().join(format!("logs-{round}/log")),
            files: None,
        };
        let (_stopper, stop) = Stopper::new();
        let began = Instant::now();
        let outcome = self.runtime.block_on(self.exec.run(&attempt, stop, Arc::new(|_| {})));
        let took = began.elapsed();
        assert!(matches!(outcome, Outcome::Succeeded { .. }), "{outcome:?}");
        // The acknowledgement, without which the supervisor would wait.
        std::fs::remove_dir_all(&attempt.folder).expect("the attempt's folder");
        took
    }

    /// How long the disk takes for an append and its `fdatasync`, in a file that has its size already.
    fn sync(&self) -> Duration {
        let path = self.folder.path().join("sync");
        let mut file = File::create(&path).expect("a file");
        file.write_all(&vec![0; 64 * 1024]).and_then(|()| file.sync_all()).expect("a file of zeros");
        let mut file = File::options().write(true).open(&path).expect("the file again");
        let began = Instant::now();
        file.write_all(&[1; 4096]).and_then(|()| file.sync_data()).expect("a durable write");
        began.elapsed()
    }
}

fn timed(command: &mut Command) -> Duration {
    let began = Instant::now();
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    let took = began.elapsed();
    assert!(status.is_ok_and(|status| status.success()), "{command:?} succeeds");
    took
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn milliseconds(time: Duration) -> String {
    format!("{:7.2} ms", time.as_secs_f64() * 1000.0)
}
