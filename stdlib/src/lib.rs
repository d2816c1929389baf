//! The standard library: actions in Rust behind the engine's one trait, and what they need to be installed once.
//!
//! An action knows its attempt and nothing else: no graph, no store, no other attempt.

pub mod http;

use std::sync::Arc;

use lockstep_engine::worker::Action;

/// All actions of the standard library.
pub fn actions() -> Vec<Arc<dyn Action>> {
    vec![Arc::new(http::Http::new())]
}

/// Chooses the provider of cryptography for TLS. `main` calls it first thing; a second call changes nothing.
pub fn install_tls() {
    // An error says that one is installed already, which is all that is asked for.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
