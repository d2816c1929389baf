//! Lines of progress, made of output that comes in whatever pieces.

use super::limits::{PROGRESS_LINE_BYTES, PROGRESS_WINDOW_BYTES};
use super::{OnProgress, Progress, Stream};

/// One stream, line by line; in bounded memory.
pub(super) struct Lines {
    stream: Stream,
    /// The beginning of a line whose end is still to come.
    line: Vec<u8>,
}

impl Lines {
    /// No output yet.
    pub fn new(stream: Stream) -> Self {
        Self { stream, line: Vec::new() }
    }

    /// Reports the lines that are whole by now.
    pub fn push(&mut self, bytes: &[u8], progress: &OnProgress) {
        let mut rest = bytes;
        if rest.len() > PROGRESS_WINDOW_BYTES {
            rest = &rest[rest.len() - PROGRESS_WINDOW_BYTES..];
            self.line.clear();
        }
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            self.report(&rest[..end], progress);
            rest = &rest[end + 1..];
        }
        let room = PROGRESS_LINE_BYTES.saturating_sub(self.line.len());
        self.line.extend_from_slice(&rest[..rest.len().min(room)]);
    }

    /// Reports a line that was begun and has no end.
    pub fn finish(&mut self, progress: &OnProgress) {
        self.report(&[], progress);
    }

    /// Reports the line that was begun, with its end; an empty one is nothing to see.
    fn report(&mut self, end: &[u8], progress: &OnProgress) {
        let room = PROGRESS_LINE_BYTES.saturating_sub(self.line.len());
        self.line.extend_from_slice(&end[..end.len().min(room)]);
        let text = String::from_utf8_lossy(&self.line).trim_end_matches('\r').to_owned();
        self.line.clear();
        if !text.is_empty() {
            progress(Progress::Line { stream: self.stream, text });
        }
    }
}
