//! Diagnostics for people: the line, the caret, what to do.
//!
//! Whatever a file holds, the output is safe for a terminal: control characters are shown, never sent.

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet, normalize_untrusted_str};

use super::{Diagnostic, Severity};
use crate::limits;
use crate::source::{Source, Span};

/// Whether to paint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Color {
    /// Plain text.
    Never,
    /// ANSI colours.
    Always,
}

/// Places further apart than this are shown one after the other.
const LINES_TOGETHER: usize = 40;

/// Bytes of a line that is shown as it is, with what the terminal has no room for left out.
const LINE_BYTES: usize = 16 * 1024;

/// Bytes before and behind a place in a longer line.
const LINE_WINDOW: usize = 512;

/// All diagnostics in their order, and a line that counts them. Empty when there are none.
pub fn render(diagnostics: &[Diagnostic], color: Color, width: usize) -> String {
    let renderer = match color {
        Color::Never => Renderer::plain(),
        Color::Always => Renderer::styled(),
    }
    .term_width(width);
    let mut out = String::new();
    for diagnostic in diagnostics.iter().take(limits::DIAGNOSTICS) {
        let report = one(&renderer, diagnostic);
        for line in report.lines() {
            out.extend(
                line.trim_end().chars().map(|next| if is_c1(next) { char::REPLACEMENT_CHARACTER } else { next }),
            );
            out.push('\n');
        }
        out.push('\n');
    }
    if !diagnostics.is_empty() {
        out.push_str(&summary(diagnostics));
        out.push('\n');
    }
    out
}

/// `2 errors, 1 warning`.
pub fn summary(diagnostics: &[Diagnostic]) -> String {
    let errors = diagnostics.iter().filter(|diagnostic| diagnostic.severity() == Severity::Error).count();
    let warnings = diagnostics.len() - errors;
    let counted = [(errors, "error"), (warnings, "warning")]
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}{}", if *count == 1 { "" } else { "s" }))
        .collect::<Vec<_>>()
        .join(", ");
    match diagnostics.len().checked_sub(limits::DIAGNOSTICS) {
        Some(hidden) if hidden > 0 => format!("{counted} (the first {} are shown)", limits::DIAGNOSTICS),
        _ => counted,
    }
}

fn one(renderer: &Renderer, diagnostic: &Diagnostic) -> String {
    let level = match diagnostic.severity() {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let name = printable(diagnostic.source.name());
    let title = level.primary_title(printable(&diagnostic.message)).id(diagnostic.code.to_string());
    let mut group = Group::with_title(title);
    for excerpt in excerpts(diagnostic) {
        if let Some(origin) = excerpt.origin(&name) {
            group = group.element(origin);
        }
        group = group.element(excerpt.snippet(&name));
    }
    for help in &diagnostic.help {
        group = group.element(Level::HELP.message(normalize_untrusted_str(help)));
    }
    renderer.render(&[group])
}

/// A part of the source with the places in it.
struct Excerpt<'a> {
    source: &'a Source,
    /// Lines of the source, as offsets.
    lines: Span,
    places: Vec<(Span, &'a str, AnnotationKind)>,
}

/// Neighbouring places share an excerpt; the first one holds the caret.
fn excerpts(diagnostic: &Diagnostic) -> Vec<Excerpt<'_>> {
    let source = &diagnostic.source;
    let primary = (diagnostic.primary.0, diagnostic.primary.1.as_str(), AnnotationKind::Primary);
    let secondary = diagnostic.secondary.iter().map(|(span, label)| (*span, label.as_str(), AnnotationKind::Context));
    let mut excerpts: Vec<Excerpt<'_>> = Vec::new();
    for (span, label, kind) in std::iter::once(primary).chain(secondary) {
        let span = on_one_line(source, span);
        let lines = lines_around(source, span);
        let near = excerpts.iter_mut().find(|excerpt| {
            let joined = excerpt.lines.to(lines);
            source.slice(joined).bytes().filter(|byte| *byte == b'\n').take(LINES_TOGETHER + 1).count()
                <= LINES_TOGETHER
        });
        match near {
            Some(excerpt) => {
                excerpt.lines = excerpt.lines.to(lines);
                excerpt.places.push((span, label, kind));
            }
            None => excerpts.push(Excerpt { source, lines, places: vec![(span, label, kind)] }),
        }
    }
    excerpts
}

impl<'a> Excerpt<'a> {
    /// Where the place is, for an excerpt that does not begin with its line, so that its own count would be wrong.
    fn origin(&self, name: &str) -> Option<Origin<'a>> {
        let is_whole = self.source.location(self.lines.start).column == 1;
        let at = self.source.location(self.places.first().filter(|_| !is_whole)?.0.start);
        Some(Origin::path(name.to_owned()).line(count(at.line)).char_column(count(at.column)))
    }

    fn snippet(self, name: &str) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
        let start = self.lines.start;
        let at = self.source.location(start);
        let mut snippet = Snippet::source(self.source.slice(self.lines)).line_start(count(at.line)).fold(true);
        if at.column == 1 {
            snippet = snippet.path(name.to_owned());
        }
        for (span, label, kind) in self.places {
            let annotation = kind.span(span.start - start..span.end - start);
            let label = (!label.is_empty()).then(|| printable(label));
            snippet = snippet.annotation(annotation.label(label));
        }
        snippet
    }
}

/// A place within the source, cut to its first line.
fn on_one_line(source: &Source, span: Span) -> Span {
    let text = source.text();
    let start = text.floor_char_boundary(span.start.min(text.len()));
    let end = text.ceil_char_boundary(span.end.clamp(start, text.len()));
    let first_line = text[start..end].split('\n').next().unwrap_or("");
    let shown = first_line.trim_end();
    let shown = if shown.is_empty() { first_line.chars().next().map_or(0, char::len_utf8) } else { shown.len() };
    Span::new(start, start + shown)
}

/// The whole line of a place; of a very long line a window.
fn lines_around(source: &Source, span: Span) -> Span {
    let text = source.text();
    let start = text[..span.start].rfind('\n').map_or(0, |found| found + 1);
    let rest = text[span.end..].split('\n').next().unwrap_or("");
    let end = span.end + rest.trim_end_matches('\r').len();
    if end - start <= LINE_BYTES {
        return Span::new(start, end);
    }
    let start = text.floor_char_boundary(start.max(span.start.saturating_sub(LINE_WINDOW)));
    Span::new(start, text.ceil_char_boundary(end.min(span.end + LINE_WINDOW)))
}

fn count(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// Control characters that the renderer lets through; some terminals obey them.
fn is_c1(character: char) -> bool {
    matches!(character, '\u{80}'..='\u{9f}')
}

/// A text on one line, without control characters.
fn printable(text: &str) -> String {
    let one_line: String = text.chars().map(|next| if next.is_control() { '\u{fffd}' } else { next }).collect();
    normalize_untrusted_str(&one_line)
}
