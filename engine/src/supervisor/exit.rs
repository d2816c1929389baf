//! The record of how a command ended.
//!
//! The bytes are a contract: a supervisor of an older program may still write what this one reads. They are `LSEXIT`,
//! the version (one byte), 16 bytes of BLAKE3 over the rest, and the outcome as `MessagePack` with named fields. Fields
//! are added as optional; whatever an older reader must not overlook raises [`VERSION`].

use crate::worker::Outcome;

/// The version that this program writes, and the newest that it reads.
pub const VERSION: u8 = 1;

const MAGIC: &[u8; 6] = b"LSEXIT";
const HASH: usize = 16;

/// Bytes that say no outcome.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoExit {
    /// Of a newer program.
    #[error("a newer lockstep wrote how the command ended (version {found}, this one reads up to {VERSION})")]
    Newer {
        /// Its version.
        found: u8,
    },
    /// Cut short, or changed since.
    #[error("what was written of the command's end is damaged")]
    Damaged,
}

/// The record of an outcome.
///
/// # Panics
/// An outcome has a `MessagePack` form.
pub fn encode(outcome: &Outcome) -> Vec<u8> {
    let body = rmp_serde::to_vec_named(outcome).expect("an outcome has a MessagePack form");
    let mut bytes = MAGIC.to_vec();
    bytes.push(VERSION);
    bytes.extend_from_slice(&blake3::hash(&body).as_bytes()[..HASH]);
    bytes.extend(body);
    bytes
}

/// Reads a record.
pub fn decode(bytes: &[u8]) -> Result<Outcome, NoExit> {
    let (version, rest) = bytes.strip_prefix(MAGIC).and_then(<[u8]>::split_first).ok_or(NoExit::Damaged)?;
    match *version {
        VERSION => {}
        found if found > VERSION => return Err(NoExit::Newer { found }),
        _ => return Err(NoExit::Damaged),
    }
    let (hash, body) = rest.split_at_checked(HASH).ok_or(NoExit::Damaged)?;
    if blake3::hash(body).as_bytes()[..HASH] != *hash {
        return Err(NoExit::Damaged);
    }
    rmp_serde::from_slice(body).map_err(|_| NoExit::Damaged)
}

#[cfg(test)]
mod tests {
    use lockstep_dsl::value::{Map, Value};

    use super::*;
    use crate::worker::Failure;

    fn outcome() -> Outcome {
        let error =
            Failure { data: Value::Map(Map::from([("exit_code".to_owned(), 3.into())])), ..Failure::failed("x") };
        Outcome::Failed { error, outputs: Map::from([("stdout".to_owned(), Value::from("a"))]) }
    }

    #[test]
    fn an_outcome_comes_back() {
        assert_eq!(decode(&encode(&outcome())), Ok(outcome()));
        let unknown = Outcome::Unknown { why: "lost".to_owned() };
        assert_eq!(decode(&encode(&unknown)), Ok(unknown));
    }

    #[test]
    fn any_byte_that_changed_and_any_cut_is_seen() {
        let bytes = encode(&outcome());
        for place in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[place] ^= 1;
            assert!(decode(&bad).is_err(), "byte {place}");
            assert_eq!(decode(&bytes[..place]), Err(NoExit::Damaged), "cut at {place}");
        }
        let mut newer = bytes;
        newer[MAGIC.len()] = VERSION + 1;
        assert_eq!(decode(&newer), Err(NoExit::Newer { found: VERSION + 1 }));
    }

    /// Written by the first version; a supervisor of it may outlive any upgrade of the program.
    #[test]
    fn records_of_version_1_are_read_for_ever() {
        let bytes = include_bytes!("fixtures/exit-1");
        assert_eq!(decode(bytes), Ok(outcome()));
    }
}
