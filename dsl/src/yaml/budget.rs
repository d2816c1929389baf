//! The parser under a budget of what it may hold in memory before it says anything.
//!
//! The YAML crate reads a whole `[ ]` or `{ }` before its first event, and one token can be as long as the file. It is
//! therefore fed character by character, and the feed dries up where the budget between two events is spent.

use std::cell::Cell;
use std::rc::Rc;
use std::str::Chars;

use saphyr_parser::{BufferedInput, Event, Parser, ScanError};

use super::position::Positions;
use crate::limits;
use crate::source::Span;

/// The parser's events with their spans in bytes.
pub(super) struct Events<'a> {
    parser: Parser<'a, BufferedInput<Feed<'a>>>,
    spent: Rc<Cell<usize>>,
    positions: Positions<'a>,
}

/// Why there are no more events.
pub(super) enum Stop {
    /// The text is not YAML.
    Syntax {
        /// Where the parser noticed.
        at: usize,
        /// What it says about it.
        info: String,
    },
    /// A `[ ]` or `{ }` that is too long ends the feed.
    Separators,
}

impl<'a> Events<'a> {
    /// The events of a text.
    pub(super) fn new(text: &'a str) -> Self {
        let spent = Rc::new(Cell::new(0));
        let feed = Feed { text: text.chars(), spent: Rc::clone(&spent) };
        Self { parser: Parser::new_from_iter(feed), spent, positions: Positions::new(text) }
    }

    /// The next event; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<(Event<'a>, Span)>, Stop> {
        self.spent.set(0);
        let next = self.parser.next_event();
        if self.spent.get() > limits::YAML_SEPARATORS {
            return Err(Stop::Separators);
        }
        match next.transpose() {
            Ok(event) => Ok(event.map(|(event, span)| {
                let span = Span::new(self.positions.byte(span.start.index()), self.positions.byte(span.end.index()));
                (event, span)
            })),
            Err(error) => Err(self.syntax(&error)),
        }
    }

    fn syntax(&self, error: &ScanError) -> Stop {
        Stop::Syntax { at: self.positions.byte(error.marker().index()), info: error.info().to_owned() }
    }
}

/// Characters of the text, until too many that separate nodes went by since the last event.
struct Feed<'a> {
    text: Chars<'a>,
    spent: Rc<Cell<usize>>,
}

impl Iterator for Feed<'_> {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        let next = self.text.next()?;
        if matches!(next, ',' | ':' | '?' | '[' | ']' | '{' | '}') {
            self.spent.set(self.spent.get() + 1);
        }
        (self.spent.get() <= limits::YAML_SEPARATORS).then_some(next)
    }
}
