//! The encoding of a run, made small: most of it are the names of fields, which are the same in every run.
//!
//! LZ4 with a dictionary: the encodings of five runs that wait for something. What was squeezed is kept in checkpoints, so
//! the dictionary never changes; another one would be another version beside this.

use lz4_flex::block::{compress_prepend_size_with_dict, decompress_size_prepended_with_dict};

/// What squeezed bytes refer to.
const DICTIONARY: &[u8] = include_bytes!("state-v1.dictionary");

/// Makes an encoding small.
pub fn squeeze(bytes: &[u8]) -> Box<[u8]> {
    compress_prepend_size_with_dict(bytes, DICTIONARY).into_boxed_slice()
}

/// The encoding again; `None` if nothing was ever squeezed to these bytes.
pub fn unsqueeze(bytes: &[u8]) -> Option<Vec<u8>> {
    decompress_size_prepended_with_dict(bytes, DICTIONARY).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checkpoints hold what was squeezed with it.
    #[test]
    fn the_dictionary_is_that_of_every_released_version() {
        assert_eq!(DICTIONARY.len(), 3_085);
        assert_eq!(&blake3::hash(DICTIONARY).to_hex()[..16], "6d16f2b251b59351");
    }

    #[test]
    fn what_was_squeezed_comes_back() {
        let long: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
        for bytes in [b"".as_slice(), b"a", &DICTIONARY[700..1_200], &long] {
            assert_eq!(unsqueeze(&squeeze(bytes)).as_deref(), Some(bytes));
        }
        assert!(squeeze(&DICTIONARY[700..1_200]).len() < 48, "what is in the dictionary takes next to nothing");
        assert_eq!(unsqueeze(b""), None);
        assert_eq!(unsqueeze(&[255, 255, 255]), None);
    }
}
