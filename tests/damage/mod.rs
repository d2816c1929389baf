//! Damages closed data folders, one file at a time, and asks what was stored in them.
//!
//! A data folder is made by real runs, and what it holds is recorded. Each round takes a copy, harms one file (a bit is
//! turned, the file is cut short, its tail becomes zeros, it is gone), and asks the copy everything again. Whatever the
//! harm: each answer is the recorded one, or an error that names a file. Nothing panics, nothing hangs, and a refused
//! opening changes nothing. Where the journal cannot be read, accepting the loss opens the folder again, with every run
//! as it was of which nothing is lost. What is no part of the journal never keeps the folder from being opened, and the history
//! stays whole.
//!
//! `LOCKSTEP_ROUNDS` sets the number of rounds, `LOCKSTEP_SEED` repeats a series; both are printed.

mod answers;
mod harm;
mod specimen;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::mpsc;
use std::thread;

use lockstep_engine::doctor::{self, Grade, Losses};
use lockstep_engine::store::OpenError;

use self::answers::{Answers, Verdict};
use self::harm::Harm;
use self::specimen::Specimen;
use crate::harness::{DEADLINE, Random, Report, Series};

/// Rounds of the gate.
const ROUNDS: u32 = 120;
/// Rounds of a series that also takes every file in turn.
const LONG: u32 = 1_000;
/// One round in so many is also asked by the real program.
const BY_PROGRAM: u64 = 10;

#[test]
fn whatever_is_damaged_is_intact_or_rebuilt_or_reported() {
    let specimen = Specimen::make();
    let recorded = in_time("the undamaged folder", specimen.copy(), |data| Answers::of(&data));
    assert_eq!(recorded.against(&recorded), Verdict::Intact, "two readings of one folder agree");
    assert_eq!(recorded.told_by_program(&specimen), Ok(()), "the program says the same");
    let files = specimen.files();
    let examined = in_time("the undamaged folder", specimen.copy(), |data| examine(&data));
    assert_eq!(examined.expect("a data folder").findings, [], "the undamaged folder is sound");
    let series = Series::of(ROUNDS);
    let mut report = Report::of("damage", "damage::whatever_is_damaged", &series);
    let mut tally: BTreeMap<&str, BTreeMap<&str, u32>> = BTreeMap::new();
    // A short series leaves it to chance.
    let every = if series.rounds >= LONG { Harm::every(&files) } else { Vec::new() };
    let play = |number: u32, name: &str, random: &mut Random| {
        let harm = every.get(number as usize).cloned().unwrap_or_else(|| Harm::choose(random, &files));
        round(name, random, &specimen, &files, &harm, &recorded)
    };
    for (part, became) in series.play_numbered(play) {
        *tally.entry(part).or_default().entry(became).or_default() += 1;
    }
    println!("{} files; {tally:?}", files.len());
    for (part, outcomes) in &tally {
        for (became, count) in outcomes {
            report.faults(&format!("damage to a file ({part})"), u64::from(*count)).outcomes(became, u64::from(*count));
        }
    }
    let rounds: u32 = tally.values().flat_map(BTreeMap::values).sum();
    assert_eq!(rounds, series.rounds);
    // A series in which nothing was ever reported has harmed nothing.
    assert!(tally["journal"].get("reported").is_some_and(|reported| *reported > 0), "{tally:?}");
}

/// Harms one file of a copy. Gives the part that it belongs to, and what became of it.
fn round(
    name: &str,
    random: &mut Random,
    specimen: &Specimen,
    files: &BTreeMap<String, Vec<u8>>,
    harm: &Harm,
    recorded: &Answers,
) -> (&'static str, &'static str) {
    let copy = specimen.copy();
    harm.inflict(copy.path());
    let told = format!("{name}: {harm}");
    let journal = matches!(harm.part(), "journal" | "folder").then(|| copy.content("journal"));

    let (sound, mendable, losses, after) = in_time(&told, copy, |data| {
        let examined = examine(&data);
        let sound = examined.as_ref().is_ok_and(|report| report.findings.is_empty());
        let mendable = examined.as_ref().is_ok_and(|report| report.worst() == Some(Grade::Mendable));
        let losses = examined.ok().and_then(|report| report.losses);
        (sound, mendable, losses, Answers::of(&data))
    });
    let became = match after.against(recorded) {
        Verdict::Intact if sound => "intact",
        Verdict::Intact => "intact, and noticed",
        Verdict::Reported { opened } => {
            assert!(opened || journal.is_some(), "{told}: it was not opened for it");
            assert!(!sound, "{told}: it was reported, and an examination finds nothing: {after:#?}");
            assert!(opened || after.journal == journal, "{told}: the journal was changed, though it was refused");
            // What a newer program wrote is not damaged: nobody may give it up here.
            let newer = after.refusal().is_some_and(|why| why.contains("use a newer lockstep"));
            assert!(opened || newer || losses.is_some(), "{told}: nobody can say what would be lost: {after:#?}");
            "reported"
        }
        Verdict::Lost(what) => panic!("{told}: {what}"),
    };
    assert!(!sound || !harm.must_be_found(files), "{told}: an examination finds nothing");
    if mendable && matches!(harm.part(), "journal" | "bases") {
        let copy = specimen.copy();
        harm.inflict(copy.path());
        let (findings, after) = in_time(&format!("{told}, repaired"), copy, |data| {
            doctor::repair(&data).expect("it can be repaired");
            (examine(&data).expect("a data folder").findings, Answers::of(&data))
        });
        assert_eq!(findings, [], "{told}: it was repaired");
        assert_eq!(after.against(recorded), Verdict::Intact, "{told}: it was repaired");
    }
    if let Some(losses) = losses {
        accept(&told, specimen, harm, &losses, recorded);
    }
    if random.below(BY_PROGRAM) == 0 || harm.part() == "spool" {
        let copy = specimen.copy();
        harm.inflict(copy.path());
        if let Err(what) = copy.resumed() {
            panic!("{told}, resumed: {what}");
        }
    }
    (harm.part(), became)
}

/// Accepts what a harm has taken: the folder opens, and every run that is not named is as it was.
fn accept(told: &str, specimen: &Specimen, harm: &Harm, losses: &Losses, recorded: &Answers) {
    let copy = specimen.copy();
    harm.inflict(copy.path());
    let told = format!("{told}, accepted");
    let (worst, kept, findings, after) = in_time(&told, copy, |data| {
        doctor::accept_loss(&data, "user:ana").expect("what is left is kept");
        let examined = examine(&data).expect("a data folder");
        let kept = examined.findings.iter().any(|finding| finding.what.contains("user:ana accepted"));
        (examined.worst(), kept, examined.findings, Answers::of(&data))
    });
    assert!(worst == Some(Grade::Note) && kept, "{told}: {findings:#?}");
    let concerned: BTreeSet<String> = losses.runs().iter().map(ToString::to_string).collect();
    let gaps: Vec<_> = losses.gaps.iter().map(|gap| gap.first..=gap.last).collect();
    if let Err(what) = after.but_for(&concerned, &gaps, recorded) {
        panic!("{told}: {what}; said to be lost: {losses:#?}");
    }
    for run in &concerned {
        let right = recorded.reaches_into(run, &gaps) || !recorded.is_defined_for_others(run, &concerned);
        assert!(right, "{told}: run {run} has lost neither a record nor its definition: {losses:#?}");
    }
}

/// Examines a folder that nobody holds. A process that another round just starts has the locks of this one for a moment,
/// until it is the program.
fn examine(data: &Path) -> Result<doctor::Report, OpenError> {
    loop {
        let examined = doctor::examine(data);
        if !examined.as_ref().is_ok_and(|report| report.holder.is_some()) {
            return examined;
        }
    }
}

/// Does something with a copy on a thread of its own, and fails the test if it panics or takes too long.
fn in_time<T: Send + 'static>(
    what: &str,
    copy: specimen::Copy,
    ask: impl FnOnce(std::path::PathBuf) -> T + Send + 'static,
) -> T {
    let (done, is_done) = mpsc::channel();
    let path = copy.path().to_owned();
    let thread = thread::spawn(move || {
        // The copy goes when nobody asks it any more.
        let result = ask(path);
        drop(copy);
        let _ = done.send(result);
    });
    match is_done.recv_timeout(DEADLINE) {
        Ok(result) => result,
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("{what}: it hangs"),
        Err(mpsc::RecvTimeoutError::Disconnected) => {
            let panicked = thread.join().map_or_else(|panic| panic_text(panic.as_ref()), |()| String::new());
            panic!("{what}: it panicked: {panicked}")
        }
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}

/// A path of a data folder as it is named everywhere: from the folder on.
fn relative(path: &Path, data: &Path) -> String {
    path.strip_prefix(data).unwrap_or(path).display().to_string()
}
