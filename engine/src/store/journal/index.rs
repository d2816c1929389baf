//! What a pack holds, so that one run's frames are found in it without decoding the others'.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use super::frame::{Hash, Raw};
use crate::core::run::Subject;
use crate::id::{Lsn, RunId};

/// Runs that are named in a message about damage; of more, only their number is said.
const MAX_NAMED_RUNS: usize = 8;

/// A subject in few bytes. Two definitions may share one: whoever reads the frames looks again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Key(u8, u64);

const RUN: u8 = 0;
const DEFINITION: u8 = 1;
const EVERYTHING: u8 = 2;

impl Key {
    fn of(subject: &Subject) -> Self {
        match subject {
            Subject::Run(run) => Self(RUN, run.number()),
            Subject::Definition(hash) => {
                Self(DEFINITION, hash.get(..16).and_then(|hash| u64::from_str_radix(hash, 16).ok()).unwrap_or(0))
            }
            Subject::Everything => Self(EVERYTHING, 0),
        }
    }
}

/// The index block of a pack: `MessagePack` with named fields.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index {
    /// The position of its first record.
    pub first: Lsn,
    /// The position of its last record.
    pub last: Lsn,
    /// The hash of its last frame.
    pub hash: Hash,
    /// Offset of each block in the file, and how many frames it holds.
    pub blocks: Vec<(u64, u32)>,
    /// How many records each frame has.
    counts: Vec<u32>,
    /// How many bytes each frame has, padding included.
    lens: Vec<u32>,
    /// The frames in which each subject is, in order, each as the distance from the one before it.
    subjects: Vec<(Key, Vec<u32>)>,
}

/// Where a frame lies in a pack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The number of its block.
    pub block: usize,
    /// Where it begins in the decoded block.
    pub offset: usize,
    /// Its length.
    pub len: usize,
    /// The position of its first record.
    pub first: Lsn,
    /// The position of its last record.
    pub last: Lsn,
}

impl Index {
    /// Where every frame lies, in order.
    pub fn places(&self) -> impl Iterator<Item = Place> + '_ {
        let mut frames = self.counts.iter().zip(&self.lens);
        let mut next = self.first;
        self.blocks.iter().enumerate().flat_map(move |(block, (_, count))| {
            let mut offset = 0;
            let frames = frames.by_ref().take(*count as usize);
            let places = frames.map(|(records, len)| {
                let (first, len) = (next, *len as usize);
                next = Lsn(first.0 + u64::from(*records));
                offset += len;
                Place { block, offset: offset - len, len, first, last: Lsn(next.0.saturating_sub(1)) }
            });
            places.collect::<Vec<_>>()
        })
    }

    /// Where the frames lie that may be about a subject and reach into these positions, in order.
    pub fn places_of(&self, subject: &Subject, positions: &RangeInclusive<Lsn>) -> Vec<Place> {
        let frames_of = |key: Key| {
            let at = self.subjects.binary_search_by_key(&key, |(key, _)| *key);
            at.map_or(&[][..], |at| self.subjects[at].1.as_slice())
        };
        let wanted = numbers(frames_of(Key::of(subject))).chain(numbers(frames_of(Key::of(&Subject::Everything))));
        let wanted: BTreeSet<usize> = wanted.collect();
        if wanted.is_empty() {
            return Vec::new();
        }
        let mut wanted = wanted.into_iter().peekable();
        let places = self.places().enumerate().filter(|(number, _)| wanted.next_if_eq(number).is_some());
        places
            .map(|(_, place)| place)
            .filter(|place| place.last >= *positions.start() && place.first <= *positions.end())
            .collect()
    }

    /// The positions of a block's records.
    pub fn positions_of(&self, block: usize) -> Option<(Lsn, Lsn)> {
        let mut places = self.places().filter(|place| place.block == block);
        let first = places.next()?;
        let last = places.last().unwrap_or(first);
        Some((first.first, last.last))
    }

    /// The runs that a block's records are about.
    pub fn runs_of(&self, block: usize) -> Vec<RunId> {
        let before: usize = self.blocks.iter().take(block).map(|(_, frames)| *frames as usize).sum();
        let frames = before..before + self.blocks.get(block).map_or(0, |(_, frames)| *frames as usize);
        let here = |places: &[u32]| numbers(places).any(|number| frames.contains(&number));
        let of_runs = self.subjects.iter().filter(|(Key(kind, _), places)| *kind == RUN && here(places));
        of_runs.filter_map(|(Key(_, number), _)| RunId::of_number(*number)).collect()
    }

    /// For messages: what a block holds.
    pub fn describe_block(&self, block: usize) -> String {
        let Some((first, last)) = self.positions_of(block) else { return "it holds no record".to_owned() };
        format!("it holds the records {} to {}{}", first.0, last.0, name_runs(&self.runs_of(block)))
    }
}

/// ` of the runs a and b`, for the end of a sentence; nothing where there is no run.
pub(crate) fn name_runs(runs: &[RunId]) -> String {
    if runs.is_empty() {
        return String::new();
    }
    let mut text = runs.iter().take(MAX_NAMED_RUNS).map(RunId::to_string).collect::<Vec<_>>().join(", ");
    if let Some(more) = runs.len().checked_sub(MAX_NAMED_RUNS).filter(|more| *more > 0) {
        text = format!("{text} and {more} more");
    }
    format!(" of {} {text}", if runs.len() == 1 { "the run" } else { "the runs" })
}

fn numbers(distances: &[u32]) -> impl Iterator<Item = usize> + '_ {
    distances.iter().scan(0_usize, |number, distance| {
        *number += *distance as usize;
        Some(*number)
    })
}

/// Builds an index frame by frame.
#[derive(Debug, Default)]
pub struct Builder {
    index: Index,
    subjects: BTreeMap<Key, Vec<u32>>,
}

impl Builder {
    /// Begins a block at an offset of the file.
    pub fn block(&mut self, offset: u64) {
        self.index.blocks.push((offset, 0));
    }

    /// Adds a frame to the last block.
    pub fn frame(&mut self, raw: &Raw<'_>, indexed: bool) {
        let number = small(self.index.counts.len());
        if number == 0 {
            self.index.first = raw.first;
        }
        self.index.last = raw.last;
        self.index.hash = raw.hash;
        self.index.counts.push(small(raw.records().count()));
        self.index.lens.push(small(raw.bytes.len()));
        if let Some((_, frames)) = self.index.blocks.last_mut() {
            *frames += 1;
        }
        if indexed {
            for subject in raw.records().filter_map(Subject::of) {
                let frames = self.subjects.entry(Key::of(&subject)).or_default();
                if frames.last() != Some(&number) {
                    frames.push(number);
                }
            }
        }
    }

    /// The index of what was added.
    pub fn finish(self) -> Index {
        let subjects = self.subjects.into_iter().map(|(key, frames)| {
            let mut before = 0;
            (key, frames.into_iter().map(|number| number - std::mem::replace(&mut before, number)).collect())
        });
        Index { subjects: subjects.collect(), ..self.index }
    }
}

/// A number within one pack, which is far below 4 GiB.
fn small(number: usize) -> u32 {
    u32::try_from(number).expect("a pack holds less than 4 GiB")
}
