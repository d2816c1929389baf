//! The simulation as a suite: fixed seeds hold every invariant and reach everything; the checker can fail, and catches
//! what is planted; the same seed is the same story; a failing one can be told.
//!
//! `LOCKSTEP_SEED` and `LOCKSTEP_ROUNDS` choose other seeds; `lockstep-sim` plays many. See `docs/simulation.md`.

mod checker;
mod planted;
mod seeds;
mod story;
