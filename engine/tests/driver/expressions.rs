//! Expressions where they stand in a run: what they see, what they give, and what goes wrong with them.

use lockstep_dsl::value::{Map, Value};
use lockstep_engine::api::{RefusalKind, Reply};
use lockstep_engine::core::run::StepStatus;
use serde_json::json;

use crate::case::{Case, Does};

#[test]
fn outputs_flow_from_step_to_step_and_out_of_the_run() {
    let mut case = Case::of(
        "
runbook: flow
params:
  host: { type: string, default: web-1 }
env: { WHERE: '${{ params.host }}' }
steps:
  - id: read
    exec: [df, '${{ params.host }}']
    outputs: { percent: 'stdout.trim().parse_int()' }
  - id: twice
    script: steps.read.percent * 2
  - set: { doubled: '${{ steps.twice.value }}' }
  - assert: vars.doubled == 84
outputs: { used: steps.read.percent, doubled: vars.doubled, by: run.by }
",
    )
    .step("read", [Does::Prints(" 42 ")]);
    case.start();
    case.settle();
    let view = case.view();
    assert_eq!(view.status, "succeeded", "{view:#?}");
    assert_eq!(view.outputs["used"], json!(42));
    assert_eq!(view.outputs["doubled"], json!(84));
    assert_eq!(view.outputs["by"], json!("user:ana"));
    let input = &case.begun[0].input;
    assert_eq!(input["argv"], Value::List(vec!["df".into(), "web-1".into()]));
    assert_eq!(input["env"], Value::Map(Map::from([("WHERE".to_owned(), "web-1".into())])));
}

#[test]
fn a_step_that_did_not_run_reads_as_nothing() {
    let mut case = Case::of(
        "
runbook: skipped
steps:
  - id: maybe
    when: 1 > 2
    exec: [x]
  - id: block
    when: 1 > 2
    do:
      - id: inner
        exec: [x]
outputs:
  status: steps.maybe.status
  text: steps.maybe.stdout ?? \"none\"
  inner: steps.block.inner.stdout ?? \"none\"
  inner_status: steps.block.inner.status
  unknown: steps.maybe.whatever ?? \"none\"
",
    );
    case.start();
    case.settle();
    let view = case.view();
    assert_eq!(view.status, "succeeded", "{view:#?}");
    assert_eq!(view.outputs["status"], json!("skipped"));
    assert_eq!(view.outputs["text"], json!("none"));
    assert_eq!(view.outputs["inner"], json!("none"));
    assert_eq!(view.outputs["unknown"], json!("none"));
    assert!(case.begun.is_empty());
}

#[test]
fn a_handler_sees_the_error_and_a_retry_asks_about_it() {
    let mut case = Case::of(
        "
runbook: handled
steps:
  - id: a
    exec: [a]
    retry: { attempts: 5, delay: 1s, when: error.data.exit_code == 7 }
    catch:
      - when: error.data.exit_code == 9
        steps:
          - id: note
            script: '\"code \" + error.data.exit_code'
outputs: { note: steps.a.error.message }
",
    )
    .step("a", [Does::Exits(7), Does::Exits(9)]);
    case.start();
    case.settle();
    assert_eq!(case.story(), "a a: succeeded");
    assert_eq!(case.find("a/catch/note").outputs["value"], json!("code 9"));
    assert_eq!(case.view().outputs["note"], json!("exited with code 9"));
}

#[test]
fn until_repeats_until_its_condition_holds() {
    let mut case = Case::of(
        "
runbook: poll
steps:
  - id: poll
    exec: [poll]
    effect: pure
    until: stdout == \"ready\"
    every: 2s
",
    )
    .step("poll", [Does::Exits(1), Does::Prints("not yet"), Does::Prints("ready")]);
    case.start();
    case.settle();
    assert_eq!(case.begun.iter().map(|begun| begun.after).collect::<Vec<_>>(), [0, 2_000, 4_000]);
    assert_eq!(case.status(), "succeeded");
    let keys: Vec<&str> = case.begun.iter().map(|begun| begun.key.as_str()).collect();
    assert!(keys[0] != keys[1] && keys[1] != keys[2], "each round is a visit of its own: {keys:?}");
}

#[test]
fn an_expression_that_does_not_fit_fails_its_step_with_its_place() {
    let mut case = Case::of(
        "runbook: wrong
steps:
  - id: a
    exec: [echo, '${{ params.n > \"x\" }}']
params:
  n: { type: int, default: 1 }
",
    );
    case.start();
    case.settle();
    let error = case.find("a").error.expect("it failed");
    assert_eq!(error.kind, "invalid");
    assert!(error.message.starts_with("case.yaml:4:"), "{}", error.message);
    assert!(case.begun.is_empty());
}

#[test]
fn an_expression_without_end_does_not_hold_the_others_up() {
    let mut case = Case::of(
        "
runbook: endless
steps:
  - id: spin
    script: |
      let n = 0;
      while true { n += 1; }
      n
",
    );
    case.start();
    let error = case.find("spin").error.expect("it failed");
    assert_eq!(error.kind, "limit", "{error:?}");
    assert_eq!(case.evaluations, 1, "it was evaluated outside of the turn");
    assert_eq!(case.status(), "failed");
}

#[test]
fn what_takes_long_comes_to_its_value_outside_of_the_turn() {
    let mut case = Case::of(
        "
runbook: long
steps:
  - id: count
    script: |
      let n = 0;
      while n < 20000 { n += 1; }
      n
outputs: { n: steps.count.value }
",
    );
    case.start();
    case.settle();
    assert_eq!(case.view().outputs["n"], json!(20_000));
    assert_eq!(case.evaluations, 1);
}

#[test]
fn defaults_and_checks_of_parameters_are_evaluated_at_the_start() {
    let runbook = "
runbook: params
params:
  host: { type: string, default: web-1 }
  tag: { type: string, default: 'run-${{ params.host }}', check: value.len() < 12 }
steps:
  - exec: [x]
outputs: { tag: params.tag }
";
    let mut case = Case::of(runbook);
    case.start();
    case.settle();
    assert_eq!(case.view().outputs["tag"], json!("run-web-1"));
    let mut case = Case::of(runbook);
    let given = Map::from([("host".to_owned(), Value::from("a-rather-long-name"))]);
    let request = case.start_request_with(given);
    let Reply::Refused(refusal) = case.ask(request) else { panic!("it started") };
    assert_eq!(refusal.kind, RefusalKind::Invalid);
    assert!(refusal.message.contains("`tag`") && refusal.message.contains("value.len() < 12"), "{}", refusal.message);
}

#[test]
fn a_secret_reaches_the_environment_as_a_reference_only() {
    let mut case = Case::of(
        "
runbook: secretive
params:
  token: { type: secret }
steps:
  - exec: [x]
    env: { AUTH: 'Bearer ${{ params.token }}' }
",
    );
    let reference = lockstep_dsl::param::secret_reference("env:TOKEN").unwrap();
    let request = case.start_request_with(Map::from([("token".to_owned(), reference)]));
    assert!(matches!(case.ask(request), Reply::Started { .. }));
    let Value::Map(env) = &case.begun[0].input["env"] else { panic!("no environment") };
    assert!(matches!(&env["AUTH"], Value::Secret(text) if text.0.len() == 2), "{env:?}");
    assert_eq!(case.view().params["token"], json!("env:TOKEN"));
}

#[test]
fn finish_and_fail_end_a_run_as_they_say() {
    let mut case = Case::of(
        "
runbook: ends
params: { how: { type: string, default: finish } }
steps:
  - when: params.how == \"fail\"
    fail: { message: 'no ${{ params.how }}', kind: refused, data: { n: 1 } }
  - finish: { outputs: { well: 1 + 1 } }
  - exec: [never]
outputs: { well: 0 }
",
    );
    case.start();
    case.settle();
    let view = case.view();
    assert_eq!((view.status.as_str(), &view.outputs["well"]), ("succeeded", &json!(2)));
    assert!(case.begun.is_empty());
    let mut case = case.again();
    let request = case.start_request_with(Map::from([("how".to_owned(), "fail".into())]));
    case.ask(request);
    case.settle();
    let error = case.view().error.expect("it failed");
    assert_eq!((error.kind.as_str(), error.message.as_str(), &error.data), ("refused", "no fail", &json!({ "n": 1 })));
    assert_eq!(case.view().steps[1].status, StepStatus::Skipped);
}
