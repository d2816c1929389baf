//! What running costs, in counts that no noise can touch.

use std::process::Command;

use crate::harness::Case;

/// Syncs that `strace` saw, by what was synced.
#[derive(Debug)]
struct Syncs {
    /// Of the journal's segments in use.
    segments: usize,
    /// Of the journal's other files: segments in preparation, `HEAD`, the folder.
    preparation: usize,
    /// Of the checkpoint.
    checkpoint: usize,
}

/// Runs the case's runbook; gives the system calls of these kinds.
fn traced_run(case: &Case, calls: &str) -> String {
    let mut strace = Command::new("strace");
    let run = case.run_command(&[]);
    strace.args(["--follow-forks", "--decode-fds=path", "--quiet=all", "--trace", calls, "--output"]);
    strace.arg(case.path("trace")).arg(run.get_program()).args(run.get_args());
    strace.current_dir(run.get_current_dir().expect("the case's folder")).env_clear();
    strace.envs(run.get_envs().filter_map(|(name, value)| Some((name, value?))));
    case.outcome(strace).exits(0);
    case.read("trace")
}

/// Runs as many steps in sequence and counts what is synced.
fn syncs(steps: usize) -> Syncs {
    let runbook = format!("steps:\n{}", "  - exec: ['true']\n".repeat(steps));
    let case = Case::new().runbook(&runbook);
    let trace = traced_run(&case, "fsync,fdatasync");
    let journal = format!("{}/journal", case.data().display());
    let state = format!("{}/state", case.data().display());
    let synced: Vec<&str> = trace.lines().filter(|line| line.contains("sync(")).collect();
    let is_segment = |line: &&&str| line.contains(".segment>") && !line.contains("/tmp-");
    let in_journal: Vec<_> = synced.iter().filter(|line| line.contains(&journal)).collect();
    let segments = in_journal.iter().filter(|line| is_segment(line)).count();
    Syncs {
        segments,
        preparation: in_journal.len() - segments,
        // sled syncs it as well, when it opens.
        checkpoint: synced
            .iter()
            .filter(|line| line.contains("fdatasync(") && line.contains(&format!("{state}/db>")))
            .count(),
    }
}

#[test]
fn a_sequential_step_costs_one_sync() {
    let (few, many) = (syncs(5), syncs(45));
    // A checkpoint, which a slow machine may reach while it runs, is a record of the journal too.
    let durable = |syncs: &Syncs| syncs.segments - syncs.checkpoint;
    assert_eq!(durable(&many) - durable(&few), 40, "{few:?} for 5 steps, {many:?} for 45");
    // The first of the n + 1 makes the first step's start durable, the last one the end of the run. What is left opens
    // the journal.
    assert_eq!(durable(&few) - 6, durable(&many) - 46);
    assert!(durable(&few) - 6 <= 2, "{few:?} for 5 steps");
    assert_eq!(few.preparation, many.preparation, "{few:?} for 5 steps, {many:?} for 45");
}

/// Files opened, syncs, and bytes read in the data folder by one run.
fn touched(case: &Case) -> (usize, usize, u64) {
    let trace = traced_run(case, "openat,fsync,fdatasync,read,pread64");
    let data = case.data().display().to_string();
    let lines: Vec<&str> = trace.lines().filter(|line| line.contains(&data)).collect();
    let count = |call: &str| lines.iter().filter(|line| line.contains(call)).count();
    let bytes = |line: &&str| line.rsplit_once("= ").and_then(|(_, bytes)| bytes.parse::<u64>().ok());
    let read = lines.iter().filter(|line| line.contains("read")).filter_map(bytes).sum();
    assert!(!trace.contains("/state/"), "the checkpoint is neither read nor written");
    (count("openat("), count("sync("), read)
}

#[test]
fn what_a_run_costs_does_not_grow_with_the_runs_before_it() {
    const RUNS: usize = 40;
    let case = Case::new().runbook("steps:\n  - exec: ['true']\n");
    for _ in 0..3 {
        case.outcome(case.run_command(&[])).exits(0);
    }
    let (opened, synced, read) = touched(&case);
    for _ in 0..RUNS {
        case.outcome(case.run_command(&[])).exits(0);
    }
    let later = touched(&case);
    assert!(later.0 <= opened && later.1 <= synced, "{later:?} after {RUNS} more runs, {:?} before", (opened, synced));
    // Ids of runs and numbers of records are of varying length.
    assert!(later.2 <= read + 200, "{} bytes are read after {RUNS} more runs, {read} before", later.2);
    assert_eq!(synced, 5, "HEAD at both ends, the start of the step, the end of the run, and that no run is open");
    assert_eq!(case.runs().len(), RUNS + 5);
}
