//! Expressions: a strict, bounded Rhai.

pub mod template;

use std::ops::Range;

/// What reads and evaluates expressions.
#[derive(Debug, Default)]
pub struct Sandbox {}

impl Sandbox {
    /// A sandbox with the functions of the language.
    pub const fn new() -> Self {
        Self {}
    }

    /// What an expression or a script reads and calls.
    pub fn analyse(&self, text: &str, statements: bool) -> Result<Analysis, SyntaxError> {
        let _ = (text, statements);
        Ok(Analysis::default())
    }

    /// The names of the functions that a module gives.
    pub fn functions(&self, text: &str) -> Result<Vec<String>, SyntaxError> {
        let _ = text;
        Ok(Vec::new())
    }
}

/// What an expression reads and calls.
#[derive(Clone, Debug, Default)]
pub struct Analysis {
    /// What it reads of its scope.
    pub accesses: Vec<Access>,
    /// The functions that it calls.
    pub calls: Vec<Call>,
}

/// A path of names that begins in the scope: `steps.build.stdout`.
#[derive(Clone, Debug)]
pub struct Access {
    /// The first name.
    pub root: String,
    /// The names behind it.
    pub path: Vec<Segment>,
    /// Where it stands in the text.
    pub span: Range<usize>,
    /// Whether it is only compared with `()`.
    pub only_compared_to_unit: bool,
    /// Whether `??`, `?.` or a comparison with `()` stands by for the case that there is nothing.
    pub guarded: bool,
}

/// One name of a path.
#[derive(Clone, Debug)]
pub struct Segment {
    /// The name.
    pub name: String,
    /// Where it stands in the text.
    pub span: Range<usize>,
}

/// A function that is called.
#[derive(Clone, Debug)]
pub struct Call {
    /// Its name.
    pub name: String,
    /// The module before `::`.
    pub module: Option<String>,
    /// Where it stands in the text.
    pub span: Range<usize>,
}

/// Text that is no expression.
#[derive(Clone, Debug)]
pub struct SyntaxError {
    /// What is wrong.
    pub message: String,
    /// Where.
    pub span: Range<usize>,
}
