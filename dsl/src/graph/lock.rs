//! Keys that steps and runs hold alone, or a few at a time.

use serde::{Deserialize, Serialize};

use super::Field;

/// `lock`: what a step holds while it runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lock {
    /// Names it; steps of all runs that name the same one share it.
    pub key: Field,
    /// How many steps may hold it at a time.
    pub limit: u32,
}

/// `concurrency`: how many runs with the same key go on at a time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Concurrency {
    /// Names them.
    pub key: Field,
    /// How many.
    pub limit: u32,
    /// What becomes of one more.
    pub excess: Excess,
}

/// What becomes of a run when as many as may go on do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Excess {
    /// It waits for its turn.
    Queue,
    /// It is not wanted: it ends at once, cancelled.
    Skip,
    /// It ends at once, failed.
    Fail,
    /// The oldest of the others is cancelled, and it waits for the end of that.
    CancelOldest,
}
