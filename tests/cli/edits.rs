//! `retry --edited`: a failed run goes on under its corrected runbook.

use serde_json::{Value as Json, json};

use crate::harness::{Case, Process};

/// What a run does whose second step is this.
fn text(middle: &str) -> String {
    format!(
        "runbook: mended
params: {{ host: {{ type: string, default: web-1 }} }}
steps:
  - {{ id: first, shell: 'echo first >> done; echo one' }}
  - {{ id: middle, shell: \"{middle}\" }}
  - {{ id: last, shell: 'echo $WAS >> done', env: {{ WAS: '${{{{ steps.first.stdout }}}} last' }} }}
"
    )
}

/// A run that failed at its second step.
fn failed() -> (Case, String) {
    let case = Case::new().file("runbook.yaml", text("ecko middle >> done"));
    let id = case.run().fails("failed").id();
    (case, id)
}

fn history(case: &Case) -> Vec<Json> {
    let history = case.lockstep(["history", "last", "--json"]);
    history.exits(0);
    history.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn a_failed_run_goes_on_under_its_corrected_file() {
    let (case, id) = failed();
    case.lockstep(["retry", &id, "--edited"])
        .exits(2)
        .says("nothing in the runbook was changed")
        .says(&format!("help: `lockstep retry {id}` goes on with it as it is"));
    let case = case.file("runbook.yaml", text("echo middle >> done"));
    let outcome = case.lockstep(["retry", &id, "--edited", "--json"]);
    outcome.succeeds();
    assert_eq!(outcome.id(), id, "it is the same run");
    assert_eq!(case.read("done"), "first\nmiddle\none last\n");

    let view = case.show(&id);
    assert_eq!((&view["status"], &view["file"]), (&json!("succeeded"), &json!("runbook.yaml")));
    assert!(view["edits"][0]["by"].as_str().is_some_and(|by| by.starts_with("user:")), "{view:#}");
    case.lockstep(["show", &id]).exits(0).prints("  edited by user:").prints("middle");
    case.lockstep(["why", &id]).exits(0).prints("  edited by user:");
    case.lockstep(["logs", &id, "middle"]).exits(0).prints("ecko");
    let edited: Vec<Json> = history(&case).into_iter().filter(|row| row["what"] == "edited").collect();
    assert_eq!(edited.len(), 1);
    assert_eq!(edited[0]["detail"]["file"], "runbook.yaml");
    // It is no case of one text, and nothing is made up about it.
    for verb in [vec!["test", "record", &id, "runbook.yaml"], vec!["what-if", &id, "--with", "runbook.yaml"]] {
        case.lockstep(verb).exits(2).says("is of several texts").says("edited by user:");
    }
}

#[test]
fn what_is_kept_and_was_changed_is_named_and_nothing_is_done() {
    let (case, id) = failed();
    let changed = text("echo middle >> done").replace("echo first", "echo other");
    let case = case.file("changed.yaml", changed).file("broken.yaml", text("true").replace("shell:", "shel:"));
    let before = history(&case);
    case.lockstep(["retry", &id, "--edited", "changed.yaml"])
        .exits(2)
        .says(&format!("run {id} cannot go on under the corrected runbook"))
        .says("step `first` (succeeded) was changed: its `shell`")
        .says("help: leave those steps as they were");
    case.lockstep(["retry", &id, "--edited", "broken.yaml"])
        .exits(2)
        .says("did you mean `shell`?")
        .says("the run stays as it was");
    case.lockstep(["retry", &id, "--edited", "gone.yaml"]).exits(2).says("there is no such file");
    case.lockstep(["retry", &id, "-p", "host=web-2"]).exits(2).says("`-p` is for those that are new");
    let given = ["retry", &id, "--edited", "-p", "host=web-2"];
    case.lockstep(given).exits(2).says("parameter `host`");
    assert_eq!((case.read("done"), history(&case)), ("first\n".to_owned(), before));
}

#[test]
fn a_parameter_that_is_new_is_given() {
    let (case, id) = failed();
    let wants = text("echo middle >> done").replace("params: {", "params: { region: string,");
    let case = case.file("wants.yaml", wants);
    case.lockstep(["retry", &id, "--edited", "wants.yaml"]).exits(2).says("parameter `region` is required");
    case.lockstep(["retry", &id, "--edited", "wants.yaml", "-p", "region=eu"]).exits(0);
    assert_eq!(case.show(&id)["params"], json!({ "host": "web-1", "region": "eu" }));
}

#[test]
fn the_file_is_found_from_another_folder_and_copies_are_not_mixed_up() {
    let case = Case::new().file("a/job.yaml", text("false")).file("b/job.yaml", text("false"));
    let run = |file: &str| case.lockstep(["run", file, "--json"]).fails("failed").id();
    let (first, second) = (run("a/job.yaml"), run("b/job.yaml"));
    let case = case.file("b/job.yaml", text("echo b >> done"));
    let elsewhere = |id: &str| {
        let mut command = case.command(["retry", id, "--edited", "--json"]);
        command.current_dir("/");
        case.outcome(command)
    };
    elsewhere(&first).exits(2).says("nothing in the runbook was changed");
    elsewhere(&second).succeeds();
    assert_eq!(case.read("done"), "first\nfirst\nb\none last\n", "its commands run in its own folder");
}

#[test]
fn an_edited_run_that_is_cut_off_goes_on_under_the_corrected_text() {
    let (case, id) = failed();
    let gate = case.gate("gate");
    let case = case.file("runbook.yaml", text(&format!("{}; echo middle >> done", gate.script())));
    let retry = Process::start(case.command(["retry", &id, "--edited", "--json"]));
    gate.arrival();
    retry.kill();
    let view = case.show(&id);
    assert_eq!((&view["interrupted"], view["edits"].as_array().map(Vec::len)), (&json!(true), Some(1)), "{view:#}");
    case.lockstep(["why", &id]).exits(0).prints("  edited by user:").prints("cut off");
    gate.open();
    case.lockstep(["resume", &id, "--json"]).succeeds();
    assert_eq!(case.read("done"), "first\nmiddle\none last\n");
    // What it did before and behind the edit is told of the text that it had then.
    let rows = history(&case);
    let begun: Vec<&Json> = rows.iter().filter(|row| row["what"] == "starting").map(|row| &row["step"]).collect();
    assert_eq!(begun, ["first", "middle", "middle", "last"]);
    assert!(!rows.iter().any(|row| row["what"] == "quarantined"));
    case.lockstep(["doctor"]).exits(0);
}
