//! Mends what can be mended without loss.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use lockstep_dsl::expr::Sandbox;

use super::accept::settle;
use crate::clock::SystemClock;
use crate::driver::{Driver, Places};
use crate::eval::Evaluator;
use crate::host::sweep_spool;
use crate::id::Lsn;
use crate::store::base::{BaseFolder, KEPT_BASES};
use crate::store::files::{self, cannot};
use crate::store::folder::{Folder, bases_in};
use crate::store::image::SET_ASIDE;
use crate::store::{Frames as _, OpenError, StoredBases as _};

/// Takes the folder and puts it in order: what was not finished is removed, what is left of attempts that are over too,
/// a checkpoint that cannot be used is made anew, and nobody but the owner keeps rights. Starts nothing.
///
/// # Errors
/// The folder is held by another process, or its journal is damaged; then nothing that was stored has been changed.
pub fn repair(path: &Path) -> Result<(), OpenError> {
    put_in_order(path, false)
}

/// The same, and with `anew` the bases are made anew whatever they hold.
pub(super) fn put_in_order(path: &Path, anew: bool) -> Result<(), OpenError> {
    // Opening it removes what was not finished, in the folder of blobs and in the journal's.
    let folder = Folder::open(path)?;
    settle(folder.layout())?;
    files::remove_unfinished(path).map_err(cannot("cannot clean", path))?;
    let places = Places { logs: folder.logs_dir(), spool: folder.spool_dir() };
    let aside = folder.layout().state().with_extension(SET_ASIDE);
    // Indexes of segments, and the note of what was dropped; both handles are fenced by the driver's.
    let mut log = folder.log()?;
    log.mend()?;
    let sound = !anew && are_sound(&bases_in(folder.layout()), log.oldest())?;
    drop(log);
    let evaluator = Evaluator::new(Arc::new(Sandbox::new(&[])));
    let mut driver = Driver::open(folder, Box::new(SystemClock::new()), evaluator, places)?;
    // Also what a start need not read must be whole, and checkpointed where it was.
    driver.read_all()?;
    if !sound {
        // With two new ones nobody needs an older one.
        (0..KEPT_BASES).for_each(|_| drop(driver.make_base()));
    }
    sweep_spool(&mut driver);
    driver.close([]);
    drop(driver);
    if aside.exists() {
        fs::remove_dir_all(&aside).map_err(cannot("cannot remove", &aside))?;
    }
    fs::set_permissions(path, fs::Permissions::from_mode(0o700)).map_err(cannot("cannot change the rights of", path))
}

/// Whether every base can be read, and there are enough where the journal needs them.
fn are_sound(bases: &BaseFolder, oldest: Lsn) -> Result<bool, OpenError> {
    let list = bases.list()?;
    let enough = oldest == Lsn(1) || list.len() >= KEPT_BASES;
    Ok(enough && list.iter().all(|base| bases.verify(base.lsn).is_ok()))
}
