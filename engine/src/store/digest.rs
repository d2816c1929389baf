//! One number for all entries of a checkpoint, which can be kept up entry by entry.

/// The exclusive or of the BLAKE3 hashes of all entries.
///
/// The order of entries does not matter, and an entry is taken out the way it was put in, so a checkpoint costs only
/// what it changes. It shows accidents, not forgery.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// Puts an entry in, or takes it out if it is in.
    pub fn toggle(&mut self, key: &[u8], value: &[u8]) {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&(key.len() as u64).to_le_bytes()).update(key).update(value);
        for (sum, byte) in self.0.iter_mut().zip(hasher.finalize().as_bytes()) {
            *sum ^= byte;
        }
    }
}

/// The digest over entries, each of which appears once.
pub fn digest<'a>(entries: impl IntoIterator<Item = (&'a [u8], &'a [u8])>) -> [u8; 32] {
    let mut digest = Digest::default();
    for (key, value) in entries {
        digest.toggle(key, value);
    }
    digest.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_and_value_are_told_apart_and_order_does_not_matter() {
        let one: [(&[u8], &[u8]); 2] = [(b"ab", b"c"), (b"x", b"")];
        let turned: [(&[u8], &[u8]); 2] = [(b"x", b""), (b"ab", b"c")];
        let moved: [(&[u8], &[u8]); 2] = [(b"a", b"bc"), (b"x", b"")];
        assert_eq!(digest(one), digest(turned));
        assert_ne!(digest(one), digest(moved));
        assert_eq!(digest([]), [0; 32]);
    }

    #[test]
    fn what_is_taken_out_leaves_no_trace() {
        let mut kept_up = Digest::default();
        for (key, value) in [(b"a", b"1"), (b"b", b"2"), (b"a", b"1"), (b"a", b"3")] {
            kept_up.toggle(key, value);
        }
        let left: [(&[u8], &[u8]); 2] = [(b"b", b"2"), (b"a", b"3")];
        assert_eq!(kept_up.0, digest(left));
    }
}
