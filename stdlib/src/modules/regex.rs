//! Regular expressions, bounded: matching takes time in proportion to the text, whatever the pattern.

use lockstep_dsl::expr::{Arguments, Fault};
use regex::{Regex, RegexBuilder};

use crate::limits::{PATTERN_BYTES, PATTERN_CHARS, PATTERN_OPERATIONS};

/// The pattern that stands in an argument, to be matched against a text of this many bytes. Both are paid for: the
/// pattern at a fixed price, since what it compiles to is bounded, the text once for every few characters of the
/// pattern.
pub fn pattern(given: &mut Arguments<'_, '_>, index: usize, text: usize) -> Result<Regex, Fault> {
    let pattern = given.text(index)?;
    if pattern.len() > PATTERN_CHARS {
        return Err(given.invalid(format!("a pattern has at most {PATTERN_CHARS} bytes")));
    }
    given.charge(PATTERN_OPERATIONS + (text / 64).saturating_mul(1 + pattern.len() / 8))?;
    RegexBuilder::new(pattern).size_limit(PATTERN_BYTES).dfa_size_limit(PATTERN_BYTES).build().map_err(|error| {
        match error {
            regex::Error::CompiledTooBig(_) => given.invalid("the pattern is too large"),
            error => {
                let error = error.to_string();
                let reason = error.lines().last().unwrap_or_default().trim_start_matches("error: ");
                given.invalid(format!("`{pattern}` is not a regular expression: {reason}"))
            }
        }
    })
}
