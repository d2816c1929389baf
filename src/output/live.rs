//! Runs on a terminal: a tree that moves while they go on, and a summary at the end.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use lockstep_engine::api::Event;

use super::screen::{Screen, Size, is_unicode};
use super::story::Story;
use super::style::Style;
use super::summary::{Hints, summary};
use super::tree::{self, Canvas};
use super::{Watcher, event_run, is_gone};
use crate::context::Context;
use crate::ending::Failure;

/// Drawing more often than this only costs time.
const BETWEEN_DRAWINGS: Duration = Duration::from_millis(50);

/// How long one sign of a spinner stands.
const FRAME: Duration = Duration::from_millis(100);

/// Draws trees.
#[derive(Debug)]
pub struct Live {
    stories: Vec<Story>,
    screen: Screen,
    style: Style,
    unicode: bool,
    hints: Hints,
    began: Instant,
    drawn: Option<Instant>,
}

impl Live {
    /// Nothing is drawn yet.
    pub fn new(context: &Context) -> Self {
        Self {
            stories: Vec::new(),
            screen: Screen::default(),
            style: context.stdout,
            unicode: is_unicode(),
            hints: Hints::new(context),
            began: Instant::now(),
            drawn: None,
        }
    }

    fn draw(&mut self) -> Result<(), Failure> {
        let size = Size::now();
        // The cursor stands on a line of its own below.
        let rows = size.rows.saturating_sub(1).max(1);
        let share = (rows / self.stories.len().max(1)).max(1);
        let mut lines: Vec<_> =
            self.stories.iter().flat_map(|story| tree::lines(story, &self.canvas(size.columns, Some(share)))).collect();
        lines.truncate(rows);
        self.drawn = Some(Instant::now());
        written(self.screen.draw(&lines))
    }

    fn canvas(&self, columns: usize, rows: Option<usize>) -> Canvas {
        let frame = self.began.elapsed().as_millis() / FRAME.as_millis();
        Canvas {
            columns,
            rows,
            style: self.style,
            unicode: self.unicode,
            now: Timestamp::now(),
            frame: usize::try_from(frame).unwrap_or(0),
        }
    }
}

impl Watcher for Live {
    fn event(&mut self, event: &Event) -> Result<(), Failure> {
        let id = event_run(event);
        if !self.stories.iter().any(|story| story.id == id) {
            self.stories.push(Story::new(id));
        }
        for story in self.stories.iter_mut().filter(|story| story.id == id) {
            story.apply(event);
        }
        if self.drawn.is_none_or(|drawn| drawn.elapsed() >= BETWEEN_DRAWINGS) { self.draw() } else { Ok(()) }
    }

    fn note(&mut self, text: &str) {
        // The terminal may be gone; the run goes on all the same.
        let _ = self.screen.print(text);
        let _ = self.draw();
    }

    fn tick(&mut self) {
        let _ = self.draw();
    }

    fn close(&mut self) -> Result<(), Failure> {
        let canvas = self.canvas(Size::now().columns, None);
        let mut text = String::new();
        for story in &self.stories {
            for line in tree::lines(story, &canvas) {
                text.push_str(&line);
                text.push('\n');
            }
            text.push_str(&summary(story, &self.hints, self.style));
        }
        written(self.screen.print(&text))
    }
}

/// A terminal that is gone is no failure.
fn written(result: std::io::Result<()>) -> Result<(), Failure> {
    match result {
        Err(error) if !is_gone(&error) => {
            Err(Failure::System { doing: "cannot write to the terminal".to_owned(), source: error })
        }
        Ok(()) | Err(_) => Ok(()),
    }
}
