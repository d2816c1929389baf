//! YAML with positions: the only module that knows the YAML crate.
//!
//! A runbook's text becomes a tree in which every node has its span and every scalar its style and decoded text, with a
//! map from the decoded text back to the file. Budgets hold while the text is read, so a hostile file is refused before
//! it costs anything.
//!
//! What YAML allows and a runbook does not (tags, merge keys, empty values, a second document, keys that are not text)
//! is refused here, so that what comes after sees only text, lists and maps with unique keys. Nothing here knows what
//! the keys mean.

mod budget;
mod check;
mod decode;
mod position;
mod reader;
mod syntax;
mod trap;
mod words;

#[cfg(test)]
mod tests;

pub use decode::decode;
pub use trap::{CorrectedLine, looks_cut};

use crate::diagnostic::{Code, Diagnostic};
use crate::source::{Source, Span};

/// A node of the tree.
#[derive(Clone, Debug)]
pub enum Node {
    /// Text, quoted or not.
    Scalar(Scalar),
    /// `[a, b]` or `- a`.
    Sequence(Sequence),
    /// `{a: b}` or `a: b`.
    Mapping(Mapping),
}

/// How a scalar was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Without quotes.
    Plain,
    /// `'like this'`.
    SingleQuoted,
    /// `"like this"`.
    DoubleQuoted,
    /// `|`: lines are kept.
    Literal,
    /// `>`: lines are folded.
    Folded,
}

/// Text, quoted or not.
#[derive(Clone, Debug)]
pub struct Scalar {
    /// The text that YAML makes of it.
    pub text: String,
    /// How it was written.
    pub style: Style,
    /// Where it stands, quotes and block header included.
    pub span: Span,
    /// Ascending pairs (offset in `text`, offset in the file): from each pair on, text and file run side by side.
    pub positions: Vec<(usize, usize)>,
}

/// A list.
#[derive(Clone, Debug)]
pub struct Sequence {
    /// Its elements.
    pub items: Vec<Node>,
    /// Where it stands.
    pub span: Span,
}

/// A map. Keys are scalars and unique: the reader has seen to it.
#[derive(Clone, Debug)]
pub struct Mapping {
    /// Its entries in file order.
    pub entries: Vec<(Scalar, Node)>,
    /// Where it stands.
    pub span: Span,
}

/// Reads a runbook: one document that is a map.
///
/// # Errors
/// A syntax error is reported alone, and so is a file that is beyond a budget; everything else that is wrong with the
/// text as YAML (duplicate keys, tags, `<<`, empty values, a second document) all at once.
pub fn parse(source: &Source) -> Result<Mapping, Vec<Diagnostic>> {
    let (mapping, problems) = parse_leniently(source)?;
    if problems.is_empty() { Ok(mapping) } else { Err(problems) }
}

/// Reads one document, and goes on where something is wrong that leaves the structure clear: a duplicate key, a tag, a
/// key without a value. What is wrong is left out of the map.
///
/// # Errors
/// What leaves nothing to look at.
pub fn parse_leniently(source: &Source) -> Result<(Mapping, Vec<Diagnostic>), Vec<Diagnostic>> {
    let reading = read(source)?;
    let problem = match reading.root {
        Some(Node::Mapping(mapping)) => return Ok((mapping, reading.problems)),
        _ if !reading.problems.is_empty() => return Err(reading.problems),
        Some(other) => not_a_map(source, &other, "a runbook"),
        None => Diagnostic::new(Code::EMPTY_FILE, source, Span::default(), "the file holds no runbook"),
    };
    Err(vec![problem.help("a runbook begins like this:\nrunbook: team/name\nsteps:\n  - shell: echo hello")])
}

/// Reads one document of any form, as parameters are; `None` when there is nothing in it.
///
/// # Errors
/// As for [`parse`].
pub fn parse_value(source: &Source) -> Result<Option<Node>, Vec<Diagnostic>> {
    let reading = read(source)?;
    if reading.problems.is_empty() { Ok(reading.root) } else { Err(reading.problems) }
}

fn read(source: &Source) -> Result<reader::Reading, Vec<Diagnostic>> {
    check::size(source)?;
    check::characters(source)?;
    reader::read(source)
}

/// The report on a file that must hold a map and holds something else.
pub(crate) fn not_a_map(source: &Source, node: &Node, what: &str) -> Diagnostic {
    let message = format!("{what} is a map, this file holds {}", node.describe());
    Diagnostic::new(Code::NOT_A_MAP, source, Span::new(node.span().start, node.span().start), message)
}

impl Node {
    /// Where the node stands.
    pub const fn span(&self) -> Span {
        match self {
            Self::Scalar(scalar) => scalar.span,
            Self::Sequence(sequence) => sequence.span,
            Self::Mapping(mapping) => mapping.span,
        }
    }

    /// What the node is, for messages: `text`, `a list` or `a map`.
    pub const fn describe(&self) -> &'static str {
        match self {
            Self::Scalar(_) => "text",
            Self::Sequence(_) => "a list",
            Self::Mapping(_) => "a map",
        }
    }

    /// How many nodes it is, itself and keys included.
    fn count(&self) -> usize {
        match self {
            Self::Scalar(_) => 1,
            Self::Sequence(sequence) => 1 + sequence.items.iter().map(Self::count).sum::<usize>(),
            Self::Mapping(mapping) => 1 + mapping.entries.iter().map(|(_, value)| 1 + value.count()).sum::<usize>(),
        }
    }

    /// How many maps and lists stand inside each other.
    fn depth(&self) -> usize {
        match self {
            Self::Scalar(_) => 0,
            Self::Sequence(sequence) => 1 + sequence.items.iter().map(Self::depth).max().unwrap_or(0),
            Self::Mapping(mapping) => 1 + mapping.entries.iter().map(|(_, value)| value.depth()).max().unwrap_or(0),
        }
    }
}

impl Scalar {
    /// The place in the file of a range of the decoded text.
    pub fn locate(&self, start: usize, end: usize) -> Span {
        let at = |offset: usize| {
            let index = self.positions.partition_point(|(text, _)| *text <= offset);
            match index.checked_sub(1).map(|index| self.positions[index]) {
                Some((text, file)) => (file + (offset - text)).min(self.span.end),
                None => self.span.start,
            }
        };
        let start_at = at(start);
        // The end is just behind the last character, which may stand on an earlier line than what follows it.
        let last = self.text.get(start..end).and_then(|text| text.chars().next_back()).map_or(0, char::len_utf8);
        let end_at = if last == 0 { at(end) } else { at(end - last) + last };
        Span::new(start_at, end_at.clamp(start_at, self.span.end.max(start_at)))
    }
}

impl Mapping {
    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries.iter().find(|(name, _)| name.text == key).map(|(_, node)| node)
    }
}
