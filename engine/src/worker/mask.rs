//! Replaces secrets by `***` wherever they turn up, in any of their encodings, however the text is cut into chunks.
//!
//! Every byte that belongs to any form of a secret is masked, also where two forms overlap; one run of masked bytes
//! becomes one `***`. What comes out depends on the text alone, never on its chunks: bytes that may be the beginning of
//! a secret are held back until that is known.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::sync::Arc;

use aho_corasick::Anchored;
use aho_corasick::automaton::{Automaton as _, StateID};
use aho_corasick::nfa::contiguous::NFA;
use lockstep_dsl::value::Value;

use super::encodings::encodings;
use crate::fault::{self, Bug};

/// What stands where a secret stood.
pub const MASK: &str = "***";

/// Knows the secrets of an attempt. Cloning shares it.
#[derive(Clone)]
pub struct Masker(Option<Arc<Patterns>>);

struct Patterns {
    automaton: NFA,
    start: StateID,
    /// How many of the last bytes may be the beginning of a form, by state.
    depths: HashMap<StateID, usize>,
}

/// Secrets that cannot be searched for: together they have too many bytes.
#[derive(Debug, thiserror::Error)]
#[error("too many bytes of secrets")]
pub struct TooManySecrets;

impl Masker {
    /// Masks nothing.
    pub const fn nothing() -> Self {
        Self(None)
    }

    /// Masks all forms of these. An empty secret is nothing to mask.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Result<Self, TooManySecrets> {
        let forms: BTreeSet<Vec<u8>> = secrets.into_iter().flat_map(encodings).collect();
        if forms.is_empty() {
            return Ok(Self(None));
        }
        let automaton = NFA::builder().prefilter(false).build(&forms).map_err(|_| TooManySecrets)?;
        let start = automaton.start_state(Anchored::No).map_err(|_| TooManySecrets)?;
        let mut depths = HashMap::from([(start, 0)]);
        for form in &forms {
            let mut state = start;
            for (before, byte) in form.iter().enumerate() {
                state = automaton.next_state(Anchored::No, state, *byte);
                depths.insert(state, before + 1);
            }
        }
        Ok(Self(Some(Arc::new(Patterns { automaton, start, depths }))))
    }

    /// Begins a stream of text.
    pub fn stream(&self) -> MaskStream {
        let state = self.0.as_ref().map_or(StateID::ZERO, |patterns| patterns.start);
        MaskStream { patterns: self.0.clone(), state, held: Vec::new(), masked: Vec::new(), after_mask: false }
    }

    /// Masks a whole text.
    pub fn text(&self, text: &str) -> String {
        if self.0.is_none() {
            return text.to_owned();
        }
        String::from_utf8_lossy(&self.bytes(text.as_bytes())).into_owned()
    }

    /// Masks bytes that are a whole.
    pub fn bytes(&self, bytes: &[u8]) -> Vec<u8> {
        let mut stream = self.stream();
        let mut masked = Vec::with_capacity(bytes.len());
        stream.push(bytes, &mut masked);
        stream.finish(&mut masked);
        masked
    }

    /// Masks all text in a value, keys too. A number that shows a secret becomes text.
    pub fn value(&self, value: Value) -> Value {
        if self.0.is_none() {
            return value;
        }
        match value {
            Value::String(text) => Value::String(self.text(&text)),
            Value::List(values) => Value::List(values.into_iter().map(|value| self.value(value)).collect()),
            Value::Map(map) => {
                Value::Map(map.into_iter().map(|(key, value)| (self.text(&key), self.value(value))).collect())
            }
            Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Duration(_) | Value::Time(_) => {
                let text = value.to_text().unwrap_or_default();
                let masked = self.text(&text);
                if masked == text { value } else { Value::String(masked) }
            }
            Value::Null | Value::Secret(_) => value,
        }
    }
}

/// Masks a text that comes in chunks.
pub struct MaskStream {
    patterns: Option<Arc<Patterns>>,
    state: StateID,
    /// Bytes not given out yet; the beginning of a form at the most, once a push is over.
    held: Vec<u8>,
    /// What of `held` is masked: ascending ranges that do not touch.
    masked: Vec<Range<usize>>,
    /// The last thing given out was a mask, which further masked bytes belong to.
    after_mask: bool,
}

impl MaskStream {
    /// Masks nothing.
    pub fn nothing() -> Self {
        Masker::nothing().stream()
    }

    /// Takes the next chunk, and appends to `out` what is certain by now.
    pub fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>) {
        let Some(patterns) = self.patterns.clone() else {
            out.extend_from_slice(chunk);
            return;
        };
        let automaton = &patterns.automaton;
        let before = self.held.len();
        self.held.extend_from_slice(chunk);
        let mut state = self.state;
        for (index, byte) in chunk.iter().enumerate() {
            state = automaton.next_state(Anchored::No, state, *byte);
            if automaton.is_special(state) && automaton.is_match(state) {
                let longest = (0..automaton.match_len(state))
                    .map(|index| automaton.pattern_len(automaton.match_pattern(state, index)))
                    .max()
                    .unwrap_or(0);
                let end = before + index + 1;
                self.mask(end - longest..end);
            }
        }
        self.state = state;
        let open = patterns.depths.get(&state).copied().unwrap_or(0);
        let open = if fault::planted(Bug::MaskedByChunk) { 0 } else { open };
        self.give_out(self.held.len() - open, out);
    }

    /// Ends the text: what was held back is certain now.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        self.give_out(self.held.len(), out);
        if let Some(patterns) = &self.patterns {
            self.state = patterns.start;
        }
        self.after_mask = false;
    }

    fn mask(&mut self, mut range: Range<usize>) {
        while let Some(last) = self.masked.pop_if(|last| last.end >= range.start) {
            range = range.start.min(last.start)..range.end.max(last.end);
        }
        self.masked.push(range);
    }

    fn give_out(&mut self, until: usize, out: &mut Vec<u8>) {
        let mut at = 0;
        for range in &self.masked {
            if range.start >= until {
                break;
            }
            if range.start > at {
                out.extend_from_slice(&self.held[at..range.start]);
                self.after_mask = false;
            }
            if !self.after_mask {
                out.extend_from_slice(MASK.as_bytes());
                self.after_mask = true;
            }
            at = range.end.min(until);
        }
        if at < until {
            out.extend_from_slice(&self.held[at..until]);
            self.after_mask = false;
        }
        self.held.drain(..until);
        self.masked.retain_mut(|range| {
            *range = range.start.saturating_sub(until)..range.end.saturating_sub(until);
            range.start < range.end
        });
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};
    use proptest::prelude::*;

    use super::*;

    fn masker(secrets: &[&str]) -> Masker {
        Masker::new(secrets.iter().copied()).unwrap()
    }

    #[test]
    fn every_encoding_is_masked() {
        let secret = r#"p/ä s"w'0+rd?&~x"#;
        let mask = masker(&[secret]);
        let percent = "p%2F%C3%A4%20s%22w%270%2Brd%3F%26~x";
        for form in [
            secret.to_owned(),
            percent.to_owned(),
            percent.to_lowercase(),
            percent.replace("%20", "+").replace('~', "%7E"),
            percent.replace("%2F", "/"),
            serde_json::to_string(secret).unwrap(),
            r#"p\/\u00e4 s\"w'0+rd?&~x"#.replace("\\/", "/"),
            "702fc3a4207322772730".to_owned() + "2b72643f267e78",
            "702FC3A4207322772730".to_owned() + "2B72643F267E78",
            r#"'p/ä s"w'\''0+rd?&~x'"#.to_owned(),
        ] {
            let hidden = mask.text(&format!("before {form} after"));
            let inner = hidden.strip_prefix("before ").and_then(|rest| rest.strip_suffix(" after")).unwrap();
            assert_eq!(inner.trim_matches(['"', '\'']), MASK, "{form}");
        }
    }

    #[test]
    fn base64_is_masked_at_every_offset() {
        let secret = "correct horse battery staple?>";
        let mask = masker(&[secret]);
        for before in ["", "u", "us", "usr", "user:"] {
            for after in ["", "\n", "ab"] {
                let whole = format!("{before}{secret}{after}");
                for encoded in [STANDARD.encode(&whole), URL_SAFE.encode(&whole)] {
                    let hidden = mask.text(&encoded);
                    assert!(hidden.contains(MASK) && hidden.len() < 20, "{encoded} became {hidden}");
                }
            }
        }
    }

    #[test]
    fn wrapped_base64_is_masked() {
        let secret = "0123456789abcdef".repeat(20);
        for width in [64, 76] {
            let lines: Vec<u8> =
                STANDARD.encode(&secret).into_bytes().chunks(width).flat_map(|line| [line, b"\n"].concat()).collect();
            let hidden = masker(&[&secret]).bytes(&lines);
            assert!(hidden.len() < 10, "{}", String::from_utf8_lossy(&hidden));
        }
    }

    #[test]
    fn lines_of_a_secret_are_masked_one_by_one() {
        let mask = masker(&["-----BEGIN KEY-----\nabcdefgh\n}\n-----END KEY-----"]);
        assert_eq!(mask.text("  | abcdefgh\r\n  | }\n"), "  | ***\r\n  | }\n");
        assert_eq!(mask.text("x -----BEGIN KEY-----\r\nabcdefgh\r\n}\r\n-----END KEY----- y"), "x *** y");
    }

    #[test]
    fn overlapping_secrets_leave_nothing() {
        assert_eq!(masker(&["abcdef", "efghij"]).text("-abcdefghij-abcdefgh-"), "-***-***gh-");
        assert_eq!(masker(&["abcd", "abcdefgh"]).text("abcdefgX abcdefgh"), "***efgX ***");
    }

    #[test]
    fn short_secrets_are_masked_as_they_stand() {
        assert_eq!(masker(&["ab", ""]).text("xaby 6162"), "x***y 6162");
    }

    #[test]
    fn a_number_that_shows_a_secret_becomes_text() {
        let mask = masker(&["1234567"]);
        assert_eq!(mask.value(Value::Int(1_234_567)), Value::from("***"));
        assert_eq!(mask.value(Value::Int(7)), Value::Int(7));
    }

    #[test]
    fn nothing_is_held_back_that_begins_no_secret() {
        let mut stream = masker(&["secret"]).stream();
        let mut out = Vec::new();
        stream.push(b"password: se", &mut out);
        assert_eq!(out, b"password: ");
        stream.push(b"t", &mut out);
        assert_eq!(out, b"password: set");
    }

    proptest! {
        // Nothing is kept of failures: it is also played with bugs planted, and has to fail then.
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// Chunks change nothing, and no form of a secret is left.
        #[test]
        fn chunks_do_not_matter(
            secrets in proptest::collection::vec("[ab/ \"\\n]{1,7}", 1..4),
            pieces in proptest::collection::vec((0_usize..40, "[ab/ %2]{0,5}"), 0..12),
            cuts in proptest::collection::vec(1_usize..9, 1..40),
        ) {
            let forms: Vec<Vec<u8>> = secrets.iter().flat_map(|secret| encodings(secret)).collect();
            let mut text = Vec::new();
            for (form, plain) in &pieces {
                text.extend_from_slice(&forms[form % forms.len()]);
                text.extend_from_slice(plain.as_bytes());
            }
            let masker = Masker::new(secrets.iter().map(String::as_str)).unwrap();
            let whole = masker.bytes(&text);

            let mut stream = masker.stream();
            let (mut out, mut rest, mut cuts) = (Vec::new(), text.as_slice(), cuts.iter().cycle());
            while !rest.is_empty() {
                let (chunk, after) = rest.split_at(rest.len().min(*cuts.next().unwrap()));
                stream.push(chunk, &mut out);
                rest = after;
            }
            stream.finish(&mut out);
            prop_assert_eq!(&out, &whole);
            for form in &forms {
                prop_assert!(!whole.windows(form.len()).any(|window| window == form.as_slice()));
            }
        }
    }

    #[cfg(feature = "proof")]
    #[test]
    fn masking_by_chunk_is_caught() {
        use crate::fault::Bug;
        assert!(crate::fault::is_caught(Bug::MaskedByChunk, chunks_do_not_matter), "{:?}", Bug::MaskedByChunk);
    }
}
