//! `library/` in the data folder: the last good version of every runbook of a server, a file each.
//!
//! It is a copy for the time when the runbook itself is broken: what cannot be read there is left out and said, and the
//! next good version replaces it. Files are written whole and renamed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lockstep_dsl::graph::Graph;
use lockstep_engine::store::folder::{create_folder, put_file, sync_folder};
use serde::{Deserialize, Serialize};

/// Its name in the data folder.
const FOLDER: &str = "library";

/// What the name of a file ends with.
const EXTENSION: &str = ".runbook";

/// Files of another number are not read.
const FORMAT: u32 = 1;

/// Bytes that the name of a file may take here: a folder takes 255, and it is longer while it is written.
const NAME_BYTES: usize = 250;

/// A runbook as it was last good.
#[derive(Clone, Debug)]
pub struct Book {
    /// Its file, absolute.
    pub file: PathBuf,
    /// It, compiled.
    pub graph: Arc<Graph>,
    /// The content hash of that.
    pub hash: String,
}

impl Book {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.graph.runbook
    }

    /// The folder in which its commands run: its own.
    pub fn folder(&self) -> &Path {
        self.file.parent().unwrap_or(Path::new("/"))
    }
}

#[derive(Serialize, Deserialize)]
struct Stored<G> {
    format: u32,
    file: PathBuf,
    graph: G,
}

/// The folder.
#[derive(Clone, Debug)]
pub struct Shelf(PathBuf);

impl Shelf {
    /// That of a data folder; made when it is not there.
    pub fn open(data: &Path) -> io::Result<Self> {
        let folder = data.join(FOLDER);
        create_folder(&folder)?;
        Ok(Self(folder))
    }

    /// All that can be read. What cannot is said, and left where it is.
    pub fn books(&self) -> io::Result<Vec<Book>> {
        let mut books = Vec::new();
        for entry in fs::read_dir(&self.0)? {
            let path = entry?.path();
            if !path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(EXTENSION)) {
                continue;
            }
            match read(&path) {
                Ok(book) => books.push(book),
                Err(error) => {
                    tracing::error!(file = %path.display(), %error, "the kept version of a runbook cannot be read");
                }
            }
        }
        Ok(books)
    }

    /// Keeps a runbook, durably, in the place of its former version.
    pub fn put(&self, book: &Book) -> io::Result<()> {
        let name = file_name(book.name())?;
        let stored = Stored { format: FORMAT, file: book.file.clone(), graph: &*book.graph };
        let bytes = rmp_serde::to_vec_named(&stored).map_err(io::Error::other)?;
        put_file(&self.0, &name, &bytes)
    }

    /// Keeps it no more.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        match fs::remove_file(self.0.join(file_name(name)?)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => sync_folder(&self.0),
        }
    }
}

/// The runbook with this name, as a server of the data folder last knew it; `None` where it knows none.
pub fn find(data: &Path, name: &str) -> io::Result<Option<Book>> {
    match read(&data.join(FOLDER).join(file_name(name)?)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        book => book.map(Some),
    }
}

fn read(path: &Path) -> io::Result<Book> {
    let stored: Stored<Graph> = rmp_serde::from_slice(&fs::read(path)?).map_err(io::Error::other)?;
    if stored.format != FORMAT {
        return Err(io::Error::other(format!("it has format {}, and this program knows {FORMAT}", stored.format)));
    }
    Ok(Book { file: stored.file, hash: stored.graph.hash(), graph: Arc::new(stored.graph) })
}

/// The name of a runbook as one of a file: `storage%2Fdisk-cleanup.runbook`.
fn file_name(name: &str) -> io::Result<String> {
    let file = format!("{}{EXTENSION}", name.replace('%', "%25").replace('/', "%2F"));
    if file.len() > NAME_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidFilename, format!("the name `{name}` is too long")));
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_runbooks_are_names_of_files() {
        assert_eq!(file_name("storage/disk-cleanup").unwrap(), "storage%2Fdisk-cleanup.runbook");
        assert!(file_name(&"x".repeat(300)).is_err());
    }

    #[test]
    fn what_is_put_is_found_and_what_is_damaged_is_left_out() {
        let data = tempfile::tempdir().unwrap();
        let shelf = Shelf::open(data.path()).unwrap();
        let text = "runbook: a/b\nsteps: [{ shell: 'true' }]\n";
        let file = data.path().join("b.yaml");
        fs::write(&file, text).unwrap();
        let graph = crate::runbook_file::compile(&file).unwrap().unwrap().graph;
        let book = Book { file, hash: graph.hash(), graph: Arc::new(graph) };
        shelf.put(&book).unwrap();
        let found = find(data.path(), "a/b").unwrap().unwrap();
        assert_eq!((found.hash, found.file), (book.hash, book.file));
        assert!(find(data.path(), "b").unwrap().is_none());
        fs::write(data.path().join("library/x.runbook"), "damaged").unwrap();
        assert_eq!(shelf.books().unwrap().len(), 1);
        shelf.remove("a/b").unwrap();
        shelf.remove("a/b").unwrap();
        assert!(find(data.path(), "a/b").unwrap().is_none());
    }
}
