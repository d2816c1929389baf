//! `run --step`: before each step a person at the terminal says whether it runs.
//!
//! The run is paused from its beginning; each yes permits one step. Nothing is decided here.

use lockstep_engine::api::{Event, Request, RunView, StepView};

use crate::ending::Failure;
use crate::keyboard::Keyboard;
use crate::output::text::harmless_line;

/// Asks for each step.
pub struct Stepper {
    keyboard: Keyboard,
    /// The step that is asked about.
    asked: Option<String>,
    /// Something has happened, and another step may be next.
    stale: bool,
}

/// What a key asks for.
#[derive(Debug)]
pub enum Word {
    /// This of the engine.
    Ask(Request),
    /// To cancel the run.
    Cancel,
}

impl Stepper {
    /// Takes the keyboard.
    pub fn new() -> Result<Self, Failure> {
        Ok(Self { keyboard: Keyboard::open()?, asked: None, stale: true })
    }

    /// The next key; waits for ever when the terminal is gone, which a signal says.
    pub async fn key(&mut self) -> u8 {
        match self.keyboard.next().await {
            Some(key) => key,
            None => std::future::pending().await,
        }
    }

    /// Something has happened.
    pub const fn heard(&mut self, event: &Event) {
        if !matches!(event, Event::Output { .. }) {
            self.stale = true;
        }
    }

    /// Whether the run should be looked at, since another step may be next.
    pub const fn is_stale(&self) -> bool {
        self.stale
    }

    /// What to ask about a run that was looked at, where that is something new.
    pub fn question(&mut self, view: &RunView) -> Option<String> {
        self.stale = false;
        let is_next = |step: &&StepView| step.reason.as_deref() == Some("held");
        let next = view.steps.iter().find(is_next).filter(|_| view.paused.is_some());
        let path = next.map(|step| step.path.clone());
        if path == self.asked {
            return None;
        }
        self.asked = path;
        let step = next?;
        let title = step.title.as_deref().map(|title| format!("  {}", harmless_line(title))).unwrap_or_default();
        Some(format!(
            "lockstep: next is `{}` ({}){title}\n  y  run it   s  skip it   a  run all that is left   c  cancel",
            harmless_line(&step.path),
            step.kind
        ))
    }

    /// What a key means for the step that is asked about.
    pub fn word(&mut self, key: u8, run: &str, by: &str) -> Option<Word> {
        let (run, by) = (run.to_owned(), by.to_owned());
        let step = self.asked.clone()?;
        let word = match key.to_ascii_lowercase() {
            b'y' => Word::Ask(Request::Permit { run, step, by }),
            b's' => Word::Ask(Request::Skip { run, step, by, reason: "not confirmed in `run --step`".to_owned() }),
            b'a' => Word::Ask(Request::Unpause { run, by }),
            b'c' => Word::Cancel,
            _ => return None,
        };
        self.asked = None;
        self.stale = true;
        Some(word)
    }
}
