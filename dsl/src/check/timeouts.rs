//! Rule: a limit of time that a tighter one around it always cuts short is a mistake.

use crate::compile::report::Report;
use crate::diagnostic::Code;
use crate::graph::{NodeId, Role};
use crate::runbook::{Step, Timeouts};
use crate::source::Spanned;
use crate::value::Millis;

use super::Case;

/// Checks every `timeout`.
pub fn check(case: &Case, report: &mut Report) {
    order(&case.book.defaults.timeout, report);
    for (id, step) in case.book.steps() {
        order(&step.timeout, report);
        let limits = holding(case, id).into_iter().filter_map(|id| own(case.book.step(id)));
        let limits = limits.chain(case.book.timeout.as_ref().filter(|_| is_in_main(case, id)));
        if let Some(own) = own(step)
            && let Some(limit) = limits.min_by_key(|limit| limit.value)
            && limit.value < own.value
        {
            let message = format!("this step is stopped after {}, long before its own {}", limit.value, own.value);
            let diagnostic = report
                .at(Code::TIMEOUT_BEYOND_BLOCK, own.span, message)
                .also(limit.span, "what is around it ends here");
            report.push(diagnostic);
        }
    }
}

/// An attempt cannot last longer than all of them.
fn order(timeouts: &Timeouts, report: &mut Report) {
    if let (Some(attempt), Some(total)) = (&timeouts.attempt, &timeouts.total)
        && attempt.value > total.value
    {
        let diagnostic = report
            .at(Code::TIMEOUT_ORDER, attempt.span, "one attempt may last longer than all of them together")
            .also(total.span, format!("all of them end after {}", total.value));
        report.push(diagnostic);
    }
}

/// The longest that a step says it may take.
fn own(step: &Step) -> Option<&Spanned<Millis>> {
    step.timeout.total.as_ref().or(step.timeout.attempt.as_ref())
}

/// The steps around a step whose limits hold for it: not that of the step which it handles, tidies up after or asks about,
/// and none at all where it undoes, since that comes at the end of the run.
fn holding(case: &Case, id: NodeId) -> Vec<NodeId> {
    let mut holding = Vec::new();
    for inner in case.book.around(id) {
        let block = case.book.block(case.book.step(inner).block);
        if block.role == Role::Undo {
            break;
        }
        if block.role.is_work() {
            holding.extend(block.owner);
        }
    }
    holding
}

/// Whether the run's own timeout holds for a step; what comes at the run's end has time of its own.
fn is_in_main(case: &Case, id: NodeId) -> bool {
    let undoes = case.book.around(id).any(|id| case.book.block(case.book.step(id).block).role == Role::Undo);
    let outermost = case.book.around(id).last().unwrap_or(id);
    !undoes && Some(case.book.step(outermost).block) == case.book.main
}
