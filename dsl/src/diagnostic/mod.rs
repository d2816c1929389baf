//! What is wrong with a runbook, said so that its author can mend it.
//!
//! Every diagnostic has a code, a place, a message and usually a help. Codes are never reused.

mod code;
mod json;
mod render;
mod suggest;
#[cfg(test)]
mod tests;

pub use code::{ALL, Code};
pub use json::to_json;
pub use render::{Color, render, summary};
pub use suggest::suggest;

use crate::source::{Source, Span};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The runbook can run; something in it is probably not meant.
    Warning,
    /// The runbook cannot run.
    Error,
}

/// One thing that is wrong.
#[derive(Clone, Debug)]
pub struct Diagnostic {
    /// The code.
    pub code: Code,
    /// Lower case, no full stop, names in backticks.
    pub message: String,
    /// The text the spans are in.
    pub source: Source,
    /// The place the caret points at, and what is said right there (may be empty).
    pub primary: (Span, String),
    /// Other places that explain it.
    pub secondary: Vec<(Span, String)>,
    /// What to do about it; several are printed one below the other.
    pub help: Vec<String>,
}

/// Puts diagnostics in the order of their places and drops what is said twice, as it is for a value that aliases
/// repeat.
pub fn sort(diagnostics: &mut Vec<Diagnostic>) {
    diagnostics.sort_by(|a, b| a.key().cmp(&b.key()));
    diagnostics.dedup_by(|a, b| a.key() == b.key());
}

impl Diagnostic {
    /// An error or a warning (the code says which) at a place.
    pub fn new(code: Code, source: &Source, span: Span, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            source: source.clone(),
            primary: (span, String::new()),
            secondary: Vec::new(),
            help: Vec::new(),
        }
    }

    /// Says something right at the caret.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.primary.1 = label.into();
        self
    }

    /// Points at another place that explains it.
    #[must_use]
    pub fn also(mut self, span: Span, label: impl Into<String>) -> Self {
        self.secondary.push((span, label.into()));
        self
    }

    /// Says what to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    /// How bad it is.
    pub const fn severity(&self) -> Severity {
        self.code.severity()
    }

    fn key(&self) -> (&str, Span, Code, &str) {
        (self.source.name(), self.primary.0, self.code, &self.message)
    }
}
