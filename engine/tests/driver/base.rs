//! Bases: what is folded from one is the next one, the journal behind two of them may go, and no state goes with it.

#![expect(clippy::unwrap_used, reason = "a test whose own preparations fail should stop right there")]

use lockstep_dsl::value::Map;
use lockstep_engine::api::{Gone, RefusalKind, Reply, Request, RunRow};
use lockstep_engine::core::run::{Record, Resolution};
use lockstep_engine::encode::decode;
use lockstep_engine::id::Lsn;
use lockstep_engine::store::memory::MemoryDisk;
use lockstep_engine::store::{Entry, Frames, Image, OpenError, Order, ShardLog, StoredBases};
use proptest::prelude::*;

use crate::case::{Case, Does};

const RUNBOOK: &str = "
runbook: based
steps:
  - id: a
    exec: [a]
  - id: pause
    wait: 1h
  - id: b
    exec: [b]
    retry: 2
outputs:
  told: steps.a.stdout
";

const OTHER: &str = "
runbook: other
steps:
  - id: c
    exec: [c]
";

fn case() -> Case {
    Case::of(RUNBOOK).step("b", [Does::Exits(1), Does::Prints(""), Does::IsLost])
}

fn entries(disk: &MemoryDisk) -> Vec<Entry> {
    let mut entries = Vec::new();
    let scanned = disk.image().scan(b"", Order::Up, &mut |key, value| {
        entries.push((key.to_vec(), value.to_vec()));
        true
    });
    scanned.unwrap();
    entries
}

fn rows(case: &mut Case) -> Vec<RunRow> {
    match case.ask(Request::Runs { limit: 100, status: None, runbook: None }) {
        Reply::Runs(rows) => rows,
        other => panic!("no rows: {other:?}"),
    }
}

fn history(case: &mut Case, run: &str) -> Reply {
    case.ask(Request::History { run: run.to_owned() })
}

fn records(disk: &MemoryDisk) -> Vec<Record> {
    let mut records = Vec::new();
    let read = disk.log().read(Lsn(1), &mut |frame| {
        records.extend(frame.records.iter().map(|bytes| decode::<Record>(bytes).unwrap()));
        true
    });
    read.unwrap();
    records
}

#[derive(Clone, Debug)]
enum Op {
    Start(bool, u32),
    End,
    Pass(u64),
    Retry(usize),
    Resolve(usize),
    Base,
    Remove(usize),
    Crash,
}

fn any_op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (any::<bool>(), 10..40_u32).prop_map(|(other, number)| Op::Start(other, number)),
        6 => Just(Op::End),
        4 => prop::sample::select(vec![1, 6_000, 3_700_000]).prop_map(Op::Pass),
        1 => (0..9_usize).prop_map(Op::Retry),
        2 => (0..9_usize).prop_map(Op::Resolve),
        2 => Just(Op::Base),
        2 => (1..4_usize).prop_map(Op::Remove),
        1 => Just(Op::Crash),
    ]
}

fn apply(case: &mut Case, op: &Op) {
    let by = "user:ana".to_owned();
    match op {
        Op::Start(other, number) => {
            case.send(Case::start_other(if *other { OTHER } else { RUNBOOK }, *number));
        }
        Op::End => drop(case.end_one()),
        Op::Pass(millis) => case.pass(*millis),
        Op::Retry(number) | Op::Resolve(number) => {
            let rows = rows(case);
            let Some(row) = rows.get(*number) else { return };
            let run = row.id.to_string();
            case.send(match op {
                Op::Retry(_) => Request::Retry { run, by },
                _ => Request::Resolve { run, step: "b".to_owned(), how: Resolution::Done { outputs: Map::new() }, by },
            });
        }
        Op::Base => drop(case.driver().make_base()),
        Op::Remove(number) => {
            let rows = case.driver().past_rows(None, 100).unwrap().rows;
            case.driver().remove_runs(rows.into_iter().map(|row| row.id).take(*number).collect());
        }
        Op::Crash => {
            case.crash();
            case.open();
            for row in rows(case).into_iter().filter(|row| row.interrupted) {
                case.send(Request::Resume { run: row.id.to_string(), by: by.clone() });
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whatever happened: the state after it is the same from memory, from either base, and from the first record.
    #[test]
    fn what_is_folded_from_a_base_is_the_next_base(ops in prop::collection::vec(any_op(), 1..40)) {
        let mut case = case();
        case.start();
        for op in &ops {
            apply(&mut case, op);
        }
        case.driver().make_base();
        let expected = entries(&case.disk);
        let bases = case.disk.bases().list().unwrap();
        prop_assert!(!bases.is_empty());
        for spoiled in std::iter::once(None).chain(bases.into_iter().map(Some)) {
            case.crash();
            case.disk.lose_image();
            if let Some(base) = spoiled {
                case.disk.spoil_base(base.lsn);
            }
            case.open();
            // A start after a rest does not look whether there is an image.
            case.driver().read_all().unwrap();
            case.driver().close([]);
            prop_assert_eq!(entries(&case.disk), expected.clone());
        }
    }
}

#[test]
fn a_definition_is_journaled_once_and_found_by_every_later_run() {
    let mut case = case();
    for number in 10..13 {
        case.send(Case::start_other(OTHER, number));
        case.settle();
        case.pass(10_000);
        case.crash();
        case.open();
    }
    let defined = |disk: &MemoryDisk| records(disk).iter().filter(|it| matches!(it, Record::Defined { .. })).count();
    assert_eq!(defined(&case.disk), 1);
    // Looking at the log has fenced the engine.
    case.crash();
    case.open();
    assert!(!entries(&case.disk).iter().any(|(key, _)| key.starts_with(b"def/") || key.starts_with(b"run/")));
    for row in rows(&mut case) {
        assert!(matches!(history(&mut case, &row.id.to_string()), Reply::History(rows) if rows.len() > 3));
    }
    // Nor does a crash right behind the last one need the image for it.
    let started = case.ask(Case::start_other(OTHER, 13));
    assert!(matches!(started, Reply::Started { .. }), "{started:?}");
    case.crash();
    case.open();
    let rows = rows(&mut case);
    assert_eq!(rows.len(), 4, "{rows:#?}");
    assert_eq!(defined(&case.disk), 1);
}

#[test]
fn history_goes_and_no_state_goes_with_it() {
    let mut case = case();
    case.send(Case::start_other(OTHER, 10));
    case.settle();
    case.start();
    case.end_one();
    case.pass(10_000);
    let (old, open) = match rows(&mut case).as_slice() {
        [a, b] if a.runbook == "other" => (a.id.to_string(), b.id.to_string()),
        [a, b] => (b.id.to_string(), a.id.to_string()),
        rows => panic!("two runs: {rows:?}"),
    };
    let everything = case.disk.log().head().last;
    case.crash();
    case.open();
    case.driver().forget_before(Lsn(everything.0 + 1)).unwrap();
    case.driver().make_base();
    assert_eq!(case.disk.log().oldest(), Lsn(1), "one base is not enough");
    case.crash();
    case.open();
    case.driver().make_base();
    assert!(case.disk.log().oldest() > everything);
    case.crash();
    case.disk.lose_image();
    case.open();

    // Of what had ended, the row is left.
    assert_eq!(rows(&mut case).len(), 2);
    let shown = case.ask(Request::Show { run: old.clone() });
    let Reply::Run(view) = shown else { panic!("it is not shown: {shown:?}") };
    let Some(Gone::Retention { at: Some(at) }) = &view.gone else {
        panic!("it is not said what became of it: {view:?}")
    };
    assert_eq!((view.status.as_str(), view.runbook.as_str(), view.steps.len()), ("succeeded", "other", 0));
    let Reply::History(told) = history(&mut case, &old) else { panic!("no history") };
    let [row] = told.as_slice() else { panic!("one row: {told:?}") };
    assert_eq!((row.lsn <= everything.0, &row.at, row.what.as_str()), (true, at, "removed"));
    let refused = case.ask(Request::Retry { run: old, by: "user:ana".to_owned() });
    let Reply::Refused(refusal) = refused else { panic!("it is begun anew: {refused:?}") };
    assert!(refusal.kind == RefusalKind::Store && refusal.message.contains("not kept any more"), "{refusal}");

    // What was open goes on, and tells what it has done since; also once it has ended.
    case.resume();
    case.settle();
    assert_eq!(case.story(), "c a b b: succeeded");
    case.pass(10_000);
    for crashed in [false, true] {
        if crashed {
            case.crash();
            case.disk.lose_image();
            case.open();
        }
        assert_eq!(case.view().outputs["told"], "");
        let Reply::History(told) = history(&mut case, &open) else { panic!("no history") };
        let (removed, told) = told.split_first().unwrap();
        assert_eq!((removed.what.as_str(), removed.lsn <= everything.0), ("removed", true));
        assert!(told.iter().all(|row| row.lsn > everything.0) && told.last().unwrap().what == "finished");
        assert!(told.iter().any(|row| row.step.as_deref() == Some("b")));
        case.pass(10_000);
        let id = case.view().id;
        assert!(case.driver().run(id).is_none(), "it is not in memory any more");
    }

    // Its definition was carried along; that of the other one is journaled again when it is needed again.
    case.send(Case::start_other(OTHER, 11));
    case.settle();
    case.pass(10_000);
    case.crash();
    case.disk.lose_image();
    case.open();
    assert_eq!(rows(&mut case).len(), 3);
    assert!(matches!(history(&mut case, "last"), Reply::History(_)));
}

#[test]
fn a_run_whose_beginning_is_gone_is_retried_and_survives_a_crash() {
    for (with_base, lose_image) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut case = Case::of(RUNBOOK).step("b", [Does::Exits(1), Does::Exits(1), Does::Prints("")]);
        case.start();
        case.end_one();
        let everything = case.driver().last();
        case.driver().forget_before(Lsn(everything.0 + 1)).unwrap();
        case.driver().make_base();
        case.driver().make_base();
        case.pass(3_600_000);
        case.settle();
        assert!(case.story().ends_with("failed"), "{}", case.story());
        case.pass(10_000);
        if with_base {
            case.driver().make_base();
            case.driver().make_base();
        }
        let run = rows(&mut case)[0].id;
        assert!(case.driver().run(run).is_none(), "it is not in memory any more");
        let retried = case.ask(Request::Retry { run: run.to_string(), by: "user:ana".to_owned() });
        assert!(!matches!(retried, Reply::Refused(_)), "{retried:?}");
        case.crash();
        if lose_image {
            case.disk.lose_image();
        }
        case.open();
        assert!(case.driver().interrupted().eq([run]), "with a base: {with_base}, without an image: {lose_image}");
        case.resume();
        case.settle();
        // Nobody knows what became of the attempt that the crash cut off.
        let how = Resolution::Done { outputs: Map::new() };
        case.send(Request::Resolve { run: run.to_string(), step: "b".to_owned(), how, by: "user:ana".to_owned() });
        case.settle();
        assert_eq!(case.view().status, "succeeded");
        assert_eq!(case.view().outputs["told"], "");
    }
}

#[test]
fn a_journal_without_its_beginning_and_without_a_base_is_damaged() {
    let mut case = case();
    case.start();
    case.pass(10_000);
    let last = case.disk.log().head().last;
    case.crash();
    case.open();
    case.driver().forget_before(last).unwrap();
    case.driver().make_base();
    case.pass(3_700_000);
    case.driver().make_base();
    case.crash();
    case.disk.lose_image();
    for base in case.disk.bases().list().unwrap() {
        case.disk.spoil_base(base.lsn);
    }
    let refused = case.try_open().unwrap_err();
    assert!(matches!(refused, OpenError::Damaged { .. }), "{refused}");
    assert!(refused.to_string().contains("no base leads up to it"), "{refused}");
}

#[test]
fn an_image_that_takes_nothing_costs_no_row_and_no_run() {
    let mut case = case();
    case.send(Case::start_other(OTHER, 10));
    case.settle();
    case.start();
    case.end_one();
    case.pass(10_000);
    case.driver().make_base();
    case.crash();
    case.disk.lose_image();
    case.disk.fail_image(true);
    case.open();
    assert_eq!(rows(&mut case).len(), 2);
    let other = rows(&mut case).into_iter().find(|row| row.runbook == "other").unwrap().id.to_string();
    assert!(matches!(history(&mut case, &other), Reply::History(_)));
    case.resume();
    case.settle();
    assert_eq!(case.story(), "c a b b: succeeded");
    case.disk.fail_image(false);
    case.pass(10_000);
    assert_eq!(rows(&mut case).len(), 2);
    assert_eq!(entries(&case.disk).iter().filter(|(key, _)| key.starts_with(b"sum/")).count(), 2);
}
