//! From the parser's events to the tree.
//!
//! Reads without recursion, so that no nesting can exhaust the stack. What is wrong but leaves the structure clear is
//! collected; a syntax error or a spent budget ends the reading and is reported alone.

use std::collections::{BTreeMap, BTreeSet};

use saphyr_parser::{Event, ScalarStyle, Tag};

use super::budget::{Events, Stop};
use super::{Mapping, Node, Scalar, Sequence, Style, position, syntax, trap};
use crate::diagnostic::{Code, Diagnostic};
use crate::limits;
use crate::source::{Source, Span};

/// What was read, and what is wrong with it; what is wrong is left out of the tree.
pub(super) struct Reading {
    /// The tree; `None` when there is nothing in the document.
    pub root: Option<Node>,
    /// What is wrong.
    pub problems: Vec<Diagnostic>,
}

/// Reads the only document of the source.
pub(super) fn read(source: &Source) -> Result<Reading, Vec<Diagnostic>> {
    let mut reader = Reader::new(source);
    let mut events = Events::new(source.text());
    loop {
        match events.next() {
            Ok(Some((event, span))) => match reader.take(event, span) {
                Ok(Flow::GoOn) => {}
                Ok(Flow::Enough) => break,
                Err(fatal) => return Err(vec![*fatal]),
            },
            Ok(None) => break,
            Err(Stop::Syntax { at, info }) => {
                return Err(vec![syntax::explain(source, at, &info, reader.opened_bracket())]);
            }
            Err(Stop::Separators) => return Err(vec![separators(source, reader.last_end)]),
        }
    }
    Ok(Reading { root: reader.root, problems: reader.problems })
}

/// Whether there is a reason to read on.
enum Flow {
    GoOn,
    Enough,
}

/// What ends the reading and is reported alone.
type Fatal = Box<Diagnostic>;

struct Reader<'s> {
    source: &'s Source,
    open: Vec<Open>,
    root: Option<Node>,
    documents: usize,
    /// Finished nodes that have an anchor, by the parser's number.
    anchored: BTreeMap<usize, Node>,
    /// Anchors of nodes that are not finished.
    unfinished: BTreeSet<usize>,
    nodes: usize,
    /// Nodes that anchors keep and aliases repeat.
    copied: usize,
    /// Where the last scalar ended.
    last_end: usize,
    problems: Vec<Diagnostic>,
}

/// A list or a map whose end has not been seen.
struct Open {
    start: usize,
    /// Where its last child ends.
    end: usize,
    anchor: usize,
    shape: Shape,
}

enum Shape {
    Sequence(Vec<Node>),
    Mapping { entries: Vec<(Scalar, Node)>, seen: BTreeMap<String, Span>, slot: Slot },
}

/// What a map waits for.
enum Slot {
    Key,
    /// The value of this key; of none when the key is no use.
    Value(Option<Scalar>),
}

/// A node as it is put into its parent.
enum Item {
    Node(Node),
    /// Already reported; whatever stands there is left out.
    Broken,
}

impl<'s> Reader<'s> {
    fn new(source: &'s Source) -> Self {
        Self {
            source,
            open: Vec::new(),
            root: None,
            documents: 0,
            anchored: BTreeMap::new(),
            unfinished: BTreeSet::new(),
            nodes: 0,
            copied: 0,
            last_end: 0,
            problems: Vec::new(),
        }
    }

    fn take(&mut self, event: Event<'_>, span: Span) -> Result<Flow, Fatal> {
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
            Event::DocumentStart(_) => return Ok(self.document(span)),
            Event::Alias(anchor) => self.alias(anchor, span)?,
            Event::Scalar(text, style, anchor, tag) => {
                self.spend(1, span)?;
                self.scalar(&text, style, anchor, tag.as_deref(), span)?;
            }
            Event::SequenceStart(anchor, tag) => {
                self.tag(tag.as_deref(), span);
                self.enter(anchor, span, Shape::Sequence(Vec::new()))?;
            }
            Event::MappingStart(anchor, tag) => {
                self.tag(tag.as_deref(), span);
                let shape = Shape::Mapping { entries: Vec::new(), seen: BTreeMap::new(), slot: Slot::Key };
                self.enter(anchor, span, shape)?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.leave(span)?,
        }
        Ok(Flow::GoOn)
    }

    fn document(&mut self, span: Span) -> Flow {
        self.documents += 1;
        if self.documents > 1 {
            let problem = self
                .problem(Code::SECOND_DOCUMENT, span, "a second document")
                .label("one runbook a file")
                .help("move what follows into a file of its own, or delete the `---`");
            self.problems.push(problem);
            return Flow::Enough;
        }
        let before = &self.source.text()[..span.start];
        let mut at = 0;
        for line in before.split_inclusive('\n') {
            if line.starts_with('%') {
                let span = Span::new(at, at + line.trim_end().len());
                let problem = self
                    .problem(Code::DIRECTIVE, span, "a YAML directive")
                    .help("delete the line: runbooks are read as YAML 1.2");
                self.problems.push(problem);
            }
            at += line.len();
        }
        Flow::GoOn
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Tag>,
        span: Span,
    ) -> Result<(), Fatal> {
        let is_key = self.expects_key();
        if text.is_empty() && style == ScalarStyle::Plain {
            return self.empty(anchor, tag, span);
        }
        let (limit, what, help) = if is_key {
            (limits::KEY_BYTES, "key", "a key is a short name; put long text into a value")
        } else {
            (limits::SCALAR_BYTES, "text", "put long text into a file and name it under `files`")
        };
        if text.len() > limit {
            let message = format!("a {what} of {} bytes, {limit} are allowed", text.len());
            let start = Span::new(span.start, span.start);
            return Err(Box::new(self.problem(Code::SCALAR_TOO_LONG, start, message).help(help)));
        }
        let style = match style {
            ScalarStyle::Plain => Style::Plain,
            ScalarStyle::SingleQuoted => Style::SingleQuoted,
            ScalarStyle::DoubleQuoted => Style::DoubleQuoted,
            ScalarStyle::Literal => Style::Literal,
            ScalarStyle::Folded => Style::Folded,
        };
        let placed = position::place(self.source.text(), style, text, span.start, span.end, self.last_end);
        self.tag(tag, Span::new(span.start, placed.span.end));
        self.last_end = placed.span.end;
        let scalar = Scalar { text: text.to_owned(), style, span: placed.span, positions: placed.positions };
        if scalar.text == "<<" && scalar.style == Style::Plain && is_key {
            let problem = self
                .problem(Code::MERGE_KEY, scalar.span, "merge keys are not part of the language")
                .help("write the keys out");
            self.problems.push(problem);
        }
        self.put(Item::Node(Node::Scalar(scalar)), anchor)
    }

    /// A key or a value with nothing in it.
    fn empty(&mut self, anchor: usize, tag: Option<&Tag>, span: Span) -> Result<(), Fatal> {
        self.tag(tag, span);
        let problem = match self.open.last().map(|open| &open.shape) {
            Some(Shape::Mapping { slot: Slot::Key, .. }) => {
                Some(self.problem(Code::KEY_NOT_TEXT, span, "an empty key").help("write a name before the `:`"))
            }
            // The tag is all that stands there, and is reported.
            Some(Shape::Mapping { .. } | Shape::Sequence(_)) if tag.is_some() => None,
            Some(Shape::Mapping { slot: Slot::Value(Some(key)), .. }) => Some(self.without_value(key)),
            Some(Shape::Sequence(_)) => {
                let dash = self.source.text()[..span.start].rfind('-').unwrap_or(span.start);
                Some(
                    self.problem(Code::EMPTY_VALUE, Span::new(dash, dash + 1), "a list element with nothing in it")
                        .help("write a value, `''` for empty text, or delete the line"),
                )
            }
            Some(Shape::Mapping { slot: Slot::Value(None), .. }) | None => None,
        };
        self.problems.extend(problem);
        self.put(Item::Broken, anchor)
    }

    fn without_value(&self, key: &Scalar) -> Diagnostic {
        let corrected = if self.has_room() { trap::flow(self.source, key.span.start) } else { None };
        match corrected {
            Some(line) => syntax::needs_quotes(self.source, &line),
            None => self
                .problem(Code::EMPTY_VALUE, key.span, format!("`{}` has no value", key.text))
                .help("write a value, `''` for empty text, or leave the key out"),
        }
    }

    fn tag(&mut self, tag: Option<&Tag>, span: Span) {
        if tag.is_some() && self.has_room() {
            let opened = self.opened_bracket();
            self.problems.push(syntax::tag(self.source, span, opened));
        }
    }

    /// Whether another report would be shown. Looking for corrections costs more than anything else here.
    fn has_room(&self) -> bool {
        self.problems.len() < limits::DIAGNOSTICS
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Result<(), Fatal> {
        self.last_end = span.end;
        let name = self.source.slice(span);
        if self.unfinished.contains(&anchor) {
            let problem = self
                .problem(Code::ALIAS_CYCLE, span, format!("`{name}` stands inside what it repeats"))
                .help("write the value out");
            self.problems.push(problem);
            return self.put(Item::Broken, 0);
        }
        let Some(node) = self.anchored.get(&anchor) else { return self.put(Item::Broken, 0) };
        let nodes = node.count();
        let too_deep = self.open.len() + node.depth() > limits::YAML_DEPTH;
        self.spend(nodes, span)?;
        self.copy(nodes, span)?;
        if too_deep {
            return Err(self.too_deep(span));
        }
        let copy = self.anchored.get(&anchor).cloned();
        if self.expects_key() {
            let problem = self.problem(Code::KEY_NOT_TEXT, span, "an alias as a key").help("write the key out");
            self.problems.push(problem);
            self.put(Item::Broken, 0)
        } else {
            self.put(copy.map_or(Item::Broken, Item::Node), 0)
        }
    }

    /// Counts what anchors keep and aliases repeat: both are copies of what the file holds once.
    fn copy(&mut self, nodes: usize, span: Span) -> Result<(), Fatal> {
        self.copied += nodes;
        if self.copied <= limits::YAML_COPIED_NODES {
            return Ok(());
        }
        let message = format!("anchors and aliases repeat more than {} keys and values", limits::YAML_COPIED_NODES);
        Err(Box::new(
            self.problem(Code::ALIAS_BUDGET, Span::new(span.start, span.start), message)
                .help("write a loop, or pass the data as a parameter"),
        ))
    }

    fn enter(&mut self, anchor: usize, span: Span, shape: Shape) -> Result<(), Fatal> {
        self.spend(1, span)?;
        if self.open.len() >= limits::YAML_DEPTH {
            return Err(self.too_deep(Span::new(span.start, span.start)));
        }
        if self.expects_key() {
            let problem = self
                .problem(Code::KEY_NOT_TEXT, Span::new(span.start, span.end), "a key must be text")
                .help("a key is one word or quoted text; write `- ` before list elements");
            self.problems.push(problem);
        }
        if anchor > 0 {
            self.unfinished.insert(anchor);
        }
        self.open.push(Open { start: span.start, end: span.end.max(span.start), anchor, shape });
        Ok(())
    }

    fn leave(&mut self, span: Span) -> Result<(), Fatal> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        let closed_by_bracket = self.source.text()[span.start..].starts_with([']', '}']) && span.end > span.start;
        let end = if closed_by_bracket { span.start + 1 } else { open.end };
        self.last_end = self.last_end.max(end);
        let span = Span::new(open.start, end.max(open.start));
        let node = match open.shape {
            Shape::Sequence(items) => Node::Sequence(Sequence { items, span }),
            Shape::Mapping { entries, .. } => Node::Mapping(Mapping { entries, span }),
        };
        self.unfinished.remove(&open.anchor);
        self.put(Item::Node(node), open.anchor)
    }

    /// Puts a finished node where it belongs.
    fn put(&mut self, item: Item, anchor: usize) -> Result<(), Fatal> {
        if let (Item::Node(node), true) = (&item, anchor > 0) {
            self.copy(node.count(), node.span())?;
            self.anchored.insert(anchor, node.clone());
        }
        self.place(item);
        Ok(())
    }

    fn place(&mut self, item: Item) {
        let Some(open) = self.open.last_mut() else {
            if let Item::Node(node) = item {
                self.root = Some(node);
            }
            return;
        };
        open.end = open.end.max(self.last_end);
        match &mut open.shape {
            Shape::Sequence(items) => {
                if let Item::Node(node) = item {
                    items.push(node);
                }
            }
            Shape::Mapping { entries, seen, slot } => match std::mem::replace(slot, Slot::Key) {
                Slot::Key => {
                    let Item::Node(Node::Scalar(key)) = item else {
                        *slot = Slot::Value(None);
                        return;
                    };
                    if let Some(first) = seen.get(&key.text) {
                        let problem = Diagnostic::new(
                            Code::DUPLICATE_KEY,
                            self.source,
                            key.span,
                            format!("`{}` is set twice in the same map", key.text),
                        )
                        .label("set again here")
                        .also(*first, "first set here")
                        .help("delete or rename one of them");
                        self.problems.push(problem);
                        *slot = Slot::Value(None);
                        return;
                    }
                    seen.insert(key.text.clone(), key.span);
                    *slot = Slot::Value(Some(key));
                }
                Slot::Value(Some(key)) => {
                    if let Item::Node(node) = item {
                        entries.push((key, node));
                    }
                }
                Slot::Value(None) => {}
            },
        }
    }

    /// Where the innermost list or map began, if with a bracket.
    fn opened_bracket(&self) -> Option<usize> {
        let start = self.open.last()?.start;
        self.source.text()[start..].starts_with(['[', '{']).then_some(start)
    }

    fn expects_key(&self) -> bool {
        matches!(self.open.last(), Some(Open { shape: Shape::Mapping { slot: Slot::Key, .. }, .. }))
    }

    fn spend(&mut self, nodes: usize, span: Span) -> Result<(), Fatal> {
        self.nodes += nodes;
        if self.nodes <= limits::YAML_NODES {
            return Ok(());
        }
        let message = format!("the file holds more than {} keys and values, which is the limit", limits::YAML_NODES);
        let at = Span::new(span.start, span.start);
        Err(Box::new(
            self.problem(Code::TOO_MANY_NODES, at, message).help("split the runbook, or pass the data as a parameter"),
        ))
    }

    fn too_deep(&self, span: Span) -> Fatal {
        Box::new(too_deep(self.source, span))
    }

    fn problem(&self, code: Code, span: Span, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(code, self.source, span, message)
    }
}

/// The report on nesting beyond the budget.
pub(super) fn too_deep(source: &Source, span: Span) -> Diagnostic {
    let message = format!("maps and lists stand more than {} levels inside each other", limits::YAML_DEPTH);
    Diagnostic::new(Code::TOO_DEEP, source, span, message).help("move inner steps into a runbook of their own")
}

fn separators(source: &Source, at: usize) -> Diagnostic {
    let message = format!("one `[ ]` or `{{ }}` or text with more than {} separators", limits::YAML_SEPARATORS);
    Diagnostic::new(Code::TOO_MANY_NODES, source, Span::new(at, at), message)
        .help("put the data into a file and name it under `files`, or pass it as a parameter")
}
