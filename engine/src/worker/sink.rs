//! Where an attempt's output goes: masked, into the log, the outputs and the progress that people watch.

use std::path::Path;

use super::learned::WITHHELD;
use super::lines::Lines;
use super::log::LogWriter;
use super::mask::{MaskStream, Masker};
use super::output::Tail;
use super::{OnProgress, Stream};

/// Takes what an attempt prints, in whatever chunks, and in bounded memory.
pub struct Sink {
    log: LogWriter,
    stdout: Channel,
    stderr: Channel,
    /// `None` when whoever watches reads the log.
    progress: Option<OnProgress>,
    masker: Masker,
    /// What is printed goes nowhere but into the outputs, and there as it is.
    withholds: bool,
}

/// One stream on its way.
struct Channel {
    stream: Stream,
    mask: MaskStream,
    tail: Tail,
    lines: Lines,
}

impl Sink {
    /// Begins the log at `path`, and reports every line as it comes.
    pub fn new(path: &Path, masker: &Masker, progress: OnProgress) -> Self {
        Self { progress: Some(progress), ..Self::silent(path, masker) }
    }

    /// Begins the log at `path`, which others may follow.
    pub(crate) fn silent(path: &Path, masker: &Masker) -> Self {
        let channel =
            |stream| Channel { stream, mask: masker.stream(), tail: Tail::default(), lines: Lines::new(stream) };
        Self {
            log: LogWriter::create(path),
            stdout: channel(Stream::Stdout),
            stderr: channel(Stream::Stderr),
            progress: None,
            masker: masker.clone(),
            withholds: false,
        }
    }

    /// The same for an attempt whose result is withheld: nothing that it prints is logged or shown, and its outputs hold it
    /// unmasked, for whoever takes them apart.
    #[must_use]
    pub fn withholding(mut self) -> Self {
        self.withholds = true;
        for channel in [&mut self.stdout, &mut self.stderr] {
            channel.mask = MaskStream::nothing();
        }
        self.say(WITHHELD);
        self
    }

    /// Whether what is printed is withheld.
    pub const fn withholds(&self) -> bool {
        self.withholds
    }

    /// Logs what is said of the attempt, not by it.
    pub fn say(&mut self, text: &str) {
        if !self.withholds {
            return self.take(Stream::Stderr, text.as_bytes());
        }
        let masked = self.masker.bytes(text.as_bytes());
        self.log.write(Stream::Stderr, &masked);
        if let Some(progress) = &self.progress {
            self.stderr.lines.push(&masked, progress);
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
        if self.withholds {
            channel.tail.push(&masked);
        } else {
            channel.pass(&masked, &mut self.log, self.progress.as_ref());
        }
    }

    /// Ends the log, and gives the ends of standard output and standard error.
    pub(crate) fn finish(mut self) -> (Tail, Tail) {
        for channel in [&mut self.stdout, &mut self.stderr] {
            let mut masked = Vec::new();
            channel.mask.finish(&mut masked);
            channel.pass(&masked, &mut self.log, self.progress.as_ref());
            if let Some(progress) = &self.progress {
                channel.lines.finish(progress);
            }
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
    fn pass(&mut self, masked: &[u8], log: &mut LogWriter, progress: Option<&OnProgress>) {
        if masked.is_empty() {
            return;
        }
        log.write(self.stream, masked);
        self.tail.push(masked);
        if let Some(progress) = progress {
            self.lines.push(masked, progress);
        }
    }
}
