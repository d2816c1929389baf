//! `incident/disk-cleanup` on a real file system of a few megabytes, and `schedule/disk-sweep` on two of them.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use serde_json::json;
use tempfile::TempDir;

use super::run::Run;

const KIB: usize = 1024;
const DAY: Duration = Duration::from_hours(24);

#[test]
fn the_oldest_files_go_and_no_more_than_needed() {
    let disk = Disk::mount();
    for age in 10..=17 {
        disk.write(&format!("app.log.{age}.gz"), 48, age); // 9.4 % each
    }
    disk.fill_to(96);
    let run = disk.cleanup().param("limit", 90).param("target", 75).finish();

    let outputs = run.succeeded();
    assert!(outputs["before"].as_i64() >= Some(95), "{outputs}");
    assert!(outputs["after"].as_i64() <= Some(75), "{outputs}");
    let left: Vec<_> = (10..=17).filter(|age| disk.has(&format!("app.log.{age}.gz"))).collect();
    let gone = 8 - left.len();
    assert_eq!(left, (10..=17).take(left.len()).collect::<Vec<_>>(), "an older file than one that went is still there");
    assert_eq!(outputs["files"], gone);
    assert_eq!(outputs["bytes"], gone * 48 * KIB);
    assert!(outputs["after"].as_i64() > Some(75 - 10), "one file fewer would have done: {outputs}");
}

#[test]
fn what_could_still_matter_stays() {
    let disk = Disk::mount();
    disk.write("old.gz", 64, 30);
    disk.write("a name with\n a line break and a space .gz", 64, 30);
    disk.write("young.gz", 64, 1);
    disk.write("live.log", 64, 30);
    disk.write("two-names.gz", 64, 30);
    fs::hard_link(disk.path("two-names.gz"), disk.path("its-other-name")).expect("a second name");
    let elsewhere = tempfile::tempdir().expect("a temporary folder");
    write(&elsewhere.path().join("reached-by-a-link.gz"), 1, 30);
    symlink(elsewhere.path(), disk.path("link")).expect("a link");
    symlink(elsewhere.path().join("reached-by-a-link.gz"), disk.path("link.gz")).expect("a link");
    disk.write("in-use.gz", 64, 30);
    let in_use = File::open(disk.path("in-use.gz")).expect("a file");
    disk.fill_to(96);
    let run = disk.cleanup().param("limit", 90).param("target", 0).finish();

    assert_eq!(run.succeeded()["files"], 2);
    for kept in
        ["young.gz", "live.log", "two-names.gz", "its-other-name", "link.gz", "link/reached-by-a-link.gz", "in-use.gz"]
    {
        assert!(disk.has(kept), "{kept} is gone");
    }
    assert!(!disk.has("old.gz"));
    assert!(run.log("clean").contains("kept, since a process has it open"), "{run}");
    drop(in_use);
}

#[test]
fn below_the_limit_nothing_is_touched() {
    let disk = Disk::mount();
    disk.write("old.gz", 64, 30);
    let run = disk.cleanup().finish();

    assert_eq!(run.succeeded()["files"], 0);
    assert_eq!(run.step("clean")["status"], "skipped");
    assert!(disk.has("old.gz"));
}

#[test]
fn a_dry_run_lists_and_deletes_nothing() {
    let disk = Disk::mount();
    disk.write("old.gz", 64, 30);
    disk.write("older.gz", 64, 40);
    disk.fill_to(96);
    let run = disk.cleanup().param("dry_run", true).finish();

    let outputs = run.succeeded();
    assert_eq!((&outputs["files"], &outputs["bytes"]), (&json!(2), &json!(128 * KIB)));
    let plan = run.log("plan");
    assert!(plan.find("older.gz") < plan.find("old.gz"), "not oldest first: {plan}");
    assert!(disk.has("old.gz") && disk.has("older.gz"));
}

#[test]
fn dangerous_folders_are_refused_before_anything_is_deleted() {
    let disk = Disk::mount();
    disk.write("old.gz", 64, 30);
    disk.fill_to(96);
    symlink("/etc", disk.path("innocent")).expect("a link");
    let elsewhere = tempfile::tempdir().expect("a temporary folder");
    let here = disk.logs.to_str().expect("a path in UTF-8");
    for (path, why) in [
        ("/", "holds more than what may be deleted"),
        ("//", "holds more than what may be deleted"),
        ("/var/../", "holds more than what may be deleted"),
        ("", "an empty path"),
        ("var/log", "is not an absolute path"),
        ("/usr/share", "belongs to the system"),
        (&format!("{here}/innocent"), "/etc belongs to the system"),
        (&format!("{here}/old.gz"), "is not a folder"),
        (&format!("{here}/missing"), "cannot be read"),
        (&format!("{here}\n/"), "holds a line break"),
        (elsewhere.path().to_str().expect("a path in UTF-8"), "is on another file system"),
    ] {
        let run = disk.run().param("paths", json!([here, path])).finish();
        let error = run.failed();
        assert_eq!(error["step"], "guard", "{path:?}: {error}");
        assert!(error["data"]["stderr"].as_str().is_some_and(|text| text.contains(why)), "{path:?}: {error}");
    }
    assert!(disk.has("old.gz"));
}

#[test]
fn when_nothing_may_go_the_run_fails_and_shows_what_fills_the_disk() {
    let disk = Disk::mount();
    fs::create_dir(disk.path("database")).expect("a folder");
    disk.fill_to(96);
    fs::rename(disk.path("filler"), disk.path("database/filler")).expect("a file to move");
    let run = disk.cleanup().finish();

    run.failed_saying("may be deleted");
    assert_eq!(run.failed()["kind"], "assertion");
    let biggest = run.log("on_failure/biggest");
    assert!(biggest.contains("/database"), "{biggest}");
}

#[test]
fn when_it_did_not_help_enough_the_run_fails() {
    let disk = Disk::mount();
    disk.write("old.gz", 8, 30);
    disk.fill_to(97);
    let run = disk.cleanup().finish();

    run.failed_saying("is still at");
    assert!(!disk.has("old.gz"));
}

#[test]
fn a_sweep_cleans_the_disks_that_are_filling_up_and_no_others() {
    let (full, fine) = (Disk::mount(), Disk::mount());
    for age in 30..33 {
        full.write(&format!("old.{age}.gz"), 48, age); // 9.4 % each
    }
    full.fill_to(96);
    fine.write("old.gz", 64, 30);
    let run = sweep(&[&full, &fine]).param("limit", 90).finish();

    let outputs = run.succeeded();
    assert_eq!((&outputs["files"], &outputs["bytes"]), (&json!(2), &json!(96 * KIB)), "{run}");
    assert!(full.has("old.30.gz") && !full.has("old.31.gz") && !full.has("old.32.gz"), "{run}");
    assert!(fine.has("old.gz"));
}

#[test]
fn a_disk_that_cannot_be_cleaned_keeps_a_sweep_from_no_other() {
    let (stuck, full) = (Disk::mount(), Disk::mount());
    stuck.fill_to(96);
    full.write("old.gz", 96, 30); // 18.8 %
    full.fill_to(96);
    let run = sweep(&[&stuck, &full]).param("limit", 90).finish();

    let error = run.failed();
    assert!(error["step"].as_str().is_some_and(|step| step.starts_with("each")), "{error}");
    assert!(stuck.has("filler") && !full.has("old.gz"), "{run}");
}

#[test]
fn a_target_above_the_limit_is_refused() {
    let disk = Disk::mount();
    let run = disk.cleanup().param("limit", 50).param("target", 50).finish();

    run.failed_saying("target (50 %) must be below limit (50 %)");
}

/// A sweep over these, which may delete in the folder for logs of each.
fn sweep(disks: &[&Disk]) -> Run {
    let folders = disks.iter().map(|disk| (disk.root.path().display().to_string(), json!([disk.logs])));
    Run::of("schedule/disk-sweep").param("folders", folders.collect::<serde_json::Map<_, _>>())
}

/// A file system of its own, so small that a test can fill it, with a folder for logs.
struct Disk {
    root: TempDir,
    logs: PathBuf,
}

impl Disk {
    const SIZE: usize = 512 * KIB;

    #[track_caller]
    fn mount() -> Self {
        let root = tempfile::tempdir().expect("a temporary folder");
        let options = format!("size={},uid={}", Self::SIZE, rustix::process::getuid().as_raw());
        let mounted = as_root("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(root.path()).status();
        assert!(mounted.is_ok_and(|status| status.success()), "mounting a file system takes root's rights, or sudo's");
        let logs = root.path().join("logs");
        fs::create_dir(&logs).expect("a folder");
        Self { root, logs }
    }

    fn run(&self) -> Run {
        Run::of("incident/disk-cleanup").param("mount", self.root.path().display().to_string())
    }

    fn cleanup(&self) -> Run {
        self.run().param("paths", json!([self.logs]))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.logs.join(name)
    }

    fn has(&self, name: &str) -> bool {
        self.path(name).exists()
    }

    fn write(&self, name: &str, kib: usize, age_days: u32) {
        write(&self.path(name), kib * KIB, age_days);
    }

    /// Fills it up with a file that no pattern matches, until this much of it is used.
    fn fill_to(&self, percent: usize) {
        let used = usize::try_from(self.used()).expect("a small disk");
        let missing = (Self::SIZE * percent / 100).checked_sub(used).expect("it is not that full yet");
        write(&self.path("filler"), missing, 0);
    }

    fn used(&self) -> u64 {
        let statistics = rustix::fs::statvfs(self.root.path()).expect("a file system");
        (statistics.f_blocks - statistics.f_bfree) * statistics.f_frsize
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let unmounted = as_root("umount").arg("--lazy").arg(self.root.path()).status();
        assert!(unmounted.is_ok_and(|status| status.success()) || std::thread::panicking(), "it is unmounted again");
    }
}

fn as_root(program: &str) -> Command {
    if rustix::process::geteuid().is_root() {
        return Command::new(program);
    }
    let mut sudo = Command::new("sudo");
    sudo.args(["-n", program]);
    sudo
}

fn write(path: &Path, bytes: usize, age_days: u32) {
    fs::write(path, vec![b'x'; bytes]).expect("room for a file");
    let file = File::options().write(true).open(path).expect("the file just written");
    file.set_modified(SystemTime::now() - DAY * age_days).expect("a time in the past");
}
