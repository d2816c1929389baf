//! Acts of people on a run: `pause`, `resume` after it, `skip`.

use serde_json::Value as Json;

use crate::harness::{Case, Gate, Process};

/// A run whose first step runs, and a step behind it.
fn gated() -> (Case, Gate) {
    let case = Case::new();
    let gate = case.gate("gate");
    let case = case.runbook(&format!(
        "steps:
  - {{ id: first, shell: \"echo first >> done; {}\" }}
  - {{ id: second, shell: 'echo second >> done' }}
",
        gate.script()
    ));
    (case, gate)
}

/// What was journaled of the last run under this name.
fn journaled(case: &Case, what: &str) -> Vec<Json> {
    let history = case.lockstep(["history", "last", "--json"]);
    history.exits(0);
    let rows = history.stdout.lines().map(|line| serde_json::from_str::<Json>(line).expect("JSON"));
    rows.filter(|row| row["what"] == what).collect()
}

#[test]
fn a_paused_run_ends_what_runs_and_goes_on_when_it_is_resumed() {
    let (case, gate) = gated();
    let mut run = case.start();
    let id = run.id();
    gate.arrival();
    let paused = case.lockstep(["pause", &id, "--reason", "the window is over"]);
    paused.exits(0).says(&format!("paused run {id}; `lockstep resume {id}"));
    case.lockstep(["show", &id]).exits(0).prints("paused by user:").prints("the window is over");
    case.lockstep(["runs", "--status", "paused"]).exits(0).prints(&id);
    let status = run.event("the pause", |event| event["type"] == "status" && event["status"] == "paused");
    assert!(status["reason"].as_str().is_some_and(|why| why.ends_with("the window is over")), "{status}");
    gate.open();
    let outcome = run.outcome(&case);
    outcome.exits(3);
    assert_eq!(outcome.run()["status"], "paused");
    assert_eq!(case.read("done"), "first\n");

    let view = case.show(&id);
    assert_eq!((&view["status"], &view["steps"][1]["reason"]), (&"paused".into(), &"held".into()));
    let why = case.lockstep(["why", &id, "--json"]);
    let why: Json = serde_json::from_str(&why.exits(0).stdout).expect("JSON");
    let wait = &why["waits"][0];
    assert_eq!((&wait["reason"], &wait["next"]), (&"paused".into(), &"`second` goes on".into()), "{why:#}");
    assert!(wait["unblock"][0]["command"].as_str().is_some_and(|it| it.contains(&format!("resume {id}"))), "{why:#}");

    // What was cut off is taken up, and what a person paused stays paused.
    case.lockstep(["resume"]).exits(3).prints("lockstep resume ");
    assert_eq!(case.read("done"), "first\n");
    case.lockstep(["resume", &id, "--json"]).succeeds();
    assert_eq!(case.read("done"), "first\nsecond\n");
    assert_eq!(journaled(&case, "paused")[0]["detail"]["reason"], "the window is over");
    let resumed = journaled(&case, "resumed");
    assert!(resumed[0]["detail"]["by"].as_str().is_some_and(|by| by.starts_with("user:")), "{resumed:?}");
}

#[test]
fn a_run_that_was_cut_off_is_paused_and_attended() {
    let (case, gate) = gated();
    let mut run = case.start();
    let id = run.id();
    gate.arrival();
    run.kill();
    let pause = Process::start(case.command(["pause", &id]));
    gate.open();
    pause.outcome(&case).exits(0).prints("first succeeded");
    assert_eq!(case.show(&id)["status"], "paused");
    // A cancel ends the pause.
    case.lockstep(["cancel", &id]).exits(0);
    assert_eq!(case.show(&id)["status"], "cancelled");
}

#[test]
fn on_a_terminal_a_paused_run_is_waited_for() {
    let (case, gate) = gated();
    let mut terminal = case.terminal(100, 24);
    gate.arrival();
    case.lockstep(["pause", "last"]).exits(0);
    terminal.shows("what runs ends, nothing new begins");
    gate.open();
    terminal.shows("✓");
    case.lockstep(["resume", "last"]).exits(0);
    assert_eq!(terminal.exits(), 0);
    assert_eq!(case.read("done"), "first\nsecond\n");
}

#[test]
fn a_step_of_a_later_handler_is_skipped_before_its_block_has_begun() {
    let case = Case::new().runbook(
        "steps:
  - { id: told, await: { signal: go } }
  - id: fails
    shell: exit 1
    catch:
      - { when: error.kind == \"timeout\", steps: [{ id: late, shell: echo late >> done }] }
      - { steps: [{ id: tell, shell: echo told >> done }, { id: mend, shell: echo mended >> done }] }
",
    );
    let id = case.run().exits(3).id();
    case.lockstep(["skip", &id, "fails/catch/nobody", "--reason", "x"]).exits(2).says("has no step");
    case.lockstep(["skip", &id, "fails/catch/tell", "--reason", "told by phone"]).exits(3);
    let outcome = case.lockstep(["signal", &id, "go", "--json"]);
    outcome.exits(0).step("fails/catch/tell", "skipped").step("fails/catch/mend", "succeeded");
    assert_eq!(case.read("done"), "mended\n");
}

#[test]
fn a_step_is_skipped_for_a_reason_that_everybody_sees() {
    let case = Case::new().runbook(
        "steps:
  - { id: told, await: { signal: go } }
  - { id: tell, shell: 'echo told >> done; exit 1' }
  - { id: last, shell: 'echo ${S:-nothing} >> done', env: { S: '${{ steps.told.status }} ${{ steps.tell.status }}' } }
",
    );
    let id = case.run().exits(3).id();
    case.lockstep(["skip", &id, "told"]).exits(2).says("--reason");
    case.lockstep(["skip", &id, "told", "--reason", " "]).exits(2).says("skipped for a reason");
    let outcome = case.lockstep(["skip", &id, "told", "--reason", "told by phone", "--json"]);
    outcome.exits(1).step("told", "skipped").step("tell", "failed");
    let skip = &outcome.step_view("told")["skip"];
    assert_eq!(skip["reason"], "told by phone");
    assert!(skip["by"].as_str().is_some_and(|by| by.starts_with("user:")), "{skip}");
    // A run that failed goes on behind the step.
    case.lockstep(["skip", &id, "tell", "--reason", "a test"]).exits(0).prints("tell skipped: skipped by user:");
    assert_eq!(case.read("done"), "told\nskipped skipped\n");
    case.lockstep(["show", &id]).exits(0).prints("told by phone").prints("a test");
    let asked: Vec<_> = journaled(&case, "skip_asked").iter().map(|row| row["detail"]["path"].clone()).collect();
    assert_eq!(asked, ["told", "tell"]);
    assert_eq!(journaled(&case, "retried").len(), 1);
}

#[test]
fn what_cannot_be_is_refused_with_what_can() {
    let case = Case::new().runbook(
        "steps: [{ id: ok, approve: { message: Sure?, self: true }, timeout: 1h }, { id: roll, shell: 'true' }]",
    );
    let id = case.run().exits(3).id();
    case.lockstep(["skip", &id, "ok", "--reason", "x"])
        .exits(2)
        .says("step `ok` asks for an approval, which is not skipped")
        .says(&format!("help: `lockstep approve {id} ok` says yes"));
    case.lockstep(["skip", &id, "rol", "--reason", "x"])
        .exits(2)
        .says("has no step `rol`")
        .says("help: `lockstep show");
    case.lockstep(["pause", &id]).exits(0);
    case.lockstep(["pause", &id]).exits(2).says("is paused already, by user:").says(&format!("lockstep resume {id}"));
    case.lockstep(["approve", &id, "ok"]).exits(3);
    case.lockstep(["resume", &id]).exits(0);
    case.lockstep(["pause", &id]).exits(2).says("has ended, it succeeded").says("help: `lockstep show");
    case.lockstep(["skip", &id, "roll", "--reason", "x"]).exits(2).says("step `roll` has ended, it is succeeded");
    case.lockstep(["pause", "last", "--reason", &"x".repeat(20_000)]).exits(2).says("the reason has 20000 bytes");
}

/// Three steps that leave a trace, one in a block.
const THREE: &str = "steps:
  - { id: a, shell: 'echo a >> done' }
  - { id: o, do: [{ id: b, title: The second, shell: 'echo b >> done' }] }
  - { id: c, shell: 'echo c >> done' }
";

#[test]
fn each_step_is_confirmed_on_the_terminal() {
    let case = Case::new().runbook(THREE).argument("--step");
    let mut terminal = case.terminal(100, 24);
    terminal.shows("next is `a` (shell)");
    terminal.types(b"xy");
    terminal.shows("next is `o` (do)");
    terminal.types(b"y");
    terminal.shows("next is `o/b` (shell)  The second");
    assert_eq!(case.read("done"), "a\n");
    terminal.types(b"s");
    terminal.shows("next is `c` (shell)");
    terminal.types(b"a");
    assert_eq!(terminal.exits(), 0);
    assert_eq!(case.read("done"), "a\nc\n");
    let permitted: Vec<_> = journaled(&case, "permitted").iter().map(|row| row["step"].clone()).collect();
    assert_eq!(permitted, ["a", "o"]);
    assert!(journaled(&case, "permitted")[0]["detail"]["by"].as_str().is_some_and(|by| by.starts_with("user:")));
}

#[test]
fn a_confirmed_run_is_cancelled_by_a_key_or_left_to_be_resumed() {
    let case = Case::new().runbook(&format!("{THREE}finally: [{{ shell: 'echo tidy >> done' }}]\n")).argument("--step");
    let mut terminal = case.terminal(100, 24);
    terminal.shows("next is `a`");
    terminal.types(b"c");
    assert_eq!(terminal.exits(), 4);
    assert_eq!(case.read("done"), "tidy\n");
    let mut terminal = case.terminal(100, 24);
    terminal.shows("next is `a`");
    terminal.types(b"y");
    terminal.shows("next is `o`");
    drop(terminal);
    case.lockstep(["resume", "last"]).exits(0);
    assert_eq!(case.read("done"), "tidy\na\nb\nc\ntidy\n");
}

#[test]
fn a_run_begins_without_what_is_left_out() {
    let case = Case::new().runbook(THREE).argument("--from").argument("o").argument("--skip").argument("c");
    let outcome = case.run();
    outcome.succeeds().step("a", "skipped").step("o/b", "succeeded").step("c", "skipped");
    assert_eq!(outcome.step_view("a")["skip"]["reason"], "`run --from o`");
    let run = |arguments: &[&str]| {
        let all = ["run", "runbook.yaml"].iter().chain(arguments).copied().collect::<Vec<_>>();
        case.lockstep(all)
    };
    run(&["--skip", "o/d"]).exits(2).says("has no step `o/d`").says("help: did you mean `o/b`?");
    run(&["--from", "o/b"]).exits(2).says("which stands in a block");
    run(&["--step"]).exits(2).says("`--step` asks at the terminal, and there is none");
    assert_eq!(case.runs().len(), 1, "what is refused leaves no run");
}
