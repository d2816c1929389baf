//! A line in pieces of different colours, cut to the width there is before it is painted.

use super::style::{Style, Tone};
use super::text::{cut, width};

/// Pieces of text, each in its tone or in none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line(Vec<(Option<Tone>, String)>);

impl Line {
    /// An empty line.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds text in no colour.
    #[must_use]
    pub fn plain(mut self, text: impl Into<String>) -> Self {
        self.0.push((None, text.into()));
        self
    }

    /// Adds text in a tone.
    #[must_use]
    pub fn toned(mut self, tone: Tone, text: impl Into<String>) -> Self {
        self.0.push((Some(tone), text.into()));
        self
    }

    /// The line as it goes to a terminal of so many columns.
    pub fn fit(&self, columns: usize, style: Style) -> String {
        let mut room = columns;
        let mut out = String::new();
        for (tone, text) in &self.0 {
            let fitting = cut(text, room);
            room -= width(&fitting);
            let is_cut = fitting != *text;
            out.push_str(&tone.map_or_else(|| fitting.clone(), |tone| style.paint(tone, &fitting)));
            if is_cut {
                break;
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_cut_before_it_is_painted() {
        let line = Line::new().toned(Tone::Good, "done").plain(" and more");
        let color = Style { color: true };
        assert_eq!(line.fit(8, color), "\x1b[32mdone\x1b[0m an…");
        assert_eq!(line.fit(3, color), "\x1b[32mdo…\x1b[0m");
        assert_eq!(line.fit(40, Style { color: false }), "done and more");
    }
}
