//! The bytes of records and of what the image holds: one byte of version, then `MessagePack` with named fields.
//!
//! The bytes are a contract: what was written is read for ever. A field is added as optional; a change that an older
//! program must not overlook raises [`VERSION`].

use std::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The version that this program writes, and the newest that it reads.
pub const VERSION: u8 = 1;

/// Bytes that are nothing this program knows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Written by a newer program.
    #[error("it has version {found}, this program reads up to {VERSION}: use a newer lockstep")]
    Newer {
        /// The version of the bytes.
        found: u8,
    },
    /// Not what this program wrote.
    #[error("it cannot be decoded: {0}")]
    Malformed(String),
}

/// Encodes a record or an entry of the image.
///
/// # Panics
/// The types that are stored hold nothing that `MessagePack` cannot say.
pub fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_into(&mut bytes, value);
    bytes
}

/// The same, in place of what is in `bytes`: for what is encoded again and again.
///
/// # Panics
/// As [`encode`].
pub fn encode_into<T: Serialize>(bytes: &mut Vec<u8>, value: &T) {
    bytes.clear();
    bytes.push(VERSION);
    rmp_serde::encode::write_named(bytes, value).expect("what is stored has a MessagePack form");
}

/// Decodes what [`encode`] made, in this version of the program or an older one.
pub fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, DecodeError> {
    match bytes.split_first() {
        Some((&VERSION, body)) => {
            rmp_serde::from_slice(body).map_err(|error| DecodeError::Malformed(error.to_string()))
        }
        Some((&found, _)) if found > VERSION => Err(DecodeError::Newer { found }),
        Some((found, _)) => Err(DecodeError::Malformed(format!("there is no version {found}"))),
        None => Err(DecodeError::Malformed("it is empty".to_owned())),
    }
}

/// Bytes within what is encoded, which are borrowed where they are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bytes<'a>(pub &'a [u8]);

impl Serialize for Bytes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Bytes<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Borrowed;

        impl<'de> Visitor<'de> for Borrowed {
            type Value = Bytes<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("bytes")
            }

            fn visit_borrowed_bytes<E: Error>(self, bytes: &'de [u8]) -> Result<Bytes<'de>, E> {
                Ok(Bytes(bytes))
            }
        }

        deserializer.deserialize_bytes(Borrowed)
    }
}

#[cfg(test)]
mod tests {
    use lockstep_dsl::value::Value;

    use super::*;

    #[test]
    fn a_newer_version_is_named_and_not_guessed_at() {
        let mut bytes = encode(&Value::Int(7));
        assert_eq!(decode(&bytes), Ok(Value::Int(7)));
        bytes[0] = VERSION + 1;
        assert_eq!(decode::<Value>(&bytes), Err(DecodeError::Newer { found: VERSION + 1 }));
        assert!(matches!(decode::<Value>(&[]), Err(DecodeError::Malformed(_))));
        assert!(matches!(decode::<Value>(&[VERSION, 0xc1]), Err(DecodeError::Malformed(_))));
    }
}
