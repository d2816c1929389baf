//! Where decoded text stands in the file.
//!
//! The parser counts characters and gives spans that are wider than the scalar (trailing blanks) or miss part of it
//! (the header of a block). Here they become exact bytes, by reading each scalar again in the way it was written.

use super::Style;
use crate::source::Span;

/// Byte offsets of character offsets.
pub(super) struct Positions<'a> {
    text: &'a str,
    /// The byte offset of every [`STRIDE`]th character; empty when all are ASCII.
    marks: Vec<usize>,
}

/// Characters between two entries of [`Positions::marks`].
const STRIDE: usize = 64;

impl<'a> Positions<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let marks = if text.is_ascii() {
            Vec::new()
        } else {
            text.char_indices().step_by(STRIDE).map(|(byte, _)| byte).collect()
        };
        Self { text, marks }
    }

    /// The byte offset of a character; the end of the text when there are fewer.
    pub(super) fn byte(&self, character: usize) -> usize {
        if self.marks.is_empty() {
            return character.min(self.text.len());
        }
        let Some(mark) = self.marks.get(character / STRIDE) else { return self.text.len() };
        let rest = self.text[*mark..].char_indices().nth(character % STRIDE);
        rest.map_or(self.text.len(), |(byte, _)| mark + byte)
    }
}

/// A scalar as it stands in the file.
pub(super) struct Placed {
    /// Quotes and block header included, blanks and comments around it not.
    pub(super) span: Span,
    /// As in [`super::Scalar::positions`].
    pub(super) positions: Vec<(usize, usize)>,
}

/// Finds a scalar in the file.
///
/// `at` is where the parser says it starts, `end` where it says it ends; `after` is the end of the scalar before it.
pub(super) fn place(file: &str, style: Style, decoded: &str, at: usize, end: usize, after: usize) -> Placed {
    let start = skip_properties(file, at);
    match style {
        Style::Plain => plain(file, start, end),
        Style::SingleQuoted | Style::DoubleQuoted => quoted(file, start),
        Style::Literal | Style::Folded => {
            let header = block_header(file, start, after);
            block(file, style, decoded, header)
        }
    }
}

/// The first character behind anchors and tags, blanks and comments between them included.
fn skip_properties(file: &str, mut at: usize) -> usize {
    while file[at..].starts_with(['&', '!']) {
        at += file[at..].find(char::is_whitespace).unwrap_or(file.len() - at);
        loop {
            let rest = file[at..].trim_start();
            at = file.len() - rest.len();
            if !rest.starts_with('#') {
                break;
            }
            at += rest.find('\n').unwrap_or(rest.len());
        }
    }
    at
}

/// Text and file side by side, while a scalar is read again.
struct Walk<'a> {
    file: &'a str,
    at: usize,
    /// Bytes of decoded text so far.
    text: usize,
    positions: Vec<(usize, usize)>,
}

impl<'a> Walk<'a> {
    fn new(file: &'a str, at: usize) -> Self {
        Self { file, at, text: 0, positions: vec![(0, at)] }
    }

    fn rest(&self) -> &'a str {
        &self.file[self.at..]
    }

    /// Says that the next character of the text stands at the current place.
    fn mark(&mut self) {
        match self.positions.last_mut() {
            Some((text, file)) if *text == self.text => *file = self.at,
            Some((text, file)) if self.at - *file == self.text - *text => {}
            Some(_) | None => self.positions.push((self.text, self.at)),
        }
    }

    /// A character that stands for itself.
    fn keep(&mut self, bytes: usize) {
        self.at += bytes;
        self.text += bytes;
    }

    /// Blanks and line breaks. Without a break they are kept; one break is a space, each further one a line feed.
    fn blanks(&mut self, end: usize) {
        let run = &self.file[self.at..end];
        let run = &run[..run.find(|c| !matches!(c, ' ' | '\t' | '\r' | '\n')).unwrap_or(run.len())];
        let breaks = run.bytes().filter(|byte| *byte == b'\n').count();
        if breaks == 0 {
            self.keep(run.len());
        } else {
            self.at += run.find(['\r', '\n']).unwrap_or(0);
            self.mark();
            self.text += (breaks - 1).max(1);
            self.at += run.len() - run.find(['\r', '\n']).unwrap_or(0);
            self.mark();
        }
    }
}

fn plain(file: &str, start: usize, end: usize) -> Placed {
    let mut walk = Walk::new(file, start);
    while walk.at < end {
        match walk.rest().chars().next() {
            Some(' ' | '\t' | '\r' | '\n') => walk.blanks(end),
            Some(other) => walk.keep(other.len_utf8()),
            None => break,
        }
    }
    Placed { span: Span::new(start, end), positions: walk.positions }
}

fn quoted(file: &str, start: usize) -> Placed {
    let quote = file[start..].chars().next().unwrap_or('"');
    let mut walk = Walk::new(file, start + quote.len_utf8());
    while let Some(next) = walk.rest().chars().next() {
        match next {
            ' ' | '\t' | '\r' | '\n' => walk.blanks(file.len()),
            '\'' if quote == '\'' && walk.rest().starts_with("''") => {
                walk.keep(1);
                walk.at += 1;
                walk.mark();
            }
            '\\' if quote == '"' => escape(&mut walk),
            other if other == quote => break,
            other => walk.keep(other.len_utf8()),
        }
    }
    Placed { span: Span::new(start, (walk.at + 1).min(file.len())), positions: walk.positions }
}

/// A `\` in a double-quoted scalar and what it escapes.
fn escape(walk: &mut Walk<'_>) {
    let rest = walk.rest();
    let digits = match rest.as_bytes().get(1) {
        Some(b'\r' | b'\n') => return escaped_break(walk),
        Some(b'x') => 2,
        Some(b'u') => 4,
        Some(b'U') => 8,
        _ => 0,
    };
    let escaped = rest.chars().nth(1);
    let decoded = match escaped {
        Some('N' | '_') => 2,
        Some('L' | 'P') => 3,
        Some('x' | 'u' | 'U') => rest
            .get(2..2 + digits)
            .and_then(|digits| u32::from_str_radix(digits, 16).ok())
            .and_then(char::from_u32)
            .map_or(1, char::len_utf8),
        _ => 1,
    };
    walk.at += 1 + escaped.map_or(0, char::len_utf8) + digits;
    walk.at = walk.at.min(walk.file.len());
    walk.text += decoded;
    walk.mark();
}

/// A `\` at the end of a line joins it to the next one without a space; empty lines behind it are kept.
fn escaped_break(walk: &mut Walk<'_>) {
    let run = &walk.rest()[1..];
    let run = &run[..run.find(|c| !matches!(c, ' ' | '\t' | '\r' | '\n')).unwrap_or(run.len())];
    let breaks = run.bytes().filter(|byte| *byte == b'\n').count();
    walk.text += breaks.saturating_sub(1);
    walk.at += 1 + run.len();
    walk.mark();
}

/// The offset of the `|` or `>`.
///
/// The parser points at the header itself when the file ends behind it, else at the first line of the content.
fn block_header(file: &str, at: usize, after: usize) -> usize {
    if file[at..].starts_with(['|', '>']) {
        let behind = file[at..].find('\n').map_or("", |end| &file[at + end..]);
        if behind.trim().is_empty() || is_header(&file[at..]) {
            return at;
        }
    }
    let mut line_end = file[..at].rfind('\n').unwrap_or(0);
    loop {
        let line_start = file[..line_end].rfind('\n').map_or(0, |found| found + 1);
        if !file[line_start..line_end].trim().is_empty() || line_start == 0 {
            let from = line_start.max(after.min(line_end));
            let found = file[from..line_end].char_indices().map(|(index, _)| from + index).find(|index| {
                let before = file[..*index].chars().next_back();
                before.is_none_or(char::is_whitespace) && is_header(&file[*index..])
            });
            return found.unwrap_or(from);
        }
        line_end = line_start - 1;
    }
}

/// Whether the first line is a block's header: `|` or `>`, indicators, and at most a comment.
pub(super) fn is_header(text: &str) -> bool {
    let line = text.lines().next().unwrap_or("");
    let Some(rest) = line.strip_prefix(['|', '>']) else { return false };
    let rest = rest.trim_start_matches(|c: char| matches!(c, '+' | '-' | '1'..='9'));
    line.len() - rest.len() <= 3
        && (rest.trim().is_empty() || (rest.starts_with([' ', '\t']) && rest.trim_start().starts_with('#')))
}

fn block(file: &str, style: Style, decoded: &str, header: usize) -> Placed {
    let body = file[header..].find('\n').map_or(file.len(), |end| header + end + 1);
    let header_end = header + file[header..body].trim_end().len();
    let first_of_text = decoded.lines().find(|line| !line.trim().is_empty());
    let first_of_file = file[body..].lines().find(|line| !line.trim().is_empty());
    let (Some(text), Some(line)) = (first_of_text, first_of_file) else {
        return Placed { span: Span::new(header, header_end), positions: vec![(0, body)] };
    };
    let indent = leading_spaces(line).saturating_sub(leading_spaces(text));

    let mut walk = Walk::new(file, body);
    let mut end = header_end;
    for line in file[body..].split_inclusive('\n') {
        let bare = line.trim_end_matches(['\n', '\r']);
        let content = bare.get(indent.min(leading_spaces(bare))..).unwrap_or("");
        let start = walk.at + (bare.len() - content.len());
        let rest = &decoded[walk.text.min(decoded.len())..];
        if rest.is_empty() {
            break;
        }
        let next = walk.at + line.len();
        if style == Style::Folded {
            if content.is_empty() {
                walk.at = next;
                continue;
            }
            // What stands between two lines of the file is one space or line feeds.
            let feeds = rest.len() - rest.trim_start_matches('\n').len();
            let between = if feeds == 0 && walk.text > 0 { 1 } else { feeds };
            walk.text += between;
        }
        if !decoded[walk.text.min(decoded.len())..].starts_with(content) {
            break;
        }
        walk.at = start;
        walk.mark();
        walk.text += content.len();
        end = start + content.len();
        if style == Style::Literal {
            walk.text += 1;
        }
        walk.at = next;
    }
    Placed { span: Span::new(header, end.max(header_end)), positions: walk.positions }
}

fn leading_spaces(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}
