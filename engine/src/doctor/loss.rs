//! What of a journal is lost: between which records, and which runs that concerns. Found out without changing anything.
//!
//! Of a gap whose frames can still be made out, or whose segment's index is whole, the runs are known. Of any other one
//! it may concern every run that was open then. A checkpoint behind a gap holds what became of the runs: of them only
//! history is lost. Where the record that vouches for a checkpoint lies in a gap itself, the checkpoint is taken for what
//! it says of itself: it matches its own digest, and nothing says otherwise.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::core::run::{About, Change, Record};
use crate::driver::checkpoint::{DEFINITION_PREFIX, RUN_PREFIX, SUMMARY_PREFIX};
use crate::driver::entry::RunEntry;
use crate::driver::past::{Span, Summary};
use crate::driver::recovery::decode_record;
use crate::encode::decode;
use crate::id::{Lsn, RunId};
use crate::store::folder::bases_in;
use crate::store::image::entries as image_entries;
use crate::store::journal::frame::Hash;
use crate::store::journal::{Gap, Holds, Hole, Piece, Salvage, SalvageEnd};
use crate::store::{Checkpoint, Frame, Layout, OpenError, StoredBases as _};

/// Lost records are accepted so many at a time: what stands in their place is one frame.
const MAX_LOST_AT_ONCE: u64 = 1_000_000;

/// What of a journal is lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Losses {
    /// The gaps, in order; none where only bookkeeping is damaged.
    pub gaps: Vec<LostRecords>,
    /// The last record of the journal, lost ones among them.
    pub last: u64,
}

/// Records that are lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LostRecords {
    /// The file.
    pub path: PathBuf,
    /// Where in it, in bytes.
    pub offset: u64,
    /// What is wrong there.
    pub what: String,
    /// The position of the first of them.
    pub first: u64,
    /// The position of the last of them.
    pub last: u64,
    /// The runs that some of them are about, or may be.
    pub runs: Vec<RunId>,
}

impl Losses {
    /// How many records are lost.
    pub fn records(&self) -> u64 {
        self.gaps.iter().map(|gap| gap.last + 1 - gap.first).sum()
    }

    /// The runs that are concerned, each once.
    pub fn runs(&self) -> BTreeSet<RunId> {
        self.gaps.iter().flat_map(|gap| gap.runs.iter().copied()).collect()
    }
}

/// What comes into the positions of a gap.
#[derive(Clone, Debug)]
pub(super) enum Filling {
    /// The record that says that they are lost, and empty ones.
    Lost(LostRecords),
    /// The record that vouches for a checkpoint that is there.
    Checkpoint(Checkpoint),
}

impl Filling {
    pub fn first(&self) -> Lsn {
        match self {
            Self::Lost(lost) => Lsn(lost.first),
            Self::Checkpoint(checkpoint) => Lsn(checkpoint.lsn.0 + 1),
        }
    }
}

/// How a damaged journal is made a whole one.
pub(super) struct Plan {
    /// What is left of it.
    pub salvage: Salvage,
    /// Records up to this one were there.
    pub known: Lsn,
    /// What comes into the gaps, in order.
    pub fillings: Vec<Filling>,
    /// Where what is left ends.
    pub end: SalvageEnd,
    /// The number of the first segment, the last record before it, and the hash of its frame.
    pub begins: (u64, Lsn, Hash),
}

impl Plan {
    /// Reads all that is left of the journal.
    pub fn of(layout: &Layout) -> Result<Self, OpenError> {
        let facts = facts_of(layout);
        let salvage = Salvage::of(&layout.journal(), crate::id::ShardId(0))?;
        let known = facts.iter().map(|facts| Lsn(facts.checkpoint.lsn.0 + 1)).max().unwrap_or_default();
        // A checkpoint at the very end of what is there need not have been journaled.
        let mut ledger = Ledger::new(&facts);
        salvage.walk(Lsn(0), &mut |piece| ledger.take(piece))?;
        let known = if known.0 > ledger.last.0 + 1 { known } else { Lsn(0) };
        let mut ledger = Ledger::new(&facts);
        let end = salvage.walk(known, &mut |piece| ledger.take(piece))?;
        let (oldest, before) = salvage.beginning();
        let (base, base_hash) = before.or(ledger.before).unwrap_or_default();
        Ok(Self { fillings: ledger.finish(), salvage, known, end, begins: (oldest, base, base_hash) })
    }

    /// What it gives up.
    pub fn losses(&self) -> Losses {
        let gaps: Vec<LostRecords> = self
            .fillings
            .iter()
            .filter_map(|filling| match filling {
                Filling::Lost(lost) => Some(lost.clone()),
                Filling::Checkpoint(_) => None,
            })
            .collect();
        let last = self.fillings.last().map_or(0, |filling| match filling {
            Filling::Lost(lost) => lost.last,
            Filling::Checkpoint(checkpoint) => checkpoint.lsn.0 + 1,
        });
        Losses { gaps, last: last.max(self.end.last.0) }
    }
}

/// What a checkpoint says of runs.
struct Facts {
    checkpoint: Checkpoint,
    open: Vec<(RunId, Span)>,
    past: Vec<(RunId, Span)>,
    /// The definitions that it holds.
    definitions: Vec<String>,
    /// Those that are needed to tell of runs that have ended.
    needed: Vec<(RunId, Span, String)>,
}

impl Facts {
    fn new(checkpoint: Checkpoint) -> Self {
        Self { checkpoint, open: Vec::new(), past: Vec::new(), definitions: Vec::new(), needed: Vec::new() }
    }

    fn take(&mut self, key: &[u8], value: &[u8]) {
        let name = |prefix| std::str::from_utf8(key.strip_prefix(prefix)?).ok();
        let run = |prefix| name(prefix)?.parse::<RunId>().ok();
        if let Some((id, entry)) = run(RUN_PREFIX).zip(RunEntry::decode(value).ok()) {
            if !entry.ended {
                self.open.push((id, entry.span));
            }
        } else if let Some((id, summary)) = run(SUMMARY_PREFIX).zip(decode::<Summary>(value).ok()) {
            self.past.push((id, summary.span));
            let definitions = summary.earlier.into_iter().chain([summary.definition]);
            self.needed.extend(definitions.map(|definition| (id, summary.span, definition)));
        } else if let Some(hash) = name(DEFINITION_PREFIX) {
            self.definitions.push(hash.to_owned());
        }
    }

    /// The runs with records at these positions, or around them.
    fn around(&self, first: Lsn, last: Lsn) -> impl Iterator<Item = RunId> {
        let all = self.open.iter().chain(&self.past);
        all.filter(move |(_, span)| span.first <= last && span.last >= first).map(|(id, _)| *id)
    }
}

/// Every checkpoint that matches its own digest, oldest first.
fn facts_of(layout: &Layout) -> Vec<Facts> {
    let mut found = Vec::new();
    let bases = bases_in(layout);
    for base in bases.list().unwrap_or_default() {
        let mut facts = Facts::new(Checkpoint::default());
        if let Ok(checkpoint) = bases.read(base.lsn, &mut |key, value| facts.take(key, value)) {
            found.push(Facts { checkpoint, ..facts });
        }
    }
    if let Ok(Some((checkpoint, entries))) = image_entries(&layout.state()) {
        let mut facts = Facts::new(checkpoint);
        for (key, value) in &entries {
            facts.take(key, value);
        }
        found.push(facts);
    }
    found.sort_by_key(|facts| facts.checkpoint.lsn);
    found
}

/// A gap, and the runs that it may concern.
struct Concern {
    gap: Gap,
    /// The runs that the holes tell of, where they tell of every position.
    told: Option<BTreeSet<RunId>>,
    /// The runs that were open when it began.
    open: BTreeSet<RunId>,
    /// Runs of which what follows shows that something is missing.
    shown: BTreeSet<RunId>,
}

/// Follows which runs are open.
struct Ledger<'a> {
    facts: &'a [Facts],
    /// How many of the checkpoints were passed.
    passed: usize,
    last: Lsn,
    /// What the first frame says of the one before it.
    before: Option<(Lsn, Hash)>,
    open: BTreeSet<RunId>,
    ever: BTreeSet<RunId>,
    definitions: BTreeSet<String>,
    /// Runs that came to be before their definition was seen, and where.
    undefined: Vec<(RunId, Lsn, String)>,
    concerns: Vec<Concern>,
}

impl<'a> Ledger<'a> {
    fn new(facts: &'a [Facts]) -> Self {
        Self {
            facts,
            passed: 0,
            last: Lsn(0),
            before: None,
            open: BTreeSet::new(),
            ever: BTreeSet::new(),
            definitions: BTreeSet::new(),
            undefined: Vec::new(),
            concerns: Vec::new(),
        }
    }

    fn take(&mut self, piece: Piece<'_>) -> Result<(), OpenError> {
        match piece {
            Piece::Frame(raw) => {
                self.pass(raw.first);
                self.before.get_or_insert((Lsn(raw.first.0 - 1), raw.prev));
                let Frame { first, records, .. } = raw.frame();
                for (lsn, bytes) in (first.0..).map(Lsn).zip(&records) {
                    self.note(lsn, &decode_record(lsn, bytes)?);
                }
                self.last = raw.last;
            }
            Piece::Gap(gap) => {
                self.pass(gap.first);
                self.last = gap.last;
                let told = self.told(&gap);
                let open = if told.is_some() { BTreeSet::new() } else { self.open.clone() };
                self.concerns.push(Concern { gap, told, open, shown: BTreeSet::new() });
            }
        }
        Ok(())
    }

    /// Takes in what checkpoints say that lie before this position.
    fn pass(&mut self, next: Lsn) {
        while let Some(facts) = self.facts.get(self.passed).filter(|facts| facts.checkpoint.lsn < next) {
            self.passed += 1;
            self.open = facts.open.iter().map(|(id, _)| *id).collect();
            self.ever.extend(facts.open.iter().chain(&facts.past).map(|(id, _)| *id));
            self.definitions.extend(facts.definitions.iter().cloned());
        }
    }

    fn note(&mut self, lsn: Lsn, record: &Record) {
        let concern = self.concerns.last_mut();
        match record {
            Record::Defined { hash, .. } => {
                self.definitions.insert(hash.clone());
            }
            Record::Created { run, definition, .. } => {
                self.open.insert(*run);
                self.ever.insert(*run);
                if !self.definitions.contains(definition) {
                    self.undefined.push((*run, lsn, definition.clone()));
                }
            }
            Record::Changed { run, change } => {
                if let Some(definition) = record.needs_definition().filter(|hash| !self.definitions.contains(*hash)) {
                    self.undefined.push((*run, lsn, definition.to_owned()));
                }
                let known = self.open.contains(run);
                let reopens = matches!(change, Change::Retried { .. }) && self.ever.contains(run);
                if let Some(concern) = concern.filter(|_| !known && !reopens) {
                    concern.shown.insert(*run);
                }
                self.ever.insert(*run);
                if matches!(change, Change::Finished { .. }) {
                    self.open.remove(run);
                } else if !known {
                    self.open.insert(*run);
                }
            }
            Record::Scheduled { .. }
            | Record::SchedulesHeld { .. }
            | Record::Checkpointed { .. }
            | Record::Rested { .. }
            | Record::Lost { .. }
            | Record::Removed { .. } => {}
        }
    }

    /// The runs that the holes of a gap tell of; `None` unless they tell of every position.
    fn told(&self, gap: &Gap) -> Option<BTreeSet<RunId>> {
        let mut runs = BTreeSet::new();
        let mut next = gap.first;
        for hole in &gap.holes {
            let Some((first, last)) = hole.extent.filter(|(first, _)| *first <= next) else { continue };
            match &hole.holds {
                Holds::Unknown => continue,
                Holds::Indexed(indexed) => runs.extend(indexed),
                Holds::Seen(about) => runs.extend(self.believed(about)?),
            }
            next = next.max(Lsn(last.0 + 1));
            debug_assert!(first <= last, "a hole holds records");
        }
        (next > gap.last).then_some(runs)
    }

    /// The runs of records that were made out in a frame that does not match its hash: only those that are known can be
    /// believed, since a changed bit may lie in an id.
    fn believed(&self, about: &[About]) -> Option<BTreeSet<RunId>> {
        let mut runs = BTreeSet::new();
        for about in about {
            match about {
                About::Creation(run) => {
                    runs.insert(*run);
                }
                About::Change(run) if self.ever.contains(run) || runs.contains(run) => {
                    runs.insert(*run);
                }
                About::Change(_) | About::Loss => return None,
                About::Definition(_) | About::Nothing => {}
            }
        }
        Some(runs)
    }

    /// Names the runs whose definition is lost. One that is journaled again later does where nobody has to begin before it.
    fn name_undefined(&mut self) {
        let kept = |hash: &String| self.definitions.contains(hash);
        let behind = |at: Lsn| self.facts.iter().any(|facts| facts.checkpoint.lsn >= at);
        let created = self.undefined.iter().filter(|(_, at, hash)| !(kept(hash) && behind(*at)));
        let created = created.map(|(run, at, _)| (*run, *at));
        let begins = self.before.map_or(Lsn(0), |(last, _)| last);
        let needed = self.facts.iter().flat_map(|facts| &facts.needed);
        let ended = needed.filter(|(_, span, hash)| span.first > begins && !kept(hash));
        let runs: Vec<(RunId, Lsn)> = created.chain(ended.map(|(run, span, _)| (*run, span.first))).collect();
        for (run, at) in runs {
            let before = self.concerns.iter().rposition(|concern| concern.gap.last < at);
            let place = before.unwrap_or(self.concerns.len().saturating_sub(1));
            if let Some(concern) = self.concerns.get_mut(place) {
                concern.shown.insert(run);
            }
        }
    }

    fn finish(mut self) -> Vec<Filling> {
        self.name_undefined();
        let mut fillings = Vec::new();
        for concern in &self.concerns {
            let Gap { first, last, .. } = concern.gap;
            let within = self.facts.iter().filter(|facts| (first.0..=last.0).contains(&(facts.checkpoint.lsn.0 + 1)));
            let mut begins = first;
            let mut open = &concern.open;
            let at_checkpoint: Vec<(&Facts, BTreeSet<RunId>)> =
                within.map(|facts| (facts, facts.open.iter().map(|(id, _)| *id).collect())).collect();
            for (facts, open_then) in &at_checkpoint {
                let place = Lsn(facts.checkpoint.lsn.0 + 1);
                if place < begins {
                    // Two checkpoints of one position: the journal knew one of them.
                    continue;
                }
                self.lose(concern, open, begins, Lsn(place.0 - 1), &mut fillings);
                fillings.push(Filling::Checkpoint(facts.checkpoint));
                begins = Lsn(place.0 + 1);
                open = open_then;
            }
            self.lose(concern, open, begins, last, &mut fillings);
        }
        fillings
    }

    /// Notes that the positions from `first` to `last` of a gap are lost; there may be none.
    fn lose(&self, concern: &Concern, open: &BTreeSet<RunId>, first: Lsn, last: Lsn, fillings: &mut Vec<Filling>) {
        if first > last {
            return;
        }
        let mut runs = concern.shown.clone();
        if let Some(told) = &concern.told {
            runs.extend(told);
        } else {
            runs.extend(open);
            runs.extend(self.facts.iter().flat_map(|facts| facts.around(first, last)));
        }
        let runs: Vec<RunId> = runs.into_iter().collect();
        let Hole { path, offset, .. } = concern.gap.holes[0].clone();
        let what = in_words(&concern.gap.holes);
        let mut begins = first.0;
        while begins <= last.0 {
            let ends = last.0.min(begins + (MAX_LOST_AT_ONCE - 1));
            fillings.push(Filling::Lost(LostRecords {
                path: path.clone(),
                offset,
                what: what.clone(),
                first: begins,
                last: ends,
                runs: runs.clone(),
            }));
            begins = ends + 1;
        }
    }
}

/// The first thing that is wrong, and how much more.
fn in_words(holes: &[Hole]) -> String {
    let more = match holes.len() - 1 {
        0 => String::new(),
        1 => ", and something at one more place".to_owned(),
        more => format!(", and something at {more} more places"),
    };
    format!("{}{more}", holes[0].what)
}

/// What would be lost if it were accepted; `None` if it cannot be found out.
pub(super) fn survey(layout: &Layout) -> Option<Losses> {
    Plan::of(layout).map(|plan| plan.losses()).ok()
}

/// A path of the data folder, from the folder on.
pub(super) fn relative(path: &Path, data: &Path) -> String {
    path.strip_prefix(data).unwrap_or(path).display().to_string()
}
