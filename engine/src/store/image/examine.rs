//! Looks at a checkpoint without changing it: sled writes whenever it opens, so a copy is opened.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::guarded::Guarded;
use super::tree::Tree;
use super::{OPEN_DEADLINE, THREAD, USE_DEADLINE, remove_folder};
use crate::store::{Checkpoint, Entry, Order, files};

/// A copy, removed with this.
struct Copy(PathBuf);

impl Copy {
    fn of(folder: &Path) -> io::Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let place = std::env::temp_dir().join(format!("lockstep-examine-{}-{number}", std::process::id()));
        files::create_folder(&place)?;
        let copy = Self(place);
        copy_folder(folder, &copy.0.join("state"))?;
        Ok(copy)
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        if let Err(error) = remove_folder(&self.0) {
            tracing::warn!(folder = %self.0.display(), %error, "a copy of the checkpoint cannot be removed");
        }
    }
}

/// The checkpoint in a folder that nobody writes to, and how many entries it has; `None` where there is none. An error
/// says why it cannot be used.
pub fn examine(folder: &Path) -> Result<Option<(Checkpoint, u64)>, String> {
    ask(folder, |tree, checkpoint| Ok((checkpoint, tree.count())))
}

/// The checkpoint in such a folder with all its entries, in the order of their keys.
pub fn entries(folder: &Path) -> Result<Option<(Checkpoint, Vec<Entry>)>, String> {
    ask(folder, |tree, checkpoint| Ok((checkpoint, tree.page(b"", None, Order::Up, usize::MAX)?)))
}

/// Asks a copy, if there is a checkpoint.
fn ask<T: Send + 'static>(
    folder: &Path,
    question: impl FnOnce(&mut Tree, Checkpoint) -> Result<T, String> + Send + 'static,
) -> Result<Option<T>, String> {
    if !folder.exists() {
        return Ok(None);
    }
    let copy = Copy::of(folder).map_err(|error| format!("it cannot be copied to be examined: {error}"))?;
    let place = copy.0.join("state");
    let mut tree = Guarded::start(THREAD, OPEN_DEADLINE, move || Tree::open(&place)).map_err(|error| error.why)?;
    tree.ask(USE_DEADLINE, |tree| tree.checkpointed().map(|checkpoint| question(tree, checkpoint)).transpose())
}

fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    files::create_folder(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let place = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &place)?;
        } else {
            fs::copy(entry.path(), place)?;
        }
    }
    Ok(())
}
