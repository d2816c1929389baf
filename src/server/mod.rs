//! `lockstep serve`: a host that stays.
//!
//! It opens the engine over the data folder, takes up what was cut off, and answers on the folder's socket until it is told
//! to stop. What it is told (signals) and what happens to it (the engine has stopped) meet in one loop.
//!
//! It never ends a command: those live on under their supervisors, also when it is killed.

mod signals;

use std::time::Duration;

use crate::config;
use crate::context::Context;
use crate::ending::{Ending, Failure};
use crate::host::{Holding, Terms};
use crate::runtime;

use self::signals::{Signals, Word};

/// Serves the data folder until it is told to stop.
pub fn serve(context: &Context) -> Result<Ending, Failure> {
    let data = context.data()?;
    runtime::run(async {
        let mut signals = Signals::listen()?;
        let terms = terms(&config::read(data)?.server);
        let holding = tokio::select! {
            holding = Holding::take(data, terms) => holding?,
            () = signals.stop() => return Ok(Ending::Succeeded),
        };
        tracing::info!(
            data = %data.display(),
            pid = std::process::id(),
            version = env!("CARGO_PKG_VERSION"),
            "ready: serving the data folder"
        );
        let serving = stay(&holding, &mut signals).await;
        let closed = tokio::select! {
            closed = holding.close() => closed,
            () = signals.stop() => {
                tracing::warn!("stopped at once; nothing that was acknowledged is lost");
                return Ok(Ending::StillOpen);
            }
        };
        serving.and(closed)?;
        tracing::info!("stopped; commands that run go on under their supervisors");
        Ok(Ending::Succeeded)
    })
}

/// On which terms other commands are let in.
fn terms(server: &config::Server) -> Terms {
    let Terms { last_words, .. } = Terms::default();
    let last_words = server.drain.map_or(last_words, |drain| Duration::from_millis(drain.0));
    Terms { serves: true, group: server.socket_group, last_words }
}

/// Ends when the server is to stop, or has to.
async fn stay(holding: &Holding, signals: &mut Signals) -> Result<(), Failure> {
    loop {
        tokio::select! {
            word = signals.next() => match word {
                Word::Stop => {
                    tracing::info!("stopping: no more requests are taken");
                    return Ok(());
                }
                Word::Reload => {}
            },
            // Why it has is said when it is closed.
            _ = holding.engine().stopped() => return Ok(()),
        }
    }
}
