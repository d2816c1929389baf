//! Whether the engine is alive: asks its thread again and again, and notes when it last answered.
//!
//! Health and the service manager's watchdog hang on this and on nothing else: a process whose engine is stuck must not
//! look well.

use std::time::{Duration, Instant};

use lockstep_engine::host::EngineHandle;
use tokio::sync::watch;

use super::manager::Watchdog;

/// Between two questions; less where the service manager wants to hear more often.
const INTERVAL: Duration = Duration::from_secs(5);

/// An engine that has not answered for so many intervals is stuck.
const MISSED: u32 = 3;

/// When the engine last answered.
#[derive(Clone, Debug)]
pub struct Pulse {
    answered: watch::Receiver<Instant>,
    patience: Duration,
}

impl Pulse {
    /// Asks from here on; tells the service manager of every answer.
    pub fn start(engine: EngineHandle, watchdog: Watchdog) -> Self {
        // The manager's patience covers two that come late.
        let interval = watchdog.patience().map_or(INTERVAL, |patience| (patience / MISSED).min(INTERVAL));
        let (told, answered) = watch::channel(Instant::now());
        tokio::spawn(async move {
            // The engine answers between two turns; nothing is asked twice meanwhile.
            while engine.stats().await.is_some() {
                told.send_replace(Instant::now());
                watchdog.alive();
                tokio::time::sleep(interval).await;
            }
        });
        Self { answered, patience: interval * MISSED }
    }

    /// How long ago the engine answered, where that is too long.
    pub fn is_missed(&self) -> Option<Duration> {
        let since = self.answered.borrow().elapsed();
        (since > self.patience).then_some(since)
    }
}
