//! What is wrong with the text of an expression.

use crate::diagnostic::{Code, Diagnostic};
use crate::source::{Source, Span};

/// One thing that is wrong with the text of an expression, script or module, to be shown where that text stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The code.
    pub code: Code,
    /// Lower case, no full stop, names in backticks.
    pub message: String,
    /// Where it is, in bytes of the text.
    pub span: Span,
    /// What to do about it.
    pub help: Option<String>,
}

impl Problem {
    /// Something wrong at a place.
    pub fn new(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), span, help: None }
    }

    /// Says what to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The diagnostic, at a place in a source that the caller has worked out from [`Problem::span`].
    pub fn diagnostic(&self, source: &Source, span: Span) -> Diagnostic {
        let diagnostic = Diagnostic::new(self.code, source, span, self.message.clone());
        match &self.help {
            Some(help) => diagnostic.help(help.clone()),
            None => diagnostic,
        }
    }
}
