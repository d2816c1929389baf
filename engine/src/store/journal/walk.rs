//! Goes through the frames of a journal and tells its end from damage.
//!
//! The log ends at the first place that holds no whole frame continuing the chain. That is the true end (nothing was
//! written there yet, or what was written is torn: never acknowledged) only if no whole frame follows anywhere and
//! everything that is known to be acknowledged lies before it. Otherwise acknowledged bytes are gone: damage. Never
//! writes, and may run beside a process that appends.

use std::ops::ControlFlow;
use std::path::Path;

use super::frame::{self, FRAME_VERSION, Hash, Parsed, Raw};
use super::segment::{self, Loaded, SEGMENT_HEADER_BYTES};
use crate::clock::Stamp;
use crate::fault::{self, Bug};
use crate::id::{Epoch, Lsn, ShardId};
use crate::store::OpenError;
use crate::store::files::damaged;

/// Where a walk begins and what it must find.
#[derive(Clone, Copy, Debug)]
pub struct Plan<'a> {
    /// The journal's folder.
    pub folder: &'a Path,
    /// The shard.
    pub shard: ShardId,
    /// The segment to begin with.
    pub first: u64,
    /// The newest segment.
    pub newest: u64,
    /// What the frame before that segment is, if that is known: its last record and its hash.
    pub before: Option<(Lsn, Hash)>,
    /// The last record that was acknowledged, for all that is known, and the hash of its frame.
    pub acknowledged: (Lsn, Hash),
    /// Nothing was appended behind it, so spare segments need not be searched.
    pub closed: bool,
}

/// The end of a log.
#[derive(Clone, Debug)]
pub struct End {
    /// The segment that the last frame lies in; the first one in an empty log.
    pub segment: u64,
    /// Where in it the next frame goes.
    pub offset: u64,
    /// The last record; 0 in an empty log.
    pub last: Lsn,
    /// The hash of the last frame.
    pub hash: Hash,
    /// The epoch in which it was written.
    pub epoch: Epoch,
    /// When the last frame was decided.
    pub stamp: Option<Stamp>,
    /// The last frame's place and bytes.
    pub last_frame: Option<(u64, Vec<u8>)>,
    /// Bytes of a torn frame lie at `offset`.
    pub torn: bool,
}

/// Calls `each` with every frame and its segment's number, until it breaks or the log ends.
pub fn walk(plan: &Plan<'_>, each: &mut dyn FnMut(&Raw<'_>) -> ControlFlow<()>) -> Result<End, OpenError> {
    let mut walk = Walk { plan: *plan, known: plan.before, end: End::before(plan), last_frame: None };
    let mut number = plan.first;
    let mut loaded = segment::load(plan.folder, plan.shard, number)?;
    loop {
        let stop = walk.segment(number, &loaded.bytes, each)?;
        let Stop::At { offset, torn } = stop else { break };
        match walk.next_segment(number, offset, torn, &loaded.bytes)? {
            Next::Reread(again) => loaded = again,
            Next::Segment(behind) => {
                number += 1;
                loaded = behind;
                walk.end.segment = number;
                walk.end.offset = SEGMENT_HEADER_BYTES as u64;
            }
            Next::End => {
                if loaded.sealed {
                    return Err(walk.damage(number + 1, 0, "the log goes on here, but no frame is here"));
                }
                walk.end.torn = !frame::is_zero(&loaded.bytes[offset..]);
                walk.check_acknowledged(number, offset)?;
                break;
            }
        }
    }
    let bytes = &loaded.bytes;
    // The log never goes on in a segment without a frame in it, so the last frame lies in these bytes.
    walk.end.last_frame = walk.last_frame.map(|(offset, len)| (offset as u64, bytes[offset..offset + len].to_vec()));
    Ok(walk.end)
}

struct Walk<'a> {
    plan: Plan<'a>,
    /// The frame that the next one must continue.
    known: Option<(Lsn, Hash)>,
    end: End,
    /// Place and length of the last frame within its segment.
    last_frame: Option<(usize, usize)>,
}

/// Why the walk of a segment stopped.
enum Stop {
    /// The caller has enough.
    Enough,
    /// No frame that continues the log begins here.
    At { offset: usize, torn: Option<&'static str> },
}

/// What comes after a segment.
enum Next {
    /// A writer was faster: the segment has been read again and holds more now.
    Reread(Loaded),
    /// The log goes on in the next segment.
    Segment(Loaded),
    /// The log ends here.
    End,
}

impl Walk<'_> {
    fn segment(
        &mut self,
        number: u64,
        bytes: &[u8],
        each: &mut dyn FnMut(&Raw<'_>) -> ControlFlow<()>,
    ) -> Result<Stop, OpenError> {
        loop {
            let offset = usize::try_from(self.end.offset).expect("a segment fits into memory");
            let raw = match frame::parse(&bytes[offset..]) {
                Parsed::Empty => return Ok(Stop::At { offset, torn: None }),
                Parsed::Bad(why) => return Ok(Stop::At { offset, torn: Some(why) }),
                Parsed::Newer(found) => {
                    let path = segment::path(self.plan.folder, number).display().to_string();
                    return Err(OpenError::Newer { path, found: found.into(), known: FRAME_VERSION.into() });
                }
                Parsed::Whole(raw) => raw,
            };
            if let Err(what) = self.continues(&raw) {
                return Err(self.damage(number, offset, what));
            }
            self.end.last = raw.last;
            self.end.hash = raw.hash;
            self.end.epoch = raw.epoch;
            self.end.stamp = Some(raw.stamp);
            self.end.offset += raw.bytes.len() as u64;
            self.known = Some((raw.last, raw.hash));
            self.last_frame = Some((offset, raw.bytes.len()));
            if each(&raw).is_break() {
                return Ok(Stop::Enough);
            }
        }
    }

    /// Whether a whole frame follows on the one before it, and agrees with what was acknowledged.
    fn continues(&self, raw: &Raw<'_>) -> Result<(), &'static str> {
        if let Some((last, hash)) = self.known
            && (raw.prev != hash || raw.first != Lsn(last.0 + 1))
        {
            return Err("the frame does not continue the one before it");
        }
        if raw.epoch < self.end.epoch {
            return Err("the frame is of an epoch that was over");
        }
        let (acknowledged, hash) = self.plan.acknowledged;
        if raw.first <= acknowledged && acknowledged <= raw.last && (raw.last, raw.hash) != (acknowledged, hash) {
            return Err("the frame is not the one that was acknowledged");
        }
        Ok(())
    }

    /// Decides what it means that no frame begins at `offset`.
    fn next_segment(
        &mut self,
        number: u64,
        offset: usize,
        torn: Option<&'static str>,
        bytes: &[u8],
    ) -> Result<Next, OpenError> {
        let folder = self.plan.folder;
        let mut follows = frame::follows(bytes, offset);
        let clean = torn.is_none() && self.plan.closed && self.end.last == self.plan.acknowledged.0;
        if !follows && !clean {
            for behind in number + 1..=self.plan.newest {
                let loaded = segment::load(folder, self.plan.shard, behind)?;
                let continued = match frame::parse(&loaded.bytes[SEGMENT_HEADER_BYTES..]) {
                    Parsed::Whole(raw) => torn.is_none() && self.continues(&raw).is_ok(),
                    _ => false,
                };
                if continued && behind == number + 1 {
                    return Ok(Next::Segment(loaded));
                }
                follows |= frame::follows(&loaded.bytes, SEGMENT_HEADER_BYTES);
            }
        }
        if !follows {
            return Ok(Next::End);
        }
        // A process that appends meanwhile may have written here after this segment was read, and then behind it.
        let again = segment::load(folder, self.plan.shard, number)?;
        if again.bytes.get(offset..).is_some_and(|bytes| matches!(frame::parse(bytes), Parsed::Whole(_))) {
            return Ok(Next::Reread(again));
        }
        let what = torn.unwrap_or("a frame is missing");
        Err(self.damage(number, offset, &format!("{what}, and whole frames follow")))
    }

    /// Whether all that was acknowledged has been seen.
    fn check_acknowledged(&self, number: u64, offset: usize) -> Result<(), OpenError> {
        let (acknowledged, _) = self.plan.acknowledged;
        if self.end.last < acknowledged && !fault::planted(Bug::HeadIgnored) {
            let what = format!(
                "the log ends with record {} here, but record {} was acknowledged",
                self.end.last.0, acknowledged.0
            );
            return Err(self.damage(number, offset, &what));
        }
        Ok(())
    }

    fn damage(&self, number: u64, offset: usize, what: &str) -> OpenError {
        damaged(&segment::path(self.plan.folder, number), offset as u64, what)
    }
}

impl End {
    fn before(plan: &Plan<'_>) -> Self {
        let (last, hash) = plan.before.unwrap_or_default();
        Self {
            segment: plan.first,
            offset: SEGMENT_HEADER_BYTES as u64,
            last,
            hash,
            epoch: Epoch(0),
            stamp: None,
            last_frame: None,
            torn: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::segment::{Maker, usual_size};
    use super::super::{head, recovery};
    use super::*;
    use crate::store::{Folder, Frame, ShardLog};

    #[test]
    fn a_writer_that_is_faster_than_the_walk_is_not_taken_for_damage() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::open(place.path()).unwrap();
        let journal = folder.layout().journal();
        drop(folder.log().unwrap());
        Maker::new(&journal, ShardId(0), Epoch(0)).make_now(2, usual_size(2)).unwrap();
        let mut log = folder.log().unwrap();
        let mut append = || {
            let last = log.head().last;
            let frame = Frame { first: Lsn(last.0 + 1), stamp: Stamp::default(), records: vec![vec![1; 100_000]] };
            log.append(last, &frame).unwrap();
        };
        append();

        let head = head::read(&journal, ShardId(0)).unwrap();
        let numbers = segment::list(&journal).unwrap();
        let mut seen = 0;
        let end = walk(&recovery::plan(&journal, ShardId(0), &numbers, &head).unwrap(), &mut |_| {
            seen += 1;
            if seen == 1 {
                // The walk has read the first segment; now it gets another frame, and the second one two.
                (0..3).for_each(|_| append());
            }
            ControlFlow::Continue(())
        });
        assert_eq!((seen, end.unwrap().last), (4, Lsn(4)));
    }
}
