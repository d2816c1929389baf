//! Runbooks on disk: reads them, compiles them, and says what is wrong with them.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use lockstep_dsl::compile::{Compiled, FileContent, FileError, Files};
use lockstep_dsl::diagnostic::{self, Diagnostic};
use lockstep_dsl::expr::Sandbox;
use lockstep_dsl::graph::Graph;
use lockstep_dsl::limits::SOURCE_BYTES;
use lockstep_dsl::source::Source;

use crate::ending::Failure;
use crate::output::{self, Style, screen_columns};

/// Bytes of one file that travels with a run: it is stored with every version of the runbook.
const PINNED_BYTES: u64 = 16 * 1024 * 1024;

/// Reads and compiles the runbook that a command is about. What is wrong with it, warnings too, goes to standard error.
pub fn load(path: &Path, style: Style) -> Result<Graph, Failure> {
    load_for(path, style, "nothing was started")
}

/// The same, where what comes of a runbook that cannot run is another thing.
pub fn load_for(path: &Path, style: Style, consequence: &str) -> Result<Graph, Failure> {
    let compiled = compile(path)?;
    let (diagnostics, graph) = match compiled {
        Ok(Compiled { graph, warnings }) => (warnings, Some(graph)),
        Err(diagnostics) => (diagnostics, None),
    };
    if !diagnostics.is_empty() {
        // Standard error may be gone; the exit code says enough.
        let _ = output::say(render(&diagnostics, style).trim_end());
    }
    graph.ok_or_else(|| Failure::Invalid(format!("`{}` cannot run; {consequence}", path.display())))
}

/// Reads and compiles a runbook. The inner result is what the compiler says.
pub fn compile(path: &Path) -> Result<Result<Compiled, Vec<Diagnostic>>, Failure> {
    let text = read_text(path, SOURCE_BYTES as u64)?;
    let source = Source::new(path.display().to_string(), text);
    Ok(lockstep_dsl::compile(&source, &Beside::of(path), &sandbox()))
}

/// The runbooks below a folder, sorted: every `*.yaml` that is no file of tests, and not hidden. Symbolic links to folders
/// are not followed: they may lead in a circle.
pub fn below(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    collect(folder, &mut files)?;
    files.sort();
    Ok(files)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let unreadable = |error: std::io::Error| Failure::Unreadable { path: folder.to_owned(), reason: error.to_string() };
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if entry.file_type().map_err(unreadable)?.is_dir() {
            if !name.starts_with('.') {
                collect(&entry.path(), files)?;
            }
        } else if name.ends_with(".yaml") && !name.ends_with(".test.yaml") && !name.starts_with('.') {
            files.push(entry.path());
        }
    }
    Ok(())
}

/// What reads expressions, built once for all that this process does.
pub fn sandbox() -> Arc<Sandbox> {
    static SANDBOX: LazyLock<Arc<Sandbox>> = LazyLock::new(|| Arc::new(lockstep_stdlib::sandbox()));
    Arc::clone(&SANDBOX)
}

/// Diagnostics as people read them.
pub fn render(diagnostics: &[Diagnostic], style: Style) -> String {
    let color = if style.color { diagnostic::Color::Always } else { diagnostic::Color::Never };
    diagnostic::render(diagnostics, color, screen_columns())
}

/// Reads a text file of at most `limit` bytes.
pub fn read_text(path: &Path, limit: u64) -> Result<String, Failure> {
    let unreadable = |reason: String| Failure::Unreadable { path: path.to_owned(), reason };
    let metadata = fs::metadata(path).map_err(|error| unreadable(reason(&error)))?;
    if metadata.is_dir() {
        return Err(unreadable("it is a folder".to_owned()));
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| unreadable(reason(&error)))?;
    // One byte more than allowed tells a full file from a larger one, also of a pipe, whose length nobody knows.
    file.take(limit + 1).read_to_end(&mut bytes).map_err(|error| unreadable(reason(&error)))?;
    if bytes.len() as u64 > limit {
        return Err(unreadable(format!("it has more than {} KiB", limit / 1024)));
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..valid].split(|byte| *byte == b'\n').count();
        unreadable(format!("it is not UTF-8 text: line {line}, byte {valid} from its beginning"))
    })
}

fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => "there is no such file".to_owned(),
        ErrorKind::PermissionDenied => "no permission".to_owned(),
        _ => error.to_string(),
    }
}

/// The files beside a runbook.
#[derive(Debug)]
struct Beside {
    folder: PathBuf,
}

impl Beside {
    fn of(runbook: &Path) -> Self {
        let folder = runbook.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Self { folder: folder.to_owned() }
    }
}

impl Files for Beside {
    fn read(&self, relative: &str) -> Result<FileContent, FileError> {
        let folder = fs::canonicalize(&self.folder).map_err(|error| file_error(&error))?;
        read_below(&folder, relative)
    }

    /// The library is the folder above those that the runbook's name says; for a runbook that stands elsewhere it is its
    /// own folder.
    fn library(&self, relative: &str, runbook: &str) -> Result<FileContent, FileError> {
        let folder = fs::canonicalize(&self.folder).map_err(|error| file_error(&error))?;
        let folders = Path::new(runbook).parent().unwrap_or(Path::new(""));
        let above = folder.ancestors().nth(folders.components().count());
        let library = above.filter(|above| above.join(folders) == folder).unwrap_or(&folder);
        read_below(library, relative)
    }
}

/// Reads a file that is in no other place than below a folder.
fn read_below(folder: &Path, relative: &str) -> Result<FileContent, FileError> {
    let path = fs::canonicalize(folder.join(relative)).map_err(|error| file_error(&error))?;
    if !path.starts_with(folder) {
        return Err(FileError::Outside);
    }
    let metadata = fs::metadata(&path).map_err(|error| file_error(&error))?;
    if !metadata.is_file() {
        return Err(FileError::NotAFile);
    }
    let mut bytes = Vec::new();
    let file = File::open(&path).map_err(|error| file_error(&error))?;
    file.take(PINNED_BYTES + 1).read_to_end(&mut bytes).map_err(|error| file_error(&error))?;
    if bytes.len() as u64 > PINNED_BYTES {
        return Err(FileError::TooLarge { limit: PINNED_BYTES });
    }
    Ok(FileContent { bytes, executable: metadata.permissions().mode() & 0o100 != 0 })
}

fn file_error(error: &std::io::Error) -> FileError {
    match error.kind() {
        ErrorKind::NotFound => FileError::NotFound,
        _ => FileError::Io(error.to_string()),
    }
}
