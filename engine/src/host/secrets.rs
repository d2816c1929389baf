//! What the steps of runs have learned: how long it is kept.

use crate::driver::{Backing, Driver};
use crate::id::RunId;
use crate::worker::retired::retired;

/// Whether anything may still read what a run has learned: it is open, or it did not succeed and may be retried, which
/// ends for good when its logs are removed.
pub(super) fn are_needed<B: Backing>(driver: &mut Driver<B>, run: RunId) -> bool {
    if driver.run(run).is_some_and(|run| !run.is_ended()) {
        return true;
    }
    match driver.ended(run) {
        Ok(Some((status, _))) => {
            status != "succeeded" && retired(&driver.places().logs.join(run.to_string())).is_none()
        }
        Ok(None) => false,
        Err(error) => {
            tracing::warn!(%run, %error, "whether a run has ended cannot be found out, and what it has learned is kept");
            true
        }
    }
}
