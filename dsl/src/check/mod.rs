//! The laws of the language, one a file. Each looks at the whole runbook and says all that breaks it.

mod ids;
mod needs;

use crate::compile::report::Report;
use crate::compile::resolve::{Order, Resolved};
use crate::expr::Sandbox;
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

/// Checks every law.
pub fn all(case: &Case, report: &mut Report) {
    ids::check(case, report);
    ids::check_outputs(case, report);
    needs::check(case, report);
}
