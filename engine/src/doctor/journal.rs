//! The journal, frame by frame from its beginning, and what follows from it.

use std::collections::BTreeSet;
use std::path::Path;

use super::finding::{Part, Report};
use crate::core::run::{Loss, Record, Run, Subject};
use crate::driver::fold::{Break, Broken};
use crate::driver::past::Library;
use crate::driver::recovery::{decode_record, load_base};
use crate::driver::whole::Whole;
use crate::id::{Lsn, RunId};
use crate::store::folder::open_read_only;
use crate::store::journal::{Reader, name_runs};
use crate::store::{Frame, Frames, Layout, OpenError};

const MENDED: &str = "nothing of the history is lost: `lockstep doctor --repair` makes it anew";
const DAMAGED: &str =
    "put a backup in its place; where there is none, `lockstep doctor --accept-loss` keeps what is left";

const ACCEPTED: &str = "what was damaged is kept there as it was: remove it when nobody wants to look into it any more";

/// What the journal says.
pub(super) struct Truth {
    /// Every run: in its state, open or ended, those of which the journal holds all records; of the others that have ended
    /// a summary.
    pub whole: Whole,
    /// Its frames; `None` before it was read.
    journal: Option<Reader>,
    /// The last record.
    pub last: Lsn,
    /// The oldest record that is kept.
    pub oldest: Lsn,
    /// What it says of checkpoints: position, generation, digest.
    pub checkpoints: BTreeSet<(Lsn, u64, [u8; 32])>,
}

impl Truth {
    /// Reads all of it; `None` if it cannot be read to its end, which is a finding.
    ///
    /// # Errors
    /// Nothing was stored there yet, or it is of a newer program.
    pub fn read(layout: &Layout, report: &mut Report) -> Result<Option<Self>, OpenError> {
        let mut truth =
            Self { whole: Whole::default(), journal: None, last: Lsn(0), oldest: Lsn(1), checkpoints: BTreeSet::new() };
        let mut broken = Broken::new();
        match truth.take_all(layout, &mut broken, report) {
            Ok(()) => {}
            Err(OpenError::Damaged { path, offset, what }) => {
                // What else is wrong with that file follows from it.
                report.findings.retain(|finding| finding.path != Path::new(&path));
                let what = format!("{what}; {} records before it are whole", truth.last.0);
                report.damage(Part::Journal, Path::new(&path), offset, what, DAMAGED);
                return Ok(None);
            }
            Err(OpenError::Io { action, path, source }) if source.kind() != std::io::ErrorKind::NotFound => {
                let what = format!("{action} it: {source}");
                report.damage(Part::Journal, Path::new(&path), 0, what, "let lockstep read the file, or mend the disk");
                return Ok(None);
            }
            Err(error @ (OpenError::Io { .. } | OpenError::Newer { .. } | OpenError::Locked { .. })) => {
                return Err(error);
            }
        }
        for run in broken.iter().filter(|(_, why)| matches!(why, Break::Bug(_))).map(|(run, _)| run) {
            let what = format!("a record of run {run} cannot be applied: the run is quarantined, the others go on");
            report.damage(Part::Journal, &layout.journal(), 0, what, "this is a bug of lockstep: please report it");
        }
        for run in truth.whole.state.runs() {
            report.checked.runs += 1;
            report.checked.open += u64::from(!run.is_ended());
        }
        Ok(Some(truth))
    }

    /// A run that had ended before the base, as its records tell it; `None` where they are not all kept.
    pub fn past_run(&self, id: RunId) -> Option<Run> {
        let (journal, summary) = (self.journal.as_ref()?, self.whole.past.get(&id)?);
        let library = Library { frames: journal, state: &self.whole.state, positions: &self.whole.positions };
        let graph = library.definition(id, &summary.definition).ok()?;
        let kept = self.whole.kept(id, &graph);
        kept.or_else(|| library.retell(id, summary.span, &mut |_, _, _, _| {}).ok())
    }

    fn take_all(&mut self, layout: &Layout, broken: &mut Broken, report: &mut Report) -> Result<(), OpenError> {
        let folder = open_read_only(layout.path())?;
        let oldest = folder.journal.oldest();
        self.oldest = oldest;
        if report.holder.is_none() {
            examine_beside(&folder.journal, report);
        }
        // Where the journal's beginning was dropped, a base stands for it.
        let base = if oldest == Lsn(1) { None } else { load_base(&folder.bases, &folder.journal)? };
        let (base, opening) = base.unwrap_or_default();
        self.whole = Whole::after(opening);
        let from = Lsn(base.0 + 1);
        let (mut failed, mut losses) = (None, Vec::new());
        folder.journal.read(oldest, &mut |frame| {
            let folds = frame.last() >= from;
            let taken = if folds { self.whole.fold(&folder.journal, broken, &frame, from).map(drop) } else { Ok(()) };
            let taken = taken.and_then(|()| self.take_checkpoints(&frame, &mut losses));
            report.checked.frames += 1;
            report.checked.records += frame.records.len() as u64;
            self.last = frame.last();
            report.last = self.last.0;
            failed = taken.err();
            failed.is_none()
        })?;
        if failed.is_none() && losses.iter().any(|loss| loss.last > base) {
            // A base behind the loss knows what became of the runs.
            self.whole = Whole::read(&folder.bases, &folder.journal)?;
        }
        for loss in losses {
            report.note(Part::Journal, &layout.path().join(&loss.kept), describe(&loss), ACCEPTED);
        }
        self.journal = Some(folder.journal);
        failed.map_or(Ok(()), Err)
    }

    fn take_checkpoints(&mut self, frame: &Frame, losses: &mut Vec<Loss>) -> Result<(), OpenError> {
        // Both stand first in a frame of their own, and the one of a checkpoint alone.
        let [bytes, rest @ ..] = frame.records.as_slice() else { return Ok(()) };
        if Subject::of(bytes) != Some(Subject::Everything) && !rest.is_empty() {
            return Ok(());
        }
        match decode_record(frame.first, bytes)? {
            Record::Checkpointed { lsn, generation, digest } => {
                self.checkpoints.insert((lsn, generation, digest));
            }
            Record::Lost { loss: Some(loss) } => losses.push(*loss),
            Record::Lost { loss: None }
            | Record::Defined { .. }
            | Record::Created { .. }
            | Record::Changed { .. }
            | Record::Scheduled { .. }
            | Record::SchedulesHeld { .. }
            | Record::Rested { .. }
            | Record::Removed { .. } => {}
        }
        Ok(())
    }
}

/// What was lost, and of which runs.
fn describe(loss: &Loss) -> String {
    let of = name_runs(&loss.runs);
    let of = if of.is_empty() { of } else { format!("; they are, or may be,{of}") };
    format!("{}: {}{of}", loss.describe(), loss.what)
}

/// What lies beside the frames and follows from them: indexes of sealed segments, and the note of what was dropped. A
/// process that holds the folder may be writing either.
fn examine_beside(journal: &Reader, report: &mut Report) {
    let wrong = journal.dropped().err().into_iter().chain(journal.verify_sealed());
    for error in wrong {
        match error {
            OpenError::Damaged { path, offset, what } => {
                report.mendable(Part::Journal, Path::new(&path), format!("{what} (at byte {offset})"), MENDED);
            }
            error @ (OpenError::Io { .. } | OpenError::Newer { .. } | OpenError::Locked { .. }) => {
                report.note(Part::Journal, report.data.clone().as_path(), error.to_string(), "let lockstep read it");
            }
        }
    }
}
