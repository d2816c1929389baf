//! The engine in a process: the driver on a thread of its own, the workers beside it, and callers with a handle.
//!
//! Nothing is decided here. Requests, reports and timers become inputs of the driver's next turn; what the turn says
//! is to be done is done after it.

mod attempts;
mod budget;
mod evaluations;
mod handle;
mod mailbox;
mod meter;
mod pinned;
mod readonly;
mod retention;
mod rows;
mod secrets;
mod service;
mod space;
mod watchers;

pub use handle::{EngineHandle, Events, Options, Stopped};
pub use meter::{Figures, TURN_BUCKETS_US};
pub use readonly::ReadOnly;
pub use retention::{Keep, Storage};

pub(crate) use service::sweep_spool;

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};

use self::meter::Meter;
use self::service::Service;
use crate::clock::SystemClock;
use crate::driver::{Driver, Places};
use crate::eval::Evaluator;
use crate::limits::{EVALUATION_STACK_BYTES, MAX_WAITING_CALLS};
use crate::store::OpenError;
use crate::store::folder::Folder;
use crate::worker::Action;

/// Opens the engine over a data folder and recovers what a former one left. Attempts run on the caller's runtime.
///
/// # Errors
/// The folder is held by another process, damaged, written by a newer program, or cannot be used.
pub async fn open(options: Options) -> Result<EngineHandle, OpenError> {
    let data = options.data.display().to_string();
    let cannot = move |source| OpenError::Io { action: "cannot start the engine over", path: data.clone(), source };
    let (calls, called) = mpsc::channel(MAX_WAITING_CALLS);
    let (stop, stopped) = watch::channel(None);
    let (opened, ready) = oneshot::channel();
    let meter = Arc::new(Meter::default());
    let its_meter = Arc::clone(&meter);
    let runtime = Handle::current();
    // Syncs block, and must not hold up the caller's tasks.
    let thread = std::thread::Builder::new().name("lockstep-engine".to_owned()).stack_size(EVALUATION_STACK_BYTES);
    let own = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(&cannot)?;
    if let Some(action) = expected(&options) {
        let own = own.handle().clone();
        runtime.spawn(async move {
            let _awaited_there = own.enter();
            action.get_ready();
        });
    }
    let spawned = thread.spawn(move || match open_driver(&options) {
        Ok(driver) => {
            if opened.send(Ok(())).is_ok() {
                let runtimes = (own.handle().clone(), runtime);
                own.block_on(Service::new(driver, options, called, (stop, its_meter), runtimes).run());
            }
        }
        Err(error) => {
            // Whoever asked has gone if it cannot be told.
            let _ = opened.send(Err(error));
        }
    });
    spawned.map_err(&cannot)?;
    match ready.await {
        Ok(Ok(())) => Ok(EngineHandle { calls, stopped, meter }),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(cannot(std::io::Error::other("its thread has ended"))),
    }
}

/// The action that is to be used first.
fn expected(options: &Options) -> Option<Arc<dyn Action>> {
    let name = options.expected.as_deref()?;
    options.actions.iter().find(|action| action.name() == name).cloned()
}

fn open_driver(options: &Options) -> Result<Driver<Folder>, OpenError> {
    let folder = Folder::open(&options.data)?;
    let places = Places { logs: folder.logs_dir(), spool: folder.spool_dir() };
    Driver::open(folder, Box::new(SystemClock::new()), Evaluator::new(Arc::clone(&options.sandbox)), places)
}
