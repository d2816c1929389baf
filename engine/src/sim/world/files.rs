//! Files that runs go over: so many lines, as their path says, which are there a few at a time.

use lockstep_dsl::value::Value;

use super::{Event, World};
use crate::core::run::{Page, Question};
use crate::driver::Input;
use crate::sim::runbook::text::ITEMS;
use crate::worker::pages::PageRead;

/// Lines on a page.
const PAGE: u64 = 2;

impl World<'_> {
    /// Reads a page for the engine that asks. It takes a moment, in which much can happen.
    pub(super) fn read_page(&mut self, read: &PageRead) {
        let number = self.engines;
        let input =
            Input::Evaluated { run: read.run, step: Some(read.step), question: Question::Page, answer: Ok(page(read)) };
        let delay = self.nemesis_evaluation();
        self.plan(self.now + 10 + delay, Event::Deliver(number, Box::new(input)));
    }
}

fn page(read: &PageRead) -> Value {
    let path = read.path.to_string_lossy();
    let lines: u64 = path.strip_prefix(ITEMS).and_then(|count| count.parse().ok()).unwrap_or(0);
    let behind = lines.min(read.at + PAGE);
    let items = (read.at..behind).map(|line| Value::String(format!("line {line}"))).collect();
    let page = Page {
        items,
        at: behind,
        identity: (lines, 0),
        columns: Vec::new(),
        last: behind == lines,
        count: read.count.then_some(lines),
    };
    page.to_value()
}
