//! Bugs that are planted in the real program, each caught by the suite that is there for it.
//!
//! Others are caught by the suites of the engine, beside the tests that catch them; `docs/proofs.md` has the table.

use std::panic::{AssertUnwindSafe, catch_unwind};

use lockstep_engine::fault::Bug;

use super::power::{Cuts, Span, on_disk, play};
use super::trial::{Trial, Violation};
use crate::adopt;
use crate::harness::{Case, Random, Report, Series};

/// Losses of power within which a missing sync is found; most are in the first ten.
const POWER_ROUNDS: u32 = 200;
/// Kills of the engine in mid-command within which an end that is not read is found; the first finds it.
const ADOPT_ROUNDS: u32 = 10;

#[test]
fn what_was_not_synced_is_caught_by_a_loss_of_power() {
    let bugs =
        [Bug::NoSync, Bug::SegmentFolderNotSynced, Bug::RetriedSync, Bug::LastFrameNotAgain, Bug::OtherBootIgnored];
    let span = Span::learn();
    let series = Series::new(Series::of(1).seed(), u32::try_from(bugs.len()).expect("a short list"));
    let mut report = Report::of("planted", "proof::planted::what_was_not_synced", &series);
    let caught = series.play_numbered(|number, name, random| {
        let bug = bugs[number as usize];
        let caught = (1..=POWER_ROUNDS).find_map(|round| power_round(bug, span, random).err().map(|why| (round, why)));
        let Some((round, why)) = caught else { panic!("{name}: {} is not caught", bug.name()) };
        println!("{} is caught by loss of power {round}: {}", bug.name(), why.lines().next().unwrap_or_default());
        (bug, format!("loss of power, the {round}. time"))
    });
    note(&mut report, &caught);
}

#[test]
fn what_is_done_before_it_is_stored_is_caught_by_a_failing_write() {
    let bugs = [Bug::StartBeforeIntent];
    let series = Series::new(Series::of(1).seed(), u32::try_from(bugs.len()).expect("a short list"));
    let mut report = Report::of("planted", "proof::planted::what_is_done", &series);
    let caught = series.play_numbered(|number, name, _| {
        let bug = bugs[number as usize];
        let caught = (1..=6).find(|passing| failing_write(bug, *passing).is_err());
        let Some(passing) = caught else { panic!("{name}: {} is not caught", bug.name()) };
        (bug, format!("a failing write, append {passing} of the journal"))
    });
    note(&mut report, &caught);
}

#[test]
fn what_is_overlooked_in_the_spool_is_caught_by_a_crash() {
    let suites: [(Bug, &str, Suite); 3] = [
        (Bug::ExitIgnored, "commands that are picked up", |case, name, random| {
            adopt::pick_up(&adopt::talkative(case), name, random);
        }),
        (Bug::BegunIgnored, "a supervisor that is killed", |case, _, _| adopt::lose_supervisor(case)),
        (Bug::FilesBelieved, "files that are torn", |case, _, _| adopt::tear_files(case)),
    ];
    let series = Series::new(Series::of(1).seed(), u32::try_from(suites.len()).expect("a short list"));
    let mut report = Report::of("planted", "proof::planted::what_is_overlooked", &series);
    let caught = series.play_numbered(|number, name, random| {
        let (bug, by, suite) = suites[number as usize];
        let mut fails = || {
            judged(|| {
                suite(planted(bug), name, random);
                Ok(())
            })
            .is_err()
        };
        assert!((0..ADOPT_ROUNDS).any(|_| fails()), "{name}: {} is not caught", bug.name());
        (bug, by.to_owned())
    });
    note(&mut report, &caught);
}

/// Notes by what each bug was caught.
fn note(report: &mut Report, caught: &[(Bug, String)]) {
    report.outcomes("caught", caught.len() as u64);
    for (bug, by) in caught {
        report.caught(bug.name(), by);
    }
}

/// A suite that fails by a panic.
type Suite = fn(Case, &str, &mut Random);

fn planted(bug: Bug) -> Case {
    Case::new().env("LOCKSTEP_PLANTED", bug.name())
}

fn power_round(bug: Bug, span: Span, random: &mut Random) -> Result<(), Violation> {
    judged(|| play(&mut on_disk(planted(bug)), span, random, &mut Cuts::default()).map(drop))
}

fn failing_write(bug: Bug, passing: u32) -> Result<(), Violation> {
    judged(|| {
        let mut trial = Trial::of(planted(bug));
        let mut command = trial.run_command();
        command.env("LOCKSTEP_FAULTS", format!("journal.append=before:error@{passing}"));
        trial.play(command);
        trial.settle().map(drop)
    })
}

/// A suite that panics has caught something too.
fn judged(suite: impl FnOnce() -> Result<(), Violation>) -> Result<(), Violation> {
    catch_unwind(AssertUnwindSafe(suite)).unwrap_or_else(|_| Err("the suite failed".to_owned()))
}
