//! The standard library: actions in Rust behind the engine's one trait, what they need to be installed once, and the
//! modules that runbooks import.
//!
//! An action knows its attempt and nothing else: no graph, no store, no other attempt. A function of a module knows its
//! arguments.

pub mod http;
mod limits;
mod modules;

pub use modules::MODULES;

use std::sync::Arc;

use lockstep_dsl::expr::Sandbox;
use lockstep_engine::worker::Action;

/// All actions of the standard library.
pub fn actions() -> Vec<Arc<dyn Action>> {
    vec![Arc::new(http::Http::new())]
}

/// What reads expressions, with all modules of the standard library.
pub fn sandbox() -> Sandbox {
    Sandbox::new(&MODULES)
}

/// Chooses the provider of cryptography for TLS. `main` calls it first thing; a second call changes nothing.
pub fn install_tls() {
    // An error says that one is installed already, which is all that is asked for.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
