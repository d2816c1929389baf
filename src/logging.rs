//! What Lockstep itself says of its own doings, on standard error.

use std::io::stderr;

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

use crate::output::Style;

/// How it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// A line a message, for people.
    Text,
    /// A JSON object a line, for programs.
    Json,
}

/// What is said, and how.
#[derive(Clone, Copy, Debug)]
pub struct Logging {
    /// What is said where `LOCKSTEP_LOG` does not ask for something else, in its words.
    pub filter: &'static str,
    /// How it is written.
    pub format: LogFormat,
}

impl Logging {
    /// Of commands that a person looks at: nothing but errors.
    pub const OF_COMMANDS: Self = Self { filter: "error", format: LogFormat::Text };

    /// Says it from here on.
    pub fn begin(self, style: Style) {
        let asked = std::env::var("LOCKSTEP_LOG").ok().filter(|filter| !filter.trim().is_empty());
        let filter = EnvFilter::builder().parse_lossy(asked.as_deref().unwrap_or(self.filter));
        let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr);
        match self.format {
            LogFormat::Text => lines.with_ansi(style.color).init(),
            LogFormat::Json => lines.json().flatten_event(true).with_current_span(false).with_span_list(false).init(),
        }
    }
}
