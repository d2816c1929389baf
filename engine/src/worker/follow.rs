//! Follows the log of an attempt that another process writes, and reports its lines.

use std::path::PathBuf;

use super::OnProgress;
use super::Stream;
use super::limits::FOLLOWED_ENTRIES;
use super::lines::Lines;
use super::log::{Event, LogReader};

/// A place in a log that grows.
pub(super) struct Follower {
    path: PathBuf,
    /// `None` until the log is there.
    reader: Option<LogReader>,
    stdout: Lines,
    stderr: Lines,
    progress: OnProgress,
}

impl Follower {
    /// At the beginning of a log, which need not be there yet.
    pub fn new(path: PathBuf, progress: OnProgress) -> Self {
        let (stdout, stderr) = (Lines::new(Stream::Stdout), Lines::new(Stream::Stderr));
        Self { path, reader: None, stdout, stderr, progress }
    }

    /// Passes over what is there already: whoever watched has seen it.
    pub async fn skip(&mut self) {
        let progress = std::mem::replace(&mut self.progress, std::sync::Arc::new(|_| {}));
        self.follow().await;
        self.progress = progress;
    }

    /// Reports what has been written since. What cannot be read is not seen; the log itself is not harmed by that.
    pub async fn follow(&mut self) {
        loop {
            let mut seen = 0;
            while let Some(event) = self.next() {
                match event {
                    Event::Output { stream: Stream::Stdout, bytes } => self.stdout.push(&bytes, &self.progress),
                    Event::Output { stream: Stream::Stderr, bytes } => self.stderr.push(&bytes, &self.progress),
                    Event::Dropped(_) | Event::Lost(_) => {}
                    Event::End => {
                        self.stdout.finish(&self.progress);
                        self.stderr.finish(&self.progress);
                    }
                }
                seen += 1;
                if seen == FOLLOWED_ENTRIES {
                    break;
                }
            }
            if seen < FOLLOWED_ENTRIES {
                return;
            }
            tokio::task::yield_now().await;
        }
    }

    fn next(&mut self) -> Option<Event> {
        if self.reader.is_none() {
            self.reader = LogReader::open(&self.path).ok();
        }
        self.reader.as_mut()?.next_entry().ok().flatten().map(|entry| entry.event)
    }
}
