//! Where an attempt's output goes: masked, into the log, the outputs and the progress that people watch.

use std::path::Path;

use super::limits::{PROGRESS_LINE_BYTES, PROGRESS_WINDOW_BYTES};
use super::log::LogWriter;
use super::mask::{MaskStream, Masker};
use super::output::Tail;
use super::{OnProgress, Progress, Stream};

/// Takes what an attempt prints, in whatever chunks, and in bounded memory.
pub struct Sink {
    log: LogWriter,
    stdout: Channel,
    stderr: Channel,
    progress: OnProgress,
}

/// One stream on its way.
struct Channel {
    stream: Stream,
    mask: MaskStream,
    tail: Tail,
    /// The beginning of a line whose end is still to come.
    line: Vec<u8>,
}

impl Sink {
    /// Begins the log at `path`.
    pub fn new(path: &Path, masker: &Masker, progress: OnProgress) -> Self {
        let channel = |stream| Channel { stream, mask: masker.stream(), tail: Tail::default(), line: Vec::new() };
        Self {
            log: LogWriter::create(path),
            stdout: channel(Stream::Stdout),
            stderr: channel(Stream::Stderr),
            progress,
        }
    }

    /// Takes what was printed.
    pub fn take(&mut self, stream: Stream, bytes: &[u8]) {
        let channel = match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        };
        let mut masked = Vec::with_capacity(bytes.len());
        channel.mask.push(bytes, &mut masked);
        channel.pass(&masked, &mut self.log, &self.progress);
    }

    /// Ends the log, and gives the ends of standard output and standard error.
    pub(super) fn finish(mut self) -> (Tail, Tail) {
        for channel in [&mut self.stdout, &mut self.stderr] {
            let mut masked = Vec::new();
            channel.mask.finish(&mut masked);
            channel.pass(&masked, &mut self.log, &self.progress);
            channel.report(&[], &self.progress);
        }
        self.log.finish();
        (self.stdout.tail, self.stderr.tail)
    }

    /// Ends the log of an action that has outputs of its own.
    pub fn end(self) {
        self.finish();
    }
}

impl Channel {
    fn pass(&mut self, masked: &[u8], log: &mut LogWriter, progress: &OnProgress) {
        if masked.is_empty() {
            return;
        }
        log.write(self.stream, masked);
        self.tail.push(masked);
        let mut rest = masked;
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
