//! Files of cases with the runbooks that they test.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lockstep_dsl::diagnostic::Diagnostic;
use lockstep_dsl::graph::Graph;
use lockstep_dsl::limits::SOURCE_BYTES;
use lockstep_dsl::source::Source;
use lockstep_dsl::test_file::{self, TestFile};

use crate::ending::Failure;
use crate::runbook_file;

/// What a file of cases is called behind the name of its runbook.
const SUFFIX: &str = ".test.yaml";

/// A file of cases, and the runbook that they are for.
pub struct Suite {
    /// The file of cases.
    pub path: PathBuf,
    /// Its text, for places in it.
    pub source: Source,
    /// The cases.
    pub file: TestFile,
    /// The runbook.
    pub graph: Arc<Graph>,
}

/// Why there is no suite.
pub enum Unusable {
    /// All that is wrong with the file of cases, or with its runbook.
    Wrong(Vec<Diagnostic>),
    /// It cannot be read.
    Failure(Failure),
}

impl From<Failure> for Unusable {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl Suite {
    /// Reads the cases and compiles their runbook. Warnings about the runbook are left to `lockstep check`.
    pub fn load(path: &Path) -> Result<Self, Unusable> {
        let text = runbook_file::read_text(path, SOURCE_BYTES as u64)?;
        let source = Source::new(path.display().to_string(), text);
        let file = test_file::read(&source, &runbook_file::sandbox()).map_err(Unusable::Wrong)?;
        let runbook = beside(path);
        if !runbook.is_file() {
            let message = format!("`{}` tests `{}`, which is not there", path.display(), runbook.display());
            return Err(Failure::usage(message)
                .help("a file of tests stands beside its runbook and has its name")
                .into());
        }
        let graph = runbook_file::compile(&runbook)?.map_err(Unusable::Wrong)?.graph;
        let wrong = test_file::check(&file, &source, &graph);
        if !wrong.is_empty() {
            return Err(Unusable::Wrong(wrong));
        }
        Ok(Self { path: path.to_owned(), source, file, graph: Arc::new(graph) })
    }
}

/// The runbook that a file of cases is for.
pub fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{}.yaml", name.strip_suffix(SUFFIX).unwrap_or(&name)))
}

/// The files of cases that paths name: a file of cases itself, that of a runbook, or all below a folder.
pub fn find(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    for path in paths {
        let before = found.len();
        if path.is_dir() {
            collect(path, &mut found)?;
            if found.len() == before {
                let message = format!("there is no file of tests (`*{SUFFIX}`) below `{}`", path.display());
                return Err(Failure::usage(message)
                    .help("`disk-cleanup.test.yaml` tests the runbook `disk-cleanup.yaml` beside it"));
            }
        } else if path.to_string_lossy().ends_with(SUFFIX) {
            found.push(path.clone());
        } else {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let tests = path.with_file_name(format!("{name}{SUFFIX}"));
            if !tests.is_file() {
                let message = format!("`{}` has no tests: there is no `{}`", path.display(), tests.display());
                return Err(Failure::usage(message));
            }
            found.push(tests);
        }
    }
    // `lockstep test` alone means this folder, which nobody needs to be told again.
    let mut found: Vec<PathBuf> =
        found.into_iter().map(|path| path.strip_prefix(".").map(Path::to_owned).unwrap_or(path)).collect();
    found.sort();
    found.dedup();
    Ok(found)
}

/// Symbolic links to folders are not followed: they may lead in a circle.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let unreadable = |error: std::io::Error| Failure::Unreadable { path: folder.to_owned(), reason: error.to_string() };
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with('.') {
            continue;
        }
        if entry.file_type().map_err(unreadable)?.is_dir() {
            collect(&entry.path(), files)?;
        } else if name.ends_with(SUFFIX) {
            files.push(entry.path());
        }
    }
    Ok(())
}
