//! The bytes of the journal's records are a contract: every variant's encoding is held against what was released, and
//! what was released is still read.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use lockstep_dsl::graph::{
    Block, BlockId, Catchup, Due, Field, Graph, Next, NodeId, Overlap, PageForm, Role, Trigger, WITHIN,
};
use lockstep_dsl::schedule::{Dst, Fold, Gap};
use lockstep_dsl::value::{Map, Millis, SecretPart, SecretRef, SecretText, Timestamp, Value};
use lockstep_engine::core::run::{
    Caller, Change, Delay, Edit, Hold, ItemEnd, Items, Loss, Opening, Page, Question, Record, Resolution, Returned,
    RunError, RunOutcome, Settlement, Skip, StepStatus, StopCause, UndoEnd,
};
use lockstep_engine::core::schedule::{ClockJump, Enrollment, Row, ScheduleChange, ScheduleName, Tick, TickEnd};
use lockstep_engine::encode::{decode, encode};
use lockstep_engine::id::{Lsn, RunId, StepNo, Token};
use lockstep_engine::worker::{Failure, Outcome};

/// One line a record: a name, and its bytes in hexadecimal. Lines are added, never changed.
const RELEASED: &str = include_str!("golden/records-v1.txt");

#[test]
fn every_record_encodes_as_it_was_released_and_is_still_read() {
    let released: BTreeMap<&str, &str> = RELEASED.lines().filter_map(|line| line.split_once(' ')).collect();
    let mut missing = String::new();
    for (name, record) in samples() {
        let bytes = hex(&encode(&record));
        match released.get(name.as_str()) {
            Some(golden) => {
                assert_eq!(*golden, bytes, "the encoding of `{name}` has changed: old journals are read for ever");
                assert_eq!(decode::<Record>(&unhex(golden)).as_ref(), Ok(&record), "`{name}` is not read back");
            }
            None => {
                let _ = writeln!(missing, "{name} {bytes}");
            }
        }
    }
    assert!(missing.is_empty(), "records without released bytes; add these lines:\n{missing}");
    let known: BTreeSet<String> = samples().into_iter().map(|(name, _)| name).collect();
    let gone: Vec<_> = released.keys().filter(|name| !known.contains(**name)).collect();
    assert!(gone.is_empty(), "released records without a sample: {gone:?}");
}

#[test]
fn every_variant_has_a_sample() {
    let names: BTreeSet<&str> = samples().iter().map(|(_, record)| variant(record)).collect();
    let all: BTreeSet<&str> = VARIANTS.iter().copied().collect();
    assert_eq!(names, all);
}

/// The registry of variants. A new one must be added here, to [`variant`] and to the samples.
const VARIANTS: [&str; 64] = [
    "SchedulePaused",
    "ScheduleResumed",
    "Ticked",
    "SchedulesHeld",
    "Enrolled",
    "Withdrawn",
    "Removed",
    "Wanted",
    "Locked",
    "Permitted",
    "Paused",
    "Unpaused",
    "Held",
    "Waived",
    "Called",
    "Returned",
    "Lost",
    "Voted",
    "Escalated",
    "FilledIn",
    "Awaited",
    "Signalled",
    "Received",
    "Defined",
    "Created",
    "Checkpointed",
    "Rested",
    "Started",
    "Activated",
    "Asked",
    "Skipped",
    "Begun",
    "Titled",
    "Starting",
    "Stopping",
    "Reported",
    "Settled",
    "Delayed",
    "Doubted",
    "Probed",
    "Resolved",
    "Halted",
    "Looped",
    "Paged",
    "ItemStarted",
    "ItemEnded",
    "LoopHalted",
    "LoopOver",
    "Ended",
    "Led",
    "Revisited",
    "Undoing",
    "Undone",
    "UndoHalted",
    "CancelRequested",
    "Finishing",
    "Concluded",
    "Finished",
    "Retried",
    "Edited",
    "Restored",
    "Quarantined",
    "Reported/failed",
    "Reported/unknown",
];

fn variant(record: &Record) -> &'static str {
    let change = match record {
        Record::Defined { .. } => return "Defined",
        Record::Created { .. } => return "Created",
        Record::Checkpointed { .. } => return "Checkpointed",
        Record::Rested { .. } => return "Rested",
        Record::Lost { .. } => return "Lost",
        Record::Removed { .. } => return "Removed",
        Record::Scheduled { change: ScheduleChange::Enrolled(_), .. } => return "Enrolled",
        Record::Scheduled { change: ScheduleChange::Withdrawn { .. }, .. } => return "Withdrawn",
        Record::Scheduled { change: ScheduleChange::Paused { .. }, .. } => return "SchedulePaused",
        Record::Scheduled { change: ScheduleChange::Resumed { .. }, .. } => return "ScheduleResumed",
        Record::Scheduled { change: ScheduleChange::Ticked(_), .. } => return "Ticked",
        Record::SchedulesHeld { .. } => return "SchedulesHeld",
        Record::Changed { change, .. } => change,
    };
    match change {
        Change::Started => "Started",
        Change::Activated { .. } => "Activated",
        Change::Asked { .. } => "Asked",
        Change::Skipped { .. } => "Skipped",
        Change::Begun { .. } => "Begun",
        Change::Titled { .. } => "Titled",
        Change::Starting { .. } => "Starting",
        Change::Stopping { .. } => "Stopping",
        Change::Reported { outcome: Outcome::Succeeded { .. }, .. } => "Reported",
        Change::Reported { outcome: Outcome::Failed { .. }, .. } => "Reported/failed",
        Change::Reported { outcome: Outcome::Unknown { .. }, .. } => "Reported/unknown",
        Change::Settled { .. } => "Settled",
        Change::Delayed { .. } => "Delayed",
        Change::Doubted { .. } => "Doubted",
        Change::Probed { .. } => "Probed",
        Change::Resolved { .. } => "Resolved",
        Change::Halted { .. } => "Halted",
        Change::Wanted { .. } => "Wanted",
        Change::Locked { .. } => "Locked",
        Change::Called { .. } => "Called",
        Change::Returned { .. } => "Returned",
        Change::Awaited { .. } => "Awaited",
        Change::Signalled { .. } => "Signalled",
        Change::Received { .. } => "Received",
        Change::Paused { .. } => "Paused",
        Change::Unpaused { .. } => "Unpaused",
        Change::Permitted { .. } => "Permitted",
        Change::Held { .. } => "Held",
        Change::Waived { .. } => "Waived",
        Change::Voted { .. } => "Voted",
        Change::Escalated { .. } => "Escalated",
        Change::FilledIn { .. } => "FilledIn",
        Change::Looped { .. } => "Looped",
        Change::Paged { .. } => "Paged",
        Change::ItemStarted { .. } => "ItemStarted",
        Change::ItemEnded { .. } => "ItemEnded",
        Change::LoopHalted { .. } => "LoopHalted",
        Change::LoopOver { .. } => "LoopOver",
        Change::Ended { .. } => "Ended",
        Change::Led { .. } => "Led",
        Change::Revisited { .. } => "Revisited",
        Change::Undoing { .. } => "Undoing",
        Change::Undone { .. } => "Undone",
        Change::UndoHalted => "UndoHalted",
        Change::CancelRequested { .. } => "CancelRequested",
        Change::Finishing { .. } => "Finishing",
        Change::Concluded { .. } => "Concluded",
        Change::Finished { .. } => "Finished",
        Change::Retried { .. } => "Retried",
        Change::Edited { .. } => "Edited",
        Change::Restored { .. } => "Restored",
        Change::Quarantined { .. } => "Quarantined",
    }
}

/// Records in which every field and every plain enum's every value stands at least once, by name.
fn samples() -> Vec<(String, Record)> {
    let run = RunId::new(1_700_000_000_000, 1);
    let step = StepNo(3);
    let by = "user:ana".to_owned();
    let mut changes: Vec<(String, Change)> = vec![
        ("started".into(), Change::Started),
        ("activated-main".into(), Change::Activated { block: BlockId(0), owner: None }),
        ("activated-owned".into(), Change::Activated { block: BlockId(2), owner: Some(step) }),
        ("asked-run".into(), Change::Asked { step: None, question: Question::RunOutputs }),
        ("begun".into(), Change::Begun { step }),
        ("titled".into(), Change::Titled { step, title: Some("Clean web-1".to_owned()) }),
        ("titled-not".into(), Change::Titled { step, title: None }),
        ("starting".into(), Change::Starting { step, token: Token(9), input: Some(map()) }),
        ("starting-again".into(), Change::Starting { step, token: Token(10), input: None }),
        ("reported-succeeded".into(), reported(Outcome::Succeeded { outputs: map() })),
        ("reported-failed".into(), reported(Outcome::Failed { error: failure(), outputs: map() })),
        ("reported-unknown".into(), reported(Outcome::Unknown { why: "gone".into() })),
        ("settled-done".into(), Change::Settled { step, result: Settlement::Done { outputs: map() } }),
        ("settled-failed".into(), Change::Settled { step, result: Settlement::Failed { error: Box::new(error()) } }),
        ("doubted".into(), Change::Doubted { step, why: "gone".into() }),
        ("probed-done".into(), Change::Probed { step, done: Some(map()) }),
        ("probed-not".into(), Change::Probed { step, done: None }),
        ("delayed-rule".into(), Change::Delayed { step, until: 5_000, why: Delay::Retry, rule: Some(1) }),
        ("resolved-done".into(), resolved(Resolution::Done { outputs: map() })),
        ("resolved-failed".into(), resolved(Resolution::Failed)),
        ("resolved-rerun".into(), resolved(Resolution::Rerun)),
        ("reported-untouched".into(), reported(Outcome::Failed { error: failure().untouched(), outputs: Map::new() })),
        ("led-step".into(), Change::Led { step, to: Some(Next::Step(NodeId(4))) }),
        ("led-end".into(), Change::Led { step, to: Some(Next::End) }),
        ("led-continue".into(), Change::Led { step, to: Some(Next::Continue) }),
        ("led-break".into(), Change::Led { step, to: Some(Next::Break) }),
        ("led-not".into(), Change::Led { step, to: None }),
        ("revisited".into(), Change::Revisited { step }),
        ("undoing".into(), Change::Undoing { step, entry: 1 }),
        ("undo-halted".into(), Change::UndoHalted),
        ("cancel-requested".into(), Change::CancelRequested { by: by.clone(), undo: false }),
        ("cancel-requested-undo".into(), Change::CancelRequested { by: by.clone(), undo: true }),
        (
            "wanted".into(),
            Change::Wanted { step: Some(step), key: "deploy-é".into(), limit: 3, place: 70_000, opening: None },
        ),
        (
            "wanted-by-run".into(),
            Change::Wanted { step: None, key: "deploy".into(), limit: 1, place: 1, opening: None },
        ),
        (
            "wanted-by-run-opening".into(),
            Change::Wanted { step: None, key: "deploy".into(), limit: 1, place: 0, opening: Some(Box::new(opening())) },
        ),
        ("locked".into(), Change::Locked { step: Some(step), passes: false }),
        ("locked-passing".into(), Change::Locked { step: Some(step), passes: true }),
        ("locked-run".into(), Change::Locked { step: None, passes: false }),
        ("called".into(), Change::Called { step, run, params: map(), again: false }),
        ("called-again".into(), Change::Called { step, run, params: Map::new(), again: true }),
        ("returned".into(), Change::Returned { step, returned: returned(run, RunOutcome::Succeeded) }),
        ("returned-failed".into(), Change::Returned { step, returned: returned(run, RunOutcome::Failed) }),
        ("awaited".into(), Change::Awaited { step, input: map() }),
        (
            "signalled".into(),
            Change::Signalled { name: "deployed".to_owned(), payload: Value::Map(map()), by: by.clone() },
        ),
        ("received".into(), Change::Received { step }),
        ("voted".into(), Change::Voted { step, yes: true, by: by.clone(), right: None, comment: None }),
        (
            "voted-no".into(),
            Change::Voted {
                step,
                yes: false,
                by: by.clone(),
                right: Some("group:sre".to_owned()),
                comment: Some("not on Friday".to_owned()),
            },
        ),
        ("paused".into(), Change::Paused { by: by.clone(), reason: None }),
        ("paused-because".into(), Change::Paused { by: by.clone(), reason: Some("lunch".to_owned()) }),
        ("unpaused".into(), Change::Unpaused { by: by.clone() }),
        ("permitted".into(), Change::Permitted { step, by: by.clone() }),
        ("held-attempt".into(), Change::Held { step, what: Hold::Attempt, input: Some(map()) }),
        (
            "waived".into(),
            Change::Waived { step: Some(step), node: NodeId(4), by: by.clone(), reason: "done by hand".to_owned() },
        ),
        (
            "waived-to-come".into(),
            Change::Waived { step: None, node: NodeId(4), by: by.clone(), reason: "done by hand".to_owned() },
        ),
        ("escalated".into(), Change::Escalated { step }),
        ("filled-in".into(), Change::FilledIn { step, by: by.clone(), right: None, answer: map() }),
        (
            "filled-in-by-right".into(),
            Change::FilledIn { step, by: by.clone(), right: Some("user:ana".to_owned()), answer: map() },
        ),
        ("finishing".into(), Change::Finishing { outputs: Some(map()) }),
        ("finishing-without".into(), Change::Finishing { outputs: None }),
        ("looped-list".into(), Change::Looped { step, items: Items::List(vec![Value::Int(1), Value::Null]) }),
        ("looped-range".into(), Change::Looped { step, items: Items::Range(-1, 9) }),
        ("item-started".into(), Change::ItemStarted { step }),
        ("loop-over".into(), Change::LoopOver { step }),
        ("paged".into(), Change::Paged { step, page: Box::new(page()) }),
        (
            "paged-last".into(),
            Change::Paged { step, page: Box::new(Page { columns: Vec::new(), last: true, count: None, ..page() }) },
        ),
        (
            "loop-halted-unreadable".into(),
            Change::LoopHalted { step, cancel: false, cause: StopCause::Failure, error: Some(Box::new(error())) },
        ),
        ("retried".into(), Change::Retried { by: by.clone() }),
        ("edited".into(), Change::Edited { edit: Box::new(edit(map())) }),
        ("edited-without-params".into(), Change::Edited { edit: Box::new(edit(Map::new())) }),
        ("restored".into(), Change::Restored { token: Token(9) }),
        ("quarantined".into(), Change::Quarantined { why: "a bug".into() }),
    ];
    let questions = [
        Question::When,
        Question::Title,
        Question::Lock,
        Question::Input,
        Question::Outputs,
        Question::Until,
        Question::While,
        Question::Round,
        Question::Page,
        Question::Probe,
        Question::Retry(1),
        Question::Catch(2),
    ];
    changes.extend(named("asked", questions, |question| Change::Asked { step: Some(step), question }));
    let holds = [Hold::Begin, Hold::Attempt, Hold::Retry, Hold::Until, Hold::Round];
    changes.extend(named("held-for", holds, |what| Change::Held { step, what, input: None }));
    let skips = [Skip::When, Skip::Disabled, Skip::Unreached, Skip::Passed, Skip::Person];
    changes.extend(named("skipped", skips, |why| Change::Skipped { step, why }));
    changes.extend(named("stopping", STOPS, |cause| Change::Stopping { step, cause }));
    changes.extend(named("halted", STOPS, |cause| Change::Halted { activation: 4, cancel: true, cause }));
    changes.extend(named("loop-halted", STOPS, |cause| Change::LoopHalted { step, cancel: true, cause, error: None }));
    changes.extend(named("looped-file", PageForm::ALL, |form| Change::Looped {
        step,
        items: Items::File { path: "hosts.txt".to_owned(), form },
    }));
    let undo_ends = [UndoEnd::Undone, UndoEnd::Failed, UndoEnd::Stopped];
    changes.extend(named("undone", undo_ends, |end| Change::Undone { step, end }));
    let item_ends = [ItemEnd::Succeeded, ItemEnd::Failed, ItemEnd::Stopped];
    changes.extend(named("item-ended", item_ends, |end| Change::ItemEnded { step, activation: 7, end }));
    changes.extend(named("settled-stopped", STOPS, |cause| Change::Settled {
        step,
        result: Settlement::Stopped { cause },
    }));
    let delays = [Delay::Wait, Delay::Retry, Delay::Until, Delay::Round];
    changes.extend(named("delayed", delays, |why| Change::Delayed { step, until: 5_000, why, rule: None }));
    let ends = [StepStatus::Succeeded, StepStatus::Failed, StepStatus::Skipped, StepStatus::Cancelled];
    changes.extend(named("ended", ends, |status| Change::Ended {
        step,
        status,
        handled: true,
        error: Some(Box::new(error())),
        outputs: map(),
    }));
    let outcomes = [RunOutcome::Succeeded, RunOutcome::Failed, RunOutcome::Cancelled];
    changes.extend(named("concluded", outcomes, |outcome| Change::Concluded {
        outcome,
        error: Some(Box::new(error())),
        outputs: map(),
    }));
    changes.extend(named("finished", outcomes, |outcome| Change::Finished { outcome, error: None }));
    let mut samples = vec![
        ("defined".to_owned(), Record::Defined { hash: "ab".repeat(32), graph: Box::new(graph()) }),
        (
            "created".to_owned(),
            Record::Created {
                run,
                definition: "ab".repeat(32),
                params: map(),
                by: by.clone(),
                cwd: None,
                caller: None,
                file: None,
                tick: None,
            },
        ),
        (
            "created-by-call".to_owned(),
            Record::Created {
                run,
                definition: "ab".repeat(32),
                params: map(),
                by: by.clone(),
                cwd: Some("/srv".to_owned()),
                caller: Some(Caller { run, step, waits: true }),
                file: None,
                tick: None,
            },
        ),
        (
            "created-from-file".to_owned(),
            Record::Created {
                run,
                definition: "ab".repeat(32),
                params: map(),
                by: by.clone(),
                cwd: Some("/srv".to_owned()),
                caller: None,
                file: Some("runbooks/golden.yaml".to_owned()),
                tick: None,
            },
        ),
        (
            "created-by-tick".to_owned(),
            Record::Created {
                run,
                definition: "ab".repeat(32),
                params: map(),
                by,
                cwd: None,
                caller: None,
                file: None,
                tick: Some(Box::new(Tick { schedule: schedule(), at: Timestamp(1_700_000_000_000) })),
            },
        ),
        ("schedules-held".to_owned(), Record::SchedulesHeld { held: Some(clock_jump()) }),
        ("schedules-held-not".to_owned(), Record::SchedulesHeld { held: None }),
        ("checkpointed".to_owned(), Record::Checkpointed { lsn: Lsn(70_000), generation: 3, digest: [7; 32] }),
        ("lost".to_owned(), Record::Lost { loss: Some(Box::new(loss(run))) }),
        ("lost-position".to_owned(), Record::Lost { loss: None }),
        ("removed".to_owned(), Record::Removed { runs: vec![run] }),
        ("rested".to_owned(), Record::Rested { newest: Some(run), unchecked: 70_000 }),
    ];
    samples.extend(changes.into_iter().map(|(name, change)| (name, Record::Changed { run, change })));
    let scheduled =
        |(name, change): (String, ScheduleChange)| (name, Record::Scheduled { schedule: schedule(), change });
    samples.extend(schedule_changes().into_iter().map(scheduled));
    samples
}

fn schedule() -> ScheduleName {
    ScheduleName { runbook: "storage/golden".to_owned(), trigger: "nightly".to_owned() }
}

fn clock_jump() -> ClockJump {
    ClockJump { expected: Timestamp(1_700_000_000_000), found: Timestamp(1_800_000_000_000), time: 70_000 }
}

fn rows(run: RunId) -> impl Iterator<Item = (String, ScheduleChange)> {
    let ends = [
        TickEnd::Fired { run },
        TickEnd::Queued,
        TickEnd::Overlapped { by: Some(run) },
        TickEnd::Overlapped { by: None },
        TickEnd::Replaced,
        TickEnd::Full,
        TickEnd::NotCaughtUp,
        TickEnd::Superseded,
        TickEnd::TooOld,
        TickEnd::Paused,
        TickEnd::Disabled,
        TickEnd::Withdrawn,
        TickEnd::Invalid { message: "`host` is missing".to_owned() },
    ];
    ends.into_iter().enumerate().map(|(number, end)| {
        let (from, at) = (Timestamp(1_700_000_000_000), Timestamp(1_700_000_060_500));
        let to = (number > 2).then_some(Timestamp(1_700_000_060_000));
        let name = format!("ticked-{}-{number}", end.name());
        let late = number as u64 * 500;
        (name, ScheduleChange::Ticked(Row { from, to, end, at, late, zones: "2026a".to_owned() }))
    })
}

fn schedule_changes() -> Vec<(String, ScheduleChange)> {
    let by = "user:ana".to_owned();
    let enrolled = |trigger: Trigger, cwd: Option<&str>, instead: Option<String>| {
        let (definition, cwd) = ("ab".repeat(32), cwd.map(str::to_owned));
        ScheduleChange::Enrolled(Box::new(Enrollment {
            definition,
            trigger,
            from: Timestamp(1_700_000_000_000),
            by: "service:serve".to_owned(),
            cwd,
            instead,
        }))
    };
    let plain = |due: Due| Trigger {
        id: "nightly".to_owned(),
        due,
        timezone: "UTC".to_owned(),
        dst: Dst::default(),
        catchup: Catchup::Last,
        within: WITHIN,
        overlap: Overlap::Skip,
        jitter: None,
        starts: None,
        ends: None,
        params: Vec::new(),
        enabled: true,
    };
    let whole = Trigger {
        timezone: "Europe/Berlin".to_owned(),
        dst: Dst { gap: Gap::Skip, fold: Fold::Both },
        catchup: Catchup::All,
        within: Millis(3_600_000),
        overlap: Overlap::CancelPrevious,
        jitter: Some(Millis(60_000)),
        starts: Some(Timestamp(1_700_000_000_000)),
        ends: Some(Timestamp(1_800_000_000_000)),
        params: vec![("host".to_owned(), Field::Const(Value::from("web-1")))],
        enabled: false,
        ..plain(Due::Cron("30 2 * * *".to_owned()))
    };
    let other = Trigger {
        dst: Dst { gap: Gap::After, fold: Fold::Last },
        catchup: Catchup::None,
        overlap: Overlap::Queue,
        ..plain(Due::Every(Millis(300_000)))
    };
    let once = Trigger { overlap: Overlap::Allow, ..plain(Due::At(Timestamp(1_700_000_000_000))) };
    let paused = |reason: Option<&str>| ScheduleChange::Paused { by: by.clone(), reason: reason.map(str::to_owned) };
    let changes = [
        ("enrolled", enrolled(whole, Some("/srv"), Some("cd".repeat(32)))),
        ("enrolled-every", enrolled(other, None, None)),
        ("enrolled-at", enrolled(once, None, None)),
        ("withdrawn", ScheduleChange::Withdrawn { by: by.clone(), definition: "ab".repeat(32) }),
        ("schedule-paused", paused(None)),
        ("schedule-paused-because", paused(Some("lunch"))),
        ("schedule-resumed", ScheduleChange::Resumed { by: by.clone() }),
    ];
    let named = changes.into_iter().map(|(name, change)| (name.to_owned(), change));
    named.chain(rows(RunId::new(1_700_000_000_000, 1))).collect()
}

fn edit(params: Map) -> Edit {
    Edit {
        from: "ab".repeat(32),
        definition: "cd".repeat(32),
        file: "fixed.yaml".to_owned(),
        params,
        by: "user:ana".to_owned(),
    }
}

fn opening() -> Opening {
    Opening { skip: vec![NodeId(2), NodeId(5)], from: Some(NodeId(4)), stepwise: true }
}

fn loss(run: RunId) -> Loss {
    Loss {
        first: Lsn(12),
        last: Lsn(14),
        file: "journal/0000000002.segment".to_owned(),
        offset: 131_136,
        what: "the frame's hash does not match".to_owned(),
        runs: vec![run],
        until: Lsn(70_000),
        by: "user:ana".to_owned(),
        at: Timestamp(1_700_000_000_000),
        kept: "journal.damaged-1".to_owned(),
    }
}

const STOPS: [StopCause; 9] = [
    StopCause::Cancel,
    StopCause::Timeout,
    StopCause::Total,
    StopCause::Enclosing,
    StopCause::RunTimeout,
    StopCause::Failure,
    StopCause::Won,
    StopCause::Finish,
    StopCause::Break,
];

fn named<T: Copy + std::fmt::Debug>(
    what: &'static str,
    values: impl IntoIterator<Item = T>,
    change: impl Fn(T) -> Change,
) -> impl Iterator<Item = (String, Change)> {
    values.into_iter().map(move |value| (format!("{what}-{value:?}").to_lowercase(), change(value)))
}

fn page() -> Page {
    Page {
        items: vec![Value::from("a"), Value::Map(map())],
        at: 4_096,
        identity: (70_000, 1_700_000_000_000_000_000),
        columns: vec!["host".to_owned()],
        last: false,
        count: Some(12),
    }
}

fn reported(outcome: Outcome) -> Change {
    Change::Reported { step: StepNo(3), token: Token(9), outcome }
}

fn resolved(how: Resolution) -> Change {
    Change::Resolved { step: StepNo(3), how, by: "user:ana".to_owned() }
}

fn returned(run: RunId, outcome: RunOutcome) -> Returned {
    let error = (outcome == RunOutcome::Failed).then(|| Box::new(error()));
    Returned { run, outcome, outputs: map(), error }
}

fn failure() -> Failure {
    Failure {
        kind: "failed".to_owned(),
        message: "exited with code 1".to_owned(),
        data: Value::Int(1),
        untouched: false,
    }
}

fn error() -> RunError {
    let cause = RunError::new("timeout", "too slow", "a/b");
    RunError {
        kind: "failed".to_owned(),
        message: "exited with code 1".to_owned(),
        step: "a".to_owned(),
        attempt: 2,
        data: Value::Map(map()),
        cause: Some(Box::new(cause)),
    }
}

/// A value of every type.
fn map() -> Map {
    let secret = SecretText(vec![
        SecretPart::Plain("Bearer ".to_owned()),
        SecretPart::Reference(SecretRef::Env("A".to_owned())),
        SecretPart::Reference(SecretRef::File("/b".to_owned())),
        SecretPart::Reference(SecretRef::Store("c".to_owned())),
    ]);
    let values = [
        ("null", Value::Null),
        ("bool", Value::Bool(true)),
        ("int", Value::Int(-5)),
        ("float", Value::Float(1.5)),
        ("string", Value::from("\u{e9}")),
        ("list", Value::List(vec![Value::Int(1), Value::from("x")])),
        ("map", Value::Map(Map::from([("k".to_owned(), Value::Null)]))),
        ("duration", Value::Duration(Millis(1_500))),
        ("time", Value::Time(Timestamp(1_700_000_000_000))),
        ("secret", Value::Secret(secret)),
    ];
    values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// An empty graph: the graph's own encoding is held by the language's tests.
fn graph() -> Graph {
    Graph {
        runbook: "golden".to_owned(),
        file: "golden.yaml".to_owned(),
        blocks: vec![Block { owner: None, role: Role::Main, steps: Vec::new() }],
        ..Graph::empty()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("hexadecimal")).collect()
}
