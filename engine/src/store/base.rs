//! Bases: dumps of a whole checkpoint in the journal's own frames, for the day when sled cannot be believed.
//!
//! A base is a [pack](super::journal::pack) whose records are the checkpoint's entries in the order of their keys. It is
//! made from the image on a thread of its own, read back, and compared with the digest that the journal holds of that
//! checkpoint; only then it takes its name. The two newest are kept: with the older one and the journal behind it there
//! is a second way to the same state.

use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use super::digest::Digest;
use super::files::{self, cannot, damaged};
use super::journal::frame::{self, Parsed};
use super::journal::pack::{Header, Pack, Writer};
use super::lock::Held;
use super::{Bases, Checkpoint, Frame, MadeBase, OpenError, Pages, StoredBase, StoredBases};
use crate::clock::Stamp;
use crate::fault::{self, Point};
use crate::id::{Epoch, Lsn, ShardId};

/// Begins every base.
pub const BASE_MAGIC: [u8; 8] = *b"LKSTPBAS";
/// Before the key in each record: its length.
pub const KEY_PREFIX_BYTES: usize = 4;
/// Bytes of entries that are put into one frame.
const FRAME_BYTES: usize = 64 * 1024;
/// How many bases are kept.
pub const KEPT_BASES: usize = 2;

const PREFIX: &str = "base-";

/// The bases in a folder, to be read.
#[derive(Clone, Debug)]
pub struct BaseFolder {
    folder: PathBuf,
    shard: ShardId,
}

impl BaseFolder {
    /// The bases in a folder, which need not be there.
    pub(super) const fn new(folder: PathBuf, shard: ShardId) -> Self {
        Self { folder, shard }
    }

    /// Reads a base and checks every byte of its file.
    pub fn verify(&self, lsn: Lsn) -> Result<Checkpoint, OpenError> {
        let checkpoint = self.read(lsn, &mut |_, _| {})?;
        Pack::open(&self.path(lsn), BASE_MAGIC, self.shard)?.verify(false)?;
        Ok(checkpoint)
    }

    /// The file of a base.
    pub fn path(&self, lsn: Lsn) -> PathBuf {
        self.folder.join(file_name(lsn))
    }
}

impl StoredBases for BaseFolder {
    fn place(&self) -> PathBuf {
        self.folder.clone()
    }

    fn list(&self) -> Result<Vec<StoredBase>, OpenError> {
        let cannot_list = cannot("cannot list", &self.folder);
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(&cannot_list)?,
        };
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry.map_err(&cannot_list)?;
            let name = entry.file_name();
            let lsn = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.parse().ok()).map(Lsn);
            if let Some(lsn) = lsn.filter(|lsn| *name == *file_name(*lsn)) {
                // One whose header cannot be read is noticed by whoever reads it.
                let pack = Pack::open(&entry.path(), BASE_MAGIC, self.shard);
                let needs = pack.map_or(Lsn(0), |pack| needs_of(&pack.header));
                found.push(StoredBase { lsn, needs, bytes: entry.metadata().map_err(&cannot_list)?.len() });
            }
        }
        found.sort_unstable_by_key(|base| std::cmp::Reverse(base.lsn));
        Ok(found)
    }

    fn read(&self, lsn: Lsn, each: &mut dyn FnMut(&[u8], &[u8])) -> Result<Checkpoint, OpenError> {
        read_file(&self.path(lsn), self.shard, lsn, each)
    }
}

fn file_name(lsn: Lsn) -> String {
    format!("{PREFIX}{:020}", lsn.0)
}

fn read_file(
    path: &Path,
    shard: ShardId,
    lsn: Lsn,
    each: &mut dyn FnMut(&[u8], &[u8]),
) -> Result<Checkpoint, OpenError> {
    let pack = Pack::open(path, BASE_MAGIC, shard)?;
    if pack.header.first != lsn {
        return Err(damaged(path, 0, "the base is of another position than its name says"));
    }
    let mut digest = Digest::default();
    let mut wrong = false;
    pack.frames(&mut |raw| {
        for record in raw.records() {
            let Some((key, value)) = split_entry(record) else {
                wrong = true;
                return ControlFlow::Break(());
            };
            digest.toggle(key, value);
            each(key, value);
        }
        ControlFlow::Continue(())
    })?;
    if wrong {
        return Err(damaged(path, 0, "a record of the base is no entry"));
    }
    Ok(Checkpoint { lsn, generation: pack.header.number, digest: digest.0 })
}

fn split_entry(record: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = record.split_first_chunk::<KEY_PREFIX_BYTES>()?;
    rest.split_at_checked(u32::from_le_bytes(*len) as usize)
}

fn join_entry(key: &[u8], value: &[u8]) -> Vec<u8> {
    let len = u32::try_from(key.len()).expect("a key is short");
    [&len.to_le_bytes(), key, value].concat()
}

/// The [`Bases`] of a data folder that this process holds.
#[derive(Debug)]
pub struct FileBases {
    bases: BaseFolder,
    running: Option<JoinHandle<Result<MadeBase, OpenError>>>,
    stop: Arc<AtomicBool>,
    /// Keeps the folder locked; given up last.
    _held: Arc<Held>,
}

impl FileBases {
    pub(super) fn new(bases: BaseFolder, held: Arc<Held>) -> Self {
        Self { bases, running: None, stop: Arc::default(), _held: held }
    }
}

impl StoredBases for FileBases {
    fn place(&self) -> PathBuf {
        self.bases.place()
    }

    fn list(&self) -> Result<Vec<StoredBase>, OpenError> {
        self.bases.list()
    }

    fn read(&self, lsn: Lsn, each: &mut dyn FnMut(&[u8], &[u8])) -> Result<Checkpoint, OpenError> {
        self.bases.read(lsn, each)
    }
}

impl Bases for FileBases {
    fn begin(&mut self, of: Checkpoint, needs: Lsn, pages: Box<dyn Pages>) {
        let (bases, stop) = (self.bases.clone(), Arc::clone(&self.stop));
        let make = move || make(&bases, of, needs, pages, &stop);
        self.running = std::thread::Builder::new().name("journal-base".to_owned()).spawn(make).ok();
    }

    fn is_busy(&self) -> bool {
        self.running.as_ref().is_some_and(|running| !running.is_finished())
    }

    fn finish(&mut self) -> Option<Result<MadeBase, OpenError>> {
        let made = self.running.take()?.join();
        Some(made.unwrap_or_else(|_| {
            let panicked = io::Error::other("the thread that makes bases panicked");
            Err(cannot("cannot make a base in", &self.bases.folder)(panicked))
        }))
    }
}

impl Drop for FileBases {
    fn drop(&mut self) {
        // Nothing may be written into the folder once its lock is given up.
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.finish();
    }
}

/// Makes a base, removes those that are not needed any more, and checks the one that is kept beside it.
fn make(
    bases: &BaseFolder,
    of: Checkpoint,
    needs: Lsn,
    mut pages: Box<dyn Pages>,
    stop: &AtomicBool,
) -> Result<MadeBase, OpenError> {
    let folder = &bases.folder;
    files::create_folder(folder).map_err(cannot("cannot create", folder))?;
    files::remove_unfinished(folder).map_err(cannot("cannot clean", folder))?;
    let unfinished = folder.join(format!("{}{}", files::UNFINISHED, file_name(of.lsn)));
    let made = write(&unfinished, bases.shard, of, needs, pages.as_mut(), stop).and_then(|bytes| {
        let read = read_file(&unfinished, bases.shard, of.lsn, &mut |_, _| {})?;
        if read != of {
            return Err(damaged(&unfinished, 0, "what was written is not the checkpoint"));
        }
        let renamed = fault::at(Point::BaseRename, || fs::rename(&unfinished, bases.path(of.lsn)));
        renamed.map_err(cannot("cannot rename", &unfinished))?;
        files::sync_folder(folder).map_err(cannot("cannot sync", folder))?;
        Ok(bytes)
    });
    if made.is_err() {
        // What is left of it is removed when the next one is made if it cannot be removed now.
        let _ = fs::remove_file(&unfinished);
    }
    let base = StoredBase { lsn: of.lsn, needs, bytes: made? };
    let mut others = bases.list()?.into_iter().filter(|other| other.lsn != base.lsn);
    let mut frees = Lsn(0);
    for other in others.by_ref().take(KEPT_BASES - 1) {
        match bases.read(other.lsn, &mut |_, _| {}) {
            Ok(_) => frees = base.frees().min(other.frees()),
            Err(error) => tracing::warn!(%error, "an older base cannot be used; nothing is dropped because of it"),
        }
    }
    for older in others {
        let path = bases.path(older.lsn);
        fs::remove_file(&path).map_err(cannot("cannot remove", &path))?;
    }
    Ok(MadeBase { base, frees })
}

/// The oldest record that whoever begins with a base may come to need: in place of the hash that a segment's header has.
fn needs_of(header: &Header) -> Lsn {
    header.before.first_chunk().map_or(Lsn(0), |bytes| Lsn(u64::from_le_bytes(*bytes)))
}

/// Writes a base; gives its length.
fn write(
    path: &Path,
    shard: ShardId,
    of: Checkpoint,
    needs: Lsn,
    pages: &mut dyn Pages,
    stop: &AtomicBool,
) -> Result<u64, OpenError> {
    let cannot_write = cannot("cannot write", path);
    let mut before = frame::Hash::default();
    before[..size_of::<u64>()].copy_from_slice(&needs.0.to_le_bytes());
    let header = Header { magic: BASE_MAGIC, shard, number: of.generation, first: of.lsn, before };
    let mut writer = Writer::create(path, header, false).map_err(&cannot_write)?;
    let (mut prev, mut next) = (frame::Hash::default(), Lsn(1));
    let mut bytes = Vec::new();
    loop {
        if stop.load(Ordering::Relaxed) {
            return Err(cannot_write(io::ErrorKind::Interrupted.into()));
        }
        let page = pages.next().map_err(|error| cannot_write(io::Error::other(error)))?;
        if page.is_empty() {
            break;
        }
        let mut entries = page.iter().map(|(key, value)| join_entry(key, value)).peekable();
        while entries.peek().is_some() {
            let mut len = 0;
            let records: Vec<_> = std::iter::from_fn(|| {
                let entry = entries.next_if(|entry| len == 0 || len + entry.len() <= FRAME_BYTES)?;
                len += entry.len();
                Some(entry)
            })
            .collect();
            let frame = Frame { first: next, stamp: Stamp::default(), records };
            next = Lsn(frame.last().0 + 1);
            prev = frame::encode(&frame, Epoch(0), prev, &mut bytes);
            if let Parsed::Whole(raw) = frame::parse(&bytes) {
                writer.push(&raw).map_err(&cannot_write)?;
            }
        }
    }
    writer.finish().map_err(&cannot_write)
}
