//! The runbooks that a server knows by name, and that keep the last version that was good.
//!
//! A change of the folder is taken in as a whole: every runbook is compiled, and what is broken keeps running as it was
//! before, loudly. Of what is good a copy lies in the data folder ([`shelf`]), so that this holds across restarts too.

mod load;
mod shelf;
mod watch;

pub use load::{Broken, Library, Loaded};
pub use shelf::{Book, find};
pub use watch::{Changes, watch};
