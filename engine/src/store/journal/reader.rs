//! Reads a journal without its lock and without writing, also while another process appends to it.

use std::fs::File;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use super::head;
use super::recovery;
use super::walk::{End, Plan, walk};
use super::{give, segment};
use crate::fault::{self, Point};
use crate::id::{Lsn, ShardId};
use crate::store::files::cannot;
use crate::store::{Frame, Head, OpenError};

/// The durable frames of a journal at the moment it was opened.
///
/// What it shows has been synced, by itself if need be: a frame that was seen does not vanish in a power cut. The one
/// exception is a frame whose sync failed in a process that is gone; only opening for writing can mend that.
#[derive(Debug)]
pub struct Reader {
    folder: PathBuf,
    shard: ShardId,
    head: head::HeadState,
    end: Option<End>,
}

/// How often a writer may drop segments under the reader before it gives up.
const TRIES: usize = 5;

impl Reader {
    /// Finds the end of the journal in a folder; one that is not there yet is empty.
    pub(in crate::store) fn open(folder: &Path, shard: ShardId) -> Result<Self, OpenError> {
        // HEAD is the first that is made.
        let made = head::path(folder).try_exists().map_err(cannot("cannot read", folder))?;
        if !made && (!folder.exists() || segment::list(folder)?.is_empty()) {
            return Ok(Self { folder: folder.to_owned(), shard, head: head::HeadState::NEW, end: None });
        }
        let mut tries = 0;
        loop {
            let before = head::read(folder, shard)?;
            match find_end(folder, shard, &before) {
                Ok(end) => return Ok(Self { folder: folder.to_owned(), shard, head: before, end }),
                Err(error) => {
                    tries += 1;
                    if tries == TRIES || head::read(folder, shard)?.oldest == before.oldest {
                        return Err(error);
                    }
                }
            }
        }
    }

    /// The end of what is durable.
    pub fn head(&self) -> Head {
        self.end.as_ref().map_or(Head { last: Lsn(0), stamp: None }, |end| Head { last: end.last, stamp: end.stamp })
    }

    /// Calls `each` with every durable frame whose last record is at or behind `from`, in order, until it says `false`.
    pub fn read(&self, from: Lsn, each: &mut dyn FnMut(Frame) -> bool) -> Result<(), OpenError> {
        let Some(end) = self.end.as_ref().filter(|end| end.last >= from && end.last > Lsn(0)) else { return Ok(()) };
        let (first, before) = segment::holding(&self.folder, &self.head, end.segment, from)?;
        let plan = Plan {
            folder: &self.folder,
            shard: self.shard,
            first,
            newest: end.segment,
            before,
            acknowledged: (end.last, end.hash),
            closed: false,
        };
        walk(&plan, &mut |raw| give(raw, from, end.last, each))?;
        Ok(())
    }
}

fn find_end(folder: &Path, shard: ShardId, head: &head::HeadState) -> Result<Option<End>, OpenError> {
    let numbers = segment::list(folder)?;
    if numbers.is_empty() && head.last == Lsn(0) {
        return Ok(None);
    }
    let kept: Vec<u64> = numbers.into_iter().filter(|number| *number >= head.oldest).collect();
    let end = walk(&recovery::plan(folder, shard, &kept, head)?, &mut |_| ControlFlow::Continue(()))?;
    let path = segment::path(folder, end.segment);
    let synced = fault::at(Point::ReaderSync, || File::open(&path)?.sync_data());
    synced.map_err(cannot("cannot sync", &path))?;
    Ok(Some(end))
}
