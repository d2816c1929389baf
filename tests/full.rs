//! Fills the disk under a data folder while a run goes on, kills it or not, opens on the full disk, and makes room again.
//!
//! The data folder lies on a small disk of its own; a witness lies elsewhere. Whatever the moment: what was said to have
//! succeeded stays so, no step begins twice, the folder opens and answers on the full disk, a new run is refused there
//! and says why, and with room again all goes on.
//!
//! `LOCKSTEP_ROUNDS` sets the number of rounds, `LOCKSTEP_SEED` repeats a series; both are printed. Mounting needs root.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value as Json;

use crate::harness::{Case, Process, Random, Report, Series};

const ROUNDS: u32 = 6;
const STEPS: u64 = 8;
/// The journal's first segments, and two in reserve, take a third of it.
const DISK: &str = "size=64m,mode=700";

#[test]
fn nothing_is_lost_when_the_disk_is_full() {
    let series = Series::of(ROUNDS);
    let mut report = Report::of("full", "full::nothing_is_lost", &series);
    let mut tally: BTreeMap<&str, u64> = BTreeMap::new();
    for became in series.play(round) {
        *tally.entry(became).or_default() += 1;
    }
    println!("{tally:?}");
    report.faults("disk full", series.rounds.into());
    for (became, count) in &tally {
        report.outcomes(became, *count);
    }
    assert_eq!(tally.values().sum::<u64>(), u64::from(series.rounds));
}

#[test]
fn a_new_run_is_refused_while_room_is_short_and_what_is_open_ends() {
    let disk = Disk::mount();
    let case = Case::new().data_folder(disk.0.clone());
    let gate = case.gate("gate");
    let case = case
        .runbook(&format!("steps: [{{ id: a, shell: \"{}; echo well\" }}]\n", gate.script()))
        .file("other.yaml", "runbook: other\nsteps: [{ shell: echo other }]\n");
    let mut run = case.start();
    let id = run.id();
    gate.arrival();
    // Short, and not yet full.
    disk.fill(512 * 1024);
    let refused = case.lockstep(["run", "other.yaml", "--json"]);
    refused.exits(5).says("is short of space").says("help: make room for").says("runs that are open go on");
    assert_eq!(case.runs().len(), 1, "nothing of it is there");
    case.lockstep(["doctor"]).exits(1).prints("no new run is started");
    gate.open();
    run.outcome(&case).succeeds();
    assert_eq!(case.show(&id)["status"], "succeeded");
    disk.free();
    case.lockstep(["run", "other.yaml", "--json"]).exits(0);
}

/// One full disk. Gives what became of the run.
fn round(name: &str, random: &mut Random) -> &'static str {
    let disk = Disk::mount();
    let case = case().data_folder(disk.0.clone());
    let mut run = case.start();
    let id = run.id();
    let mut told = Vec::new();
    let wanted = random.below(STEPS - 1) + 1;
    while (told.len() as u64) < wanted {
        told.push(
            run.event("a step that succeeded", |event| event["type"] == "step" && event["status"] == "succeeded"),
        );
    }
    // All of it, or all but a little.
    disk.fill([0, 16 * 1024, 300 * 1024][usize::try_from(random.below(3)).expect("one of three")]);
    let killed = random.below(3) > 0;
    let mut others = 0;
    let outcome = if killed {
        run.kill();
        // Opens on the full disk, and says what there is.
        let rows = case.runs();
        assert_eq!((rows.len(), &rows[0]["id"]), (1, &Json::from(id.as_str())), "{name}");
        // The opening removes what was not finished, such as a spare segment: that may be room enough for a new run.
        match case.lockstep(["run", "runbook.yaml", "--json"]).code() {
            Some(5) => {}
            Some(0 | 1) => others += 1,
            other => panic!("{name}: a new run on the full disk: {other:?}"),
        }
        let mut resumed = Process::start(case.command(["resume", &id, "--json"]));
        resumed.event("that the folder was opened", |event| event["type"] == "started");
        disk.free();
        resumed.outcome(&case)
    } else {
        disk.free();
        run.outcome(&case)
    };
    let view = case.show(&id);
    let status = |path: &Json| {
        let steps = view["steps"].as_array().expect("steps");
        steps.iter().find(|step| step["path"] == *path).map(|step| step["status"].clone())
    };
    for event in &told {
        let now = status(&event["path"]);
        assert_eq!(now, Some("succeeded".into()), "{name}: what was said is taken back: {event}\n{view:#}");
    }
    if others > 0 {
        // Both write to one witness.
        return "a new run found room";
    }
    let mut begun: BTreeMap<String, u32> = BTreeMap::new();
    for line in case.read("witness").lines() {
        *begun.entry(line.to_owned()).or_default() += 1;
    }
    assert!(begun.values().all(|count| *count == 1), "{name}: a step began twice: {begun:?}");
    let became = match (outcome.code(), view["status"].as_str()) {
        (Some(0), Some("succeeded")) => "succeeded",
        (Some(3), Some("waiting")) => "in doubt",
        // A step that found no room to begin, and said so.
        (Some(1), Some("failed")) if view["error"]["message"].to_string().contains("space") => {
            "failed for want of room"
        }
        other => panic!("{name}: {other:?}: {}\n{view:#}", outcome.stderr),
    };
    // A checkpoint that could not be opened for want of room was set aside.
    case.lockstep(["doctor", "--repair"]).exits(0);
    let after = Case::new().runbook("steps: [{ shell: echo again }]\n").data_folder(disk.0.clone());
    after.run().succeeds();
    assert_eq!(after.runs().len(), 2, "{name}");
    became
}

/// Steps that must not run twice, each with output that fills its log.
fn case() -> Case {
    let steps = (0..STEPS).map(|step| format!("  - {{ shell: 'echo {step} >> witness; seq 1 20000' }}\n"));
    Case::new().runbook(&format!("steps:\n{}", steps.collect::<String>()))
}

/// A small disk of its own, unmounted with this.
struct Disk(PathBuf, #[expect(dead_code, reason = "the place where it is mounted")] tempfile::TempDir);

impl Disk {
    /// Mounts one.
    fn mount() -> Self {
        let place = tempfile::tempdir().expect("a temporary folder");
        let path = place.path().join("disk");
        fs::create_dir(&path).expect("a folder");
        mount(["-t", "tmpfs", "-o", DISK, "tmpfs"], &path);
        Self(path, place)
    }

    /// Leaves so many bytes of it.
    fn fill(&self, but: usize) {
        let mut ballast = File::create(self.ballast()).expect("a file on the disk");
        let block = [1; 4096];
        let full = loop {
            if let Err(error) = ballast.write_all(&block) {
                break error;
            }
        };
        assert_eq!(full.kind(), ErrorKind::StorageFull);
        if but > 0 {
            let length = ballast.metadata().expect("the ballast").len();
            ballast.set_len(length.saturating_sub(but as u64)).expect("a smaller ballast");
        }
    }

    /// Makes room.
    fn free(&self) {
        fs::remove_file(self.ballast()).expect("the ballast");
    }

    fn ballast(&self) -> PathBuf {
        self.0.join("lost+found")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: what a failed test has left running may still use it.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn mount<const N: usize>(options: [&str; N], place: &Path) {
    let mounted = Command::new("mount").args(options).arg(place).output().expect("`mount` can be run");
    assert!(mounted.status.success(), "this suite mounts disks, as root: {}", String::from_utf8_lossy(&mounted.stderr));
}
