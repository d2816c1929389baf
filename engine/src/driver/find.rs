//! Finds runs by the names that people give, wherever they are kept.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Driver;
use super::backing::Backing;
use super::checkpoint::{SUMMARY_PREFIX, run_key, summary_key};
use super::entry::RunEntry;
use super::past::{Library, PastError, Summary};
use super::pending::Pending;
use super::removal::{or_removed, too_old};
use crate::api::{Refusal, RefusalKind};
use crate::core::run::{Definition, Run};
use crate::encode::decode;
use crate::id::RunId;
use crate::store::{Frames, Image, ImageError, Order};

impl<B: Backing> Driver<B> {
    /// The run that a unique prefix of its id, or `last`, names.
    pub(super) fn named(&mut self, name: &str) -> Result<RunId, Refusal> {
        let whole = if name == "last" { self.positions.newest } else { name.parse().ok() };
        if let Some(run) = whole.and_then(|id| self.run(id))
            && (name != "last" || run.caller.is_none())
        {
            return Ok(run.id);
        }
        self.catch_up()?;
        if name == "last" {
            if let Some(id) = self.newest() {
                return Ok(self.asked_for(id));
            }
            return Err(refusal("there is no run yet".to_owned()));
        }
        let mut ids: BTreeSet<RunId> = self.state.ids().chain(self.interrupted.keys().copied()).collect();
        if let Some(prefix) = RunId::parse_prefix(name) {
            let scanned = self.ask_image(|image| {
                image.scan(&summary_key(&prefix), Order::Up, &mut |key, _| {
                    let id = key.get(SUMMARY_PREFIX.len()..).and_then(|id| std::str::from_utf8(id).ok());
                    ids.extend(id.and_then(|id| id.parse::<RunId>().ok()));
                    true
                })
            });
            scanned.map_err(|error| unreadable(&error))?;
        }
        let left = ids.into_iter().filter(|id| !self.is_removed(*id));
        choose(name, left).map_err(|refusal| or_removed(refusal, name, self.positions.removed))
    }

    /// The run with the highest id that is there.
    fn newest(&mut self) -> Option<RunId> {
        let newest = self.positions.newest?;
        if self.has(newest) || !matches!(self.stored_summary(newest), Err(PastError::Missing { .. })) {
            return Some(newest);
        }
        // It was removed.
        let mut left = self.state.ids().chain(self.interrupted.keys().copied()).max();
        let removed: BTreeSet<RunId> = self.removed_lately().flatten().copied().collect();
        let scanned = self.image.scan(SUMMARY_PREFIX, Order::Down, &mut |_, bytes| {
            let row = decode::<Summary>(bytes).ok().map(|summary| summary.row.id).filter(|id| !removed.contains(id));
            left = left.max(row);
            row.is_none()
        });
        scanned.ok().and(left)
    }

    /// The run that somebody asked for: this one, or the one that called it, at first or in the end.
    fn asked_for(&mut self, mut id: RunId) -> RunId {
        loop {
            let caller = match self.run(id) {
                Some(run) => run.caller.map(|caller| caller.run),
                None => self.stored_summary(id).ok().and_then(|summary| summary.row.caller),
            };
            match caller {
                Some(caller) => id = caller,
                None => return id,
            }
        }
    }

    /// Whether a run of this id was ever created.
    ///
    /// # Errors
    /// The store cannot tell.
    pub(super) fn exists(&mut self, id: RunId) -> Result<bool, Refusal> {
        if self.has(id) {
            return Ok(true);
        }
        // Most are newer than all that were there at opening, and nothing need be read for them.
        if let Some(known) = self.started.knows(id) {
            return Ok(known);
        }
        self.catch_up()?;
        if self.has(id) {
            return Ok(true);
        }
        let row = self.ask_image(|image| image.get(&summary_key(&id.to_string())));
        let is_listed = row.map_err(|error| unreadable(&error))?.is_some();
        match is_listed && !self.is_removed(id) {
            false if Some(id) <= self.positions.removed => Err(too_old(id)),
            exists => Ok(exists),
        }
    }

    /// A run that ended and was let go of: from the image, where its records are not all kept, else from its records.
    pub(super) fn stored_run(&mut self, id: RunId) -> Result<Run, PastError> {
        let Summary { span, definition, .. } = self.stored_summary(id)?;
        let bytes = self.ask_image(|image| image.get(&run_key(id)))?;
        let kept = bytes.as_deref().and_then(|bytes| RunEntry::decode(bytes).ok());
        let oldest = self.log.oldest();
        if kept.is_none() && span.first < oldest {
            return Err(PastError::Dropped { run: id, oldest: oldest.0 });
        }
        let library = self.library();
        match kept {
            Some(kept) => {
                let graph = library.definition(id, &definition)?;
                Ok(kept.into_kept(&Definition::new(definition, graph)).into_run())
            }
            None => library.retell(id, span, &mut |_, _, _, _| {}),
        }
    }

    /// Whether a run that was let go of is kept as it was, since its records are not.
    pub(super) fn is_kept(&mut self, id: RunId) -> Result<bool, ImageError> {
        Ok(self.ask_image(|image| image.get(&run_key(id)))?.is_some())
    }

    /// What is kept of a run that was let go of.
    pub(super) fn stored_summary(&mut self, id: RunId) -> Result<Summary, PastError> {
        let bytes = self.ask_image(|image| image.get(&summary_key(&id.to_string())))?;
        let bytes = bytes.filter(|_| !self.is_removed(id));
        let summary = bytes.and_then(|bytes| decode(&bytes).ok());
        summary.ok_or_else(|| PastError::Missing { run: id, what: "it is not in the checkpoint".to_owned() })
    }

    /// Takes a run that ended back into the state, for something that is asked of it.
    pub(super) fn readmit(&mut self, id: RunId) -> Result<(), PastError> {
        if self.state.has(id) {
            return Ok(());
        }
        let run = self.stored_run(id)?;
        let Summary { span, .. } = self.stored_summary(id)?;
        self.positions.runs.insert(id, span);
        if self.state.definition(&run.definition).is_none() {
            self.state.define(run.definition.clone(), Arc::clone(&run.graph));
        }
        self.state.admit(run);
        Ok(())
    }

    /// Asks the image. If that has failed it is filled anew, so that whoever reads is answered as long as the journal can
    /// be read.
    pub(super) fn ask_image<R>(
        &mut self,
        mut question: impl FnMut(&mut Pending<B::Image>) -> Result<R, ImageError>,
    ) -> Result<R, ImageError> {
        match question(&mut self.image) {
            Err(_) if self.refill_image() => question(&mut self.image),
            answer => answer,
        }
    }

    /// Lets go of a run again that was only taken in to be asked. One that the image is yet to hold goes with the next
    /// checkpoint.
    pub(super) fn put_back(&mut self, id: RunId) {
        if self.dirty.runs.contains(&id) {
            return;
        }
        if let Some(run) = self.state.release(id) {
            self.positions.runs.remove(&id);
            if !self.positions.uses.contains_key(&run.definition) {
                self.state.undefine(&run.definition);
            }
        }
    }

    /// Where what is told of runs that are not in memory is looked up.
    pub(super) const fn library(&self) -> Library<'_> {
        Library { frames: &self.log, state: &self.state, positions: &self.positions }
    }
}

/// The one of these runs that a name means.
///
/// # Errors
/// None or several of them.
pub(crate) fn choose(name: &str, ids: impl IntoIterator<Item = RunId>) -> Result<RunId, Refusal> {
    if name == "last" {
        return ids.into_iter().max().ok_or_else(|| refusal("there is no run yet".to_owned()));
    }
    let Some(prefix) = RunId::parse_prefix(name) else {
        return Err(refusal(format!("`{name}` is not the id of a run, a prefix of one, or `last`")));
    };
    let mut found = ids.into_iter().filter(|id| id.to_string().starts_with(&prefix));
    let Some(first) = found.next() else { return Err(refusal(format!("there is no run `{name}`"))) };
    let Some(second) = found.next() else { return Ok(first) };
    let more = if found.next().is_some() { ", ..." } else { "" };
    Err(refusal(format!("`{name}` is the beginning of several runs: `{first}`, `{second}`{more}")))
}

/// The checkpoint cannot be read.
pub(super) fn unreadable(error: &ImageError) -> Refusal {
    Refusal { kind: RefusalKind::Store, message: error.to_string(), help: Vec::new() }
}

fn refusal(message: String) -> Refusal {
    Refusal { kind: RefusalKind::Invalid, message, help: Vec::new() }
}
