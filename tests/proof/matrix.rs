//! Every failpoint, with everything that can happen at it, on the real program.
//!
//! A run is played once with nothing happening, to learn which points it passes and how often. Then, for each point and
//! each thing that can happen there, a run meets it at one of its passings, chosen by the seed; is resumed, once with
//! another crash in the middle; and is judged. A point that was not met fails the suite.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use lockstep_engine::fault::Point;

use super::trial::{End, FILLER, Trial, Violation};
use crate::harness::{Case, Random, Report, Series};

/// What happens at a point.
const ACTIONS: [&str; 7] = [
    "before:crash",
    "after:crash",
    "before:error",
    "after:error",
    "before:nospace",
    "before:delay",
    "before:crash and again",
];

/// Points that no command of the program passes yet; the conformance suite of the store holds them.
const UNREACHED: [Point; 3] = [Point::BlobPut, Point::BlobSync, Point::ImageReplace];

/// Points that a command passes or not, as its threads have it; the conformance suite holds them too.
const SOMETIMES: [Point; 1] = [Point::SealRename];

#[test]
fn every_fault_at_every_durable_write_is_survived() {
    let cases: Vec<(Point, &str)> =
        Point::ALL.iter().flat_map(|point| ACTIONS.iter().map(|action| (*point, *action))).collect();
    let known = Known::learn();
    let reached: Vec<_> =
        cases.into_iter().filter(|(point, _)| !UNREACHED.contains(point) && !SOMETIMES.contains(point)).collect();
    let series = Series::of(u32::try_from(reached.len()).expect("a short list"));
    let mut report = Report::of("failpoints", "proof::matrix::every_fault", &series);
    let played = series.play_numbered(|number, name, random| {
        let (point, action) = reached[number as usize % reached.len()];
        let what = format!("{name}: {} {action}", point.name());
        let (met, end) = play(&known, point, action, random).unwrap_or_else(|why| panic!("{what}: {why}"));
        (point, action, met, end)
    });
    let mut unmet: BTreeSet<&str> = reached.iter().map(|(point, _)| point.name()).collect();
    for (point, action, met, end) in played {
        if met {
            unmet.remove(point.name());
            report.faults(action, 1);
        }
        note(&mut report, &end);
    }
    assert!(series.rounds < u32::try_from(reached.len()).unwrap_or(0) || unmet.is_empty(), "never met: {unmet:?}");
}

#[test]
fn what_is_said_to_be_unreached_is() {
    let known = Known::learn();
    let passed: Vec<_> = UNREACHED.iter().filter(|point| known.passed(**point) > 0).collect();
    assert!(passed.is_empty(), "the program passes them now, so they belong into the matrix: {passed:?}");
}

/// Counts how a trial ended.
pub fn note(report: &mut Report, end: &End) {
    let (succeeded, in_doubt) = match end {
        End::Ended { status, doubts: 0 } => (u64::from(status == "succeeded"), 0),
        End::Ended { .. } => (0, 1),
        End::NeverWas => (0, 0),
    };
    report.outcomes(&outcome(end), 1).runs(succeeded, in_doubt);
}

fn outcome(end: &End) -> String {
    match end {
        End::NeverWas => "nothing was stored, said or done".to_owned(),
        End::Ended { status, doubts: 0 } => status.clone(),
        End::Ended { status, .. } => format!("{status} after a doubt was resolved"),
    }
}

/// Where points are passed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Setting {
    /// A run from the beginning.
    Run,
    /// The resume of a run whose engine was killed between two frames.
    Resume,
    /// The same, with a torn frame at the end of the journal.
    Torn,
    /// The same, with a checkpoint that cannot be used.
    BadImage,
    /// A run whose engine is killed before it takes how a command ended, so that the supervisor is left alone.
    Orphan,
    /// The same, in a folder that is over its budget: bases are made, and the first segment is dropped.
    Over,
    /// Somebody looks at what was left.
    Look,
    /// Somebody makes a backup of what was left.
    Backup,
    /// Somebody makes another folder of that.
    Restore,
    /// Somebody accepts that records of another run, which had ended, are lost.
    Accept,
}

const SETTINGS: [Setting; 10] = [
    Setting::Run,
    Setting::Resume,
    Setting::Torn,
    Setting::BadImage,
    Setting::Orphan,
    Setting::Over,
    Setting::Look,
    Setting::Backup,
    Setting::Restore,
    Setting::Accept,
];

/// How often each point is passed by one process, by setting.
struct Known(BTreeMap<Setting, BTreeMap<String, u64>>);

impl Known {
    fn learn() -> Self {
        let learn = |setting: Setting| {
            let mut trial = Trial::of(Case::new().env("LOCKSTEP_FAULTS_TRACE", "trace"));
            setting.prepare(&mut trial);
            let _ = fs::remove_file(trial.case.path("trace"));
            let command = setting.command(&trial);
            setting.play(&mut trial, command);
            let mut passed: BTreeMap<String, u64> = BTreeMap::new();
            for line in trial.case.read("trace").lines() {
                let words: Vec<&str> = line.split(' ').collect();
                let count = passed.entry(words[1].to_owned()).or_default();
                *count = words[3].parse::<u64>().expect("a number").max(*count);
            }
            (setting, passed)
        };
        Self(SETTINGS.into_iter().map(learn).collect())
    }

    fn passed(&self, point: Point) -> u64 {
        self.0.values().filter_map(|passed| passed.get(point.name())).sum()
    }

    /// A setting in which the point is passed, and one of its passings.
    fn choose(&self, point: Point, random: &mut Random) -> (Setting, u64) {
        let all: Vec<_> =
            self.0.iter().filter_map(|(setting, passed)| Some((*setting, *passed.get(point.name())?))).collect();
        assert!(!all.is_empty(), "{} is passed in no setting: give it one", point.name());
        let (setting, count) = all[usize::try_from(random.below(all.len() as u64)).unwrap_or(0)];
        (setting, 1 + random.below(count))
    }
}

impl Setting {
    /// What has happened before.
    fn prepare(self, trial: &mut Trial) {
        if self == Self::Run || self == Self::Orphan {
            return;
        }
        if self == Self::Over {
            fill(trial);
        }
        if self == Self::Accept {
            let text = format!("runbook: {FILLER}\nsteps: [{{ id: a, shell: 'echo filling' }}]\n");
            fs::write(trial.case.path("filler.yaml"), text).expect("a file of the case");
            trial.case.lockstep(["run", "filler.yaml", "--json"]).exits(0);
        }
        let mut command = trial.run_command();
        command.env("LOCKSTEP_FAULTS", "journal.append=after:crash@3");
        assert_eq!(trial.play(command), None, "the run is killed");
        match self {
            Self::Run | Self::Orphan | Self::Resume | Self::Over | Self::Look | Self::Backup => {}
            Self::Restore => drop(trial.case.lockstep(["backup", "copy"]).exits(0)),
            Self::Torn => tear(trial),
            Self::Accept => damage_filler(trial),
            Self::BadImage => {
                let state = trial.case.data().join("state");
                fs::create_dir_all(&state).expect("a folder in the data folder");
                fs::write(state.join("db"), [7; 3000]).expect("a file in the data folder");
                fs::write(state.join("conf"), "no configuration of sled").expect("a file in the data folder");
            }
        }
    }

    fn command(self, trial: &Trial) -> Command {
        match self {
            Self::Run => trial.run_command(),
            Self::Orphan => {
                let mut command = trial.run_command();
                command.env("LOCKSTEP_FAULTS", ORPHANED);
                command
            }
            Self::Resume | Self::Torn | Self::BadImage | Self::Over => trial.resume_command(),
            Self::Look => trial.case.command(["runs", "--json"]),
            Self::Backup => trial.case.command(["backup", "copy"]),
            Self::Restore => trial.case.command(["restore", "copy", "--data", "restored"]),
            Self::Accept => trial.case.command(["doctor", "--accept-loss"]),
        }
    }

    fn play(self, trial: &mut Trial, command: Command) {
        if matches!(self, Self::Look | Self::Backup | Self::Restore | Self::Accept) {
            // What it prints is no story of a run.
            trial.case.outcome(command);
        } else {
            trial.play(command);
        }
        if self == Self::Orphan {
            trial.case.await_supervisors();
        }
    }
}

/// The engine dies when it is about to commit how the second command ended.
const ORPHANED: &str = "journal.append=before:crash@3";

/// Fills the first segment with a run of another runbook, and says that this is too much.
fn fill(trial: &Trial) {
    let step = "  - { exec: [sh, -c, \"seq 1 12000 | tr -d '\\n'\"] }\n";
    fs::write(trial.case.path("filler.yaml"), format!("runbook: {FILLER}\nsteps:\n{}", step.repeat(7)))
        .expect("a file of the case");
    trial.case.lockstep(["run", "filler.yaml", "--json"]).exits(0);
    fs::write(trial.case.data().join("config.yaml"), "storage: { max: 1MB }\n").expect("a file in the data folder");
}

/// Changes what the other run's command printed, in the frame that holds it.
fn damage_filler(trial: &Trial) {
    let path = trial.case.data().join("journal/0000000001.segment");
    let mut bytes = fs::read(&path).expect("a segment");
    let place = bytes.windows(7).rposition(|window| window == b"filling").expect("the output is there");
    bytes[place] ^= 1;
    fs::write(path, bytes).expect("a segment");
}

/// Puts what a cut-off write may leave behind the last frame.
fn tear(trial: &Trial) {
    use std::os::unix::fs::FileExt as _;
    let path = trial.case.data().join("journal/0000000001.segment");
    let bytes = fs::read(&path).expect("a segment");
    let end = bytes.iter().rposition(|byte| *byte != 0).expect("frames") + 200;
    let file = fs::File::options().write(true).open(path).expect("a segment");
    file.write_all_at(&[0xab; 100], end as u64).expect("a torn frame");
}

/// Says whether the fault was met, and how it ended.
fn play(known: &Known, point: Point, action: &str, random: &mut Random) -> Result<(bool, End), Violation> {
    let (setting, number) = known.choose(point, random);
    let mut trial = Trial::of(Case::new().env("LOCKSTEP_FAULTS_TRACE", "trace"));
    setting.prepare(&mut trial);
    let mut command = setting.command(&trial);
    let (what, again) = action.split_once(" and ").map_or((action, false), |(what, _)| (what, true));
    let orphaned = if setting == Setting::Orphan { format!(";{ORPHANED}") } else { String::new() };
    command.env("LOCKSTEP_FAULTS", format!("{}={what}@{number}{orphaned}", point.name()));
    setting.play(&mut trial, command);
    if setting == Setting::Accept {
        // Whatever was cut off is asked for again, and leaves the journal whole. Of the other run a person gets rid.
        trial.case.lockstep(["doctor", "--accept-loss"]);
        for run in trial.case.runs().iter().filter(|run| run["runbook"] == FILLER && run["ended"].is_null()) {
            trial.case.lockstep(["cancel", run["id"].as_str().unwrap_or_default()]);
        }
        let doctor = trial.case.lockstep(["doctor"]);
        if doctor.code() == Some(5) || !doctor.stdout.contains("accepted on") {
            return Err(format!("the loss was accepted, and the folder is damaged:\n{}", doctor.stdout));
        }
    }
    if again {
        let mut command = trial.resume_command();
        command.env("LOCKSTEP_FAULTS", crash_in_recovery(known, random));
        trial.play(command);
    }
    let met = trial.case.read("trace").lines().any(|line| {
        let words: Vec<&str> = line.split(' ').collect();
        words[1] == point.name() && what == format!("{}:{}", words[2], words[4])
    });
    trial.settle().map(|end| (met, end))
}

/// A plan that kills a resume at one of the points that resumes pass.
fn crash_in_recovery(known: &Known, random: &mut Random) -> String {
    let resume = &known.0[&Setting::Resume];
    let (point, count) =
        resume.iter().nth(usize::try_from(random.below(resume.len() as u64)).unwrap_or(0)).expect("a resume writes");
    let side = ["before", "after"][usize::from(random.below(2) == 0)];
    format!("{point}={side}:crash@{}", 1 + random.below(*count))
}

/// How many crashes a round of [`crashes_inside_recovery_lose_nothing`] has, at the most.
const CRASHES: u64 = 4;

#[test]
fn crashes_inside_recovery_lose_nothing() {
    let series = Series::of(50);
    let mut report = Report::of("recovery", "proof::matrix::crashes_inside_recovery", &series);
    let known = Known::learn();
    let ends = series.play(|name, random| {
        let mut trial = Trial::new();
        let mut command = trial.run_command();
        command.env("LOCKSTEP_FAULTS", format!("journal.append=after:crash@{}", 1 + random.below(7)));
        trial.play(command);
        let crashes = 1 + random.below(CRASHES);
        let mut killed = 0;
        for _ in 0..crashes {
            if random.below(4) == 0 {
                tear_if_there(&trial);
            }
            let mut command = trial.resume_command();
            command.env("LOCKSTEP_FAULTS", crash_in_recovery(&known, random));
            killed += u64::from(trial.play(command).is_none());
        }
        (killed, trial.settle().unwrap_or_else(|why| panic!("{name}: {why}")))
    });
    for (killed, end) in ends {
        note(report.faults("crash inside a recovery", killed), &end);
    }
}

/// A frame may be torn by a crash of the machine at any time, but only behind what is there.
fn tear_if_there(trial: &Trial) {
    if trial.case.data().join("journal/0000000001.segment").exists() {
        tear(trial);
    }
}
