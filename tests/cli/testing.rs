//! `lockstep test`: cases that hold, cases that do not, and files that are wrong.

use serde_json::Value as Json;

use crate::harness::Case;

const RUNBOOK: &str = "
runbook: storage/clean
params: { host: string, limit: { type: int, default: 80 } }
steps:
  - { id: before, exec: [df, '${{ params.host }}'], outputs: { percent: parse_int(stdout) } }
  - { id: fine, when: steps.before.percent < params.limit, finish: { outputs: { used: steps.before.percent } } }
  - { id: clean, shell: rm /tmp/x, retry: { attempts: 3, delay: 10m, jitter: none }, env: { HOST: '${{ params.host }}' } }
  - { id: tell, http: { method: POST, url: 'https://example.org/done', json: { host: '${{ params.host }}' } } }
  - { id: rest, wait: 3d }
  - { id: each, foreach: { in: '[1, 2, 3]', do: [{ id: one, shell: 'true', outputs: { n: parse_int(stdout) } }] } }
outputs: { used: steps.before.percent, last: steps.each.results.map(|one| one.value.n) }
";

const HOLDS: &str = "
test: storage/clean
params: { host: web-1 }
mock:
  before: { stdout: '97' }
  clean: [{ exit_code: 1 }, { stdout: done, after: 5m }]
  tell: { code: 201, json: { ok: true } }
  'each[1]/one': { stdout: '20' }
  each/one: [{ stdout: '1' }, { stdout: '3' }]
cases:
  - name: cleans on the second try
    expect:
      status: succeeded
      path: [before, clean, tell, rest, 'each[0]/one', 'each[1]/one', 'each[2]/one']
      takes: 3d15m
      outputs: { used: 97, last: [1, 20, 3] }
      steps:
        before: { argv: [df, web-1] }
        clean: { attempts: 2, env: { HOST: web-1 }, script: rm /tmp/x }
        tell: { method: POST, request: { host: web-1 }, outputs: { code: 201 } }
  - name: does nothing below the limit
    mock: { before: { stdout: '12' } }
    expect: { status: succeeded, path: [before, fine], outputs: { used: 12 } }
";

fn case(tests: &str) -> Case {
    Case::new().file("clean.yaml", RUNBOOK).file("clean.test.yaml", tests)
}

#[test]
fn no_place_for_runs_is_needed() {
    let case = case(HOLDS);
    let without_home = |arguments: &[&str]| {
        let mut command = case.command(arguments);
        command.env_remove("HOME").env_remove("LOCKSTEP_DATA");
        case.outcome(command)
    };
    without_home(&["test"]).exits(0);
    without_home(&["check", "clean.yaml"]).exits(0);
    let outcome = without_home(&["run", "clean.yaml", "-p", "host=web-1"]);
    outcome.exits(2);
    assert!(outcome.stderr.contains("there is no place for the data"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("name a folder with `--data DIR` or LOCKSTEP_DATA"), "{}", outcome.stderr);
    without_home(&["test", "record", "last", "clean.yaml"]).exits(2);
}

#[test]
fn cases_that_hold_are_listed_with_what_they_cover() {
    let case = case(HOLDS);
    for path in ["clean.yaml", "clean.test.yaml", "."] {
        let outcome = case.lockstep(["test", path]);
        outcome.exits(0);
        for line in [
            "  ok   cleans on the second try  7 steps, 3d15m",
            "  ok   does nothing below the limit  2 steps, 0s",
            "  covered: 7 of 7 steps, 2 of 2 branches",
            "2 cases in 1 file, all hold",
        ] {
            outcome.prints(line);
        }
    }
    assert!(!case.data().exists(), "a test touches the data folder");
}

#[test]
fn what_differs_is_said_line_by_line() {
    let case = case(
        "
test: storage/clean
params: { host: web-1 }
mock: { before: { stdout: '97' }, clean: { exit_code: 1 } }
cases:
  - name: it is wrong about everything
    expect:
      status: succeeded
      path: [before, fine]
      outputs: { used: 41 }
      error: { kind: timeout, message: no such words }
      takes: { at_most: 1m }
      never: [clean]
      steps:
        before: { argv: [df, web-2], outputs: { percent: 96 }, status: skipped }
        clean: { attempts: 2, env: { HOST: web-2 }, handled: true }
        tell: { status: succeeded, begins: 1h }
        rest: succeeded
  - name: it lacks mocks
    mock: { clean: {} }
    expect: { status: succeeded }
  - name: it runs out of mocks
    mock: { clean: [{ exit_code: 1 }] }
    expect: { status: failed }
  - name: its parameters are wrong
    params: { limit: many }
    expect: { status: succeeded }
",
    );
    let outcome = case.lockstep(["test", "clean.yaml"]);
    outcome.exits(1);
    for line in [
        "  FAIL it is wrong about everything  clean.test.yaml:6",
        "status: expected succeeded, found failed: `clean` failed (exit code 1)",
        "path: step 2 should be `fine`, and is `clean`",
        "  expected [before, fine]",
        "  found    [before, clean]",
        "outputs.used: expected 41, found nothing",
        "error: expected timeout, found failed (exit code 1)",
        "error.message: expected a text with \"no such words\", found \"exit code 1\"",
        "takes: expected 0s to 1m, found 20m",
        "never: `clean` began after 0s",
        "steps.before: expected skipped, found succeeded",
        "steps.before.argv: expected [\"df\",\"web-2\"], found [\"df\",\"web-1\"]",
        "steps.before.outputs.percent: expected 96, found 97",
        "steps.clean.attempts: expected 2, found 3",
        "steps.clean.env.HOST: expected \"web-2\", found \"web-1\"",
        "steps.clean.handled: expected true, found false",
        "steps.tell: expected succeeded, found skipped (unreached)",
        "steps.tell.begins: it never began or never ended",
        "`tell` acts and has no mock; add `tell: { code: 200 }` under `mock`",
        "attempt 2 of `clean` has no mock; add another one to its list: `{ stdout: '' }`",
        "the run was refused: parameter `limit`",
        "not covered: step `fine` never runs",
        "not covered: step `fine`: its `when` never holds",
        "4 cases in 1 file, 4 failed",
    ] {
        outcome.prints(line);
    }
}

#[test]
fn people_act_and_steps_are_left_in_doubt() {
    let case = case(
        "
test: storage/clean
params: { host: web-1 }
mock:
  before: { stdout: '97' }
  clean: [{ error: { kind: lost, message: the host is gone }, after: 1m }, { after: 1m }]
  tell: { code: 200 }
  each/one: { stdout: '1' }
cases:
  - name: it waits for a person
    expect: { status: waiting, steps: { clean: in_doubt } }
  - name: a person says that it was done
    acts: [{ after: 2h, by: 'user:ben', done: clean }]
    expect: { status: succeeded, takes: { at_least: 3d2h }, steps: { tell: { begins: 2h } } }
  - name: a person has it run again
    acts: [{ after: 2h, rerun: clean }]
    expect: { status: succeeded, steps: { tell: { begins: 2h1m } } }
  - name: a person says that it has failed
    acts: [{ after: 2h, failed: clean }]
    expect: { status: failed, error: { step: clean } }
  - name: a person cancels it
    acts: [{ after: 30s, cancel: true }]
    expect: { status: cancelled, takes: 30s, never: [tell] }
",
    );
    case.lockstep(["test", "clean.yaml"]).exits(0);
}

#[test]
fn a_build_server_reads_junit_and_programs_read_json() {
    let case = case(&HOLDS.replace("used: 12", "used: 13"));
    let outcome = case.lockstep(["test", "--json", "--junit", "report.xml"]);
    outcome.exits(1);
    let lines: Vec<Json> = outcome.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let types: Vec<_> = lines.iter().map(|line| line["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["case", "case", "coverage", "test"]);
    assert_eq!(lines[1]["differences"][0], "outputs.used: expected 13, found 12");
    assert_eq!((&lines[3]["cases"], &lines[3]["failed"]), (&2.into(), &1.into()));
    let report = case.read("report.xml");
    assert!(report.contains("<testsuites name=\"lockstep test\" tests=\"2\" failures=\"1\">"), "{report}");
    assert!(report.contains("<failure message=\"outputs.used: expected 13, found 12\">"), "{report}");
}

#[test]
fn cases_are_picked_by_name_and_nothing_picked_is_a_mistake() {
    let case = case(HOLDS);
    let outcome = case.lockstep(["test", "--filter", "below"]);
    outcome.exits(0).prints("1 case in 1 file, all hold");
    assert!(!outcome.stdout.contains("covered"), "{}", outcome.stdout);
    case.lockstep(["test", "--filter", "no such case"]).exits(2);
}

#[test]
fn the_engine_is_killed_everywhere_and_nothing_comes_of_it() {
    let case = case(HOLDS);
    let outcome = case.lockstep(["test", "--crash-everywhere"]);
    outcome.exits(0).prints("2 cases in 1 file, all hold");
    let crashes =
        outcome.stdout.lines().find_map(|line| line.strip_suffix(" crashes")?.rsplit(' ').next()?.parse().ok());
    assert!(crashes.is_some_and(|crashes: usize| crashes > 40), "{}", outcome.stdout);
}

#[cfg(feature = "proof")]
#[test]
fn an_engine_that_repeats_what_must_run_once_is_found_by_a_crash() {
    let case = case(HOLDS).env("LOCKSTEP_PLANTED", "once-repeated");
    let outcome = case.lockstep(["test", "--crash-everywhere"]);
    outcome.exits(1).prints("must not run twice, and began again while its first outcome was unknown");
}

#[test]
fn a_run_becomes_a_case_that_holds_and_what_an_edit_changes_is_said() {
    let text = "
runbook: storage/real
params: { word: string, token: { type: secret, optional: true } }
steps:
  - { id: a, exec: [echo, '${{ params.word }}'] }
  - { id: b, shell: 'test $LOCKSTEP_ATTEMPT -gt 1', retry: { attempts: 2, delay: 1ms } }
  - { id: c, shell: 'echo {} >$LOCKSTEP_OUTPUT; echo $TOKEN', env: { TOKEN: '${{ params.token }}' } }
  - { id: d, exec: ['false'], on_error: continue }
outputs: { said: steps.a.stdout, token: steps.c.stdout }
"
    .to_owned();
    let case = Case::new()
        .file("real.yaml", &text)
        .file("edited.yaml", text.replace("steps.a.stdout", "steps.a.stdout + 1").replace("id: d,", "id: e,"))
        .env("TOKEN", "hunter22");
    case.lockstep(["run", "real.yaml", "-p", "word=it's: odd", "-p", "token=env:TOKEN"]).exits(0);
    let outcome = case.lockstep(["test", "record", "last", "real.yaml", "--name", "as it was"]);
    outcome.exits(0).prints("params: { token: env:TOKEN, word: \"it's: odd\" }").prints("path: [a, b, c, d]");
    assert!(!outcome.stdout.contains("hunter22"), "{}", outcome.stdout);
    std::fs::write(case.path("real.test.yaml"), &outcome.stdout).unwrap();
    case.lockstep(["test", "real.yaml", "--crash-everywhere"]).exits(0).prints("  ok   as it was");
    case.lockstep(["what-if", "last", "--with", "real.yaml"]).exits(0).prints("the same way to the same end");
    let outcome = case.lockstep(["what-if", "last", "--with", "edited.yaml"]);
    outcome.exits(1).prints("same   c").prints("was    d");
    outcome.prints("`e` did nothing in that run, so nothing is known of what it would do");
    case.lockstep(["test", "record", "nowhere", "real.yaml"]).exits(2);
}

#[test]
fn too_little_coverage_fails() {
    let first = HOLDS.split("  - name: does nothing").next().unwrap();
    let case = case(first);
    case.lockstep(["test", "--coverage-min", "75"]).exits(0).prints("not covered: step `fine` never runs");
    let outcome = case.lockstep(["test", "--coverage-min", "100"]);
    outcome.exits(1);
    assert!(
        outcome.stderr.contains("clean.test.yaml covers 77 % of `storage/clean`, at least 100 %"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn files_that_are_wrong_are_said_before_anything_is_played() {
    let case = case("test: storage/clean\ncases:\n  - { name: a, expect: { status: ok } }\n");
    case.lockstep(["test", "."]).exits(2).prints("error[LS0104]");
    let broken = Case::new()
        .file("a.yaml", "runbook: a\nsteps: [{ shel: x }]\n")
        .file("a.test.yaml", "test: a\ncases: [{ name: a, expect: { status: failed } }]\n");
    broken.lockstep(["test", "."]).exits(2).prints("error[LS0121]");
    let alone = Case::new().file("a.test.yaml", "test: a\ncases: [{ name: a, expect: { status: failed } }]\n");
    alone.lockstep(["test", "."]).exits(2);
    Case::new().lockstep(["test", "."]).exits(2);
    Case::new().file("a.yaml", "runbook: a\n").lockstep(["test", "a.yaml"]).exits(2);
}

const CALLS: &str = "runbook: calls
steps:
  - { id: room, call: { runbook: ./room.yaml, params: { least: 5 } } }
  - { id: after, exec: [echo, '${{ steps.room.free }}'] }
outputs: { free: steps.room.free }
";

const ROOM: &str = "runbook: room
params: { least: int }
steps:
  - { id: look, exec: [df], outputs: { free: parse_int(stdout) } }
  - { id: enough, assert: 'steps.look.free >= params.least' }
outputs: { free: steps.look.free }
";

const CALLS_HOLD: &str = "test: calls
mock: { after: {} }
cases:
  - name: there is room
    mock: { room/look: { stdout: '40', after: 2m } }
    expect: { status: succeeded, path: [room, after], outputs: { free: 40 }, takes: 2m, steps: { after: { argv: [echo, '40'] } } }
  - name: there is none
    mock: { room/look: { stdout: '3' } }
    expect: { status: failed, error: { kind: assertion, step: room }, never: [after] }
";

#[test]
fn steps_of_called_runs_are_mocked_behind_the_path_of_the_call() {
    let case = Case::new().file("calls.yaml", CALLS).file("room.yaml", ROOM).file("calls.test.yaml", CALLS_HOLD);
    case.lockstep(["test", "calls.yaml"]).exits(0).prints("2 cases in 1 file, all hold");
    case.lockstep(["test", "calls.yaml", "--crash-everywhere"]).exits(0);
    let case = case.file("calls.test.yaml", CALLS_HOLD.replace("room/look", "room/lok"));
    case.lockstep(["test", "calls.yaml"]).exits(2).prints("there is no step `room/lok`");
    let case = case.file("calls.test.yaml", CALLS_HOLD.replace("    mock: { room/look: { stdout: '3' } }\n", ""));
    case.lockstep(["test", "calls.yaml"]).prints("room/look");
}

#[test]
fn people_are_played_too() {
    let case = Case::new()
        .file(
            "gate.yaml",
            "
runbook: change/gate
steps:
  - { id: ok, approve: { message: Sure?, by: ['group:sre'], quorum: 2, escalate: { after: 1h, to: ['group:leads'] } }, timeout: 4h }
  - { id: which, ask: { message: Which?, fields: { host: string, count: { type: int, default: 2 } } }, timeout: 1h }
  - { id: told, await: { signal: go }, timeout: 1h }
  - id: act
    effect: once
    exec: [act, '${{ steps.which.host }}', '${{ steps.which.count }}', '${{ steps.told.payload }}']
    probe: { exec: [look], done: exit_code == 0 }
",
        )
        .file(
            "gate.test.yaml",
            "
test: change/gate
groups: { sre: [ana, ben], leads: [zoe] }
mock:
  ok: { approve: ['user:ana', 'user:ben'], after: 30m, comment: fine }
  which: { answer: { host: web-1 }, after: 5m, by: 'user:ana' }
  told: { payload: now, after: 1m }
  act: {}
cases:
  - name: all goes well
    expect:
      status: succeeded
      takes: 36m
      path: [ok, which, told, act]
      steps: { act: { argv: [act, web-1, '2', now] }, ok: { outputs: { by: 'user:ana, user:ben' } } }
  - name: a lead helps out, when it has escalated
    mock: { ok: { approve: 'user:ana' } }
    acts: [{ after: 61m, by: 'user:zoe', approve: ok }]
    expect: { status: succeeded, steps: { which: { begins: 61m } } }
  - name: nobody answers in time
    mock: { ok: { approve: ['user:ana', 'user:ben'], after: 5h } }
    expect: { status: failed, error: timeout, takes: 4h, never: [act] }
  - name: a stranger may not answer
    mock: { ok: { approve: ['user:ana', 'user:eve'] } }
    expect: { status: failed }
  - name: it is rejected
    mock: { ok: { reject: 'user:ben' } }
    expect: { status: failed, error: rejected, takes: 0s }
  - name: what is asked for is filled in by an act, in a run that was paused
    mock: { which: [], told: [] }
    acts:
      - { after: 1m, pause: true }
      - { after: 1h, resume: true }
      - { after: 61m, answer: which, fields: { host: web-2, count: 7 } }
      - { after: 2h, skip: told, reason: told by phone }
    expect: { status: failed, error: invalid, steps: { which: { begins: 1h }, told: { status: skipped, begins: 61m } } }
  - name: a probe finds out
    mock: { act: [{ error: lost }, {}], 'act/probe/exec#1': { exit_code: 1 } }
    expect: { status: succeeded, steps: { act: { attempts: 1 } } }
  - name: it is left paused
    acts: [{ after: 1m, pause: true }]
    expect: { status: paused, never: [which] }
",
        );
    let outcome = case.lockstep(["test", "gate.yaml"]);
    outcome.exits(1).prints("what a person asked for was refused: user:eve may not answer step `ok`");
    for name in ["all goes well", "a lead helps", "nobody answers", "it is rejected", "a probe finds", "it is left"] {
        outcome.prints(&format!("  ok   {name}"));
    }
    let crashed = case.lockstep(["test", "gate.yaml", "--crash-everywhere", "--filter", "goes well"]);
    crashed.exits(0).prints("crashes");
}

#[test]
fn watched_files_are_played_again_when_they_change() {
    let case = case(HOLDS);
    let mut watch = crate::harness::Process::start(case.command(["test", "clean.yaml", "--watch", "--json"]));
    let mut played = |failed: u64| {
        watch.event("all cases", |event| event["type"] == "test" && event["failed"] == failed);
    };
    played(0);
    std::fs::write(case.path("clean.yaml"), RUNBOOK.replace("default: 80", "default: 10")).expect("a file");
    played(1);
    // What cannot be read is said, and the next change is waited for.
    std::fs::write(case.path("clean.yaml"), "runbook: storage/clean\nsteps: [{ sell: x }]\n").expect("a file");
    watch.says("cannot be tested with");
    std::fs::write(case.path("clean.yaml"), RUNBOOK).expect("a file");
    watch.event("all cases", |event| event["type"] == "test" && event["failed"] == 0);
    watch.signal(rustix::process::Signal::INT);
}

#[test]
fn a_crash_that_leads_elsewhere_says_in_words_where() {
    // A host that starts anew takes a moment, and then a step is due of which the case says nothing.
    let case = Case::new().file(
        "a.yaml",
        "runbook: a
steps:
  - { id: first, shell: 'true', effect: pure }
  - { id: late, when: 'now() > time(\"2026-03-01T12:00:00Z\")', shell: 'true' }
",
    );
    let case = case.file(
        "a.test.yaml",
        "test: a\nmock: { first: {} }\ncases: [{ name: at once, expect: { status: succeeded, steps: { late: skipped } } }]\n",
    );
    case.lockstep(["test"]).exits(0);
    let crashed = case.lockstep(["test", "--crash-everywhere"]);
    crashed.exits(1).prints("the host is lost with durable write 1 of ");
    crashed.prints("`late` acts and has no mock; add `late: { stdout: '' }` under `mock`");
    crashed.does_not_print("Missing");
}

#[test]
fn a_case_may_end_before_its_run_does() {
    let case = Case::new().file(
        "a.yaml",
        "runbook: a
steps:
  - { id: ok, approve: { message: Go on? }, timeout: 1d }
  - { id: act, exec: ['true'] }
",
    );
    let case = case.file(
        "a.test.yaml",
        "test: a
mock: { act: { after: 10m } }
cases:
  - name: nobody has said anything after two hours
    until: 2h
    expect: { status: waiting, steps: { ok: waiting, act: pending } }
  - name: it acts
    until: 2h
    acts: [{ after: 1h55m, by: 'user:ana', approve: ok }]
    expect: { status: running, steps: { act: running } }
  - name: it has acted
    until: 2h5m
    acts: [{ after: 1h55m, by: 'user:ana', approve: ok }]
    expect: { status: succeeded }
",
    );
    case.lockstep(["test", "--crash-everywhere"]).exits(0).prints("3 cases in 1 file, all hold");
}

#[test]
fn what_certainly_had_no_effect_is_mocked_and_recorded_so() {
    let case = Case::new().file(
        "a.yaml",
        "runbook: a
steps:
  - { id: missing, exec: [no-such-program-anywhere], on_error: continue, undo: [{ shell: echo undone }] }
  - id: caught
    exec: ['false']
    catch: [{ when: error.kind == \"timeout\", steps: [shell: 'true'] }, { steps: [{ id: second, shell: 'true' }] }]
  - { fail: { message: no } }
",
    );
    case.lockstep(["run", "a.yaml"]).exits(1);
    let recorded = case.lockstep(["test", "record", "last", "a.yaml"]);
    recorded.exits(0).prints("untouched: true").prints("path: [missing, caught, caught/catch/second, fail#3]");
    std::fs::write(case.path("a.test.yaml"), &recorded.stdout).unwrap();
    case.lockstep(["test", "--crash-everywhere"]).exits(0);
    // The paths of a graph are none of a run: all handlers are `catch` there.
    std::fs::write(case.path("a.test.yaml"), recorded.stdout.replace("caught/catch/", "caught/catch#2/")).unwrap();
    case.lockstep(["test"]).exits(2).prints("did you mean `caught/catch/second`?");
}

const CALLS_MOCKED: &str = "test: calls
mock: { after: {} }
cases:
  - name: there is room
    mock: { room: { outputs: { free: 40 }, after: 2m } }
    expect:
      status: succeeded
      path: [room, after]
      outputs: { free: 40 }
      takes: 2m
      calls: { room: { times: 1, params: { least: 5 } } }
      steps: { room: { params: { least: 5 }, outputs: { free: 40 } }, after: { argv: [echo, '40'] } }
  - name: there is none
    mock: { room: { error: { kind: full, message: nothing is left } } }
    expect: { status: failed, error: { kind: full, message: nothing is left, step: room }, never: [after] }
  - name: nobody knows
    mock: { room: { error: lost } }
    expect: { status: waiting, never: [after] }
";

#[test]
fn a_whole_call_is_mocked_and_its_runbook_is_not_played() {
    let case = Case::new().file("calls.yaml", CALLS).file("room.yaml", ROOM).file("calls.test.yaml", CALLS_MOCKED);
    let outcome = case.lockstep(["test", "calls.yaml", "--coverage-min", "100"]);
    outcome.exits(0).prints("3 cases in 1 file, all hold").does_not_print("covered of");
    case.lockstep(["test", "calls.yaml", "--crash-everywhere"]).exits(0);
}

#[test]
fn what_is_wrong_about_calls_is_said() {
    let wrong = CALLS_MOCKED
        .replace("times: 1, params: { least: 5 }", "times: 2, params: { least: 6 }")
        .replace("room: { params: { least: 5 }", "room: { params: { least: 7 }")
        .replace("never: [after]", "never: [after], calls: { room: 0 }");
    let case = Case::new().file("calls.yaml", CALLS).file("room.yaml", ROOM).file("calls.test.yaml", wrong);
    let outcome = case.lockstep(["test"]);
    outcome.exits(1).prints("calls.room: expected 2 calls, found 1 call");
    outcome.prints("calls.room: expected 0 calls, found 1 call");
    outcome.prints("calls.room[0].params.least: expected 6, found 5");
    outcome.prints("steps.room.params.least: expected 7, found 5");
}

#[test]
fn a_call_that_is_made_more_often_than_it_is_mocked_is_named() {
    let again = CALLS.replace(
        "least: 5 } } }",
        "least: 5 } }, retry: { attempts: 3, delay: 1m, jitter: none }, effect: idempotent }",
    );
    let tests = "test: calls
mock: { after: {} }
cases:
  - name: the second time
    mock: { room: [{ error: failed }, { outputs: { free: 7 } }] }
    expect: { status: succeeded, takes: 1m, calls: { room: { params: [{ least: 5 }, { least: 5 }] } } }
  - name: once too often
    mock: { room: [{ error: failed }] }
    expect: { status: failed }
";
    let case = Case::new().file("calls.yaml", again).file("room.yaml", ROOM).file("calls.test.yaml", tests);
    let outcome = case.lockstep(["test"]);
    outcome.exits(1).prints("ok   the second time").prints("one more call by `room` has no mock");
}

#[test]
fn what_is_played_of_a_called_runbook_counts_in_the_coverage() {
    let room = ROOM.replace(
        "  - { id: enough",
        "  - { id: rare, when: steps.look.free < 1, fail: { message: none } }\n  - { id: enough",
    );
    let case = Case::new().file("calls.yaml", CALLS).file("room.yaml", &room).file("calls.test.yaml", CALLS_HOLD);
    let outcome = case.lockstep(["test", "--coverage-min", "100"]);
    outcome.exits(1).prints("covered: 2 of 2 steps").prints("covered of room.yaml: 2 of 3 steps, 1 of 2 branches");
    outcome.prints("not covered: step `rare` never runs").says("covers 60 % of `room`, at least 100 % are asked for");
    // With cases of its own it is one runbook of those that are tested, and all that reached it counts there.
    let own = "test: room
params: { least: 5 }
cases: [{ name: none, mock: { look: { stdout: '0' } }, expect: { status: failed } }]
";
    let case = case.file("room.test.yaml", own);
    let outcome = case.lockstep(["test", "--coverage-min", "100"]);
    outcome.exits(0).prints("covered: 3 of 3 steps, 2 of 2 branches").does_not_print("covered of");
}
