//! Ids and counters, each a type of its own.

use std::fmt;
use std::str::FromStr;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Names a run: 12 characters of Crockford's base 32 in lower case, such as `06bq3v8zk7dm`.
///
/// The first 8 are the milliseconds since 2020-01-01T00:00:00Z (40 bits, until 2054), so ids sort by time; the other 4
/// are random. Short enough to read aloud; no `i`, `l`, `o` or `u`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(u64);

/// Characters of a run id.
const LENGTH: usize = 12;

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const EPOCH_MS: i64 = 1_577_836_800_000;

/// Text that is no run id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a run id: 12 characters of 0-9 and a-z without i, l, o, u")]
pub struct NotARunId(pub String);

impl RunId {
    /// Makes the id for a moment (milliseconds since 1970) and 20 random bits.
    #[expect(clippy::cast_sign_loss, reason = "clamped to be positive")]
    pub const fn new(wall_ms: i64, random: u32) -> Self {
        let since = if wall_ms > EPOCH_MS { (wall_ms - EPOCH_MS) as u64 } else { 0 };
        Self(((since & 0xff_ffff_ffff) << 20) | (random as u64 & 0xf_ffff))
    }

    /// The number behind the text; sorts as the text does.
    pub const fn number(self) -> u64 {
        self.0
    }

    /// The id with this number; `None` if no id has it.
    pub const fn of_number(number: u64) -> Option<Self> {
        if number >> 60 == 0 { Some(Self(number)) } else { None }
    }

    /// Reads an id as people write it: case does not matter, `i` and `l` are 1, `o` is 0.
    pub fn parse_prefix(text: &str) -> Option<String> {
        let normal: String = text
            .chars()
            .map(|c| match c.to_ascii_lowercase() {
                'i' | 'l' => '1',
                'o' => '0',
                other => other,
            })
            .collect();
        let valid = !normal.is_empty() && normal.len() <= LENGTH && normal.bytes().all(|byte| ALPHABET.contains(&byte));
        valid.then_some(normal)
    }

    /// The id's characters, on the stack: an id stands in every record.
    fn with_text<R>(self, each: impl FnOnce(&str) -> R) -> R {
        let mut text = [0; LENGTH];
        for (place, letter) in text.iter_mut().rev().enumerate() {
            *letter = ALPHABET[usize::try_from((self.0 >> (place * 5)) & 31).unwrap_or(0)];
        }
        each(std::str::from_utf8(&text).expect("the alphabet is ASCII"))
    }

    /// Reads 12 characters as this program writes them.
    fn of_letters(text: &str) -> Option<Self> {
        if text.len() != LENGTH {
            return None;
        }
        text.bytes().try_fold(0_u64, |id, byte| Some((id << 5) | u64::from(digit(byte)?))).map(Self)
    }
}

/// What a letter of the alphabet counts.
const fn digit(letter: u8) -> Option<u8> {
    match letter {
        b'0'..=b'9' => Some(letter - b'0'),
        b'a'..=b'h' => Some(letter - b'a' + 10),
        b'j' | b'k' => Some(letter - b'j' + 18),
        b'm' | b'n' => Some(letter - b'm' + 20),
        b'p'..=b't' => Some(letter - b'p' + 22),
        b'v'..=b'z' => Some(letter - b'v' + 27),
        _ => None,
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.with_text(|text| f.write_str(text))
    }
}

impl fmt::Debug for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for RunId {
    type Err = NotARunId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let as_people_write = || Self::of_letters(&Self::parse_prefix(text)?);
        Self::of_letters(text).or_else(as_people_write).ok_or_else(|| NotARunId(text.to_owned()))
    }
}

impl Serialize for RunId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.with_text(|text| serializer.serialize_str(text))
    }
}

impl<'de> Deserialize<'de> for RunId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl Visitor<'_> for Text {
            type Value = RunId;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a run id")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<RunId, E> {
                text.parse().map_err(E::custom)
            }
        }

        deserializer.deserialize_str(Text)
    }
}

/// Names one visit of one step within its run; given out in order, never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepNo(pub u32);

/// A fencing token: grows with every attempt of a run, never reused; `LOCKSTEP_TOKEN` for commands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Token(pub u64);

/// A position in a shard's log: the number of a record, from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Lsn(pub u64);

/// Counts the openings of a shard's log; an older one is fenced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(pub u64);

/// Names a shard of the store. There is one today: 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ShardId(pub u32);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_ids_sort_by_time_and_read_back() {
        let early = RunId::new(EPOCH_MS + 5, 0xf_ffff);
        let late = RunId::new(EPOCH_MS + 6, 0);
        assert!(early < late && early.to_string() < late.to_string());
        assert_eq!(late.to_string().parse(), Ok(late));
        assert_eq!((RunId::of_number(late.number()), RunId::of_number(u64::MAX)), (Some(late), None));
        assert_eq!(late.to_string().to_uppercase().replace('0', "O").parse(), Ok(late));
        let letters = "0123456789ab".parse::<RunId>().map(|id| id.to_string());
        assert_eq!(letters.as_deref(), Ok("0123456789ab"));
        for (value, letter) in ALPHABET.iter().enumerate() {
            assert_eq!(digit(*letter).map(usize::from), Some(value));
        }
        assert!("u123456789ab".parse::<RunId>().is_err() && "0123".parse::<RunId>().is_err());
    }
}
