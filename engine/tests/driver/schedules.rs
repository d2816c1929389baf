//! Schedules: enrolled, changed and withdrawn, whatever happens to the engine.

use std::sync::Arc;

use lockstep_dsl::value::Timestamp;
use lockstep_engine::api::{Enroll, Enrolled, Reply, Request, RunRow, ScheduleStatus, ScheduleView, TickView};

use crate::case::{Case, Does, NOON, graph};

const NIGHTLY: &str = "
runbook: storage/clean
triggers:
  - cron: '30 3 * * *'
    id: nightly
  - every: 5m
steps:
  - id: a
    exec: [a]
";

fn enroll(case: &mut Case, runbook: &str) -> Vec<(String, Enrolled)> {
    let enroll = Enroll { graph: Arc::new(graph(runbook)), cwd: None, by: "user:ana".to_owned() };
    match case.ask(Request::Enroll(Box::new(enroll))) {
        Reply::Enrolled(views) => views.into_iter().map(|view| (view.trigger, view.change)).collect(),
        other => panic!("it is not enrolled: {other:?}"),
    }
}

fn listed(case: &mut Case) -> Vec<ScheduleView> {
    match case.ask(Request::Schedules { runbook: None }) {
        Reply::Schedules(views) => views,
        other => panic!("no schedules: {other:?}"),
    }
}

fn names(case: &mut Case) -> Vec<String> {
    listed(case).into_iter().map(|view| view.name).collect()
}

#[test]
fn triggers_are_enrolled_once_and_followed_as_they_change() {
    let mut case = Case::of(NIGHTLY);
    let both = |change| vec![("every".to_owned(), change), ("nightly".to_owned(), change)];
    assert_eq!(enroll(&mut case, NIGHTLY), both(Enrolled::Enrolled));
    let appends = case.disk.appends();
    assert_eq!(enroll(&mut case, NIGHTLY), both(Enrolled::Unchanged));
    assert_eq!(case.disk.appends(), appends, "what is as it was is not journaled");
    let views = listed(&mut case);
    let nightly = views.iter().find(|view| view.trigger == "nightly").expect("it is listed");
    assert_eq!((nightly.due.as_str(), nightly.status), ("30 3 * * *", ScheduleStatus::Enabled));
    assert_eq!(nightly.next.map(|next| next.to_string()).as_deref(), Some("2023-11-15T03:30:00Z"));
    let changed = NIGHTLY.replace("30 3", "45 3").replace("  - every: 5m\n", "");
    let expected = vec![("every".to_owned(), Enrolled::Withdrawn), ("nightly".to_owned(), Enrolled::Changed)];
    assert_eq!(enroll(&mut case, &changed), expected);
    assert_eq!(names(&mut case), ["storage/clean:nightly"]);
    assert_eq!(
        enroll(&mut case, NIGHTLY),
        vec![("every".to_owned(), Enrolled::Enrolled), ("nightly".to_owned(), Enrolled::Changed)]
    );
    let withdraw = Request::Withdraw { runbook: "storage/clean".to_owned(), by: "user:ana".to_owned() };
    assert!(matches!(case.ask(withdraw), Reply::Done));
    assert_eq!(names(&mut case), [""; 0]);
}

#[test]
fn schedules_outlive_crashes_closing_checkpoints_and_the_loss_of_the_image() {
    let mut case = Case::of(NIGHTLY);
    enroll(&mut case, NIGHTLY);
    let enrolled = listed(&mut case);
    assert_eq!(enrolled.len(), 2);
    case.crash();
    case.open();
    assert_eq!(listed(&mut case), enrolled, "after a crash");
    case.driver().close([]);
    case.crash();
    case.open();
    assert_eq!(listed(&mut case), enrolled, "after closing");
    case.driver().make_base();
    case.crash();
    case.open();
    assert_eq!(listed(&mut case), enrolled, "from a checkpoint");
    case.crash();
    case.disk.lose_image();
    case.open();
    assert_eq!(listed(&mut case), enrolled, "from a base");
    let withdraw = Request::Withdraw { runbook: "storage/clean".to_owned(), by: "user:ana".to_owned() };
    case.ask(withdraw);
    case.crash();
    case.open();
    assert_eq!(listed(&mut case), [], "what was withdrawn does not come back");
    assert_eq!(enroll(&mut case, NIGHTLY)[0].1, Enrolled::Enrolled);
}

/// Everything is due from now on.
fn serve(case: &mut Case) {
    assert!(matches!(case.ask(Request::StartSchedules { by: "user:ana".to_owned() }), Reply::Done));
}

/// A case of a runbook that is enrolled and served, at noon.
fn served(runbook: &str) -> Case {
    let mut case = Case::of(runbook);
    enroll(&mut case, runbook);
    serve(&mut case);
    case
}

/// The engine dies, and another one serves the folder after so long.
fn away(case: &mut Case, millis: u64) {
    case.crash();
    case.clock.advance(millis);
    case.open();
    serve(case);
}

/// What became of the ticks of the only schedule since noon, a word each.
fn told(case: &mut Case) -> String {
    let ends: Vec<String> = ticks(case).into_iter().map(|tick| tick.end).collect();
    ends.join(" ")
}

fn ticks(case: &mut Case) -> Vec<TickView> {
    let to = case.driver().now().wall;
    match case.ask(Request::Ticks { schedule: "tick".to_owned(), from: NOON, to }) {
        Reply::Ticks(view) => view.ticks,
        other => panic!("no ticks: {other:?}"),
    }
}

fn runs(case: &mut Case) -> Vec<RunRow> {
    match case.ask(Request::Runs { limit: 1_000, status: None, runbook: None }) {
        Reply::Runs(rows) => rows,
        other => panic!("no runs: {other:?}"),
    }
}

/// A runbook that is due every hour, with further options of its trigger.
fn hourly(options: &str) -> String {
    format!(
        "runbook: tick\ntriggers:\n  - {{ every: 1h{options} }}\nsteps:\n  - id: a\n    timeout: 1d\n    exec: [a, '${{{{ event?.time ?? \"\" }}}}']\n"
    )
}

const HOUR: u64 = 3_600_000;
/// From noon to the first hour that is full: noon is 22:13:20.
const TO_FIRST: u64 = HOUR - (13 * 60 + 20) * 1_000;

#[test]
fn a_tick_starts_one_run_which_knows_when_it_was_due() {
    let mut case = served(&hourly(""));
    case.pass(TO_FIRST - 1);
    assert_eq!(runs(&mut case).len(), 0);
    case.pass(1);
    case.pass(HOUR);
    case.pass(60_000);
    let rows = runs(&mut case);
    assert_eq!((rows.len(), rows[0].by.as_str(), rows[0].status.as_str()), (2, "schedule:tick:every", "succeeded"));
    let begun: Vec<String> = case.begun.iter().map(|begun| begun.input["argv"].to_json().to_string()).collect();
    assert_eq!(begun, ["[\"a\",\"2023-11-14T23:00:00Z\"]", "[\"a\",\"2023-11-15T00:00:00Z\"]"]);
    let ticks = ticks(&mut case);
    assert_eq!((ticks[0].end.as_str(), ticks[0].late, ticks[0].run), ("fired", 0, Some(rows[1].id)));
    assert!(ticks[0].zones.is_some());
    // Nobody starts anything in a folder that nobody serves.
    case.crash();
    case.open();
    case.pass(3 * HOUR);
    assert_eq!(runs(&mut case).len(), 2);
}

#[test]
fn what_was_missed_is_caught_up_as_the_trigger_says() {
    let after = |options: &str, hours: u64| {
        let mut case = served(&hourly(options));
        case.pass(TO_FIRST);
        away(&mut case, hours * HOUR + 600_000);
        case.pass(60_000);
        (told(&mut case), runs(&mut case).len())
    };
    let expect = |text: &str, runs: usize| (text.to_owned(), runs);
    assert_eq!(after("", 3), expect("fired superseded superseded fired", 2));
    assert_eq!(after(", catchup: none", 3), expect("fired not_caught_up not_caught_up not_caught_up", 1));
    assert_eq!(after(", catchup: all", 3), expect("fired fired fired fired", 4));
    assert_eq!(after(", catchup: all, within: 90m", 3), expect("fired too_old fired fired", 3));
    assert_eq!(after(", within: 5m", 1), expect("fired too_old", 1));
}

#[test]
fn ticks_that_are_caught_up_run_one_after_another_whatever_overlap_says() {
    let mut case = served(&hourly(", catchup: all, overlap: allow")).step("a", [Does::Hangs]);
    away(&mut case, 3 * HOUR);
    assert_eq!(told(&mut case), "fired queued queued");
    assert_eq!(runs(&mut case).len(), 1);
    let open = runs(&mut case)[0].id.to_string();
    case.ask(Request::Cancel { run: open, by: "user:ana".to_owned(), undo: false });
    case.pass(1_000);
    assert_eq!(told(&mut case), "fired fired queued");
}

#[test]
fn a_tick_that_meets_an_open_run_does_what_overlap_says() {
    let after = |options: &str| {
        let mut case = served(&hourly(options)).step("a", [Does::Hangs]);
        case.pass(TO_FIRST + 2 * HOUR + 1_000);
        let open = runs(&mut case).iter().filter(|row| row.ended.is_none()).count();
        (told(&mut case), open)
    };
    let expect = |text: &str, open: usize| (text.to_owned(), open);
    assert_eq!(after(""), expect("fired overlapped overlapped", 1));
    assert_eq!(after(", overlap: allow"), expect("fired fired fired", 3));
    assert_eq!(after(", overlap: queue"), expect("fired queued queued", 1));
    assert_eq!(after(", overlap: cancel_previous"), expect("fired fired fired", 1));
}

#[test]
fn what_waits_outlives_the_engine_and_a_run_that_was_cut_off_is_still_open() {
    let mut case = served(&hourly(", overlap: queue")).step("a", [Does::Hangs]);
    case.pass(TO_FIRST + HOUR + 1_000);
    away(&mut case, 1_000);
    assert_eq!(told(&mut case), "fired queued");
    assert_eq!(runs(&mut case).len(), 1, "the run of the first tick is open, and interrupted");
    let open = runs(&mut case)[0].id.to_string();
    case.ask(Request::Cancel { run: open, by: "user:ana".to_owned(), undo: false });
    case.pass(1_000);
    assert_eq!(told(&mut case), "fired fired");
}

#[test]
fn a_pause_holds_ticks_back_and_says_so() {
    let mut case = served(&hourly(""));
    case.pass(TO_FIRST);
    let (schedule, by) = ("tick:every".to_owned(), "user:ana".to_owned());
    let reason = Some("a change".to_owned());
    case.ask(Request::PauseSchedule { schedule: schedule.clone(), by: by.clone(), reason });
    case.pass(HOUR);
    away(&mut case, HOUR);
    assert_eq!(listed(&mut case)[0].status, ScheduleStatus::Paused);
    let refused = case.ask(Request::ResumeSchedule { schedule: Some("nobody".to_owned()), by: by.clone() });
    assert!(matches!(refused, Reply::Refused(_)));
    case.ask(Request::ResumeSchedule { schedule: Some(schedule), by });
    case.pass(HOUR);
    assert_eq!(told(&mut case), "fired paused paused fired");
}

#[test]
fn a_schedule_that_is_disabled_or_given_nonsense_starts_nothing_and_says_why() {
    let mut case = served(&hourly(", enabled: false"));
    case.pass(TO_FIRST + HOUR);
    assert_eq!((told(&mut case), runs(&mut case).len()), ("disabled disabled".to_owned(), 0));
    let runbook = "runbook: tick\nparams: { count: int }\ntriggers:\n  - { every: 1h, params: { count: '${{ event.source }}' } }\nsteps:\n  - exec: [a, '${{ params.count }}']\n";
    let mut case = served(runbook);
    case.pass(TO_FIRST);
    assert_eq!(runs(&mut case).len(), 0);
    let tick = ticks(&mut case).remove(0);
    assert!(tick.end == "invalid" && tick.why.contains("`count`"), "{tick:?}");
}

#[test]
fn an_edit_keeps_what_was_dealt_with_and_starts_nothing_for_the_past() {
    let mut case = served(&hourly(""));
    case.pass(TO_FIRST + 500);
    // Half an hour ago it would have been due by the new line, and it was due by the old one just now.
    let edited = hourly("").replace("every: 1h", "cron: '30 * * * *', id: every");
    assert_eq!(enroll(&mut case, &edited)[0].1, Enrolled::Changed);
    case.pass(60_000);
    assert_eq!(runs(&mut case).len(), 1);
    enroll(&mut case, &hourly(""));
    case.pass(60_000);
    assert_eq!(runs(&mut case).len(), 1, "back at the first line, the tick is the same one");
    enroll(&mut case, &edited);
    case.pass(HOUR);
    assert_eq!(told(&mut case), "fired fired");
}

#[test]
fn a_clock_that_is_set_back_repeats_nothing_and_one_that_jumps_holds_everything() {
    let mut case = served(&hourly(""));
    case.pass(TO_FIRST + 1_000);
    let wall = case.driver().now().wall;
    case.clock.set_wall(Timestamp(wall.0 - 7_200_000));
    enroll(&mut case, &hourly(", jitter: 1s"));
    case.pass(2 * HOUR);
    assert_eq!(runs(&mut case).len(), 1, "the hour came twice");
    case.pass(HOUR + 60_000);
    assert_eq!(runs(&mut case).len(), 2);
    let wall = case.driver().now().wall;
    case.clock.set_wall(Timestamp(wall.0 + 400 * 86_400_000));
    case.pass(HOUR);
    assert_eq!((listed(&mut case)[0].status, runs(&mut case).len()), (ScheduleStatus::Held, 2));
    away(&mut case, 0);
    assert_eq!(listed(&mut case)[0].status, ScheduleStatus::Held);
    let wall = case.driver().now().wall;
    case.clock.set_wall(Timestamp(wall.0 - 400 * 86_400_000));
    case.pass(120_000);
    assert_eq!(listed(&mut case)[0].status, ScheduleStatus::Enabled);
    assert_eq!(runs(&mut case).len(), 3, "the tick of the hour that was held is caught up");
}

#[test]
fn the_ledger_outlives_its_pages_and_the_image() {
    let mut case = served("runbook: tick\ntriggers:\n  - every: 1m\nsteps:\n  - id: a\n    exec: [a]\n");
    case.pass(100 * 60_000);
    let fired = told(&mut case);
    assert_eq!(fired, vec!["fired"; 100].join(" "));
    case.driver().make_base();
    case.crash();
    case.disk.lose_image();
    case.open();
    assert_eq!(told(&mut case), fired, "from a base");
    case.crash();
    case.open();
    assert_eq!(told(&mut case), fired, "from the image");
}
