//! Looking at runs: names, lists, histories, and asking twice.

use lockstep_engine::api::{RefusalKind, Reply, Request};

use crate::case::{Case, Does};

const ONE: &str = "
runbook: one
steps:
  - id: a
    exec: [a]
    retry: { attempts: 2, delay: 1s, jitter: none }
";

#[test]
fn asking_twice_to_start_starts_once() {
    let mut case = Case::of(ONE);
    case.start();
    case.start();
    case.settle();
    case.pass(10_000);
    case.start();
    assert_eq!(case.path(), ["a"]);
}

#[test]
fn a_run_is_named_by_a_prefix_or_as_the_last() {
    let mut case = Case::of(ONE);
    let nothing = case.ask(Request::Show { run: "last".to_owned() });
    assert!(matches!(nothing, Reply::Refused(refusal) if refusal.kind == RefusalKind::Invalid));
    case.start();
    let id = case.view().id.to_string();
    for name in ["last", &id[..3], &id[..11].to_uppercase()] {
        let reply = case.ask(Request::Show { run: name.to_owned() });
        assert!(matches!(reply, Reply::Run(view) if view.id.to_string() == id), "{name}");
    }
    for name in ["zzzz", "", "no such", "0000000000000"] {
        let reply = case.ask(Request::Show { run: name.to_owned() });
        assert!(matches!(&reply, Reply::Refused(refusal) if refusal.kind == RefusalKind::Invalid), "{name}: {reply:?}");
    }
}

#[test]
fn a_history_tells_all_that_was_journaled() {
    let mut case = Case::of(ONE).step("a", [Does::Exits(1), Does::Prints("")]);
    case.start();
    case.settle();
    let history = |case: &mut Case| match case.ask(Request::History { run: "last".to_owned() }) {
        Reply::History(rows) => rows.into_iter().map(|row| (row.what, row.step)).collect::<Vec<_>>(),
        other => panic!("no history: {other:?}"),
    };
    let rows = history(&mut case);
    let whats: Vec<&str> = rows.iter().map(|(what, _)| what.as_str()).collect();
    assert_eq!((whats[0], whats[whats.len() - 1]), ("created", "finished"));
    assert_eq!(whats.iter().filter(|what| **what == "starting").count(), 2);
    assert!(whats.contains(&"delayed"), "{whats:?}");
    assert!(rows.contains(&("reported".to_owned(), Some("a".to_owned()))));
    // The same from the image and the journal as from memory.
    case.pass(10_000);
    assert_eq!(history(&mut case), rows);
}

#[test]
fn wrong_parameters_are_all_named_and_nothing_starts() {
    let mut case = Case::of(
        "
runbook: wants
params:
  host: { type: string, description: Where }
  count: { type: int, min: 1 }
steps:
  - exec: [x]
",
    );
    let given = lockstep_dsl::value::Map::from([
        ("count".to_owned(), lockstep_dsl::value::Value::Int(0)),
        ("other".to_owned(), lockstep_dsl::value::Value::Int(0)),
    ]);
    let request = case.start_request_with(given);
    let Reply::Refused(refusal) = case.ask(request) else { panic!("it started") };
    assert_eq!(refusal.kind, RefusalKind::Invalid);
    for name in ["`host`", "`count`", "`other`"] {
        assert!(refusal.message.contains(name), "{}", refusal.message);
    }
    assert_eq!((case.begun.len(), case.disk.appends()), (0, 0));
}

#[test]
fn what_came_last_before_a_retry_is_shown_beside_what_came_last_after_it() {
    let text = "runbook: again\nsteps:\n  - { id: a, exec: [a] }\nfinally:\n  - { id: tidy, exec: [tidy] }\n";
    let mut case = Case::of(text).step("a", [Does::Exits(1), Does::Prints("")]);
    case.start();
    case.settle();
    case.retry();
    case.settle();
    let paths: Vec<String> = case.view().steps.into_iter().map(|step| step.path).collect();
    assert_eq!(paths, ["a", "finally/tidy", "finally/tidy~2"]);
}
