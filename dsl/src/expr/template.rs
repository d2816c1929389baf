//! Text with `${{ }}` in it.

/// A part of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// As it is.
    Text(String),
    /// An expression, by the range of bytes between its braces.
    Expr {
        /// First byte.
        start: usize,
        /// One past the last byte.
        end: usize,
    },
}

/// An expression that does not end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unclosed {
    /// Where it begins.
    pub at: usize,
}

/// Takes a text apart.
pub fn split(text: &str) -> Result<Vec<Part>, Unclosed> {
    let mut parts = Vec::new();
    let mut rest = 0;
    while let Some(found) = text[rest..].find("${{").map(|at| rest + at) {
        if text[rest..found].ends_with('$') {
            parts.push(Part::Text(format!("{}{{{{", &text[rest..found])));
            rest = found + 3;
            continue;
        }
        let end = text[found..].find("}}").map(|at| found + at).ok_or(Unclosed { at: found })?;
        if found > rest {
            parts.push(Part::Text(text[rest..found].to_owned()));
        }
        parts.push(Part::Expr { start: found + 3, end });
        rest = end + 2;
    }
    if rest < text.len() || parts.is_empty() {
        parts.push(Part::Text(text[rest..].to_owned()));
    }
    Ok(parts)
}
