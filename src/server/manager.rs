//! What the service manager is told: systemd, or whoever listens on `NOTIFY_SOCKET` as it does. Without one nobody is told.

use std::time::Duration;

use sd_notify::NotifyState;

/// Whether, and how often, the service manager wants to hear that all is well.
#[derive(Clone, Copy, Debug)]
pub struct Watchdog(Option<Duration>);

impl Watchdog {
    /// As whoever started this process has asked.
    pub fn of_environment() -> Self {
        Self(sd_notify::watchdog_enabled())
    }

    /// How long it waits before it ends this process, where it does.
    pub const fn patience(self) -> Option<Duration> {
        self.0
    }

    /// The engine has answered.
    pub fn alive(self) {
        if self.0.is_some() {
            tell(&[NotifyState::Watchdog]);
        }
    }
}

/// The server is up, or has read its runbooks again.
pub fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// The runbooks are being read again.
pub fn reloading() {
    let mut states = vec![NotifyState::Reloading];
    // A manager that asks for the time takes what came after it for the end of the reload.
    states.extend(NotifyState::monotonic_usec_now().ok());
    states.push(NotifyState::Status("reading the runbooks"));
    tell(&states);
}

/// The server goes.
pub fn stopping() {
    tell(&[NotifyState::Stopping, NotifyState::Status("stopping")]);
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "the service manager cannot be told how the server is");
    }
}
