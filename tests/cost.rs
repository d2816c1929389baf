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

/// Runs as many steps in sequence and counts what is synced.
fn syncs(steps: usize) -> Syncs {
    let runbook = format!("steps:\n{}", "  - exec: ['true']\n".repeat(steps));
    let case = Case::new().runbook(&runbook);
    let trace = case.path("trace");
    let mut strace = Command::new("strace");
    let run = case.run_command(&[]);
    strace.args(["--follow-forks", "--decode-fds=path", "--trace=fsync,fdatasync", "--quiet=all", "--output"]);
    strace.arg(&trace).arg(run.get_program()).args(run.get_args());
    strace.current_dir(run.get_current_dir().expect("the case's folder")).env_clear();
    strace.envs(run.get_envs().filter_map(|(name, value)| Some((name, value?))));
    case.outcome(strace).exits(0);

    let trace = case.read("trace");
    let journal = format!("{}/journal", case.data().display());
    let state = format!("{}/state", case.data().display());
    let synced: Vec<&str> = trace.lines().filter(|line| line.contains("sync(")).collect();
    let is_segment = |line: &&&str| line.contains(".segment>") && !line.contains("/tmp-");
    let in_journal: Vec<_> = synced.iter().filter(|line| line.contains(&journal)).collect();
    let segments = in_journal.iter().filter(|line| is_segment(line)).count();
    Syncs {
        segments,
        preparation: in_journal.len() - segments,
        checkpoint: synced.iter().filter(|line| line.contains(&format!("{state}/db>"))).count(),
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
