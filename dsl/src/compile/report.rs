//! What the passes have found so far.

use std::collections::BTreeSet;

use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::limits;
use crate::source::{Source, Span};

/// Collects diagnostics about one text.
pub struct Report<'a> {
    /// The text.
    pub source: &'a Source,
    diagnostics: Vec<Diagnostic>,
}

impl<'a> Report<'a> {
    /// Nothing found yet.
    pub const fn new(source: &'a Source) -> Self {
        Self { source, diagnostics: Vec::new() }
    }

    /// A diagnostic at a place of the text.
    pub fn at(&self, code: Code, span: Span, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(code, self.source, span, message)
    }

    /// Takes a diagnostic, unless there are very many.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        // A warning never takes the place of an error.
        if !self.is_full() || (diagnostic.severity() == Severity::Error && !self.has_errors()) {
            self.diagnostics.push(diagnostic);
        }
    }

    /// How many there are so far.
    pub fn found(&self) -> usize {
        self.diagnostics.len()
    }

    /// Whether there are so many that nobody reads further ones.
    pub fn is_full(&self) -> bool {
        self.diagnostics.len() >= limits::FINDINGS
    }

    /// Whether any of them is an error.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.severity() == Severity::Error)
    }

    /// Everything, in the order of the text; an error if one is among it.
    ///
    /// # Errors
    /// All diagnostics, where at least one is an error.
    pub fn into_result(self) -> Result<Vec<Diagnostic>, Vec<Diagnostic>> {
        let has_errors = self.has_errors();
        let mut all = self.diagnostics;
        crate::diagnostic::sort(&mut all);
        if has_errors { Err(all) } else { Ok(all) }
    }

    /// Everything that is wrong, when something was wrong with the text as YAML and was left out of what the passes saw:
    /// what they found is kept only where it cannot come from that.
    pub fn after(self, problems: Vec<Diagnostic>) -> Vec<Diagnostic> {
        let line = |diagnostic: &Diagnostic| self.source.location(diagnostic.primary.0.start).line;
        let broken: BTreeSet<u32> = problems.iter().map(line).collect();
        let own = self.diagnostics.iter().filter(|found| is_of_form(found.code) && !broken.contains(&line(found)));
        let mut all: Vec<_> = own.cloned().collect();
        all.extend(problems);
        crate::diagnostic::sort(&mut all);
        all
    }
}

/// Whether a diagnostic is about the form of what stands there, not about what else there is, or is missing.
fn is_of_form(code: Code) -> bool {
    let about_others = matches!(code, Code::MISSING_KEY | Code::EMPTY | Code::NO_KIND)
        || (Code::NEEDS_UNKNOWN..Code::RETRY_OF_ONCE).contains(&code);
    !about_others && code.severity() == Severity::Error
}
