//! Tells open runs that their folder was restored from a backup.

use super::Driver;
use super::backing::Backing;
use super::batch::Batch;
use super::effect::Turn;
use crate::core::Command;
use crate::core::run::Input;
use crate::id::{Lsn, RunId};

impl<B: Backing> Driver<B> {
    /// The last durable record.
    pub const fn last(&self) -> Lsn {
        self.last
    }

    /// Raises the tokens of every open run, and gives up the attempts that were running when the backup was taken: no
    /// report of them will ever be believed. Nothing is started; what follows is left to whoever resumes the runs.
    pub fn tell_restored(&mut self) {
        let open: Vec<RunId> = self.interrupted().collect();
        self.now = self.clock.now(Some(&self.now));
        for id in open {
            let mut batch = Batch::default();
            self.take_up(id, &mut batch);
            batch.recovered.clear();
            if let Err(why) = self.decide(Command::Run(id, Input::Restored), &mut batch) {
                tracing::error!(run = %id, %why, "a run cannot be told that it was restored");
            }
            self.commit(batch, &mut Turn::default());
        }
    }
}
