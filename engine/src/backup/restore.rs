//! Makes a data folder from a backup.
//!
//! The folder that the backup is of may live on, with supervisors and workers that hold tokens; so every open run is told
//! first that it was restored: its tokens are raised beyond any that the other folder may give out, and the attempts that
//! were running have an unknown outcome, with which their effect deals. Only then the folder takes its name.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use lockstep_dsl::expr::Sandbox;

use super::{BackupError, LABEL, Label, copy};
use crate::clock::SystemClock;
use crate::driver::{Driver, Places};
use crate::eval::Evaluator;
use crate::fault::{self, Point};
use crate::store::OpenError;
use crate::store::files::{self, cannot};
use crate::store::folder::{FORMAT_FILE, Folder, format_text};

/// Makes the new or empty folder `data` from a whole backup. Nothing is started: open runs are interrupted.
///
/// # Errors
/// The place is not free, the backup is not whole or damaged, or the disk fails. What was begun lies beside `data` under
/// a name that begins with it and ends with `.restoring`.
pub fn restore(backup: &Path, data: &Path) -> Result<Label, BackupError> {
    let label = Label::read(backup)?;
    if !copy::names(data)?.is_empty() {
        return Err(BackupError::Occupied(data.display().to_string()));
    }
    let begun = data.with_extension("restoring");
    if begun.exists() {
        fs::remove_dir_all(&begun).map_err(cannot("cannot remove", &begun))?;
    }
    copy::folder(backup, &begun)?;
    let copied_label = begun.join(LABEL);
    fs::remove_file(&copied_label).map_err(cannot("cannot remove", &copied_label))?;
    let format = begun.join(FORMAT_FILE);
    files::put_file(&begun, FORMAT_FILE, format_text().as_bytes()).map_err(cannot("cannot write", &format))?;
    tell_runs(&begun, &label)?;
    fault::at(Point::RestoreRename, || fs::rename(&begun, data)).map_err(cannot("cannot make", data))?;
    let above = data.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
    files::sync_folder(above).map_err(cannot("cannot sync", above))?;
    Ok(label)
}

fn tell_runs(data: &Path, label: &Label) -> Result<(), BackupError> {
    let folder = Folder::open(data)?;
    let places = Places { logs: folder.logs_dir(), spool: folder.spool_dir() };
    let evaluator = Evaluator::new(Arc::new(Sandbox::new(&[])));
    let mut driver = Driver::open(folder, Box::new(SystemClock::new()), evaluator, places)?;
    if driver.last().0 < label.last {
        let what = format!("it ends with record {}, and {} were taken", driver.last().0, label.last);
        return Err(BackupError::NotWhole { path: data.display().to_string(), what });
    }
    driver.tell_restored();
    driver.close([]);
    match driver.halted().or_else(|| driver.full()) {
        None => Ok(()),
        Some(why) => {
            let failed = std::io::Error::other(why.to_owned());
            Err(OpenError::Io { action: "cannot write to", path: data.display().to_string(), source: failed }.into())
        }
    }
}
