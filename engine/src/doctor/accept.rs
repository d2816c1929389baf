//! Accepts the loss of what of a journal cannot be read any more, when a person asks for that.
//!
//! A new journal is written beside the damaged one: every frame that is whole, in its position, and in each gap a record
//! that says what was lost and who accepted it. Then the two change places in one step, so that a crash leaves the
//! folder with the one or with the other; the damaged one is kept beside. What follows is what an opening would do:
//! runs of which something was lost stand still, and two bases are made, so that nobody has to read past the gap again.
//!
//! | a crash | leaves |
//! |---|---|
//! | before the exchange | the damaged journal, and beside it a folder with a mark, which the next try removes |
//! | behind it | the new journal, and beside it the damaged one without a mark, which keeps the name or gets its own |
//!
//! The mark says which of the two a folder is: it is put into the new journal first of all, and one that an earlier
//! salvage left in what is damaged now is removed before that.

use std::fs;
use std::io;
use std::iter::Peekable;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use lockstep_dsl::value::Timestamp;
use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::loss::{Filling, LostRecords, Plan, relative};
use super::repair::put_in_order;
use crate::clock::{Clock as _, Stamp, SystemClock};
use crate::core::run::{Loss, Record};
use crate::encode::encode;
use crate::fault::{self, Point};
use crate::id::{Epoch, Lsn, ShardId};
use crate::store::files::{self, cannot};
use crate::store::folder::{FORMAT_FILE, check_format, format_text};
use crate::store::journal::head::{self, HeadState};
use crate::store::journal::{Piece, Rewrite, manifest};
use crate::store::lock::Held;
use crate::store::{Checkpoint, Frame, Layout, OpenError};

/// The extension of the folder in which a journal is made anew.
pub(super) const SALVAGING: &str = "salvaging";
/// Begins the extension of the folders in which damaged journals are kept; a number follows.
pub(super) const DAMAGED: &str = "damaged-";
/// The file in a journal that was made anew, until it is in its place.
const MARK: &str = "SALVAGED";
/// More damaged journals are not kept beside one.
const MAX_KEPT: u32 = 1_000;

/// Accepts what is lost of the journal of the data folder at `path`, and puts the folder in order. `by` is who asks.
/// Where nothing is lost and only bookkeeping was damaged, that is noted in the journal too.
///
/// # Errors
/// The folder is held by another process or of a newer program, or the disk fails: then the folder is as it was, or whole.
pub fn accept_loss(path: &Path, by: &str) -> Result<(), OpenError> {
    let layout = Layout::new(path);
    let held = Held::take(path)?;
    let folder = layout.journal();
    let beside = folder.with_extension(SALVAGING);
    settle(&layout)?;
    let plan = Plan::of(&layout)?;
    let kept = free_name(&folder);
    let at = SystemClock::new().now(None).wall;
    write(&layout, &plan, &beside, &Acceptance { by, at, kept: relative(&kept, path) })?;
    let exchanged = fault::at(Point::SalvageExchange, || {
        renameat_with(CWD, &folder, CWD, &beside, RenameFlags::EXCHANGE).map_err(io::Error::from)
    });
    exchanged.map_err(cannot("cannot take the place of", &folder))?;
    files::sync_folder(path).map_err(cannot("cannot sync", path))?;
    if !check_format(path).unwrap_or(false) {
        let put = files::put_file(path, FORMAT_FILE, format_text().as_bytes());
        put.map_err(cannot("cannot write", &path.join(FORMAT_FILE)))?;
    }
    settle(&layout)?;
    drop(held);
    put_in_order(path, true)
}

/// Who accepts, when, and where the damaged journal will be kept.
struct Acceptance<'a> {
    by: &'a str,
    at: Timestamp,
    kept: String,
}

/// Does what a former salvage that was cut off has left to do. The caller holds the lock.
pub(super) fn settle(layout: &Layout) -> Result<(), OpenError> {
    let folder = layout.journal();
    keep_aside(&folder, &folder.with_extension(SALVAGING))?;
    remove_mark(&folder)
}

/// Gives the folder beside a journal its name if it is the damaged one, and removes it if it is one that was not finished.
fn keep_aside(folder: &Path, beside: &Path) -> Result<(), OpenError> {
    if !beside.exists() {
        return Ok(());
    }
    let is_empty = fs::read_dir(beside).map_err(cannot("cannot list", beside))?.next().is_none();
    if is_empty || beside.join(MARK).exists() {
        return fs::remove_dir_all(beside).map_err(cannot("cannot remove", beside));
    }
    let kept = free_name(folder);
    fault::at(Point::SalvageAside, || fs::rename(beside, &kept)).map_err(cannot("cannot keep", &kept))?;
    let above = folder.parent().unwrap_or(Path::new("."));
    files::sync_folder(above).map_err(cannot("cannot sync", above))
}

fn remove_mark(folder: &Path) -> Result<(), OpenError> {
    let mark = folder.join(MARK);
    match fs::remove_file(&mark) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => {
            removed.map_err(cannot("cannot remove", &mark))?;
            files::sync_folder(folder).map_err(cannot("cannot sync", folder))
        }
    }
}

/// The first name under which no damaged journal is kept yet.
fn free_name(folder: &Path) -> PathBuf {
    let names = (1..MAX_KEPT).map(|number| folder.with_extension(format!("{DAMAGED}{number}")));
    names.into_iter().find(|name| !name.exists()).unwrap_or_else(|| folder.with_extension(DAMAGED))
}

/// Writes the new journal.
fn write(layout: &Layout, plan: &Plan, beside: &Path, acceptance: &Acceptance<'_>) -> Result<(), OpenError> {
    let made = fs::DirBuilder::new().mode(0o700).create(beside);
    made.map_err(cannot("cannot create", beside))?;
    files::put_file(beside, MARK, b"").map_err(cannot("cannot write", &beside.join(MARK)))?;
    files::sync_folder(layout.path()).map_err(cannot("cannot sync", layout.path()))?;
    let (oldest, base, base_hash) = plan.begins;
    let journal = Rewrite::begin(beside, ShardId(0), oldest, (base, base_hash));
    let until = Lsn(plan.losses().last);
    let fillings = plan.fillings.iter().peekable();
    let mut writing = Writing { layout, acceptance, journal, fillings, until, stamp: Stamp::default() };
    plan.salvage.walk(plan.known, &mut |piece| writing.take(piece))?;
    let journal = writing.finish(plan)?;
    let epoch = Epoch(plan.salvage.head.map_or(Epoch(0), |head| head.epoch).max(plan.end.epoch).0 + 1);
    let head = HeadState { oldest, base, base_hash, ..HeadState::NEW };
    let dropped = manifest::read(&layout.journal(), &head).unwrap_or_else(|_| manifest::without_file(&head));
    journal.finish(epoch, &dropped)
}

/// Turns what is left of a journal into a whole one.
struct Writing<'a> {
    layout: &'a Layout,
    acceptance: &'a Acceptance<'a>,
    journal: Rewrite,
    fillings: Peekable<std::slice::Iter<'a, Filling>>,
    /// The last record that was there.
    until: Lsn,
    /// That of the last frame.
    stamp: Stamp,
}

impl Writing<'_> {
    fn take(&mut self, piece: Piece<'_>) -> Result<(), OpenError> {
        match piece {
            Piece::Frame(raw) => {
                self.stamp = raw.stamp;
                self.journal.push(raw.frame(), raw.epoch)
            }
            Piece::Gap(gap) => {
                while let Some(filling) = self.fillings.next_if(|filling| filling.first() <= gap.last) {
                    let records = match filling {
                        Filling::Lost(lost) => self.lost(lost),
                        Filling::Checkpoint(Checkpoint { lsn, generation, digest }) => {
                            vec![Record::Checkpointed { lsn: *lsn, generation: *generation, digest: *digest }]
                        }
                    };
                    self.push(filling.first(), &records)?;
                }
                Ok(())
            }
        }
    }

    fn push(&mut self, first: Lsn, records: &[Record]) -> Result<(), OpenError> {
        let records = records.iter().map(encode).collect();
        self.journal.push(Frame { first, stamp: self.stamp, records }, Epoch(0))
    }

    /// The record that says what is lost, and one for each further position.
    fn lost(&self, records: &LostRecords) -> Vec<Record> {
        let loss = Loss {
            first: Lsn(records.first),
            last: Lsn(records.last),
            file: relative(&records.path, self.layout.path()),
            offset: records.offset,
            what: records.what.clone(),
            runs: records.runs.clone(),
            until: self.until,
            by: self.acceptance.by.to_owned(),
            at: self.acceptance.at,
            kept: self.acceptance.kept.clone(),
        };
        let first = Record::Lost { loss: Some(Box::new(loss)) };
        std::iter::once(first).chain((records.first..records.last).map(|_| Record::Lost { loss: None })).collect()
    }

    /// Where no record is lost, that something was accepted is noted all the same.
    fn finish(mut self, plan: &Plan) -> Result<Rewrite, OpenError> {
        if !plan.fillings.iter().any(|filling| matches!(filling, Filling::Lost(_))) {
            let last = self.journal.last();
            let (file, what) = match plan.salvage.head {
                None => (head::path(&self.layout.journal()), "neither slot matches its hash, or the file is missing"),
                Some(_) => (self.layout.path().join(FORMAT_FILE), "the file is missing, or names no format"),
            };
            let (path, what) = (file, what.to_owned());
            let nothing = LostRecords { path, offset: 0, what, first: last.0 + 1, last: last.0, runs: Vec::new() };
            let records = self.lost(&nothing);
            self.push(Lsn(last.0 + 1), &records)?;
        }
        Ok(self.journal)
    }
}
