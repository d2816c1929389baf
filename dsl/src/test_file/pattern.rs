//! Paths of steps as tests name them.
//!
//! A path is that of `show` and `logs`: `fan/left/a`, `each[2]/a`, `a~2`. A mark that is left out is not looked at, so
//! that `each/a` is the step in all items together; `[*]` is every item, each for itself.

use std::fmt;

/// A path in which marks may be left out or be `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathPattern {
    text: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Part {
    name: String,
    /// The item or round.
    index: Option<Mark>,
    /// The visit.
    visit: Option<Mark>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    Any,
    Is(u64),
}

impl PathPattern {
    /// Reads a path; `None` where it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let parts = text.split('/').map(part).collect::<Option<Vec<_>>>()?;
        Some(Self { text: text.to_owned(), parts })
    }

    /// Whether the path of a step in a run is meant.
    pub fn matches(&self, path: &str) -> bool {
        let mut parts = path.split('/');
        let all = self.parts.iter().all(|own| {
            let Some(other) = parts.next().and_then(part) else { return false };
            own.name == other.name && fits(own.index, other.index) && fits(own.visit, other.visit)
        });
        all && parts.next().is_none()
    }

    /// Whether it is this path and no other.
    pub fn is(&self, path: &str) -> bool {
        self.text == path
    }

    /// What attempts are counted by: the path without the marks that are left out here.
    pub fn counted_as(&self, path: &str) -> String {
        let kept = self.parts.iter().zip(path.split('/')).map(|(own, text)| {
            let Some(other) = part(text) else { return text.to_owned() };
            let index = other.index.filter(|_| own.index.is_some());
            let visit = other.visit.filter(|_| own.visit.is_some());
            Part { name: other.name, index, visit }.to_string()
        });
        kept.collect::<Vec<_>>().join("/")
    }

    /// The path in the file that it is about: names alone.
    pub fn names(&self) -> String {
        self.parts.iter().map(|part| part.name.as_str()).collect::<Vec<_>>().join("/")
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        match self.index {
            Some(Mark::Any) => f.write_str("[*]")?,
            Some(Mark::Is(index)) => write!(f, "[{index}]")?,
            None => {}
        }
        match self.visit {
            Some(Mark::Any) => f.write_str("~*"),
            Some(Mark::Is(visit)) => write!(f, "~{visit}"),
            None => Ok(()),
        }
    }
}

/// A part of a path: its name, then the visit, then the item, as `each~2[3]`; the other order is read too.
fn part(text: &str) -> Option<Part> {
    let (mut rest, mut index, mut visit) = (text, None, None);
    loop {
        if let Some((before, number)) = rest.strip_suffix(']').and_then(|open| open.rsplit_once('[')) {
            if index.replace(mark(number)?).is_some() {
                return None;
            }
            rest = before;
        } else if let Some((before, number)) = rest.rsplit_once('~') {
            if visit.replace(mark(number)?).is_some() {
                return None;
            }
            rest = before;
        } else {
            return (!rest.is_empty()).then(|| Part { name: rest.to_owned(), index, visit });
        }
    }
}

fn mark(text: &str) -> Option<Mark> {
    if text == "*" { Some(Mark::Any) } else { text.parse().ok().map(Mark::Is) }
}

/// A first visit has no mark in paths.
fn fits(own: Option<Mark>, other: Option<Mark>) -> bool {
    match (own, other) {
        (None | Some(Mark::Any), _) => true,
        (Some(Mark::Is(own)), Some(Mark::Is(other))) => own == other,
        (Some(Mark::Is(own)), None) => own == 1,
        (Some(Mark::Is(_)), Some(Mark::Any)) => false,
    }
}
