//! Reads maps with known keys, and collects all that is wrong with them.

use lockstep_dsl::diagnostic::suggest;
use lockstep_dsl::source::{Source, Span};
use lockstep_dsl::yaml::{Mapping, Node};

/// What is done with the value of a key.
pub type Take<'f> = &'f mut dyn FnMut(&mut Reader<'_>, &Node);

/// A file that is being read.
pub struct Reader<'a> {
    source: &'a Source,
    /// The path of the map that is being read: `storage.keep`.
    path: String,
    errors: Vec<String>,
}

impl<'a> Reader<'a> {
    /// At the beginning of a file.
    pub const fn new(source: &'a Source) -> Self {
        Self { source, path: String::new(), errors: Vec::new() }
    }

    /// All that was found wrong, in order.
    pub fn errors(self) -> Vec<String> {
        self.errors
    }

    /// Reads a map under this key: each of its keys must be one of those.
    pub fn map(&mut self, key: &str, mapping: &Mapping, keys: &mut [(&str, Take<'_>)]) {
        let above = self.path.clone();
        self.path = self.path_of(key);
        for (name, node) in &mapping.entries {
            if let Some((_, take)) = keys.iter_mut().find(|(known, _)| *known == name.text) {
                take(self, node);
            } else {
                let known: Vec<&str> = keys.iter().map(|(known, _)| *known).collect();
                self.unknown(&name.text, name.span, &known);
            }
        }
        self.path = above;
    }

    /// The map that a key must have.
    pub fn expect_map<'n>(&mut self, key: &str, node: &'n Node) -> Option<&'n Mapping> {
        match node {
            Node::Mapping(mapping) => Some(mapping),
            Node::Scalar(_) | Node::Sequence(_) => {
                self.wrong(key, node, "a map is expected");
                None
            }
        }
    }

    /// The value that `parse` makes of a key's text.
    pub fn expect<T>(&mut self, key: &str, node: &Node, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let parsed = match node {
            Node::Scalar(scalar) => parse(&scalar.text),
            Node::Sequence(_) | Node::Mapping(_) => Err("one value is expected".to_owned()),
        };
        parsed.map_err(|what| self.wrong(key, node, &what)).ok()
    }

    fn unknown(&mut self, name: &str, span: Span, known: &[&str]) {
        let place = if self.path.is_empty() { "there is".to_owned() } else { format!("`{}` has", self.path) };
        let help = match suggest(name, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("there are `{}`", known.join("`, `")),
        };
        self.error(span, &format!("{place} no key `{name}`; {help}"));
    }

    /// Says what is wrong with the value of a key.
    pub fn wrong(&mut self, key: &str, node: &Node, what: &str) {
        let span = match node {
            Node::Scalar(scalar) => scalar.span,
            Node::Sequence(sequence) => sequence.span,
            Node::Mapping(mapping) => mapping.span,
        };
        let path = self.path_of(key);
        self.error(span, &format!("`{path}`: {what}"));
    }

    fn error(&mut self, span: Span, message: &str) {
        let line = self.source.location(span.start).line;
        self.errors.push(format!("{}:{line}: {message}", self.source.name()));
    }

    fn path_of(&self, key: &str) -> String {
        match (self.path.as_str(), key) {
            ("", key) => key.to_owned(),
            (path, "") => path.to_owned(),
            (path, key) => format!("{path}.{key}"),
        }
    }
}
