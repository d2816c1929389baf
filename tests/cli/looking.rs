//! `runs`, `show`, `logs`, `history`: what can be seen of runs, with a host and without.

use serde_json::{Value as Json, json};

use crate::harness::{Case, Process};

#[test]
fn show_as_json_has_the_promised_shape() {
    let case = Case::new().runbook(
        "params: { n: int, token: { type: secret, optional: true } }\nsteps:\n  - id: block\n    do:\n      - { id: ok, shell: 'echo $N', env: { N: '${{ params.n }}' } }\n      - { id: bad, shell: 'echo oops >&2; exit 7' }\n  - { id: never, shell: 'true' }\noutputs: { n: params.n }\n",
    );
    let case = case.param("n", "4").param("token", "env:TOKEN");
    let outcome = case.run();
    outcome.fails("failed");
    let view = case.show("last");
    let keys: Vec<_> = ["id", "runbook", "status", "params", "outputs", "error", "steps"].into();
    assert!(keys.iter().all(|key| view.get(key).is_some()), "{view:#}");
    assert_eq!(view["id"], outcome.id());
    assert_eq!(view["runbook"], "test");
    assert_eq!(view["status"], "failed");
    assert_eq!(view["params"], json!({ "n": 4, "token": "env:TOKEN" }));
    assert_eq!(view["error"]["step"], "block/bad");
    assert_eq!(view["error"]["data"]["exit_code"], 7);
    let paths: Vec<_> = view["steps"].as_array().unwrap().iter().map(|step| step["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["block", "block/ok", "block/bad", "never"]);
    for step in view["steps"].as_array().unwrap() {
        for key in ["path", "kind", "status", "attempts", "outputs", "error", "started", "ended"] {
            assert!(step.get(key).is_some(), "{key} of {step:#}");
        }
    }
    assert_eq!(view["steps"][1]["outputs"]["stdout"], "4");
    assert_eq!(view["steps"][2]["attempts"], 1);
    assert_eq!(view["steps"][3]["status"], "skipped");
}

#[test]
fn show_says_what_happened_and_what_to_do_next() {
    let case = Case::new().runbook("steps:\n  - { id: bad, shell: 'echo oops >&2; exit 7' }\n");
    let id = case.run().id();
    case.lockstep(["show", "last"])
        .exits(0)
        .prints(&format!("run {id} of test  failed"))
        .prints("step `bad`: ")
        .prints("    | oops")
        .prints(&format!("lockstep retry {id}"));
}

#[test]
fn runs_are_listed_newest_first_and_filtered() {
    let case = Case::new()
        .file("good.yaml", "runbook: good\nsteps: [{ shell: 'true' }]\n")
        .file("bad.yaml", "runbook: bad\nsteps: [{ shell: 'false' }]\n");
    for name in ["good.yaml", "bad.yaml", "good.yaml"] {
        case.lockstep(["run", name]);
    }
    let of = |arguments: &[&str]| {
        let mut all = vec!["runs", "--json"];
        all.extend(arguments);
        let outcome = case.lockstep(all);
        outcome.exits(0).events().iter().map(|run| run["runbook"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(of(&[]), ["good", "bad", "good"]);
    assert_eq!(of(&["--status", "failed"]), ["bad"]);
    assert_eq!(of(&["--runbook", "good", "--limit", "1"]), ["good"]);
    assert_eq!(of(&["--status", "interrupted"]), Vec::<String>::new());
    let first = &case.runs()[0];
    assert!(first["created"].as_str().is_some_and(|at| at.ends_with('Z')), "{first}");
    case.lockstep(["runs"]).exits(0).prints("RUN ").prints("failed");
    case.lockstep(["runs", "--status", "broken"]).exits(2).says("possible values");
}

#[test]
fn runs_are_named_by_any_unique_beginning_or_as_the_last() {
    let case = Case::new().runbook("steps: [{ shell: 'true' }]");
    let (first, second) = (case.run().id(), case.run().id());
    assert_eq!(case.show("last")["id"], *second);
    assert_eq!(case.show(&first.to_uppercase())["id"], *first);
    // The two began in the same hour.
    case.lockstep(["show", &first[..4]]).exits(2);
    case.lockstep(["show", "zzzzzzzzzzzz"]).exits(2);
    case.lockstep(["show", "../../etc/passwd"]).exits(2);
}

#[test]
fn where_nothing_was_stored_there_is_nothing_to_see() {
    let case = Case::new();
    case.lockstep(["runs"]).exits(0).prints("no runs yet");
    case.lockstep(["runs", "--json"]).exits(0).says_nothing();
    for verb in ["show", "logs", "history"] {
        case.lockstep([verb, "last"]).exits(2).says("there are no runs");
    }
    assert!(!case.data().exists(), "looking leaves nothing behind");
}

#[test]
fn logs_have_what_was_printed_byte_for_byte() {
    let case = Case::new().runbook(
        r#"steps:
  - { id: odd, shell: "printf 'a\\377b\\n'; printf 'no end'" }
  - { id: block, do: [{ id: both, shell: 'echo out; echo err >&2' }] }
"#,
    );
    case.run().succeeds();
    let mut command = case.command(["logs", "last", "odd"]);
    let bytes = command.output().unwrap().stdout;
    assert_eq!(bytes, b"a\xffb\nno end");
    case.lockstep(["logs", "last", "block"]).exits(0).prints("out\n").prints("err\n").does_not_print("|");
    case.lockstep(["logs", "last", "both"]).exits(0).prints("out\n").prints("err\n").does_not_print("|");
    case.lockstep(["logs", "last"])
        .exits(0)
        .prints("odd | no end\n")
        .prints("block/both | out\n")
        .prints("block/both | err\n");
    case.lockstep(["logs", "last", "nothing"]).exits(2).says("has no step `nothing`").says("`block/both`");
}

#[test]
fn logs_can_be_followed_to_the_end_of_the_run() {
    let case = Case::new();
    let gate = case.gate("gate");
    let case = case.runbook(&format!(
        "steps:\n  - {{ id: a, shell: \"echo before; {}; echo behind\" }}\n  - {{ id: b, shell: echo last }}\n",
        gate.script()
    ));
    let run = case.start();
    gate.arrival();
    let follow = Process::start(case.command(["logs", "last", "-f"]));
    gate.open();
    run.outcome(&case).succeeds();
    follow.outcome(&case).exits(0).prints("a | before\n").prints("a | behind\n").prints("b | last\n");
}

#[test]
fn what_is_shown_is_the_same_with_and_without_a_host() {
    let case = Case::new();
    let gate = case.gate("gate");
    let case = case
        .runbook("steps: [{ id: a, shell: 'echo hi' }]")
        .file("host.yaml", format!("runbook: host\nsteps: [{{ shell: \"{}\" }}]\n", gate.script()));
    let id = case.run().id();
    let looks = |case: &Case| -> Vec<String> {
        [vec!["show", &id, "--json"], vec!["logs", &id], vec!["history", &id, "--json"]]
            .into_iter()
            .map(|arguments| case.lockstep(arguments).exits(0).stdout.clone())
            .collect()
    };
    let without = looks(&case);
    let host = Process::start(case.command(["run", "host.yaml", "--json"]));
    gate.arrival();
    assert_eq!(looks(&case), without);
    gate.open();
    host.outcome(&case).succeeds();
}

#[test]
fn the_history_has_every_record_in_order() {
    let case = Case::new().runbook("steps: [{ id: a, shell: 'true' }]");
    case.run().succeeds();
    let rows = case.lockstep(["history", "last", "--json"]).exits(0).events();
    let lsns: Vec<_> = rows.iter().map(|row| row["lsn"].as_u64().unwrap()).collect();
    assert!(lsns.windows(2).all(|pair| pair[0] < pair[1]), "{lsns:?}");
    let what: Vec<_> = rows.iter().map(|row| row["what"].as_str().unwrap()).collect();
    assert_eq!(what.first(), Some(&"created"));
    assert_eq!(what.last(), Some(&"finished"));
    assert!(what.contains(&"starting") && what.contains(&"reported"));
    let created: &Json = &rows[0];
    assert!(created["detail"]["by"].as_str().is_some_and(|by| by.starts_with("user:")));
    case.lockstep(["history", "last"]).exits(0).prints("starting").prints("finished");
}
