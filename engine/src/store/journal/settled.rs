//! Opens a journal by its last frame alone, where `HEAD` says that this frame stands for all before it.
//!
//! Nothing here decides that something is damaged: when anything is not as `HEAD` says, the answer is `None`, and the
//! walk over all frames finds out what is wrong.

use std::path::Path;

use super::frame::{self, FRAME_HEADER_BYTES, Parsed};
use super::head::HeadState;
use super::segment::{self, Segment};
use super::walk::End;
use crate::id::ShardId;
use crate::store::{Frame, OpenError};

/// Read at once: the frame is a single short record.
const FRAME_GUESS: u64 = 4096;

/// A log that was closed behind a frame which stands for all before it.
pub struct Settled {
    /// The segment that the next frame goes into.
    pub current: Segment,
    /// Where the log ends.
    pub end: End,
    /// That frame.
    pub frame: Frame,
}

/// Reads the frame, if there is one.
///
/// It is not written again as the last frame of a walk is: `HEAD` was synced after the sync of this frame had succeeded.
pub fn read(folder: &Path, shard: ShardId, head: &HeadState) -> Option<Settled> {
    if !head.closed || head.settled == 0 {
        return None;
    }
    read_at(folder, shard, head).ok().flatten()
}

fn read_at(folder: &Path, shard: ShardId, head: &HeadState) -> Result<Option<Settled>, OpenError> {
    let current = segment::open(folder, head.segment)?;
    let bytes = segment::load_part(&current, folder, shard, head.settled, FRAME_GUESS)?;
    let Parsed::Whole(raw) = frame::parse(&bytes) else { return Ok(None) };
    if (raw.last, raw.hash) != (head.last, head.last_hash) {
        return Ok(None);
    }
    // What was appended behind it, against what HEAD says, would begin right there.
    let behind = &bytes[raw.bytes.len()..];
    let offset = head.settled + raw.bytes.len() as u64;
    if (behind.len() < FRAME_HEADER_BYTES && offset + (behind.len() as u64) < current.size) || !frame::is_zero(behind) {
        return Ok(None);
    }
    let end = End {
        segment: current.number,
        offset,
        last: raw.last,
        hash: raw.hash,
        epoch: raw.epoch,
        stamp: Some(raw.stamp),
        last_frame: None,
        torn: false,
    };
    let frame = raw.frame();
    Ok(Some(Settled { current, end, frame }))
}
