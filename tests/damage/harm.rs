//! What is done to one file.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use crate::harness::Random;

/// Behind the last byte of a file that is not zero, so many may be harmed too.
const AFTER_END: usize = 64;

/// One harm, to one file of a folder.
#[derive(Clone, Debug)]
pub struct Harm {
    /// From the data folder on.
    file: String,
    what: What,
}

#[derive(Clone, Copy, Debug)]
enum What {
    /// The file is gone.
    Gone,
    /// From here on it is zeros.
    ZeroedFrom(u64),
    /// It ends here.
    CutAt(u64),
    /// This bit of this byte is turned.
    Bit(u64, u8),
}

impl Harm {
    /// What a long series begins with: each file gone once, and each once with a zeroed tail.
    pub fn every(files: &BTreeMap<String, Vec<u8>>) -> Vec<Self> {
        let gone = files.keys().map(|file| Self { file: file.clone(), what: What::Gone });
        let zeroed = files.iter().map(|(file, bytes)| {
            let used = bytes.iter().rposition(|byte| *byte != 0).unwrap_or_default() as u64;
            Self { file: file.clone(), what: What::ZeroedFrom(used / 2) }
        });
        gone.chain(zeroed).collect()
    }

    /// Chooses a harm. Every part is as likely as any other, and every file of it; within that, what holds something is
    /// likelier than zeros.
    pub fn choose(random: &mut Random, files: &BTreeMap<String, Vec<u8>>) -> Self {
        let parts: BTreeSet<_> = files.keys().map(|file| part_of(file)).collect();
        let part = one_of(random, &parts.into_iter().collect::<Vec<_>>());
        let of_part: Vec<_> = files.iter().filter(|(file, _)| part_of(file) == part).collect();
        let (file, bytes) = one_of(random, &of_part);
        let used = bytes.iter().rposition(|byte| *byte != 0).map_or(1, |end| (end + AFTER_END).min(bytes.len()));
        let place = random.below(used as u64);
        let what = match random.below(16) {
            0 => What::Gone,
            1..=2 => What::ZeroedFrom(place),
            3..=6 => What::CutAt(place),
            7 => What::Bit(place, 0),
            _ => {
                let from = usize::try_from(place).expect("a place in memory");
                let to_next = bytes[from..].iter().position(|byte| *byte != 0).unwrap_or_default();
                What::Bit(place + to_next as u64, u8::try_from(random.below(8)).expect("a byte has 8 bits"))
            }
        };
        Self { file: file.to_owned(), what }
    }

    /// The part of the data folder that the file belongs to.
    pub fn part(&self) -> &'static str {
        part_of(&self.file)
    }

    /// Whether an examination must find it whatever it is: what follows from the journal is all checked.
    pub fn must_be_found(&self, files: &BTreeMap<String, Vec<u8>>) -> bool {
        let bytes = &files[&self.file];
        let changes = match self.what {
            What::Gone | What::CutAt(_) | What::Bit(..) => true,
            What::ZeroedFrom(place) => bytes.iter().skip(usize::try_from(place).unwrap_or(0)).any(|byte| *byte != 0),
        };
        let is_sealed = bytes.starts_with(b"LKSTPZIP");
        changes && (self.part() == "bases" || is_sealed || self.file == "journal/MANIFEST")
    }

    /// Does it.
    pub fn inflict(&self, data: &Path) {
        let path = data.join(&self.file);
        if matches!(self.what, What::Gone) {
            return fs::remove_file(&path).expect("a file of the copy");
        }
        let file = OpenOptions::new().read(true).write(true).open(&path).expect("a file of the copy");
        let length = file.metadata().expect("a file of the copy").len();
        match self.what {
            What::Gone => {}
            What::CutAt(place) => file.set_len(place.min(length)).expect("a shorter file"),
            What::ZeroedFrom(place) => {
                file.set_len(place.min(length)).and_then(|()| file.set_len(length)).expect("zeros");
            }
            What::Bit(place, bit) => {
                let mut byte = [0];
                // An empty file has no bits.
                if file.read_at(&mut byte, place).expect("a file of the copy") == 1 {
                    byte[0] ^= 1 << bit;
                    file.write_all_at(&byte, place).expect("a changed byte");
                }
            }
        }
    }
}

fn part_of(file: &str) -> &'static str {
    let parts = ["journal", "bases", "state", "blobs", "spool", "logs"];
    let first = file.split('/').next();
    parts.into_iter().find(|part| first == Some(part)).unwrap_or("folder")
}

fn one_of<T: Copy>(random: &mut Random, several: &[T]) -> T {
    several[usize::try_from(random.below(several.len() as u64)).expect("a place in memory")]
}

impl fmt::Display for Harm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.what {
            What::Gone => write!(f, "`{}` is gone", self.file),
            What::ZeroedFrom(place) => write!(f, "`{}` is zeros from byte {place} on", self.file),
            What::CutAt(place) => write!(f, "`{}` ends at byte {place}", self.file),
            What::Bit(place, bit) => write!(f, "bit {bit} of byte {place} of `{}` is turned", self.file),
        }
    }
}
