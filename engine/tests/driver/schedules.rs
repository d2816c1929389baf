//! Schedules: enrolled, changed and withdrawn, whatever happens to the engine.

use std::sync::Arc;

use lockstep_engine::api::{Enroll, Enrolled, Reply, Request, ScheduleStatus, ScheduleView};

use crate::case::{Case, graph};

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
