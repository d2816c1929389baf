//! Values that YAML cuts or misreads, and the line that says what was meant.
//!
//! Expressions and crons are full of characters that mean something to YAML: `!done`, `"a" == b`, `x == "a: b"`,
//! `* * * * *`, and inside `{ }` and `[ ]` also `${{ x }}`. A correction is only ever offered after the corrected line
//! was read and gives back the value as it was written.

use saphyr_parser::{Event, ScalarStyle};

use super::budget::Events;
use super::position::is_header;
use super::{Scalar, Style};
use crate::limits;
use crate::source::{Source, Span};

/// A line of the file with its value in quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CorrectedLine {
    /// Its number, from 1.
    pub line: u32,
    /// The value that needs the quotes, as it stands in the file.
    pub value: Span,
    /// What YAML makes of it.
    pub reason: &'static str,
    /// What should stand there, indentation included.
    pub text: String,
}

impl CorrectedLine {
    /// The help that shows it.
    pub fn help(&self) -> String {
        format!("write the value in quotes:\n{}", self.text.trim())
    }
}

/// The corrected line for a value that YAML read without complaint, but perhaps not to its end: a comment follows
/// it, or it stands in `{ }` or `[ ]` and stops in the middle of brackets or quotes.
///
/// To be asked when the text does not compile: a comment behind an expression is usually meant to be one.
pub fn looks_cut(source: &Source, scalar: &Scalar) -> Option<CorrectedLine> {
    if scalar.style != Style::Plain {
        return None;
    }
    let line = line_at(source, scalar.span.start)?;
    let behind = line.text.get(scalar.span.end.checked_sub(line.start)?..)?;
    if behind.starts_with([' ', '\t']) && behind.trim_start().starts_with('#') {
        return correct(&line, Comment::IsText);
    }
    if is_balanced(&scalar.text) { None } else { flow_at(&line) }
}

/// The corrected line for a value at which the parser stumbled, if quotes around it would help.
pub(super) fn misread(source: &Source, at: usize) -> Option<CorrectedLine> {
    let line = line_at(source, at)?;
    if reads_alone(line.text) {
        return None;
    }
    correct(&line, Comment::IsComment).or_else(|| flow_at(&line))
}

/// The corrected line for a value in `{ }` or `[ ]`.
pub(super) fn flow(source: &Source, at: usize) -> Option<CorrectedLine> {
    flow_at(&line_at(source, at)?)
}

/// The corrected line for a value on a line of its own inside a `{ }` or `[ ]` of several lines.
pub(super) fn inside_brackets(source: &Source, at: usize) -> Option<CorrectedLine> {
    let line = line_at(source, at)?;
    let bare = line.text.trim_end();
    let (bare, tail) = bare.strip_suffix(',').map_or((bare, ""), |bare| (bare, ","));
    let indent = bare.len() - bare.trim_start_matches(' ').len();
    let (open, close) = if value_start(bare).is_some() { ("{ ", " }") } else { ("[ ", " ]") };
    let alone = format!("{open}{}{close}", &bare[indent..]);
    let corrected = flow_at(&Line { number: line.number, start: 0, text: &format!("- {alone}") })?;
    let inner = corrected.text.strip_prefix("- ")?.strip_prefix(open)?.strip_suffix(close)?;
    // The value stood behind a dash, a bracket and two blanks, and stands behind the indentation.
    let shift = line.start + indent;
    let value = Span::new(corrected.value.start + shift - 4, corrected.value.end + shift - 4);
    Some(CorrectedLine { value, text: format!("{}{inner}{tail}", &bare[..indent]), ..corrected })
}

/// The line with a tag, an anchor or an alias, quoted.
pub(super) fn indicated(source: &Source, at: usize) -> Option<CorrectedLine> {
    correct(&line_at(source, at)?, Comment::IsComment)
}

/// What stands behind ` #`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Comment {
    /// A comment, if what is before it is whole.
    IsComment,
    /// Part of the value.
    IsText,
}

struct Line<'a> {
    number: u32,
    start: usize,
    text: &'a str,
}

fn line_at(source: &Source, at: usize) -> Option<Line<'_>> {
    let text = source.text();
    let at = at.min(text.len());
    let start = text.get(..at)?.rfind('\n').map_or(0, |found| found + 1);
    let line = text[start..].lines().next().unwrap_or("");
    let short = line.chars().take(limits::CORRECTED_LINE_CHARS + 1).count() <= limits::CORRECTED_LINE_CHARS;
    short.then(|| Line { number: source.location(start).line, start, text: line })
}

/// Where the value of a line begins: behind indentation, dashes and a key. `None` when the line is not of that form.
pub(super) fn value_start(line: &str) -> Option<usize> {
    let mut at = line.len() - line.trim_start_matches(' ').len();
    let indent = at;
    while line[at..].starts_with("- ") {
        at += 1;
        at += line[at..].len() - line[at..].trim_start_matches(' ').len();
    }
    let rest = &line[at..];
    let key = match rest.chars().next() {
        Some(quote @ ('"' | '\'')) => rest[1..].find(quote).map_or(0, |end| end + 2),
        _ => rest.find(|c: char| !(c.is_ascii_alphanumeric() || "_-./".contains(c))).unwrap_or(rest.len()),
    };
    let behind = &rest[key..];
    if key > 0 && behind.starts_with(": ") {
        let value = behind[1..].trim_start_matches(' ');
        return Some(line.len() - value.len());
    }
    (at > indent).then_some(at)
}

fn correct(line: &Line<'_>, comment: Comment) -> Option<CorrectedLine> {
    let start = value_start(line.text)?;
    let (head, rest) = line.text.split_at(start);
    let end = match comment {
        Comment::IsText => rest.len(),
        Comment::IsComment => comment_start(rest).filter(|end| is_balanced(&rest[..*end])).unwrap_or(rest.len()),
    };
    let value = rest[..end].trim_end();
    let reason = needs_quotes(value, comment)?;
    let meant = quoted_prose(value).unwrap_or(value);
    if value.ends_with(',') || (meant == value && !is_balanced(value)) {
        return None;
    }
    let tail = &rest[value.len()..];
    let text = format!("{head}{}{}", quote(meant), tail.trim_end());
    let span = Span::new(line.start + start, line.start + start + value.len());
    holds(&text, meant).then_some(CorrectedLine { line: line.number, value: span, reason, text })
}

/// Why a value has to stand in quotes, if it has to.
fn needs_quotes(value: &str, comment: Comment) -> Option<&'static str> {
    match value.chars().next()? {
        '"' | '\'' => closing(value)
            .filter(|end| !value[*end..].trim().is_empty())
            .map(|_| "for YAML the value ends with its first closing quote"),
        '[' | '{' => closing(value)
            .filter(|end| !value[*end..].trim().is_empty())
            .map(|_| "for YAML the value ends with its first closing bracket"),
        '|' => (!is_header(value) && value[1..].contains('|')).then_some("for YAML `|` begins a block of text"),
        '>' => (!is_header(value)).then_some("for YAML `>` begins a block of text"),
        '&' => Some("for YAML `&` names an anchor"),
        '*' => Some("for YAML `*` repeats an anchor"),
        '!' => Some("for YAML `!` begins a tag"),
        '%' => Some("for YAML `%` begins a directive"),
        '@' | '`' => Some("YAML reserves this character"),
        '-' | '?' if value.len() == 1 => Some("for YAML a lone `-` or `?` begins an element or a key"),
        _ if value.contains(": ") || value.ends_with(':') => Some("for YAML `: ` ends a key"),
        _ if comment == Comment::IsText && value.contains(" #") => Some("for YAML ` #` begins a comment"),
        _ => None,
    }
}

/// The text of something like `'it's'`, whose author meant the outer quotes to be quotes.
fn quoted_prose(value: &str) -> Option<&str> {
    let quote = value.chars().next().filter(|first| matches!(first, '"' | '\''))?;
    let behind = &value[closing(value)?..];
    let inner = value.strip_prefix(quote)?.strip_suffix(quote)?;
    behind.starts_with(char::is_alphanumeric).then_some(inner)
}

/// Where the bracket or quote that begins the text is closed, one behind it.
fn closing(text: &str) -> Option<usize> {
    let first = text.chars().next()?;
    if first == '"' || first == '\'' {
        return quoted_end(text, 0);
    }
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(next) = text[at..].chars().next() {
        match next {
            '[' | '{' | '(' => depth += 1,
            ']' | '}' | ')' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            '"' | '\'' | '`' => {
                if let Some(end) = opening_quote(text, at) {
                    at = end;
                    continue;
                }
            }
            _ => {}
        }
        at += next.len_utf8();
    }
    None
}

/// Whether brackets and quotes are closed in the text.
fn is_balanced(text: &str) -> bool {
    let mut open = Vec::new();
    let mut at = 0;
    while let Some(next) = text[at..].chars().next() {
        match next {
            '[' => open.push(']'),
            '{' => open.push('}'),
            '(' => open.push(')'),
            ']' | '}' | ')' if open.pop() != Some(next) => return false,
            '"' | '\'' | '`' => match opening_quote(text, at) {
                Some(end) => {
                    at = end;
                    continue;
                }
                None if follows_word(text, at) => {}
                None => return false,
            },
            _ => {}
        }
        at += next.len_utf8();
    }
    open.is_empty()
}

/// The end of quoted text that begins here; not an apostrophe.
fn opening_quote(text: &str, at: usize) -> Option<usize> {
    if follows_word(text, at) { None } else { quoted_end(text, at) }
}

fn follows_word(text: &str, at: usize) -> bool {
    text[..at].chars().next_back().is_some_and(char::is_alphanumeric)
}

fn quoted_end(text: &str, at: usize) -> Option<usize> {
    let quote = text[at..].chars().next()?;
    let mut escaped = false;
    for (index, next) in text[at..].char_indices().skip(1) {
        match next {
            _ if escaped => escaped = false,
            '\\' if quote == '"' => escaped = true,
            _ if next == quote => return Some(at + index + quote.len_utf8()),
            _ => {}
        }
    }
    None
}

/// Where a comment begins, blanks before it included.
fn comment_start(text: &str) -> Option<usize> {
    let at = text.find(" #")?;
    Some(text[..at].trim_end().len())
}

fn quote(value: &str) -> String {
    if value.contains('\'') && !value.contains(['"', '\\']) {
        format!("\"{value}\"")
    } else {
        format!("'{}'", value.replace('\'', "''"))
    }
}

/// Whether the text reads as YAML in which no tag, anchor or alias stands.
fn reads_alone(text: &str) -> bool {
    let mut events = Events::new(text);
    loop {
        match events.next() {
            Ok(Some((Event::Alias(_) | Event::Scalar(_, _, _, Some(_)), _))) | Err(_) => return false,
            Ok(Some((Event::Scalar(_, _, anchor, None), _))) if anchor > 0 => return false,
            Ok(Some(_)) => {}
            Ok(None) => return true,
        }
    }
}

/// Whether the line reads, and holds the value as quoted text.
fn holds(line: &str, value: &str) -> bool {
    let mut events = Events::new(line);
    let mut found = false;
    loop {
        match events.next() {
            Ok(Some((Event::Scalar(text, ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted, _, None), _))) => {
                found |= text == value;
            }
            Ok(Some((Event::Alias(_) | Event::Scalar(_, _, _, Some(_)), _))) | Err(_) => return false,
            Ok(Some(_)) => {}
            Ok(None) => return found,
        }
    }
}

/// Quotes what stands unquoted in the `{ }` or `[ ]` of a line and holds characters that end it there.
fn flow_at(line: &Line<'_>) -> Option<CorrectedLine> {
    let start = value_start(line.text)?;
    let (head, value) = line.text.split_at(start);
    let mut flow = Flow { text: value, at: 0, out: String::new(), quoted: Vec::new(), first_quoted: None };
    flow.collection(0)?;
    let tail = &value[flow.at..];
    if !(tail.trim().is_empty() || tail.trim_start().starts_with('#')) || flow.quoted.is_empty() {
        return None;
    }
    let text = format!("{head}{}{}", flow.out, tail.trim_end());
    let first = flow.first_quoted?;
    let reason = needs_quotes(&value[first.start..first.end], Comment::IsComment)
        .unwrap_or("for YAML a bracket or `,` ends a value inside `{ }` or `[ ]`");
    let span = Span::new(line.start + start + first.start, line.start + start + first.end);
    flow.quoted.iter().all(|value| holds(&text, value)).then_some(CorrectedLine {
        line: line.number,
        value: span,
        reason,
        text,
    })
}

/// Collections on one line are not deeper than this, or nobody can read them.
const FLOW_DEPTH: usize = 16;

/// Reads a `{ }` or `[ ]` as its author meant it: brackets, quotes and `${{ }}` inside a value belong to it.
struct Flow<'a> {
    text: &'a str,
    at: usize,
    out: String,
    quoted: Vec<&'a str>,
    first_quoted: Option<Span>,
}

impl Flow<'_> {
    fn collection(&mut self, depth: usize) -> Option<()> {
        let close = match self.peek()? {
            '[' => ']',
            '{' => '}',
            _ => return None,
        };
        if depth > FLOW_DEPTH {
            return None;
        }
        self.copy(1);
        loop {
            self.blanks();
            if self.peek()? == close {
                self.copy(1);
                return Some(());
            }
            if close == '}' {
                self.key()?;
            }
            self.value(depth)?;
            self.blanks();
            match self.peek()? {
                ',' => self.copy(1),
                next if next == close => {}
                _ => return None,
            }
        }
    }

    fn key(&mut self) -> Option<()> {
        let rest = &self.text[self.at..];
        let end = match self.peek()? {
            '"' | '\'' => quoted_end(rest, 0)?,
            _ => rest.find([':', ',', '{', '}', '[', ']'])?,
        };
        self.copy(end);
        self.blanks();
        if self.peek()? != ':' {
            return None;
        }
        self.copy(1);
        self.blanks();
        Some(())
    }

    fn value(&mut self, depth: usize) -> Option<()> {
        match self.peek()? {
            '[' | '{' => {
                let before = (self.at, self.out.len(), self.quoted.len(), self.first_quoted);
                if self.collection(depth + 1).is_some() && self.is_ended() {
                    return Some(());
                }
                self.at = before.0;
                self.out.truncate(before.1);
                self.quoted.truncate(before.2);
                self.first_quoted = before.3;
            }
            '"' | '\'' => {
                if let Some(end) = quoted_end(self.text, self.at) {
                    let rest = self.text[end..].trim_start();
                    if rest.starts_with([',', ']', '}']) {
                        self.copy(end - self.at);
                        return Some(());
                    }
                    // Two texts side by side miss a comma, not quotes.
                    if rest.starts_with(['"', '\'']) {
                        return None;
                    }
                }
            }
            _ => {}
        }
        let text = self.text;
        let end = self.at + expression_end(&text[self.at..])?;
        let value = text[self.at..end].trim_end();
        let trap = value.contains(['[', ']', '{', '}', ',']) || value.contains(": ") || value.contains(" #");
        if trap || matches!(value, "-" | "?") || value.starts_with(['"', '\'', '&', '*', '!', '%', '@', '`', '|', '>'])
        {
            self.out.push_str(&quote(value));
            self.quoted.push(value);
            self.first_quoted.get_or_insert(Span::new(self.at, self.at + value.len()));
            self.at += value.len();
        } else {
            self.copy(value.len());
        }
        Some(())
    }

    fn is_ended(&self) -> bool {
        self.text[self.at..].trim_start().starts_with([',', ']', '}'])
    }

    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn copy(&mut self, bytes: usize) {
        self.out.push_str(&self.text[self.at..self.at + bytes]);
        self.at += bytes;
    }

    fn blanks(&mut self) {
        let rest = &self.text[self.at..];
        self.copy(rest.len() - rest.trim_start_matches(' ').len());
    }
}

/// Where a value in a collection ends for its author: at a `,` or a closing bracket outside of its own brackets and
/// quotes.
fn expression_end(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(next) = text[at..].chars().next() {
        match next {
            '(' | '[' | '{' => depth += 1,
            ',' | ']' | '}' if depth == 0 => return Some(at),
            ')' | ']' | '}' => depth = depth.checked_sub(1)?,
            '"' | '\'' | '`' => {
                if let Some(end) = opening_quote(text, at) {
                    at = end;
                    continue;
                }
            }
            _ => {}
        }
        at += next.len_utf8();
    }
    None
}
