//! The files that a runbook names: this crate reads none itself, it asks for them.

/// Gives the files beside a runbook.
pub trait Files {
    /// Reads the file at a path relative to the runbook's folder, without `./` and never with `..`.
    fn read(&self, relative: &str) -> Result<FileContent, FileError>;

    /// Reads the file at a path relative to the library of runbooks that the runbook of this name belongs to, never with
    /// `..`: `incident/disk-cleanup` stands in the folder `incident` of its library.
    fn library(&self, relative: &str, runbook: &str) -> Result<FileContent, FileError> {
        let _ = (relative, runbook);
        Err(FileError::NotFound)
    }
}

/// A file's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileContent {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Whether its owner may execute it.
    pub executable: bool,
}

/// Why a file could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// There is none.
    #[error("there is no such file")]
    NotFound,
    /// It is a folder or something else that has no content.
    #[error("it is not a regular file")]
    NotAFile,
    /// It leads out of the runbook's folder, through a symbolic link.
    #[error("it leads out of the runbook's folder")]
    Outside,
    /// It is larger than whoever reads it allows.
    #[error("it has more than {limit} bytes")]
    TooLarge {
        /// The most that is read.
        limit: u64,
    },
    /// With the files before it, it is more than travels with a run.
    #[error("with the other files it has more than {limit} bytes")]
    TooMuch {
        /// The most that travels.
        limit: u64,
    },
    /// The system says no.
    #[error("{0}")]
    Io(String),
}

/// No files at all: for a runbook that comes as text alone.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoFiles;

impl Files for NoFiles {
    fn read(&self, _relative: &str) -> Result<FileContent, FileError> {
        Err(FileError::NotFound)
    }
}
