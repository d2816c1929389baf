//! The deterministic simulation: core, driver and a disk that fails, with simulated clocks, workers, supervisors and
//! clients, in one thread and from one seed.
//!
//! A seed is a [`scenario`]: random runbooks, what clients ask, and what goes wrong. The [`world`] lets it happen and
//! keeps [`evidence`]; the [`check`]er, which shares no code with the engine, holds that against the invariants. A
//! scenario that breaks one is made small ([`shrink`]) and told as a [`timeline`]. How to run it and how to read what
//! it says is in `docs/simulation.md`.
//!
//! Everything that is left to chance hangs on the seed. Nothing here may read a clock, a file or the order of a hash
//! table: the same seed twice gives the same trace, and a test holds it to that.
//!
//! What it cannot see: the real files (the store's own suites), real processes (the kill suites), and
//! what the host does between driver and world (`host/service.rs`), which the world does in its place.

pub mod campaign;
pub mod check;
pub mod coverage;
pub mod evidence;
pub mod random;
pub mod report;
pub mod runbook;
pub mod scenario;
pub mod shrink;
pub mod timeline;
pub mod trace;
pub mod trouble;
pub mod world;
