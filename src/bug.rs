//! Panics are our bugs: whoever meets one is told so, and what to send us.

use std::panic::{self, AssertUnwindSafe};

use lockstep_engine::store::image;

use crate::ending::{Ending, Failure};

/// From here on a panic on any thread says on standard error what it is and how to report it. On the thread of the checkpoint
/// it is what a damaged file leads to, and no bug of ours.
pub fn explain_panics() {
    panic::set_hook(Box::new(|info| {
        let message = info.payload_as_str().unwrap_or("a panic without a message").to_owned();
        if std::thread::current().name() == Some(image::THREAD) {
            // As below.
            let _ = crate::output::say(&format!(
                "warning: the checkpoint in `state` of the data folder cannot be used ({message}): it is made anew, and \
                 nothing is lost"
            ));
            return;
        }
        let place = info.location().map_or_else(String::new, |place| format!(" at {}:{}", place.file(), place.line()));
        let arguments: Vec<_> = std::env::args_os().take(2).skip(1).collect();
        // Standard error may be gone; there is nobody left to tell then.
        let _ = crate::output::say(&format!(
            "error: this is a bug in lockstep {}{place}: {message}\n\
             help: please report it with this text, what you did (`lockstep {}`), and the runbook if you can share it\n\
             help: nothing that was acknowledged is lost: `lockstep runs` lists all runs, `lockstep resume` goes on",
            env!("CARGO_PKG_VERSION"),
            arguments.first().map_or_else(String::new, |verb| verb.to_string_lossy().into_owned()),
        ));
    }));
}

/// Runs `body`; a panic in it becomes [`Failure::Bug`].
pub fn guard(body: impl FnOnce() -> Result<Ending, Failure>) -> Result<Ending, Failure> {
    panic::catch_unwind(AssertUnwindSafe(body)).unwrap_or(Err(Failure::Bug))
}
