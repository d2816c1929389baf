//! What stands beside a runbook and is part of its graph: modules and files.

use serde::{Deserialize, Serialize};

/// A Rhai module that expressions may call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Module {
    /// The name before `::`, the last part of the import's path.
    pub name: String,
    /// The import as written: `std/text`, `./helpers.rhai`.
    pub import: String,
    /// Its text; `None` for `std/*`, which ship with the program.
    pub text: Option<String>,
}

/// A file that travels with a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PinnedFile {
    /// Its name in `$LOCKSTEP_FILES`: the path as written without the leading `./`.
    pub name: String,
    /// BLAKE3 of its bytes, in hexadecimal.
    pub hash: String,
    /// Whether its owner may execute it.
    pub executable: bool,
    /// Its bytes.
    #[serde(with = "bytes")]
    pub content: Vec<u8>,
}

/// Bytes as one string of bytes, where the format has such a thing.
mod bytes {
    use serde::{Deserializer, Serializer, de};

    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(bytes)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Vec<u8>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }
            fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Self::Value, E> {
                Ok(bytes.to_vec())
            }
            fn visit_byte_buf<E: de::Error>(self, bytes: Vec<u8>) -> Result<Self::Value, E> {
                Ok(bytes)
            }
            fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut bytes = Vec::new();
                while let Some(byte) = seq.next_element::<u8>()? {
                    bytes.push(byte);
                }
                Ok(bytes)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}
