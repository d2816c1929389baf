//! What an evaluation may cost.
//!
//! Every node, every element that a function of the library looks at and every [`BYTES_PER_OPERATION`] bytes that are
//! copied are one operation. The deadline is asked for every [`POLL_INTERVAL`] operations, however they came about, so
//! no single call can outrun it for long, and what an evaluation can allocate is bounded by its operations.

use std::fmt;

use super::fault::{Cause, Checked, Fault};
use crate::limits::EXPRESSION_OPERATIONS;

/// Operations between two questions whether the deadline has passed: about ten microseconds of work.
pub const POLL_INTERVAL: u64 = 256;

/// So many bytes copied cost one operation.
pub const BYTES_PER_OPERATION: usize = 64;

/// What an evaluation may use.
#[derive(Clone, Copy)]
pub struct Budget<'b> {
    /// Operations.
    pub operations: u64,
    /// Whether the caller's deadline has passed; this crate has no clock.
    pub expired: &'b (dyn Fn() -> bool + 'b),
}

impl<'b> Budget<'b> {
    /// The usual number of operations and a deadline.
    pub fn until(expired: &'b (dyn Fn() -> bool + 'b)) -> Self {
        Self { operations: EXPRESSION_OPERATIONS, expired }
    }

    /// So many operations, without a deadline.
    pub fn operations(operations: u64) -> Self {
        Self { operations, expired: &|| false }
    }
}

impl Default for Budget<'_> {
    /// The usual number of operations, without a deadline.
    fn default() -> Self {
        Self::operations(EXPRESSION_OPERATIONS)
    }
}

impl fmt::Debug for Budget<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Budget").field("operations", &self.operations).finish_non_exhaustive()
    }
}

/// What is left of a [`Budget`].
pub(super) struct Meter<'b> {
    budget: Budget<'b>,
    left: u64,
    until_poll: u64,
}

impl<'b> Meter<'b> {
    /// The whole budget.
    pub fn new(budget: Budget<'b>) -> Self {
        Self { budget, left: budget.operations, until_poll: POLL_INTERVAL }
    }

    /// Uses up operations.
    #[inline]
    pub fn charge(&mut self, operations: u64) -> Checked<()> {
        if operations < self.left && operations < self.until_poll {
            self.left -= operations;
            self.until_poll -= operations;
            return Ok(());
        }
        self.charge_and_poll(operations)
    }

    #[cold]
    fn charge_and_poll(&mut self, operations: u64) -> Checked<()> {
        if operations >= self.left {
            self.left = 0;
            return Err(Fault::new(
                Cause::Operations,
                format!("the expression took more than {} operations", self.budget.operations),
            ));
        }
        self.left -= operations;
        self.until_poll = POLL_INTERVAL;
        if (self.budget.expired)() {
            return Err(Fault::new(Cause::Deadline, "the expression took too long"));
        }
        Ok(())
    }

    /// Uses up the operations that so many elements cost.
    #[inline]
    pub fn elements(&mut self, elements: usize) -> Checked<()> {
        self.charge(elements as u64)
    }

    /// Uses up the operations that so many bytes cost.
    #[inline]
    pub fn bytes(&mut self, bytes: usize) -> Checked<()> {
        self.charge((bytes / BYTES_PER_OPERATION) as u64)
    }
}
