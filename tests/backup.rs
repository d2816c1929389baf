//! Backups that are taken while runs go on, restored beside them, and asked what is in them.
//!
//! What was said before a backup was begun is in it, and nothing is in it that did not happen. In the restored folder an
//! attempt that was running then has an unknown outcome, its step begins again only where its effect allows it, and
//! under a token that the other folder never gives out; the other folder does not notice any of it.
//!
//! `LOCKSTEP_ROUNDS` sets the number of rounds, `LOCKSTEP_SEED` repeats a series; both are printed.

use std::fs;

use serde_json::Value as Json;

use crate::harness::{Case, Process, Random, Report, Series};

const ROUNDS: u32 = 4;
const STEPS: u64 = 40;
/// Runs that go on meanwhile.
const BESIDE: usize = 3;

#[test]
fn a_backup_under_load_holds_all_that_was_said_before_it() {
    let series = Series::of(ROUNDS);
    let mut report = Report::of("backup", "backup::a_backup_under_load", &series);
    let open: u64 = series.play(round).into_iter().sum();
    report.faults("backup under load", series.rounds.into()).outcomes("open runs restored", open);
    assert!(open > 0, "every backup was taken too late");
}

/// Takes a backup at a random moment. Gives the number of runs that were open in it.
fn round(name: &str, random: &mut Random) -> u64 {
    let steps = (0..STEPS).map(|step| format!("  - {{ shell: 'echo {step}; seq 1 500' }}\n"));
    let case = Case::new().runbook(&format!("steps:\n{}", steps.collect::<String>()));
    let mut runs: Vec<Process> = (0..BESIDE).map(|_| case.start()).collect();
    let ids: Vec<String> = runs.iter_mut().map(Process::id).collect();
    let mut told: Vec<(String, Json)> = Vec::new();
    for _ in 0..random.below(STEPS - 8) {
        let event =
            runs[0].event("a step that succeeded", |event| event["type"] == "step" && event["status"] == "succeeded");
        told.push((ids[0].clone(), event["path"].clone()));
    }
    let backup = case.path("backup");
    let taken = case.lockstep(["backup".as_ref(), backup.as_os_str(), "--json".as_ref()]);
    let label = taken.exits(0).says_nothing().events().remove(0);
    for run in runs {
        run.outcome(&case).succeeds();
    }

    let restored = Case::new();
    restored.lockstep(["restore".as_ref(), backup.as_os_str()]).exits(0).prints("restored");
    restored.lockstep(["doctor"]).exits(0).prints(": sound\n");
    for (id, path) in &told {
        let view = restored.show(id);
        let step = view["steps"].as_array().into_iter().flatten().find(|step| step["path"] == *path);
        assert_eq!(step.map(|step| &step["status"]), Some(&"succeeded".into()), "{name}: {path} of {id}\n{view:#}");
    }
    let mut open = 0;
    for row in restored.runs() {
        let id = row["id"].as_str().expect("a run has an id");
        let (original, copy) = (history(&case, id), history(&restored, id));
        // What the journal said then, and after it what the restoring did.
        let shared = copy.iter().take_while(|row| row["what"] != "restored").count();
        assert!(shared <= original.len(), "{name}: run {id} has more history than it had");
        assert_eq!(copy[..shared], original[..shared], "{name}: run {id} has another history than it had");
        let was_open = shared < copy.len();
        assert_eq!(was_open, row["ended"] == Json::Null || shared < original.len(), "{name}: {row}");
        open += u64::from(was_open);
    }
    assert_eq!(label["open"], open, "{name}: {label}");
    open
}

fn history(case: &Case, run: &str) -> Vec<Json> {
    case.lockstep(["history", run, "--json"]).exits(0).events()
}

#[test]
fn an_attempt_that_ran_then_is_not_believed_in_the_restored_folder() {
    let case = Case::new();
    let gate = case.gate("gate");
    let case = case.runbook(&format!(
        "steps:\n  - {{ id: pay, shell: \"echo paid >> witness; {}\" }}\n  - {{ id: book, shell: 'echo booked >> witness' }}\n",
        gate.script()
    ));
    let mut run = case.start();
    let id = run.id();
    gate.arrival();
    let backup = case.path("backup");
    case.lockstep(["backup".as_ref(), backup.as_os_str()]).exits(0).prints("of 1 runs (1 open)");

    let restored = Case::new();
    restored.lockstep(["restore".as_ref(), backup.as_os_str()]).exits(0).prints("1 runs were open");
    restored.lockstep(["resume", &id, "--json"]).exits(3);
    let step = restored.show(&id)["steps"][0].clone();
    assert_eq!(step["status"], "in_doubt", "{step:#}");
    assert!(step["reason"].as_str().is_some_and(|why| why.contains("restored from a backup")), "{step:#}");
    assert_eq!(case.read("witness"), "paid\n", "nothing began again");

    gate.open();
    run.outcome(&case).succeeds();
    assert_eq!(case.show(&id)["status"], "succeeded", "the folder goes on that the backup is of");
    assert_eq!(restored.show(&id)["steps"][0]["status"], "in_doubt", "its supervisor says nothing to the other");
    restored.lockstep(["resolve", &id, "pay", "done", "--json"]).exits(0);
    assert_eq!(case.read("witness"), "paid\nbooked\nbooked\n", "each folder has booked once");
    let tokens = |case: &Case| -> Vec<u64> {
        let rows = history(case, &id).into_iter().filter(|row| row["what"] == "starting");
        rows.filter_map(|row| row["detail"]["token"].as_u64()).collect()
    };
    let (old, new) = (tokens(&case), tokens(&restored));
    assert_eq!((old.len(), new.len(), old[0]), (2, 2, new[0]));
    assert!(new[1] > old[1], "the second attempt has a token of its own: {old:?}, {new:?}");
}

#[test]
fn only_a_whole_backup_is_restored_and_only_into_an_empty_folder() {
    let case = Case::new().runbook("steps: [{ id: a, shell: echo a }]\n");
    case.run().succeeds();
    let backup = case.path("backup");
    let (take, put) = (["backup", "backup"], ["restore", "backup"]);
    case.lockstep(take).exits(0);
    case.lockstep(take).exits(2).says("is not empty").says("name a folder that is empty");
    case.lockstep(put).exits(2).says("is not empty");
    // Nothing runs in a backup by mistake.
    case.lockstep(["runs", "--data", "backup"]).exits(5).says("FORMAT");
    let empty = Case::new();
    fs::create_dir(empty.data()).unwrap();
    empty.lockstep(["restore".as_ref(), backup.as_os_str()]).exits(0);
    assert_eq!(empty.runs(), case.runs());
    assert_eq!(empty.lockstep(["logs", "last"]).exits(0).stdout, case.lockstep(["logs", "last"]).exits(0).stdout);

    let segment = backup.join("journal/0000000001.segment");
    let whole = fs::read(&segment).unwrap();
    fs::write(&segment, &whole[..whole.len() / 2]).unwrap();
    let other = Case::new();
    other.lockstep(["restore".as_ref(), backup.as_os_str()]).exits(5).says("is damaged");
    assert!(!other.data().exists(), "nothing is left that looks like a folder");
    fs::write(&segment, &whole).unwrap();
    fs::remove_file(backup.join("BACKUP")).unwrap();
    other.lockstep(["restore".as_ref(), backup.as_os_str()]).exits(5).says("is no whole backup");
    other.lockstep(["backup", "nowhere"]).exits(2).says("there are no runs");
}
