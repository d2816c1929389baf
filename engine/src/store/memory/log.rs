//! The log of a disk in memory: appends meet the faults that are scripted for it.

use std::ops::RangeInclusive;

use super::{Fault, MemoryDisk};
use crate::core::run::Subject;
use crate::id::{Epoch, Lsn, ShardId};
use crate::store::{AppendError, Frame, Frames, Growth, Head, OpenError, ShardLog};

/// A [`ShardLog`] on a [`MemoryDisk`].
#[derive(Debug)]
pub struct MemoryLog {
    pub(super) disk: MemoryDisk,
    pub(super) epoch: Epoch,
    pub(super) head: Head,
    pub(super) finished: Option<String>,
}

impl MemoryLog {
    fn read_if(&self, asked: impl Fn(&Frame) -> bool, each: &mut dyn FnMut(Frame) -> bool) {
        // Copied first: `each` may come back to this disk.
        let frames: Vec<Frame> = {
            let disk = self.disk.disk();
            let frames = disk.durable.iter().chain(&disk.cached).filter(|frame| frame.last() <= self.head.last);
            frames.filter(|frame| asked(frame)).cloned().collect()
        };
        frames.into_iter().all(each);
    }

    fn fail(&mut self, why: &str) -> AppendError {
        self.finished = Some(why.to_owned());
        AppendError::Failed(why.to_owned())
    }

    fn unknown(&mut self, why: &str) -> AppendError {
        self.finished = Some(why.to_owned());
        AppendError::Unknown(why.to_owned())
    }
}

impl ShardLog for MemoryLog {
    fn shard(&self) -> ShardId {
        ShardId(0)
    }

    fn epoch(&self) -> Epoch {
        self.epoch
    }

    fn head(&self) -> Head {
        self.head
    }

    fn append(&mut self, after: Lsn, frame: &Frame) -> Result<(), AppendError> {
        if let Some(why) = &self.finished {
            return Err(AppendError::Failed(why.clone()));
        }
        let shared = self.disk.clone();
        let mut disk = shared.disk();
        if disk.epoch != self.epoch {
            return Err(AppendError::Fenced(self.epoch));
        }
        assert_eq!((after, frame.first), (self.head.last, Lsn(self.head.last.0 + 1)), "a frame continues the log");
        assert!(!frame.records.is_empty(), "a frame has records");
        let fault = disk.next_fault();
        if let Some(fault) = fault {
            *disk.hits.entry(fault).or_default() += 1;
        }
        match fault {
            None => {
                disk.write(frame);
                disk.appends += 1;
                self.head = disk.head();
                Ok(())
            }
            Some(Fault::Fail) => Err(self.fail("an injected fault: the write failed")),
            Some(Fault::Torn) => {
                disk.torn = true;
                Err(self.fail("an injected fault: the write was torn"))
            }
            Some(Fault::FailWritten) => {
                disk.write(frame);
                Err(self.fail("an injected fault: the sync failed"))
            }
            Some(Fault::FailCached) => {
                disk.cached.push(frame.clone());
                Err(self.fail("an injected fault: the sync failed, the page cache has it"))
            }
            Some(Fault::NoSpace) => Err(AppendError::NoSpace("an injected fault".to_owned())),
            Some(Fault::UnknownWritten) => {
                disk.write(frame);
                Err(self.unknown("an injected fault: no answer, written"))
            }
            Some(Fault::UnknownLost) => Err(self.unknown("an injected fault: no answer, not written")),
            Some(Fault::Fenced) => {
                disk.epoch.0 += 1;
                Err(AppendError::Fenced(self.epoch))
            }
        }
    }

    fn trim(&mut self, below: Lsn) -> Result<(), OpenError> {
        let mut disk = self.disk.disk();
        disk.trimmed = disk.trimmed.max(below);
        let (keep, last) = (disk.trimmed, self.head.last);
        disk.durable.retain(|frame| frame.last() >= keep || frame.last() >= last);
        Ok(())
    }

    fn freeing(&self, bytes: u64) -> Option<Lsn> {
        let disk = self.disk.disk();
        let (mut freed, mut below) = (0, None);
        for frame in disk.durable.iter().filter(|frame| frame.last() < self.head.last) {
            if freed >= bytes {
                break;
            }
            freed += frame.records.iter().map(|record| record.len() as u64).sum::<u64>();
            below = Some(Lsn(frame.last().0 + 1));
        }
        below
    }

    fn growth(&self) -> Growth {
        Growth { begun: 0, left: u64::MAX, next: 0 }
    }

    fn rest(&mut self) {}

    fn settle(&mut self) {
        self.disk.disk().settled = Some(self.head.last);
    }

    fn settled(&mut self) -> Option<Frame> {
        let disk = self.disk.disk();
        let frame = disk.cached.last().or(disk.durable.last())?;
        (disk.settled == Some(frame.last()) && frame.last() == self.head.last).then(|| frame.clone())
    }
}

impl Frames for MemoryLog {
    fn oldest(&self) -> Lsn {
        let disk = self.disk.disk();
        let first = disk.durable.iter().chain(&disk.cached).next();
        first.map_or(Lsn(self.head.last.0 + 1), |frame| frame.first)
    }

    fn read(&self, from: Lsn, each: &mut dyn FnMut(Frame) -> bool) -> Result<(), OpenError> {
        self.read_if(|frame| frame.last() >= from, each);
        Ok(())
    }

    fn read_of(
        &self,
        subject: &Subject,
        positions: RangeInclusive<Lsn>,
        each: &mut dyn FnMut(Frame) -> bool,
    ) -> Result<(), OpenError> {
        let concerns = |frame: &Frame| {
            frame.records.iter().any(|record| Subject::of(record).is_some_and(|about| about.concerns(subject)))
        };
        let asked = |frame: &Frame| frame.last() >= *positions.start() && frame.first <= *positions.end();
        self.read_if(|frame| asked(frame) && concerns(frame), each);
        Ok(())
    }
}
