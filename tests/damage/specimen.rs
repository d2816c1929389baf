//! A closed data folder with something of everything, and copies of it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::{FileExt as _, FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::thread;

use lockstep_dsl::expr::Sandbox;
use lockstep_engine::clock::{Clock as _, SystemClock};
use lockstep_engine::driver::{Driver, Places};
use lockstep_engine::eval::Evaluator;
use lockstep_engine::store::Folder;
use lockstep_engine::store::base::KEPT_BASES;
use lockstep_engine::store::journal::SegmentInfo;
use lockstep_engine::worker::retired::retire;
use rustix::fs::{CWD, FileType, FlockOperation, Mode, flock, mknodat};
use serde_json::Value as Json;
use tempfile::TempDir;

use super::relative;
use crate::harness::{Case, DEADLINE};

/// Blocks of zeros of this many bytes stay holes in a copy.
const BLOCK: usize = 64 * 1024;
static ZEROS: [u8; BLOCK] = [0; BLOCK];
/// Steps of the run that prints much.
const LARGE_STEPS: usize = 5;

/// The folder, made by the program itself.
pub struct Specimen {
    case: Case,
    /// The run that was cut off, with a command that ended since.
    open: String,
}

impl Specimen {
    /// Runs what fails, what succeeds, what is in doubt and what is cut off, with output enough for several segments: the
    /// first is dropped, the second sealed, and there are two bases. Of two runs that were open then the beginning is not
    /// kept; one of them has ended since.
    pub fn make() -> Self {
        let case = Case::new();
        let (gate, long_gate) = (case.gate("gate"), case.gate("long"));
        // What one step prints stays in the journal as it is: two such runs fill more than the first segment.
        let large = "{ exec: [sh, -c, \"seq 1 12000 | tr -d '\\n'\"] }";
        let case = case
            .runbook(&format!(
                "steps:\n{}  - {{ id: last, shell: 'echo well' }}\noutputs: {{ text: steps.last.stdout }}\n",
                format!("  - {large}\n").repeat(LARGE_STEPS)
            ))
            .file("fails.yaml", "runbook: fails\nsteps: [{ id: a, shell: 'echo out; echo err >&2; exit 3' }]\n")
            .file(
                "long.yaml",
                format!(
                    "runbook: long\nsteps:\n  - {{ id: a, shell: 'echo a' }}\n  - {{ id: b, shell: \"{}; echo b\" }}\n\
                     outputs: {{ text: steps.a.stdout }}\n",
                    long_gate.script()
                ),
            )
            .file(
                "open.yaml",
                format!(
                    "runbook: open\nsteps:\n  - {{ id: a, shell: 'echo began >> witness' }}\n  - id: b\n    shell: |\n      \
                     echo once >> witness\n      {}\n      echo done\noutputs: {{ text: steps.b.stdout }}\n",
                    gate.script()
                ),
            );
        let open = {
            let mut run = crate::harness::Process::start(case.command(["run", "open.yaml", "--json"]));
            let id = run.id();
            gate.arrival();
            run.kill();
            gate.open();
            supervisors_end(&case.data().join("spool"));
            id
        };
        let long = {
            let mut run = crate::harness::Process::start(case.command(["run", "long.yaml", "--json"]));
            let id = run.id();
            long_gate.arrival();
            run.kill();
            long_gate.open();
            case.await_supervisors();
            id
        };
        case.lockstep(["run", "fails.yaml", "--json"]).exits(1);
        while segments(case.data()).len() < 3 {
            case.run().succeeds();
        }
        drop_first_segment(case.data());
        // Logs go before history does.
        for run in case.runs() {
            let id = run["id"].as_str().expect("an id");
            if case.show(id)["gone"]["why"] == "retention" {
                let now = SystemClock::new().now(None).wall;
                retire(&case.data().join("logs").join(id), now).expect("logs are removed");
            }
        }
        case.lockstep(["resume", &long, "--json"]).exits(0);
        case.run().succeeds();
        case.lockstep(["run", "fails.yaml", "--json"]).exits(1);
        Self { case, open }
    }

    /// The original's case.
    pub fn case(&self) -> &Case {
        &self.case
    }

    /// Every file, by its path from the data folder on.
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        content(self.case.data())
    }

    /// A copy of its own.
    pub fn copy(&self) -> Copy {
        let folder = TempDir::new().expect("a temporary folder");
        let data = folder.path().join("data");
        fs::create_dir(&data).expect("a folder");
        // As the original, so that an examination has nothing to say about rights.
        fs::set_permissions(&data, fs::Permissions::from_mode(0o700)).expect("rights");
        for path in below(self.case.data()) {
            let target = data.join(relative(&path, self.case.data()));
            let kind = fs::symlink_metadata(&path).expect("a file of the original").file_type();
            if kind.is_dir() {
                fs::create_dir(&target).expect("a folder");
            } else if kind.is_fifo() {
                mknodat(CWD, &target, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a named pipe");
            } else if kind.is_file() {
                copy_file(&path, &target);
            }
        }
        let witness = (self.case.path("witness"), self.case.read("witness"));
        Copy { _folder: folder, data, open: self.open.clone(), witness }
    }
}

/// A copy, removed with this.
pub struct Copy {
    _folder: TempDir,
    data: PathBuf,
    open: String,
    /// What the commands of the run that was cut off write: where, and what they had.
    witness: (PathBuf, String),
}

impl Copy {
    /// The data folder.
    pub fn path(&self) -> &Path {
        &self.data
    }

    /// The files of one part.
    pub fn content(&self, part: &str) -> BTreeMap<String, Vec<u8>> {
        content(&self.path().join(part))
    }

    /// The real program goes on with what was cut off: it ends as it would have, or in doubt; and what must not run
    /// twice does not.
    pub fn resumed(&self) -> Result<(), String> {
        let case = Case::new().data_folder(self.path().to_owned());
        let outcome = case.lockstep(["resume", &self.open, "--json"]);
        let code = outcome.code();
        if code == Some(5) {
            let names = outcome.stderr.contains(&*self.path().to_string_lossy());
            return if names { Ok(()) } else { Err(format!("no file is named: {}", outcome.stderr)) };
        }
        let shown = case.lockstep(["show", &self.open, "--json"]);
        if shown.code() == Some(5) && shown.stderr.contains(&*self.path().to_string_lossy()) {
            // What the run needed is whole, and what is not was over.
            return Ok(());
        }
        let view: Json = serde_json::from_str(&shown.stdout).map_err(|error| format!("{error}: {}", shown.stderr))?;
        let step = &view["steps"][1];
        match (code, view["status"].as_str()) {
            (Some(0), Some("succeeded")) if view["outputs"]["text"] == "\ndone" => {}
            (Some(3), Some("waiting")) if step["status"] == "in_doubt" && step["reason"].is_string() => {}
            _ => return Err(format!("{code:?}: {}\n{view:#}", outcome.stderr)),
        }
        // It stands in the original's folder, which is the run's: a command that began anew would have written there.
        let (path, was) = &self.witness;
        let now = fs::read_to_string(path).unwrap_or_default();
        if now == *was { Ok(()) } else { Err(format!("it ran again: {now:?}")) }
    }
}

/// The segments that hold frames.
fn segments(data: &Path) -> Vec<SegmentInfo> {
    Folder::open(data).and_then(|folder| folder.log()?.segments()).expect("a journal")
}

/// Lets go of what the first segment holds, so that it is dropped, and seals the second.
fn drop_first_segment(data: &Path) {
    let folder = Folder::open(data).expect("a data folder");
    let mut log = folder.log().expect("a journal");
    log.seal();
    let second = log.segments().expect("segments")[1];
    drop(log);
    let places = Places { logs: folder.logs_dir(), spool: folder.spool_dir() };
    let evaluator = Evaluator::new(Arc::new(Sandbox::new(&[])));
    let mut driver = Driver::open(folder, Box::new(SystemClock::new()), evaluator, places).expect("a journal");
    driver.forget_before(second.first).expect("nothing keeps it");
    (0..KEPT_BASES).for_each(|_| drop(driver.make_base()));
    driver.close([]);
    drop(driver);
    let left = segments(data);
    assert!(left[0] == second && second.sealed && left.len() > 1, "{left:?}");
}

/// Waits until no supervisor lives: each holds a lock on its task.
fn supervisors_end(spool: &Path) {
    let tasks: Vec<PathBuf> = below(spool).into_iter().filter(|path| path.ends_with("task")).collect();
    assert!(!tasks.is_empty(), "a command runs");
    let (done, is_done) = mpsc::channel();
    thread::spawn(move || {
        for task in tasks {
            let file = File::open(task).expect("a task");
            flock(&file, FlockOperation::LockShared).expect("a lock");
        }
        done.send(())
    });
    is_done.recv_timeout(DEADLINE).expect("the supervisors end");
}

/// Everything below a folder, folders before what is in them.
fn below(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry")) {
        all.push(entry.path());
        if entry.file_type().expect("a type").is_dir() {
            all.extend(below(&entry.path()));
        }
    }
    all
}

/// All files of a folder with their bytes.
pub fn content(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = below(folder).into_iter().filter(|path| path.is_file());
    files.map(|path| (relative(&path, folder), fs::read(&path).expect("a file"))).collect()
}

fn copy_file(from: &Path, to: &Path) {
    let bytes = fs::read(from).expect("a file");
    let file = File::create(to).expect("a file");
    file.set_len(bytes.len() as u64).expect("a file as long");
    for (number, block) in bytes.chunks(BLOCK).enumerate() {
        if *block != ZEROS[..block.len()] {
            file.write_all_at(block, (number * BLOCK) as u64).expect("a block");
        }
    }
}

/// An event of a run as text that says nothing of where the folder lies.
pub fn placeless(json: &Json, data: &Path) -> String {
    json.to_string().replace(&*data.to_string_lossy(), "DATA")
}
