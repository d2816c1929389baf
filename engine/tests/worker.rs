//! Attempts of real commands, as the driver would start them.

#[path = "worker/payloads.rs"]
mod payloads;
#[path = "worker/support.rs"]
mod support;

#[path = "worker/environment.rs"]
mod environment;
#[path = "worker/injection.rs"]
mod injection;
#[path = "worker/leftovers.rs"]
mod leftovers;
#[path = "worker/outcomes.rs"]
mod outcomes;
#[path = "worker/output.rs"]
mod output;
#[path = "worker/ready.rs"]
mod ready;
#[path = "worker/recovery.rs"]
mod recovery;
#[path = "worker/stopping.rs"]
mod stopping;
#[path = "worker/workers.rs"]
mod workers;
