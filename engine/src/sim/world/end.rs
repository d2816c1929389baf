//! What is looked at when an engine ends, and when the simulation does.

use crate::encode::encode;
use crate::id::Lsn;
use crate::sim::evidence::Record;
use crate::store::Frame;

use super::World;

/// A hash over frames.
pub(super) fn hash(frames: &[Frame]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    for frame in frames {
        add(&mut hasher, frame);
    }
    *hasher.finalize().as_bytes()
}

fn add(hasher: &mut blake3::Hasher, frame: &Frame) {
    hasher.update(&frame.first.0.to_le_bytes());
    for record in &frame.records {
        hasher.update(&(record.len() as u64).to_le_bytes());
        hasher.update(record);
    }
}

impl World<'_> {
    /// Holds the state in memory against what the journal gives from its beginning, and what the checkpoint and the
    /// journal behind it give.
    pub(super) fn compare_with_replay(&mut self) {
        let Some(engine) = &mut self.engine else { return };
        if engine.driver.halted().is_some() || engine.driver.full().is_some() {
            return;
        }
        // What was left unread at an opening is read now: it is part of the state.
        if let Err(error) = engine.driver.read_all() {
            self.evidence.differences.push(format!("what was left unread cannot be read: {error}"));
            return;
        }
        let mut live = Vec::with_capacity(self.ids.len());
        for id in &self.ids {
            let run = engine.driver.run(*id).map(|run| encode(&*run));
            live.push(run.or_else(|| engine.driver.stored(*id).map(|run| encode(&run))));
        }
        let from_image = self.disk.copy();
        let from_zero = self.disk.copy();
        from_zero.lose_image();
        from_zero.lose_bases();
        for (disk, from) in [(from_zero, "its beginning"), (from_image, "the checkpoint")] {
            let opened = self
                .open(disk)
                .and_then(|mut driver| driver.read_all().map(|()| driver).map_err(|error| error.to_string()));
            let mut replayed = match opened {
                Ok(driver) => driver,
                Err(error) => {
                    self.evidence.differences.push(format!("from {from} the journal cannot be read: {error}"));
                    continue;
                }
            };
            for (id, live) in self.ids.iter().zip(&live) {
                let run = replayed.run(*id).map(|run| encode(&*run));
                let run = run.or_else(|| replayed.stored(*id).map(|run| encode(&run)));
                if run != *live {
                    let difference = format!("run {id}, replayed from {from}, is not what was in memory");
                    self.evidence.differences.push(difference);
                }
            }
        }
    }

    /// Gathers what the checker is given.
    pub(super) fn finish(&mut self) {
        self.compare_with_replay();
        let frames = self.disk.frames();
        let mut hasher = blake3::Hasher::new();
        self.evidence.frame_hashes.push(*hasher.finalize().as_bytes());
        for (number, frame) in (0..).zip(&frames) {
            add(&mut hasher, frame);
            self.evidence.frame_hashes.push(*hasher.finalize().as_bytes());
            self.trace.add(&[frame.stamp.time, frame.first.0]);
            for (lsn, bytes) in (frame.first.0..).map(Lsn).zip(&frame.records) {
                self.trace.add_bytes(bytes);
                self.coverage.record(bytes);
                match Record::read(lsn.0, number, (frame.stamp.time, frame.stamp.boot), bytes) {
                    Ok(record) => self.evidence.journal.push(record),
                    Err(error) => self.evidence.broken = Some(format!("record {} cannot be read: {error}", lsn.0)),
                }
            }
        }
        for (run, id) in self.ids.iter().enumerate() {
            if self.scenario.starts(run) && !self.clients.done.contains(&run) {
                let state = self.engine.as_ref().and_then(|engine| engine.driver.run(*id));
                let status = state.map_or_else(|| "not there".to_owned(), |run| run.status_name().to_owned());
                self.evidence.left_open.push((id.to_string(), status));
            }
        }
        let alive = self.spool.attempts.iter().filter(|(_, entry)| entry.runs || entry.supervised);
        let alive: Vec<_> = alive.map(|((run, token), _)| (run.to_string(), token.0)).collect();
        self.evidence.left_alive.extend(alive);
        for (fault, hits) in self.disk.hits() {
            self.coverage.troubles(fault.name(), hits);
        }
    }
}
