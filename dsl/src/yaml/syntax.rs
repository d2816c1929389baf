//! What the YAML parser complains about, in the words of somebody who writes a runbook.

use super::position::is_header;
use super::words::words;
use super::{reader, trap};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::{Source, Span};

/// The report on a syntax error. `opened` is where the innermost `[` or `{` stands that was not closed so far.
pub(super) fn explain(source: &Source, at: usize, info: &str, opened: Option<usize>) -> Diagnostic {
    if info.contains("recursion limit") {
        return reader::too_deep(source, Span::new(at, at));
    }
    if let Some(tab) = indenting_tab(source, at, info.contains("tab")) {
        return Diagnostic::new(Code::TAB, source, Span::new(tab, tab + 1), "a tab in the indentation")
            .help("indent with spaces");
    }
    let corrected = corrected(source, at, opened);
    if info.contains("unknown anchor")
        && let Some(problem) = unknown_alias(source, at, corrected.as_ref())
    {
        return problem;
    }
    if let Some(line) = corrected {
        return needs_quotes(source, &line);
    }
    if info.contains("simple key expect")
        && let Some(bare) = bare_line(source, at)
    {
        return bare;
    }
    // What is missed at the end of the file is missed behind what stands there last.
    let last = source.text().trim_end().len();
    let at = if at >= last && !info.contains("end of stream") { last } else { at };
    let problem = |message: &str| Diagnostic::new(Code::YAML_SYNTAX, source, point(source, at), message);
    let problem = match words(info) {
        Some(words) if words.help.is_empty() => problem(words.message).label(words.label),
        Some(words) => problem(words.message).label(words.label).help(words.help),
        None => problem(&format!("this is not valid YAML: {}", info.replace(['`', '\''], ""))),
    };
    match opened.filter(|_| info.contains("flow")) {
        Some(opened) => problem.also(Span::new(opened, opened + 1), "opened here"),
        None => problem,
    }
}

/// The line of the error, or the one before, where the parser did not notice, with quotes that would mend it.
fn corrected(source: &Source, at: usize, opened: Option<usize>) -> Option<trap::CorrectedLine> {
    if is_inside_brackets(source, at, opened) {
        return trap::inside_brackets(source, at);
    }
    let before = source.text()[..at].rfind('\n').map(|end| source.text()[..end].trim_end().len());
    trap::misread(source, at).or_else(|| trap::misread(source, before.filter(|end| *end > 0)?))
}

/// Whether a bracket that is still open was opened on an earlier line.
fn is_inside_brackets(source: &Source, at: usize, opened: Option<usize>) -> bool {
    opened.is_some_and(|opened| source.slice(Span::new(opened, at)).contains('\n'))
}

/// The report on an alias without its anchor; `None` when the text is no name of one.
fn unknown_alias(source: &Source, at: usize, corrected: Option<&trap::CorrectedLine>) -> Option<Diagnostic> {
    let rest = &source.text()[at..];
    let alias = rest.split(|c: char| c.is_whitespace() || ",[]{}".contains(c)).next()?;
    let name = alias.strip_prefix('*')?;
    if !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-') {
        return None;
    }
    let message = format!("`{alias}` repeats an anchor that does not exist");
    let problem = Diagnostic::new(Code::UNKNOWN_ALIAS, source, Span::new(at, at + alias.len()), message)
        .help(format!("write `&{name}` before the value that is to be repeated"));
    Some(match corrected {
        Some(line) => problem.help(format!("if it is no alias, {}", line.help())),
        None => problem,
    })
}

/// The report on a tag. `opened` is as in [`explain`].
pub(super) fn tag(source: &Source, span: Span, opened: Option<usize>) -> Diagnostic {
    let rest = &source.text()[span.start..];
    let start = span.start + if rest.starts_with('&') { rest.find('!').unwrap_or(0) } else { 0 };
    let rest = &source.text()[start..];
    let name = rest.split(|c: char| c.is_whitespace() || ",]}".contains(c)).next().unwrap_or("!");
    let at = Span::new(start, start + name.len());
    let corrected = if is_inside_brackets(source, start, opened) {
        trap::inside_brackets(source, start)
    } else {
        trap::indicated(source, start).or_else(|| trap::flow(source, start))
    };
    let expression = name.starts_with('!') && !name.starts_with("!!") && name.contains(['.', '(', '[', '=']);
    let problem = Diagnostic::new(Code::TAG, source, at, format!("`{name}` is a tag, and there are none here"));
    match corrected {
        Some(line) if expression => needs_quotes(source, &line),
        Some(line) => problem.help("delete the tag").help(format!("if it is part of the value, {}", line.help())),
        None => problem.help("delete the tag"),
    }
}

/// The report on a value that quotes mend.
pub(super) fn needs_quotes(source: &Source, line: &trap::CorrectedLine) -> Diagnostic {
    Diagnostic::new(Code::NEEDS_QUOTES, source, line.value, "YAML does not read this value as it is written")
        .label(line.reason)
        .help(line.help())
}

/// The report on the line without a `:` that made the parser wait for one.
fn bare_line(source: &Source, at: usize) -> Option<Diagnostic> {
    let text = source.text();
    let line_start = text[..at].rfind('\n').map_or(0, |found| found + 1);
    let before = text[..line_start].trim_end();
    let start = before.rfind('\n').map_or(0, |found| found + 1);
    let line = &before[start..];
    if line.is_empty() || line.contains(": ") || line.ends_with(':') || line.trim_start().starts_with('#') {
        return None;
    }
    let above = text[..start].trim_end();
    let header = above.rfind([' ', '\n']).map_or(0, |found| found + 1);
    let first = start + line.len() - line.trim_start().len();
    let opens_block = above[header..].starts_with(['|', '>']) && is_header(&above[header..]);
    if opens_block {
        let span = Span::new(first, before.len());
        return Some(
            Diagnostic::new(Code::YAML_SYNTAX, source, span, "the text of a block is not indented more than its key")
                .also(Span::new(header, above.len()), "the block begins here")
                .help("indent every line of the text by two more spaces"),
        );
    }
    let words = words("simple key expect")?;
    let span = Span::new(before.len(), before.len());
    Some(Diagnostic::new(Code::YAML_SYNTAX, source, span, words.message).label(words.label).help(words.help))
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
