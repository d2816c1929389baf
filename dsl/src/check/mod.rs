//! The laws of the language, one a file. Each looks at the whole runbook and says all that breaks it.
//!
//! A law never asks about what an earlier pass could not read, and no two laws report the same cause.

mod approve;
mod branches;
mod conditions;
mod disabled;
mod effects;
mod environment;
mod event;
mod finish;
mod functions;
mod handlers;
mod header;
mod ids;
mod kinds;
mod needs;
mod order;
mod probe;
mod retries;
mod secret_outputs;
mod secrets;
mod timeouts;
mod undo;
mod until;
mod unused;

pub use header::is_runbook_name;

use crate::compile::report::Report;
use crate::compile::resolve::{Order, Reads, Resolved};
use crate::expr::Sandbox;
use crate::graph::ExprId;
use crate::runbook::Runbook;

/// What every law is judged by.
pub struct Case<'a> {
    /// The runbook.
    pub book: &'a Runbook,
    /// What its names mean.
    pub resolved: &'a Resolved,
    /// The order of its steps.
    pub order: &'a Order,
    /// What reads expressions.
    pub sandbox: &'a Sandbox,
}

impl<'a> Case<'a> {
    /// What an expression reads.
    pub fn reads(&self, id: ExprId) -> &'a Reads {
        &self.resolved.reads[id.0 as usize]
    }
}

/// Checks every law.
pub fn all(case: &Case, report: &mut Report) {
    header::check(case, report);
    environment::check(case, report);
    ids::check(case, report);
    ids::check_outputs(case, report);
    kinds::check(case, report);
    needs::check(case, report);
    order::check(case, report);
    disabled::check(case, report);
    functions::check(case, report);
    secret_outputs::check(case, report);
    secrets::check(case, report);
    effects::check(case, report);
    until::check(case, report);
    timeouts::check(case, report);
    handlers::check(case, report);
    undo::check(case, report);
    probe::check(case, report);
    retries::check(case, report);
    finish::check(case, report);
    approve::check(case, report);
    branches::check(case, report);
    conditions::check(case, report);
    event::check(case, report);
    unused::check(case, report);
}
