//! `lockstep run`: parameters, output, exit codes.

use std::process::Stdio;

use serde_json::json;

use crate::harness::{Case, Process};

const PARAMS: &str = "\
params:
  host: { type: string, description: Host to clean, pattern: '[a-z0-9.-]+' }
  limit: { type: int, default: 85, min: 1, max: 99 }
  paths: { type: list, items: string, default: [/var/log] }
  note: { type: string, optional: true }
steps:
  - id: echo
    exec: [printf, '%s|', '${{ params.host }}', '${{ params.limit }}', '${{ params.paths }}', '${{ params.note ?? \"none\" }}']
outputs: { said: steps.echo.stdout }
";

#[test]
fn parameters_come_by_type_with_defaults_files_and_precedence() {
    let case = Case::new().runbook(PARAMS);
    let said = |arguments: &[&str], text: &str| {
        let outcome = case.outcome({
            let mut command = case.run_command(&["--json"]);
            command.args(arguments);
            command
        });
        outcome.succeeds().output("said", text);
    };
    said(&["-p", "host=web-1"], r#"web-1|85|["/var/log"]|none|"#);
    said(&["-p", "host=web-1", "-p", "limit=7", "-p", "paths=[a b, '$(c)']"], r#"web-1|7|["a b","$(c)"]|none|"#);

    let case = case.file("host.txt", "from-file\n").file("params.yaml", "host: from-params\nlimit: 9\n");
    let case = case.file("params.json", r#"{"host": "from-json", "note": "a=b"}"#);
    let said = |arguments: &[&str], text: &str| {
        let outcome = case.outcome({
            let mut command = case.run_command(&["--json"]);
            command.args(arguments);
            command
        });
        outcome.succeeds().output("said", text);
    };
    said(&["-p", "host=@host.txt"], r#"from-file|85|["/var/log"]|none|"#);
    said(&["--params", "params.yaml"], r#"from-params|9|["/var/log"]|none|"#);
    said(&["--params", "params.json", "-p", "host=own"], r#"own|85|["/var/log"]|a=b|"#);
    said(&["-p", "host=x", "-p", "note=@@home"], r#"x|85|["/var/log"]|@home|"#);
}

#[test]
fn all_that_is_wrong_with_parameters_is_said_at_once_and_nothing_runs() {
    let case = Case::new().runbook(PARAMS);
    let mut command = case.run_command(&["--json"]);
    command.args(["-p", "limit=many", "-p", "hots=web-1", "-p", "paths=7", "-p", "novalue"]);
    let outcome = case.outcome(command);
    outcome
        .exits(2)
        .says("parameter `host` is required (Host to clean)")
        .says("parameter `limit`")
        .says("did you mean `host`?")
        .says("parameter `paths`")
        .says("`-p novalue` names no value")
        .says("nothing was started");
    assert_eq!(outcome.stdout, "");
    assert_eq!(case.runs(), Vec::<serde_json::Value>::new());
}

#[test]
fn json_is_one_event_a_line_and_the_last_says_how_it_ended() {
    let case = Case::new().runbook("steps:\n  - { id: a, shell: echo hi }\noutputs: { text: steps.a.stdout }\n");
    let outcome = case.run();
    outcome.succeeds().says_nothing();
    let events = outcome.events();
    assert_eq!(events[0]["type"], "started");
    assert_eq!(events[0]["runbook"], "test");
    assert_eq!(events[0]["plan"][0]["path"], "a");
    assert!(
        events.iter().any(|event| event["type"] == "step" && event["path"] == "a" && event["status"] == "succeeded")
    );
    assert!(events.iter().any(|event| event["type"] == "output" && event["line"] == "hi"));
    let last = outcome.run();
    assert_eq!(
        last,
        json!({ "type": "run", "id": last["id"], "status": "succeeded", "outputs": { "text": "hi" }, "error": null })
    );
}

#[test]
fn a_failed_run_says_which_step_why_and_what_to_do_next() {
    let case = Case::new().runbook(
        "steps:\n  - do:\n      - { id: bad, shell: 'echo one >&2; echo two >&2; exit 3', retry: { attempts: 2, delay: 1ms, jitter: none } }\n    id: block\n  - { id: never, shell: 'true' }\n",
    );
    let mut command = case.run_command(&[]);
    command.arg("--color=never");
    let outcome = case.outcome(command);
    let id = case.runs()[0]["id"].as_str().unwrap().to_owned();
    outcome
        .exits(1)
        .prints("block/bad waiting: attempt 2 of 2")
        .prints("block/bad | two")
        .prints(&format!("run {id} failed"))
        .prints("step `block/bad`, attempt 2 of 2: ")
        .prints("    | one\n    | two\n")
        .prints(&format!("lockstep logs {id} block/bad "))
        .prints(&format!("lockstep retry {id} "))
        .does_not_print("\x1b");
}

#[test]
fn every_way_a_run_can_end_has_its_exit_code() {
    let run = |text: &str| Case::new().runbook(text);
    run("steps: [{ shell: 'true' }]").run().exits(0);
    run("steps: [{ shell: 'false' }]").run().fails("failed");
    run("steps: [{ assert: 'false' }]").run().fails("assertion");
    run("steps: [{ fail: { message: no, kind: mine } }]").run().fails("mine");
    run("steps: [{ shell: sleep 100, timeout: 10ms }]").run().fails("timeout");
    run("steps: [{ exec: [/no/such/program] }]").run().exits(1);
    run("steps: [{ shel: 'true' }]").run().exits(2).says("did you mean `shell`?").says("nothing was started");
    Case::new().lockstep(["run"]).exits(2);
    Case::new().lockstep(["no-such-verb"]).exits(2);
}

#[test]
fn files_that_are_no_runbooks_are_named_with_the_reason() {
    let case = Case::new().file("latin1.yaml", b"runbook: a\nsteps: [{ shell: 'echo \xe9' }]\n").file("folder/x", "");
    case.lockstep(["run", "missing.yaml"]).exits(2).says("cannot read `missing.yaml`: there is no such file");
    case.lockstep(["run", "folder"]).exits(2).says("cannot read `folder`: it is a folder");
    case.lockstep(["run", "latin1.yaml"]).exits(2).says("it is not UTF-8 text: line 2");
    case.lockstep(["run", "/dev/zero"]).exits(2).says("it has more than 1024 KiB");
    case.lockstep(["run", "x.yaml", "--params", "missing"]).exits(2);
    assert!(!case.data().exists(), "nothing was started");
}

#[test]
fn a_reader_that_goes_away_does_not_stop_the_run() {
    let case = Case::new();
    let gate = case.gate("gate");
    let case = case.runbook(&format!(
        "steps:\n  - {{ id: a, shell: \"{}\" }}\n  - {{ id: b, shell: echo done > done }}\n",
        gate.script()
    ));
    let mut command = case.run_command(&["--json"]);
    let (reader, writer) = std::io::pipe().unwrap();
    command.stdout(Stdio::from(writer)).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    drop(command);
    gate.arrival();
    drop(reader);
    gate.open();
    assert_eq!(child.wait().unwrap().code(), Some(0), "that nobody reads is no failure");
    assert_eq!(case.runs()[0]["status"], "succeeded");
}

#[test]
fn output_that_cannot_be_written_fails_the_command_and_not_the_run() {
    let case = Case::new().runbook("steps: [{ shell: 'true' }]");
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let mut command = case.run_command(&["--json"]);
    command.stdout(full).stderr(Stdio::piped());
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(5));
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot write to standard output"));
    assert_eq!(case.runs()[0]["status"], "succeeded");
}

#[test]
fn what_a_command_prints_cannot_drive_a_terminal() {
    let case = Case::new().runbook(r#"steps: [{ id: a, shell: "printf '\\033]0;evil\\007\\033[2Jred\\033[31m\\n'" }]"#);
    let outcome = case.outcome(case.run_command(&[]));
    outcome.succeeds().prints("a | red").does_not_print("\x1b").does_not_print("evil");
    // Bytes that go to a file are what they were.
    case.lockstep(["logs", "last", "a"]).exits(0).prints("\x1b[2Jred\x1b[31m\n");
}

#[test]
fn colours_are_asked_for_by_option_then_environment() {
    let colours = |case: Case, option: &str| {
        let case = case.runbook("steps: [{ shell: 'true' }]");
        let mut command = case.run_command(&[]);
        command.arg(option);
        case.outcome(command).succeeds().stdout.contains('\x1b')
    };
    assert!(!colours(Case::new(), "--color=auto"), "a pipe is no terminal");
    assert!(colours(Case::new(), "--color=always"));
    assert!(colours(Case::new().env("CLICOLOR_FORCE", "1"), "--color=auto"));
    assert!(!colours(Case::new().env("CLICOLOR_FORCE", "1").env("NO_COLOR", "1"), "--color=auto"));
    assert!(colours(Case::new().env("NO_COLOR", "1"), "--color=always"));
    assert!(!colours(Case::new().env("CLICOLOR_FORCE", "1"), "--color=never"));
}

#[test]
fn a_data_folder_is_found_by_option_environment_and_home() {
    let case = Case::new().runbook("steps: [{ shell: 'true' }]");
    let mut command = case.run_command(&["--data", "by-option"]);
    command.env("LOCKSTEP_DATA", case.path("by-environment"));
    case.outcome(command).exits(0);
    assert!(case.path("by-option").is_dir() && !case.path("by-environment").exists());

    let mut command = case.run_command(&[]);
    command.env_remove("LOCKSTEP_DATA").env("XDG_STATE_HOME", case.path("xdg"));
    case.outcome(command).exits(0);
    assert!(case.path("xdg/lockstep").is_dir());

    // A relative path there has no meaning, and an empty variable is none.
    let mut command = case.run_command(&[]);
    command.env("LOCKSTEP_DATA", "").env("XDG_STATE_HOME", "relative");
    case.outcome(command).exits(0);
    assert!(case.path(".local/state/lockstep").is_dir());

    let mut command = case.run_command(&[]);
    command.env_remove("LOCKSTEP_DATA").env_remove("HOME");
    case.outcome(command).exits(2).says("--data DIR");
}

#[test]
fn suggested_commands_name_the_data_folder_that_was_given() {
    let case = Case::new().runbook("steps: [{ shell: 'false' }]");
    let outcome = Process::start(case.run_command(&["--data", "other data"])).outcome(&case);
    outcome.exits(1).prints(" --data 'other data'");
}
