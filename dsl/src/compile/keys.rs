//! Which keys a map may have. Everything else is answered by name: a slip of the pen, a key of another tool, a key that
//! belongs one level up or down, or one that the language has and this version has not.

use crate::diagnostic::{Code, suggest};
use crate::limits;
use crate::yaml::{Mapping, Scalar};

use super::reader::Reader;

/// The keys of one sort of map.
pub struct Keys {
    /// The map as a sentence names it: "a step", "`shell`".
    pub of: &'static str,
    /// The keys it may have.
    pub known: &'static [&'static str],
    /// Keys that the language has and this version has not, each with what to do meanwhile, if there is anything.
    pub later: &'static [(&'static str, &'static str)],
    /// Keys that people bring along from other tools or put at the wrong level, each with what to do.
    pub hints: &'static [(&'static str, &'static str)],
}

impl Keys {
    /// A map that has only these.
    pub const fn only(of: &'static str, known: &'static [&'static str]) -> Self {
        Self { of, known, later: &[], hints: &[] }
    }
}

impl Reader<'_> {
    /// Reports every key that may not stand in this map.
    pub fn check_keys(&mut self, mapping: &Mapping, keys: &Keys) {
        for (key, _) in &mapping.entries {
            self.check_key(key, keys);
        }
    }

    /// Reports a key that may not stand in such a map.
    pub fn check_key(&mut self, key: &Scalar, keys: &Keys) {
        let name = key.text.as_str();
        if keys.known.contains(&name) || self.is_full() {
            return;
        }
        if let Some((_, instead)) = keys.later.iter().find(|(later, _)| *later == name) {
            return self.not_supported(key.span, &format!("`{name}`"), instead);
        }
        let diagnostic = self.at(Code::UNKNOWN_KEY, key.span, format!("{} has no key `{}`", keys.of, shorten(name)));
        let diagnostic = if let Some((_, hint)) = keys.hints.iter().find(|(foreign, _)| *foreign == name) {
            diagnostic.help(*hint)
        } else if let Some(near) = suggest(name, keys.known.iter().copied()) {
            diagnostic.help(format!("did you mean `{near}`?"))
        } else {
            diagnostic.help(format!("its keys are {}", quoted(keys.known)))
        };
        self.report(diagnostic);
    }
}

/// Names in backticks with commas between.
pub fn quoted(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// A name that is long enough to be recognised and short enough for a message.
pub fn shorten(name: &str) -> String {
    const CHARS: usize = 60;
    let mut short: String = name.chars().take(CHARS).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if short.len() < name.len() && name.chars().count() > CHARS {
        short.push('…');
    }
    short
}

/// Whether a text has the form of a name: `[a-z][a-z0-9_]*`, not too long.
pub fn is_name(text: &str) -> bool {
    text.len() <= limits::NAME_BYTES
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}
