//! Rhai's parser: text to Rhai's syntax tree, and its errors in our words.
//!
//! Rhai's parser and tree are all of Rhai that is used. Its evaluator is not: it cannot tell a missing key that `??`
//! follows from any other, compares unlike types without a word, turns `()` into text, does not count what its own
//! functions do, and lets lists grow nested deeper than its stack can follow.

use rhai::{AST, Engine, OptimizationLevel, ParseErrorType, Position};

use super::problem::Problem;
use crate::diagnostic::Code;
use crate::limits::{EXPRESSION_BYTES, EXPRESSION_FUNCTIONS, EXPRESSION_NESTING};
use crate::source::Span;

/// A parser within our limits.
pub(super) fn parser() -> Engine {
    let mut engine = Engine::new_raw();
    engine
        .set_optimization_level(OptimizationLevel::None)
        .set_max_expr_depths(EXPRESSION_NESTING, EXPRESSION_NESTING)
        .set_max_functions(EXPRESSION_FUNCTIONS)
        .set_max_modules(0);
    engine
}

/// Rhai's tree of a text.
pub(super) fn parse(engine: &Engine, text: &str) -> Result<AST, Problem> {
    if text.len() > EXPRESSION_BYTES {
        return Err(Problem::new(
            Code::EXPRESSION_TOO_LARGE,
            Span::new(0, 1),
            format!("the text is longer than {} KiB", EXPRESSION_BYTES / 1024),
        ));
    }
    engine.compile(text).map_err(|error| {
        let positions = Positions::new(text);
        let start = match error.position() {
            position if position.is_none() => text.trim_end().len(),
            position => positions.offset(position),
        };
        describe(error.err_type(), Span::new(start, token_end(text, start)))
    })
}

/// Rhai's parse error in our words.
fn describe(error: &ParseErrorType, span: Span) -> Problem {
    let problem = |message: String| Problem::new(Code::EXPRESSION_SYNTAX, span, message);
    match error {
        ParseErrorType::UnexpectedEOF => problem("the expression ends too early".to_owned()),
        ParseErrorType::ExprTooDeep => Problem::new(
            Code::EXPRESSION_TOO_LARGE,
            span,
            format!("expressions and blocks are nested more than {EXPRESSION_NESTING} deep"),
        ),
        ParseErrorType::TooManyFunctions => Problem::new(
            Code::EXPRESSION_TOO_LARGE,
            span,
            format!("the text has more than {EXPRESSION_FUNCTIONS} functions"),
        ),
        ParseErrorType::Reserved(word) => problem(format!("`{word}` is a reserved word")),
        ParseErrorType::MissingToken(token, why) => problem(format!("expected `{token}` {why}")),
        ParseErrorType::DuplicatedProperty(name) => problem(format!("the map has the key `{name}` twice")),
        ParseErrorType::AssignmentToConstant(name) => {
            Problem::new(Code::READ_ONLY, span, format!("`{name}` is a constant"))
        }
        other => {
            let problem = problem(lower_case(&other.to_string()));
            match other.to_string().as_str() {
                "Unexpected '='" | "Unknown operator: '='" => problem.help("compare with `==`"),
                _ => problem,
            }
        }
    }
}

/// Rhai's message with our manners: lower case, names in backticks.
fn lower_case(message: &str) -> String {
    let mut chars = message.chars();
    let first = chars.next().map(|first| first.to_lowercase().to_string()).unwrap_or_default();
    (first + chars.as_str()).replace('\'', "`")
}

/// Byte offsets of Rhai's positions, which are a line and a column in characters.
pub(super) struct Positions<'t> {
    text: &'t str,
    lines: Vec<Line>,
}

/// Where a line begins, and where its characters begin unless each of them is one byte.
struct Line {
    start: usize,
    characters: Option<Vec<usize>>,
}

impl<'t> Positions<'t> {
    /// Finds the lines of a text.
    pub fn new(text: &'t str) -> Self {
        let mut start = 0;
        let lines = text.split_inclusive('\n').map(|line| {
            let characters = (!line.is_ascii()).then(|| line.char_indices().map(|(at, _)| start + at).collect());
            let found = Line { start, characters };
            start += line.len();
            found
        });
        Self { text, lines: lines.collect() }
    }

    /// The text itself.
    pub fn text(&self) -> &'t str {
        self.text
    }

    /// The byte offset of a position; the start of the text for one that is nowhere.
    pub fn offset(&self, position: Position) -> usize {
        let line = position.line().unwrap_or(1).saturating_sub(1);
        let column = position.position().unwrap_or(1).saturating_sub(1);
        let offset = self.lines.get(line).and_then(|line| match &line.characters {
            Some(characters) => characters.get(column).copied(),
            None => Some(line.start + column),
        });
        offset.unwrap_or(self.text.len()).min(self.text.len())
    }

    /// The text from a position on.
    pub fn rest(&self, position: Position) -> &'t str {
        self.text.get(self.offset(position)..).unwrap_or("")
    }

    /// The span of the token that stands at a position.
    pub fn token(&self, position: Position) -> Span {
        let start = self.offset(position);
        Span::new(start, token_end(self.text, start))
    }
}

/// Where the token ends that starts at an offset: a word, a number, a string, or else one character.
pub(super) fn token_end(text: &str, start: usize) -> usize {
    const SYMBOLS: &str = "=!<>?&|.*";
    let Some(rest) = text.get(start..) else { return start };
    let Some(first) = rest.chars().next() else { return start };
    if first.is_alphanumeric() || first == '_' {
        let length = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        return start + length;
    }
    if first == '"' {
        let mut escaped = false;
        for (at, c) in rest.char_indices().skip(1) {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => return start + at + 1,
                '\n' => break,
                _ => {}
            }
        }
    }
    if SYMBOLS.contains(first) {
        let length = rest.find(|c| !SYMBOLS.contains(c)).unwrap_or(rest.len());
        return start + length.min(3);
    }
    start + first.len_utf8()
}
