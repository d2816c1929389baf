//! Expressions: a strict, bounded Rhai.

pub mod template;

use crate::source::Span;

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

    /// What a module offers.
    pub fn module(&self, text: &str) -> Result<ModuleInfo, SyntaxError> {
        let _ = text;
        Ok(ModuleInfo::default())
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
    /// Where the first name stands.
    pub root_span: Span,
    /// The names behind it.
    pub path: Vec<Segment>,
    /// Where it stands in the text.
    pub span: Span,
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
    pub span: Span,
}

/// A function that is called.
#[derive(Clone, Debug)]
pub struct Call {
    /// Its name.
    pub name: String,
    /// The module before `::`.
    pub module: Option<String>,
    /// Whether it stands behind a dot.
    pub method: bool,
    /// The arguments in brackets.
    pub args: usize,
    /// Where it stands in the text.
    pub span: Span,
}

/// What a module offers.
#[derive(Clone, Debug, Default)]
pub struct ModuleInfo {
    /// Its functions with their numbers of parameters.
    pub functions: Vec<(String, usize)>,
}

/// Text that is no expression.
#[derive(Clone, Debug)]
pub struct SyntaxError {
    /// What is wrong.
    pub message: String,
    /// Where.
    pub span: Span,
}
