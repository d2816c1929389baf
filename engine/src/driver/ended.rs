//! What became of runs that have ended, for those who clear up after them.

use lockstep_dsl::value::Timestamp;

use super::Driver;
use super::backing::Backing;
use crate::id::RunId;
use crate::store::OpenError;
use crate::view::run_row;

impl<B: Backing> Driver<B> {
    /// How and when a run has ended; `None` of one that is open, or not known. Reads what was left unread at opening.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn ended(&mut self, id: RunId) -> Result<Option<(String, Timestamp)>, OpenError> {
        if self.run(id).is_none() {
            self.read_all()?;
        }
        let row = match self.run(id) {
            Some(run) => Some(run_row(&run, false)),
            None => self.stored_summary(id).ok().map(|summary| summary.row),
        };
        Ok(row.and_then(|row| Some((row.status, row.ended?))))
    }
}
