//! Says when the folder of runbooks may have changed.
//!
//! The kernel says so of every file below it; changes that come together are told of once. Where it cannot (too many
//! watches, a network file system) the folder is looked at every minute, as it is in any case.

use std::path::Path;
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

/// How long nothing must happen before a change counts as whole.
const QUIET: Duration = Duration::from_millis(200);

/// How long a folder that never comes to rest is waited for.
const LONGEST: Duration = Duration::from_secs(2);

/// Between two looks at the folder, whatever the kernel says.
const RESCAN: Duration = Duration::from_mins(1);

/// Tells of changes. Dropping it ends the watching.
#[derive(Debug)]
pub struct Changes {
    heard: mpsc::Receiver<()>,
    rescan: tokio::time::Interval,
    /// Nothing is heard any more when it goes.
    _watcher: Option<RecommendedWatcher>,
}

/// Watches a folder and all below it.
pub fn watch(folder: &Path) -> Changes {
    let (tell, heard) = mpsc::channel(1);
    let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        // That somebody reads a file is no change. One that waits to be heard already stands for this one too.
        if event.is_ok_and(|event| !event.kind.is_access()) {
            let _ = tell.try_send(());
        }
    });
    let watching = watcher.and_then(|mut watcher| {
        watcher.watch(folder, RecursiveMode::Recursive)?;
        Ok(watcher)
    });
    let watcher = watching
        .inspect_err(|error| {
            tracing::warn!(folder = %folder.display(), %error, "changes are seen within a minute, not at once");
        })
        .ok();
    let mut rescan = interval_at(Instant::now() + RESCAN, RESCAN);
    rescan.set_missed_tick_behavior(MissedTickBehavior::Delay);
    Changes { heard, rescan, _watcher: watcher }
}

impl Changes {
    /// Ends when something may have changed, and is whole.
    pub async fn next(&mut self) {
        tokio::select! {
            Some(()) = self.heard.recv() => self.come_to_rest().await,
            _ = self.rescan.tick() => {}
        }
    }

    async fn come_to_rest(&mut self) {
        let longest = Instant::now() + LONGEST;
        while Instant::now() < longest {
            match tokio::time::timeout(QUIET, self.heard.recv()).await {
                Ok(Some(())) => {}
                Ok(None) | Err(_) => return,
            }
        }
    }
}
