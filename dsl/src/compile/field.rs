//! Reads values that may hold expressions: text with `${{ }}` in it, values of any type, and bare expressions.

use std::sync::Arc;

use crate::diagnostic::{Code, Diagnostic};
use crate::expr::{Problem, template};
use crate::graph::{ExprId, Field, Piece};
use crate::limits;
use crate::runbook::{Expression, Place};
use crate::scalar;
use crate::source::{Span, Spanned};
use crate::value::Value;
use crate::yaml::{self, Node, Scalar, Style};

use super::reader::{Reader, find_template, is_null};

impl Reader<'_> {
    /// Text. A plain scalar is its source text, so `NO` and `017` stay as they are.
    pub fn text(&mut self, node: &Node, what: &str, place: Place) -> Option<Field> {
        match node {
            Node::Scalar(scalar) if is_null(scalar) => {
                self.null_here(scalar.span, what);
                None
            }
            Node::Scalar(scalar) => self.template(scalar, place),
            Node::Sequence(_) | Node::Mapping(_) => {
                self.wrong_type(node, what, "text");
                None
            }
        }
    }

    /// A map from names to texts, in file order.
    pub fn texts(&mut self, node: &Node, what: &str, place: Place) -> Vec<(Spanned<String>, Field)> {
        let Some(mapping) = self.names(node, what) else { return Vec::new() };
        let mut texts = Vec::new();
        for (key, value) in &mapping.entries {
            self.fixed_key(key);
            if let Some(field) = self.text(value, &format!("`{}` in {what}", key.text), place) {
                texts.push((Spanned::new(key.text.clone(), key.span), field));
            }
        }
        texts
    }

    /// A value of any type: plain scalars are typed by YAML's core rules in their strict form, all else is text.
    pub fn any(&mut self, node: &Node, what: &str, place: Place) -> Option<Field> {
        match node {
            Node::Scalar(scalar) if scalar.style == Style::Plain && !scalar.text.contains("${{") => {
                if is_null(scalar) && !takes_null(place) {
                    self.null_here(scalar.span, what);
                    return None;
                }
                self.plain(scalar, what).map(Field::Const)
            }
            Node::Scalar(scalar) => self.template(scalar, place),
            Node::Sequence(sequence) => {
                let fields: Vec<Field> = sequence.items.iter().filter_map(|item| self.any(item, what, place)).collect();
                Some(list(fields))
            }
            Node::Mapping(mapping) => {
                let fields: Vec<(String, Field)> = mapping
                    .entries
                    .iter()
                    .filter_map(|(key, value)| {
                        self.fixed_key(key);
                        self.any(value, &format!("`{}`", key.text), place).map(|field| (key.text.clone(), field))
                    })
                    .collect();
                Some(map(fields))
            }
        }
    }

    /// Text where a scalar stands, and a value of any type where a list or a map does.
    pub fn text_or_any(&mut self, node: &Node, what: &str, place: Place) -> Option<Field> {
        match node {
            Node::Scalar(scalar) if is_null(scalar) && takes_null(place) => Some(Field::Const(Value::Null)),
            Node::Scalar(_) => self.text(node, what, place),
            Node::Sequence(_) | Node::Mapping(_) => self.any(node, what, place),
        }
    }

    /// A plain scalar's value where any type may stand. What other readers of YAML take for a number or a boolean and
    /// this language does not is refused: nobody could be sure what is meant.
    pub fn plain(&mut self, scalar: &Scalar, what: &str) -> Option<Value> {
        let text = scalar.text.as_str();
        match text {
            "true" => return Some(Value::Bool(true)),
            "false" => return Some(Value::Bool(false)),
            _ if is_null(scalar) => return Some(Value::Null),
            _ => {}
        }
        if let Ok(number) = scalar::int(text) {
            return Some(Value::Int(number));
        }
        if let Ok(number) = scalar::float(text) {
            return Some(Value::Float(number));
        }
        if !is_ambiguous(text) {
            return Some(Value::String(text.to_owned()));
        }
        let shown = super::keys::shorten(text);
        let diagnostic = self
            .at(Code::NUMBER_OR_TEXT, scalar.span, format!("{what}: `{shown}` is neither a number nor clearly text"))
            .help(format!("for the text write `'{shown}'`"))
            .help("numbers are decimal, without leading zeros; booleans are `true` and `false`");
        self.report(diagnostic);
        None
    }

    /// Rule: keys never interpolate.
    fn fixed_key(&mut self, key: &Scalar) {
        if let Some(at) = find_template(&key.text) {
            let diagnostic = self
                .at(Code::TEMPLATE_IN_CONSTANT, key.locate(at, at + 3), "a key is fixed text and cannot hold `${{ }}`")
                .help("make the whole map in one expression: `${{ #{ … } }}`");
            self.report(diagnostic);
        }
    }

    /// A scalar's text with the expressions in it.
    pub fn template(&mut self, scalar: &Scalar, place: Place) -> Option<Field> {
        let parts = match template::split(&scalar.text) {
            Ok(parts) => parts,
            Err(error) => {
                self.report_template(scalar, &error);
                return None;
            }
        };
        if parts.iter().all(|part| matches!(part, template::Part::Text(_))) {
            let texts = parts.into_iter().map(|part| match part {
                template::Part::Text(text) => text,
                template::Part::Expr { .. } => String::new(),
            });
            return Some(Field::Const(Value::String(texts.collect())));
        }
        if self.has_empty_expression(scalar, &parts) {
            return None;
        }
        let shared = Arc::new(scalar.clone());
        let mut pieces = Vec::new();
        for part in parts {
            pieces.push(match part {
                template::Part::Text(text) => Piece::Text(text),
                template::Part::Expr { start, end } => Piece::Expr(self.expr(&shared, start, end, place, false)),
            });
        }
        let is_blank = |piece: &Piece| matches!(piece, Piece::Text(text) if text.trim().is_empty());
        let mut solid = pieces.iter().filter(|piece| !is_blank(piece));
        if let (Some(Piece::Expr(only)), None) = (solid.next(), solid.next()) {
            return Some(Field::Expr(*only));
        }
        Some(Field::Text(pieces))
    }

    /// Reports `${{ }}` with nothing in it.
    fn has_empty_expression(&mut self, scalar: &Scalar, parts: &[template::Part]) -> bool {
        let mut is_empty = false;
        for part in parts {
            let template::Part::Expr { start, end } = part else { continue };
            if scalar.text[*start..*end].trim().is_empty() {
                let span = scalar.locate(start.saturating_sub(3), end + 2);
                let diagnostic = self
                    .at(Code::TEMPLATE_EMPTY, span, "there is no expression between `${{` and `}}`")
                    .help("for the characters themselves write `$${{`");
                self.report(diagnostic);
                is_empty = true;
            }
        }
        is_empty
    }

    /// A bare expression.
    pub fn expression(&mut self, node: &Node, what: &str, place: Place) -> Option<ExprId> {
        let Node::Scalar(scalar) = node else {
            let wanted = if place.is_condition() { "a condition" } else { "an expression" };
            let diagnostic = self
                .at(Code::EXPRESSION_NOT_TEXT, node.span(), format!("{what} is {wanted} and must be written as text"))
                .help("put quotes around the whole of it");
            self.report(diagnostic);
            return None;
        };
        if self.has_template(scalar, what) {
            return None;
        }
        if place.is_condition() && self.is_constant_of_other_type(scalar, what) {
            return None;
        }
        Some(self.whole_expr(scalar, place, false))
    }

    /// A map from names to bare expressions: `outputs`.
    pub fn expressions(&mut self, node: &Node, what: &str, place: Place) -> Vec<(Spanned<String>, ExprId)> {
        let Some(mapping) = self.names(node, what) else { return Vec::new() };
        let mut expressions = Vec::new();
        for (key, value) in &mapping.entries {
            if let Some(expr) = self.expression(value, &format!("`{}` in {what}", key.text), place) {
                expressions.push((Spanned::new(key.text.clone(), key.span), expr));
            }
        }
        expressions
    }

    /// The whole of a scalar as one expression or script.
    pub fn whole_expr(&mut self, scalar: &Scalar, place: Place, statements: bool) -> ExprId {
        let text = &scalar.text;
        let start = text.len() - text.trim_start().len();
        let end = start + text.trim().len();
        self.expr(&Arc::new(scalar.clone()), start, end, place, statements)
    }

    /// Reports `${{ }}` in a place that is an expression already, and shows the bare form.
    pub fn has_template(&mut self, scalar: &Scalar, what: &str) -> bool {
        let Some(at) = find_template(&scalar.text) else { return false };
        let mut diagnostic = self.at(
            Code::TEMPLATE_IN_EXPRESSION,
            scalar.locate(at, at + 3),
            format!("{what} is an expression already, so `${{{{ }}}}` has no place in it"),
        );
        if let Some(bare) = bare_form(&scalar.text) {
            diagnostic = diagnostic.help(format!("write it bare: `{bare}`"));
        }
        self.report(diagnostic);
        true
    }

    fn is_constant_of_other_type(&mut self, scalar: &Scalar, what: &str) -> bool {
        let other = match scalar.style {
            Style::Plain if is_null(scalar) => Some("nothing"),
            Style::Plain if scalar::float(&scalar.text).is_ok() => Some("a number"),
            Style::Plain if matches!(scalar.text.as_str(), "yes" | "no" | "on" | "off" | "True" | "False") => {
                Some("a word")
            }
            Style::Plain | Style::SingleQuoted | Style::DoubleQuoted | Style::Literal | Style::Folded => None,
        };
        let Some(other) = other else { return false };
        let diagnostic = self
            .at(Code::CONDITION_NOT_BOOL, scalar.span, format!("{what} must be true or false"))
            .label(format!("this is {other}"))
            .help("write `true`, `false`, or a comparison such as `params.count > 0`");
        self.report(diagnostic);
        true
    }

    fn report_template(&mut self, scalar: &Scalar, error: &template::Unclosed) {
        let span = scalar.locate(error.at, error.at + 3);
        let diagnostic = self
            .at(Code::TEMPLATE_UNCLOSED, span, "this `${{` is not closed")
            .help("it ends with `}}`, behind every bracket, quote and comment that it opens");
        self.report_cut(scalar, diagnostic);
    }

    fn report_problem(&mut self, scalar: &Scalar, start: usize, problem: &Problem) {
        let span = scalar.locate(start + problem.span.start, start + problem.span.end);
        let mut diagnostic = self.at(problem.code, span, problem.message.clone());
        if let Some(help) = &problem.help {
            diagnostic = diagnostic.help(help.clone());
        }
        self.report_cut(scalar, diagnostic);
    }

    /// Reports what is wrong with an expression that YAML may have cut short, and shows the line as it should be.
    fn report_cut(&mut self, scalar: &Scalar, diagnostic: Diagnostic) {
        let is_cut = matches!(diagnostic.code, Code::EXPRESSION_SYNTAX | Code::TEMPLATE_UNCLOSED);
        let corrected = if is_cut { yaml::looks_cut(self.source(), scalar) } else { None };
        self.report(match corrected {
            Some(line) => diagnostic.help(line.help()),
            None => diagnostic,
        });
    }

    fn null_here(&mut self, span: Span, what: &str) {
        let diagnostic = self
            .at(Code::NULL_HERE, span, format!("{what} cannot be `null`"))
            .help("leave the key out; for the word itself put it in quotes: `'null'`");
        self.report(diagnostic);
    }

    /// Reads one expression and keeps it, also when it is wrong, so that nothing else is said about its place.
    fn expr(&mut self, scalar: &Arc<Scalar>, start: usize, end: usize, place: Place, statements: bool) -> ExprId {
        let source = scalar.text[start..end].to_owned();
        if self.book.exprs.len() == limits::EXPRESSIONS {
            let message = format!("a runbook has at most {} expressions, and this is one more", limits::EXPRESSIONS);
            let diagnostic = self
                .at(Code::TOO_MANY_EXPRESSIONS, scalar.locate(start, end), message)
                .help("split the runbook, or compute in a `script`");
            self.report(diagnostic);
        }
        let is_read = self.book.exprs.len() < limits::EXPRESSIONS && !self.is_full_of_errors();
        let analysis = match is_read.then(|| self.sandbox.analyse(&source, statements)) {
            None => None,
            Some(Ok(analysis)) => {
                for problem in &analysis.problems {
                    self.report_problem(scalar, start, problem);
                }
                Some(analysis)
            }
            Some(Err(problem)) => {
                self.report_problem(scalar, start, &problem);
                None
            }
        };
        let id = ExprId(u32::try_from(self.book.exprs.len()).expect("the budget of nodes is far below 2^32"));
        let owner = self.owner;
        self.book.exprs.push(Expression {
            scalar: Arc::clone(scalar),
            start,
            source,
            owner,
            place,
            statements,
            analysis,
        });
        id
    }
}

/// A list of fields; a constant one where all are.
pub fn list(fields: Vec<Field>) -> Field {
    if !fields.iter().all(|field| matches!(field, Field::Const(_))) {
        return Field::List(fields);
    }
    Field::Const(Value::List(fields.into_iter().filter_map(constant).collect()))
}

/// A map of fields; a constant one where all are.
pub fn map(fields: Vec<(String, Field)>) -> Field {
    if !fields.iter().all(|(_, field)| matches!(field, Field::Const(_))) {
        return Field::Map(fields);
    }
    let values = fields.into_iter().filter_map(|(key, field)| constant(field).map(|value| (key, value)));
    Field::Const(Value::Map(values.collect()))
}

fn constant(field: Field) -> Option<Value> {
    match field {
        Field::Const(value) => Some(value),
        Field::Expr(_) | Field::Text(_) | Field::List(_) | Field::Map(_) => None,
    }
}

const fn takes_null(place: Place) -> bool {
    matches!(place, Place::Body | Place::FailData | Place::ParamDefault)
}

/// Whether YAML in one of its versions takes a plain text for a number or a boolean that is none here.
fn is_ambiguous(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
    let radix = |prefix: &str, digits: &str| {
        unsigned.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty() && rest.chars().all(|c| digits.contains(c)))
    };
    matches!(text, "True" | "TRUE" | "False" | "FALSE")
        || matches!(unsigned.to_ascii_lowercase().as_str(), ".inf" | ".nan")
        || radix("0x", "0123456789abcdefABCDEF")
        || radix("0o", "01234567")
        || radix("0b", "01")
        || is_number(unsigned.trim_end_matches('_')) && unsigned.starts_with(|c: char| c.is_ascii_digit())
        || unsigned.split_once('.').is_some_and(|(whole, fraction)| {
            (whole.is_empty() || is_number(whole)) && (fraction.is_empty() || is_number(fraction)) && unsigned != "."
        })
}

/// The text without `${{` and `}}`, where it is short enough to show.
fn bare_form(text: &str) -> Option<String> {
    const CHARS: usize = 120;
    let parts = template::split(text).ok()?;
    let mut bare = String::new();
    for part in parts {
        match part {
            template::Part::Text(part) => bare.push_str(&part),
            template::Part::Expr { start, end } => bare.push_str(text[start..end].trim()),
        }
    }
    let bare = bare.trim();
    (bare.chars().count() <= CHARS && !bare.contains('\n')).then(|| bare.to_owned())
}
