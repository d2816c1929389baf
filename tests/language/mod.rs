//! The language, held to its promises by plain files that another implementation could run too.
//!
//! A case is one file in `cases/`, by feature: a runbook, what it is given, and what must come of it. The format is in
//! `cases/README.md`. Expectations are written from the language's description, never recorded from what the program
//! did. `LOCKSTEP_CASES=retry/` runs only the files whose path holds that text.

mod case_file;
mod compare;
mod crashes;
mod injection;
mod play;
mod server;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use self::case_file::CaseFile;
use self::crashes::Recordings;

/// How many cases run at a time: they mostly wait for processes.
const THREADS: usize = 4;

/// Fewer cases than this, and somebody lost some.
const LEAST_CASES: usize = 280;

#[test]
fn every_case_holds() {
    let folder = folder();
    let mut files = Vec::new();
    collect(&folder, &mut files);
    assert!(files.len() >= LEAST_CASES, "only {} cases below {}", files.len(), folder.display());
    if let Ok(only) = std::env::var("LOCKSTEP_CASES") {
        files.retain(|file| file.to_string_lossy().contains(&only));
        assert!(!files.is_empty(), "no case has `{only}` in its path");
    }

    let recordings = Recordings::new();
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let name = file.strip_prefix(&folder).unwrap_or(file).display().to_string();
                    let differences = in_file(file, &recordings, &name);
                    if !differences.is_empty() {
                        let report = format!("{name}\n    {}\n", differences.join("\n    "));
                        failures.lock().expect("no thread panics with it").push(report);
                    }
                }
            });
        }
    });
    let mut failures = failures.into_inner().expect("no thread panics with it");
    failures.sort();
    failures.extend(recordings.crash_everywhere());
    assert!(failures.is_empty(), "{} of {} cases do not hold:\n\n{}", failures.len(), files.len(), failures.join("\n"));
}

#[test]
fn a_case_that_does_not_hold_says_what_differs() {
    // The test of the test: everything expected here is wrong.
    let text = "\
case: Nothing of this is so.
runbook: |
  steps:
    - { id: a, shell: 'echo one; echo hidden > written' }
    - { id: b, shell: 'exit 3' }
expect:
  status: succeeded
  outputs: { a: 1 }
  error: { kind: timeout, message: signal, step: a, data: { exit_code: 4 } }
  steps:
    a: { status: failed, attempts: 2, outputs: { stdout: two } }
    c: succeeded
  order: [b, a]
  says: [no such words]
  logs: { a: two }
  files: { written: nothing, missing: '' }
  nowhere: [hidden]
";
    let case: CaseFile = serde_yaml::from_str(text).expect("a case");
    let differences = play::play(&case, None).join("\n");
    for part in [
        "exit code: expected 0, found 1",
        "status: expected \"succeeded\", found \"failed\"",
        "outputs: expected {\"a\":1}, found {}",
        "error.kind: expected \"timeout\", found \"failed\"",
        "error.message: expected a text with \"signal\", found \"exit code 3\"",
        "error.step: expected \"a\", found \"b\"",
        "error.data.exit_code: expected 4, found 3",
        "steps.a.status: expected \"failed\", found \"succeeded\"",
        "steps.a.attempts: expected 2, found 1",
        "steps.a.outputs.stdout: expected \"two\", found \"one\"",
        "steps.c: expected a step, found only a, b",
        "order: expected [\"b\",\"a\"], found [\"a\",\"b\"]",
        "standard error: expected a text with \"no such words\"",
        "logs.a: expected a text with \"two\", found \"one\\n\"",
        "files.written: expected \"nothing\", found \"hidden\\n\"",
        "files.missing: expected \"\", found null",
        "nowhere: \"hidden\" is in",
    ] {
        assert!(differences.contains(part), "{part:?} is not in:\n{differences}");
    }
    assert!(serde_yaml::from_str::<CaseFile>("case: a\nrunbook: a\nexpekt: {}\n").is_err());
}

/// Where the cases are.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/language/cases")
}

/// Every difference in one file; a panic of its case is one.
fn in_file(file: &Path, recordings: &Recordings, name: &str) -> Vec<String> {
    let text = fs::read_to_string(file).expect("a case can be read");
    match serde_yaml::from_str::<CaseFile>(&text) {
        Err(error) => vec![format!("is no case: {error}")],
        Ok(case) => std::panic::catch_unwind(|| play::play(&case, Some((recordings, name)))).unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().map_or("it panicked", String::as_str);
            vec![text.replace('\n', "\n    ")]
        }),
    }
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(folder).expect("a folder of cases").map(|entry| entry.expect("an entry of it").path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            files.push(path);
        }
    }
}
