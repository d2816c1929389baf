//! Opens a journal for writing: finds its end, makes that end durable, and begins a new epoch.
//!
//! **The page cache is not the disk.** After a failed sync the kernel may show bytes that never reached the disk, and
//! call them clean. So the last frame, the only one whose sync can have been cut off, is written again and synced
//! before anything is decided from it. A torn frame behind it is overwritten with zeros in the same sync.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::head::{self, HeadFile, HeadState};
use super::segment::{self, Maker, Segment};
use super::settled;
use super::walk::{End, Plan, walk};
use crate::fault::{self, Bug, Point};
use crate::id::{Epoch, ShardId};
use crate::store::files::{self, cannot, damaged};
use crate::store::{Frame, OpenError};

/// A journal that is ready for appending.
pub struct Recovered {
    /// The file that says what was acknowledged.
    pub head: HeadFile,
    /// The segment that the next frame goes into.
    pub current: Segment,
    /// The segments behind it.
    pub spares: VecDeque<Segment>,
    /// Where the log ends.
    pub end: End,
    /// The epoch that this opening began.
    pub epoch: Epoch,
    /// Place and content of the last frame, where it stands for all before it: nothing else was read.
    pub settled: Option<(u64, Frame)>,
}

/// Makes a journal that nothing was written to, if there is none. The caller holds the lock.
pub fn create(folder: &Path, shard: ShardId) -> Result<(), OpenError> {
    files::create_folder(folder).map_err(cannot("cannot create", folder))?;
    let path = head::path(folder);
    if path.exists() {
        return Ok(());
    }
    HeadFile::create(folder, shard).map_err(cannot("cannot create", &path))
}

/// Whether nothing was ever written to the journal in a folder, however far its making came.
pub fn is_unused(folder: &Path, shard: ShardId) -> Result<bool, OpenError> {
    let made = head::path(folder).exists();
    Ok(segment::list(folder)?.is_empty() && (!made || head::read(folder, shard)? == HeadState::NEW))
}

/// Opens a journal. The caller holds the lock.
pub fn recover(folder: &Path, shard: ShardId) -> Result<Recovered, OpenError> {
    let path = head::path(folder);
    if !path.exists() {
        return Err(damaged(&path, 0, "the file is missing"));
    }
    files::remove_unfinished(folder).map_err(cannot("cannot clean", folder))?;
    let numbers = segment::list(folder)?;
    let mut head = HeadFile::open(folder, shard)?;
    let mut numbers = drop_trimmed(folder, numbers, &head.state())?;
    if numbers.is_empty() && head.state().segment == 1 && head.state().last.0 == 0 {
        let made = Maker::new(folder, shard, Epoch(0)).make_now(1, segment::usual_size(1));
        made.map_err(cannot("cannot create", &segment::path(folder, 1)))?;
        numbers.push(1);
    }
    let plan = plan(folder, shard, &numbers, &head.state())?;
    let (current, end, settled) = if let Some(settled) = settled::read(folder, shard, &head.state()) {
        (settled.current, settled.end, Some((head.state().settled, settled.frame)))
    } else {
        let end = walk(&plan, &mut |_| ControlFlow::Continue(()))?;
        let current = segment::open(folder, end.segment)?;
        make_durable(&current, &end).map_err(cannot("cannot write", &segment::path(folder, end.segment)))?;
        (current, end, None)
    };

    let epoch = Epoch(head.state().epoch.max(end.epoch).0 + 1);
    let state = HeadState {
        closed: false,
        epoch,
        last: end.last,
        last_hash: end.hash,
        segment: end.segment,
        settled: 0,
        ..head.state()
    };
    head.write(state).map_err(cannot("cannot write", &path))?;
    let spares = numbers.iter().filter(|number| **number > end.segment);
    let spares = spares.map(|number| segment::open(folder, *number)).collect::<Result<_, _>>()?;
    Ok(Recovered { head, current, spares, end, epoch, settled })
}

/// A walk from the newest place that HEAD vouches for to the end.
pub fn plan<'a>(folder: &'a Path, shard: ShardId, numbers: &[u64], head: &HeadState) -> Result<Plan<'a>, OpenError> {
    let newest = numbers.last().copied().unwrap_or(head.segment);
    let mut expected = head.oldest..=newest.max(head.segment);
    if let Some(missing) = expected.find(|number| numbers.binary_search(number).is_err()) {
        return Err(damaged(&segment::path(folder, missing), 0, "the segment is missing"));
    }
    Ok(Plan {
        folder,
        shard,
        first: head.segment,
        newest,
        before: (head.segment == head.oldest).then_some((head.base, head.base_hash)),
        acknowledged: (head.last, head.last_hash),
        closed: head.closed,
    })
}

/// Finishes dropping segments that HEAD no longer counts.
fn drop_trimmed(folder: &Path, numbers: Vec<u64>, head: &HeadState) -> Result<Vec<u64>, OpenError> {
    let (dropped, kept): (Vec<_>, Vec<_>) = numbers.into_iter().partition(|number| *number < head.oldest);
    for number in dropped {
        segment::remove(folder, number)?;
    }
    Ok(kept)
}

fn clear_tail(current: &Segment, offset: u64) -> std::io::Result<()> {
    let len = usize::try_from(current.size - offset).map_err(std::io::Error::other)?;
    fault::at(Point::RecoveryClear, || current.file.write_all_at(&vec![0; len], offset))
}

fn make_durable(current: &Segment, end: &End) -> std::io::Result<()> {
    if let Some((offset, bytes)) = &end.last_frame
        && !fault::planted(Bug::LastFrameNotAgain)
    {
        fault::at(Point::RecoveryAppend, || current.file.write_all_at(bytes, *offset))?;
    }
    if end.torn {
        clear_tail(current, end.offset)?;
    }
    if end.last_frame.is_none() && !end.torn {
        // Nothing was ever written here.
        return Ok(());
    }
    fault::at(Point::RecoverySync, || current.file.sync_data())
}
