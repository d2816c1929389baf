//! Suites that break the engine on purpose: at its durable writes, in its recovery, and by mistakes planted in it.
//!
//! `docs/proofs.md` says what they promise, and `scripts/prove` runs them all.

mod checkpoint;
mod matrix;
mod planted;
mod power;
mod registry;
mod trial;
