//! The threads under a command that talks to an engine.

use crate::ending::{Ending, Failure};

/// Beside the command's own thread, so that the engine goes on while a slow reader holds up what is printed.
const WORKERS: usize = 1;

/// Runs a command to its end. What it left going on, it left on purpose: nothing is waited for.
pub fn run(command: impl Future<Output = Result<Ending, Failure>>) -> Result<Ending, Failure> {
    result(command)
}

/// The same for whatever else needs an engine beside it.
pub fn result<T>(command: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .enable_all()
        .build()
        .map_err(Failure::system("cannot start threads"))?;
    let result = runtime.block_on(command);
    runtime.shutdown_background();
    result
}

/// Waits for something small, on this thread.
pub fn block_on<T>(future: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::system("cannot wait for events"))?;
    Ok(runtime.block_on(future))
}
