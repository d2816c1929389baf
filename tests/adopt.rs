//! A command outlives the engine that started it, and is picked up again.
//!
//! The program is killed while a command runs, and resumed: the same process goes on, no line of it is lost or doubled,
//! and nothing begins a second time. What is left of a command whose supervisor is killed too ends before it is repeated.
//!
//! `LOCKSTEP_ROUNDS` sets the number of rounds, `LOCKSTEP_SEED` repeats a series; both are printed.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value as Json;

use crate::harness::{Case, Process, Random, Report, Series};

const ROUNDS: u32 = 50;
const STEPS: usize = 3;
const LINES: usize = 20;

#[test]
fn a_command_is_picked_up_wherever_the_engine_is_killed() {
    let series = Series::of(ROUNDS).wide();
    let mut report = Report::of("adopt", "adopt::a_command_is_picked_up", &series);
    let kills = series.play(|round, random| pick_up(&talkative(Case::new()), round, random));
    report.faults("kill -9 of the engine in mid-command", kills.iter().sum());
    report.outcomes("picked up, and succeeded", series.rounds.into()).runs(series.rounds.into(), 0);
}

/// One round: kills the engine in mid-command, and resumes. Gives the number of kills.
pub fn pick_up(case: &Case, round: &str, random: &mut Random) -> u64 {
    let mut run = case.start();
    let id = run.id();
    let mut kills = 0;
    for _ in 0..=random.below(2) {
        // In the middle of a command, at a line of it; a later kill may come too late for that.
        let line = format!("line {}", 1 + random.below(LINES as u64 - 2));
        let step = format!("s{}", random.below(STEPS as u64));
        let seen = run.event(&format!("{round}: a line"), |event| {
            (event["path"] == *step && event["line"] == *line) || event["type"] == "run"
        });
        if seen["type"] == "run" {
            break;
        }
        run.kill();
        kills += 1;
        assert_eq!(case.show(&id)["interrupted"], true, "{round}");
        run = Process::start(case.command(["resume", "--json"]));
    }
    run.outcome(case).succeeds();
    let witness = case.read("witness");
    for step in 0..STEPS {
        let of = |word: &str| -> Vec<&str> {
            let beginning = format!("{word} {step} ");
            witness.lines().filter_map(|line| line.strip_prefix(beginning.as_str())).collect()
        };
        assert_eq!(of("begin").len(), 1, "{round}: {witness}");
        assert_eq!(of("begin"), of("end"), "{round}: the process that began has ended: {witness}");
        let all: Vec<_> = (0..LINES).map(|line| format!("line {line}")).collect();
        let logged = case.lockstep(["logs", &id, &format!("s{step}")]);
        assert_eq!(logged.stdout.lines().collect::<Vec<_>>(), all, "{round}: step s{step}");
    }
    kills
}

/// Steps that print a line every moment, and note which process begins and ends.
pub fn talkative(case: Case) -> Case {
    let steps = (0..STEPS).map(|step| {
        format!(
            "  - id: s{step}
    shell: |
      echo \"begin {step} $$\" >> witness
      for i in $(seq 0 {}); do echo \"line $i\"; sleep 0.02; done
      echo \"end {step} $$\" >> witness
",
            LINES - 1
        )
    });
    case.runbook(&format!("steps:\n{}", steps.collect::<String>()))
}

#[test]
fn a_run_is_cancelled_whose_engine_was_killed() {
    let case = Case::new();
    let gate = case.gate("gate");
    let case = case.runbook(&format!(
        "steps:
  - {{ id: work, shell: \"setsid sh -c 'echo $$ > away; exec sleep 1000' & echo $$ > pid; {}\" }}
finally:
  - {{ id: tidy, shell: 'echo tidy >> done' }}
",
        gate.script()
    ));
    let mut run = case.start();
    let id = run.id();
    gate.arrival();
    run.kill();
    assert!(lives(&case.read("pid")), "the command outlives the engine");
    case.lockstep(["cancel", &id]).exits(0);
    assert_eq!(case.show(&id)["status"], "cancelled");
    assert_eq!(case.read("done"), "tidy\n");
    assert!(!lives(&case.read("pid")), "it was stopped");
    assert!(!lives(&case.read("away")), "what left the group was stopped too");
}

#[test]
fn a_step_whose_supervisor_is_killed_too_waits_in_doubt() {
    lose_supervisor(Case::new());
}

/// Kills the engine and the supervisor of a command that must not begin twice, and resumes.
pub fn lose_supervisor(case: Case) {
    let (case, id) = lost(case, "once");
    case.lockstep(["resume", &id, "--json"]).exits(3);
    let step = case.show(&id)["steps"][0].clone();
    assert_eq!(step["status"], "in_doubt");
    let reason = step["reason"].as_str().expect("a reason");
    assert!(reason.starts_with("the supervisor of the command was killed; "), "{reason}");
    assert!(!lives(&case.read("pid")), "what was left of it was ended");
    assert_eq!(case.read("witness"), "begin\n");
}

#[test]
fn a_repeated_command_never_overlaps_the_one_before() {
    let (case, id) = lost(Case::new(), "idempotent");
    case.lockstep(["resume", &id, "--json"]).succeeds();
    assert_eq!(case.read("witness"), "begin\nbegin\nend\n", "the first was gone when the second began");
}

/// A case in which the engine and the supervisor were killed, but not the command. It notes if another one of it lives
/// when it begins; only the second one ends by itself.
fn lost(case: Case, effect: &str) -> (Case, String) {
    let gate = case.gate("gate");
    let case = case.runbook(&format!(
        "steps:
  - id: work
    effect: {effect}
    shell: |
      if [ -e pid ]; then
        if [ -e \"/proc/$(cat pid)/exe\" ]; then echo overlap >> witness; fi
        echo begin >> witness
      else
        echo $$ > pid
        echo begin >> witness
        {}
      fi
      echo end >> witness
",
        gate.script()
    ));
    let mut run = case.start();
    let id = run.id();
    gate.arrival();
    run.kill();
    case.kill_supervisors();
    assert!(lives(&case.read("pid")), "nobody has ended the command");
    (case, id)
}

#[test]
fn files_of_a_run_that_were_torn_are_laid_out_anew() {
    tear_files(Case::new());
}

/// Tears the files of a run as a loss of power would, in mid-command, and resumes.
pub fn tear_files(case: Case) {
    let gate = case.gate("gate");
    let case = case.file("deploy.sh", "echo whole >> done\n").runbook(&format!(
        "steps:\n  - {{ id: work, shell: \"{}\" }}\n  - {{ id: deploy, shell: {{ file: ./deploy.sh }} }}\n",
        gate.script()
    ));
    let mut run = case.start();
    let id = run.id();
    gate.arrival();
    run.kill();
    let spool = fs::read_dir(case.data().join("spool")).expect("the spool").flatten();
    let mut laid_out = spool.map(|entry| entry.path().join("deploy.sh")).filter(|path| path.exists());
    let torn = laid_out.next().expect("the files of the run are laid out");
    fs::set_permissions(&torn, Permissions::from_mode(0o600)).expect("its rights can be changed");
    fs::write(&torn, "echo torn >> done\n").expect("it can be written");
    fs::set_permissions(&torn, Permissions::from_mode(0o400)).expect("its rights can be changed");
    let resume = Process::start(case.command(["resume", &id, "--json"]));
    gate.open();
    resume.outcome(&case).succeeds();
    assert_eq!(case.read("done"), "whole\n");
}

#[test]
fn after_another_boot_a_repeatable_command_is_repeated() {
    let (case, id) = lost(Case::new(), "idempotent");
    let spool = fs::read_dir(case.data().join("spool")).unwrap().next().expect("an attempt").unwrap().path();
    let task = spool.join("task");
    let mut json: Json = serde_json::from_slice(&fs::read(&task).unwrap()).unwrap();
    json["boot"] = "00000000-0000-4000-8000-000000000000".into();
    fs::write(&task, json.to_string()).unwrap();
    case.lockstep(["resume", &id, "--json"]).succeeds();
    assert_eq!(case.read("witness"), "begin\nbegin\nend\n");
}

#[test]
fn a_supervisor_that_is_asked_to_end_ends_its_command_and_says_how() {
    let case = Case::new();
    let gate = case.gate("gate");
    let case = case.runbook(&format!(
        "steps:\n  - id: work\n    shell: |\n      trap 'echo tidy >> done; exit 7' TERM\n      echo $$ > pid\n      {} &\n      \
         wait\n",
        gate.script()
    ));
    let mut run = case.start();
    let id = run.id();
    gate.arrival();
    run.kill();
    // As a machine does to all its processes when it is shut down.
    case.end_supervisors();
    case.lockstep(["resume", &id, "--json"]).exits(1);
    let step = case.show(&id)["steps"][0].clone();
    assert_eq!((&step["status"], &step["error"]["data"]["exit_code"]), (&"failed".into(), &7.into()), "{step:#}");
    assert_eq!(case.read("done"), "tidy\n", "it had its grace");
    assert!(!lives(&case.read("pid")));
}

#[test]
fn a_timeout_that_falls_due_while_no_engine_lives_is_kept_by_the_next() {
    let case = Case::new();
    let gate = case.gate("gate");
    let case = case.runbook(&format!(
        "steps:\n  - id: work\n    timeout: 1s\n    effect: once\n    shell: \"echo $$ > pid; {}\"\n",
        gate.script()
    ));
    let mut run = case.start();
    let id = run.id();
    gate.arrival();
    run.kill();
    // Time passes elsewhere.
    Case::new().runbook("steps: [{ wait: 2s }]\n").run().succeeds();
    assert!(lives(&case.read("pid")), "nobody was there to stop it");
    case.lockstep(["resume", &id, "--json"]).exits(1);
    let step = case.show(&id)["steps"][0].clone();
    assert_eq!((&step["status"], &step["error"]["kind"]), (&"failed".into(), &"timeout".into()), "{step:#}");
    assert!(!lives(&case.read("pid")), "it was stopped");
}

#[test]
fn the_program_may_be_replaced_while_a_command_runs() {
    let case = Case::new();
    let gate = case.gate("gate");
    let case = case.runbook(&format!(
        "steps:\n  - {{ id: one, shell: \"echo began >> done; {}\" }}\n  - {{ id: two, shell: 'echo two >> done' }}\n",
        gate.script()
    ));
    let (old, command) = by_copy(&case);
    let mut run = Process::start(command);
    let id = run.id();
    gate.arrival();
    fs::remove_file(&old).unwrap();
    fs::write(&old, "another program").unwrap();
    run.kill();
    let resume = Process::start(case.command(["resume", &id, "--json"]));
    gate.open();
    resume.outcome(&case).succeeds();
    assert_eq!(case.read("done"), "began\ntwo\n");
}

#[test]
fn an_engine_whose_file_was_replaced_starts_its_own_supervisors() {
    let case = Case::new();
    let gate = case.gate("gate");
    let case =
        case.runbook(&format!("steps:\n  - {{ shell: \"{}\" }}\n  - {{ shell: 'echo two >> done' }}\n", gate.script()));
    let (old, command) = by_copy(&case);
    let run = Process::start(command);
    gate.arrival();
    fs::remove_file(&old).unwrap();
    fs::write(&old, "another program").unwrap();
    gate.open();
    run.outcome(&case).succeeds();
    assert_eq!(case.read("done"), "two\n");
}

/// The command line of a run by a copy of the program, and where that lies.
///
/// Another process copies it: a program whose file is open for writing does not start, and what another test forks at
/// that moment would hold open what this process has open.
fn by_copy(case: &Case) -> (PathBuf, Command) {
    let copy = case.path("lockstep");
    let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_lockstep")).arg(&copy).status();
    assert!(copied.expect("`cp` can be run").success(), "the program cannot be copied");
    let model = case.run_command(&["--json"]);
    let mut command = Command::new(&copy);
    command.args(model.get_args()).current_dir(case.path("")).env_clear();
    command.envs(model.get_envs().filter_map(|(name, value)| Some((name, value?))));
    (copy, command)
}

/// A log leaves room for what matters more, and says what it does not hold.
#[test]
fn a_command_that_prints_more_than_the_disk_holds_ends_as_it_ended() {
    let case = Case::new().runbook("steps:\n  - { id: loud, shell: 'head -c 60000000 /dev/zero >&2; exit 3' }\n");
    fs::create_dir(case.data()).unwrap();
    let script = r#"
        mount -t tmpfs -o size=24m tmpfs "$LOCKSTEP_DATA"
        "$0" run runbook.yaml --json
        echo "run: $?"
        "$0" logs last loud 2>&1 | tail -c 200
        test "$(stat -f -c %a "$LOCKSTEP_DATA")" -gt 100; echo "room: $?"
    "#;
    let program = case.command(Vec::<String>::new());
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script]).arg(program.get_program());
    command.current_dir(case.path("")).env("LOCKSTEP_DATA", case.data()).env("HOME", case.path(""));
    let outcome = Process::start(command).outcome(&case);
    outcome.exits(0).prints("run: 1").prints("exit code 3").prints("room: 0");
}

#[test]
fn an_interrupt_on_the_terminal_is_not_for_the_command() {
    let case = Case::new();
    let gate = case.gate("gate");
    let case = case.runbook(&format!("steps:\n  - {{ id: one, shell: \"echo $$ > pid; {}\" }}\n", gate.script()));
    let mut run = case.start();
    let id = run.id();
    gate.arrival();
    // The terminal is closed: the program leaves, the command does not.
    run.signal(rustix::process::Signal::HUP);
    run.outcome(&case).exits(3);
    assert!(lives(&case.read("pid")));
    let resume = Process::start(case.command(["resume", &id, "--json"]));
    gate.open();
    resume.outcome(&case).succeeds();
}

/// Whether a process of this number lives.
fn lives(pid: &str) -> bool {
    let stat = fs::read_to_string(Path::new("/proc").join(pid.trim()).join("stat")).unwrap_or_default();
    assert!(!pid.trim().is_empty(), "the command has written its number");
    !stat.is_empty() && !stat.contains(") Z ")
}
