//! The suite that holds every store to the promise at the top of [`store`](super).
//!
//! A [`Subject`] is something that can be opened, crashed and opened again. [`keeps_the_promise`] drives it through any
//! sequence of [`Op`]s beside a model that knows only what was answered.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::memory::{Fault, MemoryDisk, MemoryLog};
use super::{AppendError, Blobs, Frame, Image, Order, ShardLog};
use crate::clock::Stamp;
use crate::core::run::{self, Change, Record};
use crate::encode::encode;
use crate::id::{Epoch, Lsn, RunId};

/// A store under test.
pub trait Subject {
    /// Its log.
    type Log: ShardLog;

    /// Opens the log, without closing handles that are open.
    fn open(&mut self) -> Self::Log;

    /// What a crash leaves; handles opened before must not be used any more.
    fn crash(&mut self);

    /// Makes whatever the store does in its own time happen now.
    fn seal(&mut self, log: &mut Self::Log);

    /// Lets the next append fail; `false` if the store cannot be made to.
    fn inject(&mut self, fault: Fault) -> bool;
}

/// Something that happens to a log.
#[derive(Clone, Debug)]
pub enum Op {
    /// A frame with records of these lengths.
    Append(Vec<usize>),
    /// A frame that meets a fault.
    Fault(Fault),
    /// Nothing is appended for a while.
    Rest,
    /// What is full is sealed.
    Seal,
    /// It is closed and opened again.
    Reopen,
    /// The process ends in the middle, and it is opened again.
    Crash,
    /// It is opened while another handle is open, which tries to append then.
    Fence,
    /// It is read from a position, in percent of its length.
    Read(u64),
    /// What lies before a position, in percent of its length, may go.
    Trim(u64),
}

/// Any sequence of up to `max` operations.
pub fn any_ops(max: usize) -> impl Strategy<Value = Vec<Op>> {
    let fault = prop::sample::select(&Fault::ALL[..]);
    let op = prop_oneof![
        8 => prop::collection::vec(0..300_usize, 1..4).prop_map(Op::Append),
        1 => prop::collection::vec(20_000..120_000_usize, 1..4).prop_map(Op::Append),
        2 => fault.prop_map(Op::Fault),
        1 => Just(Op::Rest),
        2 => Just(Op::Seal),
        1 => Just(Op::Reopen),
        2 => Just(Op::Crash),
        1 => Just(Op::Fence),
        2 => (0..120_u64).prop_map(Op::Read),
        1 => (0..100_u64).prop_map(Op::Trim),
    ];
    prop::collection::vec(op, 1..max)
}

/// Goes through the operations and panics where the promise is broken.
pub fn keeps_the_promise(subject: &mut impl Subject, ops: &[Op]) {
    let log = subject.open();
    let mut model = Model { durable: Vec::new(), doubtful: None, epoch: log.epoch(), trimmed: Lsn(0) };
    let mut log = Some(log);
    for op in ops {
        let open = log.as_mut().expect("a log is open between operations");
        match op {
            Op::Append(lens) => model.append(open, lens),
            Op::Fault(fault) => {
                if subject.inject(*fault) {
                    model.append_failing(open, *fault);
                    drop(log.take());
                    log = Some(model.reopen(subject));
                }
            }
            Op::Rest => open.rest(),
            Op::Seal => subject.seal(open),
            Op::Reopen => {
                drop(log.take());
                log = Some(model.reopen(subject));
            }
            Op::Crash => {
                subject.crash();
                drop(log.take());
                log = Some(model.reopen(subject));
            }
            Op::Fence => {
                let newer = model.reopen(subject);
                let frame = model.next(&[1]);
                let refused = open.append(Lsn(frame.first.0 - 1), &frame);
                assert!(matches!(refused, Err(AppendError::Fenced(_))), "an older handle is fenced: {refused:?}");
                open.rest();
                log = Some(newer);
            }
            Op::Read(percent) => model.check_read(open, model.at(*percent)),
            Op::Trim(percent) => {
                let below = model.at(*percent);
                open.trim(below).expect("what may go can be dropped");
                model.trimmed = model.trimmed.max(below);
            }
        }
        model.check_read(log.as_ref().expect("a log is open between operations"), Lsn(0));
    }
    drop(log.take());
    let log = model.reopen(subject);
    model.check_read(&log, Lsn(0));
}

/// What a caller may rely on.
struct Model {
    /// Frames that were answered `Ok`, or seen after an opening.
    durable: Vec<Frame>,
    /// The one frame whose fate is not known.
    doubtful: Option<Frame>,
    epoch: Epoch,
    /// Frames before this may be gone.
    trimmed: Lsn,
}

impl Model {
    fn last(&self) -> Lsn {
        self.durable.last().map_or(Lsn(0), Frame::last)
    }

    fn at(&self, percent: u64) -> Lsn {
        Lsn(self.last().0 * percent / 100)
    }

    fn next(&self, lens: &[usize]) -> Frame {
        let first = Lsn(self.last().0 + 1);
        let record = |(place, len): (usize, &usize)| {
            let seed = first.0.wrapping_mul(31).wrapping_add(place as u64);
            seed.to_le_bytes().into_iter().cycle().take(*len).collect()
        };
        let stamp = Stamp { time: first.0, boot: 7, ..Stamp::default() };
        Frame { first, stamp, records: lens.iter().enumerate().map(record).collect() }
    }

    fn append(&mut self, log: &mut impl ShardLog, lens: &[usize]) {
        let frame = self.next(lens);
        log.append(self.last(), &frame).expect("nothing keeps the frame from being written");
        self.durable.push(frame);
    }

    fn append_failing(&mut self, log: &mut impl ShardLog, fault: Fault) {
        let frame = self.next(&[3, 0]);
        let answer = log.append(self.last(), &frame);
        match (fault, answer) {
            (Fault::NoSpace, Err(AppendError::NoSpace(_))) => {
                log.append(self.last(), &frame).expect("the same append is possible once there is room");
                self.durable.push(frame);
            }
            (Fault::Fenced, Err(AppendError::Fenced(_))) => {
                let again = log.append(self.last(), &frame);
                assert!(matches!(again, Err(AppendError::Fenced(_))), "once fenced, always fenced: {again:?}");
            }
            (_, Err(AppendError::Failed(_) | AppendError::Unknown(_))) => {
                let again = log.append(self.last(), &frame);
                assert!(matches!(again, Err(AppendError::Failed(_))), "the handle is finished: {again:?}");
                self.check_read(log, Lsn(0));
                self.doubtful = Some(frame);
            }
            (fault, answer) => panic!("{fault:?} was answered with {answer:?}"),
        }
    }

    fn reopen<S: Subject>(&mut self, subject: &mut S) -> S::Log {
        let log = subject.open();
        assert!(log.epoch() > self.epoch, "each opening begins a newer epoch");
        self.epoch = log.epoch();
        if let Some(frame) = self.doubtful.take().filter(|frame| log.head().last == frame.last()) {
            self.durable.push(frame);
        }
        self.check_read(&log, Lsn(0));
        log
    }

    fn check_read(&self, log: &impl ShardLog, from: Lsn) {
        let stamp = self.durable.last().map(|frame| frame.stamp);
        assert_eq!((log.head().last, log.head().stamp), (self.last(), stamp), "the head is what was acknowledged");
        let mut seen = Vec::new();
        log.read(from, &mut |frame| {
            seen.push(frame);
            true
        })
        .expect("an undamaged log can be read");
        let asked: Vec<&Frame> = self.durable.iter().filter(|frame| frame.last() >= from).collect();
        let missing = asked.len().checked_sub(seen.len()).expect("nothing is read that was not appended");
        assert!(asked[missing..].iter().copied().eq(&seen), "frames are read as they were appended, in order");
        let dropped = asked[..missing].iter().all(|frame| frame.last() < self.trimmed);
        assert!(dropped, "only what was trimmed is gone");
    }
}

impl Subject for MemoryDisk {
    type Log = MemoryLog;

    fn open(&mut self) -> MemoryLog {
        self.log()
    }

    fn crash(&mut self) {
        Self::crash(self);
    }

    fn seal(&mut self, _: &mut MemoryLog) {}

    fn inject(&mut self, fault: Fault) -> bool {
        Self::inject(self, fault);
        true
    }
}

/// More entries than an image takes at once.
const MANY: u32 = 5_000;

/// Any image keeps its entries, its digest and its position over an opening.
pub fn image_keeps_its_entries<I: Image>(mut open: impl FnMut() -> I) {
    type Change<'a> = (&'a [u8], Option<&'a [u8]>);

    let mut image = open();
    assert_eq!(image.load(), None);
    let large = vec![9; 70_000];
    let mut expected = BTreeMap::new();
    let rounds: [&[Change]; 3] = [
        &[(b"a", Some(b"1")), (b"a\0b", Some(b"2")), (b"b", Some(&large)), (b"", Some(b"")), (b"a\xff", Some(b"3"))],
        &[(b"b", Some(b"short")), (b"a", None), (b"c", None)],
        &[(b"b", Some(&large)), (b"a\0", Some(b"4"))],
    ];
    for (round, entries) in (1..).zip(rounds) {
        let mut dirty = entries.iter().map(|(key, value)| (key.to_vec(), value.map(<[u8]>::to_vec)));
        let (generation, digest) = image.checkpoint(Lsn(round * 10), &mut dirty).unwrap();
        for (key, value) in entries {
            match value {
                Some(value) => drop(expected.insert(key.to_vec(), value.to_vec())),
                None => drop(expected.remove(*key)),
            }
        }
        drop(image);
        image = open();
        let loaded = image.load().expect("there is a checkpoint");
        assert_eq!((loaded.lsn, loaded.generation, loaded.digest), (Lsn(round * 10), generation, digest));
        assert_eq!(digest, super::digest(expected.iter().map(|(k, v)| (k.as_slice(), v.as_slice()))));
        let mut entries = read_entries(&mut image, b"", Order::Up);
        assert_eq!(entries, expected.clone().into_iter().collect::<Vec<_>>());
        entries.reverse();
        assert_eq!(read_entries(&mut image, b"", Order::Down), entries);
    }
    assert_eq!(image.get(b"b").unwrap(), Some(large));
    assert_eq!(image.get(b"c").unwrap(), None);
    let keys = |image: &mut I, order| -> Vec<Vec<u8>> {
        read_entries(image, b"a", order).into_iter().map(|(key, _)| key).collect()
    };
    assert_eq!(keys(&mut image, Order::Up), [b"a\0".to_vec(), b"a\0b".to_vec(), b"a\xff".to_vec()]);
    assert_eq!(keys(&mut image, Order::Down), [b"a\xff".to_vec(), b"a\0b".to_vec(), b"a\0".to_vec()]);
    let mut first = None;
    let one = image.scan(b"a", Order::Down, &mut |key, _| {
        assert_eq!(first.replace(key.to_vec()), None, "no more is given than asked for");
        false
    });
    one.unwrap();
    // More than are fetched, or put, at once.
    let mut many = (0..MANY).map(|number| (number.to_be_bytes().to_vec(), Some(vec![7; 40])));
    let (generation, digest) = image.checkpoint(Lsn(40), &mut many).unwrap();
    drop(image);
    image = open();
    assert_eq!(image.load(), Some(super::Checkpoint { lsn: Lsn(40), generation, digest }));
    for order in [Order::Up, Order::Down] {
        let seen: Vec<u32> = read_entries(&mut image, &[0, 0], order)
            .into_iter()
            .map(|(key, _)| u32::from_be_bytes(key.try_into().unwrap()))
            .collect();
        let all = if order == Order::Up { (0..MANY).collect::<Vec<_>>() } else { (0..MANY).rev().collect() };
        assert_eq!(seen, all);
    }
    // One that is begun is the same as any other.
    assert!(image.finish(true).is_none());
    image.begin(Lsn(50), (0..MANY).map(|number| (number.to_be_bytes().to_vec(), None)).collect());
    let (generation, digest) = image.finish(true).expect("it was begun").unwrap();
    assert!(image.finish(false).is_none());
    drop(image);
    image = open();
    assert_eq!(image.load(), Some(super::Checkpoint { lsn: Lsn(50), generation, digest }));
    assert_eq!(read_entries(&mut image, &[0, 0], Order::Up), []);
    image.reset().unwrap();
    assert_eq!(image.load(), None);
}

fn read_entries(image: &mut impl Image, prefix: &[u8], order: Order) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut entries = Vec::new();
    let read = image.scan(prefix, order, &mut |key, value| {
        entries.push((key.to_vec(), value.to_vec()));
        true
    });
    read.unwrap();
    entries
}

/// Any log finds the frames of one run among those of others, wherever they lie and however much of it is sealed.
pub fn one_run_is_found_among_others<L: ShardLog>(mut log: L, mut seal: impl FnMut(&mut L)) {
    let run = |number| RunId::new(1_700_000_000_000, number);
    let mut expected = BTreeMap::<RunId, Vec<Frame>>::new();
    for round in 0..400_u32 {
        let runs = [run(round % 7), run(round / 40)];
        let record = |run| {
            encode(&Record::Changed { run, change: Change::CancelRequested { by: "x".repeat(700), undo: false } })
        };
        let first = Lsn(log.head().last.0 + 1);
        let frame = Frame { first, stamp: Stamp::default(), records: runs.into_iter().map(record).collect() };
        log.append(log.head().last, &frame).unwrap();
        for run in std::collections::BTreeSet::from(runs) {
            expected.entry(run).or_default().push(frame.clone());
        }
        if round % 100 == 50 {
            seal(&mut log);
        }
    }
    let read = |run, positions| {
        let mut seen = Vec::new();
        let read = log.read_of(&run::Subject::Run(run), positions, &mut |frame| {
            seen.push(frame);
            true
        });
        read.unwrap();
        seen
    };
    for (run, frames) in expected {
        assert_eq!(read(run, Lsn(1)..=Lsn(u64::MAX)), frames);
        for positions in [Lsn(1)..=Lsn(1), Lsn(100)..=Lsn(333), Lsn(790)..=Lsn(800), Lsn(801)..=Lsn(900)] {
            let asked = frames.iter().filter(|frame| frame.last() >= *positions.start());
            let asked: Vec<_> = asked.filter(|frame| frame.first <= *positions.end()).cloned().collect();
            assert_eq!(read(run, positions), asked);
        }
    }
    assert_eq!(read(run(999), Lsn(1)..=Lsn(u64::MAX)), []);
}

/// Any blobs give back what was put, by its hash, over an opening.
pub fn blobs_keep_their_bytes<B: Blobs>(open: impl Fn() -> B) {
    let values = [Vec::new(), b"small".to_vec(), vec![5; 1_000_000]];
    let hashes: Vec<String> = values.iter().map(|value| open().put(value).unwrap()).collect();
    for (value, hash) in values.iter().zip(&hashes) {
        assert_eq!(*hash, blake3::hash(value).to_hex().as_str());
        assert_eq!(open().put(value).unwrap(), *hash, "the same bytes are the same blob");
        assert_eq!(open().get(hash).as_ref(), Some(value));
    }
    assert_eq!(open().get(&"0".repeat(64)), None);
}

mod damage;
mod embedded;
mod sealed;
mod space;

proptest! {
    #[test]
    fn memory_keeps_the_promise(ops in any_ops(40)) {
        keeps_the_promise(&mut MemoryDisk::new(), &ops);
    }
}

#[test]
fn one_run_is_found_among_others_in_memory() {
    one_run_is_found_among_others(MemoryDisk::new().log(), |_| {});
}

#[test]
fn memory_that_does_not_sync_is_found_out() {
    let disk = MemoryDisk::new();
    disk.set_sync(false);
    let ops = [Op::Append(vec![1]), Op::Append(vec![2]), Op::Crash];
    let found_out = std::panic::catch_unwind(|| keeps_the_promise(&mut disk.clone(), &ops));
    assert!(found_out.is_err(), "the suite sees that acknowledged frames are gone");
}

#[test]
fn random_faults_are_the_same_for_the_same_seed() {
    let answers = |seed| {
        let disk = MemoryDisk::new();
        disk.inject_randomly(seed, 4);
        let mut answers = Vec::new();
        for _ in 0..60 {
            let mut log = disk.log();
            let last = log.head().last;
            let frame = Frame { first: Lsn(last.0 + 1), stamp: Stamp::default(), records: vec![vec![1]] };
            answers.push(log.append(last, &frame).map_err(|error| error.to_string()));
        }
        answers
    };
    assert_eq!(answers(1), answers(1));
    assert_ne!(answers(1), answers(2));
    let failed = answers(1).iter().filter(|answer| answer.is_err()).count();
    assert!((5..30).contains(&failed), "about one in four: {failed}");
}

#[test]
fn blobs_in_memory_keep_their_bytes() {
    let disk = MemoryDisk::new();
    blobs_keep_their_bytes(|| disk.blobs());
}

#[test]
fn an_image_in_memory_keeps_its_entries() {
    let disk = MemoryDisk::new();
    image_keeps_its_entries(|| disk.image());
}
