//! `retry --edited` on the whole: what is durable of it, and what is told of a run that had several definitions.

use lockstep_dsl::value::{Map, Value};
use lockstep_engine::api::{HistoryRow, RefusalKind, Reply, Request};
use lockstep_engine::core::run::Resolution;
use lockstep_engine::driver::{Caller, Input};
use lockstep_engine::id::Lsn;

use crate::case::{Case, Dies, Does};

const WRONG: &str = "
runbook: mended
params:
  host: { type: string, default: web-1 }
steps:
  - { id: a, exec: [a, '${{ params.host }}'] }
  - { id: b, exec: [wrong] }
  - { id: c, exec: [c] }
finally:
  - { id: tidy, exec: [tidy] }
outputs: { told: steps.c.stdout }
";

const RIGHT: &str = "
runbook: mended
params:
  host: { type: string, default: web-2 }
  extra: { type: int, default: 7 }
steps:
  - { id: a, exec: [a, '${{ params.host }}'] }
  - { id: look, exec: [look, '${{ params.host }}'] }
  - { id: b, exec: [right, '${{ params.extra }}'] }
  - { id: c, exec: [c] }
finally:
  - { id: tidy, exec: [tidy] }
outputs: { told: steps.c.stdout, extra: params.extra }
";

/// A run that has failed at `b`, which then ends well.
fn failed() -> Case {
    let mut case = Case::of(WRONG).step("b", [Does::Exits(1), Does::Prints("")]);
    case.start();
    case.settle();
    assert_eq!(case.story(), "a b finally/tidy: failed");
    case
}

fn history(case: &mut Case) -> Vec<HistoryRow> {
    match case.ask(Request::History { run: "last".to_owned() }) {
        Reply::History(rows) => rows,
        other => panic!("no history: {other:?}"),
    }
}

fn json(rows: &[HistoryRow]) -> String {
    serde_json::to_string(rows).expect("rows have a JSON form")
}

fn refusal(reply: Reply) -> String {
    match reply {
        Reply::Refused(refusal) => {
            assert_eq!(refusal.kind, RefusalKind::Invalid);
            refusal.message
        }
        other => panic!("it is not refused: {other:?}"),
    }
}

/// The paths of the attempts that were granted before the edit, and of those behind it, as a history tells them.
fn told(rows: &[HistoryRow]) -> (Vec<String>, Vec<String>) {
    let edited = rows.iter().position(|row| row.what == "edited").expect("it was edited");
    let granted = |rows: &[HistoryRow]| -> Vec<String> {
        rows.iter().filter(|row| row.what == "starting").filter_map(|row| row.step.clone()).collect()
    };
    (granted(&rows[..edited]), granted(&rows[edited..]))
}

#[test]
fn a_run_goes_on_under_the_corrected_text_with_the_parameters_that_it_has() {
    let mut case = failed();
    assert!(matches!(case.edit(RIGHT), Reply::Done));
    case.settle();
    assert_eq!(case.story(), "a b finally/tidy look b c finally/tidy~2: succeeded");
    let argv = |case: &Case, at: usize| case.begun[at].input["argv"].to_json().to_string();
    assert_eq!(argv(&case, 3), r#"["look","web-1"]"#, "a default that changed is not what the run was given");
    assert_eq!(argv(&case, 4), r#"["right",7]"#);
    let view = case.view();
    assert_eq!((view.outputs["extra"].as_i64(), view.params["host"].as_str()), (Some(7), Some("web-1")));
    let [edit] = view.edits.as_slice() else { panic!("{:?}", view.edits) };
    assert_eq!((edit.by.as_str(), view.file.as_deref()), ("user:ben", Some("corrected.yaml")));
    assert_ne!(edit.from, view.definition);
}

#[test]
fn what_a_run_did_under_each_of_its_definitions_is_told_also_when_it_is_not_in_memory() {
    let mut case = failed();
    case.edit(RIGHT);
    case.settle();
    let rows = history(&mut case);
    let (before, behind) = told(&rows);
    assert_eq!(before, ["a", "b", "finally/tidy"]);
    assert_eq!(behind, ["look", "b", "c", "finally/tidy~2"]);
    let view = case.view();
    // The same from the image and the journal, and from the journal alone.
    for lost in [false, true] {
        case.pass(10_000);
        if lost {
            case.crash();
            case.disk.lose_image();
            case.open();
        }
        assert_eq!(json(&history(&mut case)), json(&rows));
        assert_eq!(case.view().steps, view.steps);
        assert_eq!(case.view().edits, view.edits);
    }
}

#[test]
fn its_definitions_stay_as_long_as_its_records() {
    let mut case = failed();
    case.edit(RIGHT);
    case.end_one();
    // It is open, and nothing of it is let go of: both texts are carried along.
    case.driver().forget_before(Lsn(1)).unwrap();
    case.driver().make_base();
    case.settle();
    case.pass(10_000);
    case.driver().make_base();
    let rows = history(&mut case);
    // All of its records go: then its texts do.
    let everything = case.driver().last();
    case.driver().forget_before(Lsn(everything.0 + 1)).unwrap();
    case.driver().make_base();
    case.driver().make_base();
    case.crash();
    case.disk.lose_image();
    case.open();
    assert_eq!(case.view().status, "succeeded");
    assert!(history(&mut case).len() < rows.len());
}

#[test]
fn what_is_left_of_its_history_is_told_without_what_only_an_earlier_text_knew() {
    let mut case = failed();
    // Its beginning goes while it is open under the corrected text, which has other steps in those places.
    case.driver().forget_before(Lsn(8)).unwrap();
    case.edit(RIGHT);
    case.end_one();
    let begun = case.driver().last();
    case.driver().make_base();
    case.driver().make_base();
    case.pass(10_000);
    let rows = history(&mut case);
    assert_eq!(rows[0].what, "removed", "{rows:?}");
    assert!(rows.iter().any(|row| row.what == "edited" && row.lsn < begun.0));
    let edited = rows.iter().position(|row| row.what == "edited").expect("it was edited");
    assert!(rows[..edited].iter().filter(|row| row.what == "activated").all(|row| row.detail["steps"].is_null()));
    case.settle();
    assert_eq!(case.status(), "succeeded");
}

#[test]
fn an_edit_is_there_after_a_crash_or_it_was_never_acknowledged() {
    let appends = failed().disk.appends();
    let whole = {
        let mut case = failed();
        case.edit(RIGHT);
        case.settle();
        case.disk.appends()
    };
    assert!(whole > appends + 3, "there is something to crash in");
    for append in appends + 1..=whole {
        for dies in [Dies::BeforeEffects, Dies::AfterEffects] {
            let mut case = failed().dies_at(append, dies);
            let replies = case.replies.len();
            let request = case.edit_request(RIGHT, Map::new());
            case.send(request);
            case.settle();
            let answered = matches!(case.replies.get(replies), Some(Reply::Done));
            let what = format!("append {append}, {dies:?}, answered: {answered}");
            assert!(!case.is_alive(), "{what}: it did not crash");
            case.open();
            if case.view().edits.is_empty() {
                assert!(!answered, "{what}: an edit was acknowledged and is lost");
                assert!(matches!(case.edit(RIGHT), Reply::Done), "{what}");
            }
            case.resume();
            for _ in 0..5 {
                case.settle();
                let Some((_, doubted)) = case.doubted() else { break };
                let key = format!("{}/{doubted}", case.view().id);
                let number = case.begun.iter().filter(|begun| begun.key == key).count();
                // `b` began once under the wrong text, and failed.
                let took_place = number > usize::from(doubted == "b");
                let outputs = Map::from([("stdout".to_owned(), Value::from(""))]);
                let how = if took_place { Resolution::Done { outputs } } else { Resolution::Rerun };
                case.resolve(&doubted, how);
            }
            assert_eq!(case.status(), "succeeded", "{what}: {:#?}", case.view());
            assert_eq!(case.path().iter().filter(|path| **path == "a").count(), 1, "{what}: `a` had succeeded");
            assert_eq!(told(&history(&mut case)).0, ["a", "b", "finally/tidy"], "{what}");
        }
    }
}

#[test]
fn what_does_not_fit_is_refused_and_the_run_stays_as_it_was() {
    let mut case = failed();
    case.pass(10_000);
    let appends = case.disk.appends();
    let changed = RIGHT.replace("id: a, exec: [a,", "id: a, exec: [z,");
    assert!(refusal(case.edit(&changed)).contains("step `a` (succeeded) was changed: its `exec`"));
    assert!(refusal(case.edit(&RIGHT.replace("runbook: mended", "runbook: other"))).contains("is another runbook"));
    assert!(refusal(case.edit(WRONG)).contains("nothing in the runbook was changed"));
    let wanting = RIGHT.replace("default: 7", "min: 3");
    assert!(refusal(case.edit(&wanting)).contains("parameter `extra` is required"));
    let given = |name: &str, value: i64| Map::from([(name.to_owned(), Value::Int(value))]);
    let request = case.edit_request(&wanting, given("extra", 1));
    assert!(refusal(case.ask(request)).contains("parameter `extra`"));
    let request = case.edit_request(RIGHT, given("host", 1));
    assert!(refusal(case.ask(request)).contains("keeps its value"));
    let narrow = RIGHT.replace("default: web-2", "default: web-2, enum: [web-2]");
    assert!(refusal(case.edit(&narrow)).contains("parameter `host`"));
    assert_eq!((case.disk.appends(), case.view().edits.len()), (appends, 0));
    let request = case.edit_request(&wanting, given("extra", 3));
    assert!(matches!(case.ask(request), Reply::Done));
    case.settle();
    assert_eq!(case.view().outputs["extra"], 3);
}

#[test]
fn a_run_is_edited_in_the_turn_in_which_it_fails() {
    let mut case = Case::of(WRONG.replace("finally:\n  - { id: tidy, exec: [tidy] }\n", "").as_str())
        .step("b", [Does::Exits(1), Does::Prints("")]);
    case.start();
    case.end_one();
    let report = case.next_report();
    let right = RIGHT.replace("finally:\n  - { id: tidy, exec: [tidy] }\n", "");
    let request = case.edit_request(&right, Map::new());
    case.turn([report, Input::Request { caller: Caller(99), request }]);
    assert_eq!(case.view().edits.len(), 1, "{:?}", case.replies);
    case.settle();
    assert_eq!(case.status(), "succeeded");
    // What is counted of the use of definitions is right: nothing is kept for a run that has ended.
    case.pass(10_000);
    case.crash();
    case.open();
    case.pass(10_000);
    assert_eq!(told(&history(&mut case)).0, ["a", "b"]);
}
