//! What the folder of an attempt says about its command. The table in [`crate::supervisor`] is this function.

use std::io;
use std::path::Path;

use crate::fault::{self, Bug};
use crate::supervisor::spool::{Lock, Spool};
use crate::supervisor::task::boot;
use crate::worker::Outcome;

/// What has become of a command.
#[derive(Debug)]
pub(super) enum Left {
    /// It has ended so.
    Ended(Outcome),
    /// It certainly has not begun, nor will it while this is held.
    NotBegun(Lock),
    /// Nobody knows, and no supervisor lives. What is left of it may still run.
    Unknown(String),
}

/// Looks at the folder of an attempt. `None`: its supervisor lives.
///
/// `this_boot`: whether the attempt was granted since the machine was started, for a folder that does not say so itself.
///
/// # Errors
/// The folder cannot be read.
pub(super) fn left(spool: &Spool, log: &Path, this_boot: bool) -> io::Result<Option<Left>> {
    if let Some(ended) = ended(spool) {
        return Ok(Some(ended));
    }
    let lock = spool.lock()?;
    if matches!(lock, Lock::Held) {
        return Ok(None);
    }
    // It may have been written since the first look; now nobody is left to write it.
    if let Some(ended) = ended(spool) {
        return Ok(Some(ended));
    }
    let is_of_this_boot = spool.boot().map_or(this_boot, |written| written == boot());
    if !is_of_this_boot && !fault::planted(Bug::OtherBootIgnored) {
        return Ok(Some(Left::Unknown("the machine was started anew while the command ran".to_owned())));
    }
    // The log is looked at too, so that no single file that somebody removes makes a command begin twice.
    if (spool.has_begun()? || log.try_exists()?) && !fault::planted(Bug::BegunIgnored) {
        return Ok(Some(Left::Unknown("the supervisor of the command was killed".to_owned())));
    }
    Ok(Some(Left::NotBegun(lock)))
}

fn ended(spool: &Spool) -> Option<Left> {
    if fault::planted(Bug::ExitIgnored) {
        return None;
    }
    spool.exit().map(|exit| exit.map_or_else(|no| Left::Unknown(no.to_string()), Left::Ended))
}
