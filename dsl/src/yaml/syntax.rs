//! What the YAML parser complains about, in the words of somebody who writes a runbook.

use super::{reader, trap};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::{Source, Span};

/// The report on a syntax error.
pub(super) fn explain(source: &Source, at: usize, info: &str) -> Diagnostic {
    if info.contains("recursion limit") {
        return reader::too_deep(source, Span::new(at, at));
    }
    if let Some(tab) = indenting_tab(source, at, info.contains("tab")) {
        return Diagnostic::new(Code::TAB, source, Span::new(tab, tab + 1), "a tab in the indentation")
            .help("indent with spaces");
    }
    // The parser often notices one line late.
    let before = source.text()[..at].rfind('\n').map(|end| source.text()[..end].trim_end().len());
    let corrected = trap::misread(source, at).or_else(|| trap::misread(source, before.filter(|end| *end > 0)?));
    if info.contains("unknown anchor") {
        let rest = &source.text()[at..];
        let name = rest.split(|c: char| c.is_whitespace() || ",[]{}".contains(c)).next().unwrap_or("*");
        let span = Span::new(at, at + name.len());
        if name[1..].chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-') {
            let message = format!("`{name}` repeats an anchor that does not exist");
            let help = format!("write `&{}` before the value that is to be repeated", &name[1..]);
            let problem = Diagnostic::new(Code::UNKNOWN_ALIAS, source, span, message).help(help);
            return match corrected {
                Some(line) => problem.help(format!("if it is no alias, {}", line.help())),
                None => problem,
            };
        }
    }
    if let Some(line) = corrected {
        return needs_quotes(source, &line);
    }
    let at = if info.contains("simple key expect") { bare_key(source, at).unwrap_or(at) } else { at };
    let (message, label, help) = words(info);
    let problem = Diagnostic::new(Code::YAML_SYNTAX, source, point(source, at), message).label(label);
    if help.is_empty() { problem } else { problem.help(help) }
}

/// The report on a tag.
pub(super) fn tag(source: &Source, span: Span) -> Diagnostic {
    let rest = &source.text()[span.start..];
    let start = span.start + if rest.starts_with('&') { rest.find('!').unwrap_or(0) } else { 0 };
    let rest = &source.text()[start..];
    let name = rest.split(|c: char| c.is_whitespace() || ",]}".contains(c)).next().unwrap_or("!");
    let at = Span::new(start, start + name.len());
    let corrected = trap::indicated(source, start).or_else(|| trap::flow(source, start));
    let expression = name.starts_with('!') && !name.starts_with("!!") && name.contains(['.', '(', '[', '=']);
    let problem = Diagnostic::new(Code::TAG, source, at, format!("`{name}` is a tag, and there are none here"));
    match corrected {
        Some(line) if expression => needs_quotes(source, &line),
        Some(line) => problem.help("delete the tag").help(format!("if it is part of the value, {}", line.help())),
        None => problem.help("delete the tag"),
    }
}

fn needs_quotes(source: &Source, line: &trap::CorrectedLine) -> Diagnostic {
    Diagnostic::new(Code::NEEDS_QUOTES, source, line.value, "YAML does not read this value as it is written")
        .label(line.reason)
        .help(line.help())
}

/// The line without a `:` that made the parser wait for one.
fn bare_key(source: &Source, at: usize) -> Option<usize> {
    let text = source.text();
    let line_start = text[..at].rfind('\n').map_or(0, |found| found + 1);
    let before = text[..line_start].trim_end();
    let start = before.rfind('\n').map_or(0, |found| found + 1);
    let line = &before[start..];
    let is_bare = !line.contains(": ") && !line.ends_with(':') && !line.trim_start().starts_with('#');
    (is_bare && !line.is_empty()).then_some(before.len())
}

/// A tab among the blanks that begin the line, or the one before; where the parser speaks of a tab also the next one.
fn indenting_tab(source: &Source, at: usize, certain: bool) -> Option<usize> {
    let text = source.text();
    let start = text[..at].rfind('\n').map_or(0, |found| found + 1);
    let before = text[..start.saturating_sub(1)].rfind('\n').map_or(0, |found| found + 1);
    let next = text[at..].find('\n').filter(|_| certain).map(|found| at + found + 1);
    [Some(start), Some(before), next].into_iter().flatten().find_map(|start| {
        let line = text[start..].lines().next()?;
        let blanks = &line[..line.len() - line.trim_start_matches([' ', '\t']).len()];
        blanks.find('\t').map(|tab| start + tab)
    })
}

/// One character, or nothing at the end of the text.
fn point(source: &Source, at: usize) -> Span {
    let width =
        source.text()[at..].chars().next().filter(|next| *next != '\n' && *next != '\r').map_or(0, char::len_utf8);
    Span::new(at, at + width)
}

/// Message, label and help for what the parser says.
fn words(info: &str) -> (String, &'static str, &'static str) {
    let known: [(&str, &str, &'static str, &'static str); 17] = [
        (
            "indentation in quoted",
            "a quote that is not closed before a line that is indented less",
            "opened here",
            "close it, or indent the lines of the quoted text by more than its key",
        ),
        (
            "illegal placement of ':'",
            "a key inside a `[ ]` that is not closed",
            "not a place for a key",
            "close the `[` before this",
        ),
        (
            "mapping values are not allowed",
            "a `:` where no key can stand",
            "not a key",
            "put text that holds `: ` in quotes; check the indentation of this line and the one before",
        ),
        (
            "simple key expect",
            "a key without `:`",
            "expected `:` before this",
            "write `key: value`; a list element begins with `- `",
        ),
        (
            "did not find expected key",
            "this line does not fit the map it stands in",
            "expected a key here",
            "indent keys of one map by the same number of spaces",
        ),
        (
            "did not find expected '-'",
            "this line does not fit the list it stands in",
            "expected `- ` here",
            "indent elements of one list by the same number of spaces, each with `- `",
        ),
        ("block sequence entries are not allowed", "a list cannot begin here", "", "begin the list on the next line"),
        (
            "unexpected end of stream",
            "a quote that is never closed",
            "opened here",
            "close it, or put the whole value in the other kind of quotes",
        ),
        (
            "after double-quoted scalar",
            "text behind a closing quote",
            "the quoted text has ended before this",
            "put the whole value in quotes",
        ),
        (
            "unknown escape",
            "an unknown escape in a double-quoted text",
            "in this text",
            "write `\\\\` for a backslash, or use single quotes, in which it means itself",
        ),
        (
            "hexadecimal number",
            "an escape with too few digits in a double-quoted text",
            "in this text",
            "`\\x` takes 2 digits, `\\u` 4, `\\U` 8",
        ),
        (
            "flow mapping, did not find expected",
            "a `{ }` that goes on without a `,` or ends without a `}`",
            "expected `,` or `}`",
            "put a value that holds any of `, [ ] { }` in quotes",
        ),
        (
            "flow sequence, expected",
            "a `[ ]` that goes on without a `,` or ends without a `]`",
            "expected `,` or `]`",
            "put a value that holds any of `, [ ] { }` in quotes",
        ),
        ("misplaced bracket", "a closing bracket that nothing opens", "", "delete it, or put the value in quotes"),
        (
            "block scalar, did not find expected comment",
            "text behind `|` or `>`",
            "",
            "begin the text on the next line, indented",
        ),
        (
            "block scalar",
            "a block text that is not indented as it should be",
            "",
            "indent every line of it by more than its key, with spaces",
        ),
        (
            "invalid indentation",
            "this line is indented less than what it belongs to",
            "",
            "indent it by more than the line that opens it",
        ),
    ];
    known.iter().find(|(part, ..)| info.contains(part)).map_or_else(
        || (format!("this is not valid YAML: {}", info.replace(['`', '\''], "")), "", ""),
        |(_, message, label, help)| ((*message).to_owned(), *label, *help),
    )
}
