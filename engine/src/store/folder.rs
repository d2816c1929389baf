//! The data folder: what lies where, who may write, and of which format it is.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::base::{BaseFolder, FileBases};
use super::blobs::FileBlobs;
use super::files::{self, cannot, damaged};
use super::image::SledImage;
use super::journal::{self, Journal, Reader};
use super::lock::{self, Held, LOCK_FILE};
use super::{FORMAT_VERSION, OpenError};
use crate::fault::{self, Point};
use crate::id::ShardId;

/// How what lasts is written, also by those who keep something of their own in a data folder.
pub use super::files::{create_folder, put_file, sync_folder};

/// The file that says which format a data folder has.
pub const FORMAT_FILE: &str = "FORMAT";
const FORMAT_PREFIX: &str = "lockstep ";
/// What the operator has configured for the folder. Lockstep only reads it.
pub const CONFIG_FILE: &str = "config.yaml";
/// What may lie in a folder that has no format yet: an opening that was cut off leaves the lock (and a journal that
/// nothing was written to), a file system of its own brings its `lost+found`, and its operator may have configured it.
const HARMLESS: [&str; 4] = [LOCK_FILE, "tmp-FORMAT", "lost+found", CONFIG_FILE];

/// The one shard of the embedded store.
const SHARD: ShardId = ShardId(0);

/// The places in a data folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout(PathBuf);

impl Layout {
    /// The places in the folder at `path`, whether they exist or not.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// The data folder itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Segments and `HEAD`.
    pub fn journal(&self) -> PathBuf {
        self.0.join("journal")
    }

    /// The checkpoint.
    pub fn state(&self) -> PathBuf {
        self.0.join("state")
    }

    /// What a checkpoint is made anew from.
    pub fn bases(&self) -> PathBuf {
        self.0.join("bases")
    }

    /// Large values by hash.
    pub fn blobs(&self) -> PathBuf {
        self.0.join("blobs")
    }

    /// Output of attempts.
    pub fn logs(&self) -> PathBuf {
        self.0.join("logs")
    }

    /// One folder for each running command.
    pub fn spool(&self) -> PathBuf {
        self.0.join("spool")
    }
}

/// A data folder that this process holds. The lock lasts as long as it and all that was opened through it.
#[derive(Clone, Debug)]
pub struct Folder {
    layout: Layout,
    held: Arc<Held>,
}

impl Folder {
    /// Takes the folder, making it if it is not there or empty.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, OpenError> {
        let layout = Layout::new(path);
        let path = layout.path();
        files::create_folder(path).map_err(cannot("cannot create", path))?;
        // Before the lock, so that no file is left in a folder of somebody else.
        let known = check_format(path)?;
        let held = Held::take(path)?;
        if !known && !check_format(path)? {
            // The format comes last: a folder that has one has a journal, so one that is gone is missed.
            journal::create(&layout.journal(), SHARD)?;
            let put = fault::at(Point::FolderFormat, || files::put_file(path, FORMAT_FILE, format_text().as_bytes()));
            put.map_err(cannot("cannot create", &path.join(FORMAT_FILE)))?;
        }
        create_parts(&layout)?;
        let blobs = layout.blobs();
        files::remove_unfinished(&blobs).map_err(cannot("cannot clean", &blobs))?;
        Ok(Self { layout, held: Arc::new(held) })
    }

    /// What lies where.
    pub const fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Opens the log, fencing every handle opened before.
    pub fn log(&self) -> Result<Journal, OpenError> {
        Journal::open(self.layout.journal(), SHARD, Arc::clone(&self.held))
    }

    /// The checkpoint; it is opened when it is first asked for something.
    pub fn image(&self) -> SledImage {
        SledImage::new(self.layout.state(), Arc::clone(&self.held))
    }

    /// What a checkpoint is made anew from.
    pub fn bases(&self) -> FileBases {
        FileBases::new(BaseFolder::new(self.layout.bases(), SHARD), Arc::clone(&self.held))
    }

    /// Large values.
    pub fn blobs(&self) -> FileBlobs {
        FileBlobs::new(self.layout.blobs())
    }

    /// Where output of attempts goes.
    pub fn logs_dir(&self) -> PathBuf {
        self.layout.logs()
    }

    /// Where running commands have their folders.
    pub fn spool_dir(&self) -> PathBuf {
        self.layout.spool()
    }

    /// Whether a process holds the folder at `path`.
    pub fn is_held(path: &Path) -> Result<bool, OpenError> {
        lock::is_held(path)
    }

    /// The process that took the folder at `path` last, for messages.
    pub fn lock_holder(path: &Path) -> Option<u32> {
        lock::holder(path)
    }
}

/// A data folder that is only looked at: no lock is taken and nothing is written.
#[derive(Debug)]
pub struct ReadOnly {
    /// What lies where.
    pub layout: Layout,
    /// The durable frames.
    pub journal: Reader,
    /// What a checkpoint is made anew from.
    pub bases: BaseFolder,
    /// Large values.
    pub blobs: FileBlobs,
}

/// Looks at a data folder, whether a process holds it or not.
///
/// One that does not exist, or that nothing was ever stored in, is `Io` of kind `NotFound`.
pub fn open_read_only(path: impl Into<PathBuf>) -> Result<ReadOnly, OpenError> {
    let layout = Layout::new(path);
    let path = layout.path();
    if !path.is_dir() || !check_format(path)? {
        let none = io::Error::new(io::ErrorKind::NotFound, "nothing was stored there yet");
        return Err(cannot("cannot read", path)(none));
    }
    let journal = Reader::open(&layout.journal(), SHARD)?;
    let (bases, blobs) = (BaseFolder::new(layout.bases(), SHARD), FileBlobs::new(layout.blobs()));
    Ok(ReadOnly { layout, journal, bases, blobs })
}

/// The bases in a data folder, which need not be there.
pub(crate) fn bases_in(layout: &Layout) -> BaseFolder {
    BaseFolder::new(layout.bases(), SHARD)
}

/// What the file says in a folder of this version.
pub(crate) fn format_text() -> String {
    format!("{FORMAT_PREFIX}{FORMAT_VERSION}\n")
}

/// Makes the folders within, durably and with one sync for all.
fn create_parts(layout: &Layout) -> Result<(), OpenError> {
    let mut made = false;
    for part in [layout.journal(), layout.blobs(), layout.logs(), layout.spool()] {
        made |= files::make_folder(&part).map_err(cannot("cannot create", &part))?;
    }
    if made {
        files::sync_folder(layout.path()).map_err(cannot("cannot sync", layout.path()))?;
    }
    Ok(())
}

/// Whether the folder has a format, one that this program reads; an error if it is somebody else's.
pub(crate) fn check_format(folder: &Path) -> Result<bool, OpenError> {
    let path = folder.join(FORMAT_FILE);
    let text = match fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return check_unused(folder).map(|()| false),
        read => read.map_err(cannot("cannot read", &path))?,
    };
    let text = String::from_utf8_lossy(&text);
    let number = text.strip_prefix(FORMAT_PREFIX).and_then(|number| number.trim_end().parse::<u32>().ok());
    match number {
        None | Some(0) => Err(damaged(&path, 0, "the file does not name a format of lockstep")),
        Some(found) if found > FORMAT_VERSION => {
            Err(OpenError::Newer { path: path.display().to_string(), found, known: FORMAT_VERSION })
        }
        Some(_) => Ok(true),
    }
}

fn check_unused(folder: &Path) -> Result<(), OpenError> {
    let format = folder.join(FORMAT_FILE);
    let journal = Layout::new(folder).journal();
    // Two processes may begin at once: the format of the other may have appeared meanwhile.
    let unused = !journal.exists() || journal::is_unused(&journal, SHARD)?;
    if !unused && !format.exists() {
        return Err(damaged(&format, 0, "the file is missing, but there is a journal"));
    }
    for entry in fs::read_dir(folder).map_err(cannot("cannot list", folder))? {
        let name = entry.map_err(cannot("cannot list", folder))?.file_name();
        let harmless = HARMLESS.iter().any(|harmless| name == *harmless) || journal.file_name() == Some(&name);
        if !harmless && !format.exists() {
            let what = format!("it holds `{}` and no data of lockstep: name a new or an empty folder", name.display());
            return Err(cannot("cannot use", folder)(io::Error::new(io::ErrorKind::InvalidInput, what)));
        }
    }
    Ok(())
}
