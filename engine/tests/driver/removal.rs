//! Runs that are removed because they ended long ago: gone for good, whatever is made anew, and never run again.

use std::fs;
use std::sync::Arc;

use lockstep_dsl::expr::Sandbox;
use lockstep_dsl::value::Millis;
use lockstep_engine::api::{RefusalKind, Reply, Request, RunRow};
use lockstep_engine::doctor::{Grade, examine};
use lockstep_engine::host::{self, EngineHandle, Keep, Options, ReadOnly, Storage};
use lockstep_engine::id::RunId;

use crate::case::{Case, NOON};
use crate::folder::{Engine, told};

const ONE: &str = "runbook: one\nsteps: [{ id: a, exec: [a] }]\n";

fn id(number: u32) -> RunId {
    RunId::new(NOON.0, number)
}

fn rows(reply: Reply) -> Vec<RunId> {
    match reply {
        Reply::Runs(rows) => rows.into_iter().map(|row: RunRow| row.id).collect(),
        other => panic!("no rows: {other:?}"),
    }
}

fn all() -> Request {
    Request::Runs { limit: 100, status: None, runbook: None }
}

/// Three runs that have ended, and one that is open; none of the three is in memory.
fn case() -> Case {
    let mut case = Case::of("runbook: open\nsteps: [{ id: a, wait: 100h }]\n");
    for number in [1, 2, 9] {
        case.send(Case::start_other(ONE, number));
        case.settle();
    }
    case.start();
    case.pass(10_000);
    case
}

fn remove(case: &mut Case, run: RunId) {
    let (_, is_done) = case.driver().remove_runs(vec![run]);
    assert!(is_done);
}

#[test]
fn what_is_needed_is_not_offered() {
    let mut case = case();
    let offered = |case: &mut Case, behind: Option<RunId>, limit: usize| {
        let found = case.driver().past_rows(behind, limit).unwrap();
        (found.rows.iter().map(|row| row.id).collect::<Vec<_>>(), found.last)
    };
    assert_eq!(offered(&mut case, None, 100), (vec![id(1), id(2), id(9)], Some(id(9))), "the open one is not");
    assert_eq!(offered(&mut case, None, 1), (vec![id(1)], Some(id(1))));
    assert_eq!(offered(&mut case, Some(id(1)), 100), (vec![id(2), id(9)], Some(id(9))));
    assert_eq!(offered(&mut case, Some(id(9)), 100), (vec![], None));
    remove(&mut case, id(2));
    assert_eq!(offered(&mut case, None, 100).0, [id(1), id(9)], "what was removed is not offered again");
}

#[test]
fn a_run_that_was_removed_is_gone_whatever_is_made_anew() {
    let mut case = case();
    remove(&mut case, id(2));
    for (number, again) in
        ["at once", "crash", "checkpoint", "image lost", "base", "base alone"].into_iter().enumerate()
    {
        match number {
            0 => {}
            1 => case.crash(),
            2 => case.pass(10_000),
            4 => drop(case.driver().make_base()),
            // Without the base, then with it.
            _ => {
                case.crash();
                case.disk.lose_image();
            }
        }
        if !case.is_alive() {
            case.open();
        }
        assert_eq!(rows(case.ask(all())), [id(9), id(7), id(1)], "{again}");
        for request in [
            Request::Show { run: id(2).to_string() },
            Request::History { run: id(2).to_string() },
            Request::Retry { run: id(2).to_string(), by: "user:ana".to_owned() },
        ] {
            let Reply::Refused(refusal) = case.ask(request) else { panic!("{again}: it is there") };
            assert!(
                refusal.message.ends_with("any more: runs that old were removed by retention"),
                "{again}: {refusal}"
            );
            assert!(refusal.help[0].contains("`storage.keep`"));
        }
    }
    // One that never was is told apart as far as can be known.
    let Reply::Refused(refusal) = case.ask(Request::Show { run: id(8).to_string() }) else { panic!("it is there") };
    assert_eq!(refusal.message, format!("there is no run `{}`", id(8)));
}

#[test]
fn a_run_that_was_removed_is_not_started_again() {
    let mut case = case();
    remove(&mut case, id(2));
    case.crash();
    case.open();
    let Reply::Refused(refusal) = case.ask(Case::start_other(ONE, 2)) else { panic!("it runs again") };
    assert_eq!(refusal.kind, RefusalKind::Store);
    assert!(refusal.message.contains("nobody can say whether it ran already"), "{refusal}");
    assert!(matches!(case.ask(Case::start_other(ONE, 10)), Reply::Started { .. }), "a new one does");
}

#[test]
fn the_last_run_is_the_newest_that_is_left() {
    let mut case = case();
    let last = |case: &mut Case| match case.ask(Request::Show { run: "last".to_owned() }) {
        Reply::Run(view) => view.id,
        other => panic!("{other:?}"),
    };
    assert_eq!(last(&mut case), id(9));
    remove(&mut case, id(9));
    assert_eq!(last(&mut case), id(7));
    case.crash();
    case.disk.lose_image();
    case.open();
    assert_eq!(last(&mut case), id(7));
}

#[test]
fn history_of_runs_that_were_removed_goes_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let mut engine = Engine::open(folder.path()).unwrap();
    // More than the journal's first two segments hold.
    for number in 1..=40 {
        engine.start_noting(number, "1s", &"note ".repeat(8_000));
        engine.pass(2_000);
    }
    engine.pass(6_000);
    let before: Vec<String> = told(|request| engine.ask(request));
    assert!(engine.driver.drop_removed_history().unwrap().is_none(), "every run is there");
    assert!(engine.driver.remove_runs((1..=20).map(id).collect()).1);
    assert!(engine.driver.drop_removed_history().unwrap().is_some());
    engine.driver.finish_dropping();
    assert!(!folder.path().join("journal/0000000001.segment").exists());
    let after = told(|request| engine.ask(request));
    assert_eq!(after, before[..after.len()], "the newer half is told as before");
    assert_eq!(after.len(), before.len() / 2);
    engine.driver.close([]);
    drop(engine);
    fs::remove_dir_all(folder.path().join("state")).unwrap();
    let mut engine = Engine::open(folder.path()).unwrap();
    assert_eq!(told(|request| engine.ask(request)), after);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_removes_what_ended_longer_ago_than_it_is_to_keep() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut engine = Engine::open(&data).unwrap();
    (1..=5).for_each(|number| engine.start(number, "1s"));
    engine.start(6, "100h");
    engine.pass(2_000);
    engine.pass(6_000);
    engine.driver.close([]);
    drop(engine);
    let logs = |number: u32| data.join("logs").join(id(number).to_string());
    for number in [3, 6] {
        fs::create_dir(logs(number)).unwrap();
        fs::write(logs(number).join("removed"), "2023-11-14T22:13:20Z\n").unwrap();
    }
    let keeping = async |keep: Keep| -> EngineHandle {
        let storage = Storage { keep, ..Storage::default() };
        let (data, sandbox) = (data.clone(), Arc::new(Sandbox::new(&[])));
        host::open(Options { data, actions: Vec::new(), expected: None, sandbox, resume: false, storage })
            .await
            .unwrap()
    };
    // That was long ago, and yet no one said that it is too long.
    let engine = keeping(Keep { failed: Some(Millis(1)), ..Keep::default() }).await;
    assert_eq!(rows(engine.call(all()).await).len(), 6);
    assert_eq!(rows(engine.call(all()).await).len(), 6);
    engine.close().await.unwrap();
    let engine = keeping(Keep { succeeded: Some(Millis(30 * 86_400_000)), ..Keep::default() }).await;
    engine.call(all()).await;
    assert_eq!(rows(engine.call(all()).await), [id(6)]);
    engine.close().await.unwrap();
    assert!(!logs(3).exists() && logs(6).exists());
    assert_eq!(rows(ReadOnly::open(&data).unwrap().call(&all())), [id(6)]);
    let report = examine(&data).unwrap();
    assert!(report.worst() < Some(Grade::Mendable), "{:?}", report.findings);
    fs::remove_dir_all(data.join("state")).unwrap();
    let engine = keeping(Keep::default()).await;
    assert_eq!(rows(engine.call(all()).await), [id(6)]);
    engine.close().await.unwrap();
}
