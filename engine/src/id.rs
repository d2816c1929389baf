//! Ids and counters, each a type of its own.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Names a run: 12 characters of Crockford's base 32 in lower case, such as `06bq3v8zk7dm`.
///
/// The first 8 are the milliseconds since 2020-01-01T00:00:00Z (40 bits, until 2054), so ids sort by time; the other 4
/// are random. Short enough to read aloud; no `i`, `l`, `o` or `u`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RunId(u64);

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
        let valid = !normal.is_empty() && normal.len() <= 12 && normal.bytes().all(|byte| ALPHABET.contains(&byte));
        valid.then_some(normal)
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for place in (0..12).rev() {
            let digit = (self.0 >> (place * 5)) & 31;
            write!(f, "{}", char::from(ALPHABET[usize::try_from(digit).unwrap_or(0)]))?;
        }
        Ok(())
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
        let wrong = || NotARunId(text.to_owned());
        let normal = Self::parse_prefix(text).filter(|normal| normal.len() == 12).ok_or_else(wrong)?;
        let mut id = 0_u64;
        for byte in normal.bytes() {
            let digit = ALPHABET.iter().position(|known| *known == byte).ok_or_else(wrong)?;
            id = (id << 5) | digit as u64;
        }
        Ok(Self(id))
    }
}

impl TryFrom<String> for RunId {
    type Error = NotARunId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<RunId> for String {
    fn from(id: RunId) -> Self {
        id.to_string()
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
        assert_eq!(late.to_string().to_uppercase().replace('0', "O").parse(), Ok(late));
    }
}
