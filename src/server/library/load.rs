//! Reads the folder of runbooks, and says what is different and what is broken.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lockstep_dsl::compile::Compiled;
use lockstep_dsl::diagnostic::Severity;
use serde::Serialize;

use super::shelf::{Book, Shelf};
use crate::ending::Failure;
use crate::output::Style;
use crate::runbook_file;

/// The runbooks of a server.
#[derive(Debug)]
pub struct Library {
    folder: PathBuf,
    shelf: Shelf,
    /// By name; also those of which the file is broken now.
    books: BTreeMap<String, Book>,
    /// What the files looked like when they were last read; nothing is read again that looks the same.
    seen: Option<Vec<Look>>,
}

/// What is seen of a file without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Look {
    path: PathBuf,
    inode: u64,
    bytes: u64,
    /// Seconds and nanoseconds.
    changed: (i64, i64),
}

/// A file that cannot be used as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Broken {
    /// The file, from the folder on.
    pub file: String,
    /// Why.
    pub why: String,
    /// The runbook whose last good version goes on in its place; `None` where there never was one.
    pub kept: Option<String>,
}

/// What came of reading the folder.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// Runbooks that are new or other than before.
    pub changed: Vec<Book>,
    /// Names of runbooks that are not there any more.
    pub withdrawn: Vec<String>,
    /// Files that cannot be used.
    pub broken: Vec<Broken>,
}

impl Library {
    /// What was kept of the folder when it was last served.
    pub fn open(folder: PathBuf, data: &Path) -> io::Result<Self> {
        let shelf = Shelf::open(data)?;
        let books = shelf.books()?.into_iter().map(|book| (book.name().to_owned(), book)).collect();
        Ok(Self { folder, shelf, books, seen: None })
    }

    /// The number of runbooks.
    pub fn len(&self) -> usize {
        self.books.len()
    }

    /// Reads the folder; `None` where no file looks different, unless it must be read. What was kept of a former server is
    /// among what has changed at first, since nobody knows how far that one came.
    pub fn read(&mut self, must: bool) -> Result<Option<Loaded>, Failure> {
        let seen = looks(&self.folder).map_err(Failure::system(format!("cannot list `{}`", self.folder.display())))?;
        let is_first = self.seen.is_none();
        if !must && self.seen.as_ref() == Some(&seen) {
            return Ok(None);
        }
        let files = runbook_file::below(&self.folder)?;
        let mut good: BTreeMap<String, Vec<Book>> = BTreeMap::new();
        let mut broken = BTreeMap::new();
        for file in files {
            match compile(&file) {
                Ok(book) => good.entry(book.name().to_owned()).or_default().push(book),
                Err(why) => drop(broken.insert(file, why)),
            }
        }
        let mut books: BTreeMap<String, Book> = BTreeMap::new();
        for (name, mut candidates) in good {
            let owner = self.owner(&name, &candidates);
            for other in candidates.iter().filter(|book| owner.as_ref() != Some(&book.file)) {
                let taken = candidates.iter().find(|book| book.file != other.file).map(|book| self.shown(&book.file));
                let by = taken.unwrap_or_default();
                broken.insert(other.file.clone(), format!("the name `{name}` is taken by `{by}`: names are unique"));
            }
            candidates.retain(|book| owner.as_ref() == Some(&book.file));
            books.extend(candidates.pop().map(|book| (name, book)));
        }
        let kept: BTreeMap<PathBuf, String> = self
            .books
            .values()
            .filter(|book| broken.contains_key(&book.file) && !books.contains_key(book.name()))
            .map(|book| (book.file.clone(), book.name().to_owned()))
            .collect();
        books.extend(kept.values().map(|name| (name.clone(), self.books[name].clone())));
        let broken = broken
            .into_iter()
            .map(|(file, why)| Broken { kept: kept.get(&file).cloned(), file: self.shown(&file), why })
            .collect();
        let is_other = |book: &&Book| {
            let before = self.books.get(book.name());
            is_first || before.is_none_or(|before| (&before.hash, &before.file) != (&book.hash, &book.file))
        };
        let changed = books.values().filter(is_other).cloned().collect();
        let names: BTreeSet<&String> = books.keys().collect();
        let withdrawn = self.books.keys().filter(|name| !names.contains(name)).cloned().collect();
        self.seen = Some(seen);
        Ok(Some(Loaded { changed, withdrawn, broken }))
    }

    /// Keeps a runbook as the last good version; once it is known wherever it must be. What is kept already is not written
    /// again: a server that starts has thousands of these.
    pub fn keep(&mut self, book: Book) -> io::Result<()> {
        let kept = self.books.get(book.name());
        if kept.is_some_and(|kept| (&kept.hash, &kept.file) == (&book.hash, &book.file)) {
            return Ok(());
        }
        self.shelf.put(&book)?;
        self.books.insert(book.name().to_owned(), book);
        Ok(())
    }

    /// Keeps a runbook no more; once it is forgotten wherever it was known.
    pub fn forget(&mut self, name: &str) -> io::Result<()> {
        self.shelf.remove(name)?;
        self.books.remove(name);
        Ok(())
    }

    /// Has the folder read at the next occasion, whatever it looks like: something of it could not be taken in.
    pub fn read_again(&mut self) {
        if let Some(seen) = &mut self.seen {
            seen.clear();
        }
    }

    /// Which of several files with one name has it: the one that had it before, or the only one.
    fn owner(&self, name: &str, candidates: &[Book]) -> Option<PathBuf> {
        match candidates {
            [only] => Some(only.file.clone()),
            several => {
                let before = &self.books.get(name)?.file;
                several.iter().any(|book| book.file == *before).then(|| before.clone())
            }
        }
    }

    fn shown(&self, file: &Path) -> String {
        file.strip_prefix(&self.folder).unwrap_or(file).display().to_string()
    }
}

/// Reads and compiles a runbook; the error is one line.
fn compile(file: &Path) -> Result<Book, String> {
    match runbook_file::compile(file) {
        Ok(Ok(Compiled { graph, .. })) => {
            Ok(Book { file: file.to_owned(), hash: graph.hash(), graph: Arc::new(graph) })
        }
        Ok(Err(diagnostics)) => {
            let is_error = |it: &&lockstep_dsl::diagnostic::Diagnostic| it.severity() == Severity::Error;
            let first = diagnostics.iter().find(is_error).map(std::slice::from_ref).unwrap_or_default();
            let text = runbook_file::render(first, Style { color: false });
            let what = text.lines().next().unwrap_or_default();
            let place = text.lines().nth(1).unwrap_or_default().trim_start().trim_start_matches("--> ");
            Err(format!("{what} ({place}); `lockstep check` says all"))
        }
        Err(failure) => Err(failure.to_string()),
    }
}

/// What all files of the folder look like: a script beside a runbook counts as well.
fn looks(folder: &Path) -> io::Result<Vec<Look>> {
    let mut looks = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            } else if let Ok(data) = fs::metadata(entry.path()) {
                // One that is not there any more will be told of by another event.
                let changed = (data.mtime(), data.mtime_nsec());
                looks.push(Look { path: entry.path(), inode: data.ino(), bytes: data.len(), changed });
            }
        }
    }
    looks.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(looks)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Bench {
        folder: tempfile::TempDir,
        data: tempfile::TempDir,
    }

    impl Bench {
        fn new() -> Self {
            Self { folder: tempfile::tempdir().unwrap(), data: tempfile::tempdir().unwrap() }
        }

        fn write(&self, file: &str, name: &str, step: &str) {
            let text = format!("runbook: {name}\nsteps: [{{ {step} }}]\n");
            fs::write(self.folder.path().join(file), text).unwrap();
        }

        fn library(&self) -> Library {
            Library::open(self.folder.path().to_owned(), self.data.path()).unwrap()
        }
    }

    /// What changed, what was withdrawn, and what is broken, with what is kept in its place.
    type Taken = (Vec<String>, Vec<String>, Vec<(String, Option<String>)>);

    /// Reads the folder and takes all of it in.
    fn take(library: &mut Library) -> Taken {
        let Loaded { changed, withdrawn, broken } = library.read(true).unwrap().unwrap();
        let names = changed.iter().map(|book| book.name().to_owned()).collect();
        for book in changed {
            library.keep(book).unwrap();
        }
        for name in &withdrawn {
            library.forget(name).unwrap();
        }
        (names, withdrawn, broken.into_iter().map(|broken| (broken.file, broken.kept)).collect())
    }

    fn texts(all: &[&str]) -> Vec<String> {
        all.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_broken_keeps_its_last_good_version_also_after_a_restart() {
        let bench = Bench::new();
        bench.write("a.yaml", "a", "shell: 'true'");
        bench.write("b.yaml", "b", "shell: 'true'");
        let mut library = bench.library();
        assert_eq!(take(&mut library), (texts(&["a", "b"]), vec![], vec![]));
        assert_eq!(take(&mut library), (vec![], vec![], vec![]));
        bench.write("a.yaml", "a", "shel: 'true'");
        let broken = vec![("a.yaml".to_owned(), Some("a".to_owned()))];
        assert_eq!(take(&mut library), (vec![], vec![], broken.clone()));
        // A server that starts anew has all taken in again, the kept one too.
        let mut library = bench.library();
        assert_eq!(take(&mut library), (texts(&["a", "b"]), vec![], broken));
        fs::remove_file(bench.folder.path().join("a.yaml")).unwrap();
        assert_eq!(take(&mut library), (vec![], texts(&["a"]), vec![]));
        bench.write("b.yaml", "other", "shell: 'true'");
        assert_eq!(take(&mut library), (texts(&["other"]), texts(&["b"]), vec![]));
        assert_eq!(library.len(), 1);
    }

    #[test]
    fn what_was_removed_while_no_server_was_there_is_withdrawn() {
        let bench = Bench::new();
        bench.write("a.yaml", "a", "shell: 'true'");
        take(&mut bench.library());
        fs::remove_file(bench.folder.path().join("a.yaml")).unwrap();
        assert_eq!(take(&mut bench.library()), (vec![], texts(&["a"]), vec![]));
    }

    #[test]
    fn a_name_belongs_to_the_file_that_had_it() {
        let bench = Bench::new();
        bench.write("m.yaml", "x", "shell: 'true'");
        let mut library = bench.library();
        take(&mut library);
        bench.write("a.yaml", "x", "shell: 'false'");
        assert_eq!(take(&mut library), (vec![], vec![], vec![("a.yaml".to_owned(), None)]));
        // Where neither had it, neither has it.
        let bench = Bench::new();
        bench.write("a.yaml", "x", "shell: 'true'");
        bench.write("b.yaml", "x", "shell: 'true'");
        let (changed, _, broken) = take(&mut bench.library());
        assert_eq!((changed.len(), broken.len()), (0, 2));
    }

    #[test]
    fn nothing_is_read_again_that_looks_the_same() {
        let bench = Bench::new();
        bench.write("a.yaml", "a", "shell: 'true'");
        let mut library = bench.library();
        assert!(library.read(false).unwrap().is_some());
        assert!(library.read(false).unwrap().is_none());
        bench.write("a.yaml", "a", "shell: 'false'");
        assert!(library.read(false).unwrap().is_some());
        library.read_again();
        assert!(library.read(false).unwrap().is_some());
    }
}
