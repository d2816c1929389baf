//! The checkpoint in sled: a cache of the open state at one position of the journal.
//!
//! sled is useful and not trusted. Its `flush` is no fsync, so its file is synced by a handle of our own. A changed bit
//! in it may show as an error, as a panic, as a hang or as nothing at all, so it is opened and used on a thread of its
//! own, under a deadline, and all entries are checked against the digest before the first is handed out. Whenever
//! anything is off the folder is set aside and there is no checkpoint: the journal has everything. A failing sled never
//! fails a commit.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use super::lock::Held;
use super::{Checkpoint, Entry, EntryChange, Image, ImageError, Order, Pages, Stored};
use crate::fault::{self, Point};
use crate::id::Lsn;

use self::guarded::{Asker, Guarded, NotMade};
use self::part::parts;
use self::tree::Tree;

mod examine;
mod guarded;
mod part;
mod tree;

pub(crate) use self::examine::{entries, examine};

/// The name of the thread on which sled is opened and used. A panic there is met by making the checkpoint anew.
pub const THREAD: &str = "checkpoint";

/// The extension of the folder that a checkpoint is moved to when it cannot be used.
pub(crate) const SET_ASIDE: &str = "set-aside";

/// The extension of the folder that a checkpoint is copied to.
const NEXT: &str = "next";

/// How long sled may take to open and to be verified: 100,000 entries take a quarter of a second.
const OPEN_DEADLINE: Duration = Duration::from_mins(1);
/// How long one operation may take.
const USE_DEADLINE: Duration = Duration::from_secs(30);
/// Entries that are fetched at once by a scan.
const PAGE: usize = 256;

/// An [`Image`] in sled. Nothing is opened before it is asked for something.
#[derive(Debug)]
pub struct SledImage {
    folder: PathBuf,
    state: State,
    /// Even an empty one was waited for in vain: no other is tried as long as this process lives.
    hangs: bool,
    begun: Option<Begun>,
    /// Keeps the data folder locked while sled may write.
    _held: Arc<Held>,
}

/// What becomes of a checkpoint that goes on elsewhere.
type Begun = Receiver<Result<(u64, [u8; 32]), String>>;

#[derive(Debug)]
enum State {
    Unopened,
    Open(Guarded<Tree>),
    /// It failed while it was used, or what is on disk could not be set aside; no more is tried before [`Image::reset`].
    Broken(String),
}

impl SledImage {
    /// The checkpoint in `folder`, not opened yet.
    pub(super) const fn new(folder: PathBuf, held: Arc<Held>) -> Self {
        Self { folder, state: State::Unopened, hangs: false, begun: None, _held: held }
    }

    /// Asks the opened tree; when that fails in any way, sets it aside.
    fn ask<R: Send + 'static>(
        &mut self,
        question: impl FnOnce(&mut Tree) -> Result<R, String> + Send + 'static,
    ) -> Result<R, ImageError> {
        self.open()?;
        let State::Open(tree) = &mut self.state else { return Err(ImageError("it is not open".to_owned())) };
        match tree.ask(USE_DEADLINE, question) {
            Ok(answer) => Ok(answer),
            Err(why) => Err(self.give_up(why)),
        }
    }

    /// Sets the tree aside because of something that failed.
    fn give_up(&mut self, why: String) -> ImageError {
        self.set_aside(&why);
        // What comes next must not be taken for what was there: it is for `reset` to begin anew.
        self.state = State::Broken(why.clone());
        ImageError(why)
    }

    /// Opens it if it is not open; one that cannot be opened or verified is set aside and begun anew.
    fn open(&mut self) -> Result<(), ImageError> {
        match &self.state {
            State::Open(_) => return Ok(()),
            State::Broken(why) => return Err(ImageError(why.clone())),
            State::Unopened => {}
        }
        if let Err(NotMade { why, .. }) = self.try_open() {
            self.set_aside(&why);
            if let State::Broken(why) = &self.state {
                return Err(ImageError(why.clone()));
            }
            if let Err(NotMade { why, hangs }) = self.try_open() {
                self.hangs = hangs;
                self.state = State::Broken(why.clone());
                return Err(ImageError(why));
            }
        }
        Ok(())
    }

    fn try_open(&mut self) -> Result<(), NotMade> {
        let folder = self.folder.clone();
        self.state = State::Open(Guarded::start(THREAD, OPEN_DEADLINE, move || Tree::open(&folder))?);
        Ok(())
    }

    /// Copies a tree that takes much more than it holds into a folder of its own, which then takes its place: sled gives
    /// no space back. A crash in the middle leaves the old one, the new one, or none, which costs time only.
    fn compact(&mut self) {
        let State::Open(tree) = &mut self.state else { return };
        let next = self.folder.with_extension(NEXT);
        let place = next.clone();
        let copied = tree.ask(OPEN_DEADLINE, move |tree| {
            if !tree.is_bloated()? {
                return Ok(false);
            }
            remove_folder(&place).map_err(|error| error.to_string())?;
            tree.copy_to(&place).map(|()| true)
        });
        match copied {
            Ok(false) => {}
            Ok(true) => {
                // Closed first: sled must not write while its folder changes its name.
                self.state = State::Unopened;
                let moved = fault::at(Point::ImageReplace, || {
                    remove_folder(&self.folder)?;
                    fs::rename(&next, &self.folder)
                });
                if let Err(error) = moved {
                    self.state = State::Broken(format!("it cannot take the place of the old one: {error}"));
                }
            }
            Err(why) => {
                tracing::warn!(why, "the checkpoint takes much more than it holds, and cannot be copied");
                let _ = remove_folder(&next);
            }
        }
    }

    /// Moves the folder out of the way, for whoever wants to look into it; the one set aside before is removed.
    fn set_aside(&mut self, why: &str) {
        self.state = State::Unopened;
        if !self.folder.exists() {
            return;
        }
        let aside = self.folder.with_extension(SET_ASIDE);
        tracing::warn!(why, folder = %aside.display(), "the checkpoint cannot be used; it is set aside and made anew");
        let moved = fault::at(Point::ImageAside, || {
            remove_folder(&aside)?;
            fs::rename(&self.folder, &aside)
        });
        if let Err(error) = moved {
            self.state = State::Broken(format!("{why}; and it cannot be set aside: {error}"));
        }
    }
}

impl Image for SledImage {
    fn load(&mut self) -> Option<Checkpoint> {
        // Nothing was ever checkpointed: do not begin a database only to find it empty.
        if matches!(self.state, State::Unopened) && !self.folder.exists() {
            return None;
        }
        self.ask(|tree| Ok(tree.checkpointed())).ok().flatten()
    }

    fn get(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>, ImageError> {
        if matches!(self.state, State::Unopened) && !self.folder.exists() {
            return Ok(None);
        }
        let key = key.to_vec();
        self.ask(move |tree| tree.get(&key))
    }

    fn scan_behind(
        &mut self,
        prefix: &[u8],
        behind: Option<&[u8]>,
        order: Order,
        each: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), ImageError> {
        if matches!(self.state, State::Unopened) && !self.folder.exists() {
            return Ok(());
        }
        let mut after = behind.map(<[u8]>::to_vec);
        loop {
            let (from, prefix) = (after.take(), prefix.to_vec());
            let page = self.ask(move |tree| tree.page(&prefix, from.as_deref(), order, PAGE))?;
            if !page.iter().all(|(key, value)| each(key, value)) {
                return Ok(());
            }
            match page.into_iter().nth(PAGE - 1) {
                Some((key, _)) => after = Some(key),
                None => return Ok(()),
            }
        }
    }

    fn checkpoint(&mut self, lsn: Lsn, changes: &mut dyn Iterator<Item = EntryChange>) -> Stored {
        let mut stored = None;
        for part in parts(changes) {
            stored = self.ask(move |tree| tree.take(lsn, part))?;
        }
        self.compact();
        Ok(stored.expect("the last part makes the checkpoint"))
    }

    fn begin(&mut self, lsn: Lsn, changes: Vec<EntryChange>) {
        let (report, begun) = channel();
        self.begun = Some(begun);
        let store = move |tree: &mut Tree| {
            let mut stored = None;
            for part in parts(changes.into_iter()) {
                stored = tree.take(lsn, part)?;
            }
            Ok(stored.expect("the last part makes the checkpoint"))
        };
        let sent = self.open().and_then(|()| match &self.state {
            State::Open(tree) => {
                let answer = report.clone();
                let asked = tree.asker().and_then(|asker| asker.send(store, answer));
                asked.ok_or_else(|| ImageError("it does not answer".to_owned()))
            }
            State::Unopened | State::Broken(_) => Err(ImageError("it is not open".to_owned())),
        });
        if let Err(ImageError(why)) = sent {
            // The receiver is in this very image.
            let _ = report.send(Err(why));
        }
    }

    fn finish(&mut self, wait: bool) -> Option<Stored> {
        let begun = self.begun.take()?;
        let answer = if wait { begun.recv_timeout(USE_DEADLINE) } else { begun.recv_timeout(Duration::ZERO) };
        let answer = match answer {
            Err(RecvTimeoutError::Timeout) if !wait => {
                self.begun = Some(begun);
                return None;
            }
            answer => answer.unwrap_or_else(|error| Err(guarded::no_answer(error))),
        };
        Some(match answer {
            Ok(stored) => {
                self.compact();
                Ok(stored)
            }
            Err(why) => Err(self.give_up(why)),
        })
    }

    fn pages(&mut self) -> Result<Box<dyn Pages>, ImageError> {
        self.open()?;
        match &self.state {
            State::Open(tree) => match tree.asker() {
                Some(asker) => Ok(Box::new(TreePages { asker, after: None })),
                None => Err(ImageError("it does not answer".to_owned())),
            },
            State::Unopened => Err(ImageError("it is not open".to_owned())),
            State::Broken(why) => Err(ImageError(why.clone())),
        }
    }

    fn reset(&mut self) -> Result<(), ImageError> {
        self.begun = None;
        self.state = if self.hangs { State::Broken("it hangs when it is opened".to_owned()) } else { State::Unopened };
        remove_folder(&self.folder).map_err(|error| {
            let why = format!("cannot remove `{}`: {error}", self.folder.display());
            self.state = State::Broken(why.clone());
            ImageError(why)
        })
    }
}

/// Reads the tree from another thread, between what else it is asked.
struct TreePages {
    asker: Asker<Tree>,
    after: Option<Vec<u8>>,
}

impl Pages for TreePages {
    fn next(&mut self) -> Result<Vec<Entry>, ImageError> {
        let after = self.after.clone();
        let page = move |tree: &mut Tree| tree.page(b"", after.as_deref(), Order::Up, PAGE);
        let page = self.asker.ask(USE_DEADLINE, page).map_err(ImageError)?;
        if let Some((key, _)) = page.last() {
            self.after = Some(key.clone());
        }
        Ok(page)
    }
}

fn remove_folder(path: &Path) -> std::io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}
