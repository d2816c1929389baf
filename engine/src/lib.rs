//! The durable engine: a pure core, the driver that turns it, the store and the workers.
//!
//! Data flows one way: inputs → [`core`] → one frame → the journal → effects. `core` does no I/O.

pub mod api;
pub mod backup;
pub mod clock;
pub mod core;
pub mod doctor;
pub mod driver;
pub mod encode;
pub mod eval;
pub mod fault;
pub mod host;
pub mod id;
pub mod limits;
mod random;
pub mod rehearsal;
#[cfg(feature = "proof")]
pub mod sim;
pub mod store;
pub mod supervisor;
pub mod view;
pub mod worker;
