//! Finds what names mean: which steps a step needs, and what every expression reads.

mod jumps;
mod names;
mod needs;
mod order;
pub mod outputs;

use crate::graph::{BlockId, Next, NodeId};
use crate::runbook::Runbook;

use super::report::Report;

pub use names::{Reads, StepRead};
pub use order::{Order, Relation};

/// What names mean.
#[derive(Debug, Default)]
pub struct Resolved {
    /// Per step, the steps of its block that it needs.
    pub needs: Vec<Vec<NodeId>>,
    /// Per `next`, where it goes on, and in which block that is.
    pub jumps: Vec<Option<(Next, BlockId)>>,
    /// Per expression, what it reads.
    pub reads: Vec<Reads>,
}

/// Resolves every name, and reports those that cannot exist.
pub fn resolve(book: &Runbook, report: &mut Report) -> (Resolved, Order) {
    let needs = needs::resolve(book, report);
    let jumps = jumps::resolve(book, report);
    let order = Order::new(book, &needs, &jumps);
    let reads = names::resolve(book, report);
    (Resolved { needs, jumps, reads }, order)
}
