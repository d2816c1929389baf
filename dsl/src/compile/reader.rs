//! Reads the YAML tree into the typed `Runbook`, strictly: what is not understood is reported, never ignored.
//!
//! Every method that reads a value takes the node, reports what is wrong with it, and gives `None` where nothing useful
//! is left. A caller that gets `None` says nothing more about it.

use crate::diagnostic::{Code, Diagnostic, suggest};
use crate::expr::Sandbox;
use crate::graph::{BlockId, NodeId, Role};
use crate::limits;
use crate::runbook::{Block, Owner, Runbook};
use crate::scalar;
use crate::source::{Source, Span, Spanned};
use crate::value::Millis;
use crate::yaml::{Mapping, Node, Scalar, Sequence, Style};

use super::called::Around;
use super::files::Files;
use super::keys::{Keys, is_name, quoted, shorten};
use super::report::Report;

/// What is read so far, and where.
pub struct Reader<'a> {
    /// The files beside it.
    pub files: &'a dyn Files,
    /// What reads expressions.
    pub sandbox: &'a Sandbox,
    /// The result.
    pub book: Runbook,
    /// Whose expressions are being read.
    pub owner: Owner,
    /// Bytes of the files that are pinned so far.
    pub pinned_bytes: u64,
    /// The runbooks that call this one.
    pub around: Around,
    report: Report<'a>,
}

impl<'a> Reader<'a> {
    /// A reader at the start of a text.
    pub fn new(source: &'a Source, files: &'a dyn Files, sandbox: &'a Sandbox) -> Self {
        let book = Runbook::default();
        let (owner, around) = (Owner::Runbook, Around::default());
        Self { files, sandbox, book, owner, pinned_bytes: 0, around, report: Report::new(source) }
    }

    /// The runbook, and all that was wrong with it.
    pub fn finish(self) -> (Runbook, Report<'a>) {
        (self.book, self.report)
    }

    /// The text.
    pub const fn source(&self) -> &'a Source {
        self.report.source
    }

    /// A diagnostic at a place of the text.
    pub fn at(&self, code: Code, span: Span, message: impl Into<String>) -> Diagnostic {
        self.report.at(code, span, message)
    }

    /// Whether there are so many diagnostics that nobody reads further ones.
    pub fn is_full(&self) -> bool {
        self.report.is_full()
    }

    /// Whether the runbook cannot run and there are so many diagnostics that nobody reads further ones: nothing that is
    /// found from here on is told.
    pub fn is_full_of_errors(&self) -> bool {
        self.report.is_full() && self.report.has_errors()
    }

    /// How many diagnostics there are so far.
    pub fn found(&self) -> usize {
        self.report.found()
    }

    /// Reports a diagnostic.
    pub fn report(&mut self, diagnostic: Diagnostic) {
        self.report.push(diagnostic);
    }

    /// Reports something that the language has and this version has not.
    pub fn not_supported(&mut self, span: Span, what: &str, instead: &str) {
        let diagnostic = self.at(Code::NOT_SUPPORTED_YET, span, format!("{what} is not supported yet"));
        self.report(if instead.is_empty() { diagnostic } else { diagnostic.help(instead) });
    }

    /// Reports a value of the wrong type.
    pub fn wrong_type(&mut self, node: &Node, what: &str, wanted: &str) {
        let found = match node {
            Node::Scalar(scalar) if is_null(scalar) => "`null`",
            _ => node.describe(),
        };
        let diagnostic =
            self.at(Code::WRONG_TYPE, head(node), format!("{what} must be {wanted}")).label(format!("this is {found}"));
        self.report(diagnostic);
    }

    /// The value of a key that must be there.
    pub fn required<'n>(&mut self, mapping: &'n Mapping, of: &str, key: &str, example: &str) -> Option<&'n Node> {
        let value = mapping.get(key);
        if value.is_none() {
            let span = mapping.entries.first().map_or(mapping.span, |(key, _)| key.span);
            let diagnostic = self
                .at(Code::MISSING_KEY, span, format!("{of} needs the key `{key}`"))
                .help(format!("such as `{example}`"));
            self.report(diagnostic);
        }
        value
    }

    /// A map with these keys; it may be empty.
    pub fn mapping<'n>(&mut self, node: &'n Node, keys: &Keys) -> Option<&'n Mapping> {
        let mapping = self.any_mapping(node, keys.of)?;
        self.check_keys(mapping, keys);
        Some(mapping)
    }

    /// A map with keys of the author's choice; it may be empty.
    pub fn any_mapping<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n Mapping> {
        if let Node::Mapping(mapping) = node {
            Some(mapping)
        } else {
            self.wrong_type(node, what, "a map");
            None
        }
    }

    /// A map with at least one key of the author's choice.
    pub fn names<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n Mapping> {
        let mapping = self.any_mapping(node, what)?;
        if mapping.entries.is_empty() {
            self.empty(mapping.span, what, "map");
            return None;
        }
        Some(mapping)
    }

    /// A list with at least one element.
    pub fn sequence<'n>(&mut self, node: &'n Node, what: &str, wanted: &str) -> Option<&'n Sequence> {
        let Node::Sequence(sequence) = node else {
            self.wrong_type(node, what, wanted);
            return None;
        };
        if sequence.items.is_empty() {
            self.empty(sequence.span, what, "list");
            return None;
        }
        Some(sequence)
    }

    fn empty(&mut self, span: Span, what: &str, shape: &str) {
        let diagnostic = self
            .at(Code::EMPTY, span, format!("{what} is an empty {shape}"))
            .help("leave the key out, or put something in");
        self.report(diagnostic);
    }

    /// One scalar.
    pub fn scalar<'n>(&mut self, node: &'n Node, what: &str, wanted: &str) -> Option<&'n Scalar> {
        match node {
            Node::Scalar(scalar) if !is_null(scalar) => Some(scalar),
            _ => {
                self.wrong_type(node, what, wanted);
                None
            }
        }
    }

    /// Fixed text, known before anything runs.
    pub fn constant(&mut self, node: &Node, what: &str) -> Option<Spanned<String>> {
        let scalar = self.scalar(node, what, "text")?;
        if let Some(at) = find_template(&scalar.text) {
            let span = scalar.locate(at, at + 3);
            let diagnostic = self
                .at(Code::TEMPLATE_IN_CONSTANT, span, format!("{what} is fixed text and cannot hold `${{{{ }}}}`"))
                .help("it is read before anything runs, when no value is known");
            self.report(diagnostic);
            return None;
        }
        Some(Spanned::new(scalar.text.clone(), scalar.span))
    }

    /// One of a few words.
    pub fn choice<T: Copy>(&mut self, node: &Node, what: &str, words: &[(&str, T)]) -> Option<Spanned<T>> {
        let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let scalar = self.scalar(node, what, &format!("one of {}", quoted(&names)))?;
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == scalar.text) {
            return Some(Spanned::new(*value, scalar.span));
        }
        let diagnostic = self
            .at(Code::NOT_ONE_OF, scalar.span, format!("{what} cannot be `{}`", shorten(&scalar.text)))
            .help(match suggest(&scalar.text, names.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("it is one of {}", quoted(&names)),
            });
        self.report(diagnostic);
        None
    }

    /// `true` or `false`.
    pub fn boolean(&mut self, node: &Node, what: &str) -> Option<Spanned<bool>> {
        self.choice(node, what, &[("true", true), ("false", false)])
    }

    /// A whole number within a range.
    pub fn integer(&mut self, node: &Node, what: &str, least: i64, most: i64) -> Option<Spanned<i64>> {
        let scalar = self.scalar(node, what, "a whole number")?;
        let number = match scalar::int(&scalar.text) {
            Ok(number) if scalar.style == Style::Plain => number,
            Err(error) if scalar.style == Style::Plain => {
                self.bad_scalar(Code::WRONG_TYPE, scalar, what, &error);
                return None;
            }
            Ok(_) | Err(_) => {
                self.wrong_type(node, what, "a whole number without quotes");
                return None;
            }
        };
        if number < least || number > most {
            let message = format!("{what} must be between {least} and {most}");
            let diagnostic = self.at(Code::OUT_OF_RANGE, scalar.span, message);
            self.report(diagnostic);
            return None;
        }
        Some(Spanned::new(number, scalar.span))
    }

    /// A fixed length of time, longer than nothing.
    pub fn duration(&mut self, node: &Node, what: &str) -> Option<Spanned<Millis>> {
        let duration = self.duration_or_zero(node, what)?;
        if duration.value.0 == 0 {
            let diagnostic = self.at(Code::OUT_OF_RANGE, duration.span, format!("{what} must be longer than zero"));
            self.report(diagnostic);
            return None;
        }
        Some(duration)
    }

    /// A fixed length of time.
    pub fn duration_or_zero(&mut self, node: &Node, what: &str) -> Option<Spanned<Millis>> {
        let scalar = self.scalar(node, what, "a length of time such as `30s`")?;
        self.constant(node, what)?;
        match scalar::duration(&scalar.text) {
            Ok(value) => Some(Spanned::new(value, scalar.span)),
            Err(error) => {
                self.bad_scalar(Code::DURATION, scalar, what, &error);
                None
            }
        }
    }

    /// Reports a plain value that could not be read. What is wrong stands before the semicolon, what to write behind.
    pub fn bad_scalar(&mut self, code: Code, scalar: &Scalar, what: &str, error: &str) {
        let (wrong, instead) = error.split_once("; ").unwrap_or((error, ""));
        let diagnostic = self.at(code, scalar.span, format!("{what}: {wrong}"));
        self.report(if instead.is_empty() { diagnostic } else { diagnostic.help(instead) });
    }

    /// Whether a key can be written as a name in expressions; reported where not.
    pub fn name(&mut self, key: &Scalar, what: &str) -> bool {
        let shown = shorten(&key.text);
        let diagnostic = if !is_name(&key.text) {
            self.at(Code::NAME, key.span, format!("`{shown}` cannot be {what}"))
                .help("names begin with a lower case letter; lower case letters, digits and `_` follow")
        } else if self.sandbox.analyse(&format!("x.{}", key.text), false).is_err() {
            self.at(Code::RESERVED_NAME, key.span, format!("`{shown}` cannot be {what}"))
                .help("it is a word of the language of expressions")
        } else {
            return true;
        };
        self.report(diagnostic);
        false
    }

    /// Reads something that belongs to another owner, then goes on with the one before.
    pub fn owned_by<T>(&mut self, owner: Owner, read: impl FnOnce(&mut Self) -> T) -> T {
        let before = std::mem::replace(&mut self.owner, owner);
        let value = read(self);
        self.owner = before;
        value
    }

    /// A list of steps. An empty one is an error, which `catch` alone does not mind and so does not ask here.
    pub fn block(&mut self, node: &Node, what: &str, owner: Option<NodeId>, role: Role) -> Option<BlockId> {
        let steps = self.sequence(node, what, "a list of steps")?;
        Some(self.block_of(&steps.items, owner, role))
    }

    fn too_many_steps(&mut self, step: &Node) {
        let span = Span::new(step.span().start, step.span().start + 1);
        let diagnostic = self
            .at(
                Code::TOO_MANY_STEPS,
                span,
                format!("a runbook has at most {} steps, and this is one more", limits::STEPS),
            )
            .help("split the runbook, or loop inside a command");
        self.report(diagnostic);
    }

    /// A list of steps that may be empty.
    pub fn block_of(&mut self, steps: &[Node], owner: Option<NodeId>, role: Role) -> BlockId {
        let id = BlockId(u32::try_from(self.book.blocks.len()).expect("the budget of nodes is far below 2^32"));
        self.book.blocks.push(Block { owner, role, steps: Vec::new() });
        for (index, step) in steps.iter().enumerate() {
            if self.book.steps.len() >= limits::STEPS {
                if self.book.steps.len() == limits::STEPS {
                    self.too_many_steps(step);
                }
                break;
            }
            if let Some(node) = self.step(step, id, index + 1) {
                self.book.blocks[id.0 as usize].steps.push(node);
            }
        }
        id
    }
}

/// Whether a scalar is YAML's null.
pub fn is_null(scalar: &Scalar) -> bool {
    scalar.style == Style::Plain && matches!(scalar.text.as_str(), "null" | "Null" | "NULL" | "~")
}

/// Where the first `${{` begins that is not written `$${{`.
pub fn find_template(text: &str) -> Option<usize> {
    text.match_indices("${{").map(|(at, _)| at).find(|at| !text[..*at].ends_with('$'))
}

/// The part of a node to point at: all of a scalar, the first character of a list or a map, which may be long.
fn head(node: &Node) -> Span {
    match node {
        Node::Scalar(scalar) => scalar.span,
        Node::Sequence(_) | Node::Mapping(_) => Span::new(node.span().start, node.span().start + 1),
    }
}
