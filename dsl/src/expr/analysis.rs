//! What a text uses: for the checks of the front end.

use super::problem::Problem;
use crate::source::Span;

/// What an expression or script uses. Spans are bytes of its text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Analysis {
    /// Every use of a name that the text does not define itself, in the order of the text.
    pub accesses: Vec<Access>,
    /// Every call of a function or method, in the order of the text.
    pub calls: Vec<Call>,
    /// What is wrong with it, though it can be read.
    pub problems: Vec<Problem>,
}

/// One use of a name of the scope: `steps.build.stdout`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// The first name.
    pub root: String,
    /// Where the first name stands.
    pub root_span: Span,
    /// What is taken from it by names that are known, one after the other.
    pub path: Vec<Segment>,
    /// A computed index right after the path: `steps[name]`.
    pub computed: Option<Span>,
    /// A method called on what the path leads to.
    pub method: Option<(String, Span)>,
    /// From the first name to the end of the path.
    pub span: Span,
    /// Whether the value is only compared with `()`.
    pub only_compared_to_unit: bool,
    /// Whether a missing or absent value is provided for: `??` follows, or a segment is read with `?.`.
    pub guarded: bool,
}

/// One name of a path: `.name`, `?.name` or `["name"]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The name.
    pub name: String,
    /// Where it stands.
    pub span: Span,
    /// Whether it is read with `?.` or `?[`.
    pub optional: bool,
}

/// One call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The module, for `text::slug(x)`.
    pub module: Option<String>,
    /// The function or method.
    pub name: String,
    /// Whether it stands behind a dot.
    pub method: bool,
    /// The arguments in brackets.
    pub args: usize,
    /// Where the name stands, with its module.
    pub span: Span,
}

/// What a module offers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModuleInfo {
    /// Its public functions with their numbers of parameters, sorted.
    pub functions: Vec<(String, usize)>,
    /// What is wrong with it, though it can be read.
    pub problems: Vec<Problem>,
}
