//! On which terms a host lets guests in.

use std::time::Duration;

/// Guests that are answered at the same time; more wait until one of these has gone.
pub const MAX_GUESTS: usize = 1024;

/// How long a host that ends waits for guests to read what is theirs. A guest that is late asks the next host.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// On which terms a host lets guests in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Whether it stays when nothing goes on, and is started again by others when it goes.
    pub serves: bool,
    /// The group beside its own user that may ask.
    pub group: Option<u32>,
    /// How long it waits, once it ends, for guests to read what is theirs.
    pub last_words: Duration,
}

impl Default for Terms {
    /// Those of a command that carries the runs of others beside its own.
    fn default() -> Self {
        Self { serves: false, group: None, last_words: LAST_WORDS }
    }
}
